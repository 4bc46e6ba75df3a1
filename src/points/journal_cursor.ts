/** Where one reader of the journal is. It is known by its name and outlives reader and process. */
import { BugError } from "../base/errors.ts";
import type { Journal, JournalRead } from "./journal.ts";
import type { CursorRow } from "./journal_store.ts";

/** Most events in one batch. */
export const CURSOR_BATCH_MAX = 1024;

/** One reader's place; made by {@linkcode Journal.cursor}. */
export class Cursor {
  #position: number;
  #lost: number;
  /** How much of that a reader was told. */
  #told: number;
  #reading = false;
  readonly #waiters = new Set<() => void>();

  constructor(
    readonly journal: Journal,
    readonly name: string,
    { position, lost, told }: Pick<CursorRow, "position" | "lost" | "told">,
  ) {
    this.#position = position;
    this.#lost = lost;
    this.#told = told;
  }

  /** Number of the last event that the reader is done with. */
  get position(): number {
    return this.#position;
  }

  /** Events that were dropped before the reader had them. Shown in /status. */
  get lost(): number {
    return this.#lost;
  }

  /** How many of them the reader knows of. */
  get told(): number {
    return this.#told;
  }

  /** Events that were dropped and that the reader did not know of; from now on it does. */
  takeLost(): number {
    const count = this.#lost - this.#told;
    if (count > 0) {
      this.#told = this.#lost;
      this.journal.touched(this);
    }
    return count;
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
    for (const wake of [...this.#waiters]) wake();
  }

  /** Resolves when there is something behind that number, or when `signal` aborts. */
  async more(signal: AbortSignal, sequence = this.#position): Promise<void> {
    while (!signal.aborted && this.journal.committed <= sequence) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiters.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#waiters.add(wake);
        signal.addEventListener("abort", wake);
      });
    }
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
        this.#lost += batch.lost;
        const lost = this.#lost;
        yield { ...batch, lost: lost - this.#told };
        this.#told = lost;
        this.confirm(last);
      }
    } finally {
      this.#reading = false;
    }
  }
}
