/**
 * SM4-GCM and SM4-CTR by the WebAssembly kernel: 16 blocks at a time, in a time that does not
 * depend on key or text. One instance for each thread; keys and what is worked on lie in its memory
 * and are wiped when they are done with.
 * @module
 */
import { BugError } from "../base/errors.ts";
import { type Aead, checkCall, NONCE_SIZE, sameTag, TAG_SIZE } from "./aead.ts";
import { HELD_CONSTANT, HELD_HIGH, HELD_LOW, KERNEL, MISSING } from "./kernel_octets.ts";
import { SM4_BLOCK, sm4RoundKeys } from "./sm4.ts";

/** What the module exports. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  ctr(keys: number, nonce: number, counter: number, data: number, count: number): void;
  ghash(powers: number, state: number, data: number, count: number): void;
  lanes(tables: number, sums: number, scratch: number, data: number, count: number): void;
}

/** Octets that are encrypted together. */
const STEP = 16 * SM4_BLOCK;
/** Octets that are worked on at a time. */
const WINDOW = 64 * 1024;
/** Octets of sixteen blocks, which are hashed together. */
const LANES = 16 * SM4_BLOCK;
/** From so many blocks on the tables for sixteen at a time pay. */
const LANES_MIN = 48;

// Places in the memory.
const NONCE = 0;
const STATE = 16;
const SUMS = 32;
const SCRATCH = SUMS + LANES;
/** The block that masks the tag, right before the text: one run makes both. */
const MASK = SCRATCH + 512;
const DATA = MASK + SM4_BLOCK;
const KEYS = DATA + WINDOW + 2 * STEP;

// Places in a key's part.
const ROUND_KEYS = 0;
const POWERS = 32 * SM4_BLOCK;
const TABLES = POWERS + 128 * SM4_BLOCK;
const KEY_SIZE = TABLES + 512 * SM4_BLOCK;
const PAGE = 65_536;

/** The kernel of this thread. */
class Kernel {
  readonly exports: Exports;
  octets: Uint8Array;
  readonly #free: number[] = [];
  #end = KEYS;

  constructor() {
    const module = new WebAssembly.Module(KERNEL as Uint8Array<ArrayBuffer>);
    this.exports = new WebAssembly.Instance(module).exports as unknown as Exports;
    this.octets = new Uint8Array(this.exports.memory.buffer);
  }

  /** A place for a key. */
  allocate(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const at = this.#end;
    this.#end += KEY_SIZE;
    const missing = this.#end - this.octets.length;
    if (missing > 0) {
      this.exports.memory.grow(Math.ceil(missing / PAGE));
      this.octets = new Uint8Array(this.exports.memory.buffer);
    }
    return at;
  }

  release(at: number): void {
    this.octets.fill(0, at, at + KEY_SIZE);
    this.#free.push(at);
  }
}

let kernel: Kernel | undefined;

/** Whether this runtime can run the kernel. */
export function hasSm4Kernel(): boolean {
  try {
    kernel ??= new Kernel();
    return true;
  } catch (error) {
    if (error instanceof WebAssembly.CompileError) return false;
    throw error;
  }
}

/** SM4-GCM, and the key stream of CTR. @throws BugError for a key that has not 16 octets. */
export class Sm4WasmGcm implements Aead {
  readonly #kernel: Kernel;
  readonly #exports: Exports;
  #at: number;
  #hasTables = false;

  constructor(key: Uint8Array) {
    this.#kernel = kernel ??= new Kernel();
    this.#exports = this.#kernel.exports;
    const words = sm4RoundKeys(key);
    this.#at = this.#kernel.allocate();
    const { octets } = this.#kernel;
    for (let round = 0; round < 32; round += 1) {
      // The S-box's end lacks its constant; what that leaves in the words before is made up for
      // here.
      let missing = 0;
      for (let before = 1; before <= 3; before += 1) {
        if ((round + before >> 2 & 1) === 1) missing ^= MISSING;
      }
      for (let index = 0; index < 4; index += 1) {
        const octet = words[round]! >>> (24 - 8 * index) & 0xff ^ missing;
        const held = HELD_LOW[octet & 15]! ^ HELD_HIGH[octet >> 4]! ^ HELD_CONSTANT;
        for (let word = 0; word < SM4_BLOCK; word += 4) {
          octets[this.#at + ROUND_KEYS + SM4_BLOCK * round + word + index] = held;
        }
      }
    }
    words.fill(0);
    this.#powers();
  }

  seal(
    ...[nonce, extra, source, from, end, target, to]: Parameters<Aead["seal"]>
  ): number {
    const size = end - from;
    checkCall(nonce, source, from, end, target, to, size + TAG_SIZE);
    const { octets } = this.#kernel;
    this.#begin(nonce, extra);
    for (let done = 0; done < size || done === 0;) {
      const part = Math.min(WINDOW, size - done);
      octets.set(source.subarray(from + done, from + done + part), DATA);
      if (done === 0) this.#stream(1, MASK, SM4_BLOCK + part);
      else this.#stream(2 + done / SM4_BLOCK, DATA, part);
      target.set(octets.subarray(DATA, DATA + part), to + done);
      this.#hash(part);
      done += Math.max(part, 1);
    }
    this.#finish(extra.length, size);
    target.set(octets.subarray(STATE, STATE + TAG_SIZE), to + size);
    return to + size + TAG_SIZE;
  }

  /** What is made before the tag is known to hold stays in the kernel's memory, and is wiped there. */
  open(
    ...[nonce, extra, source, from, end, target, to]: Parameters<Aead["open"]>
  ): number {
    const size = end - TAG_SIZE - from;
    if (size < 0) return -1;
    checkCall(nonce, source, from, from + size, target, to, size);
    const { octets } = this.#kernel;
    this.#begin(nonce, extra);
    for (let done = 0; done < size; done += WINDOW) {
      const part = Math.min(WINDOW, size - done);
      octets.set(source.subarray(from + done, from + done + part), DATA);
      this.#hash(part);
    }
    const whole = size <= WINDOW;
    this.#stream(1, MASK, SM4_BLOCK + (whole ? size : 0));
    this.#finish(extra.length, size);
    const good = sameTag(octets, STATE, source, end - TAG_SIZE);
    for (let done = 0; good && done < size;) {
      const part = Math.min(WINDOW, size - done);
      if (!whole) {
        octets.set(source.subarray(from + done, from + done + part), DATA);
        this.#stream(2 + done / SM4_BLOCK, DATA, part);
      }
      target.set(octets.subarray(DATA, DATA + part), to + done);
      done += part;
    }
    octets.fill(0, DATA, DATA + Math.min(WINDOW, size));
    return good ? to + size : -1;
  }

  /**
   * Adds the key stream to octets, as {@linkcode sm4Ctr} does.
   * @param counter 16 octets, of which the last four count, and must not wrap within the text.
   */
  ctr(counter: Uint8Array, source: Uint8Array, target = source): void {
    const { octets } = this.#kernel;
    if (counter.length !== SM4_BLOCK || target.length < source.length) {
      throw new BugError("crypto.sm4.room", "A counter has 16 octets; the target is too short");
    }
    const first = new DataView(counter.buffer, counter.byteOffset).getUint32(12);
    if (first + source.length / SM4_BLOCK > 2 ** 32) {
      throw new BugError("crypto.sm4.counter", "The counter would wrap");
    }
    octets.set(counter.subarray(0, NONCE_SIZE), NONCE);
    for (let done = 0; done < source.length; done += WINDOW) {
      const part = Math.min(WINDOW, source.length - done);
      octets.set(source.subarray(done, done + part), DATA);
      this.#stream(first + done / SM4_BLOCK, DATA, part);
      target.set(octets.subarray(DATA, DATA + part), done);
    }
    octets.fill(0, DATA, DATA + Math.min(WINDOW, source.length));
  }

  /** Wipes the key. */
  [Symbol.dispose](): void {
    if (this.#at === 0) return;
    this.#kernel.release(this.#at);
    this.#at = 0;
  }

  /** Adds the key stream to what is at a place. */
  #stream(counter: number, at: number, size: number): void {
    if (this.#at === 0) throw new BugError("crypto.key.gone", "The key was disposed of");
    this.#exports.ctr(this.#at + ROUND_KEYS, NONCE, counter, at, Math.ceil(size / STEP));
  }

  /** Takes the nonce, and hashes what is not encrypted. */
  #begin(nonce: Uint8Array, extra: Uint8Array): void {
    const { octets } = this.#kernel;
    octets.set(nonce, NONCE);
    octets.fill(0, MASK, MASK + SM4_BLOCK);
    octets.fill(0, STATE, STATE + SM4_BLOCK);
    for (let done = 0; done < extra.length; done += WINDOW) {
      const part = Math.min(WINDOW, extra.length - done);
      octets.set(extra.subarray(done, done + part), DATA);
      this.#hash(part);
    }
  }

  /** Hashes what is at {@linkcode DATA}, filled with zeros. */
  #hash(size: number): void {
    const { octets } = this.#kernel;
    let blocks = Math.ceil(size / SM4_BLOCK);
    octets.fill(0, DATA + size, DATA + blocks * SM4_BLOCK);
    let at = DATA;
    if (blocks >= LANES_MIN) {
      const rounds = blocks >> 4;
      this.#hashLanes(rounds);
      at += rounds * LANES;
      blocks -= rounds * 16;
    }
    if (blocks > 0) this.#exports.ghash(this.#at + POWERS, STATE, at, blocks);
  }

  #hashLanes(rounds: number): void {
    const { octets } = this.#kernel;
    if (!this.#hasTables) this.#tables();
    // The hash so far goes before the first block, and is taken off it again.
    const adds = () => {
      for (let index = 0; index < SM4_BLOCK; index += 1) {
        octets[DATA + index] = octets[DATA + index]! ^ octets[STATE + index]!;
      }
    };
    adds();
    octets.fill(0, SUMS, SUMS + LANES);
    this.#exports.lanes(this.#at + TABLES, SUMS, SCRATCH, DATA, rounds);
    adds();
    // Sixteen hashes become one, each times its power.
    for (let lane = 0; lane < 16; lane += 1) {
      for (let index = 0; index < SM4_BLOCK; index += 1) {
        octets[SCRATCH + lane * SM4_BLOCK + index] = octets[SUMS + index * 16 + lane]!;
      }
    }
    octets.fill(0, STATE, STATE + SM4_BLOCK);
    this.#exports.ghash(this.#at + POWERS, STATE, SCRATCH, 16);
  }

  /** The lengths, and the mask. */
  #finish(extra: number, size: number): void {
    const { octets } = this.#kernel;
    const view = new DataView(octets.buffer);
    view.setUint32(SCRATCH, Math.floor(extra / 2 ** 29));
    view.setUint32(SCRATCH + 4, extra * 8);
    view.setUint32(SCRATCH + 8, Math.floor(size / 2 ** 29));
    view.setUint32(SCRATCH + 12, size * 8);
    this.#exports.ghash(this.#at + POWERS, STATE, SCRATCH, 1);
    for (let index = 0; index < TAG_SIZE; index += 1) {
      octets[STATE + index] = octets[STATE + index]! ^ octets[MASK + index]!;
    }
    octets.fill(0, MASK, MASK + SM4_BLOCK);
  }

  /** H·x^0 to H·x^127. */
  #powers(): void {
    const { octets } = this.#kernel;
    octets.fill(0, NONCE, NONCE + NONCE_SIZE);
    octets.fill(0, MASK, MASK + SM4_BLOCK);
    this.#stream(0, MASK, SM4_BLOCK);
    const place = this.#at + POWERS;
    octets.copyWithin(place, MASK, MASK + SM4_BLOCK);
    for (let power = 1; power < 128; power += 1) timesX(octets, place + (power - 1) * SM4_BLOCK);
    octets.fill(0, MASK, MASK + STEP);
  }

  /** Octet s of nibble value v at place p, times H^16: at ((p·16 + s)·16 + v). */
  #tables(): void {
    const { octets } = this.#kernel;
    const saved = octets.slice(STATE, STATE + SM4_BLOCK);
    // H^16: H itself, and fifteen times more.
    octets.fill(0, STATE, STATE + SM4_BLOCK);
    const data = DATA + WINDOW;
    octets.fill(0, data, data + STEP + STEP);
    octets.copyWithin(data, this.#at + POWERS, this.#at + POWERS + SM4_BLOCK);
    this.#exports.ghash(this.#at + POWERS, STATE, data, 15);
    octets.fill(0, data, data + STEP + STEP);
    const powers = new Uint8Array(5 * SM4_BLOCK);
    powers.set(octets.subarray(STATE, STATE + SM4_BLOCK));
    octets.set(saved, STATE);
    for (let place = 0; place < 32; place += 1) {
      for (let power = 0; power < 4; power += 1) timesX(powers, power * SM4_BLOCK);
      const table = this.#at + TABLES + place * LANES;
      for (let index = 0; index < SM4_BLOCK; index += 1) {
        const row = table + index * 16;
        octets.fill(0, row, row + 16);
        for (let power = 0; power < 4; power += 1) {
          // The highest bit of a nibble is the lowest power.
          const octet = powers[power * SM4_BLOCK + index]!;
          for (let value = 0; value < 16; value += 1) {
            if ((value & 8 >> power) !== 0) octets[row + value] = octets[row + value]! ^ octet;
          }
        }
      }
      powers.copyWithin(0, 4 * SM4_BLOCK);
    }
    powers.fill(0);
    this.#hasTables = true;
  }
}

/** Puts the block at `at`, times x, behind it. */
function timesX(octets: Uint8Array, at: number): void {
  let carry = 0;
  for (let index = 0; index < SM4_BLOCK; index += 1) {
    const octet = octets[at + index]!;
    octets[at + SM4_BLOCK + index] = octet >> 1 | carry << 7;
    carry = octet & 1;
  }
  octets[at + SM4_BLOCK] = octets[at + SM4_BLOCK]! ^ (0xe1 & -carry);
}
