import fc from "fast-check";
import {
  type Data,
  formatTime,
  formatValues,
  parseValues,
  shown,
  timeFlags,
  utcTimeOf,
} from "../../../../src/protocol/goose/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 250);

Deno.test("Values are written as they were read", () => {
  for (
    const text of [
      "",
      "bool:true,int:-5,uint:18446744073709551615,float:1.5,double:-1e-7",
      'string:"a,b}",utf8:"日本",bits:0110,octets:0aff,binary_time:5,binary_time:5/6',
      "{bool:true,[int:1,int:2],{}},[]",
      "utc_time:2026-01-02T03:04:05.250000Z,boolean_array:1,real:09,bcd:12,object_id:2a",
    ]
  ) {
    const values = parseValues(text, NOW);
    assert(Array.isArray(values), Deno.inspect(values));
    assertEquals(formatValues(values), text);
  }
});

Deno.test("Values have short forms", () => {
  const values = parseValues(" dbpos:on , quality:good,uint:0x10,string:abc,utc_time:now", NOW);
  assertEquals(
    formatValues(values as Data[]),
    'bits:10,bits:0000000000000,uint:16,string:"abc",utc_time:2026-01-02T03:04:05.250000Z',
  );
});

for (
  const [text, why, at] of [
    ["true", "expected a type and a colon, such as bool:true", 0],
    ["bool:1", "bool:1 is not a value", 0],
    ["bool:true,int:x", "int:x is not a value", 10],
    ["int:9223372036854775808", "int:9223372036854775808 is not a value", 0],
    ["uint:-1", "uint:-1 is not a value", 0],
    ["bits:012", "bits:012 is not a value", 0],
    ["octets:abc", "octets:abc is not a value", 0],
    ["dbpos:maybe", "dbpos:maybe is not a value", 0],
    ["colour:red", "colour:red is not a value", 0],
    ["string:日", "string:日 is not a value", 0],
    ['string:"a', "text without its closing quotation mark", 7],
    ["{bool:true", "expected , or }", 10],
    ["bool:true]", "expected ,", 9],
    ["bool:true,", "expected a type and a colon, such as bool:true", 10],
    ["[[[[[[[[[]]]]]]]]]", "deeper than 8 levels", 8],
  ] as const
) {
  Deno.test(`Values are refused with a reason: ${text}`, () => {
    assertEquals(parseValues(text, NOW), { kind: "wrong", why, at });
  });
}

Deno.test("More values than a message may have are refused", () => {
  const error = parseValues(Array(513).fill("bool:true").join(), NOW);
  assert(!Array.isArray(error));
  assertEquals(error.why, "more than 512 values");
});

Deno.test("Parser of values returns whatever the text is", () => {
  const signs = fc.string({ unit: fc.constantFrom(..."bool:tr{}[],\"\\u0 'ints19-") });
  fc.assert(
    fc.property(fc.oneof(signs, fc.string()), (text) => {
      parseValues(text, NOW);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("Texts of a peer cannot move the cursor", () => {
  assertEquals(shown("IED1/LLN0$GO$g"), "IED1/LLN0$GO$g");
  assertEquals(shown("a\x1b[2J\x9b"), '"a\\u001b[2J\\u009b"');
  assertEquals(formatValues([{ kind: "utf8", text: "\u202e\n" }]), 'utf8:"\\u202e\\n"');
});

Deno.test("Time is shown to the microsecond, with what its quality says", () => {
  assertEquals(formatTime(utcTimeOf(NOW)), "2026-01-02T03:04:05.250000Z");
  const last = { seconds: 0xffff_ffff, fraction: 0xff_ffff, quality: 0x60 };
  assertEquals(formatTime(last), "2106-02-07T06:28:16.000000Z");
  assertEquals(timeFlags(last), ["clock failure", "clock not synchronized"]);
  assertEquals(timeFlags(utcTimeOf(NOW)), []);
});
