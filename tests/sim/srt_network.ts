/**
 * Two ends of SRT and a network between them that delays, loses, doubles and turns round, on a
 * clock of its own: events in the order of their time, and a seed that makes it happen again.
 * @module
 */
import type { Instant } from "../../src/base/time.ts";

/** What the network does to a datagram. */
export interface Weather {
  /** Share that is lost, 0 to 1. */
  readonly loss: number;
  /** Milliseconds, and up to how many more by chance: later ones may come first. */
  readonly delay: number;
  readonly jitter: number;
  /** Share that comes twice. */
  readonly twice: number;
}

/** One end, as the network sees it. */
export interface Station {
  receive(datagram: Uint8Array, now: Instant): void;
  /** What it has to send now. */
  transmit(now: Instant): Uint8Array | undefined;
  expire(now: Instant): void;
  readonly deadline: Instant;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly act: (now: Instant) => void;
}

/** The network and its clock. */
export class Network {
  now: Instant;
  weather: Weather;
  sent = 0;
  lost = 0;
  readonly #stations: (Station & { peer?: Station })[] = [];
  readonly #events: Event[] = [];
  #order = 0;

  /** @param dice A number from 0 to 1, by chance. */
  constructor(weather: Weather, readonly dice: () => number, start = 1000) {
    this.weather = weather;
    this.now = start as Instant;
  }

  join(one: Station, other: Station): void {
    this.#stations.push(Object.assign(one, { peer: other }), Object.assign(other, { peer: one }));
  }

  /** Something that happens at a time. */
  at(time: number, act: (now: Instant) => void): void {
    const event = { at: time, order: this.#order += 1, act };
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.at <= time) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
  }

  /** Lets time pass. */
  run(until: number): void {
    this.#settle();
    for (;;) {
      const due = Math.min(...this.#stations.map(({ deadline }) => deadline));
      const next = Math.min(due, this.#events[0]?.at ?? Infinity);
      if (next > until) break;
      // A deadline in the past means now; time never goes back, and a little always passes.
      this.now = Math.max(this.now + 0.001, next) as Instant;
      while (this.#events.length > 0 && this.#events[0]!.at <= this.now) {
        this.#events.shift()!.act(this.now);
      }
      this.#settle();
    }
    this.now = Math.max(this.now, until) as Instant;
  }

  #settle(): void {
    for (const station of this.#stations) {
      station.expire(this.now);
      for (let one = station.transmit(this.now); one; one = station.transmit(this.now)) {
        this.#carry(one.slice(), station.peer!);
      }
    }
  }

  #carry(datagram: Uint8Array, to: Station): void {
    const { loss, delay, jitter, twice } = this.weather;
    this.sent += 1;
    if (this.dice() < loss) {
      this.lost += 1;
      return;
    }
    const copies = this.dice() < twice ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      this.at(this.now + delay + this.dice() * jitter, (now) => to.receive(datagram, now));
    }
  }
}
