/**
 * What a service of the byte plane may ask of the system. It runs in a worker whose loop never
 * awaits: every call here is a plain synchronous call. Frames live in a {@linkcode FrameBatch} that
 * is allocated once; nothing on the path of a frame allocates, and nothing there throws: a call
 * that failed returns a negative {@linkcode FAULT}.
 * @module
 */
import type { Authenticator } from "../base/authenticator.ts";
import type { Instant } from "../base/time.ts";
import type { Streams } from "./streams.ts";

/** Why a call on the path of a frame failed; the numbers are Linux's. */
export const FAULT = {
  /** Nothing to read, or no room to write, now. */
  again: 11,
  interrupted: 4,
  /** Forbidden, by a packet filter for one. */
  notPermitted: 1,
  /** The interface is down. */
  down: 5,
  /** The interface is no more. */
  gone: 77,
  /** Larger than the path takes. */
  tooBig: 90,
  noBuffers: 105,
  netDown: 100,
  unreachable: 101,
  /** Octets that the interface does not take for a frame. */
  invalid: 22,
} as const;

/**
 * A fixed set of equal slots for frames. Slot `i` is the octets from `i * slotSize` on, `slotSize`
 * of them; its frame begins at `start[i]` (an offset into `octets`) and is `length[i]` long. A
 * frame is rewritten in place: moving `start` gives or takes header octets without copying the
 * payload.
 */
export interface FrameBatch {
  readonly octets: Uint8Array;
  readonly slots: number;
  readonly slotSize: number;
  /** Octets left free in front of a frame when one is received. */
  readonly headroom: number;
  readonly start: Int32Array;
  /** More than a slot holds when a frame was cut on receipt. */
  readonly length: Int32Array;
  /** IPv4 source of each datagram as a number, first octet highest; not used for interfaces. */
  readonly source: Uint32Array;
  /** UDP port that goes with it. Both tell where a datagram goes, for a {@linkcode DatagramPort}. */
  readonly port: Uint16Array;
  /** Slots in use, from slot 0 on. */
  count: number;
}

/** A descriptor that can be waited for. */
export interface Pollable {
  /** -1 once closed. */
  readonly fd: number;
}

/** Waits for several descriptors. */
export interface Poller {
  /** Watches for input. Errors and hang-ups count as input: reading tells which. */
  watch(what: Pollable): void;
  unwatch(what: Pollable): void;
  /** Blocks until something is ready or `ms` (0 … 100) have passed. Returns how many are ready. */
  wait(ms: number): number;
  /** Whether `what` was ready in the last wait. */
  ready(what: Pollable): boolean;
}

/** What a TAP has to be like. */
export interface TapOptions {
  /** 1 … 15 characters. */
  readonly name: string;
  /** `192.168.100.1/24`; absent for none. */
  readonly address: string | undefined;
  readonly mtu: number;
  /** Frames that wait in the kernel for us. */
  readonly queueLength: number;
}

/** What is known of an interface. */
export interface InterfaceState {
  readonly index: number;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** Whether the medium is there (IFF_RUNNING). */
  readonly carrier: boolean;
  /** Its first IPv4 address as a number; 0 when it has none. */
  readonly address: number;
}

/** An open TAP. One that we made goes when it is closed; one that was there before stays. */
export interface TapPort extends Pollable, Disposable {
  readonly name: string;
  /** Whether it was there before us. */
  readonly adopted: boolean;
  /** Reads one frame into a slot, at its headroom. Returns its length or a negative fault. */
  read(batch: FrameBatch, slot: number): number;
  /** Writes the frame of a slot. Returns its length or a negative fault. */
  write(batch: FrameBatch, slot: number): number;
  /** Brings an interface that somebody took down up again. @throws OsError */
  bringUp(): void;
  /** Frames that the kernel dropped because nobody read them fast enough, since it was made. */
  dropped(): number;
}

/** What a multicast socket has to be like. */
export interface GroupOptions {
  /** Dotted group address; undefined with peers. */
  readonly group: string | undefined;
  /** Where each datagram is sent to instead of a group; addresses as numbers. */
  readonly peers: readonly { readonly address: number; readonly port: number }[];
  readonly port: number;
  /** Index of the interface to join and to send on. */
  readonly via: number;
  readonly ttl: number;
  /** Differentiated services code point, 0 … 63. RFC 2474 */
  readonly dscp: number;
  /** Whether this host hears itself. */
  readonly loop: boolean;
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
}

/** A multicast group, joined. */
export interface GroupPort extends Pollable, Disposable {
  /** Octets of the receive buffer that the kernel granted. */
  readonly receiveBuffer: number;
  /** Receives into all slots. Returns how many datagrams, or a negative fault. */
  receive(batch: FrameBatch): number;
  /** Sends the frames of slots `from` … `batch.count - 1`. Returns how many, or a negative fault. */
  send(batch: FrameBatch, from: number): number;
  /** Datagrams that one peer was not sent while another was; always 0 for a group. */
  readonly missed: number;
  /** Datagrams that the kernel dropped because the receive buffer was full. */
  dropped(): number;
}

/** What a UDP socket has to be like. */
export interface DatagramOptions {
  /** IPv4 address, as a number; 0 for all. */
  readonly address: number;
  /** 0: any that is free. */
  readonly port: number;
  readonly ttl: number;
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
}

/** A UDP socket that hears everybody, and sends each datagram where its slot says. */
export interface DatagramPort extends Pollable, Disposable {
  readonly port: number;
  /** Octets of the receive buffer that the kernel granted. */
  readonly receiveBuffer: number;
  /** Receives into all slots. Returns how many datagrams, or a negative fault. */
  receive(batch: FrameBatch): number;
  /** Sends the frames of slots `from` … `batch.count - 1`. Returns how many, or a negative fault. */
  send(batch: FrameBatch, from: number): number;
}

/** What the kernel knows of a membership. */
export interface GroupMembership {
  /** The version of IGMP that the interface speaks now: `V1`, `V2` or `V3`. */
  readonly version: string;
  readonly member: boolean;
}

/** A raw socket for IGMP on one interface. */
export interface IgmpPort extends Disposable {
  /** Sends a message with TTL 1 and Router Alert. Returns its length or a negative fault. */
  send(to: number, message: Uint8Array<ArrayBuffer>): number;
  /** The next datagram that was received, IP header first; undefined when there is none. */
  receive(): Uint8Array | undefined;
}

/** The system, as a service of the byte plane sees it. */
export interface HotPlatform {
  /** TCP. */
  readonly streams: Streams;
  /** Monotonic, for time-outs. */
  now(): Instant;
  /**
   * Microseconds since 1970-01-01T00:00:00Z. It may jump.
   * @param at What {@linkcode now} has just returned: saves another look at the clock.
   */
  epochMicros(at?: Instant): number;
  /** 64 random bits as two halves. */
  randomWords(): readonly [number, number];
  /**
   * Puts the calling thread among the real-time ones. sched(7)
   * @throws OsError: EPERM without CAP_SYS_NICE.
   */
  realtime(priority: number): void;
  /** HMAC-SHA-256 by the system; undefined where it has none, or none that is faster. */
  authenticator(key: Uint8Array): Authenticator | undefined;
  /** Sleeps for about that many microseconds, and for the 50 more by which the kernel may be late. */
  rest(micros: number): void;
  /** A batch for receiving or for sending; one batch is never used for both. */
  batch(slots: number, slotSize: number, headroom: number): FrameBatch;
  poller(): Poller;
  /** @throws OsError: EACCES or EPERM without privilege, ENOENT without /dev/net/tun, EBUSY. */
  openTap(options: TapOptions): TapPort;
  /**
   * Opens an interface that is there already as the station's side.
   * @throws OsError: EPERM without CAP_NET_RAW, ENODEV, ENETDOWN.
   */
  openStation(name: string): TapPort;
  /** @throws OsError when the socket cannot be made, bound or joined. */
  openGroup(options: GroupOptions): GroupPort;
  /** @throws OsError when the address cannot be bound. */
  openDatagrams(options: DatagramOptions): DatagramPort;
  /**
   * Opens a raw socket for IGMP on an interface.
   * @throws OsError: EPERM without CAP_NET_RAW.
   */
  openIgmp(via: { readonly name: string; readonly index: number }): IgmpPort;
  /** What the kernel knows of a group on an interface; undefined where it does not tell. */
  membership(via: string, group: string): GroupMembership | undefined;
  /** The interface of that name, or that has that address; undefined when there is none. */
  interface(name: string): InterfaceState | undefined;
  /** Name of an interface by its name or a local address; of the default route's without either. */
  interfaceName(nameOrAddress: string | undefined): string | undefined;
  /** Every IPv4 address of this host, as numbers. */
  localAddresses(): readonly number[];
}
