/**
 * The frame of the relay's video test: a header of 48 octets, big-endian, and a payload.
 *
 * | Offset | Size | Field |
 * |---|---|---|
 * | 0 | 4 | magic `V4VT` |
 * | 4 | 1 | version, 1 |
 * | 5 | 1 | type: 1 data, 2 echo, 3 ping, 4 pong |
 * | 6 | 2 | 0 |
 * | 8 | 8 | sequence number |
 * | 16 | 8 | when it was sent, nanoseconds since 1970 |
 * | 24 | 8 | when the server received it |
 * | 32 | 8 | when the server sent it back |
 * | 40 | 4 | CRC-32 of the payload; not looked at without one |
 * | 44 | 4 | octets of the payload |
 *
 * @module
 */
import { crc32 } from "../../base/crc32.ts";
import type { Malformed } from "../../base/errors.ts";
import { malformed } from "../../wire/ber.ts";

/** Octets of the header. */
export const VIDEO_HEADER = 48;
/** Largest payload unless another limit is given. */
export const VIDEO_PAYLOAD_MAX = 32 * 1024 * 1024;

const MAGIC = 0x56345654;
const VERSION = 1;
const TYPES = ["data", "echo", "ping", "pong"] as const;

/** One frame. */
export interface VideoFrame {
  readonly kind: "video";
  readonly type: (typeof TYPES)[number];
  readonly sequence: bigint;
  readonly sentNs: bigint;
  readonly serverReceivedNs: bigint;
  readonly serverSentNs: bigint;
  readonly payload: Uint8Array;
}

/** Writes a frame. */
export function encodeVideo(frame: Omit<VideoFrame, "kind">): Uint8Array<ArrayBuffer> {
  const { type, sequence, sentNs, serverReceivedNs, serverSentNs, payload } = frame;
  const octets = new Uint8Array(VIDEO_HEADER + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint32(0, MAGIC);
  view.setUint8(4, VERSION);
  view.setUint8(5, TYPES.indexOf(type) + 1);
  view.setBigUint64(8, sequence);
  view.setBigInt64(16, sentNs);
  view.setBigInt64(24, serverReceivedNs);
  view.setBigInt64(32, serverSentNs);
  view.setUint32(40, crc32(payload));
  view.setUint32(44, payload.length);
  octets.set(payload, VIDEO_HEADER);
  return octets;
}

/** Takes frames out of a stream, whose pieces have any size. */
export class VideoReader {
  #parts: Uint8Array[] = [];
  #size = 0;
  #broken: Malformed | undefined;

  /** @param payloadMax A frame that says it has more is malformed. */
  constructor(readonly payloadMax = VIDEO_PAYLOAD_MAX) {}

  /** Takes a piece; it is kept, so it must not be changed later. */
  feed(octets: Uint8Array): void {
    if (octets.length === 0) return;
    this.#parts.push(octets);
    this.#size += octets.length;
  }

  /** The next frame; undefined when it is not whole. After a malformed one there is no other. */
  next(): VideoFrame | Malformed | undefined {
    if (this.#broken) return this.#broken;
    if (this.#size < VIDEO_HEADER) return undefined;
    const head = this.#join(VIDEO_HEADER);
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    const length = view.getUint32(44);
    const type = TYPES[view.getUint8(5) - 1];
    if (view.getUint32(0) !== MAGIC) return this.#fail("v4vt.magic", 0);
    if (view.getUint8(4) !== VERSION) return this.#fail("v4vt.version", 4);
    if (type === undefined) return this.#fail("v4vt.type", 5);
    if (length > this.payloadMax) return this.#fail("v4vt.payload.too_long", 44);
    if (this.#size < VIDEO_HEADER + length) return undefined;
    const whole = this.#take(VIDEO_HEADER + length);
    const payload = whole.subarray(VIDEO_HEADER);
    if (length > 0 && view.getUint32(40) !== crc32(payload)) return this.#fail("v4vt.crc", 40);
    return {
      kind: "video",
      type,
      sequence: view.getBigUint64(8),
      sentNs: view.getBigInt64(16),
      serverReceivedNs: view.getBigInt64(24),
      serverSentNs: view.getBigInt64(32),
      payload,
    };
  }

  #fail(code: string, offset: number): Malformed {
    this.#parts = [];
    this.#size = 0;
    return this.#broken = malformed(code, offset);
  }

  /** Sees to it that the first piece has so many octets at least. */
  #join(count: number): Uint8Array {
    const [first] = this.#parts;
    if (first && first.length >= count) return first;
    const joined = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    this.#parts = [joined];
    return joined;
  }

  #take(count: number): Uint8Array {
    const first = this.#join(count);
    this.#size -= count;
    if (first.length > count) this.#parts[0] = first.subarray(count);
    else this.#parts.shift();
    return first.subarray(0, count);
  }
}
