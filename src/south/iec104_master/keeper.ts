/**
 * Between the link and the journal: what an RTU has sent is confirmed to it only when it is safe.
 * This is the rule by which nothing is lost.
 * @module
 */
import { type Instant, millis } from "../../base/time.ts";
import { pause } from "../../platform/clock.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Points, Sample } from "../../points/points.ts";

/** How long a journal without room is left alone. */
const ROOM_PAUSE = millis(100);

interface Held {
  /** ASDUs of the link. */
  count: number;
  /** Number in the journal behind which they are kept; undefined: they found no room yet. */
  sequence: number | undefined;
  samples: readonly Sample[];
}

/** What is not confirmed yet, oldest first. */
export class Keeper {
  readonly #held: Held[] = [];
  #working = false;

  /** @param release Tells the link that its oldest ASDUs are safe. */
  constructor(
    readonly points: Points,
    readonly clock: Clock,
    readonly signal: AbortSignal,
    readonly release: (count: number, now: Instant) => void,
    readonly heldBack: () => void,
  ) {}

  /** Takes the samples of one ASDU, which may be none. */
  keep(samples: readonly Sample[]): void {
    const last = this.#held.at(-1);
    // Behind what found no room nothing is published: the order would be lost.
    const blocked = last !== undefined && last.sequence === undefined;
    const sequence = blocked ? undefined : this.#publish(samples);
    if (last && last.sequence !== undefined && last.sequence === sequence) last.count += 1;
    else this.#held.push({ count: 1, sequence, samples: sequence === undefined ? samples : [] });
    if (!this.#working) void this.#work();
  }

  #publish(samples: readonly Sample[]): number | undefined {
    const sequence = this.points.publish(samples);
    if (sequence === undefined) this.heldBack();
    return sequence;
  }

  async #work(): Promise<void> {
    this.#working = true;
    const { journal } = this.points;
    while (!this.signal.aborted) {
      const [head] = this.#held;
      if (!head) break;
      if (head.sequence === undefined) {
        await pause(this.clock, ROOM_PAUSE, this.signal);
        if (!this.signal.aborted) head.sequence = this.#publish(head.samples);
        continue;
      }
      await journal?.whenCommitted(head.sequence);
      if (this.signal.aborted) break;
      let count = 0;
      const safe = journal?.committed ?? Infinity;
      while (this.#held[0] && (this.#held[0].sequence ?? Infinity) <= safe) {
        count += this.#held.shift()!.count;
      }
      this.release(count, this.clock.now());
    }
    this.#working = false;
  }
}
