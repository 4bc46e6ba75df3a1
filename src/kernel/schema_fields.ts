/**
 * What a schema says about its fields, for messages, the sample, the reference and the redaction.
 * @module
 */
import { type FieldMeta, type Schema, z } from "./schema.ts";

/** One key of a section. */
export interface Field {
  /** As in the YAML. */
  readonly key: string;
  /** How the value is written: `duration`, `1…65535`. */
  readonly kind: string;
  /** The sentence. */
  readonly description: string;
  readonly secret: boolean;
  readonly required: boolean;
  /** Whether nothing stands in its place when it is left out. */
  readonly optional: boolean;
  /** As it would be written; undefined when there is none. */
  readonly default: unknown;
  readonly example: unknown;
  /** Whether the sample has it, though it may be left out. */
  readonly sample: boolean;
  /** What a text from the environment has to be turned into. */
  readonly scalar: "text" | "number" | "boolean" | undefined;
  /** The keys of a section; undefined for a value. */
  readonly fields: readonly Field[] | undefined;
}

interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly defaultValue?: unknown;
}

function definition(schema: z.ZodType): Definition {
  return schema.def as unknown as Definition;
}

/** The keys of a section, in the order of declaration; empty when the schema is none. */
export function fieldsOf<T>(schema: Schema<T>): readonly Field[] {
  let at: z.ZodType | undefined = schema;
  while (at) {
    const { type, shape, in: input, innerType }: Definition = definition(at);
    if (type === "object") {
      return Object.entries(shape ?? {}).map(([key, value]) => fieldOf(key, value));
    }
    at = input ?? innerType;
  }
  return [];
}

function fieldOf(key: string, schema: z.ZodType): Field {
  let meta: FieldMeta & { readonly description?: string } = {};
  let required = true;
  let fallback: unknown;
  let last = schema;
  for (let at: z.ZodType | undefined = schema; at;) {
    const { type, innerType, in: input, defaultValue }: Definition = definition(at);
    // What stands further out was said later, so it wins.
    meta = { ...at.meta() as FieldMeta, ...meta };
    if (type === "optional" || type === "default" || type === "prefault") required = false;
    if (type === "default" || type === "prefault") fallback ??= defaultValue;
    last = at;
    at = innerType ?? input;
  }
  const { type } = definition(last);
  return {
    key,
    kind: meta.kind ?? (type === "object" ? "section" : type),
    description: meta.description ?? "",
    secret: meta.secret ?? false,
    required,
    optional: !required && fallback === undefined,
    default: fallback,
    example: meta.example,
    sample: meta.sample ?? false,
    scalar: type === "number" || type === "boolean" ? type : type === "object" ? undefined : "text",
    fields: type === "object" ? fieldsOf(schema) : undefined,
  };
}

/** The field at a path below a section; undefined when there is none. */
export function fieldAt<T>(schema: Schema<T>, path: readonly string[]): Field | undefined {
  let fields: readonly Field[] | undefined = fieldsOf(schema);
  let found: Field | undefined;
  for (const key of path) {
    // What lies below a secret is as secret.
    if (found?.secret) return found;
    found = fields?.find((field) => field.key === key);
    fields = found?.fields;
    if (!found) return undefined;
  }
  return found;
}

/** The paths of all fields that are never shown. */
export function secretPaths<T>(schema: Schema<T>): string[][] {
  const walk = (fields: readonly Field[], path: readonly string[]): string[][] =>
    fields.flatMap((field) => {
      const here = [...path, field.key];
      return field.secret ? [here] : walk(field.fields ?? [], here);
    });
  return walk(fieldsOf(schema), []);
}

/** What is wrong with a value, as far as the schema can tell. */
export interface Issue {
  readonly path: readonly string[];
  /** An unknown key at the end of `path`. */
  readonly unknown: boolean;
  /** Nothing stands where something has to. */
  readonly missing: boolean;
  readonly message: string;
}

/** Checks a value. Gives it back converted, or every issue. */
export function checkValue<T>(
  schema: Schema<T>,
  value: unknown,
): { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly Issue[] } {
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  const issues = result.error.issues.flatMap((issue): Issue[] => {
    const path = issue.path.map(String);
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: [...path, key],
        unknown: true,
        missing: false,
        message: "is not known",
      }));
    }
    const missing = valueAt(value, path) === undefined;
    const section = issue.code === "invalid_type" && issue.expected === "object";
    const message = section ? "must be a map of settings" : issue.message;
    return [{ path, unknown: false, missing, message }];
  });
  return { issues };
}

/** What stands at a path in plain data; undefined when nothing does. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** The JSON Schema (2020-12) of what the YAML may hold. */
export function jsonSchemaOf<T>(schema: Schema<T>): Record<string, unknown> {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Record<string, unknown>;
}
