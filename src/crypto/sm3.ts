/**
 * SM3: the hash of GB/T 32905-2016, and HMAC with it (RFC 2104). Over octets where they lie, and
 * without allocation per block.
 * @module
 */

/** Octets of a digest. */
export const SM3_SIZE = 32;
/** Octets of a block. */
export const SM3_BLOCK = 64;

/** GB/T 32905, 4.1. */
const START = Int32Array.of(
  0x7380166f,
  0x4914b2b9,
  0x172442d7,
  0xda8a0600,
  0xa96f30bc,
  0x163138aa,
  0xe38dee4d,
  0xb0fb0e4e,
);
/** T_j of 4.2, rotated left by j as each round needs it. */
const K = Int32Array.from({ length: 64 }, (_, j) => {
  const t = j < 16 ? 0x79cc4519 : 0x7a879d8a;
  const by = j % 32;
  return by === 0 ? t : (t << by) | (t >>> (32 - by));
});

/** The words of the block that is being taken; one at a time, for nothing here waits. */
const w = new Int32Array(68);

/** The words of a block. GB/T 32905, 5.3.2 */
function expand(octets: Uint8Array, at: number): void {
  for (let t = 0, from = at; t < 16; t += 1, from += 4) {
    w[t] = (octets[from]! << 24) | (octets[from + 1]! << 16) | (octets[from + 2]! << 8) |
      octets[from + 3]!;
  }
  for (let t = 16; t < 68; t += 1) {
    let y = w[t - 3]!;
    const x = w[t - 16]! ^ w[t - 9]! ^ ((y << 15) | (y >>> 17));
    y = w[t - 13]!;
    w[t] = x ^ ((x << 15) | (x >>> 17)) ^ ((x << 23) | (x >>> 9)) ^ ((y << 7) | (y >>> 25)) ^
      w[t - 6]!;
  }
}

/** The registers between the two kinds of rounds. */
const v = new Int32Array(8);

/** Takes one block into the state. GB/T 32905, 5.3.3 */
function compress(state: Int32Array, octets: Uint8Array, at: number): void {
  expand(octets, at);
  first(state);
  rest(state);
}

/** Rounds 0 to 15, four at a time, so that the registers change their roles and not their values. */
function first(state: Int32Array): void {
  let x = 0;
  let y = 0;
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let t = 0; t < 16; t += 4) {
    x = ((a << 12) | (a >>> 20)) | 0;
    y = (x + e + K[t]!) | 0;
    y = (y << 7) | (y >>> 25);
    d = (d + (a ^ b ^ c) + (y ^ x) + (w[t]! ^ w[t + 4]!)) | 0;
    x = (h + (e ^ f ^ g) + y + w[t]!) | 0;
    h = x ^ ((x << 9) | (x >>> 23)) ^ ((x << 17) | (x >>> 15));
    b = (b << 9) | (b >>> 23);
    f = (f << 19) | (f >>> 13);
    x = ((d << 12) | (d >>> 20)) | 0;
    y = (x + h + K[t + 1]!) | 0;
    y = (y << 7) | (y >>> 25);
    c = (c + (d ^ a ^ b) + (y ^ x) + (w[t + 1]! ^ w[t + 5]!)) | 0;
    x = (g + (h ^ e ^ f) + y + w[t + 1]!) | 0;
    g = x ^ ((x << 9) | (x >>> 23)) ^ ((x << 17) | (x >>> 15));
    a = (a << 9) | (a >>> 23);
    e = (e << 19) | (e >>> 13);
    x = ((c << 12) | (c >>> 20)) | 0;
    y = (x + g + K[t + 2]!) | 0;
    y = (y << 7) | (y >>> 25);
    b = (b + (c ^ d ^ a) + (y ^ x) + (w[t + 2]! ^ w[t + 6]!)) | 0;
    x = (f + (g ^ h ^ e) + y + w[t + 2]!) | 0;
    f = x ^ ((x << 9) | (x >>> 23)) ^ ((x << 17) | (x >>> 15));
    d = (d << 9) | (d >>> 23);
    h = (h << 19) | (h >>> 13);
    x = ((b << 12) | (b >>> 20)) | 0;
    y = (x + f + K[t + 3]!) | 0;
    y = (y << 7) | (y >>> 25);
    a = (a + (b ^ c ^ d) + (y ^ x) + (w[t + 3]! ^ w[t + 7]!)) | 0;
    x = (e + (f ^ g ^ h) + y + w[t + 3]!) | 0;
    e = x ^ ((x << 9) | (x >>> 23)) ^ ((x << 17) | (x >>> 15));
    c = (c << 9) | (c >>> 23);
    g = (g << 19) | (g >>> 13);
  }
  v[0] = a;
  v[1] = b;
  v[2] = c;
  v[3] = d;
  v[4] = e;
  v[5] = f;
  v[6] = g;
  v[7] = h;
}

/** Rounds 16 to 63. */
function rest(state: Int32Array): void {
  let x = 0;
  let y = 0;
  let a = v[0]!;
  let b = v[1]!;
  let c = v[2]!;
  let d = v[3]!;
  let e = v[4]!;
  let f = v[5]!;
  let g = v[6]!;
  let h = v[7]!;
  for (let t = 16; t < 64; t += 4) {
    x = ((a << 12) | (a >>> 20)) | 0;
    y = (x + e + K[t]!) | 0;
    y = (y << 7) | (y >>> 25);
    d = (d + ((a & (b | c)) | (b & c)) + (y ^ x) + (w[t]! ^ w[t + 4]!)) | 0;
    x = (h + (g ^ (e & (f ^ g))) + y + w[t]!) | 0;
    h = x ^ ((x << 9) | (x >>> 23)) ^ ((x << 17) | (x >>> 15));
    b = (b << 9) | (b >>> 23);
    f = (f << 19) | (f >>> 13);
    x = ((d << 12) | (d >>> 20)) | 0;
    y = (x + h + K[t + 1]!) | 0;
    y = (y << 7) | (y >>> 25);
    c = (c + ((d & (a | b)) | (a & b)) + (y ^ x) + (w[t + 1]! ^ w[t + 5]!)) | 0;
    x = (g + (f ^ (h & (e ^ f))) + y + w[t + 1]!) | 0;
    g = x ^ ((x << 9) | (x >>> 23)) ^ ((x << 17) | (x >>> 15));
    a = (a << 9) | (a >>> 23);
    e = (e << 19) | (e >>> 13);
    x = ((c << 12) | (c >>> 20)) | 0;
    y = (x + g + K[t + 2]!) | 0;
    y = (y << 7) | (y >>> 25);
    b = (b + ((c & (d | a)) | (d & a)) + (y ^ x) + (w[t + 2]! ^ w[t + 6]!)) | 0;
    x = (f + (e ^ (g & (h ^ e))) + y + w[t + 2]!) | 0;
    f = x ^ ((x << 9) | (x >>> 23)) ^ ((x << 17) | (x >>> 15));
    d = (d << 9) | (d >>> 23);
    h = (h << 19) | (h >>> 13);
    x = ((b << 12) | (b >>> 20)) | 0;
    y = (x + f + K[t + 3]!) | 0;
    y = (y << 7) | (y >>> 25);
    a = (a + ((b & (c | d)) | (c & d)) + (y ^ x) + (w[t + 3]! ^ w[t + 7]!)) | 0;
    x = (e + (h ^ (f & (g ^ h))) + y + w[t + 3]!) | 0;
    e = x ^ ((x << 9) | (x >>> 23)) ^ ((x << 17) | (x >>> 15));
    c = (c << 9) | (c >>> 23);
    g = (g << 19) | (g >>> 13);
  }
  state[0] = a ^ state[0]!;
  state[1] = b ^ state[1]!;
  state[2] = c ^ state[2]!;
  state[3] = d ^ state[3]!;
  state[4] = e ^ state[4]!;
  state[5] = f ^ state[5]!;
  state[6] = g ^ state[6]!;
  state[7] = h ^ state[7]!;
}

/** A message that is hashed piece by piece. */
export class Sm3 {
  readonly #state = START.slice();
  readonly #block = new Uint8Array(SM3_BLOCK);
  /** Octets so far. */
  #length = 0;

  /** Begins anew. */
  reset(): this {
    this.#state.set(START);
    this.#length = 0;
    return this;
  }

  /** Goes on from where another one is. */
  copy(other: Sm3): this {
    this.#state.set(other.#state);
    this.#block.set(other.#block);
    this.#length = other.#length;
    return this;
  }

  /** Takes octets. */
  update(octets: Uint8Array, from = 0, end = octets.length): this {
    let at = from;
    const held = this.#length % SM3_BLOCK;
    this.#length += end - from;
    if (held > 0) {
      const taken = Math.min(SM3_BLOCK - held, end - at);
      for (let index = 0; index < taken; index += 1) {
        this.#block[held + index] = octets[at + index]!;
      }
      at += taken;
      if (held + taken < SM3_BLOCK) return this;
      compress(this.#state, this.#block, 0);
    }
    for (; at + SM3_BLOCK <= end; at += SM3_BLOCK) compress(this.#state, octets, at);
    for (let index = 0; at < end; index += 1, at += 1) this.#block[index] = octets[at]!;
    return this;
  }

  /** Ends the message and writes the digest at `to`; then it has to begin anew. */
  finish(target: Uint8Array, to = 0): void {
    const held = this.#length % SM3_BLOCK;
    const block = this.#block;
    block[held] = 0x80;
    block.fill(0, held + 1);
    if (held >= SM3_BLOCK - 8) {
      compress(this.#state, block, 0);
      block.fill(0);
    }
    const high = Math.floor(this.#length / 2 ** 29);
    const low = this.#length * 8;
    for (let index = 0; index < 4; index += 1) {
      block[SM3_BLOCK - 8 + index] = high >>> (24 - 8 * index);
      block[SM3_BLOCK - 4 + index] = low >>> (24 - 8 * index);
    }
    compress(this.#state, block, 0);
    for (let index = 0; index < SM3_SIZE; index += 1) {
      target[to + index] = this.#state[index >> 2]! >>> (24 - 8 * (index & 3));
    }
  }

  /** The digest as octets of its own. */
  digest(): Uint8Array {
    const target = new Uint8Array(SM3_SIZE);
    this.finish(target);
    return target;
  }

  /** Forgets what it has seen. */
  [Symbol.dispose](): void {
    this.#block.fill(0);
    this.reset();
  }
}

/** For digests that are made at once: nothing here waits, so one is enough. */
const once = new Sm3();

/** The digest of some octets, one after the other. */
export function sm3(...parts: readonly Uint8Array[]): Uint8Array {
  once.reset();
  for (const part of parts) once.update(part);
  const digest = once.digest();
  once[Symbol.dispose]();
  return digest;
}

/** HMAC-SM3 with one key; the key's own blocks are hashed once. */
export class HmacSm3 implements Disposable {
  readonly #inner = new Sm3();
  readonly #outer = new Sm3();
  readonly #now = new Sm3();
  readonly #digest = new Uint8Array(SM3_SIZE);

  constructor(key: Uint8Array) {
    const block = new Uint8Array(SM3_BLOCK);
    if (key.length > SM3_BLOCK) new Sm3().update(key).finish(block);
    else block.set(key);
    for (let index = 0; index < SM3_BLOCK; index += 1) block[index] = block[index]! ^ 0x36;
    this.#inner.update(block);
    for (let index = 0; index < SM3_BLOCK; index += 1) block[index] = block[index]! ^ 0x36 ^ 0x5c;
    this.#outer.update(block);
    block.fill(0);
    this.#now.copy(this.#inner);
  }

  /** Takes octets of the message. */
  update(octets: Uint8Array, from = 0, end = octets.length): this {
    this.#now.update(octets, from, end);
    return this;
  }

  /** Ends the message and writes its tag at `to`; the next message may follow. */
  finish(target: Uint8Array, to = 0): void {
    this.#now.finish(this.#digest);
    this.#now.copy(this.#outer).update(this.#digest).finish(target, to);
    this.#now.copy(this.#inner);
  }

  /** Forgets the key. */
  [Symbol.dispose](): void {
    this.#inner[Symbol.dispose]();
    this.#outer[Symbol.dispose]();
    this.#now[Symbol.dispose]();
    this.#digest.fill(0);
  }
}

/** The tag of some octets, one after the other. */
export function hmacSm3(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  using mac = new HmacSm3(key);
  for (const part of parts) mac.update(part);
  const target = new Uint8Array(SM3_SIZE);
  mac.finish(target);
  return target;
}
