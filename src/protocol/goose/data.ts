/** Values of a data set, from octets and to octets. ISO 9506-2 Data; anchors: annex A of 8-1. */
import type { Malformed } from "../../base/errors.ts";
import { type BerWriter, malformed, readInteger, readTlv, type Tlv } from "../../wire/ber.ts";
import { DATA, DEPTH_MAX, ENTRIES_MAX } from "./constants.ts";

/** A time as the wire has it. IEC 61850-8-1 §8.1.3.6 */
export interface UtcTime {
  /** Since 1970-01-01T00:00:00Z, 32 bits. */
  readonly seconds: number;
  /** In units of 2^-24 s. */
  readonly fraction: number;
  /** Bit 7: leap seconds known; 6: clock failure; 5: not synchronized; 4-0: accuracy in bits. */
  readonly quality: number;
}

/** One value. */
export type Data =
  | { readonly kind: "array" | "structure"; readonly items: readonly Data[] }
  | { readonly kind: "bool"; readonly value: boolean }
  /** Zeros and ones, first bit first. Quality has 13, a double point position 2. */
  | { readonly kind: "bits" | "boolean_array"; readonly bits: string }
  /** A bigint where a number would not be exact. */
  | { readonly kind: "int" | "uint"; readonly value: number | bigint }
  | { readonly kind: "float" | "double"; readonly value: number }
  /** In `string` and `generalized_time` each character is one octet. */
  | { readonly kind: "string" | "generalized_time" | "utf8"; readonly text: string }
  /** Kept as they came. */
  | { readonly kind: "octets" | "real" | "bcd" | "object_id"; readonly octets: Uint8Array }
  /** Milliseconds of the day; days since 1984-01-01 in the long form. */
  | { readonly kind: "binary_time"; readonly ms: number; readonly days?: number }
  | { readonly kind: "utc_time"; readonly time: UtcTime }
  /** A tag that is none of Data's: kept, so that one odd value does not hide the rest. */
  | { readonly kind: "other"; readonly tag: number; readonly octets: Uint8Array };

/** Whether a message is written as short as can be, or so that its length never changes. A.3 */
export type Form = "minimal" | "fixed";

const KIND_OF_TAG: ReadonlyMap<number, keyof typeof DATA> = new Map(
  Object.entries(DATA).map(([kind, tag]) => [tag, kind as keyof typeof DATA]),
);
const FLOAT_EXPONENT = 8;
const DOUBLE_EXPONENT = 11;
/** Octets of a number in the fixed form, for 32 bits. */
const FIXED_INTEGER = 5;

/**
 * Reads the values between two offsets.
 *
 * @param octets Not kept: what is returned has copies.
 */
export function decodeData(octets: Uint8Array, start: number, end: number): Data[] | Malformed {
  return readAll(octets, start, end, 1, { left: ENTRIES_MAX });
}

function readAll(
  octets: Uint8Array,
  start: number,
  end: number,
  depth: number,
  budget: { left: number },
): Data[] | Malformed {
  if (depth > DEPTH_MAX) return malformed("goose.data.depth", start);
  const items: Data[] = [];
  for (let at = start; at < end;) {
    const element = readTlv(octets, at, end);
    if (element.kind === "malformed") return element;
    if (budget.left === 0) return malformed("goose.data.entries", at);
    budget.left -= 1;
    const kind = KIND_OF_TAG.get(element.tag);
    if (kind === "array" || kind === "structure") {
      const inner = readAll(octets, element.start, element.end, depth + 1, budget);
      if (!Array.isArray(inner)) return inner;
      items.push({ kind, items: inner });
    } else {
      const value = readOne(octets, kind, element);
      if (value === undefined) return malformed(`goose.data.${kind}`, element.start);
      items.push(value);
    }
    at = element.end;
  }
  return items;
}

/** @returns Undefined when the contents do not fit the kind. */
function readOne(
  octets: Uint8Array,
  kind: keyof typeof DATA | undefined,
  { tag, start, end }: Tlv,
): Data | undefined {
  const size = end - start;
  switch (kind) {
    case "bool":
      return size === 1 ? { kind, value: octets[start] !== 0 } : undefined;
    case "bits":
    case "boolean_array": {
      const bits = readBits(octets, start, end);
      return bits === undefined ? undefined : { kind, bits };
    }
    case "int":
    case "uint": {
      const value = readInteger(octets, start, end, kind === "int");
      return value === undefined ? undefined : { kind, value };
    }
    case "float":
      return readFloat(octets, start, size);
    case "string":
    case "generalized_time":
      return { kind, text: latin1(octets, start, end) };
    case "utf8":
      return { kind, text: new TextDecoder().decode(octets.slice(start, end)) };
    case "binary_time": {
      const view = new DataView(octets.buffer, octets.byteOffset + start, size);
      if (size === 4) return { kind, ms: view.getUint32(0) };
      return size === 6 ? { kind, ms: view.getUint32(0), days: view.getUint16(4) } : undefined;
    }
    case "utc_time": {
      const time = readUtcTime(octets, start, end);
      return time === undefined ? undefined : { kind, time };
    }
    case "octets":
    case "real":
    case "bcd":
    case "object_id":
      return { kind, octets: octets.slice(start, end) };
    default:
      return { kind: "other", tag, octets: octets.slice(start, end) };
  }
}

function readBits(octets: Uint8Array, start: number, end: number): string | undefined {
  const unused = octets[start];
  if (end <= start || unused === undefined || unused > 7) return undefined;
  if (end - start === 1) return unused === 0 ? "" : undefined;
  let bits = "";
  for (let at = start + 1; at < end; at += 1) bits += octets[at]!.toString(2).padStart(8, "0");
  return bits.slice(0, bits.length - unused);
}

/** The first octet is the width of the exponent: 8 of 32 bits, 11 of 64. */
function readFloat(octets: Uint8Array, start: number, size: number): Data | undefined {
  const view = new DataView(octets.buffer, octets.byteOffset + start, size);
  if (size === 5 && view.getUint8(0) === FLOAT_EXPONENT) {
    return { kind: "float", value: view.getFloat32(1) };
  }
  if (size === 9 && view.getUint8(0) === DOUBLE_EXPONENT) {
    return { kind: "double", value: view.getFloat64(1) };
  }
  return undefined;
}

/** Text in which each octet is one character, whatever it is: nothing is lost. */
export function latin1(octets: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += 1) text += String.fromCharCode(octets[at]!);
  return text;
}

/** The octets of such text; characters beyond 255 lose their upper bits. */
export function latin1Octets(text: string): Uint8Array {
  return Uint8Array.from(text, (sign) => sign.charCodeAt(0));
}

/** Eight octets as a time; undefined when they are not eight. */
export function readUtcTime(octets: Uint8Array, start: number, end: number): UtcTime | undefined {
  if (end - start !== 8) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset + start, 8);
  const last = view.getUint32(4);
  return { seconds: view.getUint32(0), fraction: last >>> 8, quality: last & 0xff };
}

/** The eight octets of a time. */
export function utcTimeOctets({ seconds, fraction, quality }: UtcTime): Uint8Array {
  const octets = new Uint8Array(8);
  const view = new DataView(octets.buffer);
  view.setUint32(0, seconds);
  view.setUint32(4, ((fraction << 8) | quality) >>> 0);
  return octets;
}

/** 10 bits of accuracy, about a millisecond: what a host synchronized by NTP may claim. */
const QUALITY_DEFAULT = 0x0a;

/** A time from milliseconds since the Unix epoch. */
export function utcTimeOf(epochMs: number, quality = QUALITY_DEFAULT): UtcTime {
  const seconds = Math.floor(epochMs / 1000);
  const fraction = Math.floor(((epochMs - seconds * 1000) / 1000) * 2 ** 24);
  return { seconds: seconds >>> 0, fraction, quality };
}

/** Milliseconds since the Unix epoch, with their fraction. */
export function epochMsOf({ seconds, fraction }: UtcTime): number {
  return seconds * 1000 + (fraction / 2 ** 24) * 1000;
}

/** Writes a value in front of what a writer has. */
export function encodeData(writer: BerWriter, data: Data, form: Form): void {
  const mark = writer.length;
  switch (data.kind) {
    case "array":
    case "structure":
      for (const item of data.items.toReversed()) encodeData(writer, item, form);
      return writer.close(DATA[data.kind], mark);
    case "bool":
      return writer.element(DATA.bool, [data.value ? 1 : 0]);
    case "bits":
    case "boolean_array":
      return writer.element(DATA[data.kind], bitOctets(data.bits));
    case "int":
    case "uint":
      return writer.integer(DATA[data.kind], data.value, form === "fixed" ? FIXED_INTEGER : 1);
    case "float":
    case "double":
      return writer.element(DATA.float, floatOctets(data.kind, data.value));
    case "string":
    case "generalized_time":
      return writer.element(DATA[data.kind], latin1Octets(data.text));
    case "utf8":
      return writer.element(DATA.utf8, new TextEncoder().encode(data.text));
    case "binary_time": {
      const octets = new Uint8Array(data.days === undefined ? 4 : 6);
      const view = new DataView(octets.buffer);
      view.setUint32(0, data.ms);
      if (data.days !== undefined) view.setUint16(4, data.days);
      return writer.element(DATA.binary_time, octets);
    }
    case "utc_time":
      return writer.element(DATA.utc_time, utcTimeOctets(data.time));
    case "other":
      return writer.element(data.tag, data.octets);
    default:
      return writer.element(DATA[data.kind], data.octets);
  }
}

function bitOctets(bits: string): Uint8Array {
  const count = Math.ceil(bits.length / 8);
  const octets = new Uint8Array(count + 1);
  octets[0] = count * 8 - bits.length;
  for (let at = 0; at < count; at += 1) {
    octets[at + 1] = parseInt(bits.slice(at * 8, at * 8 + 8).padEnd(8, "0"), 2);
  }
  return octets;
}

function floatOctets(kind: "float" | "double", value: number): Uint8Array {
  const octets = new Uint8Array(kind === "float" ? 5 : 9);
  const view = new DataView(octets.buffer);
  octets[0] = kind === "float" ? FLOAT_EXPONENT : DOUBLE_EXPONENT;
  if (kind === "float") view.setFloat32(1, value);
  else view.setFloat64(1, value);
  return octets;
}
