/** The end that calls, until there is a connection, without I/O. §4.3.1 */
import { after, type Instant, millis } from "../../base/time.ts";
import { DEFAULT, EXTENSION_FIELD, FLAG, HANDSHAKE, MAGIC, REJECT } from "./constants.ts";
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
import { controlType, isControl, word } from "./packet.ts";

/** How often a handshake is said again. */
const REPEAT_EVERY = millis(250);
const SEQUENCE_END = 0x7fff_ffff;

/** What a caller needs beside. */
export interface CallerOptions extends EndpointOptions {
  /** IPv4 address that is called, as a number. */
  readonly target: number;
  readonly streamId?: string;
  readonly secret?: Secret;
}

/** Calls. */
export class SrtCaller {
  /** What came of it; undefined while it is under way. */
  connection: SrtConnection | undefined;
  /** Why there is none; one of {@linkcode REJECT}, or 2000 and more. */
  rejected: number | undefined;
  readonly socketId: number;
  readonly #sequence: number;
  readonly #keys: Keys | undefined;
  readonly #giveUpAt: Instant;
  #cookie: number | undefined;
  #sayAt: Instant;

  constructor(readonly options: CallerOptions, now: Instant) {
    const { random, secret, connectTimeout } = options;
    this.socketId = randomId(random);
    // Any of 31 bits but the last, which a handshake may not have.
    this.#sequence = (word(random(4), 0) >>> 1) % SEQUENCE_END;
    this.#keys = secret && Keys.make(secret.passphrase, secret.keyLength, random);
    this.#giveUpAt = after(now, connectTimeout ?? millis(DEFAULT.connectTimeoutMs));
    this.#sayAt = now;
  }

  get over(): boolean {
    return this.connection !== undefined || this.rejected !== undefined;
  }

  /** When {@linkcode transmit} has something to do. */
  get deadline(): Instant {
    return this.over ? Infinity as Instant : Math.min(this.#sayAt, this.#giveUpAt) as Instant;
  }

  /** The next datagram to send; undefined when there is none now. */
  transmit(now: Instant): Uint8Array<ArrayBuffer> | undefined {
    if (this.over) return undefined;
    if (now >= this.#giveUpAt) {
      this.rejected = REJECT.timeout;
      return undefined;
    }
    if (now < this.#sayAt) return undefined;
    this.#sayAt = after(now, REPEAT_EVERY);
    return this.#cookie === undefined ? this.#induction(now) : this.#conclusion(now);
  }

  /** Takes a datagram for this socket. */
  receive(datagram: Uint8Array, now: Instant): void {
    if (this.over || !isControl(datagram) || controlType(datagram) !== 0) return;
    const read = readHandshake(datagram);
    if (!read) return;
    const { handshake } = read;
    if (handshake.type >= 1000) {
      this.rejected = handshake.type;
    } else if (handshake.type === HANDSHAKE.induction && this.#cookie === undefined) {
      if (handshake.version !== 5 || handshake.extension !== MAGIC) this.rejected = REJECT.version;
      else {
        this.#cookie = handshake.cookie;
        this.#sayAt = now;
      }
    } else if (handshake.type === HANDSHAKE.conclusion && this.#cookie !== undefined) {
      this.#concluded(read, word(datagram, 8), now);
    }
  }

  #concluded({ handshake, extensions }: HandshakePacket, stamp: number, now: Instant): void {
    const { hs, hsKind, km } = extensions;
    if (!hs || hsKind !== "response") {
      this.rejected = REJECT.rogue;
      return;
    }
    // One word instead of key material is the state of an encryption that failed.
    const secured = km !== undefined && km.length > 4;
    if (this.#keys && !secured) {
      this.rejected = km && word(km, 0) >>> 24 === 4 ? REJECT.badSecret : REJECT.unsecure;
      return;
    }
    this.connection = new SrtConnection(connectionOptions(this.options, {
      ...{ socketId: this.socketId, peerId: handshake.socketId, sequence: this.#sequence },
      ...{ window: handshake.window, hs, stamp, at: now, keys: this.#keys },
      // The answer has our latency as the peer's receiver's, and the other way round.
      ...{ receiveLatency: hs.senderLatency, sendLatency: hs.receiverLatency },
      streamId: this.options.streamId ?? "",
    }));
  }

  #induction(now: Instant): Uint8Array<ArrayBuffer> {
    const handshake = { ...this.#handshake(HANDSHAKE.induction), version: 4, extension: 2 };
    return writeHandshake(handshake, {}, this.#stamp(now), 0);
  }

  #conclusion(now: Instant): Uint8Array<ArrayBuffer> {
    const { streamId, receiveLatency, peerLatency, secret } = this.options;
    const hs = ourHs(this.options, receiveLatency ?? DEFAULT.latencyMs, peerLatency ?? 0);
    const flags = this.#keys ? hs.flags | FLAG.crypt : hs.flags;
    const handshake = {
      ...this.#handshake(HANDSHAKE.conclusion),
      encryption: secret ? secret.keyLength / 8 : 0,
      extension: EXTENSION_FIELD.hs | (this.#keys ? EXTENSION_FIELD.km : 0) |
        (streamId ? EXTENSION_FIELD.config : 0),
    };
    return writeHandshake(
      handshake,
      {
        hs: { ...hs, flags, kind: "request" },
        ...(streamId ? { streamId } : {}),
        ...(this.#keys ? { km: { kind: "request", octets: this.#keys.material() } } : {}),
      },
      this.#stamp(now),
      0,
    );
  }

  #handshake(type: number): Handshake {
    return {
      ...{ version: 5, encryption: 0, extension: 0, sequence: this.#sequence, type },
      ...{ mtu: DEFAULT.mtu, window: DEFAULT.bufferPackets, socketId: this.socketId },
      ...{ cookie: this.#cookie ?? 0, peer: this.options.target },
    };
  }

  #stamp(now: Instant): number {
    return (now - this.options.startedAt) * 1000;
  }
}
