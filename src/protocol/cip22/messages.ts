/**
 * Messages in elements: for each type which elements it has, of what kind, and which of them it may
 * lack. Elements that a type does not know are passed over; one that comes twice, has the wrong
 * size or is missing makes the message malformed.
 *
 * | to the gateway | to the pile | both |
 * |---|---|---|
 * | challengeRequest, authResp | challenge, authResult | heartbeat |
 * | register, status, fault | setPolicy, start, stop, limit, unlock, confirm | timeSync |
 * | battTelem, tradeRecord | tradeAck, read, portQuery, restart, upgrade | answer |
 * @module
 */
import type { Malformed } from "../../base/errors.ts";
import { readTlvs, TAG, type Tlv, TLV_HEAD, TYPE, writeTlvs } from "./tlv.ts";

/** How one element of a message is read and written. */
interface Field<Value> {
  readonly tag: number;
  readonly optional: boolean;
  /** Undefined for octets that are no such value. */
  read(octets: Uint8Array): Value | undefined;
  write(value: Value): Uint8Array;
}
type Maybe<Value> = Field<Value> & { readonly optional: true };
type Needed<Value> = Field<Value> & { readonly optional: false };

// A mark of the order of octets stays where it is: texts are signed as they came.
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const TEXT_MAX = 255;
const POLICY_TEXT_MAX = 48 * 1024;

function field<Value>(rest: Omit<Field<Value>, "optional">): Needed<Value> {
  return { ...rest, optional: false };
}

function maybe<Value>(needed: Needed<Value>): Maybe<Value> {
  return { ...needed, optional: true };
}

function text(tag: number, max = TEXT_MAX): Needed<string> {
  return field({
    tag,
    read: (octets) => octets.length > max ? undefined : utf8Of(octets),
    write: (value) => new TextEncoder().encode(value),
  });
}

function utf8Of(octets: Uint8Array): string | undefined {
  try {
    return UTF8.decode(octets);
  } catch (error) {
    if (error instanceof TypeError) return undefined; // No UTF-8.
    throw error;
  }
}

function octets(tag: number, size?: number): Needed<Uint8Array> {
  return field({
    tag,
    read: (value) => size === undefined || value.length === size ? value : undefined,
    write: (value) => value,
  });
}

/** An unsigned number of so many octets. */
function unsigned(tag: number, size: 1 | 2 | 4): Needed<number> {
  return field({
    tag,
    read: (value) =>
      value.length === size ? value.reduce((sum, octet) => sum * 256 + octet, 0) : undefined,
    write: (value) => {
      const target = new Uint8Array(4);
      new DataView(target.buffer).setUint32(0, value);
      return target.subarray(4 - size);
    },
  });
}

function long(tag: number): Needed<bigint> {
  return field({
    tag,
    read: (value) =>
      value.length === 8 ? new DataView(value.buffer, value.byteOffset).getBigUint64(0) : undefined,
    write: (value) => {
      const target = new Uint8Array(8);
      new DataView(target.buffer).setBigUint64(0, BigInt.asUintN(64, value));
      return target;
    },
  });
}

/** An unsigned number of 8 octets that a double can hold: times, energies, money. */
function count(tag: number): Needed<number> {
  const { read, write } = long(tag);
  return field({
    tag,
    read: (value) => {
      const number = Number(read(value) ?? -1n);
      return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
    },
    write: (value) => write(BigInt(Math.max(0, Math.round(value)))),
  });
}

function flag(tag: number): Needed<boolean> {
  const { read, write } = unsigned(tag, 1);
  return field({
    tag,
    read: (value) => {
      const number = read(value);
      return number === undefined || number > 1 ? undefined : number === 1;
    },
    write: (value) => write(value ? 1 : 0),
  });
}

const pile = text(TAG.deviceId, 64);
const ticket = unsigned(TAG.ticket, 4);
const port = maybe(unsigned(TAG.port, 1));
const time = count(TAG.time);
const policyHash = octets(TAG.policyHash, 32);

/** The elements of each type. */
const SHAPES = {
  challengeRequest: { pile, cipher: maybe(unsigned(TAG.cipher, 1)) },
  challenge: {
    challenge: octets(TAG.challenge, 32),
    policyHash,
    /** Milliseconds. */
    expiry: unsigned(TAG.expiry, 4),
    sessionId: octets(TAG.sessionId, 16),
    /** The gateway's ephemeral key; absent: no keys are agreed on. */
    publicKey: maybe(octets(TAG.publicKey, 65)),
  },
  authResp: {
    pile,
    sequence: long(TAG.sequence),
    policyHash,
    signature: octets(TAG.signature, 64),
    publicKey: maybe(octets(TAG.publicKey, 65)),
  },
  /** See {@linkcode AUTH_RESULT}. */
  authResult: {
    result: unsigned(TAG.result, 1),
    check: maybe(octets(TAG.check, 4)),
    time,
  },
  heartbeat: { time },
  register: {
    hardware: text(TAG.hardware),
    version: text(TAG.version),
    power: unsigned(TAG.power, 4),
  },
  timeSync: { time },
  status: {
    port,
    state: unsigned(TAG.state, 1),
    closed: flag(TAG.closed),
    power: unsigned(TAG.power, 4),
    energy: count(TAG.energy),
    limit: maybe(unsigned(TAG.limit, 4)),
    reason: maybe(unsigned(TAG.reason, 2)),
    hazard: maybe(flag(TAG.hazard)),
    policyVersion: maybe(unsigned(TAG.policyVersion, 4)),
    version: maybe(text(TAG.version)),
    time,
  },
  fault: {
    port,
    reason: unsigned(TAG.reason, 2),
    hazard: flag(TAG.hazard),
    cleared: flag(TAG.cleared),
    text: maybe(text(TAG.text)),
    time,
  },
  battTelem: {
    bikeId: text(TAG.bikeId),
    time,
    data: octets(TAG.data),
    digest: octets(TAG.digest, 32),
    signature: maybe(octets(TAG.signature)),
  },
  tradeRecord: {
    trade: text(TAG.trade, 96),
    port,
    bikeId: maybe(text(TAG.bikeId)),
    begin: count(TAG.begin),
    end: count(TAG.end),
    energy: count(TAG.energy),
    cost: count(TAG.cost),
    policyVersion: unsigned(TAG.policyVersion, 4),
  },
  tradeAck: { trade: text(TAG.trade, 96) },
  /** The whole signed document. */
  setPolicy: { ticket, policy: text(TAG.policy, POLICY_TEXT_MAX) },
  start: { ticket, port, limit: maybe(unsigned(TAG.limit, 4)) },
  stop: { ticket, port },
  limit: { ticket, port, limit: unsigned(TAG.limit, 4) },
  unlock: { ticket, port },
  /** A person has confirmed that a cleared fault is over. */
  confirm: { ticket, port },
  read: { ticket },
  portQuery: { ticket, port },
  restart: { ticket },
  /** Without data: an image is offered, and `data` is its head; else a piece at `offset`. */
  upgrade: {
    ticket,
    size: maybe(unsigned(TAG.size, 4)),
    offset: maybe(unsigned(TAG.offset, 4)),
    data: octets(TAG.data),
  },
  /** `offset`: of an upgrade, the octet that is wanted next. See {@linkcode RESULT}. */
  answer: {
    ticket,
    result: unsigned(TAG.result, 1),
    text: maybe(text(TAG.text)),
    offset: maybe(unsigned(TAG.offset, 4)),
  },
} as const;

type Shapes = typeof SHAPES;
type ValueOf<One> = One extends Field<infer Value> ? Value : never;
type Body<Shape> =
  & {
    readonly [Name in keyof Shape as Shape[Name] extends Needed<unknown> ? Name : never]: ValueOf<
      Shape[Name]
    >;
  }
  & {
    readonly [Name in keyof Shape as Shape[Name] extends Maybe<unknown> ? Name : never]?: ValueOf<
      Shape[Name]
    >;
  };

/** Names of the types that have elements. */
export type MessageKind = keyof Shapes;
/** The message of one type. */
export type MessageOf<Kind extends MessageKind> =
  & { readonly kind: Kind }
  & Body<Shapes[Kind]>
  & (Kind extends "answer" ? {
      /** The type that is answered. */
      readonly to: MessageKind;
    }
    : unknown);
/** A message. */
export type Message = { [Kind in MessageKind]: MessageOf<Kind> }[MessageKind];

/** What AUTH_RESULT says. */
export const AUTH_RESULT = {
  good: 0,
  /** The answer is wrong; it is not told in what, where that would help a stranger. */
  refused: 1,
  /** The challenge was too old, or used before: ask for another one. */
  expired: 2,
  /** The policy is another one by now: ask again. */
  policy: 3,
  /** The number does not rise: the clock of the pile has to be set. */
  sequence: 4,
} as const;

/** What an answer says. */
export const RESULT = {
  done: 0,
  /** `text` tells why. */
  refused: 1,
  /** Goes on: more of it is wanted. */
  more: 2,
} as const;

const KINDS = new Map<number, MessageKind>(
  (Object.keys(SHAPES) as MessageKind[]).map((kind) => [TYPE[kind], kind]),
);

/** The TypeID of a message. */
export function typeOf(message: Message): number {
  return message.kind === "answer" ? TYPE.answer | TYPE[message.to] : TYPE[message.kind];
}

/**
 * Reads a message.
 * @returns Undefined for a type that nobody knows; Malformed `cip22.message.<element>` with the
 * offset of the element.
 */
export function readMessage(type: number, payload: Uint8Array): Message | Malformed | undefined {
  const kind = type >= TYPE.answer ? "answer" : KINDS.get(type);
  const to = kind === "answer" ? KINDS.get(type & ~TYPE.answer) : undefined;
  if (kind === undefined || (kind === "answer" && to === undefined)) return undefined;
  const elements = readTlvs(payload);
  if ("kind" in elements) return elements;
  const message: Record<string, unknown> = { kind, ...to && { to } };
  for (const [name, one] of Object.entries<Field<unknown>>(SHAPES[kind])) {
    const [found, second] = elements.filter(({ tag }) => tag === one.tag);
    if (!found && one.optional) continue;
    const value = found && !second ? one.read(found.value) : undefined;
    if (value === undefined) {
      const place = (second ?? found)?.value.byteOffset;
      if (place === undefined) return malformed(name, payload.length);
      return malformed(name, place - TLV_HEAD - payload.byteOffset);
    }
    message[name] = value;
  }
  return message as unknown as Message;
}

function malformed(name: string, offset: number): Malformed {
  return { kind: "malformed", code: `cip22.message.${name}`, offset };
}

/** Writes the elements of a message. */
export function writeMessage(message: Message): Uint8Array {
  const values = message as unknown as Record<string, unknown>;
  const elements: Tlv[] = [];
  for (const [name, one] of Object.entries<Field<unknown>>(SHAPES[message.kind])) {
    const value = values[name];
    if (value !== undefined) elements.push({ tag: one.tag, value: one.write(value) });
  }
  return writeTlvs(elements);
}
