/** One connection of a control centre, from its acceptance to its end. */
import { AppError, describe } from "../../base/errors.ts";
import { after, type Instant, type Millis } from "../../base/time.ts";
import { FrameTrace } from "../../kernel/frame_trace.ts";
import type { Context } from "../../kernel/module.ts";
import { pause } from "../../platform/clock.ts";
import { type ByteConn, LinkDriver } from "../../platform/drive.ts";
import type { Cursor } from "../../points/journal_cursor.ts";
import type { PointId, Sample } from "../../points/points.ts";
import {
  type Asdu,
  asdu,
  CAUSE,
  frameText,
  Iec104Link,
  type LinkEvent,
  mirrored,
  type Profile,
  tagOf,
  type TimeZone,
  TYPE,
} from "../../protocol/iec104/mod.ts";
import { type Config, zoneOf } from "./config.ts";
import type { ForwardingTable } from "./forwarding.ts";
import { objectFor } from "./mapping.ts";
import { Requests, type Step } from "./requests.ts";
import { Sender } from "./sender.ts";

/** What a connection shares with its listener. */
export interface ConnectionSurroundings {
  readonly ctx: Context;
  readonly config: Config;
  /** Name and cursor of its group. */
  readonly group: string;
  readonly cursor: Cursor;
  /** `address:port` of the client. */
  readonly remote: string;
  /** Counters as they were when the control centre froze them. */
  readonly frozen: Map<PointId, Sample>;
  table(): ForwardingTable;
  /** How long another connection of the group still holds data transfer; 0: it may be taken. */
  heldFor(connection: Connection): Millis;
  /** Told before data transfer starts; the connection that had it is closed by then. */
  starting(connection: Connection): void;
}

/** The sizes of a listener's fields. */
export function profileOf(config: Config): Profile {
  return {
    causeSize: config.causeSize as 1 | 2,
    commonAddressSize: config.commonAddressSize as 1 | 2,
    objectAddressSize: config.objectAddressSize as 1 | 2 | 3,
  };
}

/** See the module. */
export class Connection {
  readonly around: ConnectionSurroundings;
  readonly #link: Iec104Link;
  readonly #driver: LinkDriver<LinkEvent>;
  readonly #requests: Requests;
  readonly #sender: Sender;
  readonly #over = new AbortController();
  readonly #zone: TimeZone;
  #following = false;
  #moved: () => void = () => {};

  constructor(around: ConnectionSurroundings, conn: ByteConn) {
    const { ctx, config, cursor } = around;
    const { k, w, t1, t2, t3 } = config;
    const profile = profileOf(config);
    this.around = around;
    this.#zone = zoneOf(config);
    const table = () => around.table();
    const options = { role: "controlled", confirmStart: "on_request", profile, k, w, t1, t2, t3 };
    this.#link = new Iec104Link(
      options as ConstructorParameters<typeof Iec104Link>[0],
      ctx.clock.now(),
    );
    this.#link.observer =
      new FrameTrace(ctx, "iec104.frame", around.remote, frameText(profile)).take;
    const over = AbortSignal.any([ctx.signal, this.#over.signal]);
    this.#driver = new LinkDriver(this.#link, conn, ctx.clock, over);
    this.#over.signal.addEventListener("abort", () => this.#moved());
    this.#requests = new Requests(config, profile, this.#zone, table);
    this.#sender = new Sender(
      ...[this.#link, cursor, ctx.points, profile, this.#zone, table] as const,
      (count) => this.#lost(count),
    );
  }

  /** When data transfer was confirmed last. */
  startedAt: Instant | undefined;

  /** Whether data transfer runs. */
  get started(): boolean {
    return this.#link.state === "started" || this.#link.state === "stopping";
  }

  /** Ends it. */
  close(): void {
    this.#over.abort();
  }

  /** Runs to its end. It never rejects for what a client does. */
  async run(): Promise<void> {
    const { ctx, remote } = this.around;
    try {
      for await (const event of this.#driver) {
        if (event.kind === "closed") {
          ctx.counters.add("links_closed");
          ctx.log.warn("iec104.closed", "Control centre was disconnected", {
            client: remote,
            why: event.why,
            detail: event.detail,
          });
          return;
        }
        this.#event(event);
        this.#pump();
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      ctx.log.info("iec104.gone", "Control centre has disconnected", {
        client: remote,
        why: describe(error),
      });
    } finally {
      this.#over.abort();
    }
  }

  #event(event: LinkEvent): void {
    const { ctx } = this.around;
    switch (event.kind) {
      case "start_requested":
        void this.#start();
        break;
      case "started":
        this.#sender.begin();
        this.#begin();
        break;
      case "confirmed":
        this.#sender.confirmed(event.count);
        break;
      case "malformed":
        ctx.counters.add("malformed");
        ctx.log.warn("iec104.asdu.malformed", "ASDU cannot be read", {
          code: event.malformed.code,
        });
        break;
      case "asdu":
        ctx.counters.add("asdus_in");
        for (
          const step of this.#requests.take(event.asdu, ctx.clock.now(), ctx.clock.epoch())
        ) this.#do(step);
        break;
    }
  }

  /** Data transfer was asked for. Two that ask in turn must not take it from each other at once. */
  async #start(): Promise<void> {
    const { ctx } = this.around;
    const { signal } = this.#over;
    for (;;) {
      const left = this.around.heldFor(this);
      if (left <= 0) break;
      await pause(ctx.clock, left, signal);
    }
    if (signal.aborted || this.#link.state !== "starting") return;
    this.around.starting(this);
    this.startedAt = ctx.clock.now();
    this.#link.confirmStart();
    this.#driver.wake();
  }

  #begin(): void {
    if (this.#following) return;
    const { backgroundScan, cyclic } = this.around.config;
    void this.#follow();
    void this.#repeat(backgroundScan, CAUSE.background, false);
    void this.#repeat(cyclic, CAUSE.periodic, true);
  }

  #do(step: Step): void {
    const { ctx } = this.around;
    switch (step.kind) {
      case "answer": {
        const { cause } = step.asdu;
        if (cause >= CAUSE.unknownType) ctx.counters.add("unknown_requests");
        this.#answer(step.asdu);
        break;
      }
      case "scan": {
        ctx.counters.add("interrogations");
        const { entries, cause, end, counters } = step;
        const { frozen } = this.around;
        const value = counters ? (point: PointId) => frozen.get(point) : undefined;
        const scan = { entries, cause, end, ...(value ? { value } : {}) };
        if (!this.#sender.scan(scan)) this.#over.abort();
        break;
      }
      case "freeze":
        for (const { point } of step.entries) {
          const sample = ctx.points.last(point);
          if (sample) this.around.frozen.set(point, sample);
        }
        break;
      case "read": {
        const { point, stateType, commonAddress } = step.entry;
        const sample = ctx.points.last(point) ??
          { point, value: 0, quality: 1, at: ctx.clock.epoch() };
        const object = objectFor(step.entry, stateType, sample, this.#zone);
        const fields = { type: stateType, cause: CAUSE.request, commonAddress };
        this.#answer(asdu({ ...fields, objects: [object] }));
        break;
      }
      case "command":
        void this.#command(step);
    }
  }

  async #command(step: Extract<Step, { kind: "command" }>): Promise<void> {
    const { ctx, config, remote } = this.around;
    ctx.counters.add("commands");
    const outcome = await ctx.points.commands.request({
      point: step.entry.point,
      value: step.value,
      origin: `${ctx.id} ${remote.replace(/:\d+$/, "")} OA ${step.request.originator}`,
      ...(step.qualifier === undefined ? {} : { qualifier: step.qualifier }),
    }, after(ctx.clock.now(), config.commandWithin));
    const done = outcome.kind === "done";
    if (!done) ctx.counters.add("commands_refused");
    this.#answer(mirrored(step.request, CAUSE.activationCon, !done));
    if (done) this.#answer(mirrored(step.request, CAUSE.activationTermination, false));
    this.#pump();
  }

  #answer(answer: Asdu): void {
    if (this.#sender.answer(answer)) return;
    const { ctx, remote } = this.around;
    ctx.log.warn("iec104.flood", "Control centre asks without reading", { client: remote });
    this.#over.abort();
  }

  #pump(): void {
    const { ctx } = this.around;
    const { asdus, events } = this.#sender.pump(ctx.clock.now());
    this.#moved();
    if (asdus === 0) return;
    ctx.counters.add("asdus_out", asdus);
    ctx.counters.add("events_sent", events);
    this.#driver.wake();
  }

  /** Sends what becomes durable, as long as the connection lives. */
  async #follow(): Promise<void> {
    if (this.#following) return;
    this.#following = true;
    const { cursor } = this.around;
    const { signal } = this.#over;
    while (!signal.aborted) {
      await cursor.more(signal, this.#sender.position);
      const before = this.#sender.position;
      this.#pump();
      // With a full window, or stopped, there is nothing to do until something moves. Where nothing
      // is left, because it was taken up elsewhere meanwhile, the next event is waited for instead.
      const stuck = this.#sender.position === before && cursor.journal.committed > before;
      if (stuck && !signal.aborted) {
        await new Promise<void>((resolve) => this.#moved = resolve);
      }
    }
  }

  /** The state of points, again and again. */
  async #repeat(every: Millis | undefined, cause: number, measurements: boolean): Promise<void> {
    if (every === undefined) return;
    const { clock } = this.around.ctx;
    const { signal } = this.#over;
    while (!signal.aborted) {
      await pause(clock, every, signal);
      if (this.#link.state !== "started") continue;
      const entries = this.around.table().entries.filter((entry) =>
        !entry.output && !entry.counter && (!measurements || isMeasurement(entry.kind))
      );
      // When others wait already there is no use in one more.
      this.#sender.scan({ entries, cause, end: undefined });
      this.#pump();
    }
  }

  #lost(count: number): void {
    const { ctx, config, group } = this.around;
    ctx.counters.add("events_lost", count);
    ctx.log.error("iec104.events_lost", "Events were dropped before the control centre had them", {
      group,
      count,
    });
    const [commonAddress] = this.around.table().commonAddresses;
    const { overflowAddress: address } = config;
    if (address === undefined || commonAddress === undefined) return;
    const time = tagOf(ctx.clock.epoch(), this.#zone);
    this.#answer(asdu({
      type: TYPE.M_SP_TB_1,
      cause: CAUSE.spontaneous,
      commonAddress,
      objects: [{ kind: "single", address, on: true, quality: 0, time }],
    }));
  }
}

function isMeasurement(kind: string): boolean {
  return kind === "normalized" || kind === "scaled" || kind === "float" || kind === "step";
}
