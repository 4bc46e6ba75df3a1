/**
 * SQLite as the runtime brings it along. It is loaded when a database is first opened, so that
 * threads that need none do not pay for it.
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import process from "node:process";
import { OsError } from "../base/errors.ts";
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from "../base/sql.ts";

/** How a database is opened. */
export interface SqliteOptions {
  readonly readOnly?: boolean;
  /**
   * `power_loss`: a commit is on the disk when it returns. `process`: it outlives the process, and
   * the last moments may be lost with the power.
   */
  readonly survives?: "power_loss" | "process";
}

const BUSY_MS = 5000;

/** Opens a database, in write-ahead mode. @throws OsError */
export function openSqlite(path: string, options: SqliteOptions = {}): SqlDatabase {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const database = guarded(path, () => {
    const opened = new DatabaseSync(path, { readOnly: options.readOnly ?? false });
    opened.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    if (options.readOnly) return opened;
    opened.exec("PRAGMA journal_mode = WAL");
    opened.exec(`PRAGMA synchronous = ${options.survives === "process" ? "NORMAL" : "FULL"}`);
    return opened;
  });
  return new Sqlite(path, database);
}

class Sqlite implements SqlDatabase {
  constructor(readonly path: string, readonly database: DatabaseSync) {}

  exec(sql: string): void {
    guarded(this.path, () => this.database.exec(sql));
  }

  prepare(sql: string): SqlStatement {
    return new Statement(this.path, guarded(this.path, () => this.database.prepare(sql)));
  }

  [Symbol.dispose](): void {
    this.database.close();
  }
}

class Statement implements SqlStatement {
  constructor(readonly path: string, readonly statement: StatementSync) {}

  run(...values: SqlValue[]): void {
    guarded(this.path, () => this.statement.run(...values));
  }

  get(...values: SqlValue[]): SqlRow | undefined {
    return guarded(this.path, () => this.statement.get(...values)) as SqlRow | undefined;
  }

  *each(...values: SqlValue[]): Generator<SqlRow> {
    const rows = guarded(this.path, () => this.statement.iterate(...values));
    for (;;) {
      const { done, value } = guarded(this.path, () => rows.next());
      if (done) return;
      yield value as SqlRow;
    }
  }

  all(...values: SqlValue[]): SqlRow[] {
    return guarded(this.path, () => this.statement.all(...values)) as SqlRow[];
  }
}

function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const what = `Database ${path} cannot be used: ${error.message}`;
    throw new OsError("sqlite.failed", what, { path }, { cause: error });
  }
}
