/** As much of an SQL database as busbar's own tables need. */

/** What a column holds. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** One row by the names of its columns. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** A prepared statement with `?` for values. */
export interface SqlStatement {
  run(...values: SqlValue[]): void;
  /** The first row; undefined when there is none. */
  get(...values: SqlValue[]): SqlRow | undefined;
  all(...values: SqlValue[]): SqlRow[];
  /** Row by row, so that a large result is never in memory as a whole. */
  each(...values: SqlValue[]): Iterable<SqlRow>;
}

/** An open database. Every call may throw `OsError` with the code `sqlite.*`. */
export interface SqlDatabase extends Disposable {
  /** Statements without values. */
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
}

/** Runs `work` in one transaction; what it throws rolls all of it back. */
export function transaction<T>(database: SqlDatabase, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  let result: T;
  try {
    result = work();
    database.exec("COMMIT");
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch (second) {
      // A full disk has rolled back by itself. The first error is the one to tell.
      if (!(second instanceof Error)) throw second;
    }
    throw error;
  }
  return result;
}
