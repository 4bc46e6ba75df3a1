/**
 * The point table in SQL. Its first columns are those of the tables that sites have, so that rows
 * are edited with the tools that they know; a busbar that runs takes changes within seconds.
 * @module
 */
import { AppError } from "../base/errors.ts";
import { type SqlDatabase, type SqlValue, transaction } from "../base/sql.ts";
import type { PointDefinition, StationDefinition } from "./definition.ts";
import {
  type Column,
  COLUMNS,
  definitionOf,
  type RowFault,
  rowOf,
  type WrittenRow,
} from "./table_rows.ts";

const TABLES = `
CREATE TABLE IF NOT EXISTS station (
  station VARCHAR(64) PRIMARY KEY, name VARCHAR(128) NOT NULL DEFAULT '',
  description VARCHAR(256) NOT NULL DEFAULT '', enabled SMALLINT NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS device_point_mapping (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  create_time TEXT NOT NULL DEFAULT (datetime('now')),
  update_time TEXT NOT NULL DEFAULT (datetime('now')),
  is_deleted SMALLINT NOT NULL DEFAULT 0,
  tag_station VARCHAR(64) NOT NULL, coa INT NOT NULL, ioa INT NOT NULL,
  device_id VARCHAR(64) NOT NULL DEFAULT '', device_name VARCHAR(128) NOT NULL DEFAULT '',
  td_table_type VARCHAR(255) NOT NULL DEFAULT '',
  enable_push SMALLINT NOT NULL DEFAULT 1, enable_raw_insert SMALLINT NOT NULL DEFAULT 1,
  description VARCHAR(256) NOT NULL DEFAULT '',
  ext_1 VARCHAR(64) NOT NULL DEFAULT '', ext_2 VARCHAR(64) NOT NULL DEFAULT '',
  ext_3 VARCHAR(64) NOT NULL DEFAULT '', ext_4 VARCHAR(64) NOT NULL DEFAULT '',
  ext_5 VARCHAR(64) NOT NULL DEFAULT '',
  point VARCHAR(200) NOT NULL DEFAULT '', kind VARCHAR(2) NOT NULL DEFAULT '',
  unit VARCHAR(32) NOT NULL DEFAULT '', scale REAL NOT NULL DEFAULT 1,
  point_offset REAL NOT NULL DEFAULT 0, dead_band REAL NOT NULL DEFAULT 0,
  low_low REAL, low REAL, high REAL, high_high REAL,
  journal VARCHAR(8) NOT NULL DEFAULT 'changes',
  command VARCHAR(16) NOT NULL DEFAULT '', select_first SMALLINT NOT NULL DEFAULT 0,
  qualifier SMALLINT NOT NULL DEFAULT 0,
  UNIQUE (tag_station, coa, ioa));
`;

const LIMITS: readonly Column[] = ["low_low", "low", "high", "high_high"];

/** Most rows. */
export const ROWS_MAX = 200_000;
/** Faults that are told at once. */
export const FAULTS_MAX = 100;

/** What an import did. */
export interface ImportResult {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly faults: readonly RowFault[];
}

/** The table in an open database. */
export class PointTable {
  constructor(readonly database: SqlDatabase) {
    database.exec(TABLES);
    this.#addColumns();
  }

  /** A table of a former system has the first columns only. */
  #addColumns(): void {
    const rows = this.database.prepare("PRAGMA table_info(device_point_mapping)").all();
    const there = new Set(rows.map(({ name }) => String(name)));
    for (const column of COLUMNS) {
      if (there.has(column)) continue;
      const type = LIMITS.includes(column) ? "REAL" : "TEXT NOT NULL DEFAULT ''";
      this.database.exec(`ALTER TABLE device_point_mapping ADD COLUMN ${column} ${type}`);
    }
    for (
      const [column, type] of [["is_deleted", "INT NOT NULL DEFAULT 0"], ["update_time", "TEXT"]]
    ) {
      if (there.has(column!)) continue;
      this.database.exec(`ALTER TABLE device_point_mapping ADD COLUMN ${column} ${type}`);
    }
  }

  /** A number that changes when another connection has changed the database. */
  version(): number {
    return Number(this.database.prepare("PRAGMA data_version").get()?.data_version ?? 0);
  }

  /** Every point of enabled stations; rows that cannot be taken are told and left out. */
  load(): { definitions: PointDefinition[]; faults: RowFault[] } {
    const definitions: PointDefinition[] = [];
    const faults: RowFault[] = [];
    const seen = new Map<string, number>();
    const rows = this.database.prepare(
      `SELECT id, ${COLUMNS.join(", ")} FROM device_point_mapping WHERE is_deleted = 0
        AND tag_station NOT IN (SELECT station FROM station WHERE enabled = 0)
        ORDER BY id LIMIT ${ROWS_MAX}`,
    ).each();
    for (const row of rows) {
      const place = Number(row.id);
      const definition = definitionOf(row as Record<string, string | number>, place, faults);
      if (!definition) continue;
      const other = seen.get(definition.point);
      if (other !== undefined) {
        faults.push({ row: place, column: "point", message: twice(definition.point, other) });
        continue;
      }
      seen.set(definition.point, place);
      definitions.push(definition);
    }
    return { definitions, faults };
  }

  /** Every station that is named, with or without points. */
  stations(): StationDefinition[] {
    return this.database.prepare("SELECT * FROM station ORDER BY station").all().map((row) => ({
      station: String(row.station),
      name: String(row.name),
      description: String(row.description),
      enabled: Number(row.enabled) !== 0,
    }));
  }

  /** Adds or replaces a station. */
  putStation({ station, name, description, enabled }: StationDefinition): void {
    this.database.prepare("INSERT OR REPLACE INTO station VALUES (?, ?, ?, ?)")
      .run(station, name, description, enabled ? 1 : 0);
  }

  /**
   * Takes definitions in: those with a known station, CA and IOA are changed, others added; with
   * `replace` all that are not among them are removed. All of it or, with any fault, nothing.
   */
  import(
    definitions: readonly { readonly row: number; readonly definition: PointDefinition }[],
    replace: boolean,
  ): ImportResult {
    const none = { added: 0, changed: 0, removed: 0 };
    try {
      return transaction(this.database, () => {
        const known = this.#known();
        const faults = clashes(definitions, replace ? new Map() : known);
        if (faults.length > 0) throw new Refused(faults);
        return { ...this.#put(definitions, known, replace), faults: [] };
      });
    } catch (error) {
      if (error instanceof Refused) return { ...none, faults: error.faults };
      throw error;
    }
  }

  /** The points that are there, by station, CA and IOA. */
  #known(): Map<string, { row: Record<Column, SqlValue>; point: string }> {
    const rows = this.database.prepare(
      `SELECT ${COLUMNS.join(", ")} FROM device_point_mapping WHERE is_deleted = 0`,
    ).all() as Record<Column, SqlValue>[];
    return new Map(rows.map((row) => [
      `${row.tag_station}\n${row.coa}\n${row.ioa}`,
      { row, point: definitionOf(row as WrittenRow, 0, [])?.point ?? String(row.point) },
    ]));
  }

  #put(
    definitions: readonly { readonly definition: PointDefinition }[],
    known: ReadonlyMap<string, { row: Record<Column, SqlValue> }>,
    replace: boolean,
  ): { added: number; changed: number; removed: number } {
    const put = this.database.prepare(
      `INSERT INTO device_point_mapping (${COLUMNS.join(", ")})
        VALUES (${COLUMNS.map(() => "?").join(", ")})
        ON CONFLICT (tag_station, coa, ioa) DO UPDATE SET is_deleted = 0,
        update_time = datetime('now'), ${
        COLUMNS.slice(3).map((column) => `${column} = excluded.${column}`).join(", ")
      }`,
    );
    const remove = this.database.prepare(
      "DELETE FROM device_point_mapping WHERE tag_station = ? AND coa = ? AND ioa = ?",
    );
    let added = 0;
    let changed = 0;
    const left = new Set(known.keys());
    for (const { definition } of definitions) {
      const row = rowOf(definition);
      const id = `${row.tag_station}\n${row.coa}\n${row.ioa}`;
      const values = COLUMNS.map((column) => sqlValue(column, row[column]));
      const before = known.get(id)?.row;
      left.delete(id);
      if (before && COLUMNS.every((column, index) => before[column] === values[index])) continue;
      if (before) changed += 1;
      else added += 1;
      put.run(...values);
    }
    if (!replace) return { added, changed, removed: 0 };
    for (const id of left) {
      const [station, coa, ioa] = id.split("\n");
      remove.run(station!, Number(coa), Number(ioa));
    }
    return { added, changed, removed: left.size };
  }
}

class Refused extends AppError {
  constructor(readonly faults: readonly RowFault[]) {
    super("points.import.refused", "The import was refused");
  }
}

function twice(point: string, row: number | string): string {
  return `${point} is the name of another one too (${row}): give one of them a name of its own`;
}

/** Names and addresses that two rows claim. */
function clashes(
  definitions: readonly { readonly row: number; readonly definition: PointDefinition }[],
  known: ReadonlyMap<string, { readonly point: string }>,
): RowFault[] {
  const faults: RowFault[] = [];
  const points = new Map<string, { id: string; what: string }>();
  for (const [id, { point }] of known) points.set(point, { id, what: "in the table" });
  const addresses = new Map<string, number>();
  if (definitions.length > ROWS_MAX) {
    faults.push({ row: 0, column: "", message: `are more than ${ROWS_MAX} rows` });
  }
  for (const { row, definition } of definitions) {
    const id = `${definition.station}\n${definition.commonAddress}\n${definition.address}`;
    const other = addresses.get(id);
    if (other !== undefined) {
      faults.push({ row, column: "ioa", message: `has the address of row ${other}` });
    }
    addresses.set(id, row);
    const namesake = points.get(definition.point);
    if (namesake && namesake.id !== id) {
      faults.push({ row, column: "point", message: twice(definition.point, namesake.what) });
    }
    points.set(definition.point, { id, what: `row ${row}` });
    if (faults.length >= FAULTS_MAX) break;
  }
  return faults;
}

function sqlValue(column: Column, value: string | number | boolean): SqlValue {
  if (value === "" && LIMITS.includes(column)) return null;
  return typeof value === "boolean" ? Number(value) : value;
}
