/**
 * Wire format 2: the whole Ethernet frame behind a header with magic, version, sender, sequence
 * number and time, and an optional tag of authenticity behind it. See `mod.ts` for the table.
 *
 * Both directions work in place: the header goes in front of the frame and the tag behind it.
 * @module
 */
import type { Authenticator } from "../../base/authenticator.ts";
import { DROP, type Drop, ETHER_TYPE } from "./constants.ts";
import type { Frames } from "./v1.ts";

/** Octets of the header. */
export const V2_HEADER = 32;
/** Octets of the tag of authenticity: HMAC-SHA-256, truncated. RFC 2104 §5 */
export const V2_TAG = 16;
/** `GB`: no source address of format 1 begins so, for its first octet has the group bit set. */
export const V2_MAGIC = [0x47, 0x42] as const;
/** The version in the third octet. */
export const V2_VERSION = 2;
/** Flag: a tag follows the frame. */
export const V2_FLAG_TAG = 0x01;

const MINIMUM = 60;
const TAG_8021Q = 4;
const HALF = 0x1_0000_0000;

/** What a datagram says beside the frame; written by {@linkcode decapsulateV2}, reused for each. */
export interface V2Facts {
  /** Sender instance, as two halves. */
  senderHigh: number;
  senderLow: number;
  sequence: number;
  /** Microseconds since the Unix epoch. */
  sentMicros: number;
}

/** What a sender adds to each frame. */
export interface V2Sender {
  readonly senderHigh: number;
  readonly senderLow: number;
  /** Undefined for none. */
  readonly key: Authenticator | undefined;
}

/**
 * Turns the Ethernet frame in a slot into a datagram. There have to be {@linkcode V2_HEADER} octets
 * in front of it, and {@linkcode V2_TAG} behind it.
 *
 * @param sequence Whole, below 2^53; one more for each frame.
 * @returns `DROP.runt` for what is no frame; it is left as it was then.
 */
export function encapsulateV2(
  frames: Frames,
  slot: number,
  sender: V2Sender,
  sequence: number,
  micros: number,
): Drop {
  const { octets } = frames;
  const at = frames.start[slot]!;
  const length = frames.length[slot]!;
  if (length < 14) return DROP.runt;
  const end = at + length - paddingOf(octets, at, length);
  const to = at - V2_HEADER;
  octets[to] = V2_MAGIC[0];
  octets[to + 1] = V2_MAGIC[1];
  octets[to + 2] = V2_VERSION;
  octets[to + 3] = sender.key === undefined ? 0 : V2_FLAG_TAG;
  put32(octets, to + 4, 0);
  put32(octets, to + 8, sender.senderHigh);
  put32(octets, to + 12, sender.senderLow);
  put32(octets, to + 16, Math.floor(sequence / HALF));
  put32(octets, to + 20, sequence % HALF);
  put32(octets, to + 24, Math.floor(micros / HALF));
  put32(octets, to + 28, micros % HALF);
  let last = end;
  if (sender.key !== undefined) {
    sender.key.sign(octets, to, end, octets, end, V2_TAG);
    last += V2_TAG;
  }
  frames.start[slot] = to;
  frames.length[slot] = last - to;
  return DROP.none;
}

/**
 * Turns the datagram in a slot back into its frame.
 *
 * @param key The key of the path. With one, a datagram without a good tag is refused; without one,
 * a
 *   tag is not looked at.
 * @param facts Gets what the header says, when the datagram is good.
 */
export function decapsulateV2(
  frames: Frames,
  slot: number,
  key: Authenticator | undefined,
  facts: V2Facts,
): Drop {
  const { octets } = frames;
  const at = frames.start[slot]!;
  const length = frames.length[slot]!;
  if (length < V2_HEADER + 14) return DROP.shortDatagram;
  if (octets[at] !== V2_MAGIC[0] || octets[at + 1] !== V2_MAGIC[1]) return DROP.unknownFormat;
  if (octets[at + 2] !== V2_VERSION) return DROP.unknownVersion;
  const flags = octets[at + 3]!;
  if ((flags & ~V2_FLAG_TAG) !== 0) return DROP.unknownVersion;
  const tagged = (flags & V2_FLAG_TAG) !== 0;
  const end = at + length - (tagged ? V2_TAG : 0);
  if (end - at < V2_HEADER + 14) return DROP.shortDatagram;
  if (key !== undefined) {
    if (!tagged) return DROP.unsigned;
    if (!key.verify(octets, at, end, end, V2_TAG)) return DROP.forged;
  }
  // Beyond 2^53 one more is no other number, and nothing could be counted from there.
  if (octets[at + 16] !== 0 || octets[at + 17]! >= 0x20) return DROP.unknownFormat;
  facts.senderHigh = get32(octets, at + 8);
  facts.senderLow = get32(octets, at + 12);
  facts.sequence = get32(octets, at + 16) * HALF + get32(octets, at + 20);
  facts.sentMicros = get32(octets, at + 24) * HALF + get32(octets, at + 28);
  frames.start[slot] = at + V2_HEADER;
  frames.length[slot] = end - at - V2_HEADER;
  return DROP.none;
}

/** Whether a datagram claims to be of format 2. */
export function isV2(frames: Frames, slot: number): boolean {
  const { octets } = frames;
  const at = frames.start[slot]!;
  return frames.length[slot]! >= 3 && octets[at] === V2_MAGIC[0] && octets[at + 1] === V2_MAGIC[1];
}

/**
 * Octets at the end of a frame that are only there to reach the least length of Ethernet. They are
 * cut from frames of exactly that length, down to what the GOOSE header says and its extension by
 * IEC 62351-6 (its length in the low octet of Reserved1); never when a PRP trailer (0x88FB) ends
 * the frame.
 */
export function paddingOf(octets: Uint8Array, at: number, length: number): number {
  let type = 12;
  if (octets[at + 12] === 0x81 && octets[at + 13] === 0x00) type = 16;
  const minimum = MINIMUM + (type === 16 ? TAG_8021Q : 0);
  if (length !== MINIMUM && length !== minimum) return 0;
  const last = at + length;
  if (octets[last - 2] === 0x88 && octets[last - 1] === 0xfb) return 0;
  if (((octets[at + type]! << 8) | octets[at + type + 1]!) !== ETHER_TYPE.goose) return 0;
  const body = type + 2;
  const declared = (octets[at + body + 2]! << 8) | octets[at + body + 3]!;
  const extension = octets[at + body + 5]!;
  const used = body + declared + extension;
  if (declared < 8 || used >= length) return 0;
  for (let index = at + used; index < last; index += 1) if (octets[index] !== 0) return 0;
  return length - used;
}

function put32(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >>> 24;
  octets[at + 1] = value >>> 16;
  octets[at + 2] = value >>> 8;
  octets[at + 3] = value;
}

function get32(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) |
    octets[at + 3]!) >>> 0;
}
