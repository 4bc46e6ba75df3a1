import fc from "fast-check";
import { BugError } from "../../../../src/base/errors.ts";
import {
  apduTree,
  asdu,
  ASDU_MAX,
  asduOctets,
  capacityOf,
  CAUSE,
  decodeAsdu,
  encodeAsdu,
  headerSize,
  mirrored,
  objectOctets,
  objectOf,
  type Profile,
  PROFILE_104,
  readApdu,
  readTimeTag,
  TYPE,
  TYPE_SPECS,
  typeSpec,
} from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import vectors from "../../../vectors/iec104/apdus.json" with { type: "json" };
import { ANY, anyAsdu, KINDS, PROFILES } from "./arbitrary.ts";

function octetsOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

for (const { name, hex, reads } of vectors) {
  Deno.test(`APDU reads and writes: ${name}`, () => {
    const octets = octetsOf(hex);
    const reading = readApdu(octets, 0, PROFILE_104);
    assertEquals([reading.malformed, reading.size], [undefined, octets.length]);
    assertEquals(apduTree(reading).slice(1).map((line) => line.trim()), reads);
    assertEquals(asduOctets(reading.asdu!), octets.slice(6));
  });
}

Deno.test("Every type of the profile is there, with the sizes of the standard", () => {
  const types = TYPE_SPECS.map(({ type }) => type);
  const wanted = [
    [1, 21],
    [30, 41],
    [45, 51],
    [58, 64],
    [70, 70],
    [100, 107],
    [110, 113],
    [120, 127],
  ].flatMap(([from, to]) => Array.from({ length: to! - from! + 1 }, (_, index) => from! + index));
  assertEquals(types, wanted);
  assertEquals(new Set(TYPE_SPECS.map(({ kind }) => kind as string)), new Set(KINDS));
  const size = (type: number) => typeSpec(type)!.size;
  assertEquals([1, 3, 5, 7, 9, 11, 13, 15, 20, 21].map(size), [1, 1, 2, 5, 3, 3, 5, 5, 5, 2]);
  assertEquals([2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19].map(size), [
    4,
    4,
    5,
    8,
    6,
    6,
    8,
    8,
    6,
    7,
    7,
  ]);
  assertEquals([30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41].map(size), [
    8,
    8,
    9,
    12,
    10,
    10,
    12,
    12,
    10,
    11,
    11,
    14,
  ]);
  assertEquals([45, 46, 47, 48, 49, 50, 51].map(size), [1, 1, 1, 3, 3, 5, 4]);
  assertEquals([58, 59, 60, 61, 62, 63, 64].map(size), [8, 8, 8, 10, 10, 12, 11]);
  assertEquals([70, 100, 101, 102, 103, 104, 105, 106, 107].map(size), [
    1,
    1,
    1,
    0,
    7,
    2,
    1,
    2,
    9,
  ]);
  assertEquals([110, 111, 112, 113].map(size), [3, 3, 5, 1]);
  assertEquals([120, 121, 122, 123, 124, 125, 126, 127].map(size), [6, 7, 4, 5, 4, 4, 13, 16]);
});

Deno.test("As many objects fit as the standard's lengths allow", () => {
  const both = (type: number) => [capacityOf(type, false), capacityOf(type, true)];
  assertEquals([1, 3, 5, 7, 9, 11, 13, 15, 20, 21].map(both), [
    [60, 127],
    [60, 127],
    [48, 120],
    [30, 48],
    [40, 80],
    [40, 80],
    [30, 48],
    [30, 48],
    [30, 48],
    [48, 120],
  ]);
  assertEquals([30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41].map((type) => both(type)[0]), [
    22,
    22,
    20,
    16,
    18,
    18,
    16,
    16,
    18,
    17,
    17,
    14,
  ]);
  assertEquals(both(TYPE.F_DR_TA_1), [15, 18]);
  assertEquals([both(TYPE.C_SC_NA_1), both(200)], [[1, 1], [1, 1]]);
  // A full ASDU can be written, one more cannot.
  for (const spec of TYPE_SPECS.filter(({ many }) => many)) {
    const tag = spec.timeSize === 0 ? undefined : readTimeTag(new Uint8Array(7), 0, 7);
    const object = (address: number) => spec.codec.read(new Uint8Array(16), 0, address, tag);
    for (const sequence of spec.sequence ? [false, true] : [false]) {
      const most = capacityOf(spec.type, sequence);
      const full = (count: number) =>
        asdu({
          type: spec.type,
          cause: CAUSE.spontaneous,
          commonAddress: 1,
          sequence,
          objects: Array.from({ length: count }, (_, index) => object(100 + index)),
        });
      assert(asduOctets(full(most)).length <= ASDU_MAX);
      if (most < 127) assertThrows(() => asduOctets(full(most + 1)), "iec104.asdu.range");
    }
  }
});

function assertThrows(action: () => unknown, code: string): void {
  try {
    action();
  } catch (error) {
    assert(error instanceof BugError, String(error));
    assertEquals(error.code, code);
    return;
  }
  throw new Error(`Nothing was thrown in place of ${code}`);
}

Deno.test("Any ASDU of any type in any profile comes back as it was", () => {
  fc.assert(
    fc.property(ANY, ({ asdu, profile }) => {
      assertEquals(decodeAsdu(asduOctets(asdu, profile), profile), asdu);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("Each type comes back, so that none is missed by chance", () => {
  for (const spec of TYPE_SPECS) {
    fc.assert(
      fc.property(anyAsdu(spec, PROFILE_104), (asdu) => {
        assertEquals(decodeAsdu(asduOctets(asdu)), asdu);
        const [object] = asdu.objects;
        if (spec.variable) return;
        assertEquals(
          objectOf(spec.type, object!.address, objectOctets(spec.type, object!)),
          object,
        );
      }),
      { numRuns: 40 },
    );
  }
});

Deno.test("What can be read of any octets is written so that it is read the same", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 260 }),
      fc.constantFrom(...TYPE_SPECS),
      fc.constantFrom(...PROFILES),
      (octets, { type }, profile) => {
        if (octets.length > 0) octets[0] = type;
        const first = decodeAsdu(octets, profile);
        if ("kind" in first) return;
        if (octets.length > ASDU_MAX) return;
        const second = decodeAsdu(asduOctets(first, profile), profile);
        assertEquals(second, first);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("A decoder is total: every type, every length, every count, SQ both", () => {
  const seen = new Set<string>();
  for (let type = 0; type < 256; type += 1) {
    for (let length = 0; length <= 40; length += 1) {
      for (const structure of [0, 1, 2, 3, 127, 0x80, 0x81, 0x82, 0xff]) {
        const octets = new Uint8Array(length).fill(0xff);
        octets[0] = type;
        octets[1] = structure;
        const read = decodeAsdu(octets);
        if (!("kind" in read)) continue;
        seen.add(read.code);
        assert(read.offset >= 0 && read.offset <= length, `${type} ${length} ${read.offset}`);
      }
    }
  }
  assertEquals([...seen].sort(), [
    "iec104.asdu.address",
    "iec104.asdu.count",
    "iec104.asdu.long",
    "iec104.asdu.sequence",
    "iec104.asdu.short",
  ]);
});

for (
  const [what, hex, code, offset] of [
    ["nothing", "", "short", 0],
    ["half a header", "01 01 03 00 01", "short", 5],
    ["an object cut", "01 01 03 00 01 00 e9 03 00", "short", 9],
    ["an octet too many", "01 01 03 00 01 00 e9 03 00 01 00", "long", 10],
    ["no objects", "01 00 03 00 01 00", "count", 3],
    ["more objects than octets", "01 7f 03 00 01 00 e9 03 00 01", "short", 10],
    ["a sequence without its base", "01 81 03 00 01 00", "short", 6],
    ["a sequence beyond the last address", "01 82 03 00 01 00 ff ff ff 01 00", "address", 6],
    ["two commands in one", "2d 02 06 00 01 00 01 00 00 81 02 00 00 81", "count", 6],
    ["a sequence of commands", "2d 81 06 00 01 00 01 00 00 81", "sequence", 6],
    ["a test command without its counter", "6b 01 06 00 01 00 00 00 00", "short", 9],
    [
      "a segment longer than it says",
      "7d 01 0d 00 01 00 01 00 00 01 00 01 02 aa bb cc",
      "long",
      15,
    ],
    [
      "a segment shorter than it says",
      "7d 01 0d 00 01 00 01 00 00 01 00 01 04 aa bb cc",
      "short",
      16,
    ],
    ["a security counter cut", "29 01 03 00 01 00 01 00 00 01 00 05 00 00 00", "short", 15],
  ] as const
) {
  Deno.test(`Malformed: ${what}`, () => {
    assertEquals(decodeAsdu(octetsOf(hex)), {
      kind: "malformed",
      code: `iec104.asdu.${code}`,
      offset,
    });
  });
}

Deno.test("Types that are not known are passed on as octets", () => {
  for (
    const hex of ["87 05 03 00 01 00 11 22 33 44", "51 80 03 02 01 00", "00 01 03 00 01 00 ff"]
  ) {
    const octets = octetsOf(hex);
    const read = decodeAsdu(octets);
    assert(!("kind" in read));
    assertEquals(asduOctets(read), octets);
    const answer = mirrored(read, CAUSE.unknownType, true);
    assertEquals(asduOctets(answer)[2], 0x40 | 44);
    assertEquals(asduOctets(answer).slice(3), octets.slice(3));
  }
});

Deno.test("What does not fit its field is refused, not cut", () => {
  const single = { kind: "single", address: 1, on: true, quality: 0 } as const;
  const good = asdu({ type: TYPE.M_SP_NA_1, cause: 3, commonAddress: 1, objects: [single] });
  const small: Profile = { causeSize: 1, commonAddressSize: 1, objectAddressSize: 1 };
  const refused = (fields: object, profile = PROFILE_104) =>
    assertThrows(() => asduOctets({ ...good, ...fields }, profile), "iec104.asdu.range");
  refused({ cause: 64 });
  refused({ originator: 256 });
  refused({ commonAddress: 65_536 });
  refused({ commonAddress: 256 }, small);
  refused({ objects: [{ ...single, address: 2 ** 24 }] });
  refused({ objects: [{ ...single, address: 256 }] }, small);
  refused({ objects: [] });
  refused({ objects: [{ kind: "double", address: 1, state: 1, quality: 0 }] });
  refused({ type: TYPE.M_SP_TB_1 });
  refused({ sequence: true, objects: [single, { ...single, address: 3 }] });
  refused({ type: 200 });
  const step = { kind: "step", address: 1, value: 64, transient: false, quality: 0 } as const;
  assertThrows(
    () => asduOctets({ ...good, type: TYPE.M_ST_NA_1, objects: [step] }),
    "iec104.element.range",
  );
  const octets = new Uint8Array(ASDU_MAX);
  assertEquals(encodeAsdu(good, small, octets), headerSize(small) + 2);
});

Deno.test("A double command's states are those of the standard: 1 off, 2 on", () => {
  const read = decodeAsdu(octetsOf("2e 01 06 00 01 00 01 00 00 02"));
  assert(!("kind" in read));
  const [object] = read.objects;
  assert(object?.kind === "double_command");
  assertEquals(object.state, 2);
  assert(apduTree({ size: 0, asdu: read }).some((line) => line.includes("execute  on")));
});
