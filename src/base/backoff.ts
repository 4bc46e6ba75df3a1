/**
 * How long to wait between tries to reach a peer: the golden ratio from one to the next. The first
 * few follow one another quickly; later ones are spread by chance, so that many that lost the same
 * peer do not come back together. The state outlives single connections: it belongs to the peer.
 * @module
 */
import type { Random } from "./random.ts";
import { type Millis, millis, seconds } from "./time.ts";

const RATIO = (1 + Math.sqrt(5)) / 2;

/** What may be chosen. */
export interface BackoffOptions {
  /** Before the second try. */
  readonly first: Millis;
  /** The longest, but for chance. */
  readonly most: Millis;
  /** Tries that are not spread, and after which it is an alarm. */
  readonly fast: number;
  /** How far a wait may be from its middle, as a part of it. */
  readonly spread: number;
}

/** Those of the charging piles' specification. */
export const BACKOFF: BackoffOptions = {
  first: millis(100),
  most: seconds(60),
  fast: 5,
  spread: 0.2,
};

/** Waits for one peer. */
export class Backoff {
  #failures = 0;

  constructor(readonly options: BackoffOptions = BACKOFF) {}

  /** Tries in vain since the last that was good. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether so many were in vain that somebody has to be told. */
  get alarming(): boolean {
    return this.#failures >= this.options.fast;
  }

  /** A try was in vain. @returns How long to wait. */
  failed(random: Random): Millis {
    const { first, most, fast, spread } = this.options;
    const wait = Math.min(most, first * RATIO ** this.#failures);
    this.#failures += 1;
    if (this.#failures <= fast) return millis(wait);
    return millis(wait * (1 - spread + 2 * spread * random()));
  }

  /** A try was good. */
  succeeded(): void {
    this.#failures = 0;
  }
}
