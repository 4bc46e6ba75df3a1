import fc from "fast-check";
import { BerWriter, readInteger, readTlv, readUint32 } from "../../../src/wire/ber.ts";
import { assert, assertEquals } from "../../assert.ts";
import { fromHex, toHex } from "../../hex.ts";

function integer(value: number | bigint, least?: number): string {
  const writer = new BerWriter();
  writer.integer(0x85, value, least);
  return toHex(writer.finish());
}

Deno.test("Integer takes as few octets as its sign allows. X.690 8.3.2", () => {
  const cases: readonly [number | bigint, string][] = [
    [0, "85 01 00"],
    [127, "85 01 7f"],
    [128, "85 02 00 80"],
    [-1, "85 01 ff"],
    [-128, "85 01 80"],
    [-129, "85 02 ff 7f"],
    [0xffff_ffff, "85 05 00 ff ff ff ff"],
    [2n ** 63n - 1n, "85 08 7f ff ff ff ff ff ff ff"],
    [2n ** 64n - 1n, "85 09 00 ff ff ff ff ff ff ff ff"],
  ];
  for (const [value, hex] of cases) assertEquals(integer(value), hex);
});

Deno.test("Integer of a least size is filled up by its sign", () => {
  assertEquals(integer(5, 5), "85 05 00 00 00 00 05");
  assertEquals(integer(-5, 5), "85 05 ff ff ff ff fb");
  assertEquals(integer(2n ** 40n, 5), "85 06 01 00 00 00 00 00");
});

Deno.test("Integer comes back as it was written", () => {
  fc.assert(
    fc.property(
      fc.bigInt(-(2n ** 71n), 2n ** 71n - 1n),
      fc.integer({ min: 1, max: 9 }),
      (value, least) => {
        const octets = fromHex(integer(value, least));
        assert(octets[1]! >= least);
        assertEquals(BigInt(readInteger(octets, 2, octets.length, true)!), value);
      },
    ),
  );
});

Deno.test("Number of 32 bits is read in any width, and refused beyond", () => {
  const read = (hex: string) => {
    const octets = fromHex(hex);
    return readUint32(octets, 0, octets.length);
  };
  assertEquals([read("05"), read("00 00 00 00 05"), read("ff ff ff ff"), read("80")], [
    5,
    5,
    0xffff_ffff,
    128,
  ]);
  assertEquals([read(""), read("01 00 00 00 00"), read("00 00 00 00 00 05")], [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("Element has the shortest length, and comes back by its bounds", () => {
  for (
    const [size, head] of [
      [0, "04 00"],
      [127, "04 7f"],
      [128, "04 81 80"],
      [255, "04 81 ff"],
      [256, "04 82 01 00"],
      [65_535, "04 82 ff ff"],
    ] as const
  ) {
    const writer = new BerWriter();
    writer.element(4, new Uint8Array(size));
    const octets = writer.finish();
    assertEquals(toHex(octets.subarray(0, octets.length - size)), head);
    const element = readTlv(octets, 0, octets.length);
    assertEquals(element, {
      kind: "tlv",
      tag: 4,
      at: 0,
      start: octets.length - size,
      end: octets.length,
    });
    const cut = readTlv(octets, 0, octets.length - 1);
    assertEquals(cut.kind, "malformed");
  }
});

Deno.test("Element reader stays within its bounds, whatever the octets are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), fc.nat(12), fc.nat(12), (octets, a, b) => {
      const end = Math.min(octets.length, b);
      const element = readTlv(octets, a, end);
      if (element.kind === "malformed") return;
      assert(element.at < element.start && element.start <= element.end && element.end <= end);
    }),
  );
});
