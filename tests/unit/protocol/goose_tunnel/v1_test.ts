import fc from "fast-check";
import {
  decapsulateV1,
  DROP,
  encapsulateV1,
  type Frames,
  V1_HEADER,
  V1_HEADROOM,
} from "../../../../src/protocol/goose_tunnel/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import vectors from "../../../vectors/goose_tunnel/v1.json" with { type: "json" };

const HALF = 2 ** 32;

/** One slot with octets around it that must not be touched. */
function slot(hex: string, headroom: number): Frames & { readonly octets: Uint8Array } {
  const octets = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const room = new Uint8Array(headroom + octets.length + 8).fill(0xee);
  room.set(octets, headroom);
  return {
    octets: room,
    start: Int32Array.of(headroom),
    length: Int32Array.of(octets.length),
  };
}

function text({ octets, start, length }: Frames): string {
  const part = octets.subarray(start[0], start[0]! + length[0]!);
  return Array.from(part, (octet) => octet.toString(16).padStart(2, "0")).join("");
}

function encapsulate(frame: string, micros: number, any = false) {
  const frames = slot(frame, V1_HEADROOM + 2);
  const kind = any ? "any" : "goose";
  const drop = encapsulateV1(frames, 0, Math.floor(micros / HALF), micros % HALF, kind);
  return { drop, frames };
}

for (const { name, direction, frame, datagram, micros } of vectors.carried) {
  Deno.test(`Wire format 1: ${name}`, () => {
    if (direction !== "decapsulate") {
      const { drop, frames } = encapsulate(frame, Number(micros));
      assertEquals([drop, text(frames)], [DROP.none, datagram]);
      assertEquals([...frames.octets.subarray(0, 2)], [0xee, 0xee], "octets in front");
    }
    if (direction !== "encapsulate") {
      const frames = slot(datagram, 0);
      assertEquals([decapsulateV1(frames, 0), text(frames)], [DROP.none, frame]);
      assertEquals([...frames.octets.subarray(-8)], Array(8).fill(0xee), "octets behind");
    }
  });
}

for (const { name, frame, drop } of vectors.dropped) {
  Deno.test(`Wire format 1 drops ${name}, and leaves it as it was`, () => {
    const result = encapsulate(frame, 0);
    assertEquals(result.drop, DROP[drop as keyof typeof DROP]);
    assertEquals(text(result.frames), frame);
    if (drop === "destination") assertEquals(encapsulate(frame, 0, true).drop, DROP.none);
  });
}

Deno.test("A datagram shorter than the header is dropped", () => {
  for (let length = 0; length < V1_HEADER; length += 1) {
    const frames = slot("00".repeat(length), 0);
    assertEquals(decapsulateV1(frames, 0), DROP.shortDatagram);
    assertEquals(frames.length[0], length);
  }
});

Deno.test("What comes out at the far end is what went in, but for destination and priority", () => {
  const frame = fc.record({
    to: fc.uint8Array({ minLength: 2, maxLength: 2 }).map(([high, low]) => [high! & 1, low!]),
    source: fc.uint8Array({ minLength: 6, maxLength: 6 }),
    tag: fc.option(fc.uint8Array({ minLength: 2, maxLength: 2 })),
    payload: fc.uint8Array({ maxLength: 1500 }),
    micros: fc.maxSafeNat(),
  });
  fc.assert(fc.property(frame, ({ to, source, tag, payload, micros }) => {
    const hex = (octets: ArrayLike<number>) =>
      Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
    const behind = `88b8${hex(payload)}`;
    const tagged = tag === null ? "" : `8100${hex(tag)}`;
    const { frames, drop } = encapsulate(
      `010ccd01${hex(to)}${hex(source)}${tagged}${behind}`,
      micros,
    );
    assertEquals(drop, DROP.none);
    const far = slot(text(frames), 0);
    assertEquals(decapsulateV1(far, 0), DROP.none);
    const vlan = tag === null ? "" : `8100${hex([0x80 | (tag[0]! & 0x0f), tag[1]!])}`;
    assertEquals(text(far), `010ccd010001${hex(source)}${vlan}${behind}`);
  }));
});

Deno.test("Random octets never leave their slot, in either direction", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
      const hex = Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
      const up = encapsulate(hex, 1, true).frames;
      const down = slot(hex, 0);
      decapsulateV1(down, 0);
      for (const { octets: room, start, length } of [up, down]) {
        assert(start[0]! >= 0 && start[0]! + length[0]! <= room.length - 8);
        assertEquals([...room.subarray(-8)], Array(8).fill(0xee));
      }
    }),
    { numRuns: 2000 },
  );
});
