/**
 * The relay's data plane over TCP in memory, for tests: peers are called and say things, and time
 * passes only when it is told to.
 * @module
 */
import { Counters } from "../../src/base/counters.ts";
import type { Instant } from "../../src/base/time.ts";
import { CONFIG } from "../../src/relay/stream_relay/config.ts";
import { COUNTERS } from "../../src/relay/stream_relay/counters.ts";
import type { FromPlane, SessionView, ToPlane } from "../../src/relay/stream_relay/letters.ts";
import { Plane, type PlaneConfig } from "../../src/relay/stream_relay/plane.ts";
import { type FarEnd, SimStreams } from "../sim/streams.ts";

const PORTS = [2300, 2301, 2302];
export const SECOND = 1000;

/** A data plane, and what happens around it. */
export class Bench {
  readonly streams = new SimStreams();
  readonly counters = new Counters(COUNTERS);
  readonly letters: FromPlane[] = [];
  readonly mail: ToPlane[] = [];
  readonly plane: Plane;

  constructor(more: Partial<PlaneConfig> = {}) {
    const { tcp } = CONFIG.parse({});
    this.plane = new Plane({
      ...tcp,
      address: "127.0.0.1",
      ports: PORTS,
      names: PORTS,
      ticketsNeeded: false,
      ...more,
    }, {
      streams: this.streams,
      counters: this.counters,
      log: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
      bell: { fd: 0 },
      tell: (letter) => this.letters.push(letter),
    }, 0 as Instant);
  }

  /** Lets the plane work until it has nothing to do. */
  work(): void {
    this.streams.frozen = true;
    do this.#turn(); while (!this.streams.idle);
    this.streams.frozen = false;
  }

  /** Lets time pass. */
  pass(ms: number): void {
    const end = this.streams.now + ms;
    while (this.streams.now < end) this.#turn();
  }

  reserve(port = 2300, sessionId = "s1"): void {
    this.mail.push({
      kind: "reserve",
      port,
      sessionId,
      id: { server: "be", client: "fe" },
      ticket: { server: "ts", client: "tc" },
    });
  }

  /** A connection that says something. */
  say(line: string, port = 2300): FarEnd {
    const far = this.streams.connect(port);
    far.send(new TextEncoder().encode(line));
    this.work();
    return far;
  }

  hello(role: "server" | "client", more: Record<string, unknown> = {}, port = 2300): FarEnd {
    const id = role === "server" ? "be" : "fe";
    return this.say(`V4HELLO ${JSON.stringify({ role, "session_id": "s1", id, ...more })}\n`, port);
  }

  meet(port = 2300): { server: FarEnd; client: FarEnd } {
    this.reserve(port);
    return { server: this.hello("server", {}, port), client: this.hello("client", {}, port) };
  }

  kinds(): string[] {
    return this.letters.filter(({ kind }) => kind !== "telemetry").map(({ kind }) => kind);
  }

  last(): SessionView[] {
    const letter = this.letters.findLast(({ kind }) => kind === "telemetry");
    return letter?.kind === "telemetry" ? [...letter.sessions] : [];
  }

  how(): string | undefined {
    const letter = this.letters.findLast(({ kind }) => kind === "ended");
    return letter?.kind === "ended" ? letter.how : undefined;
  }

  count(name: string): number {
    return this.counters.get(name);
  }

  #turn(): void {
    this.plane.turn(() => this.streams.now, () => this.mail.shift());
  }
}

/** As UTF-8. */
export function text(octets: Uint8Array): string {
  return new TextDecoder().decode(octets);
}

/** Octets that tell whether one is missing. */
export const OCTETS = (size: number, from = 0) =>
  Uint8Array.from({ length: size }, (_, at) => (from + at) % 251);
