/**
 * One path: a loop that waits for either side and carries what is there, and once a second looks
 * after both sides. A side that is away is opened again with growing pauses; meanwhile the other is
 * still emptied, so that nothing old is delivered later.
 * @module
 */
import { describe, OsError } from "../../base/errors.ts";
import { parseIpv4 } from "../../base/address.ts";
import { after, type Instant, type Millis, millis, seconds } from "../../base/time.ts";
import type { HotContext } from "../../kernel/module.ts";
import {
  FAULT,
  type GroupPort,
  type InterfaceState,
  type Poller,
  type TapPort,
} from "../../platform/hot.ts";
import type { Config } from "./config.ts";
import { Forwarder } from "./forward.ts";
import { IgmpKeeper } from "./igmp.ts";
import { StreamPoints } from "./points.ts";
import { noInterface, refusal, remedied } from "./remedies.ts";
import { FrameTrace } from "./trace.ts";
import { Watch } from "./watch.ts";

/** Longest time between two looks at the stop word. */
const WAIT_MS = 100;
/** The clock is read every 16 turns while there is traffic. */
const CLOCK_MASK = 15;
/**
 * More frames than 20,000 a second are a storm. To wake up for every one would then cost more than
 * to carry it, so a rest lets some gather. It is far below the time that frames of a storm wait in
 * queues anyway, and never happens at the rates of a station.
 */
const CROWDED_PER_MS = 20;
const REST_MICROS = 20;
const LOOK_EVERY = seconds(1);
const RETRY_MIN = millis(250);
const RETRY_MAX = seconds(5);

/** The whole life of a path; blocks its thread until it is told to stop. */
export function run(ctx: HotContext, config: Config): void {
  using path = new Path(ctx, config);
  while (!ctx.stopped()) path.turn();
}

/** A side that may be away: what is open, and when to try again. */
class Side<T extends Disposable> {
  port: T | undefined;
  why = "";
  #retryAt = 0 as Instant;
  #pause = RETRY_MIN;

  /** Opens it when it is time to. Returns whether it is newly open. */
  open(now: Instant, make: () => T): boolean {
    if (this.port || now < this.#retryAt) return false;
    try {
      this.port = make();
      this.why = "";
      this.#pause = RETRY_MIN;
      return true;
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      this.why = remedied(error);
      this.#retryAt = after(now, this.#pause);
      this.#pause = Math.min(this.#pause * 2, RETRY_MAX) as Millis;
      return false;
    }
  }

  close(why: string): void {
    this.port?.[Symbol.dispose]();
    this.port = undefined;
    this.why = why;
  }
}

class Path implements Disposable {
  readonly #forwarder: Forwarder;
  readonly #watch: Watch | undefined;
  readonly #igmp: IgmpKeeper | undefined;
  readonly #poller: Poller;
  readonly #trace: FrameTrace;
  readonly #tap = new Side<TapPort>();
  readonly #group = new Side<GroupPort>();
  #via: { readonly name: string; readonly state: InterfaceState } | undefined;
  #lookAt = 0 as Instant;
  #lookNow = true;
  /** Whether the TAP was open before this look: the kernel tells of a new carrier a little late. */
  #settled = false;
  #turns = 0;
  /** When the clock was read last. */
  #clockAt = 0 as Instant;
  #carried = 0;
  #crowded = false;
  /** Whether a side was not emptied in the last turn. */
  #more = false;
  #tapDrops = 0;
  #groupDrops = 0;
  #missed = 0;
  /** Why the network refused a datagram, and how many had been sent by then. */
  #refused = "";
  #sentBefore = 0;
  #nudges = 0;
  #alarms = "";
  /** Frames that had gone either way at the last look. */
  #active = 0;
  #told = "";
  #shown = "";

  constructor(readonly ctx: HotContext, readonly config: Config) {
    const { platform, counters } = ctx;
    this.#watch = config.supervise
      ? new Watch(counters, ctx.log, config, streamPoints(ctx, config))
      : undefined;
    this.#forwarder = new Forwarder(platform, counters, config, this.#watch);
    this.#igmp = config.group !== undefined && config.igmpKeepalive
      ? new IgmpKeeper(platform, counters, ctx.log, config)
      : undefined;
    this.#poller = platform.poller();
    this.#trace = new FrameTrace(ctx);
    if (config.realtime > 0) this.#hasten();
  }

  /** A path without its priority still carries frames, so that is no fault. */
  #hasten(): void {
    const { ctx, config: { realtime } } = this;
    try {
      ctx.platform.realtime(realtime);
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      ctx.log.warn("goose.realtime", "Thread stays without its priority: CAP_SYS_NICE is needed", {
        error,
      });
    }
  }

  /** The interface towards the station. */
  get #station(): string {
    return this.config.tap ?? this.config.interface!;
  }

  get #kind(): string {
    return this.config.tap === undefined ? "Interface" : "TAP";
  }

  /** Waits for input, at most 100 ms, and carries it. */
  turn(): void {
    if (this.#crowded && !this.#more) this.ctx.platform.rest(REST_MICROS);
    const idle = this.#poller.wait(this.#lookNow ? 0 : this.#patience()) === 0;
    this.#turns = (this.#turns + 1) & CLOCK_MASK;
    // Reading the clock costs as much as a small system call, so busy turns do it now and then.
    if (idle || this.#turns === 0) {
      const now = this.ctx.platform.now();
      const { carried } = this.#forwarder;
      this.#crowded = carried - this.#carried > (now - this.#clockAt) * CROWDED_PER_MS;
      this.#carried = carried;
      this.#clockAt = now;
      if (this.#watch && now >= this.#watch.deadline) this.#watch.expire(now);
      if (now >= this.#lookAt) this.#look(now);
      this.#lookNow = false;
    }
    const tap = this.#tap.port;
    const group = this.#group.port;
    const out = tap !== undefined && this.#poller.ready(tap) && this.#forwarder.outward(tap, group);
    const back = group !== undefined && this.#poller.ready(group) &&
      this.#forwarder.inward(group, tap);
    this.#more = out || back;
    if (this.#forwarder.tapFault !== 0 || this.#forwarder.groupFault !== 0) this.#mend();
  }

  /** How long to wait for input: until a stream may fall silent, if that is sooner. */
  #patience(): number {
    if (!this.#watch) return WAIT_MS;
    const left = this.#watch.deadline - this.ctx.platform.now();
    return Math.max(1, Math.min(WAIT_MS, Math.ceil(left)));
  }

  /** Closes both sides; the TAP goes with it, unless it was there before us. */
  [Symbol.dispose](): void {
    this.#closeTap("");
    this.#closeGroup("");
    this.#igmp?.[Symbol.dispose]();
  }

  /** Once a second: opens what is closed, checks what is open, and tells how it is. */
  #look(now: Instant): void {
    const { platform, counters } = this.ctx;
    this.#forwarder.tracer = this.#trace.renew(now);
    this.#checkTap();
    this.#checkVia();
    this.#settled = this.#tap.port !== undefined;
    if (this.#tap.open(now, () => this.#openTap())) {
      this.#poller.watch(this.#tap.port!);
      this.#tapDrops = this.#tap.port!.dropped();
    }
    if (this.#group.open(now, () => this.#openGroup())) {
      this.#poller.watch(this.#group.port!);
      this.#groupDrops = 0;
      this.#missed = 0;
      this.#igmp?.joined({ name: this.#via!.name, index: this.#via!.state.index }, now);
    }
    if (this.ctx.nudges() !== this.#nudges) {
      this.#nudges = this.ctx.nudges();
      this.#igmp?.nudge(now);
    }
    if (this.#group.port) this.#igmp?.look(now);
    if (this.#igmp?.rejoin) this.#closeGroup("Kernel had lost the group");
    if (!this.config.loop) this.#forwarder.ignore(platform.localAddresses());
    this.#countKernelDrops();
    counters.set("peers", this.#group.port ? 1 : 0);
    counters.set("missing", this.#forwarder.replay.missing);
    counters.set("late", this.#forwarder.replay.late);
    this.#noteActivity();
    this.#report();
    const open = this.#tap.port && this.#group.port;
    this.#lookAt = after(now, open ? LOOK_EVERY : RETRY_MIN);
  }

  #openTap(): TapPort {
    const { tap: name, address, mtu, queueLength } = this.config;
    const { platform } = this.ctx;
    return name === undefined
      ? platform.openStation(this.#station)
      : platform.openTap({ name, address, mtu, queueLength });
  }

  #openGroup(): GroupPort {
    const { platform } = this.ctx;
    const { via, group, port, ttl, dscp, loop, receiveBuffer, sendBuffer } = this.config;
    const name = platform.interfaceName(via);
    const state = name === undefined ? undefined : platform.interface(name);
    if (name === undefined || !state) throw noInterface(via);
    if (!state.up) {
      throw new OsError("os.via.down", `Interface ${name} is down`, { errno: "ENETDOWN" });
    }
    const peers = (this.config.peers ?? []).map((peer) => ({
      address: parseIpv4(peer.host)!,
      port: peer.port,
    }));
    const opened = platform.openGroup({
      group,
      peers,
      port,
      via: state.index,
      ttl,
      dscp,
      loop,
      receiveBuffer,
      sendBuffer,
    });
    this.#via = { name, state };
    return opened;
  }

  /** Heals a TAP that somebody took down, and notices one that somebody deleted. */
  #checkTap(): void {
    const tap = this.#tap.port;
    if (!tap) return;
    const state = this.ctx.platform.interface(tap.name);
    if (!state) return this.#closeTap(`${this.#kind} ${tap.name} was deleted`);
    if (state.up) return;
    try {
      tap.bringUp();
      this.ctx.log.warn("goose.tap.up", "TAP was down and has been brought up", { tap: tap.name });
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      this.#closeTap(describe(error));
    }
  }

  /** A membership belongs to the interface as it was: a new index or address needs a new join. */
  #checkVia(): void {
    const via = this.#via;
    if (!via || !this.#group.port) return;
    const { platform } = this.ctx;
    const state = platform.interface(via.name);
    const moved = platform.interfaceName(this.config.via) !== via.name;
    if (!state) this.#closeGroup(`Interface ${via.name} is gone`);
    else if (!state.up) this.#closeGroup(`Interface ${via.name} is down`);
    else if (state.index !== via.state.index || state.address !== via.state.address || moved) {
      this.#closeGroup(`Interface ${via.name} has changed`);
    }
  }

  /** After a call said that a side is broken. */
  #mend(): void {
    const { tapFault, groupFault } = this.#forwarder;
    this.#forwarder.tapFault = 0;
    this.#forwarder.groupFault = 0;
    if (tapFault === -FAULT.gone) this.#closeTap(`${this.#kind} ${this.#station} was deleted`);
    if (tapFault !== 0) {
      this.ctx.log.warn("goose.tap.fault", "TAP does not take frames", { errno: -tapFault });
    }
    if (groupFault !== 0) {
      this.ctx.log.warn("goose.group.fault", "Network does not take datagrams", {
        errno: -groupFault,
      });
      this.#refused = refusal(-groupFault, this.config);
      this.#sentBefore = this.ctx.counters.get("frames_out");
    }
    // Look at once, but not more often than the pauses say, or a broken side would be a busy loop.
    const soon = after(this.ctx.platform.now(), RETRY_MIN);
    if (soon < this.#lookAt) this.#lookAt = soon;
  }

  #closeTap(why: string): void {
    if (!this.#tap.port) return;
    this.#poller.unwatch(this.#tap.port);
    this.#tap.close(why);
    if (why !== "") this.ctx.counters.add("reconnects");
  }

  #closeGroup(why: string): void {
    if (!this.#group.port) return;
    this.#poller.unwatch(this.#group.port);
    this.#group.close(why);
    this.#via = undefined;
    this.#refused = "";
    if (why !== "") this.ctx.counters.add("reconnects");
  }

  /** What the kernel had to drop before we saw it. */
  #countKernelDrops(): void {
    const { counters } = this.ctx;
    const tapDrops = this.#tap.port?.dropped() ?? this.#tapDrops;
    const groupDrops = this.#group.port?.dropped() ?? this.#groupDrops;
    const missed = this.#group.port?.missed ?? this.#missed;
    counters.add("peer_missed", Math.max(0, missed - this.#missed));
    this.#missed = missed;
    const queue = Math.max(0, tapDrops - this.#tapDrops);
    const socket = Math.max(0, groupDrops - this.#groupDrops);
    this.#tapDrops = tapDrops;
    this.#groupDrops = groupDrops;
    if (queue > 0) counters.add("drop_tap_queue", queue);
    if (socket > 0) counters.add("drop_socket_queue", socket);
    if (queue + socket > 0) counters.add("dropped", queue + socket);
  }

  #noteActivity(): void {
    const { counters, platform } = this.ctx;
    const active = counters.get("frames_in") + counters.get("frames_out");
    if (active !== this.#active) counters.set("last_activity", platform.epochMicros() / 1e6);
    this.#active = active;
  }

  /** What is wrong with the path as a whole, as points. */
  #alarm(degraded: boolean): void {
    const querier = this.#igmp?.silent ?? false;
    const alarms = `${degraded} ${querier}`;
    if (this.config.points === "none" || alarms === this.#alarms) return;
    this.#alarms = alarms;
    const at = Math.floor(this.ctx.platform.epochMicros() / 1000);
    this.ctx.publish([
      { name: "alarm.degraded", value: degraded, quality: 0, at },
      { name: "alarm.querier_missing", value: querier, quality: 0, at },
    ]);
  }

  #report(): void {
    const { ctx, config } = this;
    const tap = ctx.platform.interface(this.#station);
    const carrierLost = this.#tap.port && this.#settled && tap && !tap.carrier
      ? `${this.#kind} ${this.#station} has no carrier`
      : "";
    if (ctx.counters.get("frames_out") > this.#sentBefore) this.#refused = "";
    const why = [this.#tap.why, this.#group.why, this.#refused, carrierLost]
      .filter((text) => text !== "").join("; ");
    if (why !== this.#told || this.#shown === "") {
      if (why === "") ctx.report("up");
      else ctx.report("degraded", why);
      this.#told = why;
    }
    this.#alarm(why !== "");
    const { port, group } = config;
    const facts = {
      tap: {
        name: this.#station,
        open: this.#tap.port !== undefined,
        adopted: this.#tap.port?.adopted ?? false,
        ...tap,
      },
      group: {
        address: group ?? null,
        port,
        joined: this.#group.port !== undefined,
        via: this.#via?.name ?? config.via ?? "",
        index: this.#via?.state.index ?? 0,
        receive_buffer: this.#group.port?.receiveBuffer ?? 0,
      },
      format: config.format,
      ...(this.#igmp ? { igmp: this.#igmp.facts(ctx.platform.now()) } : {}),
      ...(this.#watch ? { streams: this.#watch.facts(ctx.platform.now()) } : {}),
    };
    const shown = JSON.stringify(facts);
    if (shown !== this.#shown) ctx.detail(facts);
    this.#shown = shown;
  }
}

/** Undefined when the configuration wants none. */
function streamPoints({ platform, counters, publish }: HotContext, { points }: Config) {
  if (points === "none") return undefined;
  const epochMs = () => Math.floor(platform.epochMicros() / 1000);
  return new StreamPoints(publish, epochMs, points === "values", counters);
}
