/**
 * Frames of CIP-22: four octets of magic, the length of the payload, a type, the payload, a CRC of
 * 8 bits; and a reader that finds them again in a stream that was hurt.
 * @module
 */
import { after, type Instant, type Millis, seconds } from "../../base/time.ts";

/** The first octets of a frame. */
export const MAGIC: readonly number[] = [0xc1, 0x02, 0x20, 0x00];
/** Octets before the payload: magic, length, type. */
export const HEADER_SIZE = 7;
/** Octets of a frame beside its payload. */
export const OVERHEAD = HEADER_SIZE + 1;
/** Longest payload. */
export const PAYLOAD_MAX = 65_535;
/** How long a frame that has begun may take. */
export const FRAME_WITHIN = seconds(2);
/** Frames with the same check after which `auto` is settled. */
export const LOCK_AFTER = 2;

/** CRC-8/I-432-1, which the specification calls ITU, or the plain one; they differ by 0x55. */
export type CrcKind = "itu" | "plain";

const POLYNOMIAL = 0x07;
const FINAL = { itu: 0x55, plain: 0x00 } as const;
const TABLE = Uint8Array.from({ length: 256 }, (_, octet) => {
  let crc = octet;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80 ? crc << 1 ^ POLYNOMIAL : crc << 1;
  return crc;
});

/** The check of octets. */
export function crc8(octets: Uint8Array, from: number, end: number, kind: CrcKind): number {
  let crc = 0;
  for (let at = from; at < end; at += 1) crc = TABLE[crc ^ octets[at]!]!;
  return crc ^ FINAL[kind];
}

/** A frame. */
export interface Frame {
  /** TypeID, 0 to 255. */
  readonly type: number;
  readonly payload: Uint8Array;
  /** All before the check: what a tag of authenticity is made over begins here. */
  readonly head: Uint8Array;
}

/** Writes a frame. The payload has at most {@linkcode PAYLOAD_MAX} octets. */
export function writeFrame(type: number, payload: Uint8Array, kind: CrcKind = "itu"): Uint8Array {
  const octets = new Uint8Array(payload.length + OVERHEAD);
  octets.set(MAGIC);
  octets[4] = payload.length >> 8;
  octets[5] = payload.length;
  octets[6] = type;
  octets.set(payload, HEADER_SIZE);
  octets[octets.length - 1] = crc8(octets, 0, octets.length - 1, kind);
  return octets;
}

/** What a reader has seen. */
export interface FrameCounts {
  frames: number;
  /** Frames whose check was wrong. */
  checks: number;
  /** Octets that belong to no frame. */
  skipped: number;
  /** Frames that never ended. */
  late: number;
}

/** How frames are read. */
export interface FrameReaderOptions {
  /** `auto` takes both until {@linkcode LOCK_AFTER} frames in a row agree. */
  readonly crc: CrcKind | "auto";
  /** A frame that tells of a longer payload is none. */
  readonly payloadMax: number;
  readonly within: Millis;
}

/** See the module. One for each connection. */
export class FrameReader {
  readonly counts: FrameCounts = { frames: 0, checks: 0, skipped: 0, late: 0 };
  readonly #options: FrameReaderOptions;
  #octets = new Uint8Array(1024);
  #start = 0;
  #end = 0;
  #due = Infinity;
  #kind: CrcKind | undefined;
  #agreeing = 0;
  #locked: boolean;

  constructor(options: Partial<FrameReaderOptions> = {}) {
    const { crc = "itu", payloadMax = PAYLOAD_MAX, within = FRAME_WITHIN } = options;
    this.#options = { crc, payloadMax, within };
    this.#locked = crc !== "auto";
    this.#kind = crc === "auto" ? undefined : crc;
  }

  /** The check that is used; undefined while `auto` is not settled. */
  get crc(): CrcKind | undefined {
    return this.#locked ? this.#kind : undefined;
  }

  /** The check of the last frame that was good; undefined before the first. */
  get seen(): CrcKind | undefined {
    return this.#kind;
  }

  /** When {@linkcode expire} has something to do. */
  get deadline(): Instant | undefined {
    return this.#due === Infinity ? undefined : this.#due as Instant;
  }

  /** Takes octets as they came. */
  feed(chunk: Uint8Array, now: Instant): void {
    const held = this.#end - this.#start;
    if (this.#end + chunk.length > this.#octets.length) {
      const needed = held + chunk.length;
      const target = needed > this.#octets.length
        ? new Uint8Array(Math.max(needed, 2 * this.#octets.length))
        : this.#octets;
      target.set(this.#octets.subarray(this.#start, this.#end));
      this.#octets = target;
      this.#start = 0;
      this.#end = held;
    }
    this.#octets.set(chunk, this.#end);
    this.#end += chunk.length;
    if (this.#due === Infinity && this.#end > this.#start) {
      this.#due = after(now, this.#options.within);
    }
  }

  /** The next frame, with octets of its own; undefined when there is none yet. */
  next(now: Instant): Frame | undefined {
    while (this.#seek()) {
      const length = this.#octets[this.#start + 4]! << 8 | this.#octets[this.#start + 5]!;
      if (length > this.#options.payloadMax) {
        this.#skip();
        continue;
      }
      const end = this.#start + length + OVERHEAD;
      if (end > this.#end) break;
      if (!this.#isChecked(end - 1)) {
        this.counts.checks += 1;
        this.#skip();
        continue;
      }
      const octets = this.#octets.slice(this.#start, end - 1);
      this.#start = end;
      this.#renew(now);
      this.counts.frames += 1;
      return { type: octets[6]!, payload: octets.subarray(HEADER_SIZE), head: octets };
    }
    if (this.#start === this.#end) this.#renew(now);
    return undefined;
  }

  /** Gives up a frame that has not ended in time; what is behind it may be one. */
  expire(now: Instant): void {
    if (this.#due > now) return;
    if (this.#end > this.#start) {
      this.counts.late += 1;
      this.#skip();
    }
    this.#renew(now);
  }

  /** Goes to where a frame may begin. @returns Whether all of its header is there. */
  #seek(): boolean {
    for (; this.#start < this.#end; this.#skip()) {
      let same = 0;
      while (
        same < MAGIC.length && this.#start + same < this.#end &&
        this.#octets[this.#start + same] === MAGIC[same]
      ) same += 1;
      if (same === MAGIC.length) return this.#end - this.#start >= HEADER_SIZE;
      if (this.#start + same === this.#end) return false;
    }
    return false;
  }

  #skip(): void {
    this.#start += 1;
    this.counts.skipped += 1;
  }

  #renew(now: Instant): void {
    this.#due = this.#end > this.#start ? after(now, this.#options.within) : Infinity;
  }

  #isChecked(at: number): boolean {
    const plain = crc8(this.#octets, this.#start, at, "plain");
    const told = this.#octets[at]! ^ plain;
    const kind = told === FINAL.itu ? "itu" : told === FINAL.plain ? "plain" : undefined;
    if (kind === undefined) return false;
    if (this.#locked) return kind === this.#kind;
    this.#agreeing = kind === this.#kind ? this.#agreeing + 1 : 1;
    this.#kind = kind;
    this.#locked = this.#agreeing >= LOCK_AFTER;
    return true;
  }
}
