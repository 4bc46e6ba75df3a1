/**
 * Where IEC 60870-5-104 meets the points: information objects become samples, commands become
 * ASDUs. Nothing here waits.
 * @module
 */
import type { Command, CommandMode } from "../../points/commands.ts";
import type { CommandForm, PointDefinition, PointKind } from "../../points/definition.ts";
import {
  isPointId,
  type PointId,
  type PointValue,
  QUALITY,
  type Sample,
} from "../../points/points.ts";
import {
  type Asdu,
  asdu,
  CAUSE,
  DOUBLE_COMMAND,
  epochNear,
  epochOf,
  type InformationObject,
  objectOctets,
  QDS,
  STEP_COMMAND,
  tagOf,
  type TimeZone,
  TYPE,
  typeSpec,
} from "../../protocol/iec104/mod.ts";

/** Kind of a point that the table does not know, by the object that tells of it. */
export function kindOf(object: InformationObject): PointKind | undefined {
  switch (object.kind) {
    case "single":
    case "double":
    case "packed":
    case "protection_event":
    case "protection_start":
    case "protection_output":
      return "yx";
    case "step":
    case "bitstring":
    case "normalized":
    case "scaled":
    case "float":
      return "yc";
    case "counter":
      return "dd";
    default:
      return undefined;
  }
}

/** The points of one station, by common address and object address. */
export class StationMap {
  readonly #inputs = new Map<number, PointId>();
  readonly #made = new Map<number, PointId>();

  /**
   * @param station First word of the names that are made.
   * @param mainAddress The common address whose points are named by their object address alone.
   */
  constructor(
    readonly station: string,
    readonly mainAddress: number,
    definitions: Iterable<PointDefinition>,
  ) {
    for (const definition of definitions) {
      if (definition.station !== station || isOutput(definition)) continue;
      this.#inputs.set(keyOf(definition.commonAddress, definition.address), definition.point);
    }
  }

  /** The point that tells of an object; one that the table does not know gets a name. */
  point(commonAddress: number, object: InformationObject): PointId | undefined {
    const key = keyOf(commonAddress, object.address);
    const known = this.#inputs.get(key) ?? this.#made.get(key);
    if (known !== undefined) return known;
    const kind = kindOf(object);
    if (kind === undefined) return undefined;
    const number = commonAddress === this.mainAddress
      ? `${object.address}`
      : `${commonAddress}_${object.address}`;
    const name: string = `${this.station}.${kind}.${number}`;
    if (!isPointId(name)) return undefined;
    this.#made.set(key, name);
    return name;
  }
}

function keyOf(commonAddress: number, address: number): number {
  return commonAddress * 2 ** 24 + address;
}

/** Whether a point is an output: it takes commands. */
export function isOutput({ kind }: PointDefinition): boolean {
  return kind === "do" || kind === "ao";
}

/** What a station's samples have in common. */
export interface SampleContext {
  readonly map: StationMap;
  readonly zone: TimeZone;
  /** Epoch milliseconds of the reception. */
  readonly received: number;
}

/** The samples of an ASDU of process information; none of others. */
export function samplesOf(from: Asdu, { map, zone, received }: SampleContext): Sample[] {
  const spec = typeSpec(from.type);
  if (spec?.group !== "monitor") return [];
  const samples: Sample[] = [];
  const happened = from.cause === CAUSE.spontaneous || from.cause === CAUSE.returnRemote ||
    from.cause === CAUSE.returnLocal;
  for (const object of from.objects) {
    const point = map.point(from.commonAddress, object);
    const value = valueOf(object);
    if (point === undefined || value === undefined) continue;
    const { time } = object;
    const told = time === undefined
      ? undefined
      : spec.timeSize === 3
      ? epochNear(time, zone, received)
      : epochOf(time, zone);
    const flags = (from.negative ? 0x40 : 0) | (from.test ? 0x80 : 0);
    samples.push({
      point,
      value,
      quality: qualityOf(object),
      at: told ?? received,
      // A time tag is given to what has happened; an interrogation is answered without.
      ...(happened || spec.timeSize !== 0 ? { event: true } : {}),
      source: {
        type: from.type,
        cause: from.cause | flags,
        octets: objectOctets(from.type, object),
      },
    });
  }
  return samples;
}

/** The value of an object as a point has it. */
export function valueOf(object: InformationObject): PointValue | undefined {
  switch (object.kind) {
    case "single":
      return object.on;
    case "double":
    case "protection_event":
      return object.state;
    case "packed":
      return object.states;
    case "protection_start":
      return object.events;
    case "protection_output":
      return object.circuits;
    case "normalized":
      return object.raw / 32_768;
    case "step":
    case "scaled":
    case "float":
      return object.value;
    case "bitstring":
      return object.bits;
    case "counter":
      return object.reading;
    default:
      return undefined;
  }
}

/** The quality of an object as a point has it. */
export function qualityOf(object: InformationObject): number {
  if (object.kind === "counter") return object.invalid ? QUALITY.invalid : QUALITY.good;
  if (!("quality" in object)) return QUALITY.good;
  const { quality } = object;
  // Of protection equipment bit 0 is no overflow.
  const overflow = "elapsed" in object ? 0 : quality & QDS.overflow;
  const unreal = object.kind === "float" && !Number.isFinite(object.value);
  return (overflow ? QUALITY.overflow : 0) |
    (quality & QDS.blocked ? QUALITY.blocked : 0) |
    (quality & QDS.substituted ? QUALITY.substituted : 0) |
    (quality & QDS.notTopical ? QUALITY.stale : 0) |
    (quality & QDS.invalid || unreal ? QUALITY.invalid : 0);
}

/** How commands are written. */
export interface CommandContext {
  readonly originator: number;
  /** With a time tag of this instant; without one when undefined. */
  readonly at: number | undefined;
  readonly zone: TimeZone;
}

const TYPES: Readonly<Record<CommandForm, readonly [plain: number, timed: number]>> = {
  single: [TYPE.C_SC_NA_1, TYPE.C_SC_TA_1],
  double: [TYPE.C_DC_NA_1, TYPE.C_DC_TA_1],
  step: [TYPE.C_RC_NA_1, TYPE.C_RC_TA_1],
  normalized: [TYPE.C_SE_NA_1, TYPE.C_SE_TA_1],
  scaled: [TYPE.C_SE_NB_1, TYPE.C_SE_TB_1],
  float: [TYPE.C_SE_NC_1, TYPE.C_SE_TC_1],
  bitstring: [TYPE.C_BO_NA_1, TYPE.C_BO_TA_1],
};

/**
 * The ASDU of a command, or why there is none. States of double and step commands go by name only:
 * their numbers mean the opposite in some libraries.
 */
export function commandAsdu(
  definition: PointDefinition,
  command: Pick<Command, "value" | "qualifier">,
  mode: CommandMode,
  { originator, at, zone }: CommandContext,
): Asdu | string {
  const { command: form, address, commonAddress } = definition;
  const qualifier = command.qualifier ?? definition.qualifier;
  const most = form === "single" || form === "double" || form === "step" ? 31 : 127;
  if (qualifier > most) return `Qualifier must be at most ${most}, not ${qualifier}`;
  if (form === "bitstring" && mode === "select") return "A bitstring cannot be selected";
  const object = objectFor(form, address, command.value, {
    qualifier,
    select: mode === "select",
    time: at === undefined ? undefined : tagOf(at, zone),
  });
  if (typeof object === "string") return object;
  return asdu({
    type: TYPES[form][at === undefined ? 0 : 1],
    cause: mode === "cancel" ? CAUSE.deactivation : CAUSE.activation,
    originator,
    commonAddress,
    objects: [object],
  });
}

type Rest = Pick<
  Extract<InformationObject, { kind: "set_float" }>,
  "qualifier" | "select" | "time"
>;

function objectFor(
  form: CommandForm,
  address: number,
  value: PointValue,
  rest: Rest,
): InformationObject | string {
  switch (form) {
    case "single": {
      const on = stateOf(value, true);
      if (on === undefined) return `Value must be on or off, not ${value}`;
      return { kind: "single_command", address, on, ...rest };
    }
    case "double": {
      const on = stateOf(value, false);
      if (on === undefined) return `Value must be on or off by name, not ${value}`;
      const state = on ? DOUBLE_COMMAND.on : DOUBLE_COMMAND.off;
      return { kind: "double_command", address, state, ...rest };
    }
    case "step": {
      const step = value === "higher" || value === "lower" ? STEP_COMMAND[value] : undefined;
      if (step === undefined) return `Value must be higher or lower, not ${value}`;
      return { kind: "step_command", address, step, ...rest };
    }
    case "normalized": {
      const raw = typeof value === "number" ? Math.round(value * 32_768) : NaN;
      if (!(raw >= -32_768 && raw <= 32_768)) return `Value must be from -1 to 1, not ${value}`;
      return { kind: "set_normalized", address, raw: Math.min(raw, 32_767), ...rest };
    }
    case "scaled": {
      const whole = typeof value === "number" ? Math.round(value) : NaN;
      if (!(whole >= -32_768 && whole <= 32_767)) {
        return `Value must be from -32768 to 32767, not ${value}`;
      }
      return { kind: "set_scaled", address, value: whole, ...rest };
    }
    case "float":
      if (typeof value !== "number" || !Number.isFinite(Math.fround(value))) {
        return `Value must be a number, not ${value}`;
      }
      return { kind: "set_float", address, value, ...rest };
    case "bitstring": {
      const good = typeof value === "number" && Number.isInteger(value) && value >= 0 &&
        value < 2 ** 32;
      if (!good) return `Value must be 32 bits as a whole number, not ${value}`;
      return { kind: "set_bitstring", address, bits: value, time: rest.time };
    }
  }
}

function stateOf(value: PointValue, numbers: boolean): boolean | undefined {
  if (value === true || value === "on") return true;
  if (value === false || value === "off") return false;
  return numbers && (value === 0 || value === 1) ? value === 1 : undefined;
}
