/**
 * Tags and lengths of BER, as far as MMS and GOOSE use them: tags of one octet, lengths of one to
 * three. ITU-T X.690 §8.1.
 * @module
 */
import type { Malformed } from "../base/errors.ts";

/** One element: a tag, and where its contents are. */
export interface Tlv {
  readonly kind: "tlv";
  readonly tag: number;
  /** Offset of the tag. */
  readonly at: number;
  /** Offset of the first octet of the contents. */
  readonly start: number;
  /** Offset behind the contents: where the next element begins. */
  readonly end: number;
}

/** Tag numbers from 31 on take further octets; nothing here uses them. X.690 §8.1.2.4 */
const HIGH_TAG = 0x1f;

/**
 * Reads the element at `at`, which has to end at or before `end`.
 *
 * @returns Malformed `ber.tag`, `ber.length` (a form that is not used, or cut off) or `ber.overrun`
 * (longer than what it is in).
 */
export function readTlv(octets: Uint8Array, at: number, end: number): Tlv | Malformed {
  const tag = octets[at];
  if (tag === undefined || at >= end) return malformed("ber.tag", at);
  if ((tag & HIGH_TAG) === HIGH_TAG) return malformed("ber.tag", at);
  const first = at + 1 < end ? octets[at + 1]! : 0x80;
  let start = at + 2;
  let length = first;
  if (first > 0x80 && first <= 0x82) {
    const count = first - 0x80;
    start += count;
    if (start > end) return malformed("ber.length", at + 1);
    length = count === 1 ? octets[at + 2]! : octets[at + 2]! * 256 + octets[at + 3]!;
  } else if (first >= 0x80) return malformed("ber.length", at + 1);
  if (start + length > end) return malformed("ber.overrun", at + 1);
  return { kind: "tlv", tag, at, start, end: start + length };
}

/** What a decoder says of octets that are not the standard's. */
export function malformed(code: string, offset: number): Malformed {
  return { kind: "malformed", code, offset };
}

/** The unsigned number in 1 to 5 octets, at most 2^32 - 1; undefined when it is none. */
export function readUint32(octets: Uint8Array, start: number, end: number): number | undefined {
  if (end <= start || end - start > 5) return undefined;
  let value = 0;
  for (let at = start; at < end; at += 1) value = value * 256 + octets[at]!;
  return value <= 0xffff_ffff ? value : undefined;
}

/** The number in 1 to 9 octets, two's complement if `signed`; undefined when it is none. */
export function readInteger(
  octets: Uint8Array,
  start: number,
  end: number,
  signed: boolean,
): number | bigint | undefined {
  if (end <= start || end - start > 9) return undefined;
  let value = 0n;
  for (let at = start; at < end; at += 1) value = (value << 8n) | BigInt(octets[at]!);
  if (signed) value = BigInt.asIntN((end - start) * 8, value);
  const short = Number(value);
  return Number.isSafeInteger(short) ? short : value;
}

const SIZE_START = 512;

/**
 * Writes elements from the last octet to the first, so that every length is known when its turn
 * comes. It grows as needed.
 */
export class BerWriter {
  #octets = new Uint8Array(SIZE_START);
  #at = SIZE_START;

  /** How much has been written. Keep it before the contents of an element, for {@linkcode close}. */
  get length(): number {
    return this.#octets.length - this.#at;
  }

  /** Puts one octet in front. */
  octet(value: number): void {
    this.#room(1);
    this.#octets[this.#at] = value;
  }

  /** Puts octets in front. */
  octets(values: ArrayLike<number>): void {
    this.#room(values.length);
    this.#octets.set(values, this.#at);
  }

  /** Puts tag and length in front of what was written since `length` was `mark`. */
  close(tag: number, mark: number): void {
    const length = this.length - mark;
    if (length < 0x80) this.octet(length);
    else if (length < 0x100) this.octets([0x81, length]);
    else this.octets([0x82, length >>> 8, length & 0xff]);
    this.octet(tag);
  }

  /** An element with these contents. */
  element(tag: number, contents: ArrayLike<number>): void {
    const mark = this.length;
    this.octets(contents);
    this.close(tag, mark);
  }

  /**
   * An integer: in as few octets as its sign allows, or in at least `least`.
   *
   * @param value Below 2^71 in size.
   */
  integer(tag: number, value: number | bigint, least = 1): void {
    const mark = this.length;
    let rest = BigInt(value);
    for (let count = 1; count < 10; count += 1) {
      const low = Number(rest & 0xffn);
      this.octet(low);
      rest >>= 8n;
      const done = (rest === 0n && low < 0x80) || (rest === -1n && low >= 0x80);
      if (done && count >= least) break;
    }
    this.close(tag, mark);
  }

  /** A copy of all that was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#octets.slice(this.#at);
  }

  #room(count: number): void {
    if (this.#at < count) {
      const used = this.length;
      const larger = new Uint8Array((used + count) * 2);
      larger.set(this.#octets.subarray(this.#at), larger.length - used);
      this.#octets = larger;
      this.#at = larger.length - used;
    }
    this.#at -= count;
  }
}
