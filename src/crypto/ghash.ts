/**
 * GHASH: the polynomial hash of GCM (NIST SP 800-38D, 6.4), with a table for each nibble of a block
 * and without big numbers.
 * @module
 */

const BLOCK = 16;
const NIBBLES = 32;
/** x^128 + x^7 + x^2 + x + 1, its low coefficients in the highest bits. */
const REDUCTION = 0xe1000000;

/** The hash of one key: 8 KiB of tables. */
export class Ghash implements Disposable {
  /** Of each nibble's place and value four words: the nibble times the key. */
  readonly #table = new Int32Array(NIBBLES * 16 * 4);
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** @param key H, 16 octets. */
  constructor(key: Uint8Array) {
    const word = (at: number) =>
      key[at]! << 24 | key[at + 1]! << 16 | key[at + 2]! << 8 | key[at + 3]!;
    let [a, b, c, d] = [word(0), word(4), word(8), word(12)];
    const table = this.#table;
    for (let place = 0; place < NIBBLES; place += 1) {
      for (let bit = 8; bit > 0; bit >>= 1) {
        for (let value = 0; value < 16; value += 1) {
          if ((value & bit) === 0) continue;
          const at = (place * 16 + value) * 4;
          table[at]! ^= a;
          table[at + 1]! ^= b;
          table[at + 2]! ^= c;
          table[at + 3]! ^= d;
        }
        // Times x: the bits move to the right, and what falls out comes back reduced.
        const out = d & 1;
        d = d >>> 1 | c << 31;
        c = c >>> 1 | b << 31;
        b = b >>> 1 | a << 31;
        a = a >>> 1 ^ (out === 0 ? 0 : REDUCTION);
      }
    }
  }

  /** Begins anew. */
  reset(): void {
    this.#a =
      this.#b =
      this.#c =
      this.#d =
        0;
  }

  /** Takes octets; a last block that is not full is filled with zeros. */
  update(octets: Uint8Array, from: number, end: number): void {
    let at = from;
    for (; at + BLOCK <= end; at += BLOCK) {
      this.#a ^= octets[at]! << 24 | octets[at + 1]! << 16 | octets[at + 2]! << 8 | octets[at + 3]!;
      this.#b ^= octets[at + 4]! << 24 | octets[at + 5]! << 16 | octets[at + 6]! << 8 |
        octets[at + 7]!;
      this.#c ^= octets[at + 8]! << 24 | octets[at + 9]! << 16 | octets[at + 10]! << 8 |
        octets[at + 11]!;
      this.#d ^= octets[at + 12]! << 24 | octets[at + 13]! << 16 | octets[at + 14]! << 8 |
        octets[at + 15]!;
      this.#multiply();
    }
    if (at === end) return;
    const word = (place: number) => {
      let bits = 0;
      for (let index = 0; index < 4; index += 1) {
        const where = at + place + index;
        bits = bits << 8 | (where < end ? octets[where]! : 0);
      }
      return bits;
    };
    this.#a ^= word(0);
    this.#b ^= word(4);
    this.#c ^= word(8);
    this.#d ^= word(12);
    this.#multiply();
  }

  /** Takes the lengths, in octets, of the two parts, and writes the hash at `to`. */
  finish(first: number, second: number, target: Uint8Array, to: number): void {
    this.#a ^= Math.floor(first / 2 ** 29);
    this.#b ^= first * 8 | 0;
    this.#c ^= Math.floor(second / 2 ** 29);
    this.#d ^= second * 8 | 0;
    this.#multiply();
    let at = to;
    for (const word of [this.#a, this.#b, this.#c, this.#d]) {
      for (let shift = 24; shift >= 0; shift -= 8) target[at++] = word >>> shift;
    }
  }

  /** Forgets the key. */
  [Symbol.dispose](): void {
    this.#table.fill(0);
    this.reset();
  }

  #multiply(): void {
    const table = this.#table;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let at = 0;
    let word = this.#a;
    for (let place = 0; place < NIBBLES; place += 8) {
      for (let shift = 28; shift >= 0; shift -= 4) {
        const entry = at + (word >>> shift & 15) * 4;
        a ^= table[entry]!;
        b ^= table[entry + 1]!;
        c ^= table[entry + 2]!;
        d ^= table[entry + 3]!;
        at += 64;
      }
      word = place === 0 ? this.#b : place === 8 ? this.#c : this.#d;
    }
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }
}
