/** GOOSE messages, from APPID to the end of the frame. IEC 61850-8-1:2011 annexes A and C. */
import type { Malformed } from "../../base/errors.ts";
import { BerWriter, malformed, readTlv, readUint32, type Tlv } from "../../wire/ber.ts";
import {
  FIELD,
  GOOSE_HEADER,
  PDU_TAG,
  REFERENCE_MAX,
  SIMULATION_BIT,
  TOTAL_MAX,
} from "./constants.ts";
import {
  type Data,
  decodeData,
  encodeData,
  type Form,
  latin1,
  latin1Octets,
  readUtcTime,
  type UtcTime,
  utcTimeOctets,
} from "./data.ts";

/** What a publisher tells. */
export interface GoosePdu {
  /** Reference of the control block: the name of the stream. */
  readonly gocbRef: string;
  /** Milliseconds until the next message comes at the latest. */
  readonly timeAllowedToLive: number;
  readonly datSet: string;
  readonly goId?: string;
  /** When stNum last changed. */
  readonly t: UtcTime;
  /** Counts changes of the values, from 1 on. */
  readonly stNum: number;
  /** Counts messages since the last change. */
  readonly sqNum: number;
  /** Called test in edition 1. */
  readonly simulation: boolean;
  readonly confRev: number;
  /** The control block needs commissioning. */
  readonly ndsCom: boolean;
  /** How many values the publisher says there are; a receiver compares it with `allData`. */
  readonly entries: number;
  readonly allData: readonly Data[];
}

/** A message with its header. */
export interface GooseMessage {
  readonly kind: "goose";
  readonly appId: number;
  /** Octets from APPID to the end of the goosePdu. */
  readonly length: number;
  /** The simulation bit of Reserved1; should agree with the field of that name. */
  readonly simulation: boolean;
  readonly reserved1: number;
  readonly reserved2: number;
  readonly pdu: GoosePdu;
  /** Octets of an IEC 62351-6 extension behind the goosePdu. */
  readonly extension: number;
  /** Octets behind all that: padding, or the trailer of a PRP host. */
  readonly trailing: number;
}

/** What a message is made of. The length, and the simulation bit, follow from it. */
export interface GooseContents {
  readonly appId: number;
  readonly pdu: Omit<GoosePdu, "entries">;
}

/**
 * Reads what follows the EtherType. Total: whatever the octets are, it returns.
 *
 * @returns Malformed with an offset into `octets`: `goose.header.*`, `goose.pdu.*`,
 * `goose.<field>.*`, `goose.data.*` or `ber.*`.
 */
export function decodeGoose(octets: Uint8Array): GooseMessage | Malformed {
  if (octets.length < GOOSE_HEADER) return malformed("goose.header.short", octets.length);
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const length = view.getUint16(2);
  if (length < GOOSE_HEADER || length > octets.length) return malformed("goose.header.length", 2);
  if (length > TOTAL_MAX) return malformed("goose.header.too_long", 2);
  const reserved1 = view.getUint16(4);
  const pdu = decodePdu(octets, GOOSE_HEADER, length);
  if ("kind" in pdu) return pdu;
  const extension = Math.min(reserved1 & 0xff, octets.length - length);
  return {
    kind: "goose",
    appId: view.getUint16(0),
    length,
    simulation: (reserved1 & SIMULATION_BIT) !== 0,
    reserved1,
    reserved2: view.getUint16(6),
    pdu,
    extension,
    trailing: octets.length - length - extension,
  };
}

/** A goosePdu that is being read. */
type Draft = { -readonly [Name in keyof GoosePdu]?: GoosePdu[Name] | undefined };

/** What a malformed code calls a field. */
const FIELD_NAME: ReadonlyMap<number, string> = new Map(
  Object.entries(FIELD).map(([name, tag]) => [
    tag,
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  ]),
);
const MANDATORY = [
  "gocbRef",
  "timeAllowedToLive",
  "datSet",
  "t",
  "stNum",
  "sqNum",
  "confRev",
  "entries",
  "allData",
] as const satisfies readonly (keyof GoosePdu)[];

/** Reads a goosePdu, which has to fill the octets from `start` to `end`. */
export function decodePdu(octets: Uint8Array, start: number, end: number): GoosePdu | Malformed {
  if (end - start > TOTAL_MAX) return malformed("goose.pdu.too_long", start);
  const outer = readTlv(octets, start, end);
  if (outer.kind === "malformed") return outer;
  if (outer.tag !== PDU_TAG) return malformed("goose.pdu.tag", start);
  if (outer.end !== end) return malformed("goose.pdu.length", start + 1);
  const draft: Draft = {};
  const seen = new Set<number>();
  for (let at = outer.start; at < end;) {
    const element = readTlv(octets, at, end);
    if (element.kind === "malformed") return element;
    const name = FIELD_NAME.get(element.tag);
    // What a later edition adds is skipped by its length.
    if (name !== undefined) {
      if (seen.has(element.tag)) return malformed(`goose.${name}.duplicate`, at);
      seen.add(element.tag);
      const wrong = readField(draft, octets, element);
      if (wrong === false) return malformed(`goose.${name}.value`, element.start);
      if (wrong !== true) return wrong;
    }
    at = element.end;
  }
  for (const name of MANDATORY) {
    if (draft[name] !== undefined) continue;
    return malformed(`goose.${FIELD_NAME.get(FIELD[name])}.missing`, start);
  }
  return { simulation: false, ndsCom: false, ...draft } as GoosePdu;
}

/** @returns True; false when the contents do not fit; or what is wrong inside of them. */
function readField(draft: Draft, octets: Uint8Array, element: Tlv): boolean | Malformed {
  const { tag, start, end } = element;
  switch (tag) {
    case FIELD.gocbRef:
      return (draft.gocbRef = reference(octets, element)) !== undefined;
    case FIELD.datSet:
      return (draft.datSet = reference(octets, element)) !== undefined;
    case FIELD.goId:
      return (draft.goId = reference(octets, element)) !== undefined;
    case FIELD.timeAllowedToLive:
      return (draft.timeAllowedToLive = readUint32(octets, start, end)) !== undefined;
    case FIELD.stNum:
      return (draft.stNum = readUint32(octets, start, end)) !== undefined;
    case FIELD.sqNum:
      return (draft.sqNum = readUint32(octets, start, end)) !== undefined;
    case FIELD.confRev:
      return (draft.confRev = readUint32(octets, start, end)) !== undefined;
    case FIELD.entries:
      return (draft.entries = readUint32(octets, start, end)) !== undefined;
    case FIELD.t:
      return (draft.t = readUtcTime(octets, start, end)) !== undefined;
    case FIELD.simulation:
      draft.simulation = octets[start] !== 0;
      return end - start === 1;
    case FIELD.ndsCom:
      draft.ndsCom = octets[start] !== 0;
      return end - start === 1;
    default: {
      const values = decodeData(octets, start, end);
      if (!Array.isArray(values)) return values;
      draft.allData = values;
      return true;
    }
  }
}

function reference(octets: Uint8Array, { start, end }: Tlv): string | undefined {
  return end - start > REFERENCE_MAX ? undefined : latin1(octets, start, end);
}

/** Octets of a number in the fixed form: 32 bits and a leading 0. 8-1:2011 A.3 */
const FIXED_NUMBER = 5;

/**
 * Writes what follows the EtherType.
 *
 * @returns Undefined when it would be longer than {@linkcode TOTAL_MAX}.
 */
export function encodeGoose(
  { appId, pdu }: GooseContents,
  form: Form = "minimal",
): Uint8Array<ArrayBuffer> | undefined {
  const writer = new BerWriter();
  for (const value of pdu.allData.toReversed()) encodeData(writer, value, form);
  writer.close(FIELD.allData, 0);
  const least = form === "fixed" ? FIXED_NUMBER : 1;
  writer.integer(FIELD.entries, pdu.allData.length, least);
  writer.element(FIELD.ndsCom, [pdu.ndsCom ? 1 : 0]);
  writer.integer(FIELD.confRev, pdu.confRev, least);
  writer.element(FIELD.simulation, [pdu.simulation ? 1 : 0]);
  writer.integer(FIELD.sqNum, pdu.sqNum, least);
  writer.integer(FIELD.stNum, pdu.stNum, least);
  writer.element(FIELD.t, utcTimeOctets(pdu.t));
  if (pdu.goId !== undefined) writer.element(FIELD.goId, latin1Octets(pdu.goId));
  writer.element(FIELD.datSet, latin1Octets(pdu.datSet));
  writer.integer(FIELD.timeAllowedToLive, pdu.timeAllowedToLive, least);
  writer.element(FIELD.gocbRef, latin1Octets(pdu.gocbRef));
  writer.close(PDU_TAG, 0);
  const length = writer.length + GOOSE_HEADER;
  if (length > TOTAL_MAX) return undefined;
  writer.octets([0, 0]);
  writer.octets([pdu.simulation ? SIMULATION_BIT >>> 8 : 0, 0]);
  writer.octets([length >>> 8, length & 0xff]);
  writer.octets([appId >>> 8, appId & 0xff]);
  return writer.finish();
}
