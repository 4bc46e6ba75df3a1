import fc from "fast-check";
import { compileSchema, SCHEMA_MAX, type SchemaCheck } from "../../../src/wire/json_schema.ts";
import { assert, assertEquals } from "../../assert.ts";

const DRAFT_7 = "http://json-schema.org/draft-07/schema#";
const DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema";

function check(schema: unknown): SchemaCheck {
  const compiled = compileSchema(schema);
  assert(typeof compiled === "function", "fault" in compiled ? compiled.fault : "");
  return compiled;
}

function fault(schema: unknown): string {
  const compiled = compileSchema(schema);
  assert(typeof compiled !== "function", "no fault");
  assert(!/[\n\r]/.test(compiled.fault), compiled.fault);
  return compiled.fault;
}

Deno.test("What is wrong with a value is told with its place, itself, and what it has to be", () => {
  const cases: readonly (readonly [unknown, unknown, string])[] = [
    [{ type: "object" }, 5, "the value is 5; it has to be of the type object"],
    [{ type: ["string", "null"] }, 5, "the value is 5; it has to be of the type string or null"],
    [{ enum: ["a", 2] }, "x", 'the value is "x"; it has to be one of "a", 2'],
    [{ const: { a: 1 } }, null, 'the value is null; it has to be {"a":1}'],
    [{ type: "integer", minimum: 3 }, 2, "the value is 2; it must be >= 3"],
    [
      { type: "string", minLength: 2 },
      "",
      'the value is ""; it must not have fewer than 2 characters',
    ],
    [{ type: "string", pattern: "^a$" }, "b", 'the value is "b"; it must match pattern "^a$"'],
    [false, {}, "the value is {}; it has to be left out"],
    [
      { type: "array", items: { type: "object", required: ["a/b"] } },
      [{}],
      "/0/a/b is missing; it has to be there",
    ],
    [
      { type: "object", properties: { a: { type: "boolean" } } },
      { a: "x".repeat(99) },
      `/a is "${"x".repeat(39)}; it has to be of the type boolean`,
    ],
    [
      { type: "object", additionalProperties: false },
      { a: [1] },
      "/a is [1]; it has to be left out",
    ],
    [
      { type: "object", unevaluatedProperties: false },
      { a: 1 },
      "/a is 1; it has to be left out",
    ],
    [
      { type: "object", propertyNames: { maxLength: 1, type: "string" } },
      { ab: 1 },
      "/ab is 1; it has to be left out",
    ],
    [
      { if: { type: "string" }, then: { const: "a" } },
      "b",
      'the value is "b"; it has to be "a"',
    ],
    [
      { anyOf: [{ type: "string" }, { type: "null" }] },
      1,
      "the value is 1; it must match a schema in anyOf",
    ],
  ];
  for (const [schema, value, expected] of cases) {
    assertEquals(check(schema)(value), expected);
  }
});

Deno.test("A fault is one line, whatever the names in the value are", () => {
  const text = check({ type: "object", additionalProperties: { type: "null" } })({
    [`a\n\u2028${"b".repeat(999)}`]: 1,
  });
  assert(text !== undefined && text.length <= 240 && /^\/a b+ is 1; it has to/.test(text), text);
});

Deno.test("Both drafts are taken, the newer one where none is named, and no other", () => {
  const pair = { type: "array", minItems: 2, maxItems: 2 };
  const newer = { ...pair, prefixItems: [{ type: "string" }, { type: "number" }], items: false };
  const older = {
    ...pair,
    items: [{ type: "string" }, { type: "number" }],
    additionalItems: false,
    $schema: DRAFT_7,
  };
  for (const schema of [newer, { ...newer, $schema: DRAFT_2020 }, older]) {
    assertEquals(check(schema)(["a", 1]), undefined);
    assertEquals(check(schema)([1, 1]), "/0 is 1; it has to be of the type string");
  }
  assert(fault({ ...older, $schema: DRAFT_2020 }).startsWith("/items is [{"));
  for (const $schema of ["http://json-schema.org/draft-04/schema#", 7, ""]) {
    assertEquals(fault({ $schema }), "$schema has to name the draft 2020-12 or draft-07");
  }
  assertEquals(check(true)(1), undefined);
});

Deno.test("A schema that is wrong, or would not be obeyed, is refused", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{ type: "text" }, "/type is "],
    [
      { $schema: DRAFT_7, type: "object", required: "a" },
      '/required is "a"; it has to be of the type array',
    ],
    [{ typ: "object" }, 'the schema is wrong: unknown keyword: "typ"'],
    [{ properties: { a: true } }, 'the schema is wrong: missing type "object"'],
    [{ type: "string", format: "date-time" }, 'the schema is wrong: unknown format "date-time" in'],
    [{ type: "string", pattern: "(" }, "the schema is wrong: "],
    [{ type: "object", $async: true }, 'the schema is wrong: unknown keyword: "$async"'],
    [null, "the schema is null; it has to be an object, true or false"],
    [[], "the schema is []; it has to be an object, true or false"],
    [undefined, "the schema is no JSON"],
    [{ const: 1n }, "the schema is no JSON: "],
    [{ description: "x".repeat(SCHEMA_MAX) }, `the schema is longer than ${SCHEMA_MAX} characters`],
  ];
  for (const [schema, expected] of cases) {
    const text = fault(schema);
    assert(text.startsWith(expected), text);
  }
});

Deno.test("References stay within their schema; two schemas of one name do not meet", () => {
  const $ref = "http://127.0.0.1:9/other.json";
  assert(fault({ $ref }).startsWith("the schema is wrong: can't resolve reference http://127"));
  assert(fault({ $schema: DRAFT_7, $ref: "#/definitions/a" }).includes("can't resolve"));
  const named = (type: string) => ({
    $id: "urn:schema:one",
    $defs: { a: { type } },
    $ref: "#/$defs/a",
  });
  assertEquals(check(named("string"))("a"), undefined);
  assertEquals(check(named("number"))(1), undefined);
  assert(fault({ $ref: "urn:schema:one" }).includes("can't resolve"));
});

Deno.test("Values as deep as they like are refused, and what objects inherit is no field", () => {
  const tree = check({ type: "array", items: { $ref: "#" } });
  assertEquals(tree([[], [[]]]), undefined);
  assertEquals(
    tree(JSON.parse("[".repeat(60_000) + "]".repeat(60_000))),
    "the value is nested too deeply",
  );
  const inherited = check({ type: "object", required: ["toString"] });
  assertEquals(inherited({}), "/toString is missing; it has to be there");
  assertEquals(check({ type: "null" })(1n), "the value is a bigint; it has to be of the type null");
});

Deno.test("A later change of a schema changes no check that was made of it", () => {
  const schema = { enum: ["a"] };
  const compiled = check(schema);
  schema.enum.push("b");
  assert(compiled("b") !== undefined);
});

Deno.test("Whatever JSON a schema is, and whatever a value is, nothing is thrown", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (schema, value) => {
    const compiled = compileSchema(schema);
    if (typeof compiled === "function") compiled(value);
    else assert(compiled.fault !== "");
  }));
  const words = fc.constantFrom("type", "items", "$ref", "not", "properties", "required", "$id");
  const odd = fc.dictionary(words, fc.oneof(fc.jsonValue(), fc.constantFrom("#", "string", "x:y")));
  fc.assert(fc.property(odd, fc.jsonValue(), (schema, value) => {
    const compiled = compileSchema(schema);
    if (typeof compiled === "function") compiled(value);
  }));
});
