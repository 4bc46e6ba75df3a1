/**
 * One simulated pile: its conversation, its device and what keeps it connected, joined; and the
 * loop that dials, talks, waits and dials again.
 * @module
 */
import { AppError } from "../base/errors.ts";
import type { Link } from "../base/link.ts";
import type { Random } from "../base/random.ts";
import { after, type Instant, type Millis, millis, since } from "../base/time.ts";
import { type Clock, pause } from "../platform/clock.ts";
import { type ByteConn, LinkDriver } from "../platform/drive.ts";
import {
  HEADER_SIZE,
  KEEPER,
  Keeper,
  type KeeperAction,
  type Message,
  PILE_LINK,
  type PileDevice,
  type PileIdentity,
  PileLink,
  TYPE,
} from "../protocol/cip22/mod.ts";
import type { Mischief } from "./sim_behaviour.ts";

/** What a conversation tells. */
export type TalkEvent =
  /** The gateway believes; `took`: from the proof to its word. */
  | { readonly kind: "believed"; readonly renewed: boolean; readonly took: Millis }
  | { readonly kind: "refused"; readonly result: number }
  /** Something that only the gateway can have said; it has been done. */
  | { readonly kind: "heard"; readonly message: Message }
  | { readonly kind: "told"; readonly message: Message }
  | { readonly kind: "dropped"; readonly why: string }
  | { readonly kind: "alarm" }
  /** The connection is to be closed. */
  | { readonly kind: "ends"; readonly why: string };

/** Who talks. */
export interface Talker {
  readonly identity: PileIdentity;
  readonly device: PileDevice;
  readonly keeper: Keeper;
  readonly mischief: Mischief;
  readonly clock: Pick<Clock, "now" | "epoch">;
}

/** One conversation, with what the pile does in it. No I/O; its owner closes when it `ends`. */
export class PileTalk implements Link<TalkEvent> {
  readonly #talker: Talker;
  readonly #link: PileLink;
  readonly #out: Uint8Array[] = [];
  readonly #events: TalkEvent[] = [];
  #provedAt: Instant;
  #over = false;

  /** @param version Of the line before the first frame; null where a header has told it. */
  constructor(talker: Talker, version: string | null = "2.0") {
    const now = talker.clock.now();
    this.#talker = talker;
    this.#provedAt = now;
    talker.mischief.begin(now);
    this.#link = new PileLink(talker.identity, now, PILE_LINK, version);
  }

  receive(bytes: Uint8Array, now: Instant): void {
    if (this.#over) return;
    this.#link.receive(bytes, now);
    this.#drain(now);
  }

  expire(now: Instant): void {
    if (this.#over) return;
    const { keeper, device, mischief, clock } = this.#talker;
    this.#link.expire(now);
    this.#drain(now);
    if (!this.#over && now >= keeper.next) this.#keep(keeper.tick(now), "silence");
    if (!this.#over && now >= (device.deadline ?? Infinity)) {
      this.#tell(device.tick(now, clock.epoch()));
      if (device.rebooting) this.#end("restart");
    }
    if (!this.#over && now >= mischief.breaksAt) this.#break();
  }

  get deadline(): Instant | undefined {
    if (this.#over) return undefined;
    const { keeper, device, mischief } = this.#talker;
    const own = Math.min(this.#link.deadline ?? Infinity, device.deadline ?? Infinity);
    const next = Math.min(own, keeper.next, mischief.breaksAt);
    return next === Infinity ? undefined : next as Instant;
  }

  transmit(): Uint8Array | undefined {
    const waiting = this.#out.shift();
    if (waiting) return waiting;
    const octets = this.#link.transmit();
    if (!octets) return undefined;
    const { mischief, clock } = this.#talker;
    if (octets[HEADER_SIZE - 1] === TYPE.authResp) this.#provedAt = clock.now();
    this.#out.push(...mischief.instead(octets, this.#link.state === "open"));
    return this.#out.shift();
  }

  event(): TalkEvent | undefined {
    return this.#events.shift();
  }

  /** Forgets the keys. */
  forget(): void {
    this.#link.forget();
  }

  #drain(now: Instant): void {
    const { keeper, device, clock } = this.#talker;
    for (let event = this.#link.event(); event; event = this.#link.event()) {
      if (event.kind === "opened") {
        const took = since(this.#provedAt, now);
        this.#events.push({ kind: "believed", renewed: event.renewed, took });
        if (event.renewed) continue;
        this.#keep(keeper.opened(now), "too late");
        this.#tell(device.connected(now, clock.epoch()));
      } else if (event.kind === "message") {
        keeper.heard(now);
        this.#events.push({ kind: "heard", message: event.message });
        this.#tell(device.take(event.message, now, clock.epoch()));
        if (device.rebooting) return this.#end("restart");
      } else if (event.kind === "refused") {
        this.#events.push(event);
        return this.#end("not believed");
      } else if (event.kind === "dropped") {
        this.#events.push({ kind: "dropped", why: event.why });
      } else return this.#end(event.why);
    }
  }

  #tell(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#link.send(message)) this.#events.push({ kind: "told", message });
    }
  }

  #keep(actions: readonly KeeperAction[], why: string): void {
    for (const action of actions) {
      if (action === "close") this.#end(why);
      else if (action === "alarm") this.#events.push({ kind: "alarm" });
      else if (action === "send_heartbeat") {
        this.#tell([{ kind: "heartbeat", time: this.#talker.clock.epoch() }]);
      }
    }
  }

  /** In the middle of a frame, where there can be one. */
  #break(): void {
    const { clock } = this.#talker;
    this.#link.send({ kind: "heartbeat", time: clock.epoch() });
    const frame = this.#link.transmit();
    if (frame) this.#out.push(frame.subarray(0, frame.length >> 1));
    while (this.#link.transmit()) { /* Nothing follows what was cut off. */ }
    this.#end("broken off");
  }

  #end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.push({ kind: "ends", why });
  }
}

/** What a pile is made of. */
export interface SimPileParts {
  readonly identity: PileIdentity;
  readonly device: PileDevice;
  readonly mischief: Mischief;
  readonly random: Random;
  readonly clock: Clock;
  /** Null where a header tells it. */
  readonly version: string | null;
  /** @throws LinkDownError when there is no connection to be had. */
  dial(signal: AbortSignal): Promise<ByteConn>;
  /** Told what happens. */
  told(event: TalkEvent | { readonly kind: "connected" | "lost" }): void;
}

/** See the module. */
export class SimPile {
  readonly #parts: SimPileParts;
  #keeper: Keeper;

  constructor(parts: SimPileParts) {
    this.#parts = parts;
    this.#keeper = new Keeper(parts.clock.now(), parts.random);
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts;
    this.#keeper = new Keeper(clock.now(), random);
    while (!signal.aborted) {
      await this.#connection(signal);
      for (const action of this.#keeper.ended(clock.now())) {
        if (action === "alarm") this.#parts.told({ kind: "alarm" });
      }
      while (!signal.aborted && this.#keeper.state !== "reconnecting") {
        await this.#idle(signal, this.#keeper.next);
        if (!this.#parts.device.rebooting) this.#keeper.tick(clock.now());
        else await this.#idle(signal, this.#parts.device.deadline!);
      }
    }
  }

  /** The device goes on by itself until an instant, or until `signal` aborts. */
  async #idle(signal: AbortSignal, until: Instant): Promise<void> {
    const { device, clock } = this.#parts;
    for (let now = clock.now(); now < until && !signal.aborted; now = clock.now()) {
      const next = Math.min(until, device.deadline ?? Infinity);
      await pause(clock, millis(next - now), signal);
      device.tick(clock.now(), clock.epoch());
    }
  }

  async #connection(signal: AbortSignal): Promise<void> {
    const { told } = this.#parts;
    let conn: ByteConn;
    try {
      conn = await this.#dial(signal);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return; // Its keeper waits, and tries again.
    }
    told({ kind: "connected" });
    try {
      await using _conn = conn;
      await this.#talk(conn, signal);
    } finally {
      told({ kind: "lost" });
    }
  }

  async #dial(signal: AbortSignal): Promise<ByteConn> {
    const { clock, dial } = this.#parts;
    const [dialled, late] = [new AbortController(), new AbortController()];
    using _late = clock.alarm(after(clock.now(), KEEPER.within), () => late.abort());
    const idle = this.#idle(AbortSignal.any([signal, dialled.signal]), Infinity as Instant);
    try {
      return await dial(AbortSignal.any([signal, late.signal]));
    } finally {
      dialled.abort();
      await idle;
    }
  }

  async #talk(conn: ByteConn, signal: AbortSignal): Promise<void> {
    const { clock, device, version, told } = this.#parts;
    const talk = new PileTalk({ ...this.#parts, keeper: this.#keeper }, version);
    try {
      for await (const event of new LinkDriver(talk, conn, clock, signal)) {
        told(event);
        if (event.kind !== "ends") continue;
        if (event.why === "restart") await conn.finish?.();
        break;
      }
    } catch (error) {
      // What the gateway does to its connection is no fault of the pile.
      if (!(error instanceof AppError)) throw error;
    } finally {
      talk.forget();
      device.lost(clock.now(), clock.epoch());
    }
  }
}
