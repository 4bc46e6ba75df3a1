/**
 * Messages in JSON as the gateway works with them: AUTH_RESP, events, the challenge; and the bridge
 * that carries any message from one version to another.
 *
 * An event stands in the extension of its name, so that version 1.2 has none; nor has it the keys
 * of a session. Octets are in hexadecimal, with or without `0x`.
 * @module
 */
import { type AuthResponse, CHALLENGE_SIZE, type PileKey } from "./auth.ts";
import {
  type Dialect,
  type Envelope,
  ENVELOPE_MAX,
  type ExtensionMap,
  readEnvelope,
  writeEnvelope,
} from "./envelope.ts";
import { checkExtension, type OwnExtension, ownExtensions } from "./extensions.ts";
import type { PileState } from "./pile_state.ts";
import { type BatteryReport, BIKE_MAX } from "./telemetry_chain.ts";

/** Versions that can be written. */
export type JsonVersion = Exclude<Dialect, "lenient">;

/** Why a message is not taken: the field, and what it has to be. */
export interface JsonFault {
  readonly fault: string;
}

/** What an AUTH_RESP says. A signer, a public key and a cipher come in version 2.0 only. */
export interface JsonAuth {
  readonly response: AuthResponse;
  /** There is one if there is a public key. */
  readonly signer?: PileKey["signer"];
  /** 65 octets, uncompressed: what the keys of the session are made from. */
  readonly publicKey?: Uint8Array;
  /** What the session is to be sealed with; only with a public key. */
  readonly cipher?: "sm4-gcm" | "aes-gcm";
  readonly tags: readonly string[];
  readonly id?: string;
}

/**
 * Reads an AUTH_RESP.
 * @param version What the peer said of its version: the line, or the header.
 */
export function readJsonAuth(
  text: string,
  version: string | undefined,
  extensions: ExtensionMap,
): JsonAuth & { readonly warnings: readonly string[] } | JsonFault {
  const read = readEnvelope(text, version, extensions);
  if ("fault" in read) return read;
  const { envelope, warnings } = read;
  const { device: pile, sequence, id, tags = [] } = envelope;
  if (envelope.type !== AUTH_TYPE) return wrong("type", envelope.type, `"${AUTH_TYPE}"`);
  if (pile === "") return wrong("device_id", pile, "a text");
  const policyHash = octetsOf("policy_hash", envelope.policyHash, HASH_SIZE);
  if ("fault" in policyHash) return policyHash;
  const signature = octetsOf("sig", envelope.signature, SIGNATURE_SIZE);
  if ("fault" in signature) return signature;
  const session = sessionOf(envelope.extensions.get("session"));
  if ("fault" in session) return session;
  const response = { pile, sequence, policyHash, signature };
  return { response, ...session, tags, ...id !== undefined && { id }, warnings };
}

/**
 * Writes an AUTH_RESP.
 * @returns The text, and what the version cannot carry; a fault for what nobody could read.
 */
export function writeJsonAuth(
  auth: JsonAuth,
  version: JsonVersion,
): { readonly text: string; readonly lost: readonly string[] } | JsonFault {
  const { response, signer, publicKey, cipher, tags, id } = auth;
  const extensions = new Map<string, unknown>();
  if (signer !== undefined || publicKey !== undefined || cipher !== undefined) {
    const session = { "public_key": publicKey && hex(publicKey), signer, cipher };
    const fault = checkExtension("session", JSON.parse(JSON.stringify(session)));
    if (fault !== undefined) return { fault: `extensions.session: ${fault}` };
    extensions.set("session", session);
  }
  const written = writeEnvelope({
    dialect: version,
    type: AUTH_TYPE,
    sequence: response.sequence,
    device: response.pile,
    signature: hex(response.signature),
    policyHash: hex(response.policyHash),
    ...id !== undefined && { id },
    ...tags.length > 0 && { tags },
    extensions,
    unknown: new Map(),
  }, version);
  if ("fault" in written) return written;
  const again = readJsonAuth(written.text, version, ownExtensions());
  return "fault" in again ? again : written;
}

/** What every event has. */
export interface JsonEventHead {
  readonly device: string;
  readonly sequence: bigint;
  /** As long as its signer makes it. Only a message of an unknown version may have none. */
  readonly signature?: Uint8Array;
  /** 32 octets. Only a message of an unknown version may have none. */
  readonly policyHash?: Uint8Array;
  readonly tags: readonly string[];
  readonly id?: string;
  readonly warnings: readonly string[];
}

/** What an event says. */
export type JsonEventBody =
  | { readonly kind: "battery"; readonly report: BatteryReport; readonly digest: Uint8Array }
  /** Watts and watt-hours. */
  | {
    readonly kind: "status";
    readonly state: PileState;
    readonly power: number;
    readonly energy: number;
  }
  /** `hazard`: whether it endangers people. */
  | {
    readonly kind: "fault";
    readonly code: number;
    readonly hazard: boolean;
    readonly text?: string;
  };

/** An event. */
export type JsonEvent = JsonEventHead & JsonEventBody;

/** Reads BATT_TELEM, STATUS or FAULT. @param version As in {@linkcode readJsonAuth}. */
export function readJsonEvent(
  text: string,
  version: string | undefined,
  extensions: ExtensionMap,
): JsonEvent | JsonFault {
  const read = readEnvelope(text, version, extensions);
  if ("fault" in read) return read;
  const { envelope, warnings } = read;
  const name = EVENTS.get(envelope.type);
  if (name === undefined) {
    return wrong("type", envelope.type, `one of ${[...EVENTS.keys()].join(", ")}`);
  }
  if (envelope.dialect === "1.2") {
    return { fault: `version 1.2 carries no extensions, so no ${envelope.type}` };
  }
  const head = headOf(envelope);
  if ("fault" in head) return head;
  const value = envelope.extensions.get(name);
  if (value === undefined) {
    return { fault: `extensions.${name} is missing; ${envelope.type} requires it` };
  }
  const odd = checkExtension(name, value);
  if (odd !== undefined) return { fault: `extensions.${name}: ${odd}` };
  const body = BODIES[name](value as Fields);
  return "fault" in body ? body : { ...head, ...body, warnings };
}

/** A message in another version. */
export interface Converted {
  readonly text: string;
  /** Names of the fields that it has not any more. */
  readonly lost: readonly string[];
  /** What seemed odd. */
  readonly warnings: readonly string[];
}

/**
 * Carries a message to a version. What that one cannot carry is named, and is a fault when it
 * requires it.
 * @param from What is said of the message's version; undefined: what it looks like.
 */
export function convert(
  text: string,
  from: string | undefined,
  to: JsonVersion,
  extensions: ExtensionMap,
): Converted | JsonFault {
  const read = readEnvelope(text, from, extensions);
  if ("fault" in read) return read;
  const { envelope, warnings } = read;
  const fields = fieldsOf(text) ?? {};
  // Of an unknown version, one that could not be read is 0; that must not become its number.
  if (envelope.sequence === 0n && !isZero(fields.seq)) {
    return wrong("seq", fields.seq, "a number of 64 bits without sign");
  }
  const written = writeEnvelope(envelope, to);
  if ("fault" in written) return written;
  const again = readEnvelope(written.text, to, extensions);
  if ("fault" in again) return again;
  return {
    text: written.text,
    lost: [...written.lost, ...leftOut(envelope.dialect, fields)],
    warnings: [...warnings, ...inexact(envelope)],
  };
}

/** What `/auth/challenge` answers with. */
export interface JsonChallenge {
  /** 32 octets. */
  readonly challenge: Uint8Array;
  /** 32 octets. */
  readonly policyHash: Uint8Array;
  /** For how long it is good, from the answer on. */
  readonly expiresMs: number;
  /** 16 octets. */
  readonly sessionId: Uint8Array;
  /** 65 octets, uncompressed: the gateway's half of the session's keys. */
  readonly publicKey?: Uint8Array;
}

/** Writes the answer. */
export function challengeJson(
  { challenge, policyHash, expiresMs, sessionId, publicKey }: JsonChallenge,
): string {
  return JSON.stringify({
    challenge: hex(challenge),
    "policy_hash": hex(policyHash),
    "expires_ms": expiresMs,
    "session_id": hex(sessionId),
    ...publicKey && { "public_key": hex(publicKey) },
  });
}

/** Reads the answer, as a pile does. Fields that it does not know are passed over. */
export function readChallengeJson(text: string): JsonChallenge | JsonFault {
  const fields = fieldsOf(text);
  if (fields === undefined) return { fault: "the challenge is no JSON object" };
  const challenge = octetsOf("challenge", fields.challenge, CHALLENGE_SIZE);
  if ("fault" in challenge) return challenge;
  const policyHash = octetsOf("policy_hash", fields.policy_hash, HASH_SIZE);
  if ("fault" in policyHash) return policyHash;
  const sessionId = octetsOf("session_id", fields.session_id, SESSION_ID_SIZE);
  if ("fault" in sessionId) return sessionId;
  const expiresMs = fields.expires_ms;
  if (typeof expiresMs !== "number" || !(expiresMs > 0 && expiresMs <= EXPIRES_MAX)) {
    return wrong("expires_ms", expiresMs, `a number above 0, at most ${EXPIRES_MAX}`);
  }
  const read = { challenge, policyHash, expiresMs, sessionId };
  if (fields.public_key === undefined) return read;
  const publicKey = octetsOf("public_key", fields.public_key, POINT_SIZE);
  if ("fault" in publicKey) return publicKey;
  if (publicKey[0] !== UNCOMPRESSED) {
    return wrong("public_key", fields.public_key, "an uncompressed point");
  }
  return { ...read, publicKey };
}

type Fields = Readonly<Record<string, unknown>>;

const AUTH_TYPE = "AUTH_RESP";
const EVENTS: ReadonlyMap<string, Exclude<OwnExtension, "session">> = new Map([
  ["BATT_TELEM", "battery"],
  ["STATUS", "status"],
  ["FAULT", "fault"],
]);
const HASH_SIZE = 32;
const SIGNATURE_SIZE = 64;
const SESSION_ID_SIZE = 16;
const POINT_SIZE = 65;
const UNCOMPRESSED = 0x04;
const EXPIRES_MAX = 0xffff_ffff;

/** Of values that their schemas have let pass. */
const BODIES = {
  battery(value: Fields): JsonEventBody | JsonFault {
    const bike = value.bike_id as string;
    // The schema counts characters.
    if (new TextEncoder().encode(bike).length > BIKE_MAX) {
      return wrong("extensions.battery: /bike_id", bike, `at most ${BIKE_MAX} octets`);
    }
    const digest = octetsOf("extensions.battery: /digest", value.digest, HASH_SIZE);
    if ("fault" in digest) return digest;
    const data = Uint8Array.fromBase64(value.data as string);
    return {
      kind: "battery",
      report: { bike, time: BigInt(value.time_ms as number), data },
      digest,
    };
  },
  status: (value: Fields): JsonEventBody => ({
    kind: "status",
    state: value.state as PileState,
    power: value.power_w as number,
    energy: value.energy_wh as number,
  }),
  fault: (value: Fields): JsonEventBody => ({
    kind: "fault",
    code: value.code as number,
    hazard: value.hazard as boolean,
    ...value.text !== undefined && { text: value.text as string },
  }),
};

function headOf(envelope: Envelope): Omit<JsonEventHead, "warnings"> | JsonFault {
  const { device, sequence, id, tags = [] } = envelope;
  if (device === "") return wrong("device_id", device, "a text");
  const head = { device, sequence, tags, ...id !== undefined && { id } };
  const signature = envelope.signature === "" ? undefined : octetsOf("sig", envelope.signature);
  if (signature && "fault" in signature) return signature;
  const policyHash = envelope.policyHash === ""
    ? undefined
    : octetsOf("policy_hash", envelope.policyHash, HASH_SIZE);
  if (policyHash && "fault" in policyHash) return policyHash;
  return { ...head, ...signature && { signature }, ...policyHash && { policyHash } };
}

function sessionOf(
  value: unknown,
): Pick<JsonAuth, "signer" | "publicKey" | "cipher"> | JsonFault {
  if (value === undefined) return {};
  // Even of an unknown version: nobody guesses at keys.
  const odd = checkExtension("session", value);
  if (odd !== undefined) return { fault: `extensions.session: ${odd}` };
  const { public_key: digits, signer, cipher } = value as {
    readonly public_key: string;
    readonly signer: PileKey["signer"];
    readonly cipher?: "sm4-gcm" | "aes-gcm";
  };
  const publicKey = octetsOf("extensions.session: /public_key", digits, POINT_SIZE);
  return "fault" in publicKey ? publicKey : { signer, publicKey, ...cipher && { cipher } };
}

/** What the reader passes over without a word, and what it takes from another place. */
function leftOut(dialect: Dialect, fields: Fields): string[] {
  const has = (name: string) => Object.hasOwn(fields, name);
  if (dialect === "1.2") return ["envelope", "extensions"].filter(has);
  const inner = (name: string) => {
    const value = fields[name];
    return isObject(value) ? Object.keys(value) : [];
  };
  const left = inner("envelope").filter((name) => name !== "id");
  const lenient = dialect === "lenient";
  if (lenient && has("tx_hash") && inner("envelope").includes("id")) left.unshift("id");
  const names = left.map((name) => `envelope.${name}`);
  const twice = lenient && has("meta_tags") && inner("extensions").includes("tags");
  return twice ? [...names, "extensions.tags"] : names;
}

function isZero(value: unknown): boolean {
  return value === 0 || typeof value === "string" && /^0+$/.test(value);
}

/** Numbers that were rounded when they were read, and would be written so. */
function inexact({ extensions, unknown }: Envelope): string[] {
  const all = [...extensions].map(([name, value]) => [`extensions.${name}`, value] as const);
  return [...all, ...unknown].filter(([, value]) => isInexact(value))
    .map(([name]) => `${name.slice(0, 40)} has a number that is too large to be carried exactly`);
}

function isInexact(value: unknown): boolean {
  const left = [value];
  for (const one of left) {
    if (typeof one === "number" && Math.abs(one) > Number.MAX_SAFE_INTEGER) return true;
    if (typeof one !== "object" || one === null) continue;
    for (const inner of Object.values(one)) left.push(inner);
  }
  return false;
}

function octetsOf(field: string, value: unknown, size?: number): Uint8Array | JsonFault {
  const digits = typeof value === "string" ? value.replace(/^0x/i, "") : "";
  const good = /^([0-9a-f]{2})+$/i.test(digits) &&
    (size === undefined || digits.length === 2 * size);
  if (good) return Uint8Array.fromHex(digits);
  return wrong(field, value, `${size === undefined ? "" : `${size} `}octets in hexadecimal`);
}

function wrong(field: string, value: unknown, expected: string): JsonFault {
  const found = value === undefined ? "is missing" : `is ${JSON.stringify(value).slice(0, 40)}`;
  return { fault: `${field} ${found}; it has to be ${expected}` };
}

function hex(octets: Uint8Array): string {
  return `0x${octets.toHex()}`;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsOf(text: string): Fields | undefined {
  if (text.length > ENVELOPE_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
