/**
 * The handshake and its extensions. §3.2.1
 * @module
 */
import { CONTROL, EXTENSION, HANDSHAKE_SIZE, HEADER } from "./constants.ts";
import { putWord, word } from "./packet.ts";

/** Most octets of a stream id. */
export const STREAM_ID_MAX = 512;
/** Most octets of key material. */
export const KEY_MATERIAL_MAX = 104;

/** The 48 octets that each handshake has. */
export interface Handshake {
  readonly version: number;
  /** 0 none, 2, 3, 4: AES-128, 192, 256. */
  readonly encryption: number;
  /** What is there, in a conclusion; `0x4A17` in the answer to an induction. */
  readonly extension: number;
  readonly sequence: number;
  readonly mtu: number;
  /** Packets that may be on their way. */
  readonly window: number;
  /** 1 induction, -1 conclusion, or 1000 and more: refused. */
  readonly type: number;
  readonly socketId: number;
  readonly cookie: number;
  /** IPv4 address of the other end as a number. */
  readonly peer: number;
}

/** What HSREQ and HSRSP say. */
export interface HsExtension {
  readonly version: number;
  readonly flags: number;
  /** Milliseconds. */
  readonly receiverLatency: number;
  readonly senderLatency: number;
}

/** What stood behind a handshake. */
export interface Extensions {
  readonly hs: HsExtension | undefined;
  /** Whether it was a request or a response. */
  readonly hsKind: "request" | "response" | undefined;
  /** Key material, or one word: the state of the encryption. */
  readonly km: Uint8Array<ArrayBuffer> | undefined;
  readonly streamId: string;
  readonly congestion: string;
  readonly filter: string;
  readonly group: boolean;
}

/** A handshake as it came. */
export interface HandshakePacket {
  readonly handshake: Handshake;
  readonly extensions: Extensions;
}

/** Reads a handshake packet; undefined for one that is none. Total. */
export function readHandshake(octets: Uint8Array): HandshakePacket | undefined {
  if (octets.length < HEADER + HANDSHAKE_SIZE) return undefined;
  const at = (offset: number) => word(octets, HEADER + offset);
  const second = at(4);
  const handshake: Handshake = {
    version: at(0),
    encryption: second >>> 16,
    extension: second & 0xffff,
    sequence: at(8),
    mtu: at(12),
    window: at(16),
    type: at(20) | 0,
    socketId: at(24),
    cookie: at(28),
    peer: reverse(at(32)),
  };
  const { version, sequence, mtu, window } = handshake;
  const sound = version >= 4 && version <= 5 && sequence < 0x7fff_ffff && mtu >= 92 &&
    mtu <= 65_535 && window >= 2 && window <= 0x7fff_ffff;
  if (!sound) return undefined;
  const extensions = readExtensions(octets, HEADER + HANDSHAKE_SIZE);
  return extensions && { handshake, extensions };
}

function readExtensions(octets: Uint8Array, from: number): Extensions | undefined {
  let hs: HsExtension | undefined;
  let hsKind: Extensions["hsKind"];
  let km: Uint8Array<ArrayBuffer> | undefined;
  let streamId = "";
  let congestion = "";
  let filter = "";
  let group = false;
  for (let at = from; at < octets.length;) {
    if (at + 4 > octets.length) return undefined;
    const head = word(octets, at);
    const type = head >>> 16;
    const size = 4 * (head & 0xffff);
    at += 4;
    if (at + size > octets.length) return undefined;
    const contents = octets.subarray(at, at + size);
    at += size;
    if (type === EXTENSION.hsRequest || type === EXTENSION.hsResponse) {
      hs = readHs(contents);
      if (!hs) return undefined;
      hsKind = type === EXTENSION.hsRequest ? "request" : "response";
    } else if (type === EXTENSION.kmRequest || type === EXTENSION.kmResponse) {
      if (size === 0 || size > KEY_MATERIAL_MAX) return undefined;
      km = new Uint8Array(contents);
    } else if (type === EXTENSION.streamId) {
      if (size > STREAM_ID_MAX) return undefined;
      streamId = readText(contents);
    } else if (type === EXTENSION.congestion) congestion = readText(contents);
    else if (type === EXTENSION.filter) filter = readText(contents);
    else if (type === EXTENSION.group) group = true;
  }
  return { hs, hsKind, km, streamId, congestion, filter, group };
}

/** Reads the 12 octets of HSREQ or HSRSP; undefined for less. */
export function readHs(contents: Uint8Array): HsExtension | undefined {
  if (contents.length < 12) return undefined;
  const latencies = word(contents, 8);
  return {
    version: word(contents, 0),
    flags: word(contents, 4),
    receiverLatency: latencies >>> 16,
    senderLatency: latencies & 0xffff,
  };
}

/** What is put behind a handshake that is written. */
export interface WrittenExtensions {
  readonly hs?: HsExtension & { readonly kind: "request" | "response" };
  readonly km?: { readonly kind: "request" | "response"; readonly octets: Uint8Array };
  readonly streamId?: string;
}

/** Writes a handshake packet. @param to The peer's socket id; 0 towards a listener. */
export function writeHandshake(
  handshake: Handshake,
  extensions: WrittenExtensions,
  stamp: number,
  to: number,
): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  const { hs, km, streamId } = extensions;
  if (hs) {
    const type = hs.kind === "request" ? EXTENSION.hsRequest : EXTENSION.hsResponse;
    blocks.push(block(type, writeHs(hs)));
  }
  if (streamId) blocks.push(block(EXTENSION.streamId, writeText(streamId)));
  if (km) {
    const type = km.kind === "request" ? EXTENSION.kmRequest : EXTENSION.kmResponse;
    blocks.push(block(type, km.octets));
  }
  const size = blocks.reduce((sum, { length }) => sum + length, 0);
  const octets = new Uint8Array(HEADER + HANDSHAKE_SIZE + size);
  putWord(octets, 0, (0x8000_0000 | CONTROL.handshake << 16) >>> 0);
  putWord(octets, 8, stamp >>> 0);
  putWord(octets, 12, to);
  const fields = [
    handshake.version,
    handshake.encryption << 16 | handshake.extension,
    handshake.sequence,
    handshake.mtu,
    handshake.window,
    handshake.type,
    handshake.socketId,
    handshake.cookie,
    reverse(handshake.peer),
  ];
  for (const [index, field] of fields.entries()) putWord(octets, HEADER + 4 * index, field);
  let at = HEADER + HANDSHAKE_SIZE;
  for (const one of blocks) {
    octets.set(one, at);
    at += one.length;
  }
  return octets;
}

/** The 12 octets of HSREQ or HSRSP. */
export function writeHs(hs: HsExtension): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(12);
  putWord(octets, 0, hs.version);
  putWord(octets, 4, hs.flags);
  putWord(octets, 8, (hs.receiverLatency << 16 | hs.senderLatency) >>> 0);
  return octets;
}

function block(type: number, contents: Uint8Array): Uint8Array {
  const octets = new Uint8Array(4 + contents.length);
  putWord(octets, 0, (type << 16 | contents.length >> 2) >>> 0);
  octets.set(contents, 4);
  return octets;
}

/** Texts are written word by word with the octets of each turned round. */
function readText(contents: Uint8Array): string {
  const turned = new Uint8Array(contents.length);
  for (let at = 0; at + 4 <= contents.length; at += 4) {
    for (let index = 0; index < 4; index += 1) turned[at + index] = contents[at + 3 - index]!;
  }
  const end = turned.indexOf(0);
  return new TextDecoder().decode(end < 0 ? turned : turned.subarray(0, end));
}

function writeText(text: string): Uint8Array {
  const octets = new TextEncoder().encode(text).subarray(0, STREAM_ID_MAX);
  const padded = new Uint8Array((octets.length + 3) & ~3);
  for (let at = 0; at < octets.length; at += 1) padded[(at & ~3) + 3 - (at & 3)] = octets[at]!;
  return padded;
}

function reverse(value: number): number {
  return ((value & 0xff) << 24 | (value >>> 8 & 0xff) << 16 | (value >>> 16 & 0xff) << 8 |
    value >>> 24) >>> 0;
}
