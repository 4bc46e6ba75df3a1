/**
 * The head of a goosePdu read where it lies, without allocating anything: what supervision needs of
 * a frame. It is total and never throws; it does not look into the values. (The full decoder is
 * `codec.ts`.)
 * @module
 */
import { ETHER_TYPE, FIELD, GOOSE_HEADER, PDU_TAG, REFERENCE_MAX } from "./constants.ts";

/** Octets of a UtcTime. */
const UTC_TIME = 8;
/** Fields without which a message is none: gocbRef, time, both numbers, confRev. */
const NEEDED = 0b11111;

/** What the last frame was; overwritten by the next {@linkcode scan}. */
export class GooseScan {
  appId = 0;
  /** VLAN identifier; -1 without a tag. */
  vlan = -1;
  /** Offset and length of the gocbRef. */
  referenceAt = 0;
  referenceLength = 0;
  timeAllowedToLive = 0;
  stNum = 0;
  sqNum = 0;
  confRev = 0;
  /** `simulation` of edition 2, `test` of edition 1; or the bit in the header. */
  simulation = false;
  ndsCom = false;
  entries = 0;
  /** Offset of the time of the last change; -1 when there is none. */
  timeAt = -1;

  /**
   * Reads the Ethernet frame at `octets[at … at + length)`.
   * @returns Whether it is a GOOSE message with everything that supervision needs.
   */
  scan(octets: Uint8Array, at: number, length: number): boolean {
    if (length < 14 + GOOSE_HEADER) return false;
    const last = at + length;
    let body = at + 14;
    let type = (octets[at + 12]! << 8) | octets[at + 13]!;
    this.vlan = -1;
    while (type === ETHER_TYPE.vlan || type === ETHER_TYPE.serviceVlan) {
      if (body + 4 + GOOSE_HEADER > last) return false;
      this.vlan = ((octets[body]! & 0x0f) << 8) | octets[body + 1]!;
      type = (octets[body + 2]! << 8) | octets[body + 3]!;
      body += 4;
    }
    if (type !== ETHER_TYPE.goose) return false;
    this.appId = (octets[body]! << 8) | octets[body + 1]!;
    const declared = (octets[body + 2]! << 8) | octets[body + 3]!;
    this.simulation = (octets[body + 4]! & 0x80) !== 0;
    const end = body + declared;
    if (declared < GOOSE_HEADER + 2 || end > last) return false;
    return this.#readPdu(octets, body + GOOSE_HEADER, end);
  }

  #readPdu(octets: Uint8Array, at: number, end: number): boolean {
    if (octets[at] !== PDU_TAG) return false;
    let place = contentsOf(octets, at, end);
    if (place < 0 || endOf(octets, at, place) !== end) return false;
    this.ndsCom = false;
    this.entries = 0;
    this.timeAt = -1;
    let found = 0;
    while (place < end) {
      const start = contentsOf(octets, place, end);
      if (start < 0) return false;
      const stop = endOf(octets, place, start);
      if (stop > end) return false;
      found |= this.#take(octets, octets[place]!, start, stop);
      if (octets[place] === FIELD.allData) break;
      place = stop;
    }
    return found === NEEDED;
  }

  /** Takes one field. Returns its bit when it is one of those that are needed, and good. */
  #take(octets: Uint8Array, tag: number, start: number, stop: number): number {
    switch (tag) {
      case FIELD.gocbRef:
        this.referenceAt = start;
        this.referenceLength = stop - start;
        return stop > start && stop - start <= REFERENCE_MAX ? 1 : 0;
      case FIELD.timeAllowedToLive:
        return (this.timeAllowedToLive = unsigned(octets, start, stop)) >= 0 ? 2 : 0;
      case FIELD.stNum:
        return (this.stNum = unsigned(octets, start, stop)) >= 0 ? 4 : 0;
      case FIELD.sqNum:
        return (this.sqNum = unsigned(octets, start, stop)) >= 0 ? 8 : 0;
      case FIELD.confRev:
        return (this.confRev = unsigned(octets, start, stop)) >= 0 ? 16 : 0;
      case FIELD.simulation:
        this.simulation ||= stop > start && octets[start] !== 0;
        return 0;
      case FIELD.ndsCom:
        this.ndsCom = stop > start && octets[start] !== 0;
        return 0;
      case FIELD.entries:
        this.entries = Math.max(0, unsigned(octets, start, stop));
        return 0;
      case FIELD.t:
        this.timeAt = stop - start === UTC_TIME ? start : -1;
        return 0;
      default:
        return 0;
    }
  }
}

/** Where the contents of the element at `at` begin; -1 when its tag or length is none. */
function contentsOf(octets: Uint8Array, at: number, end: number): number {
  if (at + 2 > end || (octets[at]! & 0x1f) === 0x1f) return -1;
  const first = octets[at + 1]!;
  if (first < 0x80) return at + 2;
  if (first === 0x81 && at + 3 <= end) return at + 3;
  if (first === 0x82 && at + 4 <= end) return at + 4;
  return -1;
}

/** Where it ends. */
function endOf(octets: Uint8Array, at: number, start: number): number {
  const size = start - at;
  if (size === 2) return start + octets[at + 1]!;
  if (size === 3) return start + octets[at + 2]!;
  return start + ((octets[at + 2]! << 8) | octets[at + 3]!);
}

/** A number of 1 to 5 octets below 2^32; -1 when it is none. */
function unsigned(octets: Uint8Array, start: number, stop: number): number {
  if (stop <= start || stop - start > 5) return -1;
  let value = 0;
  for (let at = start; at < stop; at += 1) value = value * 256 + octets[at]!;
  return value <= 0xffff_ffff ? value : -1;
}
