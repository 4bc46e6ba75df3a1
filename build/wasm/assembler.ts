/**
 * A small assembler for WebAssembly with 128-bit vectors: expressions are lists of octets that are
 * put together, and a module is made of functions over one memory. WebAssembly 2.0, chapter 5;
 * relaxed SIMD for `swizzle`.
 * @module
 */

/** Octets of code that leave one value, or none. */
export type Code = readonly number[];

/** Types of values. */
export const I32 = 0x7f;
/** A whole number of 64 bits. */
export const I64 = 0x7e;
/** A vector of 16 octets. */
export const V128 = 0x7b;
const EMPTY = 0x40;
const PAGE_BITS = 16;

/** An unsigned number in LEB128. */
export function unsigned(value: number): number[] {
  const octets: number[] = [];
  let left = value;
  do {
    const octet = left & 0x7f;
    left = Math.floor(left / 128);
    octets.push(left > 0 ? octet | 0x80 : octet);
  } while (left > 0);
  return octets;
}

function signed(value: number): number[] {
  const octets: number[] = [];
  for (let left = value;;) {
    const octet = left & 0x7f;
    left >>= 7;
    const done = (left === 0 && (octet & 0x40) === 0) || (left === -1 && (octet & 0x40) !== 0);
    octets.push(done ? octet : octet | 0x80);
    if (done) return octets;
  }
}

function vector(opcode: number): number[] {
  return [0xfd, ...unsigned(opcode)];
}

/** A local variable of a function. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

/** A whole number. */
export const int = (value: number): Code => [0x41, ...signed(value)];
/** Sum of whole numbers. */
export const add = (one: Code, other: Code): Code => [...one, ...other, 0x6a];
/** The difference. */
export const sub = (one: Code, other: Code): Code => [...one, ...other, 0x6b];

/** A whole number of 64 bits. */
export const long = (value: number): Code => [0x42, ...signed(value)];
/** The 64-bit number at an address. */
export const loadLong = (at: Code, offset = 0): Code => [...at, 0x29, 0, ...unsigned(offset)];
/** Stores a 64-bit number. */
export const storeLong = (at: Code, value: Code, offset = 0): Code => [
  ...at,
  ...value,
  0x37,
  0,
  ...unsigned(offset),
];
const longs = (opcode: number) => (...values: readonly Code[]): Code =>
  values.reduce((one, other) => [...one, ...other, opcode]);
/** Sum of 64-bit numbers. */
export const sum = longs(0x7c);
/** Difference of two of them. */
export const difference = longs(0x7d);
/** Product. */
export const product = longs(0x7e);
/** Bits that both have. */
export const bothBits = longs(0x83);
/** Bits that one of two has. */
export const eitherBits = longs(0x85);
/** Shifted to the left. */
export const up = (value: Code, by: number): Code => [...value, ...long(by), 0x86];
/** Shifted to the right, with its sign. */
export const down = (value: Code, by: number): Code => [...value, ...long(by), 0x87];
/** A whole number with its sign, as one of 64 bits. */
export const widened = (value: Code): Code => [...value, 0xac];
/** -1 where two whole numbers are the same, else 0. */
export const maskOfSame = (one: Code, other: Code): Code => [
  ...int(0),
  ...one,
  ...other,
  ...[0x46, 0x6b],
];
/** Bits that one of two vectors has. */
export const or = (one: Code, other: Code): Code => [...one, ...other, ...vector(0x50)];
/** Calls a function by its place in the module. */
export const call = (place: number, ...parameters: readonly Code[]): Code => [
  ...parameters.flat(),
  0x10,
  ...unsigned(place),
];

/** A vector of 16 octets that are known. */
export const octets = (values: readonly number[]): Code => {
  if (values.length !== 16) throw new Error("A vector has 16 octets");
  return [...vector(0x0c), ...values];
};
/** The same octet 16 times. */
export const each = (value: number): Code => octets(new Array(16).fill(value));
/** The vector at an address. */
export const load = (at: Code, offset = 0): Code => [
  ...at,
  ...vector(0x00),
  0,
  ...unsigned(offset),
];
/** One octet at an address, 16 times. */
export const loadOctet = (at: Code, offset = 0): Code => [
  ...at,
  ...vector(0x07),
  0,
  ...unsigned(offset),
];
/** One word of 32 bits at an address, 4 times. */
export const loadWord = (at: Code, offset = 0): Code => [
  ...at,
  ...vector(0x09),
  0,
  ...unsigned(offset),
];
/** Stores a vector. */
export const store = (at: Code, value: Code, offset = 0): Code => [
  ...at,
  ...value,
  ...vector(0x0b),
  0,
  ...unsigned(offset),
];
/** Exclusive or. */
export const xor = (...values: readonly Code[]): Code =>
  values.reduce((one, other) => [...one, ...other, ...vector(0x51)]);
/** And. */
export const and = (one: Code, other: Code): Code => [...one, ...other, ...vector(0x4e)];
/** Where octets are the same all bits are set. */
export const same = (one: Code, other: Code): Code => [...one, ...other, ...vector(0x23)];
/** Shifts words of 16 bits to the right. */
export const shiftRight = (value: Code, by: number): Code => [
  ...value,
  ...int(by),
  ...vector(0x8d),
];
/** Shifts words of 32 bits to the right. */
export const wordsRight = (value: Code, by: number): Code => [
  ...value,
  ...int(by),
  ...vector(0xad),
];
/** Shifts words of 32 bits to the left. */
export const wordsLeft = (value: Code, by: number): Code => [
  ...value,
  ...int(by),
  ...vector(0xab),
];
/** Octets of a table, chosen by the octets of a vector; 0 where bit 7 of the chooser is set. */
export const choose = (table: Code, by: Code): Code => [...table, ...by, ...vector(0x100)];
/** Octets of two vectors, by places that are known: 0 to 15 of the first, 16 to 31 of the other. */
export const shuffle = (one: Code, other: Code, places: readonly number[]): Code => [
  ...one,
  ...other,
  ...vector(0x0d),
  ...places,
];
/** A whole number in each of four words. */
export const splat = (value: Code): Code => [...value, ...vector(0x11)];
/** Sums of four words. */
export const addWords = (one: Code, other: Code): Code => [...one, ...other, ...vector(0xae)];

/** Runs the body until the count, which is decreased each time, is 0. It must not be 0 before. */
export const repeat = (count: Local, body: Code): Code => [
  ...[0x03, EMPTY],
  ...body,
  ...count.set(sub(count.get, int(1))),
  ...count.get,
  ...[0x0d, 0, 0x0b],
];

/** A function that is exported under its name. It gives nothing back. */
export class Func {
  readonly #locals: number[] = [];
  readonly body: number[] = [];

  constructor(readonly name: string, readonly parameters: number) {}

  /** A parameter, from 0; all are whole numbers. */
  parameter(place: number): Local {
    return local(place);
  }

  /** A variable. */
  local(type: number): Local {
    this.#locals.push(type);
    return local(this.parameters + this.#locals.length - 1);
  }

  /** Puts code at the end. */
  do(...code: readonly Code[]): void {
    for (const one of code) for (const octet of one) this.body.push(octet);
  }

  /** The function as the module has it. */
  code(): number[] {
    const locals = this.#locals.flatMap((type) => [1, type]);
    const whole = [...unsigned(this.#locals.length), ...locals, ...this.body, 0x0b];
    return [...unsigned(whole.length), ...whole];
  }
}

function local(place: number): Local {
  return {
    get: [0x20, ...unsigned(place)],
    set: (value) => [...value, 0x21, ...unsigned(place)],
  };
}

function name(text: string): number[] {
  const octets = new TextEncoder().encode(text);
  return [...unsigned(octets.length), ...octets];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const body = [...unsigned(items.length), ...items.flat()];
  return [id, ...unsigned(body.length), ...body];
}

/** A module of functions with a memory, which is exported as `memory`. */
export function assemble(functions: readonly Func[], octetsOfMemory: number): Uint8Array {
  const pages = Math.ceil(octetsOfMemory / 2 ** PAGE_BITS);
  const types = functions.map(({ parameters }) => [
    ...[0x60, ...unsigned(parameters)],
    ...new Array<number>(parameters).fill(I32),
    0,
  ]);
  const exported = functions.map((func, index) => [...name(func.name), 0, ...unsigned(index)]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(3, functions.map((_, index) => unsigned(index))),
    ...section(5, [[0, ...unsigned(pages)]]),
    ...section(7, [...exported, [...name("memory"), 2, 0]]),
    ...section(10, functions.map((func) => func.code())),
  ]);
}
