/**
 * What the main thread and a worker share while the worker's loop never yields: orders in, signs of
 * life and open descriptors out. One memory per run, so that a thread that was given up cannot
 * pretend that its successor lives.
 * @module
 */

/** Descriptors below this number are noted, a bit each. */
export const DESCRIPTORS_MAX = 65_536;

const STOP = 0;
const TRACE = 1;
const BEATS = 2;
const THREAD = 3;
const NUDGES = 4;
const FIRST_WORD = 5;

/** A view of the shared words. */
export class Orders {
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** @param memory Of the other side's view; absent to make it. */
  constructor(memory?: SharedArrayBuffer) {
    this.#words = new Int32Array(
      memory ?? new SharedArrayBuffer(4 * FIRST_WORD + DESCRIPTORS_MAX / 8),
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

  /** Notes a descriptor. Returns false when its number is too large. */
  opened(descriptor: number): boolean {
    if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX) return false;
    Atomics.or(this.#words, FIRST_WORD + (descriptor >>> 5), 1 << (descriptor & 31));
    return true;
  }

  closed(descriptor: number): void {
    if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX) return;
    Atomics.and(this.#words, FIRST_WORD + (descriptor >>> 5), ~(1 << (descriptor & 31)));
  }

  /** Takes every noted descriptor out of the table. */
  takeDescriptors(): number[] {
    const taken: number[] = [];
    for (let at = FIRST_WORD; at < this.#words.length; at += 1) {
      const word = Atomics.exchange(this.#words, at, 0);
      for (let bit = 0; word !== 0 && bit < 32; bit += 1) {
        if ((word >>> bit & 1) !== 0) taken.push((at - FIRST_WORD) * 32 + bit);
      }
    }
    return taken;
  }
}
