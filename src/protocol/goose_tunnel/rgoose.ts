/**
 * Routable GOOSE: a GOOSE APDU in a session PDU of IEC 61850-90-5, as it goes over UDP port 102.
 * See `mod.ts` for the table. Signatures are neither made nor checked: their keys come by GDOI.
 *
 * Both directions work in place. The session has no Ethernet addresses and no VLAN tag; what
 * {@linkcode decapsulateRGoose} puts in their place is made of the APPID and the sender's address.
 * @module
 */
import { DROP, type Drop, ETHER_TYPE } from "./constants.ts";
import type { Frames } from "./v1.ts";

/** UDP port of the session layer. IEC 61850-90-5 §8 */
export const RGOOSE_PORT = 102;
/** Octets in front of the APDU in what we send. */
export const RGOOSE_HEADER = 37;

/** CLTP unit data, with a header of one octet. RFC 1240 */
const CLTP = [0x01, 0x40] as const;
const SESSION_GOOSE = 0xa1;
const COMMON_HEADER = 0x80;
/** Lengths without an initialization vector: of the session header and of the common header. */
const SESSION_LENGTH = 23;
const COMMON_LENGTH = 21;
const VERSION = 2;
const PAYLOAD_GOOSE = 0x81;
/** Octets of a payload element in front of its APDU: tag, simulation, APPID, length. */
const ELEMENT = 6;
/** Where the octets stand that say how long the initialization vector is. */
const VECTOR_AT = 26;
const GOOSE_HEADER = 8;
const GOOSE_PDU = 0x61;
const SIMULATION = 0x80;
/** An untagged frame in front of its APDU. */
const FRAME_HEADER = 14 + GOOSE_HEADER;

/**
 * Turns the GOOSE frame in a slot into a session PDU. There have to be 15 octets in front of it.
 * Tags, padding, and an extension behind the APDU stay behind.
 *
 * @param sequence SPDU number: one more for each, modulo 2^32.
 * @returns `DROP.etherType` for what is no GOOSE, `DROP.runt` for what is none inside; it is left
 *   as it was then.
 */
export function encapsulateRGoose(frames: Frames, slot: number, sequence: number): Drop {
  const { octets } = frames;
  const at = frames.start[slot]!;
  const last = at + frames.length[slot]!;
  let body = at + 14;
  if (last < body) return DROP.runt;
  let type = (octets[at + 12]! << 8) | octets[at + 13]!;
  while (type === ETHER_TYPE.vlan || type === ETHER_TYPE.serviceVlan) {
    if (body + 4 > last) return DROP.runt;
    type = (octets[body + 2]! << 8) | octets[body + 3]!;
    body += 4;
  }
  if (type === ETHER_TYPE.gseManagement) return DROP.gseManagement;
  if (type === ETHER_TYPE.sampledValues) return DROP.sampledValues;
  if (type !== ETHER_TYPE.goose) return DROP.etherType;
  if (body + GOOSE_HEADER + 2 > last) return DROP.runt;
  const declared = (octets[body + 2]! << 8) | octets[body + 3]!;
  const end = body + declared;
  if (declared < GOOSE_HEADER + 2 || end > last) return DROP.runt;
  const appHigh = octets[body]!;
  const appLow = octets[body + 1]!;
  const simulation = (octets[body + 4]! & SIMULATION) !== 0;
  const apdu = end - body - GOOSE_HEADER;
  const to = body + GOOSE_HEADER - RGOOSE_HEADER;
  octets[to] = CLTP[0];
  octets[to + 1] = CLTP[1];
  octets[to + 2] = SESSION_GOOSE;
  octets[to + 3] = SESSION_LENGTH;
  octets[to + 4] = COMMON_HEADER;
  octets[to + 5] = COMMON_LENGTH;
  put32(octets, to + 6, 17 + 4 + ELEMENT + apdu);
  put32(octets, to + 10, sequence);
  octets[to + 14] = 0;
  octets[to + 15] = VERSION;
  // Time of the key, minutes to the next, its identifier and the length of a vector: no security.
  for (let place = to + 16; place <= to + VECTOR_AT; place += 1) octets[place] = 0;
  put32(octets, to + 27, ELEMENT + apdu);
  octets[to + 31] = PAYLOAD_GOOSE;
  octets[to + 32] = simulation ? 1 : 0;
  octets[to + 33] = appHigh;
  octets[to + 34] = appLow;
  octets[to + 35] = apdu >>> 8;
  octets[to + 36] = apdu;
  frames.start[slot] = to;
  frames.length[slot] = RGOOSE_HEADER + apdu;
  return DROP.none;
}

/** Whether a datagram claims to be a session PDU over CLTP. */
export function isRGoose(frames: Frames, slot: number): boolean {
  const { octets } = frames;
  const at = frames.start[slot]!;
  return frames.length[slot]! >= 3 && octets[at] === CLTP[0] && octets[at + 1] === CLTP[1];
}

/**
 * Turns the session PDU in a slot into an untagged frame: from 02-00 and the sender's IPv4 address,
 * to 01-0C-CD-01-00-00 plus the lower nine bits of the APPID. Only its first APDU is taken, which
 * is all that known senders put in. Lengths are read liberally, for implementations differ in them:
 * what counts is the length that the APDU itself declares.
 *
 * @param source IPv4 address of the sender.
 * @returns `DROP.none`, or why it is refused; it is left as it was then.
 */
export function decapsulateRGoose(frames: Frames, slot: number, source: number): Drop {
  const { octets } = frames;
  const at = frames.start[slot]!;
  const last = at + frames.length[slot]!;
  if (last - at < RGOOSE_HEADER + 2) return DROP.shortDatagram;
  if (!isRGoose(frames, slot)) return DROP.unknownFormat;
  // Tunnelled frames, sampled values and management have other session identifiers.
  if (octets[at + 2] !== SESSION_GOOSE) return DROP.unknownFormat;
  if (octets[at + 4] !== COMMON_HEADER) return DROP.unknownFormat;
  const version = (octets[at + 14]! << 8) | octets[at + 15]!;
  // Version 1 has algorithms where version 2 has the length of a vector.
  if (version !== VERSION) return DROP.unknownVersion;
  // With a vector the payload is encrypted.
  if (octets[at + VECTOR_AT] !== 0) return DROP.encrypted;
  if (octets[at + 31] !== PAYLOAD_GOOSE) return DROP.unknownFormat;
  const start = at + RGOOSE_HEADER;
  const size = sizeOf(octets, start, last);
  if (size < 0) return DROP.shortDatagram;
  const simulation = octets[at + 32] !== 0;
  const appHigh = octets[at + 33]!;
  const appLow = octets[at + 34]!;
  const to = start - FRAME_HEADER;
  octets[to] = 0x01;
  octets[to + 1] = 0x0c;
  octets[to + 2] = 0xcd;
  octets[to + 3] = 0x01;
  octets[to + 4] = appHigh & 1;
  octets[to + 5] = appLow;
  octets[to + 6] = 0x02;
  octets[to + 7] = 0x00;
  put32(octets, to + 8, source);
  octets[to + 12] = ETHER_TYPE.goose >>> 8;
  octets[to + 13] = ETHER_TYPE.goose & 0xff;
  octets[to + 14] = appHigh;
  octets[to + 15] = appLow;
  octets[to + 16] = (GOOSE_HEADER + size) >>> 8;
  octets[to + 17] = GOOSE_HEADER + size;
  octets[to + 18] = simulation ? SIMULATION : 0;
  octets[to + 19] = 0;
  octets[to + 20] = 0;
  octets[to + 21] = 0;
  frames.start[slot] = to;
  frames.length[slot] = FRAME_HEADER + size;
  return DROP.none;
}

/** Octets of the goosePdu that begins at `at`; -1 when it is none or goes beyond `last`. */
function sizeOf(octets: Uint8Array, at: number, last: number): number {
  if (octets[at] !== GOOSE_PDU) return -1;
  const first = octets[at + 1]!;
  let size = -1;
  if (first < 0x80) size = 2 + first;
  else if (first === 0x81 && at + 3 <= last) size = 3 + octets[at + 2]!;
  else if (first === 0x82 && at + 4 <= last) {
    size = 4 + ((octets[at + 2]! << 8) | octets[at + 3]!);
  }
  return at + size <= last ? size : -1;
}

function put32(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >>> 24;
  octets[at + 1] = value >>> 16;
  octets[at + 2] = value >>> 8;
  octets[at + 3] = value;
}
