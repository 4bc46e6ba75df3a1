/**
 * Rows of the point table as they are written in files and shown: one text for each column. What
 * cannot be taken is told with row, column, value and remedy.
 * @module
 */
import { nearest } from "../base/nearest.ts";
import {
  COMMAND_FORMS,
  type CommandForm,
  JOURNAL_CHOICES,
  type JournalChoice,
  POINT_KINDS,
  type PointDefinition,
  type PointKind,
} from "./definition.ts";
import { isPointId, POINT_ID_MAX, type PointId } from "./point.ts";

/** Columns of the table, in the order of an export. The first group is that of former tables. */
export const COLUMNS = [
  "tag_station",
  "coa",
  "ioa",
  "device_id",
  "device_name",
  "td_table_type",
  "enable_push",
  "enable_raw_insert",
  "description",
  "ext_1",
  "ext_2",
  "ext_3",
  "ext_4",
  "ext_5",
  "point",
  "kind",
  "unit",
  "scale",
  "point_offset",
  "dead_band",
  "low_low",
  "low",
  "high",
  "high_high",
  "journal",
  "command",
  "select_first",
  "qualifier",
] as const;
/** One of {@linkcode COLUMNS}. */
export type Column = (typeof COLUMNS)[number];

/** A row as it was written: texts, numbers, truth values, or nothing. */
export type WrittenRow = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Something in a row that cannot be taken. */
export interface RowFault {
  /** Where the row stands, as the reader of its file counts. */
  readonly row: number;
  readonly column: string;
  readonly message: string;
}

/** Longest texts, as in the tables of SQL. */
const TEXT_MAX: Partial<Record<Column, number>> = {
  "tag_station": 64,
  "device_id": 64,
  "device_name": 128,
  "td_table_type": 255,
  description: 256,
  unit: 32,
  "ext_1": 64,
  "ext_2": 64,
  "ext_3": 64,
  "ext_4": 64,
  "ext_5": 64,
};
const STATION = /^[\p{L}\p{N}_-]+$/u;

/** The definition that a row means; faults are added. A name is made where none is given. */
export function definitionOf(
  row: WrittenRow,
  place: number,
  faults: RowFault[],
): PointDefinition | undefined {
  const before = faults.length;
  const reader = new RowReader(row, place, faults);
  const station = reader.text("tag_station");
  if (station === "") reader.fault("tag_station", "must be the name of a station");
  else if (!STATION.test(station)) {
    reader.fault("tag_station", `must have letters, digits, _ and - only, not "${station}"`);
  }
  const kind = reader.choice("kind", POINT_KINDS, kindGuess(reader.text("td_table_type")));
  const address = reader.whole("ioa", 0, 0xff_ffff);
  const commonAddress = reader.whole("coa", 0, 65_535);
  const named = reader.text("point");
  const point = named === "" ? `${station}.${kind}.${address}` : named;
  if (!isPointId(point)) {
    const words = `must be words joined by dots, at most ${POINT_ID_MAX} characters`;
    reader.fault("point", `${words}, not "${point}"`);
  }
  const scale = reader.number("scale", 1);
  if (scale === 0) reader.fault("scale", "must not be 0: no command could be turned back");
  const deadBand = reader.number("dead_band", 0);
  if (deadBand < 0) reader.fault("dead_band", `must not be below 0, not ${deadBand}`);
  const limits = {
    lowLow: reader.optional("low_low"),
    low: reader.optional("low"),
    high: reader.optional("high"),
    highHigh: reader.optional("high_high"),
  };
  const order = Object.values(limits).filter((limit) => limit !== undefined);
  if (order.some((limit, index) => index > 0 && limit < order[index - 1]!)) {
    reader.fault("low", "limits must be in the order low_low, low, high, high_high");
  }
  const ext = ([1, 2, 3, 4, 5] as const).map((number) => reader.text(`ext_${number}`));
  const definition: PointDefinition = {
    point: point as PointId,
    kind: kind as PointKind,
    station: shared(station),
    commonAddress,
    address,
    unit: shared(reader.text("unit")),
    scale,
    offset: reader.number("point_offset", 0),
    deadBand,
    ...limits,
    journal: reader.choice("journal", JOURNAL_CHOICES, "changes") as JournalChoice,
    command: reader.choice(
      "command",
      COMMAND_FORMS,
      kind === "ao" ? "float" : "single",
    ) as CommandForm,
    selectFirst: reader.flag("select_first", false),
    qualifier: reader.text("qualifier") === "" ? 0 : reader.whole("qualifier", 0, 127),
    description: reader.text("description"),
    deviceId: reader.text("device_id"),
    deviceName: shared(reader.text("device_name")),
    tdTableType: shared(reader.text("td_table_type")),
    enablePush: reader.flag("enable_push", true),
    enableRawInsert: reader.flag("enable_raw_insert", true),
    ext: ext.some((text) => text !== "") ? ext as unknown as PointDefinition["ext"] : NO_EXT,
  };
  return faults.length === before ? definition : undefined;
}

const NO_EXT: PointDefinition["ext"] = ["", "", "", "", ""];

/** The same text once in memory: stations, units and the like stand in thousands of rows. */
const SHARED = new Map<string, string>();
const SHARED_MAX = 10_000;

function shared(text: string): string {
  const known = SHARED.get(text);
  if (known !== undefined) return known;
  if (SHARED.size >= SHARED_MAX) SHARED.clear();
  SHARED.set(text, text);
  return text;
}

/** Columns of a file that the table does not have, with the nearest that it has. */
export function columnFaults(columns: readonly string[], place: number): RowFault[] {
  const known: readonly string[] = [...COLUMNS, ...IGNORED];
  return columns.filter((column) => !known.includes(column)).map((column) => {
    const near = nearest(column, COLUMNS);
    const remedy = near === undefined ? "" : `; did you mean "${near}"?`;
    return { row: place, column, message: `is not known${remedy}` };
  });
}

/** Columns of former tables that say nothing here. */
const IGNORED = [
  "id",
  "create_time",
  "update_time",
  "delete_time",
  "is_deleted",
  "del_state",
  "version",
  "create_user",
  "update_user",
  "dept_code",
];

function kindGuess(tableType: string): PointKind {
  const [first] = tableType.split(",");
  return POINT_KINDS.find((kind) => kind === first?.trim()) ?? "yc";
}

/** The row of a definition, for an export. What is at its default is empty. */
export function rowOf(definition: PointDefinition): Record<Column, string | number | boolean> {
  const { ext } = definition;
  return {
    "tag_station": definition.station,
    coa: definition.commonAddress,
    ioa: definition.address,
    "device_id": definition.deviceId,
    "device_name": definition.deviceName,
    "td_table_type": definition.tdTableType,
    "enable_push": definition.enablePush ? 1 : 0,
    "enable_raw_insert": definition.enableRawInsert ? 1 : 0,
    description: definition.description,
    "ext_1": ext[0],
    "ext_2": ext[1],
    "ext_3": ext[2],
    "ext_4": ext[3],
    "ext_5": ext[4],
    point: definition.point,
    kind: definition.kind,
    unit: definition.unit,
    scale: definition.scale,
    "point_offset": definition.offset,
    "dead_band": definition.deadBand,
    "low_low": definition.lowLow ?? "",
    low: definition.low ?? "",
    high: definition.high ?? "",
    "high_high": definition.highHigh ?? "",
    journal: definition.journal,
    command: definition.command,
    "select_first": definition.selectFirst ? 1 : 0,
    qualifier: definition.qualifier,
  };
}

/** Reads the columns of one row. */
class RowReader {
  constructor(
    readonly row: WrittenRow,
    readonly place: number,
    readonly faults: RowFault[],
  ) {}

  fault(column: string, message: string): void {
    this.faults.push({ row: this.place, column, message });
  }

  text(column: Column): string {
    const text = String(this.row[column] ?? "");
    const most = TEXT_MAX[column];
    if (most !== undefined && text.length > most) {
      this.fault(column, `must have at most ${most} characters, not ${text.length}`);
    }
    return text;
  }

  optional(column: Column): number | undefined {
    const text = this.text(column);
    if (text === "") return undefined;
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
    if (Number.isFinite(value)) return value;
    this.fault(column, `must be a number, not "${text}"`);
    return undefined;
  }

  number(column: Column, fallback: number): number {
    return this.optional(column) ?? fallback;
  }

  whole(column: Column, least: number, most: number): number {
    const text = this.text(column);
    const value = /^(\d{1,8}|0x[0-9a-f]{1,6})$/i.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    this.fault(column, `must be a whole number from ${least} to ${most}, not "${text}"`);
    return least;
  }

  flag(column: Column, fallback: boolean): boolean {
    const text = this.text(column).toLowerCase();
    if (text === "") return fallback;
    if (["1", "true", "yes"].includes(text)) return true;
    if (!["0", "false", "no"].includes(text)) {
      this.fault(column, `must be 0 or 1, not "${text}"`);
    }
    return false;
  }

  choice(column: Column, choices: readonly string[], fallback: string): string {
    const text = this.text(column);
    if (text === "") return fallback;
    if (choices.includes(text)) return text;
    this.fault(column, `must be one of ${choices.join(", ")}, not "${text}"`);
    return fallback;
  }
}
