/**
 * Folding of repeated lines: the first of a code and service is passed on at once; what follows
 * within a second becomes one line, the last one, with a `count`. Pure: time is an argument.
 * @module
 */
import type { LogLine } from "../base/log.ts";
import { after, type Instant, seconds } from "../base/time.ts";

/** How long lines of the same code and service are held together. */
export const FOLD_SPAN = seconds(1);
/** Most codes that are folded at once; beyond it the oldest is passed on early. */
export const FOLDS_MAX = 1000;

interface Fold {
  readonly until: Instant;
  /** The newest of the lines held back. */
  last: LogLine | undefined;
  count: number;
}

/** Folds the lines of one thread. */
export class LogFolder {
  readonly #folds = new Map<string, Fold>();

  /** @param pass Gets the lines that are to be written. */
  constructor(readonly pass: (line: LogLine) => void) {}

  /** When {@linkcode flush} has something to do; undefined when nothing is held. */
  get deadline(): Instant | undefined {
    // Folds begin in the order of time, and the span is the same for all.
    for (const fold of this.#folds.values()) return fold.until;
    return undefined;
  }

  add(line: LogLine, now: Instant): void {
    if (line.level === "trace") return this.pass(line);
    this.flush(now);
    const key = `${line.level} ${line.id} ${line.code}`;
    const fold = this.#folds.get(key);
    if (fold) {
      fold.last = line;
      fold.count += 1;
      return;
    }
    if (this.#folds.size >= FOLDS_MAX) {
      const [oldest] = this.#folds.keys();
      this.#end(oldest!);
    }
    this.#folds.set(key, { until: after(now, FOLD_SPAN), last: undefined, count: 0 });
    this.pass(line);
  }

  /** Passes on what has been held for a second. */
  flush(now: Instant): void {
    for (const [key, fold] of this.#folds) {
      if (fold.until > now) return;
      this.#end(key);
    }
  }

  /** Passes on everything; for the end. */
  flushAll(): void {
    for (const key of [...this.#folds.keys()]) this.#end(key);
  }

  #end(key: string): void {
    const { last, count } = this.#folds.get(key)!;
    this.#folds.delete(key);
    if (last === undefined) return;
    this.pass(count > 1 ? { ...last, fields: { ...last.fields, count } } : last);
  }
}
