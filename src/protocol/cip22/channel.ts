/**
 * What both ends of a conversation have in common: frames found in what comes, opened where there
 * is a session, read as messages; messages written, sealed, and queued to be sent.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import { type CrcKind, type Frame, FrameReader, writeFrame } from "./frame.ts";
import { type Message, readMessage, typeOf, writeMessage } from "./messages.ts";
import { closeSession, type Session } from "./session.ts";
import { FRAMES_MAX, type OpenFault } from "./session_keys.ts";

/** Frames in a row that cannot be opened, after which there is no use in going on. */
export const FORGED_MAX = 3;
/** Octets that may wait to be sent; a peer that lets more gather does not read. */
export const QUEUE_MAX = 1024 * 1024;
/** Part of the frames of a key after which new keys are wanted. */
const WORN = 0.9;

/** What a channel may be given. */
export interface ChannelOptions {
  readonly crc?: CrcKind | "auto";
  readonly payloadMax?: number;
}

/** Something that came. */
export type Incoming =
  | { readonly kind: "message"; readonly message: Message }
  /** JSON stands in the payload, as older versions have it. */
  | { readonly kind: "json"; readonly text: string; readonly type: number }
  | { readonly kind: "unknown"; readonly type: number }
  /** Counted, and not taken. `clear`: it ought to have been sealed. */
  | {
    readonly kind: "dropped";
    readonly why: OpenFault | "clear" | "malformed";
    readonly code: string;
  };

const OPEN_BRACE = 0x7b;

/** See the module. */
export class Channel {
  readonly reader: FrameReader;
  #session: Session | undefined;
  readonly #crc: CrcKind | "auto";
  readonly #out: Uint8Array[] = [];
  #queued = 0;
  #ended = false;
  /** In a row. */
  #forged = 0;
  /** Sees each frame as it goes over the wire. */
  observer: ((way: "in" | "out", frame: Uint8Array) => void) | undefined;

  constructor({ crc = "auto", payloadMax }: ChannelOptions = {}) {
    this.#crc = crc;
    this.reader = new FrameReader({ crc, ...payloadMax === undefined ? {} : { payloadMax } });
  }

  /** The check of frames that are sent: that of the peer, as soon as it has sent one. */
  get crc(): CrcKind {
    return this.reader.seen ?? (this.#crc === "auto" ? "itu" : this.#crc);
  }

  /** Whether frames are sealed. */
  get isSealed(): boolean {
    return this.#session !== undefined;
  }

  /** Whether new keys are wanted soon. */
  get isWorn(): boolean {
    return (this.#session?.sealer.counter ?? 0) >= WORN * FRAMES_MAX;
  }

  /** Whether the keys have sealed as many frames as they may: nothing can be sent. */
  get isSpent(): boolean {
    const { counter = 0, most = Infinity } = this.#session?.sealer ?? {};
    return counter >= most;
  }

  /** So many frames came in a row that nobody could open: somebody tries. */
  get isAttacked(): boolean {
    return this.#forged >= FORGED_MAX;
  }

  /** Octets that wait to be sent. */
  get queued(): number {
    return this.#queued;
  }

  /** So much waits that the peer cannot be reading. */
  get isFull(): boolean {
    return this.#queued > QUEUE_MAX;
  }

  /** From now on frames are sealed and opened by a session; the keys before are forgotten. */
  use(session: Session | undefined): void {
    if (this.#session) closeSession(this.#session);
    this.#session = session;
  }

  /** Forgets the keys; from now on nothing is sent, for it would not be sealed. */
  end(): void {
    this.#ended = true;
    this.use(undefined);
  }

  /** The next that came. */
  next(now: Instant): Incoming | undefined {
    const frame = this.reader.next(now);
    if (!frame) return undefined;
    this.observer?.("in", frame.head);
    const payload = this.#open(frame);
    if (typeof payload === "string") {
      this.#forged += 1;
      return { kind: "dropped", why: payload, code: `cip22.sealed.${payload}` };
    }
    this.#forged = 0;
    if (payload[0] === OPEN_BRACE) {
      return { kind: "json", text: new TextDecoder().decode(payload), type: frame.type };
    }
    const message = readMessage(frame.type, payload);
    if (!message) return { kind: "unknown", type: frame.type };
    if (message.kind === "malformed") {
      return { kind: "dropped", why: "malformed", code: message.code };
    }
    return { kind: "message", message };
  }

  /** Queues a message. Nothing is queued any more once {@linkcode Channel.isFull}. */
  send(message: Message): void {
    this.sendPayload(typeOf(message), writeMessage(message));
  }

  /** Queues a payload. */
  sendPayload(type: number, payload: Uint8Array): void {
    if (this.isFull || this.isSpent || this.#ended) return;
    const frame = this.#session
      ? this.#session.sealer.seal(type, payload)
      : writeFrame(type, payload, this.crc);
    this.observer?.("out", frame);
    this.raw(frame);
  }

  /** Queues octets as they are. */
  raw(octets: Uint8Array): void {
    this.#out.push(octets);
    this.#queued += octets.length;
  }

  /** The next octets for the wire. */
  transmit(): Uint8Array | undefined {
    const next = this.#out.shift();
    this.#queued -= next?.length ?? 0;
    return next;
  }

  #open(frame: Frame): Uint8Array | OpenFault {
    return this.#session ? this.#session.opener.open(frame) : frame.payload;
  }
}
