/** Journals in memory, on a clock that only tests turn. */
import { millis } from "../../../src/base/time.ts";
import type { SqlDatabase } from "../../../src/base/sql.ts";
import { openSqlite } from "../../../src/platform/sqlite.ts";
import { Journal, type JournalOptions } from "../../../src/points/journal.ts";
import {
  type CommitBatch,
  type CommitResult,
  JournalReader,
  JournalTables,
  type JournalWriter,
} from "../../../src/points/journal_store.ts";
import type { PointId, Sample } from "../../../src/points/points.ts";
import type { SimClock } from "../../sim/clock.ts";

/** Small bounds, so that they are met. */
export const OPTIONS: JournalOptions = {
  octetsMax: 10_000_000,
  ageMax: millis(86_400_000),
  pendingMax: 1000,
  commitWithin: millis(10),
  auditMax: 100,
  recentMax: 64,
};

/** A writer that can be told to fail, and that counts. */
export class Writer implements JournalWriter {
  readonly batches: CommitBatch[] = [];
  /** Thrown in place of the next commits. */
  failure: Error | undefined;
  /** Written, and then no answer comes. */
  loses = false;
  readonly #tables: JournalTables;

  constructor(readonly database: SqlDatabase) {
    this.#tables = new JournalTables(database);
  }

  commit(batch: CommitBatch): Promise<CommitResult> {
    if (this.failure) return Promise.reject(this.failure);
    const result = this.#tables.commit(batch);
    this.batches.push(batch);
    if (this.loses) return Promise.reject(new Error("the answer was lost"));
    return Promise.resolve(result);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** A database that is not closed with its journal: the disk of a machine that starts again. */
export class Disk implements Disposable {
  readonly database = openSqlite(":memory:");
  readonly writers: Writer[] = [];

  start(
    clock: SimClock,
    options: Partial<JournalOptions> = {},
  ): { journal: Journal; writer: Writer } {
    const writer = new Writer(this.database);
    const { database } = this;
    // The reader closes what it reads from; the disk stays.
    const reader = new JournalReader({
      exec: (sql) => database.exec(sql),
      prepare: (sql) => database.prepare(sql),
      [Symbol.dispose]: () => {},
    });
    const state = reader.state(clock.epoch() - 600_000);
    const journal = new Journal({ writer, reader, state, clock }, { ...OPTIONS, ...options });
    return { journal, writer };
  }

  [Symbol.dispose](): void {
    this.database[Symbol.dispose]();
  }
}

/** A sample whose value is its number. */
export function numbered(value: number, point = "a.yx.1"): Sample {
  return { point: point as PointId, value, quality: 0, at: value };
}

/** Samples from one number to another. */
export function series(from: number, to: number): Sample[] {
  return Array.from({ length: to - from + 1 }, (_, index) => numbered(from + index));
}
