/**
 * What a service of the byte plane may ask of the system. It runs in a worker whose loop never
 * awaits: every call here is a plain synchronous call. Frames live in a {@linkcode FrameBatch} that
 * is allocated once; nothing on the path of a frame allocates.
 * @module
 */
/**
 * A fixed set of equal slots for frames. Slot `i` is the octets `[i * slotSize, (i + 1) * slotSize)`
 * of `octets`; its frame is at `start[i]` (an offset into `octets`) and `length[i]` long. A frame is
 * rewritten in place: moving `start` gives or takes header octets without copying the payload.
 */
export interface FrameBatch {
  readonly octets: Uint8Array;
  readonly slots: number;
  readonly slotSize: number;
  /** Octets left free in front of a frame when one is received. */
  readonly headroom: number;
  readonly start: Int32Array;
  readonly length: Int32Array;
  /** IPv4 source of each datagram as a big-endian number; 0 for frames of an interface. */
  readonly source: Uint32Array;
  /** Slots in use, from slot 0 on. */
  count: number;
}

/** Tells a doorbell or a descriptor from another in {@linkcode Poller.wait}. */
export interface Pollable {
  readonly fd: number;
}

/** Waits for several descriptors, with the worker's doorbell always among them. */
export interface Poller extends Disposable {
  /** Watches for input. @returns The place of its result bit. */
  add(what: Pollable): number;
  remove(what: Pollable): void;
  /**
   * Blocks until something is ready or `timeoutMs` (at most 100) has passed.
   * @returns How many are ready; ask each by {@linkcode ready}.
   */
  wait(timeoutMs: number): number;
  /** Whether `what` had input, an error or a hang-up in the last wait. */
  ready(what: Pollable): boolean;
}

/** The system, as a service of the byte plane sees it. */
export interface HotPlatform {
  poller(): Poller;
}
