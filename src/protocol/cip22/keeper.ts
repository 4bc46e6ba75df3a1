/**
 * Keeps a pile connected: heartbeats while it is, and tries without end while it is not.
 *
 * | state | what ends it | next |
 * |---|---|---|
 * | connected | nothing was heard for three heartbeats | disconnecting |
 * | connected | the connection has ended | backoff |
 * | disconnecting | the connection has ended, or has not within a while | backoff |
 * | backoff | the wait is over | reconnecting |
 * | reconnecting | it is open | connected |
 * | reconnecting | it cannot be opened, or has not been within a while | backoff |
 * @module
 */
import { BACKOFF, Backoff, type BackoffOptions } from "../../base/backoff.ts";
import type { Random } from "../../base/random.ts";
import { after, type Instant, type Millis, seconds } from "../../base/time.ts";

/** See the module. */
export type KeeperState = "connected" | "disconnecting" | "backoff" | "reconnecting";

/** What the owner of the connection has to do. */
export type KeeperAction =
  | "dial"
  | "send_heartbeat"
  /** Close the connection, and drop what is left of it. */
  | "close"
  /** The tries have been in vain for so long that somebody has to be told; once, until it is open. */
  | "alarm";

/** What may be chosen. */
export interface KeeperOptions extends BackoffOptions {
  readonly heartbeat: Millis;
  /** Heartbeats in which nothing was heard, after which the peer is gone. */
  readonly missed: number;
  /** How long opening may take, and closing. */
  readonly within: Millis;
}

/** Those of the specification. */
export const KEEPER: KeeperOptions = {
  ...BACKOFF,
  heartbeat: seconds(10),
  missed: 3,
  within: seconds(10),
};

/** See the module. It has no timers: its owner calls `tick` at {@linkcode next}. */
export class Keeper {
  readonly #backoff: Backoff;
  #state: KeeperState = "reconnecting";
  /** When the state ends by itself; of connected: when the peer is gone. */
  #until: Instant;
  #heartbeatAt: Instant;

  /** The owner dials at once. */
  constructor(
    now: Instant,
    private readonly random: Random,
    private readonly options: KeeperOptions = KEEPER,
  ) {
    this.#backoff = new Backoff(options);
    this.#until = after(now, options.within);
    this.#heartbeatAt = now;
  }

  /** See {@linkcode KeeperState}. */
  get state(): KeeperState {
    return this.#state;
  }

  /** Tries in vain since it was last connected. */
  get failures(): number {
    return this.#backoff.failures;
  }

  /** When `tick` has something to do. */
  get next(): Instant {
    const both = this.#state === "connected" && this.#heartbeatAt < this.#until;
    return both ? this.#heartbeatAt : this.#until;
  }

  /** It is open, and the pile was believed. An opening that comes too late is closed. */
  opened(now: Instant): KeeperAction[] {
    if (this.#state !== "reconnecting") return ["close"];
    this.#backoff.succeeded();
    this.#state = "connected";
    this.#heartbeatAt = after(now, this.options.heartbeat);
    this.heard(now);
    return [];
  }

  /** Something came from the peer. */
  heard(now: Instant): void {
    if (this.#state !== "connected") return;
    this.#until = after(now, this.options.heartbeat * this.options.missed as Millis);
  }

  /** The connection has ended, or could not be opened. */
  ended(now: Instant): KeeperAction[] {
    return this.#state === "backoff" ? [] : this.#wait(now);
  }

  /** Time has passed. */
  tick(now: Instant): KeeperAction[] {
    const { heartbeat, within } = this.options;
    if (now < this.#until) {
      if (this.#state !== "connected" || now < this.#heartbeatAt) return [];
      this.#heartbeatAt = after(now, heartbeat);
      return ["send_heartbeat"];
    }
    switch (this.#state) {
      case "connected":
        this.#state = "disconnecting";
        this.#until = after(now, within);
        return ["close"];
      case "disconnecting":
        return this.#wait(now);
      case "reconnecting":
        return ["close", ...this.#wait(now)];
      case "backoff":
        this.#state = "reconnecting";
        this.#until = after(now, within);
        return ["dial"];
    }
  }

  #wait(now: Instant): KeeperAction[] {
    const known = this.#backoff.alarming;
    this.#state = "backoff";
    this.#until = after(now, this.#backoff.failed(this.random));
    return this.#backoff.alarming && !known ? ["alarm"] : [];
  }
}
