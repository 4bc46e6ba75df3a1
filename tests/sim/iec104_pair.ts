/**
 * Two stations of IEC 60870-5-104 joined without sockets, on a clock of their own, over connections
 * that delay, cut up, lose, fall silent and are reset. Each has numbered ASDUs for the other; what
 * was not confirmed when a connection ends is sent again on the next.
 */
import type { Instant, Millis } from "../../src/base/time.ts";
import {
  type Asdu,
  asdu,
  CAUSE,
  Iec104Link,
  type LinkOptions,
  TYPE,
} from "../../src/protocol/iec104/mod.ts";
import { assert } from "../assert.ts";

/** A source of whole numbers below its argument. */
export type Dice = (below: number) => number;

/** How bad the way is: chances in a thousand, for each chunk; of loss, for each APDU. */
export interface Weather {
  readonly lose: number;
  readonly silence: number;
  readonly reset: number;
  /** Longest delay of a chunk in milliseconds. */
  readonly delay: number;
}

/** What happened in a run, to see that something did. */
export interface Tally {
  connections: number;
  delivered: number;
  confirmed: number;
  repeated: number;
  windowFull: number;
  ends: Map<string, number>;
}

interface Chunk {
  readonly at: number;
  readonly octets: Uint8Array;
}

function numbered(number: number): Asdu {
  return asdu({
    type: TYPE.M_BO_NA_1,
    cause: CAUSE.spontaneous,
    commonAddress: 1,
    objects: [{ kind: "bitstring", address: 1, bits: number, quality: 0 }],
  });
}

/** One station: what it has to send, what it has kept, and its end of the connection. */
class Station {
  link!: Iec104Link;
  /** Next number that was never sent, and the oldest that is not confirmed. */
  next = 0;
  confirmed = 0;
  /** Next number on this connection. */
  sending = 0;
  /** All up to here, without a gap, are kept safe. */
  kept = 0;
  /** The last number on this connection. */
  last = -1;
  readonly arriving: Chunk[] = [];
  /** When what was received will have been stored, oldest first. */
  readonly storing: { at: number; number: number }[] = [];
  closed = false;

  constructor(readonly name: string, readonly total: number, readonly options: LinkOptions) {}

  connect(now: number): void {
    this.link = new Iec104Link(this.options, now as Instant);
    this.sending = this.confirmed;
    this.last = -1;
    this.arriving.length = 0;
    this.storing.length = 0;
    this.closed = false;
    if (this.options.role === "controlling") this.link.start(now as Instant);
  }
}

/** Runs a pair until everything has come over, or for an hour of its clock. */
export class Pair {
  now = 0;
  readonly tally: Tally = {
    connections: 0,
    delivered: 0,
    confirmed: 0,
    repeated: 0,
    windowFull: 0,
    ends: new Map(),
  };
  readonly #stations: readonly [Station, Station];
  #silent = [false, false];
  #quiet = false;

  constructor(
    readonly dice: Dice,
    readonly weather: Weather,
    options: readonly [Partial<LinkOptions>, Partial<LinkOptions>],
    total: number,
    readonly storeMax: Millis,
    /** How much is offered at once, and how often a transfer is stopped and started again. */
    readonly habits = { burst: 20, restarts: 20 },
  ) {
    const base = new Iec104Link({ role: "controlling" }, 0 as Instant).options;
    this.#stations = [
      new Station("controlling", total, { ...base, ...options[0], role: "controlling" }),
      new Station("controlled", total, { ...base, ...options[1], role: "controlled" }),
    ];
  }

  /** Runs. @throws AssertionError when something confirmed was not kept, or came twice. */
  run(most: number): void {
    this.#connect();
    const end = this.now + most;
    while (this.now < end && this.#stations.some(({ confirmed, total }) => confirmed < total)) {
      // The last quarter of the time is fair, so that everything can come over.
      this.#quiet = this.now > end * 0.75;
      this.#step();
    }
    for (const [index, station] of this.#stations.entries()) {
      const peer = this.#stations[1 - index]!;
      assert(
        station.confirmed === station.total && peer.kept >= station.total,
        `${station.name}: ${station.confirmed} of ${station.total} confirmed, ${peer.kept} kept`,
      );
    }
  }

  #connect(): void {
    this.tally.connections += 1;
    this.#silent = [false, false];
    for (const station of this.#stations) station.connect(this.now);
  }

  #step(): void {
    for (const [index, station] of this.#stations.entries()) this.#work(station, index);
    if (this.#stations.some(({ closed }) => closed)) {
      this.now += 1 + this.dice(500);
      return this.#connect();
    }
    let next = this.now + 50;
    for (const { link, arriving, storing } of this.#stations) {
      next = Math.min(next, link.deadline ?? next, arriving[0]?.at ?? next, storing[0]?.at ?? next);
    }
    this.now = Math.max(this.now + 1, Math.ceil(next));
  }

  #work(station: Station, index: number): void {
    const { link, arriving, storing } = station;
    const now = this.now as Instant;
    while (arriving[0] && arriving[0].at <= now) link.receive(arriving.shift()!.octets, now);
    link.expire(now);
    assert((link.deadline ?? Infinity) > now, "a deadline that does not move");
    this.#events(station);
    let stored = 0;
    while (storing[0] && storing[0].at <= now) {
      station.kept = Math.max(station.kept, storing.shift()!.number + 1);
      stored += 1;
    }
    if (link.options.acknowledge === "on_release" && stored > 0 && link.state !== "closed") {
      link.release(stored, now);
    }
    this.#offer(station);
    this.#carry(station, index);
  }

  #events(station: Station): void {
    const { link, tally } = { link: station.link, tally: this.tally };
    const peer = this.#stations.find((other) => other !== station)!;
    for (let event = link.event(); event; event = link.event()) {
      if (event.kind === "closed") {
        station.closed = true;
        tally.ends.set(event.why, (tally.ends.get(event.why) ?? 0) + 1);
      } else if (event.kind === "confirmed") {
        station.confirmed += event.count;
        tally.confirmed += event.count;
        assert(
          station.confirmed <= peer.kept,
          `${station.name} has ${station.confirmed} confirmed, ${peer.kept} are kept`,
        );
      } else if (event.kind === "stopped" && link.options.role === "controlling") {
        link.start(this.now as Instant);
      } else if (event.kind === "asdu") {
        const [object] = event.asdu.objects;
        assert(object?.kind === "bitstring");
        this.#received(station, object.bits);
      } else assert(event.kind !== "malformed", "Octets were mixed up");
    }
  }

  #received(station: Station, number: number): void {
    const { tally } = this;
    assert(
      station.last === -1 || number === station.last + 1,
      `${station.name} got ${number} behind ${station.last} on one connection`,
    );
    assert(number <= station.kept + station.storing.length, `${number} came out of its order`);
    station.last = number;
    tally.delivered += 1;
    if (number < station.kept) tally.repeated += 1;
    if (station.link.options.acknowledge === "on_receipt") {
      station.kept = Math.max(station.kept, number + 1);
      return;
    }
    const before = station.storing.at(-1)?.at ?? 0;
    const at = Math.max(before, this.now + this.dice(this.storeMax));
    station.storing.push({ at, number });
  }

  #offer(station: Station): void {
    const { link } = station;
    const now = this.now as Instant;
    for (let left = this.dice(this.habits.burst); left > 0; left -= 1) {
      if (station.sending >= station.total || link.state !== "started") break;
      if (!link.send(numbered(station.sending), now)) {
        this.tally.windowFull += 1;
        break;
      }
      station.sending += 1;
      station.next = Math.max(station.next, station.sending);
    }
    const stops = link.options.role === "controlling" && link.state === "started";
    if (stops && this.dice(10_000) < this.habits.restarts) link.stop(now);
  }

  /** Loses whole APDUs: losing a part of one would make octets that nobody sent. */
  #lost(octets: Uint8Array): Uint8Array {
    const left: number[] = [];
    for (let at = 0; at < octets.length; at += 2 + octets[at + 1]!) {
      const lost = !this.#quiet && this.dice(1000) < this.weather.lose;
      if (!lost) left.push(...octets.subarray(at, at + 2 + octets[at + 1]!));
    }
    return Uint8Array.from(left);
  }

  /** What leaves is cut into chunks, each of which meets the weather. */
  #carry(station: Station, index: number): void {
    const sent = station.link.transmit();
    if (!sent) return;
    const octets = this.weather.lose === 0 ? sent : this.#lost(sent);
    const peer = this.#stations[1 - index]!;
    for (let at = 0; at < octets.length;) {
      const size = 1 + this.dice(this.dice(3) === 0 ? 8 : 400);
      const chunk = octets.subarray(at, at + size);
      at += size;
      const chance = this.#quiet ? 1000 : this.dice(1000);
      const { silence, reset, delay } = this.weather;
      if (chance < reset) station.closed = peer.closed = true;
      else if (chance < reset + silence) this.#silent[index] = true;
      if (this.#silent[index]) continue;
      const before = peer.arriving.at(-1)?.at ?? 0;
      peer.arriving.push({ at: Math.max(before, this.now + this.dice(delay + 1)), octets: chunk });
    }
  }
}
