/**
 * GF(2^8) of SM4's S-box as GF(16)[v], and the tables of 16 octets by which the kernel computes in
 * it. Everything is found by trying, from the modulus and the affine map of GB/T 32907.
 * @module
 */

import { sm4Affine as affine, sm4Product as product } from "../../src/crypto/sm4.ts";

/** The affine map's constant. */
const CONSTANT = 0xd3;
const INFINITE = 0x80;

function power(base: number, exponent: number): number {
  let result = 1;
  for (let turn = 0; turn < exponent; turn += 1) result = product(result, base);
  return result;
}

const inverse = (value: number) => power(value, 254);

const all = Array.from({ length: 256 }, (_, value) => value);
/** The subfield of 16 elements. */
const subfield = all.filter((value) => power(value, 16) === value);
/** A root of unity outside of it, of norm 1. */
const v = all.find((value) => value > 1 && power(value, 17) === 1)!;
const trace = v ^ power(v, 16);

/** Elements of the subfield by nibbles: sums of four that are independent. */
const elements = ((): number[] => {
  let sums = [0];
  for (const value of subfield) {
    if (sums.length < 16 && !sums.includes(value)) {
      sums = [...sums, ...sums.map((sum) => sum ^ value)];
    }
  }
  return sums;
})();
const nibbleOf = (element: number): number => {
  const nibble = elements.indexOf(element);
  if (nibble < 0) throw new Error(`${element} is not in the subfield`);
  return nibble;
};

/** An element as two nibbles, i low and j high, of i + jv. */
const packed = ((): number[] => {
  const table: number[] = [];
  for (let i = 0; i < 16; i += 1) {
    for (let j = 0; j < 16; j += 1) table[elements[i]! ^ product(elements[j]!, v)] = i | j << 4;
  }
  return table;
})();

/** How the kernel holds an octet: its affine image in the two nibbles. */
export function heldAs(octet: number): number {
  return packed[affine(octet)]!;
}

/** The affine constant as the kernel adds it. */
export const HELD_CONSTANT = packed[CONSTANT]!;

/** What the missing constant of the S-box's end makes of each octet of a word, after L. */
export const MISSING = (CONSTANT << 2 | CONSTANT >> 6) & 0xff;

const nibbles = Array.from({ length: 16 }, (_, nibble) => nibble);
const unheld = ((): number[] => {
  const table: number[] = [];
  for (const octet of all) table[heldAs(octet)] = octet;
  return table;
})();

/**
 * The S-box's end of 1/io and 1/jo, one of which is 0, as B + f(B). From
 * 1/io = ((1 + a)I + J) and 1/jo = (I + (1 + a)J), with x^-1 = I + aJ + Jv.
 */
function out(which: "io" | "jo", add: (octet: number) => number): number[] {
  const square = inverse(product(trace, trace));
  const times = trace ^ 1;
  return nibbles.map((nibble) => {
    if (nibble === 0) return 0;
    const value = product(inverse(elements[nibble]!), square);
    const [first, second] = which === "io"
      ? [product(times, value), value]
      : [value, product(times, value)];
    const inverted = first ^ product(trace, second) ^ product(second, v);
    const octet = affine(inverted);
    return heldAs(octet ^ add(octet));
  });
}

const up = (octet: number) => octet << 2 & 0xff;
const down = (octet: number) => octet >> 6;

/** Tables for permutations; each has 16 octets. */
export const SM4_TABLES = {
  /** 1/i. */
  inverse: nibbles.map((nibble) => nibble === 0 ? INFINITE : nibbleOf(inverse(elements[nibble]!))),
  /** a/k. */
  quotient: nibbles.map((nibble) =>
    nibble === 0 ? INFINITE : nibbleOf(product(trace, inverse(elements[nibble]!)))
  ),
  /** Of io and jo: B + (B << 2), then B + (B >> 6), in each octet. */
  out: [out("io", up), out("jo", up), out("io", down), out("jo", down)],
  /** Of the low and the high nibble of an octet: how it is held. */
  into: [nibbles.map(heldAs), nibbles.map((nibble) => heldAs(nibble << 4))],
  /** And back. */
  from: [nibbles.map((nibble) => unheld[nibble]!), nibbles.map((nibble) => unheld[nibble << 4]!)],
} as const;
