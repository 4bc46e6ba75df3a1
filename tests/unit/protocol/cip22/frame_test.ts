import fc from "fast-check";
import type { Instant } from "../../../../src/base/time.ts";
import {
  crc8,
  type CrcKind,
  type Frame,
  FrameReader,
  OVERHEAD,
  readTlvs,
  TAG,
  TYPE,
  typeName,
  writeFrame,
  writeTlvs,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const at = (ms: number) => ms as Instant;
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

/** All frames that are there now. */
function frames(reader: FrameReader, now = at(0)): string[] {
  const all: string[] = [];
  for (let frame: Frame | undefined; (frame = reader.next(now));) {
    all.push(`${frame.type} ${frame.payload.toHex()}`);
  }
  return all;
}

function fed(octets: Uint8Array, crc: CrcKind | "auto" = "itu"): FrameReader {
  const reader = new FrameReader({ crc });
  reader.feed(octets, at(0));
  return reader;
}

Deno.test("Checks are those of the catalogue and of the specification's examples", () => {
  const digits = new TextEncoder().encode("123456789");
  assertEquals([crc8(digits, 0, 9, "plain"), crc8(digits, 0, 9, "itu")], [0xf4, 0xa1]);
  for (
    const [payload, plain, itu] of [
      ["", 0x21, 0x74],
      ["00010002", 0x19, 0x4c],
      ["68656c6c6f", 0x3e, 0x6b],
    ] as const
  ) {
    for (const [kind, wanted] of [["plain", plain], ["itu", itu]] as const) {
      const frame = writeFrame(1, hex(payload), kind);
      assertEquals(frame.at(-1), wanted);
      assertEquals(frames(fed(frame, kind)), [`1 ${payload}`]);
      assertEquals(frames(fed(frame, "auto")), [`1 ${payload}`]);
    }
  }
});

Deno.test("Any frames come out as they went in, wherever the stream is cut", () => {
  const frame = fc.record({ type: fc.nat(255), payload: fc.uint8Array({ maxLength: 60 }) }, {
    noNullPrototype: true,
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });
  fc.assert(fc.property(fc.array(frame, { maxLength: 12 }), cuts, (all, sizes) => {
    const stream = Uint8Array.from(
      all.flatMap(({ type, payload }) => [...writeFrame(type, payload)]),
    );
    const reader = new FrameReader();
    const got: string[] = [];
    for (let from = 0, turn = 0; from < stream.length; turn += 1) {
      const size = sizes[turn % sizes.length]!;
      reader.feed(stream.subarray(from, from + size), at(0));
      got.push(...frames(reader));
      from += size;
    }
    assertEquals(got, all.map(({ type, payload }) => `${type} ${payload.toHex()}`));
    assertEquals([reader.counts.skipped, reader.deadline], [0, undefined]);
  }));
});

Deno.test("A stream that was hurt is found again at the next frame", () => {
  const good = writeFrame(2, hex("aabbcc"));
  const wrong = writeFrame(1, hex("0102"));
  wrong[8]! ^= 1;
  // A false beginning inside of what is hurt, and a whole frame inside of a payload.
  for (
    const [what, stream, checks] of [
      ["nonsense before", [0xff, 0xc1, 0x02, ...good], 0],
      ["a wrong check", [...wrong, ...good], 1],
      ["a beginning that is none", [0xc1, 0x02, 0x20, 0x01, ...good], 0],
      ["an octet that is missing", [...wrong.slice(0, 5), ...wrong.slice(6), ...good], 1],
      ["magic twice", [0xc1, 0x02, 0x20, 0x00, ...good], 1],
    ] as const
  ) {
    // What claims to be longer than the stream is given up in time.
    const reader = fed(Uint8Array.from(stream));
    const got = frames(reader);
    for (let now = 2000; got.length === 0 && reader.deadline !== undefined; now += 2000) {
      reader.expire(at(now));
      got.push(...frames(reader, at(now)));
    }
    assertEquals(got, ["2 aabbcc"], what);
    assert(reader.counts.checks <= checks + 1 && reader.counts.skipped > 0, what);
  }
});

Deno.test("A frame that does not end is given up after 2 s, and what is behind it is read", () => {
  const reader = new FrameReader();
  reader.feed(hex("c1022000 ffff 01"), at(100));
  assertEquals([reader.next(at(100)), reader.deadline], [undefined, at(2100)]);
  const good = writeFrame(3, hex("01"));
  reader.feed(good, at(2000));
  assertEquals(frames(reader, at(2000)), []);
  reader.expire(at(2099));
  assertEquals(frames(reader, at(2099)), []);
  reader.expire(at(2100));
  assertEquals(frames(reader, at(2100)), ["3 01"]);
  assertEquals([reader.counts.late, reader.deadline], [1, undefined]);
});

Deno.test("A payload that is longer than allowed is no frame, and is not waited for", () => {
  const reader = new FrameReader({ payloadMax: 100 });
  reader.feed(hex("c1022000 0065 01"), at(0));
  reader.feed(writeFrame(4, new Uint8Array(100)), at(0));
  assertEquals(frames(reader).length, 1);
});

Deno.test("Auto settles on a kind of check after two frames that agree, and then keeps to it", () => {
  const reader = new FrameReader({ crc: "auto" });
  const put = (kind: CrcKind) => {
    reader.feed(writeFrame(1, hex("00"), kind), at(0));
    return frames(reader).length;
  };
  assertEquals([put("plain"), reader.crc], [1, undefined]);
  assertEquals([put("itu"), reader.crc], [1, undefined], "they do not agree");
  assertEquals([put("itu"), reader.crc], [1, "itu"]);
  assertEquals([put("plain"), reader.counts.checks], [0, 1]);
  assertEquals(put("itu"), 1);
});

Deno.test("Nothing makes the reader throw, or keep more than a frame", () => {
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ maxLength: 20 }).map((payload) => writeFrame(7, payload)),
    fc.constant(hex("c1022000")),
    fc.constant(hex("c1022000 ffff")),
  );
  fc.assert(fc.property(fc.array(chunk, { maxLength: 30 }), (chunks) => {
    const reader = new FrameReader({ crc: "auto", payloadMax: 64 });
    let [octets, taken] = [0, 0];
    for (const [turn, one] of chunks.entries()) {
      octets += one.length;
      reader.feed(one, at(turn * 100));
      for (let frame: Frame | undefined; (frame = reader.next(at(turn * 100)));) {
        taken += frame.payload.length + OVERHEAD;
      }
      reader.expire(at(turn * 100));
    }
    const left = octets - taken - reader.counts.skipped;
    assert(left >= 0 && left <= 64 + OVERHEAD + 40, `${left}`);
  }));
});

Deno.test("Elements are read as they were written; what is cut off is told", () => {
  const any = fc.array(
    fc.record({ tag: fc.nat(255), value: fc.uint8Array({ maxLength: 40 }) }, {
      noNullPrototype: true,
    }),
    { maxLength: 10 },
  );
  fc.assert(fc.property(any, (all) => assertEquals(readTlvs(writeTlvs(all)), all)));
  const payload = writeTlvs([
    { tag: TAG.deviceId, value: hex("6162") },
    { tag: TAG.port, value: hex("01") },
  ]);
  assertEquals(payload.toHex(), "01000261620c000101");
  for (let length = 1; length < payload.length; length += 1) {
    const read = readTlvs(payload.subarray(0, length));
    const whole = length === 5;
    assertEquals("code" in read ? read.offset : "read", whole ? "read" : length < 5 ? 0 : 5);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => void readTlvs(octets)));
  assertEquals([TYPE.read, 0x81, 0x10, 0x7f].map(typeName), [
    "read",
    "answer to read",
    "start",
    "type 127",
  ]);
});
