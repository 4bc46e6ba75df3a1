import fc from "fast-check";
import { decodeGoose, encodeGoose } from "../../../../src/protocol/goose/codec.ts";
import { GooseScan } from "../../../../src/protocol/goose/scan.ts";
import {
  KIND,
  type Kind,
  type Stream,
  Supervision,
  type SupervisionEvent,
} from "../../../../src/protocol/goose/supervision.ts";
import type { Instant } from "../../../../src/base/time.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex } from "../../../hex.ts";
import vectors from "../../../vectors/goose/messages.json" with { type: "json" };

const ETHERNET = fromHex("01 0c cd 01 00 01 00 11 22 33 44 55 88 b8");

/** A frame around a message, with the source's last octet as given. */
function framed(message: Uint8Array, source = 0x55): Uint8Array {
  const frame = new Uint8Array(14 + message.length);
  frame.set(ETHERNET);
  frame[11] = source;
  frame.set(message, 14);
  return frame;
}

function message(stNum: number, sqNum: number, more: Record<string, unknown> = {}): Uint8Array {
  return encodeGoose({
    appId: 0x1000,
    pdu: {
      gocbRef: "A/LLN0$GO$g1",
      timeAllowedToLive: 200,
      datSet: "A/LLN0$ds",
      goId: "g",
      t: { seconds: 0, fraction: 0, quality: 0 },
      stNum,
      sqNum,
      simulation: false,
      confRev: 1,
      ndsCom: false,
      allData: [],
      ...more,
    },
  } as never, "minimal")!;
}

for (const { name, hex, appId, pdu } of vectors.good) {
  Deno.test(`GooseScan reads what the full decoder reads: ${name}`, () => {
    const frame = framed(fromHex(hex));
    const scan = new GooseScan();
    assert(scan.scan(frame, 0, frame.length));
    const text = new TextDecoder("latin1").decode(
      frame.subarray(scan.referenceAt, scan.referenceAt + scan.referenceLength),
    );
    assertEquals(
      [scan.appId, text, scan.timeAllowedToLive, scan.stNum, scan.sqNum, scan.confRev, scan.ndsCom],
      [appId, pdu.gocbRef, pdu.timeAllowedToLive, pdu.stNum, pdu.sqNum, pdu.confRev, pdu.ndsCom],
    );
  });
}

Deno.test("GooseScan never throws or reads beyond the frame, and takes nothing that is cut", () => {
  const whole = framed(message(3, 4));
  const scan = new GooseScan();
  for (let length = 0; length < whole.length; length += 1) {
    assert(!scan.scan(whole, 0, length), `${length} octets`);
  }
  const noise = fc.record({
    place: fc.nat({ max: whole.length - 1 }),
    octets: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    length: fc.nat({ max: whole.length }),
  });
  fc.assert(
    fc.property(noise, ({ place, octets, length }) => {
      const frame = whole.slice();
      frame.set(octets.subarray(0, frame.length - place), place);
      const good = scan.scan(frame, 0, length);
      if (good) assert(scan.referenceAt + scan.referenceLength <= length);
      const full = decodeGoose(frame.subarray(14, Math.max(14, length)));
      // What the full decoder takes, the scanner takes too; the ether type is not its business.
      if (
        !("kind" in full && full.kind === "malformed") && frame[12] === 0x88 && frame[13] === 0xb8
      ) {
        assert(good, JSON.stringify(full));
      }
    }),
    { numRuns: 3000 },
  );
});

/** Feeds messages at times in milliseconds. */
function watch(streamsMax = 4) {
  const events: SupervisionEvent[] = [];
  const supervision = new Supervision(streamsMax, (event) => events.push({ ...event }));
  const scan = new GooseScan();
  const see = (octets: Uint8Array, at: number, source?: number): Kind => {
    const frame = framed(octets, source);
    assert(scan.scan(frame, 0, frame.length));
    return supervision.see(scan, frame, 0, at as Instant);
  };
  const one = (): Stream => [...supervision.streams()][0]!;
  return { supervision, see, one, kinds: () => events.map(({ kind }) => kind), events };
}

Deno.test("Supervision tells repetitions and changes, and counts what is missing", () => {
  const { supervision, see, one, events } = watch();
  assertEquals(see(message(1, 0), 0), KIND.first);
  assertEquals(see(message(1, 1), 10), KIND.repeat);
  assertEquals(see(message(1, 4), 20), KIND.repeat);
  assertEquals(see(message(2, 0), 30), KIND.change);
  assertEquals(see(message(5, 2), 40), KIND.change);
  const { frames, changes, lost, lostChanges } = one();
  assertEquals([frames, changes, lost, lostChanges], [5, 2, 4, 2]);
  assertEquals(events, [], "gaps are told together");
  supervision.tellLost();
  supervision.tellLost();
  assertEquals(events.map(({ kind, amount }) => [kind, amount]), [["lost", 6]]);
  see(message(5, 4), 50);
  supervision.tellLost();
  assertEquals([events.length, events[1]!.amount, supervision.lost], [2, 1, 7]);
});

Deno.test("Supervision tells duplicates, late messages and new starts apart", () => {
  const { see, one } = watch();
  see(message(7, 10), 0);
  assertEquals(see(message(7, 10), 1), KIND.duplicate);
  assertEquals(see(message(7, 8), 2), KIND.reordered);
  assertEquals(see(message(6, 3), 3), KIND.reordered);
  assertEquals(one().sqNum, 10, "a late message does not turn the clock back");
  assertEquals(see(message(1, 0), 4), KIND.restart);
  assertEquals(see(message(1, 1), 5), KIND.repeat);
  assertEquals(see(message(1, 0), 5000), KIND.restart, "after a silence it is no late message");
  const { duplicates, reordered, restarts } = one();
  assertEquals([duplicates, reordered, restarts], [1, 2, 2]);
});

Deno.test("Supervision knows where numbers begin anew", () => {
  const max = 0xffff_ffff;
  const { see, one } = watch();
  see(message(max, max), 0);
  assertEquals(see(message(max, 1), 1), KIND.repeat);
  assertEquals(see(message(1, 0), 2), KIND.change);
  assertEquals([one().lost, one().lostChanges, one().restarts], [0, 0, 0]);
});

Deno.test("Supervision tells once that a stream is silent, and once that it is back", () => {
  const { supervision, see, kinds, events, one } = watch();
  see(message(1, 0), 1000);
  assertEquals(supervision.deadline, 1200);
  supervision.expire(1199 as Instant);
  assertEquals(kinds(), []);
  supervision.expire(1200 as Instant);
  supervision.expire(9000 as Instant);
  assertEquals([kinds(), events[0]!.amount, supervision.deadline], [["expired"], 200, Infinity]);
  see(message(1, 1), 9500);
  assertEquals([kinds(), one().expirations], [["expired", "returned"], 1]);
  assertEquals(supervision.deadline, 9700);
});

Deno.test("Supervision tells changes of confRev, simulation and ndsCom", () => {
  const { see, kinds, one } = watch();
  see(message(1, 0), 0);
  see(message(1, 1, { confRev: 2 }), 1);
  see(message(1, 2, { confRev: 2, simulation: true, ndsCom: true }), 2);
  assertEquals(kinds(), ["confRev", "simulation", "ndsCom"]);
  assertEquals([one().simulation, one().ndsCom, one().confRev], [true, true, 2]);
});

Deno.test("Supervision bounds its streams: silent ones make room, living ones do not", () => {
  const { supervision, see } = watch(3);
  for (const source of [1, 2, 3]) see(message(1, 0), source, source);
  assertEquals(see(message(1, 0), 10, 4), KIND.unwatched);
  supervision.expire(201 as Instant); // Only the first has fallen silent.
  assertEquals(see(message(1, 0), 202, 5), KIND.first);
  assertEquals([supervision.count, supervision.unwatched, supervision.evicted], [3, 1, 1]);
  const sources = [...supervision.streams()].map(({ source }) => source.slice(-2)).sort();
  assertEquals(sources, ["02", "03", "05"]);
});
