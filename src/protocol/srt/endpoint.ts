/** What both ends of a handshake need to know of us, and what comes of it. */
import { type Instant, type Millis, millis } from "../../base/time.ts";
import { DEFAULT, FLAG, SRT_VERSION } from "./constants.ts";
import { type ConnectionOptions, UNLIMITED } from "./connection.ts";
import type { HsExtension } from "./handshake.ts";
import type { KeyLength, Keys } from "./keys.ts";
import type { PacketPool } from "./packet.ts";
import type { Bandwidth } from "./sending.ts";

/** A passphrase and how long keys are. */
export interface Secret {
  /** 10 to 79 octets. */
  readonly passphrase: string;
  readonly keyLength: KeyLength;
}

/** How a connection is wanted. */
export interface EndpointOptions {
  /** Milliseconds, 0 to 65,535. */
  readonly receiveLatency?: Millis;
  readonly peerLatency?: Millis;
  readonly delivery?: ConnectionOptions["delivery"];
  readonly bandwidth?: Bandwidth;
  readonly peerIdle?: Millis;
  readonly connectTimeout?: Millis;
  readonly bufferPackets?: number;
  readonly keyRefresh?: number;
  readonly keyAnnounce?: number;
  readonly pool: PacketPool;
  /** So many random octets, which nobody can guess. */
  readonly random: (size: number) => Uint8Array;
  readonly startedAt: Instant;
}

/** What was negotiated. */
export interface Negotiated {
  readonly socketId: number;
  readonly peerId: number;
  readonly sequence: number;
  readonly window: number;
  readonly hs: HsExtension | undefined;
  readonly receiveLatency: number;
  readonly sendLatency: number;
  readonly keys: Keys | undefined;
  readonly streamId: string;
  /** Time stamp of the peer's handshake, and when it came. */
  readonly stamp: number;
  readonly at: Instant;
}

/** The flags that we send. */
export function ourFlags(delivery: ConnectionOptions["delivery"], encrypted: boolean): number {
  const live = FLAG.tsbpdSender | FLAG.tsbpdReceiver | FLAG.tooLateDrop;
  return (delivery === "reliable" ? 0 : live) | FLAG.nakReport | FLAG.retransmitted |
    (encrypted || delivery !== "reliable" ? FLAG.crypt : 0);
}

/** The HSREQ or HSRSP that we send. */
export function ourHs(
  options: EndpointOptions,
  receiverLatency: number,
  senderLatency: number,
): HsExtension {
  const flags = ourFlags(options.delivery ?? "timed", true);
  return { version: SRT_VERSION, flags, receiverLatency, senderLatency };
}

/** The options of a connection out of both. */
export function connectionOptions(own: EndpointOptions, agreed: Negotiated): ConnectionOptions {
  return {
    socketId: agreed.socketId,
    peerId: agreed.peerId,
    sequence: agreed.sequence,
    startedAt: own.startedAt,
    peerStartedAt: agreed.at - agreed.stamp / 1000 as Instant,
    receiveLatency: millis(agreed.receiveLatency),
    sendLatency: millis(agreed.sendLatency),
    delivery: own.delivery ?? "timed",
    peerFlags: agreed.hs?.flags ?? 0,
    window: agreed.window,
    bandwidth: own.bandwidth ?? UNLIMITED,
    peerIdle: own.peerIdle ?? millis(DEFAULT.peerIdleMs),
    keys: agreed.keys,
    keyRefresh: own.keyRefresh ?? DEFAULT.keyRefresh,
    keyAnnounce: own.keyAnnounce ?? DEFAULT.keyAnnounce,
    random: own.random,
    pool: own.pool,
    streamId: agreed.streamId,
    ...(own.bufferPackets === undefined ? {} : { bufferPackets: own.bufferPackets }),
  };
}

/** A random number of 31 bits that is not 0. */
export function randomId(random: (size: number) => Uint8Array): number {
  const [a, b, c, d] = random(4);
  return (((a! & 0x3f) << 24 | b! << 16 | c! << 8 | d!) >>> 0) || 1;
}
