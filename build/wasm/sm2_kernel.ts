/**
 * The kernel for the curve of SM2: numbers modulo p as nine limbs of 29 bits with a sign, in
 * Montgomery's form with R = 2^261. As p = 2^256 - 2^224 - 2^96 + 2^64 - 1 is -1 modulo 2^64, a
 * limb's own low bits are what has to be added times p, and the addition is four shifts.
 *
 * How large numbers may become: a product of |a| <= A·p and |b| <= B·p is at most AB/32 + 1 times
 * p. Sums and differences have their limbs in bounds and grow; `reduce` brings what is at most 64·p
 * to between -0.01·p and 1.01·p. Every coordinate that a formula leaves is reduced (or a product of
 * such), so that none grows from one to the next: with coordinates of at most 1.3·p nothing in
 * between is more than 12·p, and nothing that is multiplied more than 7·p.
 *
 * Every function but `pick` works on public places; none has a branch or a place that depends on a
 * value. Points are Jacobian (X, Y, Z), those of tables affine. The formulas are dbl-2001-b,
 * madd-2004-hmv and add-1998-cmo-2 of the Explicit-Formulas Database; where they do not hold, Z
 * becomes 0 and stays so.
 * @module
 */
import {
  add,
  and,
  assemble,
  bothBits,
  call,
  type Code,
  difference,
  down,
  each,
  eitherBits,
  Func,
  I32,
  I64,
  int,
  load,
  loadLong,
  type Local,
  long,
  maskOfSame,
  or,
  product,
  repeat,
  splat,
  store,
  storeLong,
  sum,
  up,
  V128,
  widened,
} from "./assembler.ts";

const LIMBS = 9;
const BITS = 29;
const MASK = 2 ** BITS - 1;
/** Octets of a number. */
const SIZE = 8 * LIMBS;
/** Octets of an affine point. */
const AFFINE = 2 * SIZE;
/** Entries of a row that {@linkcode pick} chooses from. */
const ROW = 8;
const VECTOR = 16;
const MEMORY = 2 ** 18;

/** Where p has its bits, beside 2^256 and -1: limb, shift, sign. */
const P_TERMS: readonly (readonly [number, number, 1 | -1])[] = [
  [2, 64 - 2 * BITS, 1],
  [3, 96 - 3 * BITS, -1],
  [7, 224 - 7 * BITS, -1],
  [8, 256 - 8 * BITS, 1],
];

/** Limbs of a result brought into their bounds and stored. The last one keeps the sign. */
function settled(to: Local, limbs: readonly Local[]): Code[] {
  const code: Code[] = [];
  for (let index = 0; index < LIMBS - 1; index += 1) {
    const [limb, next] = [limbs[index]!, limbs[index + 1]!];
    code.push(next.set(sum(next.get, down(limb.get, BITS))));
    code.push(storeLong(to.get, bothBits(limb.get, long(MASK)), 8 * index));
  }
  code.push(storeLong(to.get, limbs[LIMBS - 1]!.get, 8 * (LIMBS - 1)));
  return code;
}

/** Adds multiples of p until the lower half is 0; what is left is the upper half. */
function reduced(func: Func, columns: readonly Local[]): void {
  const low = func.local(I64);
  for (let index = 0; index < LIMBS; index += 1) {
    const column = columns[index]!;
    func.do(low.set(bothBits(column.get, long(MASK))));
    const next = columns[index + 1]!;
    func.do(next.set(sum(next.get, down(column.get, BITS))));
    for (const [limb, shift, sign] of P_TERMS) {
      const target = columns[index + limb]!;
      const part = up(low.get, shift);
      func.do(target.set(sign === 1 ? sum(target.get, part) : difference(target.get, part)));
    }
  }
}

function columnsOf(func: Func): Local[] {
  return Array.from({ length: 2 * LIMBS }, () => func.local(I64));
}

function limbsOf(func: Func, at: Local): Local[] {
  return Array.from({ length: LIMBS }, (_, index) => {
    const local = func.local(I64);
    func.do(local.set(loadLong(at.get, 8 * index)));
    return local;
  });
}

/** `mul(to, one, other)`. */
function mul(): Func {
  const func = new Func("mul", 3);
  const [to, one, other] = [0, 1, 2].map((at) => func.parameter(at)) as [Local, Local, Local];
  const [a, b] = [limbsOf(func, one), limbsOf(func, other)];
  const columns = columnsOf(func);
  for (let column = 0; column <= 2 * LIMBS - 2; column += 1) {
    const parts: Code[] = [];
    for (let index = 0; index < LIMBS; index += 1) {
      const [left, right] = [a[index], b[column - index]];
      if (left && right) parts.push(product(left.get, right.get));
    }
    func.do(columns[column]!.set(sum(...parts)));
  }
  func.do(columns[2 * LIMBS - 1]!.set(long(0)));
  reduced(func, columns);
  func.do(...settled(to, columns.slice(LIMBS)));
  return func;
}

/** `sqr(to, one, count)`: squares so many times, at least once. */
function sqr(): Func {
  const func = new Func("sqr", 3);
  const [to, one, count] = [0, 1, 2].map((at) => func.parameter(at)) as [Local, Local, Local];
  const a = Array.from({ length: LIMBS }, () => func.local(I64));
  const twice = Array.from({ length: LIMBS }, () => func.local(I64));
  const columns = columnsOf(func);
  const low = func.local(I64);
  const inside = new Func("", 0);
  for (const [index, limb] of a.entries()) {
    inside.do(limb.set(loadLong(one.get, 8 * index)));
    inside.do(twice[index]!.set(up(limb.get, 1)));
  }
  for (let column = 0; column <= 2 * LIMBS - 2; column += 1) {
    const parts: Code[] = [];
    for (let index = 0; 2 * index <= column; index += 1) {
      const [left, right] = [a[index], a[column - index]];
      if (!left || !right) continue;
      parts.push(
        2 * index === column ? product(left.get, left.get) : product(twice[index]!.get, right.get),
      );
    }
    inside.do(columns[column]!.set(sum(...parts)));
  }
  inside.do(columns[2 * LIMBS - 1]!.set(long(0)));
  for (let index = 0; index < LIMBS; index += 1) {
    const column = columns[index]!;
    const next = columns[index + 1]!;
    inside.do(low.set(bothBits(column.get, long(MASK))));
    inside.do(next.set(sum(next.get, down(column.get, BITS))));
    for (const [limb, shift, sign] of P_TERMS) {
      const target = columns[index + limb]!;
      const part = up(low.get, shift);
      inside.do(target.set(sign === 1 ? sum(target.get, part) : difference(target.get, part)));
    }
  }
  inside.do(...settled(to, columns.slice(LIMBS)), one.set(to.get));
  func.do(repeat(count, inside.body));
  return func;
}

/** `add(to, one, other)` and `sub(to, one, other)`. */
function linear(name: "add" | "sub"): Func {
  const func = new Func(name, 3);
  const [to, one, other] = [0, 1, 2].map((at) => func.parameter(at)) as [Local, Local, Local];
  const limbs = Array.from({ length: LIMBS }, (_, index) => {
    const local = func.local(I64);
    const [left, right] = [loadLong(one.get, 8 * index), loadLong(other.get, 8 * index)];
    func.do(local.set(name === "add" ? sum(left, right) : difference(left, right)));
    return local;
  });
  func.do(...settled(to, limbs));
  return func;
}

/** `reduce(place)`: subtracts as many times p as the bits from 2^256 on tell. */
function reduce(): Func {
  const func = new Func("reduce", 1);
  const place = func.parameter(0);
  const limbs = limbsOf(func, place);
  const times = func.local(I64);
  func.do(times.set(down(limbs[LIMBS - 1]!.get, 256 - BITS * (LIMBS - 1))));
  const [first] = limbs as [Local];
  func.do(first.set(sum(first.get, times.get)));
  for (const [limb, shift, sign] of P_TERMS) {
    const target = limbs[limb]!;
    const part = up(times.get, shift);
    func.do(target.set(sign === 1 ? difference(target.get, part) : sum(target.get, part)));
  }
  func.do(...settled(place, limbs));
  return func;
}

const PLACES = { mul: 0, sqr: 1, add: 2, sub: 3, reduce: 4 } as const;

/** Writes formulas as calls; names stand for places of numbers. */
class Formulas {
  constructor(readonly func: Func) {}

  /** Places of numbers between; they begin at 0, where the host keeps room for twelve. */
  get temps(): [Code, Code, Code, Code, Code, Code, Code, Code] {
    const at = (index: number) => int(index * SIZE);
    return [at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)];
  }

  mul(to: Code, one: Code, other: Code): void {
    this.func.do(call(PLACES.mul, to, one, other));
  }

  sqr(to: Code, one: Code): void {
    this.func.do(call(PLACES.sqr, to, one, int(1)));
  }

  add(to: Code, one: Code, other: Code): void {
    this.func.do(call(PLACES.add, to, one, other));
  }

  sub(to: Code, one: Code, other: Code): void {
    this.func.do(call(PLACES.sub, to, one, other));
  }

  /** A difference that a formula leaves. */
  last(to: Code, one: Code, other: Code): void {
    this.sub(to, one, other);
    this.func.do(call(PLACES.reduce, to));
  }
}

/** The three numbers of a point. */
function coordinates(point: Local): [Code, Code, Code] {
  return [point.get, add(point.get, int(SIZE)), add(point.get, int(2 * SIZE))];
}

/** `double(point, count)`: so many times, at least once. dbl-2001-b, a = -3 */
function double(): Func {
  const func = new Func("double", 2);
  const [point, count] = [func.parameter(0), func.parameter(1)];
  const [x, y, z] = coordinates(point);
  const inside = new Func("", 0);
  const f = new Formulas(inside);
  const [delta, gamma, beta, alpha, t, u] = f.temps;
  f.sqr(delta, z);
  f.sqr(gamma, y);
  f.mul(beta, x, gamma);
  f.sub(t, x, delta);
  f.add(u, x, delta);
  f.mul(alpha, t, u);
  f.add(t, alpha, alpha);
  f.add(alpha, t, alpha);
  f.add(t, y, z);
  f.sqr(t, t);
  f.sub(t, t, gamma);
  f.last(z, t, delta);
  f.add(beta, beta, beta);
  f.add(beta, beta, beta);
  f.sqr(t, alpha);
  f.sub(t, t, beta);
  f.last(x, t, beta);
  f.sub(t, beta, x);
  f.mul(t, alpha, t);
  f.sqr(gamma, gamma);
  f.add(gamma, gamma, gamma);
  f.add(gamma, gamma, gamma);
  f.add(gamma, gamma, gamma);
  f.last(y, t, gamma);
  func.do(repeat(count, inside.body));
  return func;
}

/** `addAffine(point, other)`. madd-2004-hmv */
function addAffine(): Func {
  const func = new Func("addAffine", 2);
  const [point, other] = [func.parameter(0), func.parameter(1)];
  const [x, y, z] = coordinates(point);
  const [x2, y2] = [other.get, add(other.get, int(SIZE))];
  const f = new Formulas(func);
  const [zz, h, r, hh, hhh, v] = f.temps;
  f.sqr(zz, z);
  f.mul(h, x2, zz);
  f.mul(zz, zz, z);
  f.mul(r, y2, zz);
  f.sub(h, h, x);
  f.sub(r, r, y);
  f.mul(z, z, h);
  finish(f, { x, y, h, r, hh, hhh, v, x1: x, y1: y });
  return func;
}

/** `addPoint(point, other)`: `other` has a Z of its own. add-1998-cmo-2 */
function addPoint(): Func {
  const func = new Func("addPoint", 2);
  const [point, other] = [func.parameter(0), func.parameter(1)];
  const [x, y, z] = coordinates(point);
  const [x2, y2, z2] = coordinates(other);
  const f = new Formulas(func);
  const [zz, h, r, hh, hhh, v, x1, y1] = f.temps;
  f.sqr(zz, z2);
  f.mul(x1, x, zz);
  f.mul(zz, zz, z2);
  f.mul(y1, y, zz);
  f.sqr(zz, z);
  f.mul(h, x2, zz);
  f.mul(zz, zz, z);
  f.mul(r, y2, zz);
  f.sub(h, h, x1);
  f.sub(r, r, y1);
  f.mul(z, z, z2);
  f.mul(z, z, h);
  finish(f, { x, y, h, r, hh, hhh, v, x1, y1 });
  return func;
}

type Places = Readonly<Record<"x" | "y" | "h" | "r" | "hh" | "hhh" | "v" | "x1" | "y1", Code>>;

/** X3 = r² - H³ - 2V and Y3 = r(V - X3) - Y1·H³, with V = X1·H². */
function finish(f: Formulas, { x, y, h, r, hh, hhh, v, x1, y1 }: Places): void {
  f.sqr(hh, h);
  f.mul(hhh, h, hh);
  f.mul(v, x1, hh);
  f.mul(hh, y1, hhh);
  f.sqr(h, r);
  f.sub(h, h, hhh);
  f.sub(h, h, v);
  f.last(x, h, v);
  f.sub(v, v, x);
  f.mul(v, r, v);
  f.last(y, v, hh);
}

/**
 * `pick(to, row, index, negative)`: one of eight affine points, or its negative (`negative` is -1,
 * or else 0). Every entry is read each time.
 */
function pick(): Func {
  const func = new Func("pick", 4);
  const [to, row, index, negative] = [0, 1, 2, 3].map((at) => func.parameter(at)) as [
    Local,
    Local,
    Local,
    Local,
  ];
  const chosen = Array.from({ length: AFFINE / VECTOR }, () => {
    const local = func.local(V128);
    func.do(local.set(each(0)));
    return local;
  });
  const mask = func.local(V128);
  for (let entry = 0; entry < ROW; entry += 1) {
    func.do(mask.set(splat(maskOfSame(index.get, int(entry)))));
    for (const [place, local] of chosen.entries()) {
      const part = load(row.get, entry * AFFINE + place * VECTOR);
      func.do(local.set(or(local.get, and(part, mask.get))));
    }
  }
  for (const [place, local] of chosen.entries()) {
    func.do(store(to.get, local.get, place * VECTOR));
  }
  const sign = func.local(I64);
  const at = func.local(I32);
  func.do(sign.set(widened(negative.get)), at.set(add(to.get, int(SIZE))));
  const limbs = Array.from({ length: LIMBS }, (_, limb) => {
    const local = func.local(I64);
    const value = eitherBits(loadLong(at.get, 8 * limb), sign.get);
    func.do(local.set(difference(value, sign.get)));
    return local;
  });
  func.do(...settled(at, limbs));
  return func;
}

/** The module as octets. */
export function sm2Kernel(): Uint8Array {
  const functions = [
    ...[mul(), sqr(), linear("add"), linear("sub"), reduce()],
    ...[double(), addAffine(), addPoint(), pick()],
  ];
  return assemble(functions, MEMORY);
}
