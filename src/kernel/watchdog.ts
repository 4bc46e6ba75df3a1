/** Decides whether a thread still lives, by a word that it counts up. Pure: time is an argument. */
import { type Instant, type Millis, seconds, since } from "../base/time.ts";

/** How often the word is looked at. */
export const LOOK_EVERY = seconds(1);
/** A thread that has not counted for so long is stuck. */
export const SILENT_MAX = seconds(3);
/** The same, before its first count: it loads its code first, slowly on small machines. */
export const SILENT_MAX_STARTING = seconds(30);

/** Watches one thread. */
export class Watchdog {
  #beats = 0;
  #silent = 0;
  #looked: Instant;

  constructor(now: Instant) {
    this.#looked = now;
  }

  /**
   * Looks at the word.
   * @returns True when the thread is stuck.
   */
  look(beats: number, now: Instant): boolean {
    // A look that comes late says that we were held up ourselves: by a suspended machine or a
    // stopped process. The thread gets no blame for that time.
    const passed = Math.min(since(this.#looked, now), LOOK_EVERY * 1.5) as Millis;
    this.#looked = now;
    this.#silent = beats === this.#beats ? this.#silent + passed : 0;
    this.#beats = beats;
    return this.#silent > (beats === 0 ? SILENT_MAX_STARTING : SILENT_MAX);
  }
}
