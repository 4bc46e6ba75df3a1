/**
 * A controlling station's end of a connection with the requests that are under way on it. Pure, as
 * the link inside is.
 * @module
 */
import type { Link } from "../../base/link.ts";
import type { Instant } from "../../base/time.ts";
import {
  type Asdu,
  Iec104Link,
  type LinkEvent,
  type LinkOptions,
} from "../../protocol/iec104/mod.ts";
import { type ExchangeEnd, type ExchangeOptions, Exchanges } from "./exchanges.ts";

/** ASDUs that wait for room in the window at most. */
export const WAITING_MAX = 64;

/** What the owner has to know: everything but answers to requests, which go to who asked. */
export type RtuEvent = LinkEvent;

/** See the module. */
export class RtuLink implements Link<RtuEvent> {
  readonly link: Iec104Link;
  readonly #exchanges = new Exchanges();
  readonly #waiting: Asdu[] = [];

  constructor(options: Partial<LinkOptions>, now: Instant) {
    const acknowledge = options.acknowledge ?? "on_release";
    this.link = new Iec104Link({ ...options, role: "controlling", acknowledge }, now);
  }

  get deadline(): Instant | undefined {
    const due = Math.min(this.link.deadline ?? Infinity, this.#exchanges.deadline);
    return due === Infinity ? undefined : due as Instant;
  }

  /** Sends a request and waits for its answers. It never rejects. */
  request(asdu: Asdu, options: ExchangeOptions, now: Instant): Promise<ExchangeEnd> {
    if (this.link.state !== "started") return Promise.resolve({ kind: "broken", sent: false });
    const room = this.#waiting.length < WAITING_MAX;
    const end = room ? this.#exchanges.begin(asdu, options, now) : undefined;
    if (!end) return Promise.resolve({ kind: "busy" });
    this.#waiting.push(asdu);
    this.#flush(now);
    return end;
  }

  /** Sends what is answered by data only, such as a read. @returns Whether it will be sent. */
  send(asdu: Asdu, now: Instant): boolean {
    if (this.link.state !== "started" || this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push(asdu);
    this.#flush(now);
    return true;
  }

  /** The oldest `count` ASDUs are safe, and may be confirmed. */
  release(count: number, now: Instant): void {
    // What came over a connection that has ended is not its business any more.
    const waits = this.link.options.acknowledge === "on_release";
    if (waits && this.link.state !== "closed") this.link.release(count, now);
  }

  receive(octets: Uint8Array, now: Instant): void {
    this.link.receive(octets, now);
    this.#flush(now);
    this.#now = now;
  }

  expire(now: Instant): void {
    this.link.expire(now);
    this.#exchanges.expire(now);
    this.#now = now;
  }

  transmit(): Uint8Array | undefined {
    return this.link.transmit();
  }

  event(): RtuEvent | undefined {
    const event = this.link.event();
    if (event?.kind === "asdu") this.#exchanges.take(event.asdu, this.#now);
    else if (event?.kind === "confirmed") this.#flush(this.#now);
    else if (event?.kind === "closed") this.close();
    return event;
  }

  /** The connection has ended: nobody waits for answers any more. */
  close(): void {
    this.#exchanges.close(this.#waiting);
    this.#waiting.length = 0;
  }

  #now = 0 as Instant;

  #flush(now: Instant): void {
    while (this.#waiting.length > 0 && this.link.send(this.#waiting[0]!, now)) {
      this.#waiting.shift();
    }
  }
}
