/**
 * SM2's curve by the WebAssembly kernel: a secret multiple of the base point by 64 additions of
 * entries that are all read each time; a sum of two multiples, of public numbers, by the signed
 * digits of both (Straus). Where the kernel's formulas do not hold, which is told by Z = 0, noble's
 * do it again.
 * @module
 */
import { SM2_KERNEL } from "./kernel_octets.ts";
import {
  affine,
  type Coordinates,
  CURVE,
  type CurvePoint,
  NOBLE,
  Point,
  type Sm2Arithmetic,
} from "./sm2_curve.ts";

interface Exports {
  readonly memory: WebAssembly.Memory;
  mul(to: number, one: number, other: number): void;
  sqr(to: number, one: number, count: number): void;
  add(to: number, one: number, other: number): void;
  sub(to: number, one: number, other: number): void;
  double(point: number, count: number): void;
  addAffine(point: number, other: number): void;
  addPoint(point: number, other: number): void;
  pick(to: number, row: number, index: number, negative: number): void;
}

const { p, n } = CURVE;
const LIMBS = 9;
const BITS = 29n;
const MASK = (1n << BITS) - 1n;
/** R of Montgomery's form. */
const R_BITS = 261n;
const SIZE = 8 * LIMBS;
const AFFINE = 2 * SIZE;
const JACOBIAN = 3 * SIZE;

// Places in the memory; the kernel's own numbers are below.
const SUM = 1024;
const PICKED = 1248;
const A = 1472;
const B = A + SIZE;
const C = B + SIZE;
const D = C + SIZE;
const ONE = D + SIZE;
const PLAIN_ONE = ONE + SIZE;
const ZERO = PLAIN_ONE + SIZE;
const KEY_TABLE = 2048;
const TWICE = KEY_TABLE + 8 * JACOBIAN;
const BASE_TABLE = 4096;
const COMB = 16_384;

/** Width of the digits of the key's multiple, and of the base point's. */
const KEY_WIDTH = 5;
const BASE_WIDTH = 8;
/** Rows of the comb, one for each nibble, and points of a row. */
const ROWS = 64;
const ROW = 8;

/** See the module. Undefined where WebAssembly cannot be run. */
export function sm2Kernel(): Sm2Arithmetic | undefined {
  try {
    return kernel ??= new Kernel();
  } catch (error) {
    if (error instanceof WebAssembly.CompileError) return undefined;
    throw error;
  }
}

let kernel: Kernel | undefined;

class Kernel implements Sm2Arithmetic {
  readonly #e: Exports;
  readonly #words: BigInt64Array;
  readonly #octets: Uint8Array;
  readonly #keyDigits = new Int8Array(288);
  readonly #baseDigits = new Int8Array(288);
  #hasComb = false;

  constructor() {
    const module = new WebAssembly.Module(SM2_KERNEL as Uint8Array<ArrayBuffer>);
    this.#e = new WebAssembly.Instance(module).exports as unknown as Exports;
    this.#words = new BigInt64Array(this.#e.memory.buffer);
    this.#octets = new Uint8Array(this.#e.memory.buffer);
    this.#put(ONE, form(1n));
    this.#put(PLAIN_ONE, 1n);
    this.#put(ZERO, 0n);
    this.#points(BASE_TABLE, oddMultiples(Point.BASE, 2 ** (BASE_WIDTH - 2)));
  }

  baseX(k: bigint): bigint {
    this.#sumOfComb(k);
    return this.#x() ?? NOBLE.baseX(k);
  }

  base(k: bigint): Coordinates {
    this.#sumOfComb(k);
    const both = this.#both();
    if (!both) return NOBLE.base(k);
    const { x, y } = both;
    return { x, y: k & 1n ? y : p - y };
  }

  productX(k: bigint, point: CurvePoint): bigint {
    const e = this.#e;
    this.#points(KEY_TABLE, affine(oddMultiples(point, ROW)));
    const nibbles = nibblesOf(k);
    for (let row = 0; row < ROWS; row += 1) {
      if (row > 0) e.double(SUM, 4);
      this.#pick(KEY_TABLE, nibbles.charCodeAt(row), row === 0);
    }
    return this.#x() ?? NOBLE.productX(k, point);
  }

  /** The sum becomes k·G, or its negative for an even k. */
  #sumOfComb(k: bigint): void {
    if (!this.#hasComb) this.#makeComb();
    const nibbles = nibblesOf(k);
    for (let row = 0; row < ROWS; row += 1) {
      this.#pick(COMB + row * ROW * AFFINE, nibbles.charCodeAt(ROWS - 1 - row), row === 0);
    }
  }

  /** Adds the odd multiple of a row that a digit means; all of the row is read each time. */
  #pick(row: number, code: number, first: boolean): void {
    const nibble = (code & 15) + 9 * (code >> 6);
    const negative = (nibble - 8) >> 31;
    this.#e.pick(PICKED, row, (nibble - 8) ^ negative, negative);
    if (first) this.#begin(PICKED, AFFINE);
    else this.#e.addAffine(SUM, PICKED);
  }

  /** The first coordinate of the sum, which is forgotten; undefined where the formulas fail. */
  #x(): bigint | undefined {
    return this.#both()?.x;
  }

  /** Both coordinates of the sum, which is forgotten; undefined where the formulas fail. */
  #both(): Coordinates | undefined {
    const e = this.#e;
    const isZero = this.#value(SUM + 2 * SIZE) === 0n;
    this.#invert(D, SUM + 2 * SIZE);
    e.sqr(A, D, 1);
    e.mul(B, A, D);
    e.mul(A, A, SUM);
    e.mul(A, A, PLAIN_ONE);
    e.mul(B, B, SUM + SIZE);
    e.mul(B, B, PLAIN_ONE);
    const both = { x: this.#value(A), y: this.#value(B) };
    this.#octets.fill(0, SUM, ONE);
    return isZero ? undefined : both;
  }

  sumHasX(s: bigint, t: bigint, key: CurvePoint, wanted: bigint): boolean {
    const e = this.#e;
    this.#multiplesOf(key);
    const keyLength = digits(t, KEY_WIDTH, this.#keyDigits);
    const baseLength = digits(s, BASE_WIDTH, this.#baseDigits);
    let [begun, doublings] = [false, 0];
    for (let place = Math.max(keyLength, baseLength) - 1; place >= 0; place -= 1) {
      if (begun) doublings += 1;
      for (const own of [true, false]) {
        const digit = (own ? this.#keyDigits : this.#baseDigits)[place]!;
        if (digit === 0) continue;
        if (doublings > 0) e.double(SUM, doublings);
        doublings = 0;
        const entry = (Math.abs(digit) - 1) >> 1;
        const size = own ? JACOBIAN : AFFINE;
        const at = this.#signed((own ? KEY_TABLE : BASE_TABLE) + entry * size, size, digit);
        if (!begun) this.#begin(at, size);
        else if (own) e.addPoint(SUM, at);
        else e.addAffine(SUM, at);
        begun = true;
      }
    }
    if (doublings > 0) e.double(SUM, doublings);
    if (!begun || this.#value(SUM + 2 * SIZE) === 0n) return NOBLE.sumHasX(s, t, key, wanted);
    // x = X / Z²: without a division, whether X is the wanted one times Z².
    e.sqr(A, SUM + 2 * SIZE, 1);
    for (let x = wanted; x < p; x += n) {
      this.#put(B, form(x));
      e.mul(C, A, B);
      e.sub(C, C, SUM);
      if (this.#value(C) === 0n) return true;
    }
    return false;
  }

  #put(at: number, value: bigint): void {
    let left = value;
    for (let limb = 0; limb < LIMBS; limb += 1, left >>= BITS) {
      this.#words[at / 8 + limb] = left & MASK;
    }
  }

  /** A number modulo p, as it stands: of Montgomery's form too. */
  #value(at: number): bigint {
    let value = 0n;
    for (let limb = LIMBS - 1; limb >= 0; limb -= 1) {
      value = (value << BITS) + this.#words[at / 8 + limb]!;
    }
    value %= p;
    return value < 0n ? value + p : value;
  }

  /** The sum begins with a point. */
  #begin(at: number, size: number): void {
    this.#octets.copyWithin(SUM, at, at + size);
    if (size === AFFINE) this.#octets.copyWithin(SUM + AFFINE, ONE, ONE + SIZE);
  }

  /** A point of a table, or its negative. */
  #signed(at: number, size: number, digit: number): number {
    if (digit > 0) return at;
    this.#octets.copyWithin(PICKED, at, at + size);
    this.#e.sub(PICKED + SIZE, ZERO, PICKED + SIZE);
    return PICKED;
  }

  /** 1, 3 … 15 times a key. */
  #multiplesOf(key: CurvePoint): void {
    const { x, y } = key.toAffine();
    this.#put(KEY_TABLE, form(x));
    this.#put(KEY_TABLE + SIZE, form(y));
    const octets = this.#octets;
    octets.copyWithin(KEY_TABLE + AFFINE, ONE, ONE + SIZE);
    octets.copyWithin(TWICE, KEY_TABLE, KEY_TABLE + JACOBIAN);
    this.#e.double(TWICE, 1);
    for (let entry = 1; entry < 8; entry += 1) {
      const at = KEY_TABLE + entry * JACOBIAN;
      octets.copyWithin(at, at - JACOBIAN, at);
      this.#e.addPoint(at, TWICE);
    }
  }

  #points(at: number, points: readonly CurvePoint[]): void {
    for (const [index, { x, y }] of points.map((one) => one.toAffine()).entries()) {
      this.#put(at + index * AFFINE, form(x));
      this.#put(at + index * AFFINE + SIZE, form(y));
    }
  }

  /** Of each nibble 1, 3 … 15 times its power of 16, times G. */
  #makeComb(): void {
    let base = Point.BASE;
    const all: CurvePoint[] = [];
    for (let row = 0; row < ROWS; row += 1) {
      all.push(...oddMultiples(base, ROW));
      base = base.double().double().double().double();
    }
    this.#points(COMB, affine(all));
    this.#hasComb = true;
  }

  /** 1/x by Fermat: x^(p - 2). Its bits are FFFFFFFE, four times FFFFFFFF, 0, FFFFFFFF, FFFFFFFD. */
  #invert(to: number, from: number): void {
    const e = this.#e;
    // x^(2^k - 1), with ever more ones.
    e.sqr(B, from, 1);
    e.mul(A, B, from); // 2
    e.sqr(C, A, 1);
    e.mul(C, C, from); // 3
    e.sqr(B, C, 3);
    e.mul(C, B, C); // 6
    e.sqr(B, C, 1);
    e.mul(C, B, from); // 7
    e.sqr(B, C, 7);
    e.mul(B, B, C); // 14
    e.sqr(B, B, 1);
    e.mul(C, B, from); // 15
    e.sqr(B, C, 15);
    e.mul(C, B, C); // 30, kept
    e.sqr(B, C, 1);
    e.mul(B, B, from); // 31
    e.sqr(A, B, 1);
    e.mul(A, A, from); // 32
    e.sqr(to, B, 1); // FFFFFFFE
    for (let word = 0; word < 4; word += 1) {
      e.sqr(to, to, 32);
      e.mul(to, to, A);
    }
    e.sqr(to, to, 64);
    e.mul(to, to, A);
    e.sqr(to, to, 30);
    e.mul(to, to, C);
    e.sqr(to, to, 2);
    e.mul(to, to, from);
  }
}

/**
 * Digits of a number, the most significant first: m stands for 2m - 15 times its power of 16. Only
 * an odd number is a sum of odd digits; for an even one they are those of n - k, whose product is
 * the negative point, with the same first coordinate.
 */
function nibblesOf(k: bigint): string {
  const odd = k & 1n ? k : n - k;
  return ((odd + (1n << 256n) - 1n) >> 1n).toString(16).padStart(ROWS, "0");
}

/** Montgomery's form. */
function form(value: bigint): bigint {
  return (value << R_BITS) % p;
}

/** 1, 3, 5 … times a point. */
function oddMultiples(point: CurvePoint, count: number): CurvePoint[] {
  const twice = point.double();
  const all = [point];
  while (all.length < count) all.push(all.at(-1)!.add(twice));
  return all;
}

/**
 * Signed digits of a number, odd or 0, of which at most one in `width` is not 0.
 * @returns How many there are.
 */
function digits(value: bigint, width: number, into: Int8Array): number {
  into.fill(0);
  const octets = Uint8Array.fromHex(value.toString(16).padStart(64, "0"));
  const bit = (at: number) => at < 256 ? octets[31 - (at >> 3)]! >> (at & 7) & 1 : 0;
  let [carry, length] = [0, 0];
  for (let at = 0; at <= 256;) {
    if (bit(at) === carry) {
      at += 1;
      continue;
    }
    let word = carry;
    for (let index = 0; index < width; index += 1) word += bit(at + index) << index;
    carry = word >> (width - 1) & 1;
    into[at] = word - (carry << width);
    length = at + 1;
    at += width;
  }
  return length;
}
