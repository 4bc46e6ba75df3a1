/**
 * Counters in shared memory: the worker that owns them writes, the status port reads them without
 * asking.
 *
 * A word is a 64-bit float, whole up to 2^53. (A BigInt64Array would make a BigInt per increment;
 * an aligned 64-bit store is not torn on x86-64 and ARM64.) There is one writer per set.
 * @module
 */
import { BugError } from "./errors.ts";

/** What every service counts, in the order in which it is shown. */
export const STANDARD_COUNTERS = [
  "frames_in",
  "frames_out",
  "octets_in",
  "octets_out",
  "malformed",
  "dropped",
  "reconnects",
  "peers",
  "queue_depth",
] as const;

/** A named set of words. Hot loops hold {@linkcode words} and an index from {@linkcode at}. */
export class Counters {
  readonly names: readonly string[];
  readonly words: Float64Array<SharedArrayBuffer>;
  readonly #index: ReadonlyMap<string, number>;

  /**
   * @param extra Names beside the standard ones, of this module.
   * @param memory Shared memory of an existing set with the same names; absent to make a new one.
   */
  constructor(extra: readonly string[] = [], memory?: SharedArrayBuffer) {
    this.names = [...new Set([...STANDARD_COUNTERS, ...extra])];
    this.words = new Float64Array(memory ?? new SharedArrayBuffer(this.names.length * 8));
    if (this.words.length !== this.names.length) {
      throw new BugError("counters.size", "Shared counters have another size than their names", {
        names: this.names.length,
        words: this.words.length,
      });
    }
    this.#index = new Map(this.names.map((name, index) => [name, index]));
  }

  /** The memory to hand to a worker. */
  get memory(): SharedArrayBuffer {
    return this.words.buffer;
  }

  /**
   * The place of a counter in {@linkcode words}.
   * @throws BugError when there is none of that name.
   */
  at(name: string): number {
    const index = this.#index.get(name);
    if (index === undefined) throw new BugError("counters.name", "No such counter", { name });
    return index;
  }

  add(name: string, by = 1): void {
    this.words[this.at(name)]! += by;
  }

  set(name: string, value: number): void {
    this.words[this.at(name)] = value;
  }

  get(name: string): number {
    return this.words[this.at(name)]!;
  }

  /** All of them by name, standard ones first. */
  snapshot(): Record<string, number> {
    return Object.fromEntries(this.names.map((name, index) => [name, this.words[index]!]));
  }
}
