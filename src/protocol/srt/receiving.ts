/**
 * What has come and was not delivered: order, gaps, and the time at which each packet is due. §4.5,
 * §4.6, §4.7
 * @module
 */
import { DEFAULT } from "./constants.ts";
import { advance, distance } from "./numbers.ts";
import type { Packet, PacketPool } from "./packet.ts";
import { Ranges } from "./ranges.ts";

/** Samples of drift before it is believed, and how far the base is moved at once. */
const DRIFT_SAMPLES = 1000;
const DRIFT_MAX = 5000;

/** Counters of one direction. */
export interface ReceiveStats {
  received: number;
  receivedOctets: number;
  /** Packets that were missing when a later one came. */
  lost: number;
  /** Missing ones that came after all. */
  recovered: number;
  /** Given up, for they would have come too late. */
  dropped: number;
  /** Came after they were given up, or twice. */
  belated: number;
  /** Beyond the buffer. */
  overrun: number;
  undecrypted: number;
}

/** How packets are delivered. */
export interface Delivery {
  /** Microseconds of our clock at which the peer's clock was 0. */
  readonly base: number;
  /** Microseconds. */
  readonly latency: number;
  /** Whether a packet is held until it is due, or goes as soon as it is its turn. */
  readonly timed: boolean;
  /** Whether gaps are given up when what is behind them is due. */
  readonly dropLate: boolean;
}

/** The receiver's half of a connection. */
export class ReceiveBuffer {
  readonly stats: ReceiveStats = {
    ...{ received: 0, receivedOctets: 0, lost: 0, recovered: 0, dropped: 0, belated: 0 },
    ...{ overrun: 0, undecrypted: 0 },
  };
  readonly losses = new Ranges();
  readonly #ring: (Packet | undefined)[];
  readonly #mask: number;
  /** The next to deliver, and one behind the highest that has come. */
  #first: number;
  #next: number;
  #base: number;
  #drift = 0;
  #driftSum = 0;
  #driftCount = 0;
  #firstRtt: number | undefined;

  constructor(
    readonly pool: PacketPool,
    sequence: number,
    readonly delivery: Delivery,
    readonly capacity: number = DEFAULT.bufferPackets,
  ) {
    this.#ring = new Array(capacity);
    this.#mask = capacity - 1;
    this.#first = this.#next = sequence;
    this.#base = delivery.base;
  }

  /** Everything before it has come, or was given up. */
  get acknowledged(): number {
    return this.losses.first ?? this.#next;
  }

  /** Packets that there is room for. */
  get room(): number {
    return Math.max(0, this.capacity - distance(this.#first, this.#next));
  }

  /** Packets that wait to be delivered, gaps among them. */
  get size(): number {
    return distance(this.#first, this.#next);
  }

  /** Microseconds between the first and the last that wait. */
  get span(): number {
    const [first, last] = [this.#firstPresent(), this.#ring[advance(this.#next, -1) & this.#mask]];
    return first && last ? Math.max(0, last.stamp - first.stamp) : 0;
  }

  /**
   * Takes a packet over when it is of use.
   * @returns The range that it shows to be missing; `true` when it was of use; false: the caller's.
   */
  put(packet: Packet): boolean | readonly [number, number] {
    const { sequence } = packet;
    const offset = distance(this.#first, sequence);
    if (offset < 0 || this.#ring[sequence & this.#mask]?.sequence === sequence) {
      this.stats.belated += 1;
      return false;
    }
    if (offset >= this.capacity) {
      this.stats.overrun += 1;
      return false;
    }
    this.#ring[sequence & this.#mask] = packet;
    this.stats.received += 1;
    this.stats.receivedOctets += packet.length;
    const ahead = distance(this.#next, sequence);
    if (ahead < 0) {
      if (this.losses.remove(sequence)) this.stats.recovered += 1;
      return true;
    }
    const from = this.#next;
    this.#next = advance(sequence, 1);
    if (ahead === 0) return true;
    const last = advance(sequence, -1);
    this.losses.add(from, last);
    this.stats.lost += ahead;
    return [from, last];
  }

  /** When there will be something to deliver; undefined while there is nothing to wait for. */
  get dueAt(): number | undefined {
    if (this.#first === this.#next) return undefined;
    const first = this.#ring[this.#first & this.#mask];
    if (first) return this.delivery.timed ? this.timeOf(first) : 0;
    if (this.losses.first !== this.#first) return 0; // Given up already.
    if (!this.delivery.dropLate) return undefined;
    const present = this.#firstPresent();
    return present && this.timeOf(present);
  }

  /** The next packet whose time has come; it is the caller's. */
  take(now: number): Packet | undefined {
    for (;;) {
      const due = this.dueAt;
      if (due === undefined || due > now) return undefined;
      const at = this.#first & this.#mask;
      const packet = this.#ring[at];
      if (packet) {
        this.#ring[at] = undefined;
        this.#first = advance(this.#first, 1);
        return packet;
      }
      this.#giveUp();
    }
  }

  /** The peer will not send these again. */
  drop(first: number, last: number): void {
    for (const [low, high] of [...this.losses]) {
      const from = distance(low, first) > 0 ? first : low;
      const to = distance(high, last) < 0 ? last : high;
      for (let at = from; distance(at, to) >= 0; at = advance(at, 1)) {
        if (this.losses.remove(at)) this.stats.dropped += 1;
      }
    }
  }

  /** When a packet is due, on our clock. */
  timeOf(packet: Packet): number {
    return this.originOf(packet) + this.delivery.latency;
  }

  /** When a packet was made, on our clock. */
  originOf(packet: Packet): number {
    return this.#base + packet.stamp + this.#drift;
  }

  /** The peer's clock said `stamp` when it was `now` here. §4.7 */
  sampleDrift(stamp: number, now: number, rtt: number): void {
    this.#firstRtt ??= rtt;
    this.#driftSum += now - (this.#base + stamp) - (rtt - this.#firstRtt) / 2;
    this.#driftCount += 1;
    if (this.#driftCount < DRIFT_SAMPLES) return;
    this.#drift = this.#driftSum / this.#driftCount;
    this.#driftSum = this.#driftCount = 0;
    if (Math.abs(this.#drift) > DRIFT_MAX) {
      const step = Math.sign(this.#drift) * DRIFT_MAX;
      this.#base += step;
      this.#drift -= step;
    }
  }

  /** Gives everything back. */
  clear(): void {
    for (const [at, packet] of this.#ring.entries()) {
      if (packet) this.pool.give(packet);
      this.#ring[at] = undefined;
    }
    this.#first = this.#next;
    this.losses.removeBefore(this.#next);
  }

  /** What is missing in front of the first that is there will not come in time. */
  #giveUp(): void {
    while (this.#first !== this.#next && !this.#ring[this.#first & this.#mask]) {
      if (this.losses.remove(this.#first)) this.stats.dropped += 1;
      this.#first = advance(this.#first, 1);
    }
  }

  #firstPresent(): Packet | undefined {
    let at = this.#first;
    // The first range of what is missing is the gap itself; behind it is what is there.
    for (const [low, high] of this.losses) {
      if (low !== at) break;
      at = advance(high, 1);
    }
    for (; at !== this.#next; at = advance(at, 1)) {
      const packet = this.#ring[at & this.#mask];
      if (packet) return packet;
    }
    return undefined;
  }
}
