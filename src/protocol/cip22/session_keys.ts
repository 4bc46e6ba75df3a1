/**
 * Keys of a session, and the frames that are sealed with them: one key for each direction, a
 * counter in every frame, a window of counters on the other side. HKDF as RFC 5869, nonces as TLS
 * 1.3 makes them (RFC 8446, 5.3).
 * @module
 */
import { BugError } from "../../base/errors.ts";
import { type Aead, NONCE_SIZE, TAG_SIZE } from "../../crypto/aead.ts";
import { hkdf, type HkdfHash } from "../../crypto/kdf.ts";
import { crc8, type CrcKind, type Frame, HEADER_SIZE, MAGIC, PAYLOAD_MAX } from "./frame.ts";

const KEY_SIZE = 16;
const CHECK_SIZE = 4;
const COUNTER_SIZE = 8;
/** Octets that a sealed frame has beside its text, within the payload. */
export const SEAL_OVERHEAD = COUNTER_SIZE + TAG_SIZE;
/** Frames after which there have to be new keys. */
export const FRAMES_MAX = 2 ** 24;
/** Counters before the newest that are still taken, once each. */
export const WINDOW = 64;
const INFO = new TextEncoder().encode("sm4-key@evse");

/** What both sides derive. */
export interface SessionKeys {
  /** From the pile to the gateway. */
  readonly up: Uint8Array;
  /** From the gateway to the pile. */
  readonly down: Uint8Array;
  /** What counters are added to. */
  readonly base: Uint8Array;
  /** Tells a wrong key at once; it may be logged. */
  readonly check: Uint8Array;
}

/**
 * Derives the keys of a session.
 * @param secret What both sides have agreed on.
 * @param sessionId 16 octets that never come twice.
 */
export function sessionKeys(
  hash: HkdfHash,
  secret: Uint8Array,
  sessionId: Uint8Array,
): SessionKeys {
  const octets = hkdf(hash, { secret, salt: sessionId, info: INFO }, 48);
  const keys = {
    up: octets.slice(0, KEY_SIZE),
    down: octets.slice(KEY_SIZE, 2 * KEY_SIZE),
    base: octets.slice(2 * KEY_SIZE, 2 * KEY_SIZE + NONCE_SIZE),
    check: octets.slice(2 * KEY_SIZE + NONCE_SIZE, 2 * KEY_SIZE + NONCE_SIZE + CHECK_SIZE),
  };
  octets.fill(0);
  return keys;
}

/** The nonce of a counter: the base with the counter added to its last 8 octets without carry. */
export function nonceOf(base: Uint8Array, counter: number, target: Uint8Array): Uint8Array {
  target.set(base);
  const high = Math.floor(counter / 2 ** 32);
  for (let index = 0; index < 4; index += 1) {
    target[4 + index]! ^= high >>> (24 - 8 * index);
    target[8 + index]! ^= counter >>> (24 - 8 * index);
  }
  return target;
}

/** One direction, out: seals frames, each with the next counter. */
export class Sealer {
  readonly #nonce = new Uint8Array(NONCE_SIZE);
  #counter = 0;

  /** @param most Frames until there have to be new keys. */
  constructor(
    readonly aead: Aead,
    readonly base: Uint8Array,
    readonly crc: CrcKind = "itu",
    readonly most = FRAMES_MAX,
  ) {}

  /** Counter of the last frame; 0 before the first. */
  get counter(): number {
    return this.#counter;
  }

  /**
   * Makes a frame of a text: its header and counter can be read, and not be changed.
   * @throws BugError beyond `most` frames: the session needs new keys before.
   */
  seal(type: number, text: Uint8Array): Uint8Array {
    const length = text.length + SEAL_OVERHEAD;
    if (length > PAYLOAD_MAX) {
      throw new BugError("cip22.seal.long", "A text is too long for a frame");
    }
    if (this.#counter >= this.most) {
      throw new BugError("cip22.seal.worn", "A session has sealed as many frames as its keys may");
    }
    this.#counter += 1;
    const frame = new Uint8Array(HEADER_SIZE + length + 1);
    frame.set([...MAGIC, length >> 8, length & 0xff, type]);
    new DataView(frame.buffer).setBigUint64(HEADER_SIZE, BigInt(this.#counter));
    const from = HEADER_SIZE + COUNTER_SIZE;
    const nonce = nonceOf(this.base, this.#counter, this.#nonce);
    this.aead.seal(nonce, frame.subarray(0, from), text, 0, text.length, frame, from);
    frame[frame.length - 1] = crc8(frame, 0, frame.length - 1, this.crc);
    return frame;
  }
}

/** Why a sealed frame was not taken. */
export type OpenFault = "short" | "replayed" | "old" | "forged" | "gap";

/** One direction, in: opens frames, each once. */
export class Opener {
  readonly #nonce = new Uint8Array(NONCE_SIZE);
  /** The newest counter that was taken. */
  #newest = 0;
  /** Of the {@linkcode WINDOW} counters up to the newest: those that were taken, newest lowest. */
  #taken = 0n;

  /**
   * @param ordered Whether a frame has to be the very next one. That is for commands, of which one
   * that is missing, or out of its turn, may leave a relay as nobody wanted it.
   */
  constructor(readonly aead: Aead, readonly base: Uint8Array, readonly ordered = false) {}

  /**
   * Opens a frame. A counter counts as taken only when the tag holds, so that nobody can use
   * counters up who has not the key.
   * @returns The text, or why there is none.
   */
  open({ head, payload }: Pick<Frame, "head" | "payload">): Uint8Array | OpenFault {
    if (payload.length < SEAL_OVERHEAD) return "short";
    const view = new DataView(payload.buffer, payload.byteOffset);
    const told = view.getBigUint64(0);
    if (told < 1n || told > BigInt(FRAMES_MAX)) return "forged";
    const counter = Number(told);
    const age = this.#newest - counter;
    if (!this.ordered && age >= WINDOW) return "old";
    if (!this.ordered && age >= 0 && (this.#taken >> BigInt(age) & 1n) === 1n) return "replayed";
    const nonce = nonceOf(this.base, counter, this.#nonce);
    const extra = head.subarray(0, HEADER_SIZE + COUNTER_SIZE);
    const text = new Uint8Array(payload.length - SEAL_OVERHEAD);
    const end = this.aead.open(nonce, extra, payload, COUNTER_SIZE, payload.length, text, 0);
    if (end < 0) return "forged";
    // Only now: what nobody has sealed tells nothing of the order.
    if (this.ordered && age !== -1) return age < 0 ? "gap" : "replayed";
    if (age < 0) {
      this.#taken = BigInt.asUintN(WINDOW, this.#taken << BigInt(Math.min(-age, WINDOW)) | 1n);
      this.#newest = counter;
    } else this.#taken |= 1n << BigInt(age);
    return text;
  }
}
