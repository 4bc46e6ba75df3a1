/**
 * The kernel for SM4-CTR and GHASH: 16 blocks at a time, without a look-up whose place depends on a
 * secret. The S-box is an inversion in GF(2^8) as GF(16)[v]: of x = i + jv, with v of norm 1 and
 * trace a, and k = i + j, the inverse is linear in 1/io and 1/jo, where io = 1/(1/i + a/k) + j and
 * jo = 1/(1/j + a/k) + i; each of these is a permutation of 16 octets. (The idea is that of M.
 * Hamburg for AES, CHES 2009.) Infinity is coded 0x80, and what is chosen by it is 0.
 * @module
 */
import {
  add,
  addWords,
  and,
  assemble,
  choose,
  type Code,
  each,
  Func,
  I32,
  int,
  load,
  loadOctet,
  loadWord,
  type Local,
  octets,
  repeat,
  same,
  shiftRight,
  shuffle,
  splat,
  store,
  V128,
  xor,
} from "./assembler.ts";
import { SM4_TABLES } from "./sm4_field.ts";

const BLOCK = 16;
const ROUNDS = 32;
/** Rounds that stand one after the other; then it goes round. */
const UNROLLED = 4;
/** Groups of four blocks in flight: while one waits for a look-up, others go on. */
const GROUPS = 4;
/** Blocks that are encrypted together. */
const TOGETHER = 4 * GROUPS;
/** Octets of memory that the module begins with; keys and data lie there as its user has it. */
const MEMORY = 2 ** 17;

/** Octets of each word turned to the left by 8, or 24 bits: the first octet is the highest. */
const turned = (by: 8 | 24) => (value: Code): Code =>
  shuffle(
    value,
    value,
    Array.from({ length: 16 }, (_, at) => (at & 12) + (at + by / 8 & 3)),
  );
const left8 = turned(8);
const left24 = turned(24);

/** What the rounds use again and again. */
class Constants {
  readonly #func: Func;
  readonly low: Local;
  readonly inverse: Local;
  readonly quotient: Local;
  readonly tables: readonly Local[];

  constructor(func: Func) {
    this.#func = func;
    this.low = this.#keep(each(0x0f));
    this.inverse = this.#keep(octets(SM4_TABLES.inverse));
    this.quotient = this.#keep(octets(SM4_TABLES.quotient));
    this.tables = SM4_TABLES.out.map((table) => this.#keep(octets(table)));
  }

  #keep(value: Code): Local {
    const local = this.#func.local(V128);
    this.#func.do(local.set(value));
    return local;
  }
}

/** Both nibbles of each octet through a table of their own, summed. */
function mapped(value: Code, low: Code, tables: readonly (readonly number[])[]): Code {
  const [first, second] = tables as [readonly number[], readonly number[]];
  return xor(
    choose(octets(first), and(value, low)),
    choose(octets(second), and(shiftRight(value, 4), low)),
  );
}

/** `ctr(keys, nonce, counter, data, count)`: adds the key stream to `count` times 16 blocks. */
function ctr(): Func {
  const func = new Func("ctr", 5);
  const [keys, nonce, counter, data, count] = [0, 1, 2, 3, 4].map((at) => func.parameter(at)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const constants = new Constants(func);
  const { low, inverse, quotient, tables } = constants;
  const vectors = (many: number) => Array.from({ length: many }, () => func.local(V128));
  const fixed = vectors(3);
  const groups = Array.from({ length: GROUPS }, () => vectors(4));
  const temps = Array.from({ length: GROUPS }, () => vectors(6));
  const [place, left] = [func.local(I32), func.local(I32)];
  const [swap, t0, t1, t2, t3] = vectors(5) as [Local, Local, Local, Local, Local];
  const phi = (value: Code) => mapped(value, low.get, SM4_TABLES.into);
  const back = (value: Code) => mapped(value, low.get, SM4_TABLES.from);
  for (const [word, local] of fixed.entries()) {
    func.do(swap.set(loadWord(nonce.get, 4 * word)), local.set(phi(swap.get)));
  }
  const body: number[] = [];
  const run = (...code: readonly Code[]) => {
    for (const one of code) for (const octet of one) body.push(octet);
  };
  for (const [which, group] of groups.entries()) {
    for (const word of [0, 1, 2]) run(group[word]!.set(fixed[word]!.get));
    const numbers = Array.from(
      { length: 16 },
      (_, at) => at % 4 === 0 ? at / 4 + 4 * which : 0,
    );
    const bigEndian = Array.from({ length: 16 }, (_, at) => (at & 12) + 3 - (at & 3));
    run(
      swap.set(addWords(splat(counter.get), octets(numbers))),
      swap.set(shuffle(swap.get, swap.get, bigEndian)),
      group[3]!.set(phi(swap.get)),
    );
  }
  const rounds: number[] = [];
  const inside = (...code: readonly Code[]) => {
    for (const one of code) for (const octet of one) rounds.push(octet);
  };
  for (let round = 0; round < UNROLLED; round += 1) {
    for (const [which, group] of groups.entries()) {
      const [x, i, j, k, io, jo] = temps[which]! as [Local, Local, Local, Local, Local, Local];
      const [a, b, c, d] = [0, 1, 2, 3].map((word) => group[(word + round) % 4]!) as [
        Local,
        Local,
        Local,
        Local,
      ];
      inside(
        x.set(xor(b.get, c.get, d.get, load(place.get, BLOCK * round))),
        i.set(and(x.get, low.get)),
        j.set(and(shiftRight(x.get, 4), low.get)),
        k.set(choose(quotient.get, xor(i.get, j.get))),
        io.set(xor(choose(inverse.get, xor(choose(inverse.get, i.get), k.get)), j.get)),
        jo.set(xor(choose(inverse.get, xor(choose(inverse.get, j.get), k.get)), i.get)),
        // B + (B << 2 in each octet), and B + (B >> 6 in each octet).
        x.set(xor(choose(tables[0]!.get, io.get), choose(tables[1]!.get, jo.get))),
        k.set(xor(choose(tables[2]!.get, io.get), choose(tables[3]!.get, jo.get))),
        i.set(xor(x.get, k.get)),
        a.set(xor(a.get, x.get, left24(k.get), left8(xor(i.get, left8(i.get))))),
      );
    }
  }
  inside(place.set(add(place.get, int(UNROLLED * BLOCK))));
  run(place.set(keys.get), left.set(int(ROUNDS / UNROLLED)), repeat(left, rounds));
  for (const [which, group] of groups.entries()) {
    // The last four words, in reverse, are the block.
    run(
      t0.set(back(group[3]!.get)),
      t1.set(back(group[2]!.get)),
      t2.set(back(group[1]!.get)),
      t3.set(back(group[0]!.get)),
      ...transposed([t0, t1, t2, t3], temps[which]!),
    );
    for (const [block, local] of [t0, t1, t2, t3].entries()) {
      const offset = (which * 4 + block) * BLOCK;
      run(store(data.get, xor(load(data.get, offset), local.get), offset));
    }
  }
  run(
    counter.set(add(counter.get, int(TOGETHER))),
    data.set(add(data.get, int(TOGETHER * BLOCK))),
  );
  func.do(repeat(count, body));
  return func;
}

/** Words of four vectors change places: the first of each come together, and so on. */
function transposed(rows: readonly Local[], temps: readonly Local[]): Code[] {
  const words = (places: readonly number[]) =>
    places.flatMap((word) => [0, 1, 2, 3].map((at) => word * 4 + at));
  const [a, b, c, d] = rows as [Local, Local, Local, Local];
  const [p, q, r, s] = temps as [Local, Local, Local, Local];
  const low = words([0, 4, 1, 5]);
  const high = words([2, 6, 3, 7]);
  return [
    p.set(shuffle(a.get, b.get, low)),
    q.set(shuffle(c.get, d.get, low)),
    r.set(shuffle(a.get, b.get, high)),
    s.set(shuffle(c.get, d.get, high)),
    a.set(shuffle(p.get, q.get, words([0, 1, 4, 5]))),
    b.set(shuffle(p.get, q.get, words([2, 3, 6, 7]))),
    c.set(shuffle(r.get, s.get, words([0, 1, 4, 5]))),
    d.set(shuffle(r.get, s.get, words([2, 3, 6, 7]))),
  ];
}

/**
 * `ghash(powers, state, data, count)`: takes blocks one by one. At `powers` lie H·x^0 to H·x^127;
 * each is taken or left by a mask of its bit.
 */
function ghash(): Func {
  const func = new Func("ghash", 4);
  const [powers, state, data, count] = [0, 1, 2, 3].map((at) => func.parameter(at)) as [
    Local,
    Local,
    Local,
    Local,
  ];
  const [sum, octet, bit] = [func.local(V128), func.local(V128), func.local(V128)];
  const bits = Array.from({ length: 8 }, (_, at) => {
    const local = func.local(V128);
    func.do(local.set(each(0x80 >> at)));
    return local;
  });
  const body: number[] = [];
  const run = (code: Code) => {
    for (const one of code) body.push(one);
  };
  run(store(state.get, xor(load(state.get), load(data.get))));
  run(sum.set(each(0)));
  for (let at = 0; at < BLOCK; at += 1) {
    run(octet.set(loadOctet(state.get, at)));
    for (const [place, mask] of bits.entries()) {
      run(bit.set(same(and(octet.get, mask.get), mask.get)));
      run(sum.set(xor(sum.get, and(bit.get, load(powers.get, (at * 8 + place) * BLOCK)))));
    }
  }
  run(store(state.get, sum.get));
  run(data.set(add(data.get, int(BLOCK))));
  func.do(repeat(count, body));
  return func;
}

/** Nibbles of a block, and accumulators of the product that are made at a time. */
const NIBBLES = 32;
const AT_A_TIME = 4;

/**
 * `lanes(tables, sums, scratch, data, count)`: sixteen hashes beside one another, each of every
 * sixteenth block. At `sums` lie the hashes, octet by octet: the first octets of all of them, the
 * second ones, and so on. At `tables` lie, for each of 32 nibbles of a block and each of 16 octets
 * of a product, the octets of the nibble's 16 values times H^16. `scratch` has 512 octets.
 */
function lanes(): Func {
  const func = new Func("lanes", 5);
  const [tables, sums, scratch, data, count] = [0, 1, 2, 3, 4].map((at) => func.parameter(at)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const vectors = (many: number) => Array.from({ length: many }, () => func.local(V128));
  const low = func.local(V128);
  func.do(low.set(each(0x0f)));
  let rows = vectors(16);
  let others = vectors(16);
  const [nibble] = vectors(1) as [Local];
  const products = vectors(AT_A_TIME);
  const body: number[] = [];
  const run = (code: Code) => {
    for (const one of code) body.push(one);
  };
  // The sums times H^16.
  for (let at = 0; at < BLOCK; at += 1) {
    run(nibble.set(load(sums.get, at * BLOCK)));
    run(store(scratch.get, and(shiftRight(nibble.get, 4), low.get), 2 * at * BLOCK));
    run(store(scratch.get, and(nibble.get, low.get), (2 * at + 1) * BLOCK));
  }
  for (let first = 0; first < BLOCK; first += AT_A_TIME) {
    for (let place = 0; place < NIBBLES; place += 1) {
      run(nibble.set(load(scratch.get, place * BLOCK)));
      for (const [index, product] of products.entries()) {
        const table = load(tables.get, (place * BLOCK + first + index) * BLOCK);
        const chosen = choose(table, nibble.get);
        run(product.set(place === 0 ? chosen : xor(product.get, chosen)));
      }
    }
    for (const [index, product] of products.entries()) {
      run(store(sums.get, product.get, (first + index) * BLOCK));
    }
  }
  // Sixteen blocks, turned so that each vector has one octet of all of them, are added.
  for (const [at, row] of rows.entries()) run(row.set(load(data.get, at * BLOCK)));
  const lowHalf = Array.from({ length: 16 }, (_, at) => (at >> 1) + (at & 1) * 16);
  const highHalf = lowHalf.map((at) => at + 8);
  for (let stage = 0; stage < 4; stage += 1) {
    for (let at = 0; at < 8; at += 1) {
      run(others[2 * at]!.set(shuffle(rows[at]!.get, rows[at + 8]!.get, lowHalf)));
      run(others[2 * at + 1]!.set(shuffle(rows[at]!.get, rows[at + 8]!.get, highHalf)));
    }
    [rows, others] = [others, rows];
  }
  for (const [at, row] of rows.entries()) {
    run(store(sums.get, xor(load(sums.get, at * BLOCK), row.get), at * BLOCK));
  }
  run(data.set(add(data.get, int(BLOCK * BLOCK))));
  func.do(repeat(count, body));
  return func;
}

/** The module as octets. */
export function sm4Kernel(): Uint8Array {
  return assemble([ctr(), ghash(), lanes()], MEMORY);
}
