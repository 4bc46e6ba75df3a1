/**
 * Makes what the supervisor runs out of the configuration: for each service its counters, its
 * context, and a run on the main thread or in a worker.
 * @module
 */
import { Counters } from "../base/counters.ts";
import type { Random } from "../base/random.ts";
import type { ServiceConfig } from "../kernel/config.ts";
import type { LogHub } from "../kernel/log.ts";
import type {
  Cryptography,
  Health,
  HotSample,
  Neighbors,
  TraceDepth,
  WorkerHandle,
  WorkerPart,
} from "../kernel/module.ts";
import type { Orders } from "../kernel/orders.ts";
import type { Json, JsonObject } from "../kernel/registry.ts";
import type { Registry } from "../kernel/control_registry.ts";
import type { ServiceSpec } from "../kernel/supervisor.ts";
import { runInWorker, startInWorker, type ThreadKeeper } from "../kernel/worker_host.ts";
import type { Clock } from "../platform/clock.ts";
import type { Files, Net, Programs, Usage } from "../platform/ports.ts";
import type { Authority } from "../points/authority.ts";
import { isPointId, type PointId, type Points, type Sample } from "../points/points.ts";

/** What all services share. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
  readonly files: Files;
  readonly programs: Programs;
  readonly usage: Usage;
  readonly crypto: Cryptography;
  readonly neighbors: Neighbors;
  readonly points: Points;
  readonly authority: Authority;
  readonly registry: Registry;
  readonly log: LogHub;
  readonly threads: ThreadKeeper;
}

/** How much of each frame is traced, least first; the place is the number a worker is told. */
export const TRACE_LEVELS = ["none", "header", "objects", "octets"] as const;
export type TraceLevel = (typeof TRACE_LEVELS)[number];

/** One service: what the supervisor needs, and what /status and `trace` need of it. */
export class Service implements ServiceSpec {
  readonly id: string;
  readonly plane: ServiceSpec["plane"];
  readonly counters: Counters;
  /** Facts that the service published last; undefined while it has not. */
  detail: JsonObject | undefined;
  #orders: Orders | undefined;
  #trace = 0;

  constructor(readonly config: ServiceConfig, readonly around: Surroundings) {
    const { id, module } = config;
    this.id = id;
    this.plane = module.plane;
    this.counters = new Counters(module.counters ?? []);
  }

  /** Sets how much is traced. Returns false for a service that has no frames to trace. */
  setTrace(level: TraceLevel): boolean {
    const { module } = this.config;
    if (module.isolate === "main" && !module.frames) return false;
    this.#trace = TRACE_LEVELS.indexOf(level);
    if (this.#orders) this.#orders.trace = this.#trace;
    return true;
  }

  /** Asks it to look after its peers at once. Returns false when it cannot be asked. */
  nudge(): boolean {
    this.#orders?.nudge();
    return this.#orders !== undefined;
  }

  readonly run = async (
    signal: AbortSignal,
    report: (health: Health, why?: string) => void,
  ): Promise<void> => {
    this.detail = undefined;
    if (this.config.module.isolate === "worker") await this.#runInWorker(signal, report);
    else await this.#runHere(signal, report);
  };

  async #runInWorker(
    signal: AbortSignal,
    report: (health: Health, why?: string) => void,
  ): Promise<void> {
    const { module, config } = this.config;
    const { clock, threads, log } = this.around;
    await runInWorker({
      id: this.id,
      module: module.name,
      config,
      counterNames: module.counters ?? [],
      counters: this.counters,
      clock,
      keeper: threads,
      signal,
      begun: (orders) => {
        this.#orders = orders;
        orders.trace = this.#trace;
      },
      report,
      detail: (facts) => this.detail = facts as Record<string, Json>,
      publish: (samples) => this.around.points.publish(samplesOf(this.id, samples)),
      log: (line) => log.add(line),
    });
  }

  async #runHere(
    signal: AbortSignal,
    report: (health: Health, why?: string) => void,
  ): Promise<void> {
    const { module, config } = this.config;
    if (module.isolate !== "main") return;
    const { registry, log, threads: _, ...shared } = this.around;
    using control = registry.scoped();
    await module.run({
      id: this.id,
      signal,
      ...shared,
      control,
      log: log.of(this.id),
      counters: this.counters,
      report,
      trace: () => this.#trace as TraceDepth,
      startWorker: (part) => this.#startPart(part),
    }, config);
  }

  #startPart({ part, config, signal, hear, report }: WorkerPart): WorkerHandle {
    const { module } = this.config;
    const { clock, threads, log } = this.around;
    return startInWorker({
      id: this.id,
      module: `${module.name}.${part}`,
      config,
      counterNames: module.counters ?? [],
      counters: this.counters,
      clock,
      keeper: threads,
      signal,
      begun: () => {},
      report,
      // Parts of one service stand side by side.
      detail: (facts) => this.detail = { ...this.detail, ...facts as Record<string, Json> },
      publish: (samples) => this.around.points.publish(samplesOf(this.id, samples)),
      hear,
      log: (line) => log.add(line),
    });
  }
}

/** The points of a service of the byte plane bear its name. What is no name of a point is left out. */
function samplesOf(id: string, samples: readonly HotSample[]): Sample[] {
  return samples.flatMap(({ name, value, quality, at }): Sample[] => {
    const point: string = `${id}.${name}`;
    return isPointId(point) ? [{ point: point as PointId, value, quality, at }] : [];
  });
}
