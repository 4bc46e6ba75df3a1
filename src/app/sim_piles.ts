/**
 * Many simulated piles over real connections: TCP or TLS, one for each, or streams of HTTP/2, some
 * on each connection. What they do, and what the gateway does to them, is counted.
 * @module
 */
import { LinkDownError } from "../base/errors.ts";
import { pick } from "../base/random.ts";
import { type Millis, millis } from "../base/time.ts";
import { type Clock, pause } from "../platform/clock.ts";
import type {
  ByteConn,
  Endpoint,
  HttpAnswer,
  HttpConn,
  Net,
  TlsClient,
} from "../platform/ports.ts";
import {
  type Cipher,
  type Message,
  PILE_FAULT,
  PileDevice,
  type PileDeviceOptions,
  type PileIdentity,
  VERSION_HEADER,
} from "../protocol/cip22/mod.ts";
import { type Behaviour, Mischief, mixed, seeded, SimRelay } from "./sim_behaviour.ts";
import { SimPile, type SimPileParts } from "./sim_pile.ts";
import { type KeySource, simKey } from "./sim_pile_keys.ts";

/** Most piles of one process. */
export const PILES_MAX = 5000;
/** The version that they speak. */
const VERSION = "2.0";
/** Latencies that are kept. */
const LATENCIES_MAX = 10_000;
/** Milliseconds between the first connections of two piles, on average, unless it is told. */
export const SPREAD = 2;
/** Watt-hours that vehicles take. */
const FULL_LEAST = 2000;
const FULL_SPAN = 30_000;

/** What there is to be. */
export interface SimPilesOptions {
  readonly to: Endpoint;
  readonly net: Pick<Net, "dial" | "dialHttp2">;
  readonly clock: Clock;
  readonly tls: TlsClient | undefined;
  /** Piles on one connection of HTTP/2; absent: no HTTP, and a connection for each. */
  readonly perConnection: number | undefined;
  readonly names: readonly string[];
  readonly keys: KeySource;
  readonly cipher: Cipher;
  readonly behaviour: Behaviour | "mix";
  /** Over what time they connect first, by chance. */
  readonly ramp: Millis;
  /** What all devices have. */
  readonly device: Partial<PileDeviceOptions>;
  /** Told of what is rare, in a line. */
  readonly told: (line: string) => void;
}

/** What they have done. */
export interface SimPilesReport {
  piles: number;
  /** Connections now, and ever. */
  connected: number;
  connections: number;
  /** Piles that are believed now. */
  open: number;
  /** How often the gateway has believed a pile, and how often it has not. */
  authenticated: number;
  refused: number;
  /** New keys within a session. */
  renewed: number;
  commands: number;
  statuses: number;
  alarms: number;
  trades: number;
  relayChanges: number;
  upgraded: number;
  rolledBack: number;
  /** Frames of the gateway that a pile did not take. */
  dropped: number;
  /** Piles that have tried in vain for long. */
  unreachable: number;
  /** Of forged and replayed proofs: those that were believed, and commands that followed. */
  believed: number;
  /** Milliseconds from the proof to the gateway's word. */
  latency: { readonly count: number; readonly p50: number; readonly p99: number };
}

type Told = Parameters<SimPileParts["told"]>[0];

/** What every pile counts in the same place. */
type Counts = Omit<SimPilesReport, "latency" | "relayChanges">;

/** See the module. */
export class SimPiles {
  readonly #options: SimPilesOptions;
  readonly #relays: SimRelay[] = [];
  readonly #latencies: number[] = [];
  #latest = 0;
  readonly #counts: Counts;

  constructor(options: SimPilesOptions) {
    this.#options = options;
    this.#counts = {
      ...{ piles: options.names.length, connected: 0, connections: 0, open: 0 },
      ...{ authenticated: 0, refused: 0, renewed: 0, commands: 0, statuses: 0, alarms: 0 },
      ...{ trades: 0, upgraded: 0, rolledBack: 0, dropped: 0, unreachable: 0, believed: 0 },
    };
  }

  /** What has been done so far. */
  get report(): SimPilesReport {
    const sorted = this.#latencies.toSorted((one, other) => one - other);
    const at = (part: number) => sorted[Math.min(sorted.length - 1, sorted.length * part | 0)] ?? 0;
    const rounded = (part: number) => Math.round(at(part) * 100) / 100;
    return {
      ...this.#counts,
      relayChanges: this.#relays.reduce((sum, { changes }) => sum + changes, 0),
      latency: { count: sorted.length, p50: rounded(0.5), p99: rounded(0.99) },
    };
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { names, clock, ramp } = this.#options;
    const random = seeded(this.#options.keys.seed);
    const groups: HttpGroup[] = [];
    // Their keys are made first: what that takes is not to be measured.
    const piles = names.map((name, at) => this.#pile(name, at + 1, random() * 2 ** 32, groups));
    await Promise.all(piles.map(async (pile) => {
      await pause(clock, millis(random() * ramp), signal);
      if (!signal.aborted) await pile.run(signal);
    }));
    await Promise.all(groups.map((group) => group.close()));
  }

  #pile(name: string, index: number, seed: number, groups: HttpGroup[]): SimPile {
    const { behaviour, clock, perConnection, device } = this.#options;
    const random = seeded(seed);
    const chosen = behaviour === "mix" ? mixed(random) : behaviour;
    const mischief = new Mischief(chosen, random);
    const relay = new SimRelay(() => clock.now(), () => mischief.sticks);
    this.#relays.push(relay);
    const full = FULL_LEAST + pick(random, FULL_SPAN);
    const bootsBadly = chosen === "upgrade";
    const options = { pile: name, full, bootsBadly, ...device };
    return new SimPile({
      identity: this.#identity(name, index, chosen),
      device: new PileDevice(options, relay, clock.now(), clock.epoch()),
      mischief,
      random,
      clock,
      version: perConnection === undefined ? VERSION : null,
      dial: this.#dialler(index, groups),
      told: this.#counter(name, mischief),
    });
  }

  #identity(pile: string, index: number, behaviour: Behaviour): PileIdentity {
    const { keys, cipher, clock } = this.#options;
    const key = simKey(keys, index, behaviour === "forged" ? "forged" : "");
    let sequence = 0n;
    return {
      pile,
      cipher,
      sign: (octets) => key.sign(octets),
      // Greater than those of an earlier run, of which nothing is kept.
      nextSequence: () => {
        const now = BigInt(Math.round(clock.epoch())) * 1000n;
        return sequence = now > sequence ? now : sequence + 1n;
      },
      aead: (name, octets) =>
        keys.providers.get(name === "sm4-gcm" ? "sm4-gcm" : "aes-128-gcm")(octets),
      random: (octets) => void crypto.getRandomValues(octets as Uint8Array<ArrayBuffer>),
    };
  }

  #dialler(index: number, groups: HttpGroup[]): SimPileParts["dial"] {
    const { to, net, tls, perConnection } = this.#options;
    if (perConnection === undefined) return (signal) => net.dial(to, signal, tls);
    const number = Math.floor((index - 1) / perConnection);
    const dial = (signal: AbortSignal) => net.dialHttp2(to, signal, tls);
    const group = groups[number] ??= new HttpGroup(dial);
    return (signal) => group.open(signal);
  }

  /** Counts what one pile tells. */
  #counter(name: string, mischief: Mischief): SimPileParts["told"] {
    const counts = this.#counts;
    let isOpen = false;
    let version: string | undefined;
    return (event: Told) => {
      if (event.kind === "connected") {
        counts.connections += 1;
        counts.connected += 1;
      } else if (event.kind === "lost") {
        counts.connected -= 1;
        if (isOpen) counts.open -= 1;
        isOpen = false;
      } else if (event.kind === "believed") {
        if (event.renewed) counts.renewed += 1;
        else {
          counts.authenticated += 1;
          counts.open += isOpen ? 0 : 1;
          isOpen = true;
        }
        this.#keep(event.took);
        if (!mischief.isHonest) this.#believed(name, "a proof that is not its own");
      } else if (event.kind === "refused") counts.refused += 1;
      else if (event.kind === "dropped") counts.dropped += 1;
      else if (event.kind === "alarm") counts.unreachable += 1;
      else if (event.kind === "heard") {
        const isCommand = "ticket" in event.message;
        if (isCommand) counts.commands += 1;
        if (isCommand && !mischief.isHonest) this.#believed(name, "a command");
      } else if (event.kind === "told") {
        if (event.message.kind === "register") {
          if (version !== undefined && version !== event.message.version) counts.upgraded += 1;
          version = event.message.version;
        }
        this.#said(name, event.message);
      }
    };
  }

  #said(name: string, message: Message): void {
    const counts = this.#counts;
    if (message.kind === "status") counts.statuses += 1;
    else if (message.kind === "tradeRecord") counts.trades += 1;
    else if (message.kind === "fault" && !message.cleared) {
      counts.alarms += 1;
      if (message.reason === PILE_FAULT.rolledBack) counts.rolledBack += 1;
      this.#options.told(`${name}: ${message.text ?? `fault ${message.reason}`}`);
    }
  }

  #believed(name: string, what: string): void {
    this.#counts.believed += 1;
    this.#options.told(`${name}: the gateway has believed it: ${what}`);
  }

  #keep(latency: number): void {
    this.#latencies[this.#latest] = latency;
    this.#latest = (this.#latest + 1) % LATENCIES_MAX;
  }
}

/** A connection of HTTP/2 that some piles share; there is a new one when it is lost. */
class HttpGroup {
  #conn: Promise<HttpConn> | undefined;

  constructor(readonly dial: (signal: AbortSignal) => Promise<HttpConn>) {}

  /** A stream of its own. @throws LinkDownError when there is none to be had. */
  async open(signal: AbortSignal): Promise<ByteConn> {
    const shared = this.#conn ??= this.#dialled(signal);
    const conn = await shared;
    const headers = { [VERSION_HEADER.toLowerCase()]: VERSION };
    let answer: HttpAnswer;
    try {
      answer = await conn.open({ method: "POST", path: "/session", headers }, signal);
    } catch (error) {
      // It may be the connection: the others find that out too, and the next one makes another.
      if (this.#conn === shared && !signal.aborted) {
        this.#conn = undefined;
        await conn[Symbol.asyncDispose]();
      }
      throw error;
    }
    if (answer.status === 200) return answer;
    await answer[Symbol.asyncDispose]();
    throw new LinkDownError("sim.http", `The gateway answers ${answer.status}`);
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    const conn = await this.#conn?.catch((error) => {
      if (error instanceof LinkDownError) return undefined; // There is none.
      throw error;
    });
    await conn?.[Symbol.asyncDispose]();
  }

  async #dialled(signal: AbortSignal): Promise<HttpConn> {
    try {
      return await this.dial(signal);
    } catch (error) {
      this.#conn = undefined;
      throw error;
    }
  }
}
