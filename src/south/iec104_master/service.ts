/**
 * One RTU: its addresses are tried in turn, one connection is used, and when it is lost the next is
 * tried at once.
 * @module
 */
import { AppError, describe } from "../../base/errors.ts";
import { after, seconds, since } from "../../base/time.ts";
import { parseSchedule } from "../../kernel/cron.ts";
import type { Context } from "../../kernel/module.ts";
import { pause } from "../../platform/clock.ts";
import type { ByteConn } from "../../platform/drive.ts";
import type { Endpoint } from "../../platform/ports.ts";
import type { PointDefinition } from "../../points/definition.ts";
import { type PointId, QUALITY } from "../../points/points.ts";
import { execute } from "./commands.ts";
import type { Config } from "./config.ts";
import { isOutput, StationMap } from "./mapping.ts";
import { takeOrders } from "./orders.ts";
import { Session } from "./session.ts";
import { States } from "./states.ts";
import { type MutualIdentity, readMutualTls } from "../../kernel/tls_config.ts";

/** A connection that ends sooner is no better than none: else two would take turns at full speed. */
const GOOD_AFTER = seconds(1);

/** One address of a channel, with its place in both. */
interface Way {
  readonly channel: number;
  readonly link: number;
  readonly endpoint: Endpoint;
}

/** Runs the service until it has to end. It never gives up. */
export async function run(ctx: Context, config: Config): Promise<void> {
  await using rtu = new Rtu(ctx, config);
  await rtu.run();
}

class Rtu implements AsyncDisposable {
  readonly #station: string;
  readonly #ways: readonly Way[];
  readonly #states: States;
  readonly #owned: Disposable;
  #outputs = new Map<PointId, PointDefinition>();
  #map!: StationMap;
  #tableVersion = -1;
  #session: Session | undefined;
  #stale: Disposable | undefined;
  #tls: MutualIdentity | undefined;
  /** Tries since the last connection. */
  #failed = 0;

  constructor(readonly ctx: Context, readonly config: Config) {
    const { id, points, clock } = ctx;
    this.#station = config.station ?? id.slice(id.indexOf(".") + 1);
    this.#ways = config.channels.flatMap((links, channel) =>
      links.map((endpoint, link) => ({ channel, link, endpoint }))
    );
    const { virtualRtu, virtualPoint } = config;
    const virtual = virtualRtu === undefined ? undefined : { rtu: virtualRtu, first: virtualPoint };
    this.#states = new States(id, points, clock, config.channels, virtual);
    this.#readTable();
    takeOrders({
      ctx,
      fileMax: config.fileMax,
      mainAddress: config.commonAddresses[0]!,
      session: () => this.#session,
      output: (commonAddress, address) => this.#outputAt(commonAddress, address),
    });
    this.#owned = points.commands.own(id, (point) => {
      this.#readTable();
      return this.#outputs.has(point);
    }, (command, signal) => {
      const definition = this.#outputs.get(command.point)!;
      return execute(ctx, config, this.#session, definition, command, signal);
    });
  }

  async run(): Promise<void> {
    const { ctx, config } = this;
    if (config.tls) this.#tls = await readMutualTls(ctx.files, config.tls);
    ctx.report("degraded", "RTU has not been reached yet");
    this.#away();
    for (let turn = 0; !ctx.signal.aborted; turn = (turn + 1) % this.#ways.length) {
      const way = this.#ways[turn]!;
      const conn = await this.#dial(way);
      const good = conn !== undefined && await this.#serve(way, conn);
      if (!good) await pause(ctx.clock, config.retry, ctx.signal);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#owned[Symbol.dispose]();
    this.#stale?.[Symbol.dispose]();
    return Promise.resolve();
  }

  /** One try. @returns Undefined when it was in vain. */
  async #dial(way: Way): Promise<ByteConn | undefined> {
    const { ctx, config } = this;
    const late = new AbortController();
    using _alarm = ctx.clock.alarm(after(ctx.clock.now(), config.t0), () => late.abort());
    try {
      const signal = AbortSignal.any([ctx.signal, late.signal]);
      const tls = this.#tls && { ...this.#tls, server: this.#tls.trust };
      return await ctx.net.dial(way.endpoint, signal, tls);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (ctx.signal.aborted) return undefined;
      ctx.counters.add("connect_failures");
      this.#states.link(way.channel, way.link, false);
      this.#roundsOf(error);
      return undefined;
    }
  }

  /** A round is one try of each address; one that was in vain is told. */
  #roundsOf(error: AppError): void {
    const { ctx } = this;
    this.#failed += 1;
    if (this.#failed % this.#ways.length !== 0) return;
    ctx.counters.add("rounds_failed");
    this.#states.allDown(true);
    ctx.report("degraded", `None of its addresses can be reached; the last: ${describe(error)}`);
  }

  /** @returns Whether it was good for something; if not, the next try has to wait. */
  async #serve(way: Way, conn: ByteConn): Promise<boolean> {
    const { ctx, config } = this;
    const { channel, link, endpoint } = way;
    const where = `${endpoint.host}:${endpoint.port}`;
    const began = ctx.clock.now();
    this.#failed = 0;
    ctx.counters.add("connects");
    this.#states.link(channel, link, true);
    this.#states.allDown(false);
    ctx.log.info("iec104.connected", "RTU is connected", { address: where });
    const around = { ctx, config, states: this.#states, map: () => this.#readTable() };
    const session = this.#session = new Session(around, conn, where);
    try {
      await using _conn = conn;
      this.#schedules(session);
      this.#here();
      ctx.report("up");
      await session.run();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      ctx.counters.add("links_lost");
      ctx.log.warn("iec104.lost", "Connection to the RTU was lost", { address: where, error });
      ctx.report("degraded", describe(error));
    } finally {
      this.#session = undefined;
      this.#states.link(channel, link, false);
      this.#away();
    }
    return session.everStarted && since(began, ctx.clock.now()) >= GOOD_AFTER;
  }

  #schedules(session: Session): void {
    const { interrogateAt, countersAt, clockSyncAt, timeZone } = this.config;
    const at = (pattern: string | undefined, action: () => unknown) => {
      const schedule = pattern === undefined ? undefined : parseSchedule(pattern, timeZone);
      if (schedule === undefined || typeof schedule === "string") return;
      void session.repeat((epoch) => schedule.next(epoch), action);
    };
    at(interrogateAt, () => session.interrogate());
    const { countersFreeze: freeze } = this.config;
    at(countersAt, () => session.interrogateCounters(0, freeze === "never" ? "read" : freeze));
    at(clockSyncAt, () => session.syncClock());
  }

  /** The RTU is there: its points are what it says. */
  #here(): void {
    this.#states.online(true);
    this.#stale?.[Symbol.dispose]();
    this.#stale = undefined;
  }

  /** The RTU is away: after a while nobody knows whether its points are still so. */
  #away(): void {
    this.#states.online(false);
    const { clock, points, signal } = this.ctx;
    this.#stale?.[Symbol.dispose]();
    if (signal.aborted) return;
    this.#stale = clock.alarm(after(clock.now(), this.config.staleAfter), () => {
      const prefix = `${this.#station}.`;
      const outputs = this.#outputs;
      const known = points.snapshot((point) => point.startsWith(prefix) && !outputs.has(point));
      const fresh = known.filter(({ quality }) => (quality & QUALITY.stale) === 0);
      points.mark(fresh.map(({ point }) => point), QUALITY.stale);
    });
  }

  #outputAt(commonAddress: number, address: number): PointId | undefined {
    this.#readTable();
    for (const output of this.#outputs.values()) {
      if (output.commonAddress === commonAddress && output.address === address) return output.point;
    }
    return undefined;
  }

  /** What the table says of this station, read anew when it has changed. */
  #readTable(): StationMap {
    const { points } = this.ctx;
    if (points.tableVersion === this.#tableVersion) return this.#map;
    this.#tableVersion = points.tableVersion;
    const own = points.definitionsOf(this.#station);
    this.#outputs = new Map(
      own.filter(isOutput).map((definition) => [definition.point, definition]),
    );
    return this.#map = new StationMap(this.#station, this.config.commonAddresses[0]!, own);
  }
}
