import fc from "fast-check";
import { type JsonLine, JsonLineReader, LINE_MAX } from "../../../src/wire/json_lines.ts";
import { assert, assertEquals } from "../../assert.ts";

function readAll(text: string, step = Infinity): JsonLine[] {
  const octets = new TextEncoder().encode(text);
  const reader = new JsonLineReader();
  const found: JsonLine[] = [];
  for (let at = 0; at < octets.length; at += step) {
    reader.feed(octets.subarray(at, Math.min(octets.length, at + step)));
    for (let next = reader.next(); next; next = reader.next()) {
      found.push(next);
      if (next.kind === "too_long") return found;
    }
  }
  return found;
}

Deno.test("JsonLineReader reads objects however they are cut, and skips empty lines", () => {
  const text = '{"a":1}\r\n\n{"b":"ü"}\n{"c":';
  for (let step = 1; step < 30; step += 1) {
    assertEquals(readAll(text, step), [
      { kind: "object", value: { a: 1 } },
      { kind: "object", value: { b: "ü" } },
    ]);
  }
});

Deno.test("JsonLineReader tells what is no JSON from what is no object", () => {
  const kinds = readAll('{,}\n[1]\n"x"\nnull\n{}\n').map((line) =>
    line.kind === "malformed" ? line.message : line.kind
  );
  const none = "Line is not a JSON object";
  assertEquals(kinds, ["Line is not JSON", none, none, none, "object"]);
});

Deno.test("JsonLineReader needs no line feed between objects, and takes them over lines", () => {
  const text = '{"a":"}{\\"\\\\"}{"b":{"c":[{}]}} \t{\n "d": 1\n}\n';
  for (let step = 1; step < 40; step += 1) {
    assertEquals(readAll(text, step), [
      { kind: "object", value: { a: '}{"\\' } },
      { kind: "object", value: { b: { c: [{}] } } },
      { kind: "object", value: { d: 1 } },
    ]);
  }
});

Deno.test("JsonLineReader finds its way again behind a text that was never ended", () => {
  const kinds = readAll('{"a": "x\n{"b":1}\n').map(({ kind }) => kind);
  assertEquals(kinds, ["malformed", "object"]);
});

Deno.test("JsonLineReader gives up a line that is too long, with and without an end", () => {
  const long = `{"a":"${"x".repeat(LINE_MAX)}"}`;
  for (const text of [long, `${long}\n`]) {
    assertEquals(readAll(text, 4096), [{ kind: "too_long" }]);
  }
  const longest = `{"a":"${"x".repeat(LINE_MAX - 8)}"}`;
  assertEquals(readAll(`${longest}\n`)[0]!.kind, "object");
});

Deno.test("JsonLineReader survives whatever comes", () => {
  const text = fc.array(fc.oneof(fc.json(), fc.string({ unit: "binary" })), { maxLength: 10 });
  fc.assert(fc.property(text, fc.integer({ min: 1, max: 64 }), (lines, step) => {
    for (const { kind } of readAll(lines.join("\n"), step)) assert(kind !== "too_long");
  }));
});
