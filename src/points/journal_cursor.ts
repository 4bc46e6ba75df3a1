/** Where one reader of the journal is. It is known by its name and outlives reader and process. */
import { BugError } from "../base/errors.ts";
import type { Journal, JournalRead } from "./journal.ts";

/** Most events in one batch. */
export const CURSOR_BATCH_MAX = 1024;

/** One reader's place; made by {@linkcode Journal.cursor}. */
export class Cursor {
  #position: number;
  #lost: number;
  /** How much of that a reader was told. */
  #told: number;
  #reading = false;
  #notify: () => void = () => {};

  constructor(readonly journal: Journal, readonly name: string, position: number, lost: number) {
    this.#position = position;
    this.#lost = this.#told = lost;
  }

  /** Number of the last event that the reader is done with. */
  get position(): number {
    return this.#position;
  }

  /** Events that were dropped before the reader had them. Shown in /status. */
  get lost(): number {
    return this.#lost;
  }

  /** Durable events that the reader is not done with. */
  get pending(): number {
    return this.journal.committed - this.#position;
  }

  /** Durable events behind a number; behind the position when none is given. */
  read(most = CURSOR_BATCH_MAX, sequence = this.#position): JournalRead {
    return this.journal.read(sequence, most);
  }

  /**
   * The reader is done with all events up to that number. It becomes durable soon: after a crash
   * some events come once more, and none is left out.
   * @throws BugError for a number that is not durable yet.
   */
  confirm(sequence: number): void {
    if (sequence > this.journal.committed) {
      throw new BugError("points.cursor.ahead", "Reader confirms what it cannot have", {
        name: this.name,
        sequence,
      });
    }
    if (sequence <= this.#position) return;
    this.#position = sequence;
    this.journal.touched(this);
  }

  /** For the journal: more is durable, or something was dropped. */
  progress(): void {
    const gone = this.journal.oldest - 1 - this.#position;
    if (gone > 0) {
      this.#lost += gone;
      this.#position += gone;
      this.journal.touched(this);
    }
    this.#notify();
  }

  /** Resolves when there is something behind that number, or when `signal` aborts. */
  async more(signal: AbortSignal, sequence = this.#position): Promise<void> {
    const wake = () => this.#notify();
    signal.addEventListener("abort", wake);
    while (!signal.aborted && this.journal.committed <= sequence) {
      await new Promise<void>((resolve) => this.#notify = resolve);
    }
    signal.removeEventListener("abort", wake);
  }

  /**
   * The events, batch by batch, from the position on. To come back for the next batch is to say
   * that the last one is done with; one whose reader threw or left is handed out once more. Ends
   * when `signal` aborts. @throws BugError when somebody reads already.
   */
  async *batches(signal: AbortSignal): AsyncGenerator<JournalRead> {
    if (this.#reading) {
      throw new BugError("points.cursor.readers", "Cursor has a reader already", {
        name: this.name,
      });
    }
    this.#reading = true;
    try {
      while (!signal.aborted) {
        const batch = this.read();
        if (batch.samples.length === 0) {
          await this.more(signal);
          continue;
        }
        const last = batch.first + batch.samples.length - 1;
        const lost = this.#lost;
        yield { ...batch, lost: batch.lost + lost - this.#told };
        this.#told = lost + batch.lost;
        this.#lost += batch.lost;
        this.confirm(last);
      }
    } finally {
      this.#reading = false;
    }
  }
}
