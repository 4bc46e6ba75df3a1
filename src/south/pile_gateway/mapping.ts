/**
 * Between messages and points: what a pile tells as samples, and commands as messages.
 *
 * | Point behind `<station>.<pile>.` | kind | What |
 * |---|---|---|
 * | `online` | yx | its session is open |
 * | `state` | yc | 0 offline, 1 standby, 2 charging, 3 fault, 4 upgrading |
 * | `closed` | yx | the relay is closed |
 * | `power`, `limit` | yc | watts |
 * | `energy` | dd | watt-hours |
 * | `fault`, `hazard` | yc, yx | code of the fault, 0 for none; whether it endangers people |
 * | `policy`, `version` | yc | version of the tariff; text: version of the firmware |
 * | `trade` | yc | text: the last trade record, as JSON |
 * | `charge` | do | on starts, off stops |
 * | `set_limit` | ao | watts |
 * | `unlock`, `confirm`, `restart`, `upgrade` | do | on does it |
 * @module
 */
import { type PointId, type PointValue, QUALITY, type Sample } from "../../points/points.ts";
import { type MessageOf, PILE_STATES, type PileEventKind } from "../../protocol/cip22/mod.ts";

/** What a pile can be told to do, by the last word of the point. */
export const OUTPUTS = [
  "charge",
  "set_limit",
  "unlock",
  "confirm",
  "restart",
  "upgrade",
] as const;
/** One of {@linkcode OUTPUTS}. */
export type Output = (typeof OUTPUTS)[number];

/** What of a pile is told; the order is that of their addresses in a point table. */
export const INPUTS = [
  ["online", "yx"],
  ["state", "yc"],
  ["closed", "yx"],
  ["power", "yc"],
  ["energy", "dd"],
  ["limit", "yc"],
  ["fault", "yc"],
  ["hazard", "yx"],
  ["policy", "yc"],
] as const;
/** One of {@linkcode INPUTS}, or a text. */
export type Input = (typeof INPUTS)[number][0] | "version" | "trade";

/** The point of a pile. */
export function pointOf(station: string, pile: string, name: Input | Output): PointId {
  return `${station}.${pile}.${name}` as PointId;
}

/** Which pile and output a point is; undefined for another one. */
export function outputOf(
  station: string,
  point: string,
): { readonly pile: string; readonly output: Output } | undefined {
  const [first, pile, name, ...rest] = point.split(".");
  const output = OUTPUTS.find((one) => one === name);
  if (first !== station || !pile || !output || rest.length > 0) return undefined;
  return { pile, output };
}

/** What a status says, as samples at its time. */
export function statusSamples(
  station: string,
  pile: string,
  status: MessageOf<"status">,
): Sample[] {
  const { time: at, state, closed, power, energy, limit, reason, hazard, policyVersion, version } =
    status;
  const values: readonly (readonly [Input, PointValue | undefined])[] = [
    ["state", state],
    ["closed", closed],
    ["power", power],
    ["energy", energy],
    ["limit", limit],
    ["fault", reason],
    ["hazard", hazard],
    ["policy", policyVersion],
    ["version", version],
  ];
  return values.flatMap(([name, value]) =>
    value === undefined
      ? []
      : [{ point: pointOf(station, pile, name), value, quality: QUALITY.good, at }]
  );
}

/** What a fault says: events, which stand in the journal even when they repeat. */
export function faultSamples(
  station: string,
  pile: string,
  { reason, hazard, cleared, time: at }: MessageOf<"fault">,
): Sample[] {
  const quality = QUALITY.good;
  const point = (name: Input) => pointOf(station, pile, name);
  return [
    { point: point("fault"), value: cleared ? 0 : reason, quality, at, event: true },
    { point: point("hazard"), value: hazard && !cleared, quality, at, event: true },
  ];
}

/** A trade as JSON text. */
export function tradeText(record: MessageOf<"tradeRecord">): string {
  const { trade, port, bikeId, begin, end, energy, cost, policyVersion } = record;
  return JSON.stringify({
    trade,
    ...port === undefined ? {} : { port },
    ...bikeId === undefined ? {} : { bike: bikeId },
    begin: new Date(begin).toISOString(),
    end: new Date(end).toISOString(),
    "energy_wh": energy,
    cost,
    policy: policyVersion,
  });
}

/** A command as it is sent, and the event that it is in the table of states. */
export interface Order {
  readonly kind: "start" | "stop" | "limit" | "unlock" | "confirm" | "restart" | "upgrade";
  readonly event?: PileEventKind;
  /** Watts. */
  readonly limit?: number;
}

const LIMIT_MAX = 0xffff_ffff;

/** What a command means. @returns Why it means nothing. */
export function orderOf(output: Output, value: PointValue): Order | string {
  if (output === "set_limit") {
    const limit = typeof value === "number" ? Math.round(value) : NaN;
    if (!(limit >= 0 && limit <= LIMIT_MAX)) return `A limit is a number of watts, not ${value}`;
    return { kind: "limit", limit };
  }
  const on = isOn(value);
  if (on === undefined) return `${output} is on or off, not ${value}`;
  if (output === "charge") {
    return on ? { kind: "start", event: "start" } : { kind: "stop", event: "stop" };
  }
  if (!on) return `${output} can only be switched on`;
  // Whether a fault is cleared is known to the pile alone after a restart of the gateway.
  if (output === "confirm") return { kind: "confirm" };
  if (output === "upgrade") return { kind: "upgrade", event: "upgrade" };
  return { kind: output };
}

/** Single commands are truth values or 0 and 1; double commands 1 for off and 2 for on. */
function isOn(value: PointValue): boolean | undefined {
  if (typeof value === "boolean") return value;
  const number = Number(value);
  return number === 1 ? true : number === 0 ? false : undefined;
}

/** The state of a number; undefined for one that there is not. */
export function stateOf(number: number) {
  return PILE_STATES[number];
}
