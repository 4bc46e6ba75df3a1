import fc from "fast-check";
import {
  ApduReader,
  asdu,
  asduOctets,
  controlFieldAt,
  hasStrayBits,
  PROFILE_104,
  readApdu,
  TYPE,
  writeI,
  writeS,
  writeU,
} from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex } from "../../../hex.ts";

/** What a reader makes of a stream that comes in these chunks. */
function cut(chunks: readonly Uint8Array[]): { apdus: Uint8Array[]; fault: string | undefined } {
  const reader = new ApduReader();
  const apdus: Uint8Array[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    for (;;) {
      const got = reader.next();
      if (got === "more") break;
      if (got !== "apdu") return { apdus, fault: got.code };
      apdus.push(reader.octets.slice(reader.start, reader.end));
    }
  }
  return { apdus, fault: undefined };
}

function iFrame(number: number, address: number): Uint8Array {
  const body = asduOctets(asdu({
    type: TYPE.M_SP_NA_1,
    cause: 3,
    commonAddress: 1,
    objects: [{ kind: "single", address, on: true, quality: 0 }],
  }));
  const octets = new Uint8Array(6 + body.length);
  writeI(octets, 0, number, 0, body.length);
  octets.set(body, 6);
  return octets;
}

Deno.test("APDUs are the same however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("i", "s", "u"), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 40 }),
      (kinds, sizes) => {
        const frames = kinds.map((kind, index) => {
          if (kind === "i") return iFrame(index, index);
          const octets = new Uint8Array(6);
          if (kind === "s") writeS(octets, 0, index);
          else writeU(octets, 0, 0x43);
          return octets;
        });
        const stream = Uint8Array.from(frames.flatMap((frame) => [...frame]));
        const chunks: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length]!;
          chunks.push(stream.slice(at, at + size));
          at += size;
        }
        assertEquals(cut(chunks), { apdus: frames, fault: undefined });
      },
    ),
  );
});

Deno.test("Every third octet with every length is one of the seven forms, or the end", () => {
  for (let third = 0; third < 256; third += 1) {
    for (let length = 0; length < 256; length += 1) {
      const octets = new Uint8Array(2 + length);
      octets.set([0x68, length, third].slice(0, octets.length));
      const { apdus, fault } = cut([octets, new Uint8Array(6)]);
      const form = (third & 1) === 0 ? "i" : third === 1 ? "s" : "u";
      const known = form !== "u" || [0x07, 0x0b, 0x13, 0x23, 0x43, 0x83].includes(third);
      const fits = form === "i" ? length > 4 && length <= 253 : length === 4;
      assertEquals(apdus.length, known && fits ? 1 : 0, `${third} ${length}`);
      // What follows is no start octet.
      assert(fault !== undefined);
    }
  }
});

Deno.test("A wrong first octet is told at once", () => {
  assertEquals(cut([fromHex("69")]), { apdus: [], fault: "iec104.apci.start" });
  assertEquals(cut([fromHex("68"), fromHex("03")]).fault, "iec104.apci.length");
  assertEquals(cut([fromHex("68 fe")]).fault, "iec104.apci.length");
  assertEquals(cut([fromHex("68 04 43 00 00 00 16")]).fault, "iec104.apci.start");
  assertEquals(
    cut([fromHex("68 04 43 00 00 00"), fromHex("68"), fromHex("04 0f 00 00 00")]).fault,
    "iec104.apci.function",
  );
});

Deno.test("Numbers of 15 bits stand in two octets", () => {
  fc.assert(fc.property(fc.nat(32_767), fc.nat(32_767), (sendNumber, receiveNumber) => {
    const octets = new Uint8Array(6);
    writeI(octets, 0, sendNumber, receiveNumber, 10);
    assertEquals(controlFieldAt(octets, 0), { kind: "i", sendNumber, receiveNumber });
    assertEquals(hasStrayBits(octets, 0), false);
    writeS(octets, 0, receiveNumber);
    assertEquals(controlFieldAt(octets, 0), { kind: "s", receiveNumber });
    assertEquals(hasStrayBits(octets, 0), false);
  }));
});

Deno.test("Bits that shall be zero and are not are seen", () => {
  for (
    const hex of [
      "68 04 43 01 00 00",
      "68 04 43 00 00 01",
      "68 04 01 01 00 00",
      "68 0e 00 00 01 00",
    ]
  ) {
    assertEquals(hasStrayBits(fromHex(hex), 0), true, hex);
  }
});

Deno.test("A reading tells how far it came", () => {
  assertEquals(readApdu(fromHex("68 04"), 0, PROFILE_104).malformed?.code, "iec104.apci.short");
  assertEquals(readApdu(fromHex("68 0e 00 00 00 00 01"), 0, PROFILE_104).malformed, {
    kind: "malformed",
    code: "iec104.apci.short",
    offset: 7,
  });
  assertEquals(readApdu(fromHex("68 05 00 00 00 00 01"), 0, PROFILE_104).malformed, {
    kind: "malformed",
    code: "iec104.asdu.short",
    offset: 7,
  });
});
