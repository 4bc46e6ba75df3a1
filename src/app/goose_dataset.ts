/** Data sets written as JSON, for `busbar goose send --dataset`. Pure. */
import { type Data, parseValues } from "../protocol/goose/mod.ts";

/** Where a data set cannot be read, and why. */
export interface DatasetError {
  /** `[2].structure[0]`. */
  readonly path: string;
  readonly why: string;
}

/** How it is written, for the help. */
export const DATASET_FORM = '[true, -5, 1.5, "text", {"uint": 5}, {"dbpos": "on"}, ' +
  '{"quality": "good"}, {"utc_time": "now"}, {"structure": [...]}, {"array": [...]}]';

/**
 * Reads a list of values. `true` is a boolean, a whole number an integer, another number a float,
 * a text a visible string; anything else is an object of one key: the kind, as in the notation.
 */
export function parseDataset(text: string, epochMs: number): readonly Data[] | DatasetError {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    return { path: "", why: error instanceof Error ? error.message : String(error) };
  }
  if (!Array.isArray(list)) return { path: "", why: "must be a list" };
  return listOf(list, "", epochMs);
}

function listOf(
  list: readonly unknown[],
  path: string,
  epochMs: number,
): readonly Data[] | DatasetError {
  const values: Data[] = [];
  for (const [index, item] of list.entries()) {
    const value = valueOf(item, `${path}[${index}]`, epochMs);
    if ("why" in value) return value;
    values.push(value);
  }
  return values;
}

function valueOf(item: unknown, path: string, epochMs: number): Data | DatasetError {
  if (typeof item === "boolean") return { kind: "bool", value: item };
  if (typeof item === "number") {
    return Number.isInteger(item)
      ? leaf("int", item, path, epochMs)
      : leaf("float", item, path, epochMs);
  }
  if (typeof item === "string") return leaf("string", item, path, epochMs);
  const entries = typeof item === "object" && item !== null ? Object.entries(item) : [];
  const [entry] = entries;
  if (!entry || entries.length > 1 || Array.isArray(item)) {
    return { path, why: "must be a value, or an object of one key: its kind" };
  }
  const [kind, value] = entry as [string, unknown];
  if (kind !== "structure" && kind !== "array") {
    return leaf(kind, value, `${path}.${kind}`, epochMs);
  }
  if (!Array.isArray(value)) return { path: `${path}.${kind}`, why: "must be a list" };
  const items = listOf(value, `${path}.${kind}`, epochMs);
  return "why" in items ? items : { kind, items };
}

/** One value, by way of the notation, which knows every kind. */
function leaf(kind: string, value: unknown, path: string, epochMs: number): Data | DatasetError {
  const texts = ["string", "utf8"];
  const written = texts.includes(kind) ? JSON.stringify(String(value)) : String(value);
  const values = /^[a-z_0-9]+$/.test(kind) ? parseValues(`${kind}:${written}`, epochMs) : undefined;
  if (!values) return { path, why: `${kind} is no kind of value` };
  if (!("why" in values)) return values[0]!;
  return { path, why: values.why };
}
