/**
 * TCP streams for a worker of the byte plane: sockets that never block, pipes of the kernel through
 * which octets go from one socket to another without being copied, and a poller that tells once of
 * each change. Calls on the path of octets do not throw: one that failed returns a negative
 * {@linkcode STREAM_FAULT}.
 * @module
 */
import type { Pollable } from "./hot.ts";

/** Why a call failed; the numbers are Linux's. */
export const STREAM_FAULT = {
  again: 11,
  interrupted: 4,
  /** No more descriptors, of the process or of the system. */
  tooManyFiles: 24,
  systemFull: 23,
  noMemory: 12,
  noBuffers: 105,
  /** The other end takes no more. */
  brokenPipe: 32,
  reset: 104,
  aborted: 103,
  timedOut: 110,
} as const;

/** What a poller tells; bits. */
export const READY = {
  input: 0x1,
  output: 0x4,
  error: 0x8,
  /** Both directions are shut. */
  hangup: 0x10,
  /** The peer sends no more. */
  peerClosed: 0x2000,
} as const;

/** What a listening socket has to be like. */
export interface ListenOptions {
  /** Numeric, IPv4 or IPv6. */
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly backlog: number;
  /** Octets; what is accepted inherits them. 0 leaves it to the kernel. */
  readonly sendBuffer: number;
  readonly receiveBuffer: number;
}

/** Waits for connections. */
export interface StreamListener extends Pollable, Disposable {
  readonly port: number;
  /** The next connection, or a negative fault. It has no delay (TCP_NODELAY) and is kept alive. */
  accept(): StreamSocket | number;
}

/** What the kernel measures of a connection. tcp(7), TCP_INFO */
export interface StreamInfo {
  /** Smoothed round-trip time in microseconds. */
  rtt: number;
  /** Segments that were sent again, ever. */
  retransmitted: number;
  /** Segments sent, ever. */
  segmentsOut: number;
  /** Segments that are taken for lost now. */
  lost: number;
  /** Octets that wait to be sent or acknowledged. */
  unsent: number;
}

/** One connection. Disposing closes it: what was sent is still delivered. */
export interface StreamSocket extends Pollable, Disposable {
  /** `address:port` of the peer. */
  readonly remote: string;
  /** Looks at the next octets without taking them. Returns how many, 0 at the end, or a fault. */
  peek(into: Uint8Array<ArrayBuffer>): number;
  /** Takes octets. Returns how many, 0 at the end, or a fault. */
  take(into: Uint8Array<ArrayBuffer>, count: number): number;
  /** Returns how many octets were taken over, or a fault. */
  send(octets: Uint8Array<ArrayBuffer>): number;
  /** Octets that have come and were not taken. */
  unread(): number;
  /** Sends nothing more (FIN); what was sent before is delivered. */
  finish(): void;
  /** Ends it at once (RST). */
  reset(): void;
  /** What is not acknowledged within that time is given up, after closing too. */
  giveUpAfter(ms: number): void;
  /** Reads what the kernel measures. Returns false when it does not tell. */
  info(into: StreamInfo): boolean;
}

/** A pipe of the kernel. Disposing it loses what it holds. */
export interface StreamPipe extends Disposable {
  /** Octets that it takes at least. */
  readonly capacity: number;
  /** Moves octets from a socket into the pipe. Returns how many, 0 at the end, or a fault. */
  fill(from: StreamSocket, most: number): number;
  /** Moves octets from the pipe to a socket. Returns how many, or a fault. */
  drain(to: StreamSocket, most: number): number;
}

/** Waits for many descriptors, each with a number of the caller's. Tells of each change once. */
export interface StreamPoller extends Disposable {
  watch(what: Pollable, token: number): void;
  /** Blocks until something has changed or `ms` (0 … 100) have passed. Returns how much. */
  wait(ms: number): number;
  /** The number of change `index` of the last wait. */
  token(index: number): number;
  /** Bits of {@linkcode READY}. */
  changes(index: number): number;
}

/** TCP of this host. */
export interface Streams {
  /** @throws OsError when the address cannot be bound. */
  listen(options: ListenOptions): StreamListener;
  /**
   * @param pages Buffers that it is to hold; the kernel may grant fewer.
   * @throws OsError when there are no more descriptors.
   */
  pipe(pages: number): StreamPipe;
  /** @param most Changes told at once. */
  poller(most: number): StreamPoller;
  /** Descriptors that this process may have open. */
  readonly descriptorsMax: number;
}
