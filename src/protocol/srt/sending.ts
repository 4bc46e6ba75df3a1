/**
 * What is sent and not yet acknowledged: new packets, what the peer lacks, pacing, and what has
 * become too old. §4.5, §4.6, §5.1
 * @module
 */
import { DEFAULT, HEADER, IP_UDP } from "./constants.ts";
import { advance, distance, nextMessage } from "./numbers.ts";
import type { Packet, PacketPool } from "./packet.ts";
import { Ranges } from "./ranges.ts";

/** Time by which the too-late rule is softened, in microseconds. */
const DROP_SLACK = 20_000;
const DROP_LEAST = 1_000_000;
/** The input is measured for so long, in microseconds. */
const ESTIMATE_EVERY = 1_000_000;
const ESTIMATE_FIRST = 500_000;
/** Weight of a payload in the average. */
const PAYLOAD_WEIGHT = 1 / 128;
/** After it fell behind, so much is caught up at once. */
const BURST = 10_000;

/** How fast it may send. */
export interface Bandwidth {
  /** Octets a second; -1: no limit; 0: what comes in, and `overhead`. */
  readonly max: number;
  /** Octets a second that come in; 0: measured. */
  readonly input: number;
  /** Percent for what is sent again. */
  readonly overhead: number;
}

/** Counters of one direction. */
export interface SendStats {
  sent: number;
  sentOctets: number;
  retransmitted: number;
  dropped: number;
  /** What could not be taken, for there was no room. */
  refused: number;
}

/** The sender's half of a connection. */
export class SendBuffer {
  readonly stats: SendStats = { sent: 0, sentOctets: 0, retransmitted: 0, dropped: 0, refused: 0 };
  /** Microseconds before which the next packet may not go. */
  nextAt = 0;
  /** Packets that the peer has room for, from the last acknowledged on. */
  window: number;
  /** When something was acknowledged last, or when there was nothing to acknowledge. */
  progressAt = 0;
  readonly #ring: (Packet | undefined)[];
  readonly #mask: number;
  readonly #losses = new Ranges();
  /** The oldest that is not acknowledged, the next to be sent for the first time, the next free. */
  #first: number;
  #next: number;
  #end: number;
  #message = 1;
  #payload = 1316;
  #estimate = 0;
  #estimateFrom = -1;
  #estimateOctets = 0;

  constructor(
    readonly pool: PacketPool,
    sequence: number,
    window: number,
    readonly bandwidth: Bandwidth,
    readonly capacity: number = DEFAULT.bufferPackets,
  ) {
    this.#ring = new Array(capacity);
    this.#mask = capacity - 1;
    this.#first = this.#next = this.#end = sequence;
    this.window = window;
  }

  /** Packets that wait, acknowledged by nobody. */
  get size(): number {
    return distance(this.#first, this.#end);
  }

  /** Packets that were sent and not acknowledged. */
  get inFlight(): number {
    return distance(this.#first, this.#next);
  }

  /** Packets that can still be taken. */
  get room(): number {
    return this.capacity - this.size;
  }

  /** The last that was sent, one further on. */
  get next(): number {
    return this.#next;
  }

  /** Takes a packet over, to be sent. Returns false when there is no room; it stays the caller's. */
  push(packet: Packet, stamp: number, now: number): boolean {
    if (this.room <= 0) {
      this.stats.refused += 1;
      return false;
    }
    packet.sequence = this.#end;
    packet.stamp = stamp;
    packet.at = now;
    packet.resent = 0;
    const { view } = packet;
    view.setUint32(0, packet.sequence);
    view.setUint32(4, 0xc000_0000 | this.#message);
    view.setUint32(8, stamp >>> 0);
    this.#ring[packet.sequence & this.#mask] = packet;
    if (this.size === 0) this.progressAt = now;
    this.#end = advance(this.#end, 1);
    this.#message = nextMessage(this.#message);
    this.#payload += (packet.length - this.#payload) * PAYLOAD_WEIGHT;
    this.#measure(packet.length, now);
    return true;
  }

  /** Whether there is anything to send, if time and window allow it. */
  get wants(): boolean {
    return this.#losses.size > 0 || this.#canSendNew;
  }

  /**
   * The next packet to send, what the peer lacks first.
   * @param spare Packets that were sent again since then are not sent again yet; microseconds.
   */
  take(
    now: number,
    spare: number,
  ): { readonly packet: Packet; readonly again: boolean } | undefined {
    while (this.#losses.size > 0) {
      const sequence = this.#losses.first!;
      this.#losses.remove(sequence);
      const packet = this.#ring[sequence & this.#mask];
      if (!packet || packet.sequence !== sequence) continue;
      if (packet.resent > 0 && packet.at > spare) continue;
      packet.resent += 1;
      packet.at = now;
      this.stats.retransmitted += 1;
      this.#pace(packet.length, now);
      return { packet, again: true };
    }
    if (!this.#canSendNew) return undefined;
    const packet = this.#ring[this.#next & this.#mask]!;
    // A probe of two: whoever follows the sixteenth goes at once. §4.9
    if ((this.#next & 15) !== 0) this.#pace(packet.length, now);
    this.#next = advance(this.#next, 1);
    this.stats.sent += 1;
    this.stats.sentOctets += packet.length;
    return { packet, again: false };
  }

  /** The peer has everything before `sequence`. Returns false when that was never sent. */
  acknowledge(sequence: number, now: number): boolean {
    if (distance(this.#next, sequence) > 0) return false;
    if (distance(this.#first, sequence) > 0) this.progressAt = now;
    this.#release(sequence);
    return true;
  }

  /**
   * The peer lacks a range.
   * @returns `old` when it begins before what is kept; undefined when it was never sent.
   */
  lost(first: number, last: number): "kept" | "old" | undefined {
    // Both: a range that goes half round the circle ends before where it begins.
    if (distance(last, this.#next) <= 0 || distance(first, this.#next) <= 0) return undefined;
    const old = distance(this.#first, first) < 0;
    const from = old ? this.#first : first;
    if (distance(from, last) >= 0) this.#losses.add(from, last);
    return old ? "old" : "kept";
  }

  /** Nothing was acknowledged for long: everything that is on its way is sent again. */
  lostAll(): void {
    if (this.inFlight > 0) this.#losses.add(this.#first, advance(this.#next, -1));
  }

  /** Forgets what the peer could not use any more. @param latency Of the peer; microseconds. */
  dropLate(originOf: (packet: Packet) => number, latency: number, now: number): number {
    const limit = now - Math.max(latency, DROP_LEAST) - DROP_SLACK;
    let keep = this.#first;
    while (distance(keep, this.#end) > 0) {
      const packet = this.#ring[keep & this.#mask];
      if (packet && originOf(packet) >= limit) break;
      keep = advance(keep, 1);
    }
    const count = distance(this.#first, keep);
    if (count <= 0) return 0;
    this.stats.dropped += count;
    if (distance(this.#next, keep) > 0) this.#next = keep;
    this.#release(keep);
    this.progressAt = now;
    return count;
  }

  /** The oldest packet that is kept. */
  get oldest(): Packet | undefined {
    return this.#ring[this.#first & this.#mask];
  }

  get first(): number {
    return this.#first;
  }

  /** Gives everything back. */
  clear(): void {
    this.#next = this.#end;
    this.#release(this.#end);
  }

  /** Octets a second that may be sent. */
  get rate(): number {
    const { max, input, overhead } = this.bandwidth;
    if (max > 0) return max;
    const from = max < 0 ? 0 : input > 0 ? input : this.#estimate;
    return from > 0 ? from * (1 + overhead / 100) : DEFAULT.maxBandwidth;
  }

  get #canSendNew(): boolean {
    return this.#next !== this.#end && this.inFlight < this.window;
  }

  #pace(length: number, now: number): void {
    const period = (this.#payload + HEADER + IP_UDP) * 1_000_000 / this.rate;
    void length;
    this.nextAt = Math.max(this.nextAt, now - BURST) + period;
  }

  #measure(length: number, now: number): void {
    if (this.bandwidth.max !== 0 || this.bandwidth.input > 0) return;
    if (this.#estimateFrom < 0) this.#estimateFrom = now;
    this.#estimateOctets += length + HEADER + IP_UDP;
    const span = now - this.#estimateFrom;
    const wanted = this.#estimate === 0 ? ESTIMATE_FIRST : ESTIMATE_EVERY;
    if (span < wanted) return;
    this.#estimate = this.#estimateOctets * 1_000_000 / span;
    this.#estimateFrom = now;
    this.#estimateOctets = 0;
  }

  #release(before: number): void {
    while (distance(this.#first, before) > 0) {
      const at = this.#first & this.#mask;
      const packet = this.#ring[at];
      if (packet) this.pool.give(packet);
      this.#ring[at] = undefined;
      this.#first = advance(this.#first, 1);
    }
    this.#losses.removeBefore(this.#first);
  }
}
