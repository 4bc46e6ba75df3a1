/**
 * JSON Schema, of 2020-12 and draft 7; the only file that imports Ajv.
 *
 * Schemas come from the operator, and so do the patterns in them; values come from anybody. Strict:
 * a keyword or format that nobody would look at, or a pattern for what need not be a text, makes a
 * schema wrong, for it would let pass what its author believes to be refused. Nothing is fetched: a
 * `$ref` stays within its schema.
 * @module
 */
import { Ajv, type ErrorObject, type Options } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";

/** Longest schema, in characters of JSON. */
export const SCHEMA_MAX = 65_536;

/** Tries a value. @returns What is wrong with it first, in one line; undefined when nothing is. */
export type SchemaCheck = (value: unknown) => string | undefined;

/**
 * Makes a check of a schema. One that does not name its draft is of 2020-12.
 * @returns A fault, for people, when the schema is wrong itself.
 */
export function compileSchema(schema: unknown): SchemaCheck | { readonly fault: string } {
  const plain = plainOf(schema);
  if ("fault" in plain) return plain;
  const draft = draftOf(plain.schema);
  if (draft === undefined) return { fault: "$schema has to name the draft 2020-12 or draft-07" };
  try {
    const meta = metaOf(draft);
    if (meta.validateSchema(plain.schema) !== true) {
      return { fault: told(meta.errors ?? []).replace(/^the value /, "the schema ") };
    }
    // An own one for each schema, so that none can be referred to from another one.
    const ajv = new DRAFTS[draft](OPTIONS);
    ajv.removeKeyword("$async");
    const validate = ajv.compile(plain.schema);
    return (value) => {
      try {
        return validate(value) ? undefined : told(validate.errors ?? []);
      } catch (error) {
        // A schema that refers to itself goes as deep as the value does.
        if (error instanceof RangeError) return "the value is nested too deeply";
        throw error;
      }
    };
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

const SHOWN_MAX = 40;
const TEXT_MAX = 240;

const OPTIONS: Options = {
  strict: true,
  // "One of these two has to be there" has no properties beside it.
  strictRequired: false,
  allowUnionTypes: true,
  // What every object inherits is no field of a message.
  ownProperties: true,
  // Or code would grow with the square of the schema.
  inlineRefs: false,
  verbose: true,
  logger: false,
  meta: false,
  validateSchema: false,
};

type Draft = "2020-12" | "draft-07";
type PlainSchema = boolean | Readonly<Record<string, unknown>>;

const DRAFTS = { "2020-12": Ajv2020, "draft-07": Ajv };
const ADDRESSES: ReadonlyMap<string, Draft> = new Map([
  ["https://json-schema.org/draft/2020-12/schema", "2020-12"],
  ["http://json-schema.org/draft-07/schema", "draft-07"],
]);
const METAS = new Map<Draft, Ajv | Ajv2020>();

/** Knows what schemas of a draft look like, which takes long to learn. */
function metaOf(draft: Draft): Ajv | Ajv2020 {
  const known = METAS.get(draft);
  if (known) return known;
  const meta = new DRAFTS[draft]({ verbose: true, ownProperties: true, logger: false });
  METAS.set(draft, meta);
  return meta;
}

function draftOf(schema: PlainSchema): Draft | undefined {
  const named = typeof schema === "boolean" ? undefined : schema.$schema;
  if (named === undefined) return "2020-12";
  return typeof named === "string" ? ADDRESSES.get(named.replace(/#$/, "")) : undefined;
}

/** A copy, so that it stays what it is now. */
function plainOf(schema: unknown): { schema: PlainSchema } | { fault: string } {
  try {
    const text: string | undefined = JSON.stringify(schema);
    if (text === undefined) return { fault: "the schema is no JSON" };
    if (text.length > SCHEMA_MAX) {
      return { fault: `the schema is longer than ${SCHEMA_MAX} characters` };
    }
    const plain: unknown = JSON.parse(text);
    if (typeof plain === "boolean") return { schema: plain };
    if (typeof plain === "object" && plain !== null && !Array.isArray(plain)) {
      return { schema: plain as Record<string, unknown> };
    }
    return { fault: `the schema is ${shown(plain)}; it has to be an object, true or false` };
  } catch (error) {
    return { fault: oneLine(`the schema is no JSON: ${messageOf(error)}`) };
  }
}

function faultOf(error: unknown): string {
  const message = messageOf(error).replace(/^strict mode: /, "").replace(" ignored in", " in");
  return oneLine(`the schema is wrong: ${message}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Of a condition, what it demands tells more than that it does not hold. */
function told(errors: readonly ErrorObject[]): string {
  const error = errors.findLast(({ keyword }) => keyword !== "if") ?? errors.at(-1);
  if (!error) return "the value is wrong";
  const { instancePath, keyword, params, data, message = "" } = error;
  if (typeof params.missingProperty === "string") {
    return line(`${instancePath}/${params.missingProperty}`, "is missing", "it has to be there");
  }
  const extra = params.additionalProperty ?? params.unevaluatedProperty ?? params.propertyName;
  if (typeof extra === "string") {
    const value = (data as Record<string, unknown>)[extra];
    return line(`${instancePath}/${extra}`, `is ${shown(value)}`, "it has to be left out");
  }
  return line(instancePath, `is ${shown(data)}`, demandOf(keyword, params, message));
}

function demandOf(keyword: string, params: ErrorObject["params"], message: string): string {
  switch (keyword) {
    case "type":
      return `it has to be of the type ${String(params.type).replaceAll(",", " or ")}`;
    case "enum": {
      const allowed: readonly unknown[] = params.allowedValues;
      return `it has to be one of ${allowed.map((value) => JSON.stringify(value)).join(", ")}`;
    }
    case "const":
      return `it has to be ${JSON.stringify(params.allowedValue)}`;
    case "false schema":
      return "it has to be left out";
    default:
      return `it ${message.replace("must NOT", "must not")}`;
  }
}

function line(path: string, found: string, demand: string): string {
  const place = path === "" ? "the value" : path.slice(0, TEXT_MAX / 2);
  return oneLine(`${place} ${found}; ${demand}`);
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").slice(0, TEXT_MAX).toWellFormed();
}

function shown(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? typeof value).slice(0, SHOWN_MAX);
  } catch (error) {
    // No JSON: a bigint, or an object that holds itself.
    if (error instanceof TypeError || error instanceof RangeError) return `a ${typeof value}`;
    throw error;
  }
}
