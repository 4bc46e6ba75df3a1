/**
 * What is forwarded, and as what: each point's common address, object address, type and scale
 * towards the control centre.
 * @module
 */
import { nearest } from "../../base/nearest.ts";
import { readCsv } from "../../points/csv.ts";
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
    entries.push(entryOf(definition, {}));
  }
  return new ForwardingTable(entries);
}

interface Written {
  readonly commonAddress?: number;
  readonly address?: number;
  readonly type?: number;
  readonly scale?: number;
  readonly offset?: number;
  readonly group?: number;
  readonly deadBand?: number;
}

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
  const { records, fault } = readCsv(text);
  if (fault) faults.push(`line ${fault.line}: ${fault.message}`);
  const [head, ...rest] = records;
  const columns = head?.fields.map((field) => field.toLowerCase()) ?? [];
  for (const column of columns) {
    if (COLUMNS.includes(column)) continue;
    const near = nearest(column, COLUMNS);
    faults.push(`${column} is no column${near === undefined ? "" : `; did you mean "${near}"?`}`);
  }
  if (!columns.includes("point")) faults.push("A column point is needed");
  const entries: Forwarded[] = [];
  const taken = new Set<string>();
  for (const { line, fields } of rest) {
    const row = Object.fromEntries(columns.map((column, index) => [column, fields[index] ?? ""]));
    const read = rowOf(row, definition);
    if (typeof read === "string") faults.push(`line ${line}: ${read}`);
    else {
      const place = `${read.commonAddress} ${read.address} ${read.output}`;
      if (taken.has(place)) {
        faults.push(`line ${line}: CA ${read.commonAddress} IOA ${read.address} is taken`);
      } else entries.push(read);
      taken.add(place);
    }
  }
  return { table: new ForwardingTable(entries), faults };
}

function rowOf(
  row: Readonly<Record<string, string>>,
  definition: (point: PointId) => PointDefinition | undefined,
): Forwarded | string {
  const { point = "", coa = "", ioa = "", type = "", scale = "", offset = "" } = row;
  const { group = "", dead_band: deadBand = "" } = row;
  const known = isPointId(point) ? definition(point) : undefined;
  if (!known) return `${point} is no point of the table`;
  const number = (text: string, most: number): number | undefined | string => {
    if (text === "") return undefined;
    const value = Number(text);
    return /^\d+$/.test(text) && value <= most ? value : `must be from 0 to ${most}, not "${text}"`;
  };
  const real = (text: string): number | undefined | string => {
    if (text === "") return undefined;
    return Number.isFinite(Number(text)) ? Number(text) : `must be a number, not "${text}"`;
  };
  const read = {
    coa: number(coa, 65_534),
    ioa: number(ioa, 16_777_215),
    type: typeOf(type),
    scale: real(scale),
    offset: real(offset),
    group: number(group, GROUPS_MAX.process),
    "dead_band": real(deadBand),
  };
  for (const [name, value] of Object.entries(read)) {
    if (typeof value === "string") return `${name} ${value}`;
  }
  const good = read as Record<keyof typeof read, number | undefined>;
  const made = entryOf(known, {
    ...(good.coa === undefined ? {} : { commonAddress: good.coa }),
    ...(good.ioa === undefined ? {} : { address: good.ioa }),
    ...(good.type === undefined ? {} : { type: good.type }),
    ...(good.scale === undefined ? {} : { scale: good.scale }),
    ...(good.offset === undefined ? {} : { offset: good.offset }),
    ...(good.group === undefined ? {} : { group: good.group }),
    ...(good.dead_band === undefined ? {} : { deadBand: good.dead_band }),
  });
  if (made.deadBand < 0) return `dead_band must not be negative, and ${made.deadBand} is`;
  if (made.counter && made.group > GROUPS_MAX.counters) {
    return `group of a counter must be from 0 to ${GROUPS_MAX.counters}, not ${made.group}`;
  }
  return made;
}

/** Types that values can be told as, by name or number, with a time tag or as they are. */
function typeOf(text: string): number | undefined | string {
  if (text === "") return undefined;
  const named = (TYPE as Readonly<Record<string, number>>)[text.toUpperCase()];
  const type = named ?? (/^\d{1,3}$/.test(text) ? Number(text) : -1);
  const found = TWINS.find((twins) => twins.includes(type));
  return found ? type : `must be a type such as M_ME_TF_1 or 36, not "${text}"`;
}
