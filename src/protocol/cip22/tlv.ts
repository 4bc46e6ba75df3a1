/**
 * What stands in payloads: elements of a tag, a length of 16 bits and a value. The numbers of the
 * tags and of the types are ours, for the specification gives but one: 0x01, a read request.
 * @module
 */
import type { Malformed } from "../../base/errors.ts";

/** TypeIDs of frames. Answers have the type of their request and the highest bit. */
export const TYPE = {
  read: 0x01,
  challengeRequest: 0x02,
  challenge: 0x03,
  authResp: 0x04,
  authResult: 0x05,
  heartbeat: 0x06,
  setPolicy: 0x07,
  battTelem: 0x08,
  fault: 0x09,
  register: 0x0a,
  timeSync: 0x0b,
  tradeRecord: 0x0c,
  tradeAck: 0x0d,
  portQuery: 0x0e,
  restart: 0x0f,
  start: 0x10,
  stop: 0x11,
  limit: 0x12,
  unlock: 0x13,
  upgrade: 0x14,
  status: 0x15,
  confirm: 0x16,
  answer: 0x80,
} as const;

/** Tags of elements, and what their values are. */
export const TAG = {
  /** UTF-8. */
  deviceId: 0x01,
  /** u64: strictly rising. */
  sequence: 0x02,
  /** Octets. */
  challenge: 0x03,
  /** 32 octets. */
  policyHash: 0x04,
  /** r and s, 64 octets, or the signature of another signer. */
  signature: 0x05,
  /** u64, epoch milliseconds. */
  time: 0x06,
  /** u8: 1 secp256k1, 2 SM2, 3 BLS12-381. */
  signer: 0x07,
  /** Octets of a public key, or of an ephemeral one. */
  publicKey: 0x08,
  /** 16 octets. */
  sessionId: 0x09,
  /** u8, see the messages. */
  result: 0x0a,
  /** u16. */
  reason: 0x0b,
  /** u8. */
  port: 0x0c,
  /** u8, a state of the pile. */
  state: 0x0d,
  /** u32, watts. */
  power: 0x0e,
  /** u64, watt-hours. */
  energy: 0x0f,
  /** UTF-8, the bike. */
  bikeId: 0x10,
  /** 32 octets. */
  digest: 0x11,
  /** JSON in UTF-8. */
  policy: 0x12,
  /** UTF-8. */
  version: 0x13,
  /** u32, milliseconds. */
  expiry: 0x14,
  /** u8: 1 SM4-GCM with SM3, 2 AES-128-GCM with SHA-256. */
  cipher: 0x15,
  /** 4 octets that tell a wrong key. */
  check: 0x16,
  /** u8: 1 when it endangers people. */
  hazard: 0x17,
  /** u32, watts. */
  limit: 0x18,
  /** u32, octets from the start of an image. */
  offset: 0x19,
  /** u32, octets of an image. */
  size: 0x1a,
  /** Octets. */
  data: 0x1b,
  /** UTF-8: what a trade is called. */
  trade: 0x1c,
  /** u64, epoch milliseconds. */
  begin: 0x1d,
  /** u64, epoch milliseconds. */
  end: 0x1e,
  /** u64, thousandths of the currency. */
  cost: 0x1f,
  /** u32: which request an answer is for. */
  ticket: 0x20,
  /** u8: 1 when it is gone. */
  cleared: 0x21,
  /** u32, the version of the policy. */
  policyVersion: 0x22,
  /** UTF-8, for people. */
  text: 0x23,
  /** UTF-8: the kind of device. */
  hardware: 0x24,
  /** u8: 1 when the relay is closed. */
  closed: 0x25,
} as const;

/** One element. */
export interface Tlv {
  readonly tag: number;
  readonly value: Uint8Array;
}

/** Octets of an element before its value. */
export const TLV_HEAD = 3;

/** Reads all elements. @returns Malformed `cip22.tlv` with where the one begins that is cut off. */
export function readTlvs(payload: Uint8Array): Tlv[] | Malformed {
  const all: Tlv[] = [];
  for (let at = 0; at < payload.length;) {
    const length = (payload[at + 1] ?? 0) << 8 | (payload[at + 2] ?? 0);
    const end = at + TLV_HEAD + length;
    if (at + TLV_HEAD > payload.length || end > payload.length) {
      return { kind: "malformed", code: "cip22.tlv", offset: at };
    }
    all.push({ tag: payload[at]!, value: payload.subarray(at + TLV_HEAD, end) });
    at = end;
  }
  return all;
}

/** Writes elements. Values have at most 65,535 octets. */
export function writeTlvs(all: readonly Tlv[]): Uint8Array {
  const payload = new Uint8Array(all.reduce((sum, { value }) => sum + TLV_HEAD + value.length, 0));
  let at = 0;
  for (const { tag, value } of all) {
    payload.set([tag, value.length >> 8, value.length & 0xff], at);
    payload.set(value, at + TLV_HEAD);
    at += TLV_HEAD + value.length;
  }
  return payload;
}

const TYPE_NAMES = new Map<number, string>(
  Object.entries(TYPE).map(([name, type]) => [type, name]),
);
const TAG_NAMES = new Map<number, string>(Object.entries(TAG).map(([name, tag]) => [tag, name]));

/** A type for people. */
export function typeName(type: number): string {
  const known = TYPE_NAMES.get(type);
  if (known !== undefined) return known;
  const asked = TYPE_NAMES.get(type & ~TYPE.answer);
  return type >= TYPE.answer && asked !== undefined ? `answer to ${asked}` : `type ${type}`;
}

/** A tag for people. */
export function tagName(tag: number): string {
  return TAG_NAMES.get(tag) ?? `tag ${tag}`;
}
