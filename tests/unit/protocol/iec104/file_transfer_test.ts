import fc from "fast-check";
import {
  type Asdu,
  decodeAsdu,
  directoryRequest,
  encodeAsdu,
  FileReading,
  FileServing,
  PROFILE_104,
  SECTION_TRIES,
  tagOf,
  UTC,
} from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const time = tagOf(Date.UTC(2026, 10, 21), UTC);
const NAME = { commonAddress: 7, address: 9001, file: 2 };

function octetsOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 7 + (index >> 8));
}

function stationWith(octets: Uint8Array, sectionSize?: number): FileServing {
  const files = [{ address: 9001, file: 2, octets, time }];
  return new FileServing(7, files, PROFILE_104, sectionSize);
}

/** An ASDU as it is on the other side of the wire. */
function carried(asdu: Asdu): Asdu {
  const octets = new Uint8Array(249);
  const size = encodeAsdu(asdu, PROFILE_104, octets, 0);
  const read = decodeAsdu(octets, PROFILE_104, 0, size);
  assert(!("kind" in read), `what was written cannot be read: ${JSON.stringify(read)}`);
  return read;
}

/** Plays a transfer; `hurt` may change what the station says. */
function transfer(
  station: FileServing,
  reading: FileReading,
  hurt: (asdu: Asdu, turn: number) => Asdu | undefined = (asdu) => asdu,
): Uint8Array | string {
  const requests = [reading.start()];
  for (let turn = 0; requests.length > 0;) {
    for (const answer of station.take(carried(requests.shift()!)) ?? []) {
      const said = hurt(carried(answer), turn++);
      if (!said || !reading.concerns(said)) continue;
      const { send, end } = reading.take(said);
      requests.push(...send);
      if (end) return "octets" in end ? end.octets : end.refused;
    }
  }
  return "nothing more came";
}

for (const length of [0, 1, 237, 238, 4096, 4097, 20_000, 300_000]) {
  Deno.test(`A file of ${length} octets comes whole`, () => {
    const octets = octetsOf(length);
    const reading = new FileReading(NAME, 3, 1_000_000);
    assertEquals(transfer(stationWith(octets), reading), octets);
    assertEquals(reading.progress, { received: length, size: length });
  });
}

Deno.test("Any file in sections of any size comes whole", () => {
  const any = fc.uint8Array({ maxLength: 3000 });
  fc.assert(fc.property(any, fc.integer({ min: 1, max: 700 }), (octets, sectionSize) => {
    const got = transfer(stationWith(octets, sectionSize), new FileReading(NAME, 0, 3000));
    assertEquals(got, octets);
  }));
});

Deno.test("A section that was damaged is asked for again; one that always is ends the transfer", () => {
  const octets = octetsOf(1000);
  const damaged = (times: number) => {
    let left = times;
    return (asdu: Asdu): Asdu => {
      const [object] = asdu.objects;
      if (object?.kind !== "segment" || left === 0) return asdu;
      left -= 1;
      const flipped = object.octets.map((octet, at) => at === 0 ? octet ^ 1 : octet);
      return { ...asdu, objects: [{ ...object, octets: flipped }] };
    };
  };
  const segments = 3;
  assertEquals(
    transfer(stationWith(octets, 600), new FileReading(NAME, 0, 1000), damaged(segments)),
    octets,
  );
  const reading = new FileReading(NAME, 0, 1000);
  const end = transfer(stationWith(octets, 600), reading, damaged(1000));
  assertEquals(end, `section 1 came damaged ${SECTION_TRIES} times`);
});

Deno.test("What is not there, not ready, or too long is refused with the reason", () => {
  const station = stationWith(octetsOf(1000));
  assertEquals(
    transfer(station, new FileReading({ ...NAME, file: 3 }, 0, 1000)),
    "the file is not ready",
  );
  assertEquals(
    transfer(station, new FileReading(NAME, 0, 999)),
    "the file has 1000 octets, and 999 are taken",
  );
  const unknown = { ...directoryRequest(7, 0), negative: true };
  const reading = new FileReading({ ...NAME, address: 0, file: 0 }, 0, 10);
  assertEquals(reading.take(unknown).end, { refused: "the station does not know it" });
});

Deno.test("A station that sends more than it announced, or leaves some out, is not believed", () => {
  const octets = octetsOf(1000);
  const longer = (asdu: Asdu): Asdu => {
    const [object] = asdu.objects;
    if (object?.kind !== "file_ready") return asdu;
    return { ...asdu, objects: [{ ...object, length: 900 }] };
  };
  assertEquals(
    transfer(stationWith(octets), new FileReading(NAME, 0, 1000), longer),
    "more came than was announced",
  );
  const without = (asdu: Asdu, turn: number) => turn === 3 ? undefined : asdu;
  assertEquals(
    transfer(stationWith(octets), new FileReading(NAME, 0, 1000), without),
    octets,
    "the section is asked for again",
  );
});

// Goal: no sequence of file ASDUs makes a transfer throw or keep more than its bound.
Deno.test("Any order of what a station says ends in a file, a reason, or silence", () => {
  const file = { address: 9001, file: 2 };
  const object = fc.oneof(
    fc.record({
      kind: fc.constant("file_ready" as const),
      length: fc.nat(3000),
      qualifier: fc.constantFrom(0, 0, 0, 128),
    }, { noNullPrototype: true }),
    fc.record({
      kind: fc.constant("section_ready" as const),
      section: fc.nat(3),
      length: fc.nat(1000),
      qualifier: fc.constantFrom(0, 0, 0, 128),
    }, { noNullPrototype: true }),
    fc.record({
      kind: fc.constant("segment" as const),
      section: fc.nat(3),
      octets: fc.uint8Array({ maxLength: 237 }),
    }, { noNullPrototype: true }),
    fc.record({
      kind: fc.constant("last_segment" as const),
      section: fc.nat(3),
      qualifier: fc.nat(5),
      checksum: fc.nat(255),
    }, { noNullPrototype: true }),
  );
  fc.assert(fc.property(fc.array(object, { maxLength: 60 }), (said) => {
    const reading = new FileReading(NAME, 0, 2000);
    for (const one of said) {
      const objects = [{ ...one, ...file }] as Asdu["objects"];
      const asdu = { ...directoryRequest(7, 0), cause: 13, objects };
      if (!reading.concerns(asdu)) continue;
      const { end } = reading.take(asdu);
      assert(reading.progress.received <= 2000 + 237);
      if (end) break;
    }
  }));
});

Deno.test("A directory has every file, and its last line says so", () => {
  const files = Array.from(
    { length: 40 },
    (_, at) => ({ address: 9000 + at, file: 1, octets: octetsOf(at), time }),
  );
  const answers = new FileServing(7, files).take(carried(directoryRequest(7, 0)))!.map(carried);
  const lines = answers.flatMap(({ objects }) => objects);
  assertEquals(lines.map(({ address }) => address), files.map(({ address }) => address));
  const last = lines.map((line) => line.kind === "directory" && (line.status & 0x20) !== 0);
  assertEquals([last.indexOf(true), answers.length > 1], [39, true]);
});
