/**
 * Numbers and words of SRT. Where the draft and deployed implementations differ, what is on the
 * wire holds. draft-sharabayko-srt-01
 * @module
 */

/** Octets of a header. §3 */
export const HEADER = 16;
/** Octets of a handshake without extensions. §3.2.1 */
export const HANDSHAKE_SIZE = 48;
/** Octets of IPv4 and UDP in front of each packet, for pacing. */
export const IP_UDP = 28;
/** Largest payload of a packet: 1500 less IP, UDP and SRT. */
export const PAYLOAD_MAX = 1456;
/** Largest packet. */
export const PACKET_MAX = HEADER + PAYLOAD_MAX;
/** The version that is told to peers, as 0xMMmmpp. */
export const SRT_VERSION = 0x010503;
/** Least version of a peer. */
export const SRT_VERSION_MIN = 0x010300;

/** Types of control packets. §3.2 */
export const CONTROL = {
  handshake: 0,
  keepalive: 1,
  ack: 2,
  nak: 3,
  congestion: 4,
  shutdown: 5,
  ackack: 6,
  dropRequest: 7,
  peerError: 8,
  user: 0x7fff,
} as const;

/** Subtypes of `user`. */
export const USER = { hsRequest: 1, hsResponse: 2, kmRequest: 3, kmResponse: 4 } as const;

/** Types of a handshake. §3.2.1 */
export const HANDSHAKE = {
  induction: 1,
  waveahand: 0,
  conclusion: -1,
  agreement: -2,
} as const;

/** In the induction's answer: this is SRT. §4.3.1.1 */
export const MAGIC = 0x4a17;

/** Extensions of a handshake. §3.2.1.1 */
export const EXTENSION = {
  hsRequest: 1,
  hsResponse: 2,
  kmRequest: 3,
  kmResponse: 4,
  streamId: 5,
  congestion: 6,
  filter: 7,
  group: 8,
} as const;

/** What the extension field of a conclusion says is there. */
export const EXTENSION_FIELD = { hs: 1, km: 2, config: 4 } as const;

/** Flags of HSREQ and HSRSP. §3.2.1.1.1 */
export const FLAG = {
  tsbpdSender: 0x01,
  tsbpdReceiver: 0x02,
  crypt: 0x04,
  tooLateDrop: 0x08,
  nakReport: 0x10,
  retransmitted: 0x20,
  stream: 0x40,
  filter: 0x80,
} as const;

/** Why a handshake is refused; on the wire 1000 and more, or from 2000 on as it is. */
export const REJECT = {
  unknown: 1000,
  system: 1001,
  peer: 1002,
  resource: 1003,
  rogue: 1004,
  backlog: 1005,
  internal: 1006,
  close: 1007,
  version: 1008,
  badSecret: 1010,
  unsecure: 1011,
  messageApi: 1012,
  congestion: 1013,
  filter: 1014,
  timeout: 1016,
  crypto: 1017,
  forbidden: 2403,
  notFound: 2404,
  conflict: 2409,
  unavailable: 2503,
} as const;

/** Words for people. */
export const REJECT_WORDS: Readonly<Record<number, string>> = {
  1000: "unknown",
  1001: "system",
  1002: "peer",
  1003: "resource",
  1004: "rogue: the handshake is malformed",
  1005: "backlog: too many connections",
  1006: "internal",
  1007: "closing",
  1008: "version is too old",
  1010: "wrong passphrase",
  1011: "only one end has a passphrase",
  1012: "message mode differs",
  1013: "congestion control differs",
  1014: "packet filter differs",
  1016: "time-out",
  1017: "cipher differs",
  2403: "forbidden",
  2404: "not found",
  2409: "conflict",
  2503: "not available",
};

/** Defaults of deployed implementations. */
export const DEFAULT = {
  latencyMs: 120,
  connectTimeoutMs: 3000,
  peerIdleMs: 5000,
  /** Packets that a receiver holds, and that may be on their way. */
  bufferPackets: 8192,
  mtu: 1500,
  /** Octets a second when there is no limit: 1 Gbit/s. */
  maxBandwidth: 125_000_000,
  keyRefresh: 2 ** 24,
  keyAnnounce: 2 ** 16,
} as const;
