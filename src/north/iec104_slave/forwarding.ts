/**
 * What is forwarded, and as what: each point's common address, object address, type and scale
 * towards the control centre.
 * @module
 */
import { nearest } from "../../base/nearest.ts";
import { csvRecords } from "../../points/csv.ts";
import type { PointDefinition } from "../../points/definition.ts";
import { isPointId, type PointId } from "../../points/points.ts";
import { type ObjectKind, TYPE, typeSpec } from "../../protocol/iec104/mod.ts";

/** One point towards a control centre. */
export interface Forwarded {
  readonly point: PointId;
  readonly commonAddress: number;
  readonly address: number;
  /** Type of its events; of outputs 0. */
  readonly eventType: number;
  /** Type of its state: the same without a time tag. */
  readonly stateType: number;
  readonly kind: ObjectKind;
  readonly scale: number;
  readonly offset: number;
  /** Takes commands. */
  readonly output: boolean;
  readonly selectFirst: boolean;
  /** A counter: told by counter interrogations only, and when it changes. */
  readonly counter: boolean;
  /** Group of interrogation: 1 to 16, of counters 1 to 4; 0 none. */
  readonly group: number;
  /** Least change that is told by itself, in the units of the control centre; 0 every one. */
  readonly deadBand: number;
}

/** Types with and without a time tag. */
const TWINS: readonly (readonly [state: number, event: number])[] = [
  [TYPE.M_SP_NA_1, TYPE.M_SP_TB_1],
  [TYPE.M_DP_NA_1, TYPE.M_DP_TB_1],
  [TYPE.M_ST_NA_1, TYPE.M_ST_TB_1],
  [TYPE.M_BO_NA_1, TYPE.M_BO_TB_1],
  [TYPE.M_ME_NA_1, TYPE.M_ME_TD_1],
  [TYPE.M_ME_NB_1, TYPE.M_ME_TE_1],
  [TYPE.M_ME_NC_1, TYPE.M_ME_TF_1],
  [TYPE.M_IT_NA_1, TYPE.M_IT_TB_1],
];
const STATE_OF = new Map(TWINS.map(([state, event]) => [event, state]));
const KIND_TYPES: Readonly<Record<string, number>> = {
  yx: TYPE.M_SP_TB_1,
  yc: TYPE.M_ME_TF_1,
  dd: TYPE.M_IT_TB_1,
};
const COLUMNS = ["point", "coa", "ioa", "type", "scale", "offset", "group", "dead_band"];
/** Groups of interrogation, and those of counter interrogation. */
const GROUPS_MAX = { process: 16, counters: 4 } as const;

/** All that is forwarded. */
export class ForwardingTable {
  readonly #byPoint = new Map<PointId, Forwarded>();
  readonly #byAddress = new Map<number, Forwarded>();
  /** Common addresses there are, in the order in which they came. */
  readonly commonAddresses: readonly number[];

  constructor(readonly entries: readonly Forwarded[]) {
    for (const entry of entries) {
      this.#byPoint.set(entry.point, entry);
      this.#byAddress.set(keyOf(entry.commonAddress, entry.address, entry.output), entry);
    }
    this.commonAddresses = [...new Set(entries.map(({ commonAddress }) => commonAddress))];
  }

  /** What is told of a point. */
  input(point: PointId): Forwarded | undefined {
    const entry = this.#byPoint.get(point);
    return entry?.output ? undefined : entry;
  }

  /** What stands at an address, to be read or to be commanded. */
  at(commonAddress: number, address: number, output: boolean): Forwarded | undefined {
    return this.#byAddress.get(keyOf(commonAddress, address, output));
  }
}

function keyOf(commonAddress: number, address: number, output: boolean): number {
  return (commonAddress * 2 ** 24 + address) * 2 + (output ? 1 : 0);
}

/** Every point of some stations, under its own addresses. */
export function forwardAll(
  definitions: Iterable<PointDefinition>,
  stations: readonly string[] | undefined,
): ForwardingTable {
  const entries: Forwarded[] = [];
  for (const definition of definitions) {
    if (stations && !stations.includes(definition.station)) continue;
    entries.push(entryOf(definition, NOTHING_WRITTEN));
  }
  return new ForwardingTable(entries);
}

interface Written {
  readonly commonAddress: number | undefined;
  readonly address: number | undefined;
  readonly type: number | undefined;
  readonly scale: number | undefined;
  readonly offset: number | undefined;
  readonly group: number | undefined;
  readonly deadBand: number | undefined;
}

const NOTHING_WRITTEN: Written = {
  commonAddress: undefined,
  address: undefined,
  type: undefined,
  scale: undefined,
  offset: undefined,
  group: undefined,
  deadBand: undefined,
};

function entryOf(definition: PointDefinition, written: Written): Forwarded {
  const output = definition.kind === "do" || definition.kind === "ao";
  const type = output ? 0 : written.type ?? KIND_TYPES[definition.kind]!;
  return {
    point: definition.point,
    commonAddress: written.commonAddress ?? definition.commonAddress,
    address: written.address ?? definition.address,
    eventType: type,
    stateType: STATE_OF.get(type) ?? type,
    kind: typeSpec(type)?.kind ?? "raw",
    scale: written.scale ?? 1,
    offset: written.offset ?? 0,
    output,
    selectFirst: definition.selectFirst,
    counter: typeSpec(type)?.kind === "counter",
    group: written.group ?? 0,
    deadBand: written.deadBand ?? 0,
  };
}

/**
 * Reads a file with the columns point, coa, ioa, type, scale, offset, group, dead_band; what is
 * empty is as in the point table, without a group and without a dead-band. Lines that cannot be
 * taken are told and left out.
 */
export function readForwarding(
  text: string,
  definition: (point: PointId) => PointDefinition | undefined,
): { table: ForwardingTable; faults: string[] } {
  const faults: string[] = [];
  const entries: Forwarded[] = [];
  const taken = new Set<number>();
  let reader: RowReader | undefined;
  const records = csvRecords(text);
  let next = records.next();
  for (; !next.done; next = records.next()) {
    const { line, fields } = next.value;
    if (!reader) {
      const columns = fields.map((field) => field.toLowerCase());
      faults.push(...columnFaults(columns));
      reader = new RowReader(columns, definition);
      continue;
    }
    const read = reader.entry(fields);
    if (typeof read === "string") {
      faults.push(`line ${line}: ${read}`);
      continue;
    }
    // One number for each place: there may be 100,000 of them.
    const place = keyOf(read.commonAddress, read.address, read.output);
    if (taken.has(place)) {
      faults.push(`line ${line}: CA ${read.commonAddress} IOA ${read.address} is taken`);
    } else entries.push(read);
    taken.add(place);
  }
  if (next.value) faults.push(`line ${next.value.line}: ${next.value.message}`);
  if (!reader) faults.push("A column point is needed");
  return { table: new ForwardingTable(entries), faults };
}

function columnFaults(columns: readonly string[]): string[] {
  const faults = columns.filter((column) => !COLUMNS.includes(column)).map((column) => {
    const near = nearest(column, COLUMNS);
    return `${column} is no column${near === undefined ? "" : `; did you mean "${near}"?`}`;
  });
  return columns.includes("point") ? faults : [...faults, "A column point is needed"];
}

/** Reads rows with the same columns. What is wrong with one is thrown inside, and told. */
class RowReader {
  readonly #places: ReadonlyMap<string, number>;
  #fields: readonly string[] = [];

  constructor(
    columns: readonly string[],
    readonly definition: (point: PointId) => PointDefinition | undefined,
  ) {
    this.#places = new Map(columns.map((column, place) => [column, place]));
  }

  /** @returns What is forwarded, or what is wrong. */
  entry(fields: readonly string[]): Forwarded | string {
    this.#fields = fields;
    const point = this.#text("point");
    const known = isPointId(point) ? this.definition(point) : undefined;
    if (!known) return `${point} is no point of the table`;
    try {
      const made = entryOf(known, {
        commonAddress: this.#whole("coa", 65_534),
        address: this.#whole("ioa", 16_777_215),
        type: this.#type(),
        scale: this.#real("scale"),
        offset: this.#real("offset"),
        group: this.#whole("group", GROUPS_MAX.process),
        deadBand: this.#real("dead_band"),
      });
      return made.deadBand < 0
        ? `dead_band must not be negative, and ${made.deadBand} is`
        : made.counter && made.group > GROUPS_MAX.counters
        ? `group of a counter must be from 0 to ${GROUPS_MAX.counters}, not ${made.group}`
        : made;
    } catch (error) {
      if (error instanceof FieldFault) return error.message;
      throw error;
    }
  }

  #text(column: string): string {
    const place = this.#places.get(column);
    return place === undefined ? "" : this.#fields[place] ?? "";
  }

  #whole(column: string, most: number): number | undefined {
    const text = this.#text(column);
    if (text === "") return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && value <= most) return value;
    throw new FieldFault(`${column} must be from 0 to ${most}, not "${text}"`);
  }

  #real(column: string): number | undefined {
    const text = this.#text(column);
    if (text === "") return undefined;
    if (Number.isFinite(Number(text))) return Number(text);
    throw new FieldFault(`${column} must be a number, not "${text}"`);
  }

  #type(): number | undefined {
    const read = typeOf(this.#text("type"));
    if (typeof read === "string") throw new FieldFault(`type ${read}`);
    return read;
  }
}

/** What is wrong with a field; never seen outside. */
class FieldFault extends Error {}

/** Types that values can be told as, by name or number, with a time tag or as they are. */
function typeOf(text: string): number | undefined | string {
  if (text === "") return undefined;
  const named = (TYPE as Readonly<Record<string, number>>)[text.toUpperCase()];
  const type = named ?? (/^\d{1,3}$/.test(text) ? Number(text) : -1);
  const found = TWINS.find((twins) => twins.includes(type));
  return found ? type : `must be a type such as M_ME_TF_1 or 36, not "${text}"`;
}
