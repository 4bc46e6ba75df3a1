/**
 * The end that is called, without I/O. Until a caller has shown that it hears us (the cookie) no
 * state is kept of it, and nothing larger is sent than what came. §4.3.1
 * @module
 */
import { createHmac } from "node:crypto";
import type { Instant } from "../../base/time.ts";
import {
  DEFAULT,
  EXTENSION_FIELD,
  FLAG,
  HANDSHAKE,
  MAGIC,
  REJECT,
  SRT_VERSION_MIN,
} from "./constants.ts";
import { SrtConnection } from "./connection.ts";
import {
  connectionOptions,
  type EndpointOptions,
  ourHs,
  randomId,
  type Secret,
} from "./endpoint.ts";
import {
  type Handshake,
  type HandshakePacket,
  readHandshake,
  writeHandshake,
} from "./handshake.ts";
import { Keys } from "./keys.ts";
import { controlType, destination, isControl, word } from "./packet.ts";

const MINUTE = 60_000;

/** Whom a caller says to be. */
export interface CallRequest {
  /** `address:port`. */
  readonly from: string;
  readonly streamId: string;
  readonly encrypted: boolean;
}

/** What becomes of a caller. */
export type CallDecision =
  | { readonly kind: "accept"; readonly secret: Secret | undefined }
  /** One of {@linkcode REJECT}, or 2000 and more. */
  | { readonly kind: "reject"; readonly code: number };

/** What a listener needs beside. */
export interface ListenerOptions extends EndpointOptions {
  readonly decide: (request: CallRequest) => CallDecision;
  readonly connectionsMax: number;
}

/** Counters of a listener. */
export interface ListenerStats {
  inductions: number;
  conclusions: number;
  repeated: number;
  badCookies: number;
  malformed: number;
  rejected: number;
}

/** What came of a datagram. */
export interface Heard {
  /** To be sent back to where it came from. */
  readonly reply?: Uint8Array<ArrayBuffer>;
  /** A connection that was just made. */
  readonly connection?: SrtConnection;
  /** Why a caller was refused. */
  readonly rejected?: number;
}

const NOTHING: Heard = {};

interface Known {
  readonly connection: SrtConnection;
  readonly reply: Uint8Array<ArrayBuffer>;
}

/** Listens. One for each UDP port. */
export class SrtListener {
  readonly stats: ListenerStats = {
    ...{ inductions: 0, conclusions: 0, repeated: 0, badCookies: 0, malformed: 0, rejected: 0 },
  };
  readonly #secret: Uint8Array;
  readonly #known = new Map<string, Known>();

  constructor(readonly options: ListenerOptions) {
    this.#secret = options.random(32);
  }

  /** Connections that live. */
  get connections(): number {
    return this.#known.size;
  }

  /** Takes a datagram that is for socket 0. @param from `address:port` of the caller. */
  receive(datagram: Uint8Array, from: string, address: number, now: Instant): Heard {
    if (!isControl(datagram) || controlType(datagram) !== 0 || destination(datagram) !== 0) {
      this.stats.malformed += 1;
      return NOTHING;
    }
    const read = readHandshake(datagram);
    if (!read) {
      this.stats.malformed += 1;
      return NOTHING;
    }
    const stamp = word(datagram, 8);
    const { type } = read.handshake;
    if (type === HANDSHAKE.induction) return this.#induction(read.handshake, from, address, now);
    if (type === HANDSHAKE.conclusion) return this.#conclusion(read, from, address, stamp, now);
    this.stats.malformed += 1;
    return NOTHING;
  }

  /** A connection is over: its caller may come again. */
  forget(connection: SrtConnection): void {
    for (const [key, known] of this.#known) {
      if (known.connection === connection) this.#known.delete(key);
    }
  }

  #induction(asked: Handshake, from: string, address: number, now: Instant): Heard {
    this.stats.inductions += 1;
    const handshake: Handshake = {
      ...asked,
      version: 5,
      encryption: 0,
      extension: MAGIC,
      cookie: this.#cookie(from, now, 0),
      peer: address,
    };
    return { reply: this.#write(handshake, {}, asked.socketId, now) };
  }

  #conclusion(
    read: HandshakePacket,
    from: string,
    address: number,
    stamp: number,
    now: Instant,
  ): Heard {
    const { handshake, extensions } = read;
    const { socketId, sequence, cookie } = handshake;
    const right = cookie === this.#cookie(from, now, 0) || cookie === this.#cookie(from, now, 1);
    if (!right) {
      // No answer: whoever forges addresses is not to be helped.
      this.stats.badCookies += 1;
      return NOTHING;
    }
    this.stats.conclusions += 1;
    const key = `${from}/${socketId}/${sequence}`;
    const known = this.#known.get(key);
    if (known) {
      this.stats.repeated += 1;
      return { reply: known.reply };
    }
    const refused = this.#check(read);
    if (refused !== undefined) return this.#reject(handshake, refused, now);
    if (this.#known.size >= this.options.connectionsMax) {
      return this.#reject(handshake, REJECT.backlog, now);
    }
    const { streamId, km } = extensions;
    const decision = this.options.decide({ from, streamId, encrypted: km !== undefined });
    if (decision.kind === "reject") return this.#reject(handshake, decision.code, now);
    const keys = this.#keys(km, decision.secret?.passphrase);
    if (typeof keys === "number") return this.#reject(handshake, keys, now);
    return this.#accept(read, keys, { key, address, stamp, now });
  }

  #accept(
    { handshake, extensions }: HandshakePacket,
    keys: Keys | undefined,
    call: { key: string; address: number; stamp: number; now: Instant },
  ): Heard {
    const { options } = this;
    const { hs, streamId, km } = extensions;
    const own = options.receiveLatency ?? DEFAULT.latencyMs;
    const receiveLatency = Math.max(own, hs?.senderLatency ?? 0);
    const sendLatency = Math.max(options.peerLatency ?? 0, hs?.receiverLatency ?? 0);
    const socketId = randomId(options.random);
    const { stamp, now } = call;
    const connection = new SrtConnection(connectionOptions(options, {
      ...{ socketId, peerId: handshake.socketId, sequence: handshake.sequence, keys, streamId, hs },
      ...{ window: handshake.window, receiveLatency, sendLatency, stamp, at: now },
    }));
    const mtu = Math.min(DEFAULT.mtu, handshake.mtu);
    const answered = {
      ...handshake,
      ...{ encryption: 0, socketId, mtu, window: DEFAULT.bufferPackets, peer: call.address },
      extension: hs ? EXTENSION_FIELD.hs | (km ? EXTENSION_FIELD.km : 0) : handshake.extension,
    };
    const response = ourHs(options, receiveLatency, sendLatency);
    // What the peer cannot mark we need not either.
    const flags = (hs?.flags ?? 0) & FLAG.retransmitted
      ? response.flags
      : response.flags & ~FLAG.retransmitted;
    const reply = this.#write(
      answered,
      {
        ...(hs ? { hs: { ...response, flags, kind: "response" as const } } : {}),
        ...(hs && km ? { km: { kind: "response" as const, octets: km } } : {}),
      },
      handshake.socketId,
      now,
    );
    this.#known.set(call.key, { connection, reply });
    return { reply, connection };
  }

  /** Why a conclusion cannot be; undefined when it can. */
  #check({ handshake, extensions }: HandshakePacket): number | undefined {
    if (handshake.version === 4) return undefined;
    const { hs, hsKind, congestion, filter, km } = extensions;
    const said = handshake.extension;
    const sound = hs && hsKind === "request" && (said & EXTENSION_FIELD.hs) !== 0 &&
      ((said & EXTENSION_FIELD.km) !== 0) === (km !== undefined);
    if (!sound) return REJECT.rogue;
    if (hs.version < SRT_VERSION_MIN) return REJECT.version;
    if ((hs.flags & FLAG.stream) !== 0) return REJECT.messageApi;
    if (congestion !== "" && congestion !== "live") return REJECT.congestion;
    return filter === "" ? undefined : REJECT.filter;
  }

  /** Keys, none, or why there cannot be any. */
  #keys(km: Uint8Array | undefined, passphrase: string | undefined): Keys | undefined | number {
    if (km === undefined && passphrase === undefined) return undefined;
    if (km === undefined || passphrase === undefined) return REJECT.unsecure;
    const keys = Keys.open(km, passphrase);
    if (keys === "bad_secret") return REJECT.badSecret;
    return keys === "bad_mode" ? REJECT.crypto : keys;
  }

  #reject(handshake: Handshake, code: number, now: Instant): Heard {
    this.stats.rejected += 1;
    const refusal = { ...handshake, version: 5, encryption: 0, extension: 0, type: code };
    return { reply: this.#write(refusal, {}, handshake.socketId, now), rejected: code };
  }

  #write(
    handshake: Handshake,
    extensions: Parameters<typeof writeHandshake>[1],
    to: number,
    now: Instant,
  ): Uint8Array<ArrayBuffer> {
    const stamp = (now - this.options.startedAt) * 1000;
    return writeHandshake(handshake, extensions, stamp, to);
  }

  /** A caller that sends it back hears what is sent to its address. */
  #cookie(from: string, now: Instant, minutesAgo: number): number {
    const minute = Math.floor(now / MINUTE) - minutesAgo;
    const digest = createHmac("sha256", this.#secret).update(`${from} ${minute}`).digest();
    return word(digest, 0);
  }
}
