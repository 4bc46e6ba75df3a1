/**
 * Authenticated encryption with SM4: GCM (NIST SP 800-38D) and CCM (SP 800-38C), as RFC 8998 uses
 * them: nonces of 12 octets, tags of 16.
 * @module
 */
import { BugError } from "../base/errors.ts";
import { Ghash } from "./ghash.ts";
import { Sm4, SM4_BLOCK } from "./sm4.ts";

/** Octets of a nonce. */
export const NONCE_SIZE = 12;
/** Octets of a tag. */
export const TAG_SIZE = 16;

/**
 * A key for messages that nobody can read or change unseen. A nonce must never come twice with one
 * key.
 */
export interface Aead extends Disposable {
  /**
   * Encrypts `source[from … end)` to `target` at `to`, with the tag behind it. The target may be
   * the source, at the same place or before it.
   * @returns Where the tag ends.
   * @throws BugError when the target has no room, overlaps otherwise, or the nonce has not 12
   * octets.
   */
  seal(
    nonce: Uint8Array,
    extra: Uint8Array,
    source: Uint8Array,
    from: number,
    end: number,
    target: Uint8Array,
    to: number,
  ): number;
  /**
   * Decrypts `source[from … end)`, whose last 16 octets are the tag. Nothing is written unless the
   * tag holds.
   * @returns Where the text ends; -1 when the tag is wrong.
   * @throws BugError as {@linkcode Aead.seal}.
   */
  open(
    nonce: Uint8Array,
    extra: Uint8Array,
    source: Uint8Array,
    from: number,
    end: number,
    target: Uint8Array,
    to: number,
  ): number;
}

/** Checks what no caller may get wrong. @param written Octets that are written. */
export function checkCall(
  nonce: Uint8Array,
  source: Uint8Array,
  from: number,
  end: number,
  target: Uint8Array,
  to: number,
  written: number,
): void {
  if (nonce.length !== NONCE_SIZE) {
    throw new BugError("crypto.aead.nonce", `A nonce has 12 octets, not ${nonce.length}`);
  }
  if (from < 0 || from > end || end > source.length || to < 0 || to + written > target.length) {
    throw new BugError("crypto.aead.room", "Source or target are shorter than that", {
      ...{ from, end, to, written, source: source.length, target: target.length },
    });
  }
  if (source.buffer !== target.buffer) return;
  const [reads, writes] = [source.byteOffset + from, target.byteOffset + to];
  const apart = writes + written <= reads || reads + (end - from) <= writes;
  if (writes > reads && !apart) {
    throw new BugError("crypto.aead.overlap", "The target overwrites what is still to be read");
  }
}

/** Whether two tags are the same, in a time that does not tell where they differ. */
export function sameTag(one: Uint8Array, at: number, other: Uint8Array, place: number): boolean {
  let difference = 0;
  for (let index = 0; index < TAG_SIZE; index += 1) {
    difference |= one[at + index]! ^ other[place + index]!;
  }
  return difference === 0;
}

/** SM4-GCM in TypeScript. */
export class Sm4Gcm implements Aead {
  readonly #cipher: Sm4;
  readonly #hash: Ghash;
  readonly #counter = new Uint8Array(SM4_BLOCK);
  readonly #mask = new Uint8Array(SM4_BLOCK);
  readonly #tag = new Uint8Array(SM4_BLOCK);

  constructor(key: Uint8Array) {
    this.#cipher = new Sm4(key);
    const block = new Uint8Array(SM4_BLOCK);
    this.#cipher.encrypt(block, 0, block, 0);
    this.#hash = new Ghash(block);
    block.fill(0);
  }

  seal(
    ...[nonce, extra, source, from, end, target, to]: Parameters<Aead["seal"]>
  ): number {
    const size = end - from;
    checkCall(nonce, source, from, end, target, to, size + TAG_SIZE);
    this.#begin(nonce);
    this.#cipher.stream(this.#counter, source, from, end, target, to);
    this.#tagOf(extra, target, to, to + size);
    target.set(this.#tag, to + size);
    return to + size + TAG_SIZE;
  }

  open(
    ...[nonce, extra, source, from, end, target, to]: Parameters<Aead["open"]>
  ): number {
    const tagAt = end - TAG_SIZE;
    if (tagAt < from) return -1;
    checkCall(nonce, source, from, tagAt, target, to, tagAt - from);
    this.#begin(nonce);
    this.#tagOf(extra, source, from, tagAt);
    if (!sameTag(this.#tag, 0, source, tagAt)) return -1;
    this.#cipher.stream(this.#counter, source, from, tagAt, target, to);
    return to + tagAt - from;
  }

  [Symbol.dispose](): void {
    this.#cipher[Symbol.dispose]();
    this.#hash[Symbol.dispose]();
    this.#mask.fill(0);
  }

  /** J0 is the nonce and 1; it masks the tag, and the text begins with 2. */
  #begin(nonce: Uint8Array): void {
    const counter = this.#counter;
    counter.set(nonce);
    counter.fill(0, NONCE_SIZE);
    counter[SM4_BLOCK - 1] = 1;
    this.#cipher.encrypt(counter, 0, this.#mask, 0);
    counter[SM4_BLOCK - 1] = 2;
  }

  #tagOf(extra: Uint8Array, octets: Uint8Array, from: number, end: number): void {
    const hash = this.#hash;
    hash.reset();
    hash.update(extra, 0, extra.length);
    hash.update(octets, from, end);
    hash.finish(extra.length, end - from, this.#tag, 0);
    for (let index = 0; index < TAG_SIZE; index += 1) this.#tag[index]! ^= this.#mask[index]!;
  }
}

/** Octets that tell the length, with nonces of 12. SP 800-38C, A.2.1 */
const CCM_LENGTH = 15 - NONCE_SIZE;
/** Longest text. */
const CCM_MAX = 2 ** (8 * CCM_LENGTH) - 1;
const CCM_EXTRA_SHORT = 0xff00;

/** SM4-CCM in TypeScript. Slower than GCM: each octet goes through the cipher twice. */
export class Sm4Ccm implements Aead {
  readonly #cipher: Sm4;
  readonly #counter = new Uint8Array(SM4_BLOCK);
  readonly #tag = new Uint8Array(SM4_BLOCK);
  /** Octets of the block that is being summed. */
  #held = 0;

  constructor(key: Uint8Array) {
    this.#cipher = new Sm4(key);
  }

  seal(
    ...[nonce, extra, source, from, end, target, to]: Parameters<Aead["seal"]>
  ): number {
    const size = end - from;
    checkCall(nonce, source, from, end, target, to, size + TAG_SIZE);
    this.#tagOf(nonce, extra, source, from, end);
    this.#begin(nonce, 1);
    this.#cipher.stream(this.#counter, source, from, end, target, to);
    target.set(this.#tag, to + size);
    return to + size + TAG_SIZE;
  }

  /** The text is made in a place of its own first, for the tag is of the text. */
  open(
    ...[nonce, extra, source, from, end, target, to]: Parameters<Aead["open"]>
  ): number {
    const tagAt = end - TAG_SIZE;
    if (tagAt < from) return -1;
    checkCall(nonce, source, from, tagAt, target, to, tagAt - from);
    const text = new Uint8Array(tagAt - from);
    this.#begin(nonce, 1);
    this.#cipher.stream(this.#counter, source, from, tagAt, text, 0);
    this.#tagOf(nonce, extra, text, 0, text.length);
    const good = sameTag(this.#tag, 0, source, tagAt);
    if (good) target.set(text, to);
    text.fill(0);
    return good ? to + tagAt - from : -1;
  }

  [Symbol.dispose](): void {
    this.#cipher[Symbol.dispose]();
    this.#tag.fill(0);
  }

  #begin(nonce: Uint8Array, number: number): void {
    const counter = this.#counter;
    counter[0] = CCM_LENGTH - 1;
    counter.set(nonce, 1);
    counter.fill(0, 1 + NONCE_SIZE);
    counter[SM4_BLOCK - 1] = number;
  }

  /** CBC-MAC of the first block, the extra octets and the text; masked. SP 800-38C, 6.1 */
  #tagOf(
    nonce: Uint8Array,
    extra: Uint8Array,
    text: Uint8Array,
    from: number,
    end: number,
  ): void {
    const size = end - from;
    if (size > CCM_MAX) throw new BugError("crypto.aead.long", "CCM cannot take so long a text");
    if (extra.length >= CCM_EXTRA_SHORT) {
      throw new BugError("crypto.aead.extra", "CCM takes at most 65,279 octets beside the text");
    }
    const tag = this.#tag;
    tag.fill(0);
    tag[0] = (extra.length > 0 ? 0x40 : 0) | (TAG_SIZE - 2) / 2 << 3 | (CCM_LENGTH - 1);
    tag.set(nonce, 1);
    for (let index = 0; index < CCM_LENGTH; index += 1) {
      tag[SM4_BLOCK - 1 - index] = size >>> (8 * index);
    }
    this.#cipher.encrypt(tag, 0, tag, 0);
    this.#held = 0;
    if (extra.length > 0) {
      this.#sum(Uint8Array.of(extra.length >> 8, extra.length), 0, 2);
      this.#sum(extra, 0, extra.length);
      this.#fill();
    }
    this.#sum(text, from, end);
    this.#fill();
    this.#begin(nonce, 0);
    this.#cipher.stream(this.#counter, tag, 0, SM4_BLOCK, tag, 0);
  }

  #sum(octets: Uint8Array, from: number, end: number): void {
    const tag = this.#tag;
    for (let at = from; at < end; at += 1) {
      tag[this.#held]! ^= octets[at]!;
      this.#held += 1;
      if (this.#held === SM4_BLOCK) this.#fill();
    }
  }

  #fill(): void {
    if (this.#held === 0) return;
    this.#cipher.encrypt(this.#tag, 0, this.#tag, 0);
    this.#held = 0;
  }
}
