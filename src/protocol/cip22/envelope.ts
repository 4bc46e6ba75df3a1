/**
 * Messages as JSON objects, in versions 1.2 and 2.0 and as any other version may have them.
 *
 * | | 1.2 | 2.0 | any other |
 * |---|---|---|---|
 * | the five of every message | required | required | taken if they are there |
 * | number of the message | `tx_hash` | `envelope.id` | either |
 * | tags | `meta_tags` | `extensions.tags` | either |
 * | other fields at the top | ignored | kept, with a warning | kept, with a warning |
 * | `extensions` | ignored | each by its schema | kept, with a warning |
 * The five are `type`, `seq`, `device_id`, `sig` and `policy_hash`.
 * @module
 */

/** Longest text of one message. */
export const ENVELOPE_MAX = 65_535;

/** Which parser reads. */
export type Dialect = "1.2" | "2.0" | "lenient";

/** A message, whatever version it came in. */
export interface Envelope {
  readonly dialect: Dialect;
  readonly type: string;
  /** u64. */
  readonly sequence: bigint;
  readonly device: string;
  /** In hexadecimal digits, as it came. */
  readonly signature: string;
  /** In hexadecimal digits, as it came. */
  readonly policyHash: string;
  /** `tx_hash` or `envelope.id`. */
  readonly id?: string;
  readonly tags?: readonly string[];
  /** All of `extensions` but the tags. */
  readonly extensions: ReadonlyMap<string, unknown>;
  /** Fields at the top that no parser knows. */
  readonly unknown: ReadonlyMap<string, unknown>;
}

/** A message and what seemed odd in it, or why it is none: the field, and what it should be. */
export type EnvelopeRead =
  | { readonly envelope: Envelope; readonly warnings: readonly string[] }
  | { readonly fault: string };

/**
 * Tries the value of an extension by its schema.
 * @returns What is wrong with it, for people; undefined when nothing is.
 */
export type ExtensionCheck = (value: unknown) => string | undefined;

/** Extensions that version 2.0 may carry, by name. One that is not here is refused. */
export type ExtensionMap = ReadonlyMap<string, ExtensionCheck>;

/**
 * The parser for a message. What the peer said of its version goes before what the message looks
 * like: one with `envelope` or `extensions` is of 2.0.
 */
export function dialectOf(hint: string | undefined, fields: ReadonlyMap<string, unknown>): Dialect {
  if (hint !== undefined) return hint === "1.2" || hint === "2.0" ? hint : "lenient";
  return fields.has("envelope") || fields.has("extensions") ? "2.0" : "1.2";
}

/** Reads a message. @param hint What the peer said of its version: the line, or the header. */
export function readEnvelope(
  text: string,
  hint: string | undefined,
  extensions: ExtensionMap,
): EnvelopeRead {
  const fields = parseObject(text);
  if (typeof fields === "string") return { fault: fields };
  const reader = new Reader(fields, dialectOf(hint, fields));
  if (reader.dialect === "lenient") reader.warn(`version ${hint} is read as well as it can be`);
  const envelope = reader.read(extensions);
  return reader.fault === undefined
    ? { envelope, warnings: reader.warnings }
    : { fault: reader.fault };
}

/**
 * Writes a message in a version.
 * @returns The text, and the names of the fields that the version cannot carry and that are not in
 * it; a fault when what the version requires is not there.
 */
export function writeEnvelope(
  envelope: Envelope,
  version: Exclude<Dialect, "lenient">,
): { readonly text: string; readonly lost: readonly string[] } | { readonly fault: string } {
  const { id, tags, extensions, unknown } = envelope;
  const name = version === "1.2" ? "tx_hash" : "envelope.id";
  if (!id) return { fault: `${name} is empty; version ${version} requires it` };
  const base = {
    type: envelope.type,
    seq: plainNumber(envelope.sequence),
    "device_id": envelope.device,
    sig: envelope.signature,
    "policy_hash": envelope.policyHash,
  };
  if (version === "1.2") {
    const text = JSON.stringify({ ...base, tx_hash: id, ...tags && { meta_tags: tags } });
    const lost = [...extensions.keys()].map((extension) => `extensions.${extension}`);
    return { text, lost: [...lost, ...unknown.keys()] };
  }
  const carried = { ...tags && { tags }, ...Object.fromEntries(extensions) };
  const text = JSON.stringify({
    ...Object.fromEntries(unknown),
    ...base,
    envelope: { id },
    ...Object.keys(carried).length > 0 && { extensions: carried },
  });
  return { text, lost: [] };
}

const BASE = ["type", "seq", "device_id", "sig", "policy_hash"];
const MAPPED = ["tx_hash", "meta_tags", "envelope", "extensions"];

/** Reads the fields of one message, and gathers what is odd or wrong; the first fault stands. */
class Reader {
  readonly warnings: string[] = [];
  fault: string | undefined;

  constructor(readonly fields: ReadonlyMap<string, unknown>, readonly dialect: Dialect) {}

  warn(text: string): void {
    this.warnings.push(text);
  }

  read(known: ExtensionMap): Envelope {
    const extensions = this.#extensions(known);
    const old = this.dialect === "2.0" ? undefined : this.#tags("meta_tags", "meta_tags");
    const tags = old ?? this.#tags("extensions.tags", "tags", extensions);
    const id = this.#id();
    extensions.delete("tags");
    return {
      dialect: this.dialect,
      type: this.#text("type"),
      sequence: this.#sequence(),
      device: this.#text("device_id"),
      signature: this.#text("sig"),
      policyHash: this.#text("policy_hash"),
      ...id !== undefined && { id },
      ...tags && { tags },
      extensions,
      unknown: this.#unknown(),
    };
  }

  #refuse(field: string, value: unknown, expected: string): void {
    const found = value === undefined ? "is missing" : `is ${JSON.stringify(value).slice(0, 40)}`;
    const text = `${field} ${found}; it has to be ${expected}`;
    if (this.dialect !== "lenient") this.fault ??= text;
    else if (value !== undefined) this.warn(text);
  }

  #text(field: string): string {
    const value = this.fields.get(field);
    if (typeof value === "string" && value !== "") return value;
    this.#refuse(field, value, "a text");
    return "";
  }

  #sequence(): bigint {
    const value = this.fields.get("seq");
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
      return BigInt(value);
    }
    if (typeof value === "string" && /^[0-9]{1,20}$/.test(value) && BigInt(value) < U64_END) {
      return BigInt(value);
    }
    this.#refuse("seq", value, "a number of 64 bits without sign, as a text beyond 2^53");
    return 0n;
  }

  #id(): string | undefined {
    const old = this.dialect === "2.0" ? undefined : this.fields.get("tx_hash");
    const envelope = this.dialect === "1.2" ? undefined : this.fields.get("envelope");
    const value = old ?? (isObject(envelope) ? envelope.id : envelope);
    if (typeof value === "string" && value !== "") return value;
    const field = this.dialect === "1.2" ? "tx_hash" : "envelope.id";
    if (value !== undefined || this.dialect === "2.0") this.#refuse(field, value, "a text");
    return undefined;
  }

  #tags(
    field: string,
    name: string,
    from: ReadonlyMap<string, unknown> = this.fields,
  ): readonly string[] | undefined {
    const value = from.get(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((tag) => typeof tag === "string")) return value;
    this.#refuse(field, value, "a list of texts");
    return undefined;
  }

  #extensions(known: ExtensionMap): Map<string, unknown> {
    const value = this.dialect === "1.2" ? undefined : this.fields.get("extensions");
    if (value === undefined) return new Map();
    if (!isObject(value)) {
      this.#refuse("extensions", value, "an object");
      return new Map();
    }
    const all = new Map(Object.entries(value));
    for (const [name, extension] of all) {
      if (name === "tags") continue;
      const check = known.get(name);
      const wrong = check ? check(extension) : "no extension of this name is known";
      if (wrong === undefined) continue;
      if (this.dialect === "2.0") this.fault ??= `extensions.${name}: ${wrong}`;
      else this.warn(`extensions.${name}: ${wrong}`);
    }
    return all;
  }

  #unknown(): ReadonlyMap<string, unknown> {
    const unknown = new Map<string, unknown>();
    const named = this.dialect === "2.0" ? [...BASE, "envelope", "extensions"] : [
      ...BASE,
      ...MAPPED,
    ];
    for (const [name, value] of this.fields) {
      if (named.includes(name)) continue;
      unknown.set(name, value);
      if (this.dialect !== "1.2") this.warn(`the field ${name.slice(0, 40)} is unknown`);
    }
    return unknown;
  }
}

const U64_END = 1n << 64n;

function plainNumber(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : `${value}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseObject(text: string): ReadonlyMap<string, unknown> | string {
  if (text.length > ENVELOPE_MAX) return `the message is longer than ${ENVELOPE_MAX} characters`;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? new Map(Object.entries(value)) : "the message is no JSON object";
  } catch {
    return "the message is no JSON";
  }
}
