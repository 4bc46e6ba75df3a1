/**
 * The replay window of wire format 2: which sequence numbers of a sender have been seen. RFC 4303
 * §3.4.3 in spirit, with 1,024 numbers. A sender that starts anew has another instance identifier,
 * and so a window of its own; of those that are silent the oldest is forgotten first.
 * @module
 */

/** Numbers that may arrive behind a newer one. */
export const WINDOW = 1024;
/** Most senders that are known at once. */
export const SENDERS_MAX = 128;
const WORDS = WINDOW / 32;

/** What a sequence number is. `replayed` and `old` are to be dropped. */
export const SEEN = { fresh: 0, late: 1, replayed: 2, old: 3 } as const;
export type Seen = (typeof SEEN)[keyof typeof SEEN];

/** The windows of all senders of a path. Nothing is allocated after it was made. */
export class ReplayWindows {
  readonly #high = new Uint32Array(SENDERS_MAX);
  readonly #low = new Uint32Array(SENDERS_MAX);
  readonly #newest = new Float64Array(SENDERS_MAX);
  /** The count of {@linkcode see} at which a sender was heard last. */
  readonly #heard = new Float64Array(SENDERS_MAX);
  readonly #bits = new Uint32Array(SENDERS_MAX * WORDS);
  #count = 0;
  #calls = 0;
  /** Senders that were forgotten to make room for others. */
  evicted = 0;
  /** Numbers that were never seen, of all senders: what the way has lost, late ones given back. */
  missing = 0;
  /** Numbers that came behind a newer one. */
  late = 0;

  /** Senders that are known. */
  get senders(): number {
    return this.#count;
  }

  /** Notes a sequence number, and says what it is. */
  see(senderHigh: number, senderLow: number, sequence: number): Seen {
    this.#calls += 1;
    const place = this.#find(senderHigh, senderLow, sequence);
    this.#heard[place] = this.#calls;
    const newest = this.#newest[place]!;
    if (sequence > newest) {
      this.missing += sequence - newest - 1;
      this.#advance(place, newest, sequence);
      return SEEN.fresh;
    }
    if (newest - sequence >= WINDOW) return SEEN.old;
    if (this.#test(place, sequence)) return SEEN.replayed;
    this.#mark(place, sequence);
    this.missing -= 1;
    this.late += 1;
    return SEEN.late;
  }

  #find(high: number, low: number, sequence: number): number {
    for (let place = 0; place < this.#count; place += 1) {
      if (this.#low[place] === low && this.#high[place] === high) return place;
    }
    let place = this.#count;
    if (place < SENDERS_MAX) this.#count += 1;
    else {
      place = 0;
      for (let other = 1; other < SENDERS_MAX; other += 1) {
        if (this.#heard[other]! < this.#heard[place]!) place = other;
      }
      this.evicted += 1;
    }
    this.#high[place] = high;
    this.#low[place] = low;
    // The first number that is heard of a sender says where it is; what came before is not missed.
    this.#newest[place] = sequence - 1;
    this.#bits.fill(0, place * WORDS, (place + 1) * WORDS);
    for (let back = 1; back < WINDOW && sequence - back >= 0; back += 1) {
      this.#mark(place, sequence - back);
    }
    return place;
  }

  #advance(place: number, newest: number, sequence: number): void {
    if (sequence - newest >= WINDOW) {
      this.#bits.fill(0, place * WORDS, (place + 1) * WORDS);
    } else {
      for (let between = newest + 1; between < sequence; between += 1) this.#clear(place, between);
    }
    this.#mark(place, sequence);
    this.#newest[place] = sequence;
  }

  #test(place: number, sequence: number): boolean {
    const bit = sequence % WINDOW;
    return (this.#bits[place * WORDS + (bit >>> 5)]! & (1 << (bit & 31))) !== 0;
  }

  #mark(place: number, sequence: number): void {
    const bit = sequence % WINDOW;
    const word = place * WORDS + (bit >>> 5);
    this.#bits[word] = this.#bits[word]! | (1 << (bit & 31));
  }

  #clear(place: number, sequence: number): void {
    const bit = sequence % WINDOW;
    const word = place * WORDS + (bit >>> 5);
    this.#bits[word] = this.#bits[word]! & ~(1 << (bit & 31));
  }
}
