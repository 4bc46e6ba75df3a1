/**
 * What the main thread and a worker share while the worker's loop never yields: orders in, signs of
 * life and open descriptors out. One memory per run, so that a thread that was given up cannot
 * pretend that its successor lives.
 * @module
 */

/** Most descriptors that a worker may have open. */
export const DESCRIPTORS_MAX = 64;

const STOP = 0;
const TRACE = 1;
const BEATS = 2;
const THREAD = 3;
const NUDGES = 4;
const FIRST_DESCRIPTOR = 5;
/** An empty place in the table; descriptors are stored plus one, for 0 is a descriptor too. */
const NONE = 0;

/** A view of the shared words. */
export class Orders {
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** @param memory Of the other side's view; absent to make it. */
  constructor(memory?: SharedArrayBuffer) {
    this.#words = new Int32Array(
      memory ?? new SharedArrayBuffer(4 * (FIRST_DESCRIPTOR + DESCRIPTORS_MAX)),
    );
  }

  get memory(): SharedArrayBuffer {
    return this.#words.buffer;
  }

  /** Whether the worker has to end. */
  get stop(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  orderStop(): void {
    Atomics.store(this.#words, STOP, 1);
  }

  /** How much of each frame is to be traced: 0 nothing … 3 octets. */
  get trace(): number {
    return Atomics.load(this.#words, TRACE);
  }

  set trace(level: number) {
    Atomics.store(this.#words, TRACE, level);
  }

  /** How often the worker was asked to look after its peers at once, modulo 2^32. */
  get nudges(): number {
    return Atomics.load(this.#words, NUDGES);
  }

  nudge(): void {
    Atomics.add(this.#words, NUDGES, 1);
  }

  /** How often the worker's loop has turned, modulo 2^32. 0 before the first turn only. */
  get beats(): number {
    return Atomics.load(this.#words, BEATS);
  }

  beat(): void {
    if (Atomics.add(this.#words, BEATS, 1) === -1) Atomics.store(this.#words, BEATS, 1);
  }

  /** The kernel's number of the worker's thread; 0 while it is not known. */
  get thread(): number {
    return Atomics.load(this.#words, THREAD);
  }

  set thread(number: number) {
    Atomics.store(this.#words, THREAD, number);
  }

  /** Notes a descriptor. Returns false when the table is full. */
  opened(descriptor: number): boolean {
    return this.#replace(NONE, descriptor + 1);
  }

  closed(descriptor: number): void {
    this.#replace(descriptor + 1, NONE);
  }

  /** Takes every noted descriptor out of the table. */
  takeDescriptors(): number[] {
    const taken: number[] = [];
    for (let at = FIRST_DESCRIPTOR; at < this.#words.length; at += 1) {
      const word = Atomics.exchange(this.#words, at, NONE);
      if (word !== NONE) taken.push(word - 1);
    }
    return taken;
  }

  #replace(from: number, to: number): boolean {
    for (let at = FIRST_DESCRIPTOR; at < this.#words.length; at += 1) {
      if (Atomics.compareExchange(this.#words, at, from, to) === from) return true;
    }
    return false;
  }
}
