/**
 * Messages to a worker whose loop never yields: a ring in shared memory, written by one thread and
 * read by another. Each message is JSON with its length in front, padded to 4 octets; a length of
 * -1 says that the rest of the ring is left out.
 * @module
 */
import type { Json } from "./registry.ts";

/** Octets of the ring. */
export const MAILBOX_SIZE = 1024 * 1024;
const HEAD = 0;
const TAIL = 1;
const WORDS = 2;
const SKIP = -1;

/** One end of the ring; which one is a matter of what is called. */
export class Mailbox {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #octets: Uint8Array<SharedArrayBuffer>;
  /** Octets of the ring alone. */
  readonly #size: number;

  /** @param memory Of the other end; absent to make it. */
  constructor(memory = new SharedArrayBuffer(MAILBOX_SIZE + WORDS * 4)) {
    this.#words = new Int32Array(memory);
    this.#octets = new Uint8Array(memory, WORDS * 4);
    this.#size = this.#octets.length;
  }

  get memory(): SharedArrayBuffer {
    return this.#words.buffer;
  }

  /** Puts a message in. Returns false when there is no room now. */
  send(message: Json): boolean {
    const text = new TextEncoder().encode(JSON.stringify(message));
    const need = 4 + ((text.length + 3) & ~3);
    const head = Atomics.load(this.#words, HEAD);
    let tail = Atomics.load(this.#words, TAIL);
    // One word stays free, so that full and empty look different.
    let free = (head - tail - 4 + this.#size) % this.#size;
    const left = this.#size - tail;
    if (left < need) {
      if (free < left + need) return false;
      this.#words[WORDS + tail / 4] = SKIP;
      tail = 0;
      free -= left;
    }
    if (free < need) return false;
    this.#words[WORDS + tail / 4] = text.length;
    this.#octets.set(text, tail + 4);
    Atomics.store(this.#words, TAIL, (tail + need) % this.#size);
    return true;
  }

  /** Takes the oldest message out; undefined when there is none. */
  receive(): Json | undefined {
    let head = Atomics.load(this.#words, HEAD);
    if (head === Atomics.load(this.#words, TAIL)) return undefined;
    if (this.#words[WORDS + head / 4] === SKIP) head = 0;
    const length = this.#words[WORDS + head / 4]!;
    const text = new TextDecoder().decode(this.#octets.slice(head + 4, head + 4 + length));
    Atomics.store(this.#words, HEAD, (head + 4 + ((length + 3) & ~3)) % this.#size);
    return JSON.parse(text) as Json;
  }
}
