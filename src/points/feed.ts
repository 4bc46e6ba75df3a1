/**
 * A bounded queue of samples with one reader. It is known by its name and outlives its reader, so a
 * restart of the reader loses nothing.
 * @module
 */
import { BugError } from "../base/errors.ts";
import type { PointId, Sample } from "./point.ts";

/** How a feed chooses and keeps its samples. */
export interface FeedOptions {
  readonly match: (point: PointId) => boolean;
  /** Most samples that wait, 1 or more. */
  readonly depth: number;
  /**
   * `drop_oldest`, for events: what is lost is counted, and a {@linkcode lostPoint} sample marks
   * the gap. `latest`, for measurements: keeps only the newest sample of each point.
   */
  readonly onFull: "drop_oldest" | "latest";
}

/** Most samples in one batch: a reader is never handed the whole of a long outage at once. */
export const BATCH_MAX = 1024;

/** The point whose sample stands in a feed where events were lost; its value is how many. */
export function lostPoint(feed: string): PointId {
  return `sys.feed.${feed.replaceAll(".", "_")}.lost` as PointId;
}

/**
 * To come back for the next batch is to say that the last one is done with; a batch whose reader
 * threw or left is handed out once more. So delivery is at least once, without a call to confirm.
 */
export class Feed {
  readonly #queue: SampleQueue;
  #handed: readonly Sample[] | undefined;
  #lost = 0;
  #unmarked = 0;
  #unmarkedAt = 0;
  #reading = false;
  #notify: () => void = () => {};
  #emptied: (() => void)[] = [];

  /** @throws BugError when the depth is not a whole number from 1 on. */
  constructor(readonly name: string, readonly options: FeedOptions) {
    if (!Number.isInteger(options.depth) || options.depth < 1) {
      throw new BugError("points.feed.depth", "Feed needs a depth of at least 1", {
        name,
        depth: options.depth,
      });
    }
    this.#queue = options.onFull === "latest"
      ? new LatestQueue(options.depth)
      : new RingQueue(options.depth);
  }

  /** Samples thrown away because the reader was too slow. Shown in /status. */
  get lost(): number {
    return this.#lost;
  }

  /** Samples that wait, those of a batch that is being read included. */
  get pending(): number {
    return this.#queue.size + (this.#handed?.length ?? 0);
  }

  /** Takes the samples that match. Never waits. */
  offer(samples: readonly Sample[]): void {
    for (const sample of samples) {
      if (!this.options.match(sample.point)) continue;
      const dropped = this.#queue.push(sample);
      if (dropped === undefined) continue;
      this.#lost += 1;
      this.#unmarked += 1;
      this.#unmarkedAt = dropped.at;
    }
    if (this.#queue.size > 0) this.#notify();
  }

  /** Resolves when nothing waits any more, or when `signal` aborts. For the stop of a reader. */
  drained(signal: AbortSignal): Promise<void> {
    if (this.pending === 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#emptied.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /**
   * The batches, oldest first, 1 to {@linkcode BATCH_MAX} samples each. Ends quietly when `signal`
   * aborts. @throws BugError when somebody reads already.
   */
  async *batches(signal: AbortSignal): AsyncGenerator<readonly Sample[]> {
    if (this.#reading) {
      throw new BugError("points.feed.readers", "Feed has a reader already", { name: this.name });
    }
    this.#reading = true;
    const wake = () => this.#notify();
    signal.addEventListener("abort", wake);
    try {
      while (!signal.aborted) {
        this.#handed ??= this.#take();
        if (this.#handed) {
          yield this.#handed;
          this.#handed = undefined; // Not reached when the reader throws or leaves.
          if (this.pending === 0) { for (const tell of this.#emptied.splice(0)) tell(); }
        } else {
          await new Promise<void>((resolve) => this.#notify = resolve);
        }
      }
    } finally {
      this.#reading = false;
      this.#notify = () => {};
      signal.removeEventListener("abort", wake);
    }
  }

  #take(): readonly Sample[] | undefined {
    if (this.#queue.size === 0) return undefined;
    const batch: Sample[] = [];
    if (this.#unmarked > 0 && this.options.onFull === "drop_oldest") {
      const point = lostPoint(this.name);
      batch.push({ point, value: this.#unmarked, quality: 0, at: this.#unmarkedAt });
    }
    this.#unmarked = 0;
    this.#queue.take(BATCH_MAX - batch.length, batch);
    return batch;
  }
}

interface SampleQueue {
  readonly size: number;
  /** Returns what had to go. */
  push(sample: Sample): Sample | undefined;
  take(most: number, into: Sample[]): void;
}

class RingQueue implements SampleQueue {
  readonly #slots: (Sample | undefined)[];
  #head = 0;
  size = 0;

  constructor(depth: number) {
    this.#slots = new Array(depth);
  }

  push(sample: Sample): Sample | undefined {
    const depth = this.#slots.length;
    const tail = (this.#head + this.size) % depth;
    if (this.size < depth) {
      this.#slots[tail] = sample;
      this.size += 1;
      return undefined;
    }
    const oldest = this.#slots[this.#head];
    this.#slots[this.#head] = sample;
    this.#head = (this.#head + 1) % depth;
    return oldest;
  }

  take(most: number, into: Sample[]): void {
    for (let left = Math.min(most, this.size); left > 0; left -= 1) {
      into.push(this.#slots[this.#head]!);
      this.#slots[this.#head] = undefined;
      this.#head = (this.#head + 1) % this.#slots.length;
      this.size -= 1;
    }
  }
}

class LatestQueue implements SampleQueue {
  readonly #samples = new Map<PointId, Sample>();

  constructor(readonly depth: number) {}

  get size(): number {
    return this.#samples.size;
  }

  push(sample: Sample): Sample | undefined {
    let oldest: Sample | undefined;
    if (this.#samples.size >= this.depth && !this.#samples.has(sample.point)) {
      const [point, first] = this.#samples.entries().next().value!;
      oldest = first;
      this.#samples.delete(point);
    }
    // A point keeps its place in the row, so that one that changes all the time is still read.
    this.#samples.set(sample.point, sample);
    return oldest;
  }

  take(most: number, into: Sample[]): void {
    for (const [point, sample] of this.#samples) {
      if (most <= 0) return;
      into.push(sample);
      this.#samples.delete(point);
      most -= 1;
    }
  }
}
