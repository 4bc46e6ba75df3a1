import fc from "fast-check";
import {
  type Data,
  decodeEthernet,
  decodeGoose,
  decodePdu,
  encodeEthernet,
  encodeGoose,
  type Form,
  formatValues,
  type GoosePdu,
  parseMac,
  TOTAL_MAX,
} from "../../../../src/protocol/goose/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex, toHex } from "../../../hex.ts";
import vectors from "../../../vectors/goose/messages.json" with { type: "json" };

interface Good {
  readonly name: string;
  readonly hex: string;
  readonly appId: number;
  readonly pdu: Omit<GoosePdu, "entries" | "allData">;
  readonly entries: number;
  readonly values: string;
  readonly encodes?: Form;
  readonly simulation?: boolean;
  readonly reserved2?: number;
  readonly extension?: number;
  readonly trailing?: number;
}

for (const vector of vectors.good as readonly Good[]) {
  Deno.test(`Goose decodes: ${vector.name}`, () => {
    const message = decodeGoose(fromHex(vector.hex));
    assert(message.kind === "goose", Deno.inspect(message));
    const { allData, entries, ...pdu } = message.pdu;
    assertEquals(pdu, vector.pdu);
    assertEquals(entries, vector.entries);
    assertEquals(formatValues(allData), vector.values);
    assertEquals(message.appId, vector.appId);
    assertEquals(message.simulation, vector.simulation ?? false);
    assertEquals(message.reserved2, vector.reserved2 ?? 0);
    assertEquals(message.extension, vector.extension ?? 0);
    assertEquals(message.trailing, vector.trailing ?? 0);
    if (vector.encodes !== undefined) {
      const octets = encodeGoose({ appId: message.appId, pdu: message.pdu }, vector.encodes);
      assertEquals(toHex(octets!), vector.hex);
    }
  });
}

for (const { name, hex, code, offset } of vectors.malformed) {
  Deno.test(`Goose refuses: ${name}`, () => {
    assertEquals(decodeGoose(fromHex(hex)), { kind: "malformed", code, offset });
  });
}

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const latin = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }).map((codes) =>
  String.fromCharCode(...codes)
);
const octets = fc.uint8Array({ maxLength: 20 }).map((array) => new Uint8Array(array));
const bits = fc.array(fc.constantFrom("0", "1"), { maxLength: 40 }).map((all) => all.join(""));
const whole = (value: bigint) =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value as number | bigint;
const time = fc.record({
  seconds: uint32,
  fraction: fc.integer({ min: 0, max: 2 ** 24 - 1 }),
  quality: fc.integer({ min: 0, max: 255 }),
}, { noNullPrototype: true });
const { data } = fc.letrec<{ data: Data }>((tie) => ({
  data: fc.oneof(
    { depthSize: "small", maxDepth: 6 },
    fc.boolean().map((value): Data => ({ kind: "bool", value })),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((n): Data => ({ kind: "int", value: whole(n) })),
    fc.bigInt(0n, 2n ** 64n - 1n).map((n): Data => ({ kind: "uint", value: whole(n) })),
    fc.float().map((value): Data => ({ kind: "float", value })),
    fc.double().map((value): Data => ({ kind: "double", value })),
    fc.tuple(fc.constantFrom("bits" as const, "boolean_array" as const), bits).map((
      [kind, bits],
    ): Data => ({ kind, bits })),
    fc.tuple(fc.constantFrom("string" as const, "generalized_time" as const), latin).map((
      [kind, text],
    ): Data => ({ kind, text })),
    fc.string({ unit: "grapheme", maxLength: 20 }).map((text): Data => ({ kind: "utf8", text })),
    fc.tuple(fc.constantFrom("octets", "real", "bcd", "object_id"), octets).map(([kind, octets]) =>
      ({ kind, octets }) as Data
    ),
    uint32.map((ms): Data => ({ kind: "binary_time", ms })),
    fc.tuple(uint32, fc.integer({ min: 0, max: 65_535 })).map(([ms, days]): Data => ({
      kind: "binary_time",
      ms,
      days,
    })),
    time.map((time): Data => ({ kind: "utc_time", time })),
    fc.tuple(
      fc.constantFrom("array" as const, "structure" as const),
      fc.array(tie("data"), { maxLength: 5 }),
    ).map(([kind, items]): Data => ({ kind, items })),
  ),
}));
const pdu = fc.record({
  gocbRef: latin,
  timeAllowedToLive: uint32,
  datSet: latin,
  goId: latin,
  t: time,
  stNum: uint32,
  sqNum: uint32,
  simulation: fc.boolean(),
  confRev: uint32,
  ndsCom: fc.boolean(),
  allData: fc.array(data, { maxLength: 12 }),
}, { noNullPrototype: true });

Deno.test("Goose message comes back as it was written, in both forms", () => {
  fc.assert(
    fc.property(pdu, fc.constantFrom<Form>("minimal", "fixed"), (pdu, form) => {
      const written = encodeGoose({ appId: 0x3fff, pdu }, form);
      if (written === undefined) return;
      assert(written.length <= TOTAL_MAX);
      const read = decodeGoose(written);
      assert(read.kind === "goose", Deno.inspect(read));
      assertEquals(read.pdu, { ...pdu, entries: pdu.allData.length });
      assertEquals([read.appId, read.length, read.trailing], [0x3fff, written.length, 0]);
    }),
  );
});

Deno.test("Goose message in the fixed form keeps its length when its numbers change", () => {
  const sizes = [0, 1, 127, 128, 65_536, 2 ** 32 - 1].map((value) => {
    const t = { seconds: value, fraction: 0, quality: 0 };
    const numbers = { timeAllowedToLive: value, stNum: value, sqNum: value, confRev: value };
    const flags = { simulation: value > 5, ndsCom: value > 5 };
    const allData: Data[] = [{ kind: "int", value: -Math.floor(value / 2) }, {
      kind: "uint",
      value,
    }];
    const pdu = { gocbRef: "a", datSet: "b", t, ...numbers, ...flags, allData };
    return encodeGoose({ appId: 1, pdu }, "fixed")!.length;
  });
  assertEquals(new Set(sizes).size, 1);
});

Deno.test("Goose message that does not fit a frame is not written", () => {
  const allData: Data[] = [{ kind: "octets", octets: new Uint8Array(1500) }];
  const t = { seconds: 0, fraction: 0, quality: 0 };
  const numbers = { timeAllowedToLive: 1, stNum: 1, sqNum: 0, confRev: 1 };
  const flags = { simulation: false, ndsCom: false };
  const pdu = { gocbRef: "a", datSet: "b", t, ...numbers, ...flags, allData };
  assertEquals(encodeGoose({ appId: 1, pdu }), undefined);
});

Deno.test("Goose decoder returns whatever the octets are", () => {
  const seeds = vectors.good.map(({ hex }) => fromHex(hex));
  fc.assert(
    fc.property(
      fc.nat(seeds.length - 1),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
      fc.nat(200),
      (which, edits, cut) => {
        const octets = seeds[which]!.slice();
        for (const [at, value] of edits) octets[at % octets.length] = value;
        for (const part of [octets, octets.subarray(0, cut)]) {
          const read = decodeGoose(part);
          if (read.kind !== "malformed") continue;
          assert(read.offset >= 0 && read.offset <= part.length);
        }
      },
    ),
    { numRuns: 3000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1600 }), (octets) => {
    decodeGoose(octets);
    decodePdu(octets, 0, octets.length);
    decodeEthernet(octets);
  }));
});

Deno.test("Goose message at the end of a larger array is read by its own bounds", () => {
  const octets = fromHex(vectors.good[1]!.hex);
  const larger = new Uint8Array(octets.length + 9).fill(0xff);
  larger.set(octets, 5);
  const read = decodeGoose(larger.subarray(5, 5 + octets.length));
  assertEquals(read, decodeGoose(octets));
});

Deno.test("Ethernet header keeps its tags both ways", () => {
  const destination = parseMac("01:0C:CD:01:00:01")!;
  const source = parseMac("02-00-00-00-00-01")!;
  const tags = [
    { tpid: 0x88a8, priority: 1, dropEligible: true, vlan: 4095 },
    { tpid: 0x8100, priority: 7, dropEligible: false, vlan: 5 },
  ];
  for (const count of [0, 1, 2]) {
    const octets = encodeEthernet(
      { destination, source, tags: tags.slice(2 - count), etherType: 0x88b8 },
      Uint8Array.of(1, 2, 3),
    );
    assertEquals(octets.length, 17 + 4 * count);
    const frame = decodeEthernet(octets);
    assert(frame.kind === "ethernet");
    assertEquals(frame.tags, tags.slice(2 - count));
    assertEquals([frame.destination, frame.source], ["01:0c:cd:01:00:01", "02:00:00:00:00:01"]);
    assertEquals([frame.etherType, frame.headerSize, [...frame.payload]], [
      0x88b8,
      14 + 4 * count,
      [1, 2, 3],
    ]);
    for (let cut = 0; cut < 14 + 4 * count; cut += 1) {
      const short = decodeEthernet(octets.subarray(0, cut));
      assertEquals(short, { kind: "malformed", code: "ethernet.short", offset: cut });
    }
  }
});

Deno.test("Address that is not one is refused", () => {
  for (const text of ["", "01:0c:cd:01:00", "01:0c:cd:01:00:0g", "010ccd010001", "1:2:3:4:5:6"]) {
    assertEquals(parseMac(text), undefined);
  }
});
