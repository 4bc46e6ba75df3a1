import fc from "fast-check";
import { HmacSha256 } from "../../../../src/crypto/sha256.ts";
import { DROP, type Drop, type Frames } from "../../../../src/protocol/goose_tunnel/mod.ts";
import {
  ReplayWindows,
  SEEN,
  SENDERS_MAX,
  WINDOW,
} from "../../../../src/protocol/goose_tunnel/replay.ts";
import {
  decapsulateV2,
  encapsulateV2,
  isV2,
  paddingOf,
  V2_HEADER,
  V2_TAG,
} from "../../../../src/protocol/goose_tunnel/v2.ts";
import { assert, assertEquals } from "../../../assert.ts";
import vectors from "../../../vectors/goose_tunnel/v2.json" with { type: "json" };

const hexOf = (octets: Uint8Array) =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
const octetsOf = (hex: string) =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const KEY = new HmacSha256(octetsOf("000102030405060708090a0b0c0d0e0f"));

function slot(octets: Uint8Array, headroom = V2_HEADER): Frames & { readonly octets: Uint8Array } {
  const room = new Uint8Array(headroom + octets.length + V2_TAG + 4).fill(0xee);
  room.set(octets, headroom);
  return { octets: room, start: Int32Array.of(headroom), length: Int32Array.of(octets.length) };
}

function contents({ octets, start, length }: Frames): Uint8Array {
  return octets.slice(start[0], start[0]! + length[0]!);
}

function facts() {
  return { senderHigh: 0, senderLow: 0, sequence: 0, sentMicros: 0 };
}

function pack(frame: Uint8Array, key?: HmacSha256, sequence = 1, micros = 2): Uint8Array {
  const frames = slot(frame);
  const sender = { senderHigh: 0x01020304, senderLow: 0xf5060708, key };
  assertEquals(encapsulateV2(frames, 0, sender, sequence, micros), DROP.none);
  return contents(frames);
}

function unpack(datagram: Uint8Array, key?: HmacSha256): { drop: Drop; frame: Uint8Array } {
  const frames = slot(datagram, 0);
  const drop = decapsulateV2(frames, 0, key, facts());
  return { drop, frame: contents(frames) };
}

for (const { name, key, sender, sequence, micros, frame, datagram, restored } of vectors) {
  Deno.test(`Wire format 2: ${name}`, () => {
    const mac = key === null ? undefined : new HmacSha256(octetsOf(key));
    const frames = slot(octetsOf(frame));
    const high = parseInt(sender.slice(0, 8), 16);
    const low = parseInt(sender.slice(8), 16);
    const who = { senderHigh: high, senderLow: low, key: mac };
    encapsulateV2(frames, 0, who, Number(sequence), Number(micros));
    assertEquals(hexOf(contents(frames)), datagram);
    const far = slot(octetsOf(datagram), 0);
    const said = facts();
    assertEquals(decapsulateV2(far, 0, mac, said), DROP.none);
    assertEquals(hexOf(contents(far)), restored ?? frame);
    assertEquals(said, {
      senderHigh: high,
      senderLow: low,
      sequence: Number(sequence),
      sentMicros: Number(micros),
    });
  });
}

Deno.test("Wire format 2 gives back every frame that was not padded, octet by octet", () => {
  const sample = fc.record({
    frame: fc.uint8Array({ minLength: 14, maxLength: 200 }).filter(({ length }) =>
      length !== 60 && length !== 64
    ),
    sequence: fc.maxSafeNat(),
    micros: fc.maxSafeNat(),
    signed: fc.boolean(),
  });
  fc.assert(fc.property(sample, ({ frame, sequence, micros, signed }) => {
    const key = signed ? KEY : undefined;
    const frames = slot(pack(frame, key, sequence, micros), 0);
    const said = facts();
    assert(isV2(frames, 0));
    assertEquals(decapsulateV2(frames, 0, key, said), DROP.none);
    assertEquals(hexOf(contents(frames)), hexOf(frame));
    assertEquals([said.sequence, said.sentMicros], [sequence, micros]);
  }));
});

Deno.test("With a key every changed octet is noticed, and a datagram without a tag refused", () => {
  const frame = octetsOf("010ccd0100010011223344558100a00588b8" + "ab".repeat(50));
  const good = pack(frame, KEY);
  for (let at = 0; at < good.length; at += 1) {
    const bad = good.slice();
    bad[at]! ^= 0x40;
    const { drop } = unpack(bad, KEY);
    assert(drop !== DROP.none, `octet ${at}`);
    if (at > 3) assertEquals(drop, DROP.forged);
  }
  assertEquals(unpack(pack(frame), KEY).drop, DROP.unsigned);
  assertEquals(unpack(good, new HmacSha256(new Uint8Array(16))).drop, DROP.forged);
  assertEquals(hexOf(unpack(good).frame), hexOf(frame), "without a key the tag is not looked at");
});

Deno.test("What is cut, of another version, or another format is told apart", () => {
  const good = pack(octetsOf("01".repeat(80)), KEY);
  for (let length = 0; length < V2_HEADER + 14; length += 1) {
    assertEquals(unpack(good.subarray(0, length)).drop, DROP.shortDatagram);
  }
  const other = (at: number, value: number) => {
    const bad = good.slice();
    bad[at] = value;
    return unpack(bad).drop;
  };
  assertEquals([other(0, 0), other(2, 3), other(3, 0x81)], [
    DROP.unknownFormat,
    DROP.unknownVersion,
    DROP.unknownVersion,
  ]);
});

Deno.test("Random datagrams are never taken with a key, and never leave their slot", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (octets) => {
      assert(unpack(octets, KEY).drop !== DROP.none);
      const headed = new Uint8Array(octets.length + 3);
      headed.set([0x47, 0x42, 2]);
      headed.set(octets, 3);
      const { drop, frame } = unpack(headed);
      if (drop === DROP.none) {
        assert(frame.length >= 14 && frame.length <= headed.length - V2_HEADER);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("Only padding is cut: never an extension, never a PRP trailer, never what is not empty", () => {
  const frame = (reserved: string, end: string) => {
    const octets = new Uint8Array(60);
    octets.set(
      octetsOf("010ccd01000100112233445588b8" + "1000000c" + reserved + "0000" + "61021234"),
    );
    octets.set(octetsOf(end), 60 - end.length / 2);
    return octets;
  };
  assertEquals(paddingOf(frame("0000", ""), 0, 60), 34);
  assertEquals(paddingOf(frame("0005", ""), 0, 60), 29);
  assertEquals(paddingOf(frame("0000", "88fb"), 0, 60), 0);
  assertEquals(paddingOf(frame("0000", "01"), 0, 60), 0);
  assertEquals(paddingOf(new Uint8Array(61), 0, 61), 0);
});

Deno.test("The replay window takes each number once, in any order within its width", () => {
  const windows = new ReplayWindows();
  const see = (sequence: number) => windows.see(1, 2, sequence);
  assertEquals([see(100), see(101), see(101), see(100)], [0, 0, 2, 2]);
  assertEquals([see(110), see(105), see(105), see(103)], [0, 1, 2, 1]);
  assertEquals(windows.missing, 6);
  assertEquals(see(99), SEEN.replayed, "what was before the first is not believed");
  assertEquals(see(110 + WINDOW), SEEN.fresh);
  assertEquals([see(110), see(111)], [SEEN.old, SEEN.late]);
  assertEquals(windows.see(1, 3, 100), SEEN.fresh, "another instance has its own");
});

Deno.test("The replay window agrees with a set that forgets nothing", () => {
  const steps = fc.array(fc.integer({ min: -40, max: 60 }), { minLength: 1, maxLength: 200 });
  fc.assert(fc.property(steps, (deltas) => {
    const windows = new ReplayWindows();
    const seen = new Set<number>();
    let newest = 100_000;
    windows.see(0, 0, newest);
    seen.add(newest);
    const first = newest;
    for (const delta of deltas) {
      const sequence = newest + delta;
      const expected = sequence > newest
        ? SEEN.fresh
        : newest - sequence >= WINDOW
        ? SEEN.old
        : sequence < first || seen.has(sequence)
        ? SEEN.replayed
        : SEEN.late;
      assertEquals(windows.see(0, 0, sequence), expected);
      seen.add(sequence);
      newest = Math.max(newest, sequence);
    }
    assertEquals(windows.missing, newest - first + 1 - [...seen].filter((n) => n >= first).length);
  }));
});

Deno.test("The replay windows forget the sender that was silent for longest", () => {
  const windows = new ReplayWindows();
  for (let sender = 0; sender < SENDERS_MAX; sender += 1) windows.see(0, sender, 5);
  windows.see(0, 0, 6);
  windows.see(9, 9, 5);
  assertEquals([windows.senders, windows.evicted], [SENDERS_MAX, 1]);
  assertEquals(windows.see(0, 0, 6), SEEN.replayed);
  assertEquals(windows.see(0, 1, 5), SEEN.fresh, "it was the one");
});

Deno.test("Sequence numbers from 2^53 on are of no sender of this format", () => {
  const good = pack(octetsOf("010ccd010001001122334455" + "88b8" + "00".repeat(46)));
  for (
    const [at, octet, drop] of [
      [17, 0x1f, DROP.none],
      [17, 0x20, DROP.unknownFormat],
      [16, 0x01, DROP.unknownFormat],
      [16, 0xff, DROP.unknownFormat],
    ] as const
  ) {
    const datagram = good.slice();
    datagram[at] = octet;
    assertEquals(unpack(datagram).drop, drop);
  }
});
