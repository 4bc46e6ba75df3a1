/**
 * What a received frame is to somebody who commissions GOOSE: taken or not, and why not; the line
 * that shows it; and what was seen of each stream.
 * @module
 */
import type { JsonObject } from "../kernel/registry.ts";
import {
  decodeEthernet,
  decodeGoose,
  epochMsOf,
  ETHER_TYPE,
  type EthernetFrame,
  formatTime,
  formatValue,
  formatValues,
  type GooseMessage,
  type Place,
  shown,
  type Step,
  stepOf,
  timeFlags,
  utcTimeOf,
} from "../protocol/goose/mod.ts";

/** What a listener wants; absent is anything. */
export interface Criteria {
  readonly appId?: number | undefined;
  readonly gocbRef?: string | undefined;
  readonly destination?: string | undefined;
  /** 0 to 4095; `none` is a frame without a tag. */
  readonly vlan?: number | "none" | undefined;
}

/** A frame that is GOOSE and wanted. */
export interface Taken {
  readonly kind: "taken";
  readonly frame: EthernetFrame;
  readonly message: GooseMessage;
}

/** A frame that is not. */
export interface Refused {
  readonly kind: "refused";
  /** Undefined when not even the header is there. */
  readonly frame: EthernetFrame | undefined;
  /** Which part of the frame it is about. */
  readonly part:
    | "ethernet"
    | "ethertype"
    | "destination"
    | "vlan"
    | "appid"
    | "gocbref"
    | "message";
  /** In words, with what it is and what was asked for. */
  readonly why: string;
}

const ETHER_TYPE_NAMES: Readonly<Record<number, string>> = {
  [ETHER_TYPE.gseManagement]: "GSE management",
  [ETHER_TYPE.sampledValues]: "sampled values",
  [ETHER_TYPE.vlan]: "a third tag",
  [ETHER_TYPE.serviceVlan]: "a third tag",
  0x0800: "IPv4",
  0x0806: "ARP",
  0x86dd: "IPv6",
  0x88f7: "PTP",
  0x88fb: "PRP supervision",
  0x892f: "HSR",
};

/** Compares a frame with what is wanted. */
export function judge(octets: Uint8Array, wanted: Criteria): Taken | Refused {
  const frame = decodeEthernet(octets);
  if (frame.kind === "malformed") {
    const why = `${octets.length} octets are no Ethernet header`;
    return { kind: "refused", frame: undefined, part: "ethernet", why };
  }
  const refused = (part: Refused["part"], why: string): Refused => ({
    kind: "refused",
    frame,
    part,
    why,
  });
  const { etherType, payload, destination } = frame;
  if (etherType !== ETHER_TYPE.goose) {
    const name = ETHER_TYPE_NAMES[etherType];
    const is = `${hex16(etherType)}${name === undefined ? "" : ` (${name})`}`;
    return refused("ethertype", `EtherType is ${is}, not ${hex16(ETHER_TYPE.goose)}`);
  }
  if (wanted.destination !== undefined && destination !== wanted.destination) {
    return refused("destination", `Destination is ${destination}, not ${wanted.destination}`);
  }
  const vlan = frame.tags.at(-1)?.vlan ?? "none";
  if (wanted.vlan !== undefined && vlan !== wanted.vlan) {
    return refused("vlan", `VLAN is ${vlan}, not ${wanted.vlan}`);
  }
  if (payload.length >= 2 && wanted.appId !== undefined) {
    const appId = payload[0]! * 256 + payload[1]!;
    if (appId !== wanted.appId) {
      return refused("appid", `APPID is ${hex16(appId)}, not ${hex16(wanted.appId)}`);
    }
  }
  const message = decodeGoose(payload);
  if (message.kind === "malformed") {
    const at = message.offset + frame.headerSize;
    return refused("message", `Malformed: ${message.code} at octet ${at}`);
  }
  if (wanted.gocbRef !== undefined && message.pdu.gocbRef !== wanted.gocbRef) {
    const { gocbRef } = message.pdu;
    return refused("gocbref", `gocbRef is ${shown(gocbRef)}, not ${shown(wanted.gocbRef)}`);
  }
  return { kind: "taken", frame, message };
}

/** `0x88b8`. */
export function hex16(value: number): string {
  return `0x${value.toString(16).padStart(4, "0")}`;
}

/** What is odd about a message that can be read; receivers differ in what they do with it. */
export function oddities({ frame, message }: Taken): string[] {
  const { pdu } = message;
  const odd: string[] = [];
  if (pdu.entries !== pdu.allData.length) {
    odd.push(`numDatSetEntries is ${pdu.entries}, allData has ${pdu.allData.length}`);
  }
  if (pdu.ndsCom) odd.push("needs commissioning");
  if (pdu.simulation || message.simulation) odd.push("simulation");
  if (pdu.simulation !== message.simulation) odd.push("simulation differs in header and PDU");
  if (!frame.destination.startsWith("01:0c:cd:01:")) odd.push("destination is no GOOSE group");
  return [...odd, ...timeFlags(pdu.t)];
}

/** `5/4` is VLAN 5 with priority 4; the outer tag first. */
function tagsOf({ tags }: EthernetFrame): string {
  if (tags.length === 0) return "none";
  return tags.map(({ vlan, priority, dropEligible }) =>
    `${vlan}/${priority}${dropEligible ? "/dei" : ""}`
  ).join("+");
}

/** Time of day, UTC, to the microsecond. */
function clockTime(epochMs: number): string {
  return formatTime(utcTimeOf(epochMs)).slice(11, -1);
}

/**
 * One line for a message.
 *
 * @param step What it is, seen from the one before of its stream; undefined for the first.
 */
export function takenLine(taken: Taken, epochMs: number, step: Step | undefined): string {
  const { frame, message } = taken;
  const { pdu } = message;
  const age = epochMs - epochMsOf(pdu.t);
  const notes = [...(step === undefined ? ["first"] : notesOf(step)), ...oddities(taken)];
  return [
    clockTime(epochMs),
    `${frame.source} > ${frame.destination}`,
    hex16(message.appId),
    `vlan ${tagsOf(frame)}`,
    shown(pdu.gocbRef),
    `stNum ${pdu.stNum}`,
    `sqNum ${pdu.sqNum}`,
    `ttl ${pdu.timeAllowedToLive}ms`,
    `age ${age.toFixed(1)}ms`,
    `{${formatValues(pdu.allData)}}`,
    ...(notes.length === 0 ? [] : [`[${notes.join("; ")}]`]),
  ].join(" ");
}

function notesOf({ kind, lost, lostChanges }: Step): string[] {
  const notes: string[] = kind === "repeat" ? [] : [kind];
  if (lost > 0) notes.push(`${lost} lost before it`);
  if (lostChanges > 0) notes.push(`${lostChanges} changes lost before it`);
  return notes;
}

/** One line for a frame that was not taken. */
export function refusedLine({ frame, why }: Refused, epochMs: number): string {
  const where = frame === undefined
    ? ""
    : ` ${frame.source} > ${frame.destination} vlan ${tagsOf(frame)}`;
  return `${clockTime(epochMs)}${where} not taken: ${why}`;
}

/** A message as JSON; every value in the notation of `--values`. */
export function takenJson(taken: Taken, epochMs: number, step: Step | undefined): JsonObject {
  const { frame, message } = taken;
  const { pdu } = message;
  return {
    type: "frame",
    ...headerJson(frame, epochMs),
    appid: message.appId,
    gocbref: pdu.gocbRef,
    datset: pdu.datSet,
    goid: pdu.goId ?? null,
    stnum: pdu.stNum,
    sqnum: pdu.sqNum,
    time_allowed_to_live_ms: pdu.timeAllowedToLive,
    t: formatTime(pdu.t),
    t_quality: pdu.t.quality,
    age_ms: Math.round((epochMs - epochMsOf(pdu.t)) * 1000) / 1000,
    confrev: pdu.confRev,
    simulation: pdu.simulation,
    nds_com: pdu.ndsCom,
    entries: pdu.entries,
    values: pdu.allData.map(formatValue),
    step: step?.kind ?? "first",
    lost: step?.lost ?? 0,
    lost_changes: step?.lostChanges ?? 0,
    odd: oddities(taken),
  };
}

/** A frame that was not taken as JSON. */
export function refusedJson({ frame, part, why }: Refused, epochMs: number): JsonObject {
  const header = frame === undefined
    ? { at: formatTime(utcTimeOf(epochMs)) }
    : headerJson(frame, epochMs);
  return { type: "refused", ...header, part, why };
}

function headerJson(frame: EthernetFrame, epochMs: number): JsonObject {
  return {
    at: formatTime(utcTimeOf(epochMs)),
    source: frame.source,
    destination: frame.destination,
    tags: frame.tags.map(({ tpid, priority, dropEligible, vlan }) => ({
      tpid,
      priority,
      drop_eligible: dropEligible,
      vlan,
    })),
  };
}

/** What was seen of one stream. */
export interface Stream {
  readonly source: string;
  readonly appId: number;
  readonly gocbRef: string;
  last: Place;
  frames: number;
  changes: number;
  lost: number;
  lostChanges: number;
  duplicates: number;
  reordered: number;
  restarts: number;
}

/** Streams that are told apart; what comes beyond is counted in {@linkcode Streams.overflow}. */
export const STREAMS_MAX = 1024;

/** All streams seen, by source, APPID and gocbRef. */
export class Streams {
  readonly #streams = new Map<string, Stream>();
  /** Frames of streams that found no place. */
  overflow = 0;

  /** Counts a message. @returns What it is; undefined for the first of its stream. */
  see({ frame, message }: Taken): Step | undefined {
    const { stNum, sqNum, gocbRef } = message.pdu;
    const key = `${frame.source} ${message.appId} ${gocbRef}`;
    const stream = this.#streams.get(key);
    if (stream === undefined) {
      if (this.#streams.size >= STREAMS_MAX) this.overflow += 1;
      else this.#streams.set(key, create(frame.source, message.appId, gocbRef, { stNum, sqNum }));
      return undefined;
    }
    const step = stepOf(stream.last, { stNum, sqNum });
    stream.frames += 1;
    stream.lost += step.lost;
    stream.lostChanges += step.lostChanges;
    if (step.kind === "change") stream.changes += 1;
    if (step.kind === "duplicate") stream.duplicates += 1;
    if (step.kind === "restart") stream.restarts += 1;
    if (step.kind === "reordered") stream.reordered += 1;
    else stream.last = { stNum, sqNum };
    return step;
  }

  /** In the order in which they appeared. */
  all(): Stream[] {
    return [...this.#streams.values()];
  }
}

function create(source: string, appId: number, gocbRef: string, last: Place): Stream {
  const none = { changes: 0, lost: 0, lostChanges: 0, duplicates: 0, reordered: 0, restarts: 0 };
  return { source, appId, gocbRef, last, frames: 1, ...none };
}
