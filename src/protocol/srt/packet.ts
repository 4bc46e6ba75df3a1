/**
 * Headers and control packets, all big-endian. A data packet stays in the buffer it came in; what
 * is written here is written in place.
 *
 * | Octets | Data | Control |
 * |---|---|---|
 * | 0–3 | 0 + sequence (31) | 1 + type (15) + subtype (16) |
 * | 4–7 | position (2) order (1) key (2) resent (1) message (26) | depends on the type |
 * | 8–11 | microseconds since the sender's start | same |
 * | 12–15 | socket id of the receiver; 0: a connection is wanted | same |
 *
 * @module
 */
import { CONTROL, HEADER, PACKET_MAX } from "./constants.ts";
import { distance } from "./numbers.ts";

/** Bits of the second word of a data packet. */
export const WORD = {
  /** One packet is a whole message. */
  solo: 0xc000_0000,
  inOrder: 0x2000_0000,
  evenKey: 0x0800_0000,
  oddKey: 0x1000_0000,
  keyMask: 0x1800_0000,
  resent: 0x0400_0000,
  messageMask: 0x03ff_ffff,
} as const;

/** A buffer for one packet, with what is known of it while it waits. */
export class Packet {
  readonly octets = new Uint8Array(new ArrayBuffer(PACKET_MAX));
  readonly view = new DataView(this.octets.buffer);
  /** Octets of the payload, which begins behind the header. */
  length = 0;
  sequence = 0;
  /** Microseconds on the sender's clock. */
  stamp = 0;
  /** When it came, or when it was sent last; microseconds of ours. */
  at = 0;
  /** How often it was sent again. */
  resent = 0;
  /** Where it came from, for the owner. */
  origin = 0;

  get payload(): Uint8Array<ArrayBuffer> {
    return this.octets.subarray(HEADER, HEADER + this.length);
  }
}

/** Packets that are used again, so that none is allocated while octets flow. */
export class PacketPool {
  readonly #free: Packet[] = [];

  /** @param most Packets that are kept. */
  constructor(readonly most = 16_384) {}

  take(): Packet {
    const packet = this.#free.pop() ?? new Packet();
    packet.resent = 0;
    packet.length = 0;
    return packet;
  }

  give(packet: Packet): void {
    if (this.#free.length < this.most) this.#free.push(packet);
  }
}

/** Reads a word. */
export function word(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) |
    octets[at + 3]!) >>> 0;
}

/** Writes a word. */
export function putWord(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >>> 24;
  octets[at + 1] = value >>> 16;
  octets[at + 2] = value >>> 8;
  octets[at + 3] = value;
}

/** Whether a packet is one of control. */
export function isControl(octets: Uint8Array): boolean {
  return (octets[0]! & 0x80) !== 0;
}

/** Type of a control packet, and its subtype in the low half. */
export function controlType(octets: Uint8Array): number {
  return (octets[0]! & 0x7f) << 8 | octets[1]!;
}

/** Socket id that a packet is for. */
export function destination(octets: Uint8Array): number {
  return word(octets, 12);
}

/**
 * Writes a control packet.
 * @param specific The second word.
 * @param contents Words behind the header; at least one is written, as peers expect it.
 */
export function controlPacket(
  type: number,
  specific: number,
  stamp: number,
  to: number,
  contents: readonly number[] = [0],
  subtype = 0,
): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(HEADER + 4 * contents.length);
  putWord(octets, 0, (0x8000_0000 | type << 16 | subtype) >>> 0);
  putWord(octets, 4, specific);
  putWord(octets, 8, stamp >>> 0);
  putWord(octets, 12, to);
  for (let index = 0; index < contents.length; index += 1) {
    putWord(octets, HEADER + 4 * index, contents[index]!);
  }
  return octets;
}

/** What an ACK says. Only the light one has nothing but the sequence number. */
export interface Ack {
  /** The next that is expected. */
  readonly next: number;
  /** Microseconds; undefined in a light one. */
  readonly rtt: number | undefined;
  readonly rttVariance: number;
  /** Packets that there is room for. */
  readonly room: number;
  /** Packets a second. */
  readonly rate: number;
  readonly capacity: number;
  /** Octets a second. */
  readonly octetRate: number;
}

/** Reads an ACK; undefined for one that is none. */
export function readAck(octets: Uint8Array): Ack | undefined {
  const words = (octets.length - HEADER) >> 2;
  if (words < 1 || (octets.length & 3) !== 0) return undefined;
  const next = word(octets, HEADER);
  if (next > 0x7fff_ffff) return undefined;
  const at = (index: number) => index < words ? word(octets, HEADER + 4 * index) : 0;
  return {
    next,
    rtt: words >= 4 ? at(1) : undefined,
    rttVariance: at(2),
    room: at(3),
    rate: at(4),
    capacity: at(5),
    octetRate: at(6),
  };
}

/** Most words of a loss list in one packet. */
export const LOSS_WORDS_MAX = 364;

/** Writes ranges as a loss list, as far as they fit. */
export function lossWords(ranges: Iterable<readonly [number, number]>): number[] {
  const words: number[] = [];
  for (const [first, last] of ranges) {
    if (words.length + 2 > LOSS_WORDS_MAX) break;
    if (first === last) words.push(first);
    else words.push((first | 0x8000_0000) >>> 0, last);
  }
  return words;
}

/** Reads a loss list; undefined when it is none, or a range runs backwards. */
export function readLosses(octets: Uint8Array): (readonly [number, number])[] | undefined {
  const ranges: (readonly [number, number])[] = [];
  if (octets.length < HEADER + 4 || (octets.length & 3) !== 0) return undefined;
  for (let at = HEADER; at < octets.length; at += 4) {
    const first = word(octets, at);
    if (first <= 0x7fff_ffff) {
      ranges.push([first, first]);
      continue;
    }
    at += 4;
    const low = first & 0x7fff_ffff;
    if (at >= octets.length) return undefined;
    const high = word(octets, at);
    if (high > 0x7fff_ffff || distance(low, high) < 0) return undefined;
    ranges.push([low, high]);
  }
  return ranges;
}

/** The name of a control packet's type, for people. */
export function controlName(type: number): string {
  const found = Object.entries(CONTROL).find(([, number]) => number === type);
  return found ? found[0] : `type ${type}`;
}
