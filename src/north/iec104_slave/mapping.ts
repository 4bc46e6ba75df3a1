/**
 * Where the points meet IEC 60870-5-104 on their way north: samples become information objects,
 * and ASDUs of many of them. Nothing here waits.
 * @module
 */
import { type PointValue, QUALITY, type Sample } from "../../points/points.ts";
import {
  type Asdu,
  asdu,
  capacityOf,
  type InformationObject,
  objectOf,
  type Profile,
  QDS,
  tagOf,
  type TimeTag,
  type TimeZone,
  typeSpec,
} from "../../protocol/iec104/mod.ts";
import type { Forwarded } from "./forwarding.ts";

/** The quality bits of a sample as QDS. */
export function qdsOf(quality: number): number {
  return (quality & QUALITY.overflow ? QDS.overflow : 0) |
    (quality & QUALITY.blocked ? QDS.blocked : 0) |
    (quality & QUALITY.substituted ? QDS.substituted : 0) |
    (quality & QUALITY.stale ? QDS.notTopical : 0) |
    (quality & QUALITY.invalid ? QDS.invalid : 0);
}

/**
 * A sample as an object of a type. What came in the same kind of object, unscaled, goes out as it
 * came: with the source's own time tag, bit by bit.
 */
export function objectFor(
  entry: Forwarded,
  type: number,
  sample: Sample,
  zone: TimeZone,
): InformationObject {
  const source = sourceOf(entry, sample);
  const timed = typeSpec(type)?.timeSize === 7;
  const time = timed ? source?.time ?? tagFor(sample, zone) : undefined;
  if (source && source.kind === entry.kind && unscaled(entry)) {
    return { ...withQuality(source, sample.quality), time } as InformationObject;
  }
  return made(entry, sample, time);
}

function unscaled({ scale, offset }: Forwarded): boolean {
  return scale === 1 && offset === 0;
}

/** The object that the sample came in, at its new address. */
function sourceOf(entry: Forwarded, { source }: Sample): InformationObject | undefined {
  if (!source) return undefined;
  const object = objectOf(source.type, entry.address, source.octets);
  if ("code" in object) return undefined;
  // A tag without hours is none for a control centre.
  return typeSpec(source.type)?.timeSize === 3 ? { ...object, time: undefined } : object;
}

/** When the source gave no time, ours is marked as a substitute for it. */
function tagFor({ at, source }: Sample, zone: TimeZone): TimeTag {
  return tagOf(at, zone, { substituted: source !== undefined });
}

/** What was learned since, such as that the point is stale, is told too. */
function withQuality(object: InformationObject, quality: number): InformationObject {
  if (object.kind === "counter") {
    return quality & QUALITY.invalid ? { ...object, invalid: true } : object;
  }
  if (!("quality" in object)) return object;
  return { ...object, quality: object.quality | qdsOf(quality) } as InformationObject;
}

function made(entry: Forwarded, sample: Sample, time: TimeTag | undefined): InformationObject {
  const { address, kind } = entry;
  const quality = qdsOf(sample.quality);
  const value = numberOf(sample.value) * entry.scale + entry.offset;
  const real = Number.isFinite(value);
  const limited = (least: number, most: number) => {
    const whole = real ? Math.round(value) : 0;
    const inside = Math.min(most, Math.max(least, whole));
    const bits = quality | (inside === whole ? 0 : QDS.overflow) | (real ? 0 : QDS.invalid);
    return { inside, bits };
  };
  switch (kind) {
    case "single":
      // A double point's 1 is off.
      return { kind, address, on: isOn(sample), quality: quality & ~QDS.overflow, time };
    case "double": {
      const state = typeof sample.value === "boolean" ? sample.value ? 2 : 1 : value;
      const known = state === 0 || state === 1 || state === 2 || state === 3;
      const bits = quality & ~QDS.overflow | (known ? 0 : QDS.invalid);
      return { kind, address, state: known ? state : 0, quality: bits, time };
    }
    case "step": {
      const { inside, bits } = limited(-64, 63);
      return { kind, address, value: inside, transient: false, quality: bits, time };
    }
    case "bitstring": {
      const { inside, bits } = limited(0, 2 ** 32 - 1);
      return { kind, address, bits: inside, quality: bits, time };
    }
    case "normalized": {
      const raw = real ? Math.round(value * 32_768) : 0;
      const inside = Math.min(32_767, Math.max(-32_768, raw));
      const over = raw > 32_768 || raw < -32_768 ? QDS.overflow : 0;
      return {
        kind,
        address,
        raw: inside,
        quality: quality | over | (real ? 0 : QDS.invalid),
        time,
      };
    }
    case "scaled": {
      const { inside, bits } = limited(-32_768, 32_767);
      return { kind, address, value: inside, quality: bits, time };
    }
    case "counter": {
      const { inside, bits } = limited(-(2 ** 31), 2 ** 31 - 1);
      const invalid = (bits & (QDS.invalid | QDS.notTopical)) !== 0;
      const adjusted = false;
      return { kind, address, reading: inside, sequence: 0, carry: false, adjusted, invalid, time };
    }
    default: {
      const short = Math.fround(value);
      const bits = quality | (Number.isFinite(short) ? 0 : QDS.invalid);
      return { kind: "float", address, value: short, quality: bits, time };
    }
  }
}

function isOn({ value, source }: Sample): boolean {
  if (typeof value !== "number") return value === true || value === "on";
  const double = source !== undefined && typeSpec(source.type)?.kind === "double";
  return double ? value === 2 : value !== 0;
}

function numberOf(value: PointValue): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number") return value;
  return typeof value === "bigint" ? Number(value) : NaN;
}

/** Packs objects into ASDUs: neighbours of the same type and common address share one. */
export class Packer {
  readonly #asdus: { asdu: Asdu; sequence: number }[] = [];
  #objects: InformationObject[] = [];
  #head: { type: number; commonAddress: number } | undefined;
  #sequence = 0;

  constructor(readonly profile: Profile, readonly cause: number) {}

  /** @param sequence Number of the event that it is, or 0. */
  add(type: number, commonAddress: number, object: InformationObject, sequence: number): void {
    const head = this.#head;
    const full = this.#objects.length >= capacityOf(type, false, this.profile);
    if (!head || head.type !== type || head.commonAddress !== commonAddress || full) {
      this.#close();
      this.#head = { type, commonAddress };
    }
    this.#objects.push(object);
    this.#sequence = sequence;
  }

  /** All of them, oldest first, each with the number of its last event. */
  take(): { asdu: Asdu; sequence: number }[] {
    this.#close();
    return this.#asdus.splice(0);
  }

  #close(): void {
    if (!this.#head) return;
    const fields = { ...this.#head, cause: this.cause, objects: this.#objects };
    this.#asdus.push({ asdu: asdu(fields), sequence: this.#sequence });
    this.#objects = [];
    this.#head = undefined;
  }
}
