/**
 * What the plant's engineer says of a point, and what follows from it for each value: engineering
 * units, dead-band, limits.
 * @module
 */
import { type PointId, type PointValue, QUALITY, type Sample } from "./point.ts";

/**
 * Kinds of points, in the words of the trade: yx status, yc measurement, dd counter, do digital
 * output, ao analog output.
 */
export const POINT_KINDS = ["yx", "yc", "dd", "do", "ao"] as const;
/** One of {@linkcode POINT_KINDS}. */
export type PointKind = (typeof POINT_KINDS)[number];

/** What of a point goes into the journal: changes and events, every sample, or nothing. */
export const JOURNAL_CHOICES = ["changes", "all", "none"] as const;
/** One of {@linkcode JOURNAL_CHOICES}. */
export type JournalChoice = (typeof JOURNAL_CHOICES)[number];

/** How a command is given to the device, in the words of IEC 60870-5-101. */
export const COMMAND_FORMS = [
  "single",
  "double",
  "step",
  "normalized",
  "scaled",
  "float",
  "bitstring",
] as const;
/** One of {@linkcode COMMAND_FORMS}. */
export type CommandForm = (typeof COMMAND_FORMS)[number];

/** A row of the point table. */
export interface PointDefinition {
  /** Its name everywhere in busbar. */
  readonly point: PointId;
  readonly kind: PointKind;
  readonly station: string;
  /** CA and IOA, where the point comes over IEC 60870-5. */
  readonly commonAddress: number;
  readonly address: number;
  readonly unit: string;
  /** The value in engineering units is `raw * scale + offset`. */
  readonly scale: number;
  readonly offset: number;
  /** A value that is less than this from the last one told is not told; 0 tells all. */
  readonly deadBand: number;
  readonly lowLow: number | undefined;
  readonly low: number | undefined;
  readonly high: number | undefined;
  readonly highHigh: number | undefined;
  readonly journal: JournalChoice;
  /** Of outputs. */
  readonly command: CommandForm;
  /** Whether the device wants to be selected before it operates. */
  readonly selectFirst: boolean;
  /** QU or QL of its commands, unless the command itself has one. */
  readonly qualifier: number;
  readonly description: string;
  readonly deviceId: string;
  readonly deviceName: string;
  readonly tdTableType: string;
  readonly enablePush: boolean;
  readonly enableRawInsert: boolean;
  readonly ext: readonly [string, string, string, string, string];
}

/** A station of the table. */
export interface StationDefinition {
  /** The first word of its points' names. */
  readonly station: string;
  readonly name: string;
  readonly description: string;
  /** Whether its points are taken at all. */
  readonly enabled: boolean;
}

/** Where a value stands among its limits. */
export const LIMIT = { lowLow: -2, low: -1, none: 0, high: 1, highHigh: 2 } as const;

/** The point that tells where another one stands among its limits. */
export function limitPoint(point: PointId): PointId {
  return `${point}.limit` as PointId;
}

/** A raw value in engineering units. Only numbers are scaled. */
export function engineering({ scale, offset }: PointDefinition, raw: PointValue): PointValue {
  if (typeof raw !== "number" || (scale === 1 && offset === 0)) return raw;
  return raw * scale + offset;
}

/** A value in engineering units as the device wants it. */
export function rawValue({ scale, offset }: PointDefinition, value: PointValue): PointValue {
  if (typeof value !== "number" || (scale === 1 && offset === 0)) return value;
  return (value - offset) / scale;
}

/** A definition at work: it remembers what was told last. */
export class PointRule {
  #told: number | undefined;
  #toldQuality = -1;
  #limit: number;

  /** @param limit Where the value stood among its limits at last. */
  constructor(readonly definition: PointDefinition, limit: number = LIMIT.none) {
    this.#limit = limit;
  }

  /** The sample in engineering units. */
  engineered(sample: Sample): Sample {
    const value = engineering(this.definition, sample.value);
    return value === sample.value ? sample : { ...sample, value };
  }

  /** Whether the dead-band holds an engineered sample back. */
  holds({ value, quality, event }: Sample): boolean {
    const { deadBand } = this.definition;
    if (deadBand <= 0 || typeof value !== "number" || !Number.isFinite(value)) return false;
    const near = this.#told !== undefined && Math.abs(value - this.#told) < deadBand;
    if (near && quality === this.#toldQuality && !event) return true;
    this.#told = value;
    this.#toldQuality = quality;
    return false;
  }

  /** What an engineered sample says of the limits; undefined when that is as before. */
  limit({ value, quality, at }: Sample): Sample | undefined {
    const unsure = (quality & (QUALITY.invalid | QUALITY.stale)) !== 0;
    if (unsure || typeof value !== "number" || !Number.isFinite(value)) return undefined;
    const now = this.#limitOf(value);
    if (now === this.#limit) return undefined;
    this.#limit = now;
    return { point: limitPoint(this.definition.point), value: now, quality, at, event: true };
  }

  /** To leave a limit, a value has to come back by the dead-band. */
  #limitOf(value: number): number {
    const { lowLow, low, high, highHigh, deadBand } = this.definition;
    const was = this.#limit;
    const above = (limit: number | undefined, level: number) =>
      limit !== undefined && value > (was >= level ? limit - deadBand : limit);
    const below = (limit: number | undefined, level: number) =>
      limit !== undefined && value < (was <= level ? limit + deadBand : limit);
    if (above(highHigh, LIMIT.highHigh)) return LIMIT.highHigh;
    if (above(high, LIMIT.high)) return LIMIT.high;
    if (below(lowLow, LIMIT.lowLow)) return LIMIT.lowLow;
    return below(low, LIMIT.low) ? LIMIT.low : LIMIT.none;
  }
}
