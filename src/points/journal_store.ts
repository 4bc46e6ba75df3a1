/**
 * The journal's tables: rows of many events each, the names of points, the cursors of readers, the
 * image at its last checkpoint, and the audit of commands. One writer, any number of readers.
 * @module
 */
import { AppError } from "../base/errors.ts";
import { type SqlDatabase, type SqlRow, type SqlStatement, transaction } from "../base/sql.ts";

/** Events with consecutive numbers. */
export interface EventRow {
  /** Number of the first. */
  readonly first: number;
  /** Number of the last. */
  readonly last: number;
  readonly octets: Uint8Array;
}

/** How far one reader has come. */
export interface CursorRow {
  readonly name: string;
  /** Number of the last event it is done with. */
  readonly position: number;
  /** Events that were dropped before it had them. */
  readonly lost: number;
  /** How many of these it knows of. */
  readonly told: number;
}

/** One command, for ever or until the table is full. */
export interface AuditRow {
  /** From 1, in the order of arrival. */
  readonly id: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly key: string;
  readonly origin: string;
  readonly point: string;
  readonly value: string;
  /** `execute`, `select`, `cancel`. */
  readonly mode: string;
  /** Empty while it is under way. */
  readonly outcome: string;
  readonly why: string;
  /** Milliseconds until the outcome. */
  readonly took: number;
}

/** What is to become durable together. */
export interface CommitBatch {
  readonly rows: readonly EventRow[];
  /** Epoch milliseconds of now. */
  readonly at: number;
  readonly names: readonly (readonly [number, string])[];
  readonly cursors: readonly CursorRow[];
  readonly forgotten: readonly string[];
  readonly audit: readonly AuditRow[];
  /** The image as it was when the event of this number had been taken. */
  readonly image: { readonly sequence: number; readonly parts: readonly Uint8Array[] } | undefined;
  /** Rows go, oldest first, while there are more octets, or while they are older than `before`. */
  readonly keep: { readonly octets: number; readonly before: number; readonly audit: number };
}

/** What a commit left. */
export interface CommitResult {
  /** Number of the oldest event that is there; one beyond the last when there is none. */
  readonly oldest: number;
  readonly octets: number;
}

/** The durable side; it may live in another thread. */
export interface JournalWriter extends AsyncDisposable {
  /**
   * Resolves when all of it is durable. After a rejection nothing of it is, or all of it; it may be
   * given again.
   */
  commit(batch: CommitBatch): Promise<CommitResult>;
}

/** What a start finds. */
export interface JournalState extends CommitResult {
  /** Number of the newest event; 0 before the first. */
  readonly newest: number;
  readonly names: readonly (readonly [number, string])[];
  readonly cursors: readonly CursorRow[];
  readonly image: { readonly sequence: number; readonly parts: readonly Uint8Array[] };
  readonly audit: readonly AuditRow[];
}

const FORMAT = 1;
/** A row costs more than its octets: two numbers, the time, and its place in the tree. */
const ROW_COST = 40;
const TABLES = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, point TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS event (
  last INTEGER PRIMARY KEY, first INTEGER NOT NULL, at INTEGER NOT NULL, octets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS cursor (
  name TEXT PRIMARY KEY, position INTEGER NOT NULL, lost INTEGER NOT NULL,
  told INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS image (
  part INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, octets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS audit (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, key TEXT NOT NULL, origin TEXT NOT NULL,
  point TEXT NOT NULL, value TEXT NOT NULL, mode TEXT NOT NULL, outcome TEXT NOT NULL,
  why TEXT NOT NULL, took INTEGER NOT NULL);
`;

/** Makes the tables where they are missing. @throws AppError for those of a later version. */
export function prepareJournal(database: SqlDatabase): void {
  transaction(database, () => {
    database.exec(TABLES);
    const row = database.prepare("SELECT value FROM meta WHERE key = 'format'").get();
    if (row === undefined) {
      database.prepare("INSERT INTO meta (key, value) VALUES ('format', ?)").run(FORMAT);
    } else if (row.value !== FORMAT) {
      throw new AppError(
        "points.journal.format",
        `The journal has format ${row.value}, and this busbar knows ${FORMAT}`,
      );
    }
  });
}

/** The writing side, in the thread that opened the database. */
export class JournalTables {
  readonly #database: SqlDatabase;
  readonly #event: SqlStatement;
  readonly #name: SqlStatement;
  readonly #cursor: SqlStatement;
  readonly #forget: SqlStatement;
  readonly #audit: SqlStatement;
  readonly #auditKeep: SqlStatement;
  readonly #imagePart: SqlStatement;
  readonly #oldest: SqlStatement;
  readonly #newest: SqlStatement;
  readonly #drop: SqlStatement;
  #octets: number;
  /** What the oldest row is, once it was looked up. */
  #first: { first: number; last: number; at: number; size: number } | undefined;

  constructor(database: SqlDatabase) {
    prepareJournal(database);
    this.#database = database;
    const prepare = (sql: string) => database.prepare(sql);
    this.#event = prepare(
      "INSERT OR REPLACE INTO event (last, first, at, octets) VALUES (?,?,?,?)",
    );
    this.#name = prepare("INSERT OR REPLACE INTO name (id, point) VALUES (?, ?)");
    this.#cursor = prepare("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)");
    this.#forget = prepare("DELETE FROM cursor WHERE name = ?");
    this.#audit = prepare("INSERT OR REPLACE INTO audit VALUES (?,?,?,?,?,?,?,?,?,?)");
    this.#auditKeep = prepare("DELETE FROM audit WHERE id <= ?");
    this.#imagePart = prepare("INSERT INTO image (part, sequence, octets) VALUES (?, ?, ?)");
    this.#oldest = prepare(
      "SELECT first, last, at, length(octets) AS size FROM event ORDER BY last LIMIT 1",
    );
    this.#newest = prepare("SELECT max(last) AS n FROM event");
    this.#drop = prepare("DELETE FROM event WHERE last = ?");
    this.#octets = numberOf(
      prepare(`SELECT coalesce(sum(length(octets) + ${ROW_COST}), 0) AS n FROM event`).get(),
    );
  }

  /** Writes a batch in one transaction. @throws OsError with nothing written. */
  commit(batch: CommitBatch): CommitResult {
    const octets = this.#octets;
    const first = this.#first;
    try {
      return transaction(this.#database, () => this.#commit(batch));
    } catch (error) {
      this.#octets = octets;
      this.#first = first;
      throw error;
    }
  }

  #commit(batch: CommitBatch): CommitResult {
    for (const [id, point] of batch.names) this.#name.run(id, point);
    for (const { first, last, octets } of batch.rows) {
      this.#event.run(last, first, Math.round(batch.at), octets);
      this.#octets += octets.length + ROW_COST;
    }
    for (const { name, position, lost, told } of batch.cursors) {
      this.#cursor.run(name, position, lost, told);
    }
    for (const name of batch.forgotten) this.#forget.run(name);
    for (const row of batch.audit) this.#putAudit(row);
    const lastAudit = batch.audit.at(-1)?.id ?? 0;
    if (lastAudit > batch.keep.audit) this.#auditKeep.run(lastAudit - batch.keep.audit);
    if (batch.image) this.#putImage(batch.image);
    return this.#trim(batch);
  }

  #putAudit(row: AuditRow): void {
    const { id, at, key, origin, point, value, mode, outcome, why, took } = row;
    const times = [Math.round(at), Math.round(took)] as const;
    this.#audit.run(id, times[0], key, origin, point, value, mode, outcome, why, times[1]);
  }

  #putImage({ sequence, parts }: NonNullable<CommitBatch["image"]>): void {
    this.#database.exec("DELETE FROM image");
    // An empty image too has a number from which the events go on.
    const all = parts.length > 0 ? parts : [new Uint8Array(0)];
    for (const [part, octets] of all.entries()) this.#imagePart.run(part, sequence, octets);
  }

  /** Drops what is too much or too old; never the newest row, so that numbers go on from it. */
  #trim({ keep, rows }: CommitBatch): CommitResult {
    const newest = rows.at(-1)?.last;
    for (;;) {
      const oldest = this.#first ??= this.#lookUp();
      if (!oldest) return { oldest: newest === undefined ? 1 : newest + 1, octets: this.#octets };
      const tooMuch = this.#octets > keep.octets || oldest.at < keep.before;
      if (!tooMuch || this.#isNewest(oldest.last)) {
        return { oldest: oldest.first, octets: this.#octets };
      }
      this.#drop.run(oldest.last);
      this.#octets -= oldest.size + ROW_COST;
      this.#first = undefined;
    }
  }

  #isNewest(last: number): boolean {
    return last === numberOf(this.#newest.get());
  }

  #lookUp(): { first: number; last: number; at: number; size: number } | undefined {
    const row = this.#oldest.get();
    if (!row) return undefined;
    const [first, last, at, size] = [row.first, row.last, row.at, row.size].map(Number);
    return { first: first!, last: last!, at: at!, size: size! };
  }
}

/** What reads a journal: at the start, and behind a reader that is far behind. */
export class JournalReader {
  readonly #next: SqlStatement;

  constructor(readonly database: SqlDatabase) {
    this.#next = database.prepare(
      "SELECT first, last, octets FROM event WHERE last > ? ORDER BY last LIMIT 1",
    );
  }

  /** The row with the first event after a number; undefined when there is none. */
  after(sequence: number): EventRow | undefined {
    const row = this.#next.get(sequence);
    if (!row) return undefined;
    const { first, last, octets } = row;
    return { first: Number(first), last: Number(last), octets: octets as Uint8Array };
  }

  /** Everything that a start needs. @param auditSince Epoch milliseconds. */
  state(auditSince: number): JournalState {
    const all = (sql: string) => this.database.prepare(sql).all();
    const [bounds] = all(
      `SELECT min(first) AS oldest, max(last) AS newest,
        coalesce(sum(length(octets) + ${ROW_COST}), 0) AS octets FROM event`,
    );
    const newest = Number(bounds?.newest ?? 0);
    const image = all("SELECT sequence, octets FROM image ORDER BY part");
    return {
      newest,
      oldest: Number(bounds?.oldest ?? newest + 1),
      octets: Number(bounds?.octets ?? 0),
      names: all("SELECT id, point FROM name").map(({ id, point }) => [Number(id), String(point)]),
      cursors: all("SELECT name, position, lost, told FROM cursor").map((row) => ({
        name: String(row.name),
        position: Number(row.position),
        lost: Number(row.lost),
        told: Number(row.told),
      })),
      image: {
        sequence: Number(image[0]?.sequence ?? 0),
        parts: image.map(({ octets }) => octets as Uint8Array),
      },
      audit: this.database.prepare(
        `SELECT * FROM audit WHERE at >= ? OR outcome = '' OR id = (SELECT max(id) FROM audit)
          ORDER BY id`,
      ).all(Math.round(auditSince)).map(auditRow),
    };
  }

  /** The newest commands, newest first. */
  audit(most: number): AuditRow[] {
    return this.database.prepare("SELECT * FROM audit ORDER BY id DESC LIMIT ?").all(most).map(
      auditRow,
    );
  }
}

function auditRow(row: SqlRow): AuditRow {
  const text = (key: string) => String(row[key]);
  return {
    id: Number(row.id),
    at: Number(row.at),
    key: text("key"),
    origin: text("origin"),
    point: text("point"),
    value: text("value"),
    mode: text("mode"),
    outcome: text("outcome"),
    why: text("why"),
    took: Number(row.took),
  };
}

function numberOf(row: SqlRow | undefined): number {
  return Number(row?.n ?? 0);
}

/** A writer in the same thread: for tools and tests, and where another thread is not worth it. */
export class DirectWriter implements JournalWriter {
  readonly #tables: JournalTables;

  constructor(readonly database: SqlDatabase) {
    this.#tables = new JournalTables(database);
  }

  // A commit that throws becomes a rejection.
  // deno-lint-ignore require-await
  async commit(batch: CommitBatch): Promise<CommitResult> {
    return this.#tables.commit(batch);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.database[Symbol.dispose]();
    return Promise.resolve();
  }
}
