import fc from "fast-check";
import { encodeVideo, VideoReader } from "../../../../src/protocol/v4relay/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex, toHex } from "../../../hex.ts";

/** The deployed system's own example. */
const EXAMPLE = "56 34 56 54 01 01 00 00 00 00 00 00 00 00 00 07 17 97 9c fe 36 2a 00 00 " +
  "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 35 24 41 c2 00 00 00 03 61 62 63";
const FRAME = {
  type: "data",
  sequence: 7n,
  sentNs: 1_700_000_000_000_000_000n,
  serverReceivedNs: 0n,
  serverSentNs: 0n,
  payload: new TextEncoder().encode("abc"),
} as const;

Deno.test("A video test frame is written as deployed tools write it", () => {
  assertEquals(toHex(encodeVideo(FRAME)), EXAMPLE);
});

Deno.test("Frames come out of a stream whole, however it is cut", () => {
  const sample = fc.record({
    payloads: fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 }),
    cuts: fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
  });
  fc.assert(
    fc.property(sample, ({ payloads, cuts }) => {
      const frames = payloads.map((payload, index) =>
        encodeVideo({ ...FRAME, type: "echo", sequence: BigInt(index), payload })
      );
      const all = Uint8Array.from(frames.flatMap((frame) => [...frame]));
      const reader = new VideoReader();
      const read: string[] = [];
      for (let at = 0, turn = 0; at < all.length; turn += 1) {
        const size = cuts[turn % cuts.length]!;
        reader.feed(all.slice(at, at + size));
        at += size;
        for (let frame = reader.next(); frame; frame = reader.next()) {
          assert(frame.kind === "video");
          read.push(`${frame.sequence} ${toHex(frame.payload)}`);
        }
      }
      assertEquals(read, payloads.map((payload, index) => `${index} ${toHex(payload)}`));
    }),
    { numRuns: 300 },
  );
});

const BAD: readonly [string, number, number][] = [
  ["v4vt.magic", 0, 0],
  ["v4vt.version", 4, 2],
  ["v4vt.type", 5, 0],
  ["v4vt.type", 5, 5],
  ["v4vt.payload.too_long", 44, 0xff],
  ["v4vt.crc", 43, 0],
  ["v4vt.crc", 50, 0],
];
for (const [code, at, octet] of BAD) {
  Deno.test(`A video frame with octet ${at} of ${octet} is malformed: ${code}`, () => {
    const octets = fromHex(EXAMPLE);
    octets[at] = octet;
    const reader = new VideoReader();
    reader.feed(octets);
    const frame = reader.next();
    assertEquals(frame?.kind === "malformed" ? frame.code : frame, code);
    reader.feed(fromHex(EXAMPLE));
    assertEquals(reader.next()?.kind, "malformed", "the stream is of no use any more");
  });
}

Deno.test("A CRC without a payload is not looked at", () => {
  const octets = encodeVideo({ ...FRAME, type: "ping", payload: new Uint8Array(0) });
  octets[40] = 0xff;
  const reader = new VideoReader();
  reader.feed(octets);
  assertEquals(reader.next()?.kind, "video");
});
