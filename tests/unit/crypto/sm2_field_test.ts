/** The numbers of the kernel for SM2's curve: right at the edges of their limbs, and never growing. */
import { SM2_KERNEL } from "../../../src/crypto/kernel_octets.ts";
import { CURVE, Point } from "../../../src/crypto/sm2_curve.ts";
import { assert, assertEquals } from "../../assert.ts";

interface Exports {
  readonly memory: WebAssembly.Memory;
  mul(to: number, one: number, other: number): void;
  sqr(to: number, one: number, count: number): void;
  add(to: number, one: number, other: number): void;
  sub(to: number, one: number, other: number): void;
  reduce(place: number): void;
  double(point: number, count: number): void;
  addAffine(point: number, other: number): void;
  addPoint(point: number, other: number): void;
}

const { p } = CURVE;
const LIMBS = 9;
const SIZE = 8 * LIMBS;
const MASK = 2 ** 29 - 1;
const [A, B, TO, SUM, OTHER] = [2048, 2048 + SIZE, 2048 + 2 * SIZE, 4096, 8192] as const;
const R = 1n << 261n;

const module = new WebAssembly.Module(SM2_KERNEL as Uint8Array<ArrayBuffer>);
const e = new WebAssembly.Instance(module).exports as unknown as Exports;
const words = new BigInt64Array(e.memory.buffer);

const mod = (value: bigint) => (value % p + p) % p;

function get(at: number): bigint {
  let value = 0n;
  for (let limb = LIMBS - 1; limb >= 0; limb -= 1) value = (value << 29n) + words[at / 8 + limb]!;
  return value;
}

function put(at: number, value: bigint): void {
  let left = value;
  for (let limb = 0; limb < LIMBS - 1; limb += 1, left >>= 29n) {
    words[at / 8 + limb] = left & BigInt(MASK);
  }
  words[at / 8 + LIMBS - 1] = left;
}

function pick<Value>(...values: readonly Value[]): Value {
  return values[Math.floor(Math.random() * values.length)]!;
}

/** Limbs of nothing, of everything, and of anything; the highest with either sign. */
function fill(at: number): bigint {
  for (let limb = 0; limb < LIMBS - 1; limb += 1) {
    words[at / 8 + limb] = BigInt(pick(0, 1, MASK - 1, MASK, Math.floor(Math.random() * MASK)));
  }
  const high = Math.floor(Math.random() * 2 ** 26);
  words[at / 8 + LIMBS - 1] = BigInt(pick(0, -1, 1, high, -high, 2 ** 26, -(2 ** 26)));
  return get(at);
}

Deno.test("Products, squares, sums, differences and remainders hold at every edge of the limbs", () => {
  // R^-1: how often a product is smaller than it would be.
  let [small, base] = [1n, R % p];
  for (let left = p - 2n; left > 0n; left >>= 1n, base = base * base % p) {
    if (left & 1n) small = small * base % p;
  }
  for (let turn = 0; turn < 40_000; turn += 1) {
    const [a, b] = [fill(A), fill(B)];
    e.mul(TO, A, B);
    assertEquals(mod(get(TO)), mod(a * b * small));
    e.sqr(TO, A, 1);
    assertEquals(mod(get(TO)), mod(a * a * small));
    e.sub(TO, A, B);
    assertEquals(get(TO), a - b);
    e.reduce(TO);
    assertEquals(mod(get(TO)), mod(a - b));
    assert(get(TO) > -(1n << 231n) && get(TO) < (1n << 256n) + (1n << 231n));
    e.add(TO, A, B);
    assertEquals(get(TO), a + b);
  }
});

// Once coordinates grew, from one doubling to the next, in one of 100,000 verifications, until the
// highest limb had no room.
Deno.test("Coordinates stay in their bounds through any doublings and additions, from the worst on", () => {
  const least = -(1n << 231n);
  const most = (1n << 256n) + (1n << 231n);
  const bounded = (at: number, more: bigint) => {
    for (const place of [0, 1, 2]) {
      const value = get(at + place * SIZE);
      assert(
        value > least - more && value < most + more,
        `coordinate ${place}: ${value.toString(16)}`,
      );
    }
  };
  for (let start = 0; start < 40; start += 1) {
    // Nothing that has to be a point: the formulas take any numbers.
    for (const place of [0, 1, 2]) {
      put(SUM + place * SIZE, pick(p, p + (p >> 3n), -1n, -(1n << 230n), (1n << 256n) - 1n));
      put(OTHER + place * SIZE, pick(p - 1n, p, p + (p >> 6n), 1n, (1n << 255n) - 1n));
    }
    for (let turn = 0; turn < 2000; turn += 1) {
      const kind = turn % 7;
      if (kind < 5) e.double(SUM, 1);
      else if (kind === 5) e.addAffine(SUM, OTHER);
      else e.addPoint(SUM, OTHER);
      // Z of a sum is a product, which is not reduced.
      bounded(SUM, kind < 5 ? 0n : p >> 2n);
    }
  }
});

Deno.test("A million doublings come to where the curve's group does", () => {
  const { x, y } = Point.BASE.toAffine();
  put(SUM, x * R % p);
  put(SUM + SIZE, y * R % p);
  put(SUM + 2 * SIZE, R % p);
  let scalar = 1n;
  const count = 1_000_000;
  e.double(SUM, count);
  for (let turn = 0; turn < count; turn += 1) {
    scalar *= 2n;
    if (scalar >= CURVE.n) scalar -= CURVE.n;
  }
  const wanted = Point.BASE.multiply(scalar).toAffine().x;
  e.sqr(A, SUM + 2 * SIZE, 1);
  put(B, wanted * R % p);
  e.mul(TO, A, B);
  assertEquals(mod(get(TO)), mod(get(SUM)));
});
