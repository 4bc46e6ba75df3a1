/**
 * The JSON message of one information object, as consumers of the collector's Kafka topic and MQTT
 * topics know it, and its key.
 * @module
 */
import {
  type Asdu,
  CP24_SIZE,
  epochNear,
  epochOf,
  type InformationObject,
  QDS,
  shortFloat,
  type TimeZone,
  typeSpec,
} from "../iec104/mod.ts";

/** A value that JSON can hold. */
export type MessageValue =
  | string
  | number
  | boolean
  | null
  | readonly MessageValue[]
  | { readonly [key: string]: MessageValue };

/** What the point table says of a point, under the names of the message. */
export interface PointMapping {
  readonly deviceId: string;
  readonly deviceName: string;
  readonly tdTableType: string;
  readonly ext1: string;
  readonly ext2: string;
  readonly ext3: string;
  readonly ext4: string;
  readonly ext5: string;
}

/** What all messages of a station have in common. */
export interface MessageSource {
  readonly host: string;
  readonly port: number;
  /** Copied as it is; left out when empty. */
  readonly metaData?: Readonly<Record<string, MessageValue>>;
  /** The zone that the device's time tags are in. */
  readonly deviceZone: TimeZone;
  /** The zone that times are told in. */
  readonly zone: TimeZone;
}

/** What is particular to one message. */
export interface MessageOccasion {
  /** Unique; by habit a UUID. */
  readonly msgId: string;
  /** Microseconds since the epoch. */
  readonly atMicros: number;
  readonly mapping?: PointMapping;
  readonly headers?: Readonly<Record<string, string>>;
  readonly traceId?: string;
}

const DATA_TYPES: Readonly<Record<string, number>> = {
  single: 0,
  double: 1,
  scaled: 2,
  normalized: 3,
  step: 4,
  bitstring: 5,
  float: 6,
  counter: 7,
  "protection_event": 8,
  "protection_start": 9,
  "protection_output": 10,
  packed: 11,
  "single_command": 12,
  "double_command": 13,
  "step_command": 14,
  "set_normalized": 15,
  "set_scaled": 16,
  "set_float": 17,
  "set_bitstring": 18,
  "end_of_initialization": 19,
};
/** The data type of what has no other; it is not sent. */
export const DATA_TYPE_OTHER = 20;
/** The last data type that is process information, and is sent. */
const SENT_LAST = 11;

/** The `dataType` of a type identification. */
export function dataTypeOf(type: number): number {
  return DATA_TYPES[typeSpec(type)?.kind ?? ""] ?? DATA_TYPE_OTHER;
}

/**
 * The message of one object of an ASDU; undefined for what is not sent: command echoes, system
 * information, types that are not known.
 *
 * `body.time` is the device's time, told in the source's `zone`; it is empty when the type has none
 * or when it names no instant. NaN and infinity become null, which JSON has in their place.
 */
export function asduMessage(
  source: MessageSource,
  { type, commonAddress }: Pick<Asdu, "type" | "commonAddress">,
  object: InformationObject,
  occasion: MessageOccasion,
): Record<string, MessageValue> | undefined {
  const spec = typeSpec(type);
  const dataType = dataTypeOf(type);
  const body = spec && dataType <= SENT_LAST ? bodyOf(object) : undefined;
  if (!spec || !body) return undefined;
  const time = deviceTime(source, spec.timeSize, object, occasion.atMicros / 1000);
  // A type that can never have a time has no such field.
  const timed = object.kind === "packed" ? {} : { time };
  const { metaData } = source;
  const { mapping, headers, traceId } = occasion;
  return {
    msgId: occasion.msgId,
    host: source.host,
    port: source.port,
    asdu: spec.name,
    typeId: type,
    dataType,
    coa: commonAddress,
    body: { ioa: object.address, ...body, ...timed },
    time: wallTime(occasion.atMicros, source.zone),
    ...(metaData && Object.keys(metaData).length > 0 ? { metaData } : {}),
    ...(mapping ? { pm: { ...mapping } } : {}),
    ...(headers ? { headers } : {}),
    ...(traceId === undefined ? {} : { traceId }),
  };
}

/** The Kafka key of an object: `{host}_{coa}_0x{ioa}`, six digits of lower-case hexadecimal. */
export function messageKey(host: string, commonAddress: number, address: number): string {
  return `${host}_${commonAddress}_0x${address.toString(16).padStart(6, "0")}`;
}

/** `2026-02-03 10:11:12.345000`: wall clock of a zone, six decimals. */
export function wallTime(micros: number, zone: TimeZone): string {
  const ms = Math.floor(micros / 1000);
  const rest = String(Math.floor(micros - ms * 1000)).padStart(3, "0");
  const wall = new Date(ms + zone.offset(ms)).toISOString();
  return `${wall.slice(0, 10)} ${wall.slice(11, 23)}${rest}`;
}

function deviceTime(
  { deviceZone, zone }: MessageSource,
  size: 0 | 3 | 7,
  { time }: InformationObject,
  received: number,
): string {
  if (!time || size === 0) return "";
  const epoch = size === CP24_SIZE
    ? epochNear(time, deviceZone, received)
    : epochOf(time, deviceZone);
  return epoch === undefined ? "" : wallTime(epoch * 1000, zone);
}

type Fields = Record<string, MessageValue>;

function flag(quality: number, bit: number): boolean {
  return (quality & bit) !== 0;
}

function described(prefix: string, quality: number, flags: readonly [number, string][]): string {
  const set = flags.filter(([bit]) => flag(quality, bit)).map(([, word]) => prefix + word);
  const words = set.length > 0 ? set : quality === 0 ? [`${prefix}Good`] : ["ReservedBits"];
  return `${prefix}(${quality.toString(2).padStart(8, "0")})[${words.join("|")}]`;
}

const COMMON: readonly [number, string][] = [
  [QDS.blocked, "Blocked"],
  [QDS.substituted, "Substituted"],
  [QDS.notTopical, "NotTopical"],
  [QDS.invalid, "Invalid"],
];

function qds(quality: number): Fields {
  return {
    qds: quality,
    qdsDesc: described("QDS", quality, [[QDS.overflow, "Overflow"], ...COMMON]),
    ov: flag(quality, QDS.overflow),
    ...rest(quality),
  };
}

function qdp(quality: number, elapsed: number): Fields {
  return {
    qdp: quality,
    qdpDesc: described("QDP", quality, [[QDS.elapsedInvalid, "ElapsedTimeInvalid"], ...COMMON]),
    ei: flag(quality, QDS.elapsedInvalid),
    ...rest(quality),
    msec: elapsed,
  };
}

function rest(quality: number): Fields {
  return {
    bl: flag(quality, QDS.blocked),
    sb: flag(quality, QDS.substituted),
    nt: flag(quality, QDS.notTopical),
    iv: flag(quality, QDS.invalid),
  };
}

/** 16 bits, the highest first. */
function bits16(value: number): string {
  return value.toString(2).padStart(16, "0");
}

/** A number, or null where JSON has none for it. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function bodyOf(object: InformationObject): Fields | undefined {
  switch (object.kind) {
    case "single":
      return { value: object.on, ...qds(object.quality) };
    case "double":
      return { value: object.state, ...qds(object.quality) };
    case "scaled":
      return { value: object.value, ...qds(object.quality) };
    case "normalized":
      return { value: object.raw, nva: object.raw / 32_768, ...qds(object.quality) };
    case "step": {
      const value = { val: object.value, hasTransient: object.transient };
      return { value, ...qds(object.quality) };
    }
    case "bitstring":
      return { value: object.bits, ...qds(object.quality) };
    case "float":
      return { value: finite(shortFloat(object.value)), ...qds(object.quality) };
    case "counter":
      return {
        value: {
          counterReading: object.reading,
          seqNumber: object.sequence,
          hasCarry: object.carry,
          isAdjusted: object.adjusted,
          isInvalid: object.invalid,
        },
      };
    case "protection_event":
      return { event: object.state, ...qdp(object.quality, object.elapsed) };
    case "protection_start":
      return { event: object.events, ...qdp(object.quality, object.elapsed) };
    case "protection_output":
      return {
        oci: object.circuits,
        gc: flag(object.circuits, 1),
        cl1: flag(object.circuits, 2),
        cl2: flag(object.circuits, 4),
        cl3: flag(object.circuits, 8),
        ...qdp(object.quality, object.elapsed),
      };
    case "packed":
      return {
        scd: (object.states | object.changed << 16) >>> 0,
        stn: bits16(object.states),
        cdn: bits16(object.changed),
        ...qds(object.quality),
      };
    default:
      return undefined;
  }
}
