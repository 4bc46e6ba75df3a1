/**
 * SHA-256 and HMAC-SHA-256 for the byte plane: synchronous, over octets where they lie, and without
 * allocation per message. FIPS 180-4 §6.2, RFC 2104. The platform's own hash is faster for long
 * messages, but every call of it allocates.
 * @module
 */
import type { Authenticator } from "../base/authenticator.ts";

/** Octets of a digest. */
export const DIGEST_SIZE = 32;
const BLOCK = 64;

/** Fractional parts of the cube roots of the first 64 primes. FIPS 180-4 §4.2.2 */
const K = Int32Array.from({ length: 64 }, (_, index) => fraction(Math.cbrt(prime(index))));
/** Fractional parts of the square roots of the first 8 primes. FIPS 180-4 §5.3.3 */
const START = Int32Array.from({ length: 8 }, (_, index) => fraction(Math.sqrt(prime(index))));

function prime(index: number): number {
  let found = -1;
  for (let number = 2;; number += 1) {
    let divides = false;
    for (let by = 2; by * by <= number; by += 1) divides ||= number % by === 0;
    if (!divides) found += 1;
    if (found === index) return number;
  }
}

function fraction(root: number): number {
  return Math.floor((root % 1) * 2 ** 32) | 0;
}

/** Hashes one message after the other. */
export class Sha256 {
  readonly #state = new Int32Array(8);
  readonly #words = new Int32Array(64);
  readonly #tail = new Uint8Array(2 * BLOCK);

  /**
   * Hashes octets and writes the digest.
   *
   * @param target Gets the first `size` octets of the digest at `to`.
   */
  digest(
    octets: Uint8Array,
    from: number,
    end: number,
    target: Uint8Array,
    to: number,
    size = DIGEST_SIZE,
  ): void {
    this.#state.set(START);
    this.finish(this.#state, octets, from, end, 0);
    writeDigest(this.#state, target, to, size);
  }

  /** The state after one block, from the start. For {@linkcode HmacSha256}. */
  firstBlock(block: Uint8Array): Int32Array {
    const state = START.slice();
    this.#compress(state, block, 0);
    return state;
  }

  /** Hashes the rest of a message of which `before` octets are in `state` already. */
  finish(state: Int32Array, octets: Uint8Array, from: number, end: number, before: number): void {
    let at = from;
    for (; at + BLOCK <= end; at += BLOCK) this.#compress(state, octets, at);
    const tail = this.#tail;
    const left = end - at;
    for (let index = 0; index < left; index += 1) tail[index] = octets[at + index]!;
    const size = left < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    tail.fill(0, left, size);
    tail[left] = 0x80;
    const bits = (before + end - from) * 8;
    const high = Math.floor(bits / 2 ** 32);
    for (let index = 0; index < 4; index += 1) {
      tail[size - 8 + index] = high >>> (24 - 8 * index);
      tail[size - 4 + index] = bits >>> (24 - 8 * index);
    }
    this.#compress(state, tail, 0);
    if (size > BLOCK) this.#compress(state, tail, BLOCK);
  }

  /** The 64 words of a block. FIPS 180-4 §6.2.2, step 1 */
  #expand(octets: Uint8Array, at: number): void {
    const w = this.#words;
    for (let t = 0, from = at; t < 16; t += 1, from += 4) {
      w[t] = (octets[from]! << 24) | (octets[from + 1]! << 16) | (octets[from + 2]! << 8) |
        octets[from + 3]!;
    }
    for (let t = 16; t < 64; t += 1) {
      const x = w[t - 15]!;
      const y = w[t - 2]!;
      const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[t] = (w[t - 16]! + low + w[t - 7]! + high) | 0;
    }
  }

  /** Takes one block into the state. FIPS 180-4 §6.2.2, steps 2 to 4 */
  #compress(state: Int32Array, octets: Uint8Array, at: number): void {
    this.#expand(octets, at);
    const w = this.#words;
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    // Eight rounds at a time, so that the variables change their roles instead of their values.
    for (let t = 0; t < 64; t += 8) {
      h = (h + ((((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21))) ^ ((e >>> 25) | (e << 7))) +
        (g ^ (e & (f ^ g))) + K[t]! + w[t]!) | 0;
      d = (d + h) | 0;
      h = (h + ((((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19))) ^ ((a >>> 22) | (a << 10))) +
        ((a & b) ^ (c & (a ^ b)))) | 0;
      g = (g + ((((d >>> 6) | (d << 26)) ^ ((d >>> 11) | (d << 21))) ^ ((d >>> 25) | (d << 7))) +
        (f ^ (d & (e ^ f))) + K[t + 1]! + w[t + 1]!) | 0;
      c = (c + g) | 0;
      g = (g + ((((h >>> 2) | (h << 30)) ^ ((h >>> 13) | (h << 19))) ^ ((h >>> 22) | (h << 10))) +
        ((h & a) ^ (b & (h ^ a)))) | 0;
      f = (f + ((((c >>> 6) | (c << 26)) ^ ((c >>> 11) | (c << 21))) ^ ((c >>> 25) | (c << 7))) +
        (e ^ (c & (d ^ e))) + K[t + 2]! + w[t + 2]!) | 0;
      b = (b + f) | 0;
      f = (f + ((((g >>> 2) | (g << 30)) ^ ((g >>> 13) | (g << 19))) ^ ((g >>> 22) | (g << 10))) +
        ((g & h) ^ (a & (g ^ h)))) | 0;
      e = (e + ((((b >>> 6) | (b << 26)) ^ ((b >>> 11) | (b << 21))) ^ ((b >>> 25) | (b << 7))) +
        (d ^ (b & (c ^ d))) + K[t + 3]! + w[t + 3]!) | 0;
      a = (a + e) | 0;
      e = (e + ((((f >>> 2) | (f << 30)) ^ ((f >>> 13) | (f << 19))) ^ ((f >>> 22) | (f << 10))) +
        ((f & g) ^ (h & (f ^ g)))) | 0;
      d = (d + ((((a >>> 6) | (a << 26)) ^ ((a >>> 11) | (a << 21))) ^ ((a >>> 25) | (a << 7))) +
        (c ^ (a & (b ^ c))) + K[t + 4]! + w[t + 4]!) | 0;
      h = (h + d) | 0;
      d = (d + ((((e >>> 2) | (e << 30)) ^ ((e >>> 13) | (e << 19))) ^ ((e >>> 22) | (e << 10))) +
        ((e & f) ^ (g & (e ^ f)))) | 0;
      c = (c + ((((h >>> 6) | (h << 26)) ^ ((h >>> 11) | (h << 21))) ^ ((h >>> 25) | (h << 7))) +
        (b ^ (h & (a ^ b))) + K[t + 5]! + w[t + 5]!) | 0;
      g = (g + c) | 0;
      c = (c + ((((d >>> 2) | (d << 30)) ^ ((d >>> 13) | (d << 19))) ^ ((d >>> 22) | (d << 10))) +
        ((d & e) ^ (f & (d ^ e)))) | 0;
      b = (b + ((((g >>> 6) | (g << 26)) ^ ((g >>> 11) | (g << 21))) ^ ((g >>> 25) | (g << 7))) +
        (a ^ (g & (h ^ a))) + K[t + 6]! + w[t + 6]!) | 0;
      f = (f + b) | 0;
      b = (b + ((((c >>> 2) | (c << 30)) ^ ((c >>> 13) | (c << 19))) ^ ((c >>> 22) | (c << 10))) +
        ((c & d) ^ (e & (c ^ d)))) | 0;
      a = (a + ((((f >>> 6) | (f << 26)) ^ ((f >>> 11) | (f << 21))) ^ ((f >>> 25) | (f << 7))) +
        (h ^ (f & (g ^ h))) + K[t + 7]! + w[t + 7]!) | 0;
      e = (e + a) | 0;
      a = (a + ((((b >>> 2) | (b << 30)) ^ ((b >>> 13) | (b << 19))) ^ ((b >>> 22) | (b << 10))) +
        ((b & c) ^ (d & (b ^ c)))) | 0;
    }
    state[0] = (state[0]! + a) | 0;
    state[1] = (state[1]! + b) | 0;
    state[2] = (state[2]! + c) | 0;
    state[3] = (state[3]! + d) | 0;
    state[4] = (state[4]! + e) | 0;
    state[5] = (state[5]! + f) | 0;
    state[6] = (state[6]! + g) | 0;
    state[7] = (state[7]! + h) | 0;
  }
}

/** HMAC-SHA-256 with one key. */
export class HmacSha256 implements Authenticator {
  readonly #hash = new Sha256();
  readonly #inner: Int32Array;
  readonly #outer: Int32Array;
  readonly #state = new Int32Array(8);
  readonly #digest = new Uint8Array(DIGEST_SIZE);

  /** @param key Any length; longer than 64 octets it is hashed first. */
  constructor(key: Uint8Array) {
    const block = new Uint8Array(BLOCK);
    if (key.length > BLOCK) this.#hash.digest(key, 0, key.length, block, 0);
    else block.set(key);
    this.#inner = this.#hash.firstBlock(block.map((octet) => octet ^ 0x36));
    this.#outer = this.#hash.firstBlock(block.map((octet) => octet ^ 0x5c));
  }

  /** Writes the first `size` octets of the tag of `octets[from … end)` at `to`. */
  sign(
    octets: Uint8Array,
    from: number,
    end: number,
    target: Uint8Array,
    to: number,
    size: number,
  ): void {
    this.#compute(octets, from, end);
    for (let index = 0; index < size; index += 1) target[to + index] = this.#digest[index]!;
  }

  /** Whether the `size` octets at `tagAt` are the tag. The time does not depend on where they differ. */
  verify(octets: Uint8Array, from: number, end: number, tagAt: number, size: number): boolean {
    this.#compute(octets, from, end);
    let difference = 0;
    for (let index = 0; index < size; index += 1) {
      difference |= this.#digest[index]! ^ octets[tagAt + index]!;
    }
    return difference === 0;
  }

  #compute(octets: Uint8Array, from: number, end: number): void {
    const state = this.#state;
    state.set(this.#inner);
    this.#hash.finish(state, octets, from, end, BLOCK);
    writeDigest(state, this.#digest, 0, DIGEST_SIZE);
    state.set(this.#outer);
    this.#hash.finish(state, this.#digest, 0, DIGEST_SIZE, BLOCK);
    writeDigest(state, this.#digest, 0, DIGEST_SIZE);
  }
}

function writeDigest(state: Int32Array, target: Uint8Array, to: number, size: number): void {
  for (let index = 0; index < size; index += 1) {
    target[to + index] = state[index >> 2]! >>> (24 - 8 * (index & 3));
  }
}
