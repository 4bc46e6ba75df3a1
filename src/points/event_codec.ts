/**
 * Samples as octets, as the journal keeps them: one after the other, little-endian.
 *
 * | Octets | |
 * |---|---|
 * | 4 | number of the point's name |
 * | 1 | quality |
 * | 1 | bits 0 to 2 what value follows, 3 there is a source, 4 it is an event |
 * | 8 | epoch milliseconds, as a double |
 * | 0, 8, or 2 and text | nothing for false and true; a double; text in UTF-8; a bigint as text |
 * | 3 and more | of the source: type, cause, length, octets |
 *
 * @module
 */
import { AppError, BugError } from "../base/errors.ts";
import type { PointId, PointValue, Sample, SampleSource } from "./point.ts";

const VALUE = { false: 0, true: 1, number: 2, text: 3, bigint: 4 } as const;
const HAS_SOURCE = 0x08;
const IS_EVENT = 0x10;
const HEAD = 14;
const SOURCE_HEAD = 3;
const ROOM_FIRST = 4096;
/** Longest text in UTF-8. */
export const TEXT_MAX = 4096;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** Writes samples one behind the other into a buffer that grows. */
export class EventEncoder {
  #octets = new Uint8Array(ROOM_FIRST);
  #view = new DataView(this.#octets.buffer);
  #size = 0;
  #count = 0;

  /** Samples written since the last `take`. */
  get count(): number {
    return this.#count;
  }

  /** Octets written since the last `take`. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a sample. @param name The number that stands for its point.
   * @throws BugError for a text or a source that is too long.
   */
  add(name: number, sample: Sample): void {
    const { value, source } = sample;
    const text = typeof value === "string" || typeof value === "bigint"
      ? ENCODER.encode(String(value))
      : undefined;
    if ((text && text.length > TEXT_MAX) || (source && source.octets.length > 255)) {
      throw new BugError("points.sample.size", "A sample is too large to be kept", {
        point: sample.point,
      });
    }
    this.#reserve(HEAD + 8 + (text?.length ?? 0) + SOURCE_HEAD + (source?.octets.length ?? 0));
    const view = this.#view;
    let at = this.#size;
    view.setUint32(at, name, true);
    this.#octets[at + 4] = sample.quality;
    this.#octets[at + 5] = kindOf(value) | (source ? HAS_SOURCE : 0) |
      (sample.event ? IS_EVENT : 0);
    view.setFloat64(at + 6, sample.at, true);
    at += HEAD;
    if (typeof value === "number") {
      view.setFloat64(at, value, true);
      at += 8;
    } else if (text) {
      view.setUint16(at, text.length, true);
      this.#octets.set(text, at + 2);
      at += 2 + text.length;
    }
    if (source) at = this.#source(at, source);
    this.#size = at;
    this.#count += 1;
  }

  /** What was written, in octets of its own; then it begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const octets = this.#octets.slice(0, this.#size);
    this.#size = 0;
    this.#count = 0;
    return octets;
  }

  #source(at: number, { type, cause, octets }: SampleSource): number {
    this.#octets[at] = type;
    this.#octets[at + 1] = cause;
    this.#octets[at + 2] = octets.length;
    this.#octets.set(octets, at + SOURCE_HEAD);
    return at + SOURCE_HEAD + octets.length;
  }

  #reserve(size: number): void {
    if (this.#size + size <= this.#octets.length) return;
    const larger = new Uint8Array(2 * (this.#octets.length + size));
    larger.set(this.#octets.subarray(0, this.#size));
    this.#octets = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function kindOf(value: PointValue): number {
  if (typeof value === "boolean") return value ? VALUE.true : VALUE.false;
  if (typeof value === "number") return VALUE.number;
  return typeof value === "string" ? VALUE.text : VALUE.bigint;
}

function corrupt(at: number): AppError {
  return new AppError("points.journal.corrupt", "A record of the journal cannot be read", { at });
}

/**
 * The samples in octets that an {@linkcode EventEncoder} wrote.
 * @param names The points by their numbers.
 * @throws AppError `points.journal.corrupt` when they were not.
 */
export function decodeEvents(
  octets: Uint8Array,
  names: (name: number) => PointId | undefined,
): Sample[] {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  const samples: Sample[] = [];
  const need = (at: number, size: number) => {
    if (at + size > octets.length) throw corrupt(at);
  };
  for (let at = 0; at < octets.length;) {
    need(at, HEAD);
    const point = names(view.getUint32(at, true));
    const quality = octets[at + 4]!;
    const bits = octets[at + 5]!;
    const time = view.getFloat64(at + 6, true);
    const kind = bits & 7;
    if (point === undefined || kind > VALUE.bigint) throw corrupt(at);
    at += HEAD;
    let value: PointValue = kind === VALUE.true;
    if (kind === VALUE.number) {
      need(at, 8);
      value = view.getFloat64(at, true);
      at += 8;
    } else if (kind >= VALUE.text) {
      need(at, 2);
      const length = view.getUint16(at, true);
      need(at + 2, length);
      const text = DECODER.decode(octets.subarray(at + 2, at + 2 + length));
      if (kind === VALUE.bigint && !/^-?\d+$/.test(text)) throw corrupt(at);
      value = kind === VALUE.bigint ? BigInt(text) : text;
      at += 2 + length;
    }
    let source: SampleSource | undefined;
    if (bits & HAS_SOURCE) {
      need(at, SOURCE_HEAD);
      const end = at + SOURCE_HEAD + octets[at + 2]!;
      need(at, end - at);
      source = { type: octets[at]!, cause: octets[at + 1]!, octets: octets.slice(at + 3, end) };
      at = end;
    }
    const sample: Sample = { point, value, quality, at: time };
    const event = (bits & IS_EVENT) !== 0;
    samples.push(
      source || event
        ? { ...sample, ...(event ? { event } : {}), ...(source ? { source } : {}) }
        : sample,
    );
  }
  return samples;
}
