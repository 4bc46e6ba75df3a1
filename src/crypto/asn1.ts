/**
 * ASN.1 in DER, as certificates use it: read into nodes by asn1js, after a look at the octets that
 * leaves only one form of everything (X.690, 10 and 11); and written.
 * @module
 */
import { concat } from "../base/octets.ts";
import * as asn1 from "asn1js";

/** An element. */
export interface Node {
  /** Of the universal class, or of the context. */
  readonly context: boolean;
  readonly tag: number;
  /** Of what is made of elements. */
  readonly children: readonly Node[];
  /** Its octets without tag and length. */
  readonly content: Uint8Array;
  /** All of them. */
  readonly whole: Uint8Array;
}

/** Universal tags. */
export const TAG = {
  boolean: 1,
  integer: 2,
  bitString: 3,
  octetString: 4,
  null: 5,
  oid: 6,
  enumerated: 10,
  utf8: 12,
  sequence: 16,
  set: 17,
  printable: 19,
  ia5: 22,
  utcTime: 23,
  generalizedTime: 24,
} as const;

/** Elements in one another at most. */
const DEPTH_MAX = 24;
const CONSTRUCTED = 0x20;
const CONTEXT_CLASS = 3;

/** Where what begins at `at` ends, if it is DER; else -1. */
function endOf(octets: Uint8Array, at: number, end: number, depth: number): number {
  const tag = octets[at];
  const first = octets[at + 1];
  if (tag === undefined || first === undefined || at + 2 > end || depth > DEPTH_MAX) return -1;
  // Tags of more than an octet, and indefinite lengths, have no place here.
  if ((tag & 0x1f) === 0x1f || first === 0x80 || first > 0x83) return -1;
  let start = at + 2;
  let length = first;
  if (first > 0x80) {
    length = 0;
    const count = first - 0x80;
    for (let index = 0; index < count; index += 1) {
      length = length * 256 + (octets[start++] ?? -1e9);
    }
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) return -1;
  }
  const stop = start + length;
  if (!(stop <= end)) return -1;
  if ((tag & CONSTRUCTED) !== 0) {
    for (let inner = start; inner < stop;) {
      inner = endOf(octets, inner, stop, depth + 1);
      if (inner < 0) return -1;
    }
    return stop;
  }
  return isPlain(tag, octets, start, length) ? stop : -1;
}

/** Whether the contents have the one form that DER gives them. */
function isPlain(tag: number, octets: Uint8Array, start: number, length: number): boolean {
  const [one, two] = [octets[start]!, octets[start + 1]!];
  switch (tag) {
    case TAG.boolean:
      return length === 1 && (one === 0 || one === 0xff);
    case TAG.integer:
    case TAG.enumerated:
      return length > 0 &&
        !(length > 1 && ((one === 0 && two < 0x80) || (one === 0xff && two >= 0x80)));
    case TAG.bitString:
      return length > 0 && one <= 7 && !(length === 1 && one > 0);
    case TAG.null:
      return length === 0;
    case TAG.oid:
      return length > 0 && octets[start + length - 1]! < 0x80;
    default:
      return true;
  }
}

/** Reads one element that is all of the octets; undefined when they are not DER. */
export function readDer(octets: Uint8Array): Node | undefined {
  if (endOf(octets, 0, octets.length, 0) !== octets.length) return undefined;
  const result = parsed(octets);
  return result && nodeOf(result);
}

/** As asn1js reads it; undefined when it does not. It throws for some times and texts. */
function parsed(octets: Uint8Array): asn1.AsnType | undefined {
  try {
    const { offset, result } = asn1.fromBER(octets.slice());
    return offset === octets.length && result.error === "" ? result : undefined;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function nodeOf(block: asn1.AsnType): Node {
  const { tagClass, tagNumber, isConstructed } = block.idBlock;
  const whole = new Uint8Array(block.valueBeforeDecodeView);
  const head = whole.length - block.lenBlock.length;
  const inner = (block.valueBlock as unknown as { value?: asn1.AsnType[] }).value;
  return {
    context: tagClass === CONTEXT_CLASS,
    tag: tagNumber,
    children: isConstructed && Array.isArray(inner) ? inner.map(nodeOf) : [],
    content: whole.subarray(head),
    whole,
  };
}

/** An object identifier as text; undefined when the node is none. */
export function oidOf(node: Node | undefined): string | undefined {
  if (node?.context !== false || node.tag !== TAG.oid) return undefined;
  const result = parsed(node.whole);
  return result instanceof asn1.ObjectIdentifier ? result.getValue() : undefined;
}

/** Octets of the elements that follow one another, in an element of that tag. */
function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const octets: number[] = [];
  for (let left = length; left > 0; left = left >> 8) octets.unshift(left & 0xff);
  const head = length < 0x80 ? [length] : [0x80 + octets.length, ...octets];
  return concat([Uint8Array.of(tag, ...head), ...parts]);
}

function written(block: asn1.BaseBlock): Uint8Array {
  return new Uint8Array(block.toBER());
}

/** Writers of elements. */
export const der = {
  sequence: (...parts: readonly Uint8Array[]) => element(0x30, ...parts),
  set: (...parts: readonly Uint8Array[]) => element(0x31, ...parts),
  /** Of the context, made of elements. */
  context: (tag: number, ...parts: readonly Uint8Array[]) => element(0xa0 + tag, ...parts),
  /** Of the context, as it stands. */
  implicit: (tag: number, octets: Uint8Array) => element(0x80 + tag, octets),
  /** A number that is not negative. */
  integer(octets: Uint8Array): Uint8Array {
    const first = octets.findIndex((octet) => octet !== 0);
    const short = first < 0 ? Uint8Array.of(0) : octets.subarray(first);
    return element(TAG.integer, ...short[0]! >= 0x80 ? [Uint8Array.of(0)] : [], short);
  },
  boolean: (value: boolean) => element(TAG.boolean, Uint8Array.of(value ? 0xff : 0)),
  octetString: (octets: Uint8Array) => element(TAG.octetString, octets),
  /** @param unused Bits of the last octet that do not count. */
  bitString: (octets: Uint8Array, unused = 0) =>
    element(TAG.bitString, Uint8Array.of(unused), octets),
  oid: (value: string) => written(new asn1.ObjectIdentifier({ value })),
  utf8: (value: string) => written(new asn1.Utf8String({ value })),
  null: () => element(TAG.null),
  /** With two digits of the year until 2049, with four from then on. RFC 5280, 4.1.2.5 */
  time(epoch: number): Uint8Array {
    const text = new Date(epoch).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
    const late = new Date(epoch).getUTCFullYear() > 2049;
    const octets = new TextEncoder().encode(late ? text : text.slice(2));
    return element(late ? TAG.generalizedTime : TAG.utcTime, octets);
  },
} as const;

/** Epoch milliseconds of a time, in the form that DER gives it; undefined when it is none. */
export function timeOf(node: Node | undefined): number | undefined {
  if (!node || node.context) return undefined;
  const text = new TextDecoder().decode(node.content);
  const match = node.tag === TAG.utcTime
    ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
    : node.tag === TAG.generalizedTime
    ? /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text)
    : null;
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const full = node.tag === TAG.utcTime ? year + (year < 50 ? 2000 : 1900) : year;
  const epoch = Date.UTC(full, month - 1, day, hour, minute, second);
  const date = new Date(epoch);
  const same = date.getUTCMonth() === month - 1 && date.getUTCDate() === day &&
    date.getUTCHours() === hour && date.getUTCMinutes() === minute;
  return same ? epoch : undefined;
}

/** Octets as PEM. RFC 7468 */
export function toPem(label: string, octets: Uint8Array): string {
  const lines = octets.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Everything of that label in a PEM text. What cannot be read is left out. */
export function fromPem(label: string, text: string): Uint8Array[] {
  const pattern = new RegExp(`-----BEGIN ${label}-----([^-]+)-----END ${label}-----`, "g");
  return [...text.matchAll(pattern)].flatMap(([, body]) => {
    try {
      return [Uint8Array.fromBase64(body!)];
    } catch (error) {
      if (error instanceof SyntaxError) return [];
      throw error;
    }
  });
}
