/**
 * Values as people write them: `bool:true,int:-5,float:1.5,bits:0110,string:"a b",{bool:true}`.
 * What {@linkcode formatValues} writes {@linkcode parseValues} reads.
 * @module
 */
import { DEPTH_MAX, ENTRIES_MAX } from "./constants.ts";
import { type Data, epochMsOf, type UtcTime, utcTimeOf } from "./data.ts";

/** The notation, for help texts. */
export const NOTATION = "bool:true, int:-5, uint:5, float:1.5, double:1.5, bits:0110, dbpos:on, " +
  'quality:good, string:"a b", utf8:"日本", octets:0aff, utc_time:now, binary_time:MS[/DAYS], ' +
  "{...} for a structure, [...] for an array";

/** Double point positions. IEC 61850-8-1 §8.1.3 */
const DBPOS: Readonly<Record<string, string>> = {
  intermediate: "00",
  off: "01",
  on: "10",
  bad: "11",
};
/** Qualities by their validity, and of a test. IEC 61850-7-3 §6.2 */
const QUALITY: Readonly<Record<string, string>> = {
  good: "0000000000000",
  invalid: "0100000000000",
  questionable: "1100000000000",
  test: "0000000000010",
};

/** What is wrong with a text, in one clause, and where. */
export interface NotationError {
  readonly kind: "wrong";
  readonly why: string;
  /** Offset in characters. */
  readonly at: number;
}

/**
 * Reads values.
 *
 * @param epochMs What `utc_time:now` stands for.
 */
export function parseValues(text: string, epochMs: number): Data[] | NotationError {
  const reader = new Reader(text, epochMs);
  const values = reader.list("", 1);
  return reader.error ?? values;
}

class Reader {
  error: NotationError | undefined;
  #at = 0;
  #left = ENTRIES_MAX;

  constructor(readonly text: string, readonly epochMs: number) {}

  /** Values up to `close`, which is taken; up to the end when it is empty. */
  list(close: string, depth: number): Data[] {
    const items: Data[] = [];
    if (depth > DEPTH_MAX) this.#fail(`deeper than ${DEPTH_MAX} levels`);
    this.#skip();
    if (this.#take(close)) return items;
    while (this.error === undefined) {
      const item = this.#one(depth);
      if (item !== undefined) items.push(item);
      this.#skip();
      if (this.#take(close)) break;
      if (!this.#take(",")) this.#fail(close === "" ? "expected ," : `expected , or ${close}`);
    }
    return items;
  }

  #one(depth: number): Data | undefined {
    this.#skip();
    this.#left -= 1;
    if (this.#left < 0) return this.#fail(`more than ${ENTRIES_MAX} values`);
    if (this.#take("{")) return { kind: "structure", items: this.list("}", depth + 1) };
    if (this.#take("[")) return { kind: "array", items: this.list("]", depth + 1) };
    const start = this.#at;
    const name = /^[a-z0-9_]+:/.exec(this.text.slice(start))?.[0];
    if (name === undefined) return this.#fail("expected a type and a colon, such as bool:true");
    this.#at += name.length;
    const kind = name.slice(0, -1);
    const word = this.#word();
    if (word === undefined) return undefined;
    const data = valueOf(kind, word, this.epochMs);
    if (data === undefined) {
      this.#at = start;
      return this.#fail(`${kind}:${word} is not a value`);
    }
    return data;
  }

  /** Up to the next separator, or a text in quotation marks. */
  #word(): string | undefined {
    const rest = this.text.slice(this.#at);
    if (rest.startsWith('"')) {
      const quoted = /^"(?:[^"\\]|\\.)*"/.exec(rest)?.[0];
      if (quoted === undefined) return this.#fail("text without its closing quotation mark");
      this.#at += quoted.length;
      try {
        return JSON.parse(quoted) as string;
      } catch {
        return this.#fail("text with an unknown escape"); // All that can go wrong between marks.
      }
    }
    const plain = /^[^,{}[\]]*/.exec(rest)![0];
    this.#at += plain.length;
    return plain.trim();
  }

  #skip(): void {
    while (this.text[this.#at] === " ") this.#at += 1;
  }

  #take(sign: string): boolean {
    if (sign === "") return this.#at >= this.text.length;
    if (!this.text.startsWith(sign, this.#at)) return false;
    this.#at += 1;
    return true;
  }

  #fail(why: string): undefined {
    this.error ??= { kind: "wrong", why, at: this.#at };
    return undefined;
  }
}

function valueOf(kind: string, word: string, epochMs: number): Data | undefined {
  switch (kind) {
    case "bool":
      return word === "true" || word === "false" ? { kind, value: word === "true" } : undefined;
    case "int":
    case "uint": {
      const value = integerOf(word);
      if (value === undefined) return undefined;
      const fits = kind === "int" ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value);
      if (fits !== value) return undefined;
      const short = Number(value);
      return { kind, value: Number.isSafeInteger(short) ? short : value };
    }
    case "float":
    case "double":
      return /^[-+]?(\d+(\.\d*)?(e[-+]?\d+)?|Infinity)$|^NaN$/i.test(word)
        ? { kind, value: kind === "float" ? Math.fround(Number(word)) : Number(word) }
        : undefined;
    case "bits":
    case "boolean_array":
      return /^[01]*$/.test(word) ? { kind, bits: word } : undefined;
    case "dbpos":
    case "quality": {
      const bits = (kind === "dbpos" ? DBPOS : QUALITY)[word];
      return bits === undefined ? undefined : { kind: "bits", bits };
    }
    case "string":
    case "generalized_time":
      // deno-lint-ignore no-control-regex
      return /^[\x00-\xff]*$/.test(word) ? { kind, text: word } : undefined;
    case "utf8":
      return { kind, text: word };
    case "utc_time": {
      const ms = word === "now" ? epochMs : Date.parse(word);
      return ms >= 0 && ms < 2 ** 32 * 1000 ? { kind, time: utcTimeOf(ms) } : undefined;
    }
    default:
      return octetsOf(kind, word);
  }
}

function octetsOf(kind: string, word: string): Data | undefined {
  if (kind === "binary_time") {
    const match = /^(\d{1,10})(?:\/(\d{1,5}))?$/.exec(word);
    const [ms, days] = [Number(match?.[1] ?? NaN), match?.[2]];
    if (!(ms < 2 ** 32) || Number(days ?? 0) >= 2 ** 16) return undefined;
    return days === undefined ? { kind, ms } : { kind, ms, days: Number(days) };
  }
  if (!/^([0-9a-f]{2})*$/i.test(word)) return undefined;
  const octets = Uint8Array.from(word.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  switch (kind) {
    case "octets":
    case "real":
    case "bcd":
    case "object_id":
      return { kind, octets };
    default:
      return undefined;
  }
}

function integerOf(word: string): bigint | undefined {
  return /^-?(\d{1,20}|0x[0-9a-f]{1,16})$/i.test(word) && !/^-0x/i.test(word)
    ? BigInt(word)
    : undefined;
}

/** Writes values in one line; nothing in it is a control character. */
export function formatValues(values: readonly Data[]): string {
  return values.map(formatValue).join(",");
}

/** Writes one value. */
export function formatValue(data: Data): string {
  switch (data.kind) {
    case "structure":
      return `{${formatValues(data.items)}}`;
    case "array":
      return `[${formatValues(data.items)}]`;
    case "bits":
    case "boolean_array":
      return `${data.kind}:${data.bits}`;
    case "string":
    case "generalized_time":
    case "utf8":
      return `${data.kind}:${quoted(data.text)}`;
    case "binary_time":
      return `${data.kind}:${data.ms}${data.days === undefined ? "" : `/${data.days}`}`;
    case "utc_time":
      return `${data.kind}:${formatTime(data.time)}`;
    case "other":
      return `tag_${hex(Uint8Array.of(data.tag))}:${hex(data.octets)}`;
    case "octets":
    case "real":
    case "bcd":
    case "object_id":
      return `${data.kind}:${hex(data.octets)}`;
    default:
      return `${data.kind}:${Object.is(data.value, -0) ? "-0" : data.value}`;
  }
}

/** ISO 8601 to the microsecond, which is finer than the wire's accuracy. */
export function formatTime(time: UtcTime): string {
  const micros = Math.round(epochMsOf(time) * 1000);
  const seconds = Math.floor(micros / 1e6);
  const date = new Date(seconds * 1000).toISOString().slice(0, 19);
  return `${date}.${String(micros - seconds * 1e6).padStart(6, "0")}Z`;
}

/** What the quality of a time says, where it says anything that matters. */
export function timeFlags({ quality }: UtcTime): string[] {
  const flags: string[] = [];
  if ((quality & 0x40) !== 0) flags.push("clock failure");
  if ((quality & 0x20) !== 0) flags.push("clock not synchronized");
  return flags;
}

/** A text in quotation marks without control characters, so that a peer cannot move the cursor. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A text from a peer, for a line of output: as it is where that is harmless, else quoted. */
export function shown(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : quoted(text);
}

function hex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}
