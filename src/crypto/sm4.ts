/**
 * SM4: the block cipher of GB/T 32907-2016, in TypeScript, with tables. It works in place, without
 * allocation per block. Its table look-ups depend on secrets: where the time of a look-up can be
 * measured from outside, the WebAssembly kernel is the one to use.
 * @module
 */
import { BugError } from "../base/errors.ts";

/** Octets of a block, and of a key. */
export const SM4_BLOCK = 16;
const ROUNDS = 32;

/** The field of the S-box: x^8 + x^7 + x^6 + x^5 + x^4 + x^2 + 1. */
const MODULUS = 0x1f5;

/** The product of two elements of that field. */
export function sm4Product(one: number, other: number): number {
  let sum = 0;
  for (let left = one, bits = other; bits > 0; bits >>= 1) {
    if (bits & 1) sum ^= left;
    left <<= 1;
    if (left & 0x100) left ^= MODULUS;
  }
  return sum;
}

/** Multiplication by the matrix whose rows are 0xd3 turned: bits 0, 1, 3, 6, 7 summed. */
export function sm4Affine(value: number): number {
  const turned = (by: number) => (value << by | value >> (8 - by)) & 0xff;
  return turned(0) ^ turned(1) ^ turned(3) ^ turned(6) ^ turned(7);
}

/** Computed and not copied: an inverse in the field between two affine maps. */
export const SM4_SBOX: Uint8Array = Uint8Array.from({ length: 256 }, (_, x) => {
  const value = sm4Affine(x) ^ 0xd3;
  let inverse = 1;
  for (let power = 0; power < 254; power += 1) inverse = sm4Product(inverse, value);
  return sm4Affine(value === 0 ? 0 : inverse) ^ 0xd3;
});

function turn(word: number, by: number): number {
  return word << by | word >>> (32 - by);
}

/** The S-box and the linear map L together, for each octet of a word. */
const tables = [24, 16, 8, 0].map((shift) =>
  Int32Array.from(SM4_SBOX, (octet) => {
    const word = octet << shift;
    return word ^ turn(word, 2) ^ turn(word, 10) ^ turn(word, 18) ^ turn(word, 24);
  })
);
const [T0, T1, T2, T3] = tables as [Int32Array, Int32Array, Int32Array, Int32Array];

/** FK and CK of GB/T 32907, 7.3. */
const FK = [0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc] as const;
const CK = Int32Array.from({ length: ROUNDS }, (_, round) => {
  let word = 0;
  for (let octet = 0; octet < 4; octet += 1) word = word << 8 | ((4 * round + octet) * 7 & 0xff);
  return word;
});

function wordAt(octets: Uint8Array, at: number): number {
  return octets[at]! << 24 | octets[at + 1]! << 16 | octets[at + 2]! << 8 | octets[at + 3]!;
}

/** The round keys of a key. @throws BugError for a key that has not 16 octets. */
export function sm4RoundKeys(key: Uint8Array): Int32Array {
  if (key.length !== SM4_BLOCK) {
    throw new BugError("crypto.sm4.key", `A key of SM4 has 16 octets, not ${key.length}`);
  }
  const words = FK.map((word, index) => word ^ wordAt(key, 4 * index));
  const keys = new Int32Array(ROUNDS);
  for (let round = 0; round < ROUNDS; round += 1) {
    const mixed = words[1]! ^ words[2]! ^ words[3]! ^ CK[round]!;
    const boxed = SM4_SBOX[mixed >>> 24]! << 24 | SM4_SBOX[mixed >>> 16 & 0xff]! << 16 |
      SM4_SBOX[mixed >>> 8 & 0xff]! << 8 | SM4_SBOX[mixed & 0xff]!;
    const next = words[0]! ^ boxed ^ turn(boxed, 13) ^ turn(boxed, 23);
    keys[round] = next;
    words.shift();
    words.push(next);
  }
  words.fill(0);
  return keys;
}

/** A key that is ready for use. */
export class Sm4 implements Disposable {
  readonly #forward: Int32Array;
  readonly #backward: Int32Array;
  /** The last block, as words: what {@linkcode crypt} has made. */
  readonly #out = new Int32Array(4);

  constructor(key: Uint8Array) {
    this.#forward = sm4RoundKeys(key);
    this.#backward = this.#forward.slice().reverse();
  }

  /** Encrypts one block. `target` may be `source`. */
  encrypt(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
    this.#block(this.#forward, source, from, target, to);
  }

  /** Decrypts one block. `target` may be `source`. */
  decrypt(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
    this.#block(this.#backward, source, from, target, to);
  }

  /** Encrypts or decrypts so many blocks, each by itself. `target` may be `source`. */
  blocks(
    way: "encrypt" | "decrypt",
    source: Uint8Array,
    from: number,
    target: Uint8Array,
    to: number,
    count: number,
  ): void {
    const keys = way === "encrypt" ? this.#forward : this.#backward;
    for (let at = 0; at < count * SM4_BLOCK; at += SM4_BLOCK) {
      this.#block(keys, source, from + at, target, to + at);
    }
  }

  /**
   * Encrypts blocks, each with the one before: CBC.
   * @param start 16 octets; afterwards the last block.
   */
  chain(start: Uint8Array, source: Uint8Array, target: Uint8Array): void {
    const out = this.#out;
    const keys = this.#forward;
    for (let word = 0; word < 4; word += 1) out[word] = wordAt(start, 4 * word);
    for (let at = 0; at < source.length; at += SM4_BLOCK) {
      rounds(
        keys,
        out[0]! ^ wordAt(source, at),
        out[1]! ^ wordAt(source, at + 4),
        out[2]! ^ wordAt(source, at + 8),
        out[3]! ^ wordAt(source, at + 12),
        out,
      );
      putWords(out, target, at);
    }
    putWords(out, start, 0);
  }

  /**
   * Adds the key stream of a counter block to octets, from one block's beginning on; the counter is
   * the block's last word and wraps by itself.
   * @param counter 16 octets; afterwards the block behind the last one that was used.
   */
  stream(
    counter: Uint8Array,
    source: Uint8Array,
    from: number,
    end: number,
    target: Uint8Array,
    to: number,
  ): void {
    const out = this.#out;
    const keys = this.#forward;
    const a = wordAt(counter, 0);
    const b = wordAt(counter, 4);
    const c = wordAt(counter, 8);
    let d = wordAt(counter, 12);
    let put = to;
    for (let at = from; at < end; at += SM4_BLOCK, put += SM4_BLOCK) {
      rounds(keys, a, b, c, d, out);
      d = d + 1 | 0;
      const left = end - at;
      if (left >= SM4_BLOCK) {
        for (let word = 0; word < 4; word += 1) {
          const mask = out[word]!;
          const place = 4 * word;
          target[put + place] = source[at + place]! ^ mask >>> 24;
          target[put + place + 1] = source[at + place + 1]! ^ mask >>> 16;
          target[put + place + 2] = source[at + place + 2]! ^ mask >>> 8;
          target[put + place + 3] = source[at + place + 3]! ^ mask;
        }
      } else {
        for (let index = 0; index < left; index += 1) {
          target[put + index] = source[at + index]! ^ out[index >> 2]! >>> (24 - 8 * (index & 3));
        }
      }
    }
    for (let index = 0; index < 4; index += 1) counter[12 + index] = d >>> (24 - 8 * index);
    out.fill(0);
  }

  /** Forgets the key. */
  [Symbol.dispose](): void {
    this.#forward.fill(0);
    this.#backward.fill(0);
    this.#out.fill(0);
  }

  #block(
    keys: Int32Array,
    source: Uint8Array,
    from: number,
    target: Uint8Array,
    to: number,
  ): void {
    const out = this.#out;
    const b = wordAt(source, from + 4);
    const c = wordAt(source, from + 8);
    rounds(keys, wordAt(source, from), b, c, wordAt(source, from + 12), out);
    putWords(out, target, to);
  }
}

function putWords(words: Int32Array, target: Uint8Array, to: number): void {
  for (let index = 0; index < 4; index += 1) {
    const word = words[index]!;
    const put = to + 4 * index;
    target[put] = word >>> 24;
    target[put + 1] = word >>> 16;
    target[put + 2] = word >>> 8;
    target[put + 3] = word;
  }
}

/** The 32 rounds of one block. GB/T 32907, 7.1 */
function rounds(
  keys: Int32Array,
  first: number,
  second: number,
  third: number,
  fourth: number,
  out: Int32Array,
): void {
  let a = first;
  let b = second;
  let c = third;
  let d = fourth;
  let x = 0;
  for (let round = 0; round < ROUNDS; round += 4) {
    // What has just been made enters last: the rest is ready by then.
    x = b ^ c ^ keys[round]! ^ d;
    a ^= T0[x >>> 24]! ^ T1[x >>> 16 & 0xff]! ^ T2[x >>> 8 & 0xff]! ^ T3[x & 0xff]!;
    x = c ^ d ^ keys[round + 1]! ^ a;
    b ^= T0[x >>> 24]! ^ T1[x >>> 16 & 0xff]! ^ T2[x >>> 8 & 0xff]! ^ T3[x & 0xff]!;
    x = d ^ a ^ keys[round + 2]! ^ b;
    c ^= T0[x >>> 24]! ^ T1[x >>> 16 & 0xff]! ^ T2[x >>> 8 & 0xff]! ^ T3[x & 0xff]!;
    x = a ^ b ^ keys[round + 3]! ^ c;
    d ^= T0[x >>> 24]! ^ T1[x >>> 16 & 0xff]! ^ T2[x >>> 8 & 0xff]! ^ T3[x & 0xff]!;
  }
  out[0] = d;
  out[1] = c;
  out[2] = b;
  out[3] = a;
}
