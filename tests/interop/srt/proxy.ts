/**
 * Bad weather on loopback: a UDP port that hands on to another what comes, later, in another order,
 * or not at all, and the same on the way back. By chance, but the same for the same seed.
 * @module
 */
import { Datagrams } from "../../../src/platform/linux/datagrams.ts";
import { LinuxBatch } from "../../../src/platform/linux/mmsg.ts";
import { random } from "../../sim/random.ts";

const LOOPBACK = 0x7f00_0001;
const SLOTS = 64;
const SLOT_SIZE = 1504;
const BUFFER = 1024 * 1024;

/** What happens on the way. */
export interface Weather {
  /** Percent that is lost, each way. */
  readonly loss: number;
  /** Milliseconds, each way, and up to how many more by chance. */
  readonly delay: number;
  readonly jitter: number;
}

/** A way through bad weather, for one client. */
export class Proxy implements Disposable {
  readonly port: number;
  lost = 0;
  passed = 0;
  readonly #near: Datagrams;
  readonly #far: Datagrams;
  readonly #incoming = new LinuxBatch(SLOTS, SLOT_SIZE, 0);
  readonly #outgoing = new LinuxBatch(1, SLOT_SIZE, 0);
  readonly #dice: (below: number) => number;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #poll: ReturnType<typeof setInterval>;
  #client = 0;

  constructor(readonly target: number, readonly weather: Weather, seed: number) {
    const options = { address: LOOPBACK, port: 0, ttl: 64, receiveBuffer: BUFFER };
    this.#near = Datagrams.open({ ...options, sendBuffer: BUFFER });
    this.#far = Datagrams.open({ ...options, sendBuffer: BUFFER });
    this.port = this.#near.port;
    this.#dice = random(seed);
    this.#poll = setInterval(() => this.#look(), 1);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#poll);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#near[Symbol.dispose]();
    this.#far[Symbol.dispose]();
  }

  #look(): void {
    this.#pass(this.#near, this.#far, () => this.target);
    this.#pass(this.#far, this.#near, () => this.#client);
  }

  #pass(from: Datagrams, to: Datagrams, port: () => number): void {
    const batch = this.#incoming;
    for (let count = from.receive(batch); count > 0; count = from.receive(batch)) {
      for (let slot = 0; slot < count; slot += 1) {
        if (from === this.#near) this.#client = batch.port[slot]!;
        if (this.#dice(10_000) < this.weather.loss * 100) {
          this.lost += 1;
          continue;
        }
        const start = batch.start[slot]!;
        const octets = batch.octets.slice(start, start + batch.length[slot]!);
        const { delay, jitter } = this.weather;
        const wait = delay + (jitter > 0 ? this.#dice(jitter * 100) / 100 : 0);
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          this.#send(to, octets, port());
        }, wait);
        this.#timers.add(timer);
      }
    }
  }

  #send(to: Datagrams, octets: Uint8Array, port: number): void {
    const batch = this.#outgoing;
    batch.octets.set(octets);
    batch.start[0] = 0;
    batch.length[0] = octets.length;
    batch.source[0] = LOOPBACK;
    batch.port[0] = port;
    batch.count = 1;
    to.send(batch, 0);
    this.passed += 1;
  }
}
