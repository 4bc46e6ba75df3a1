/**
 * Keeps services alive until it is told to stop them. Flat: no tree and no order of starting, for
 * the only thing between services is the points. It never gives up, for nobody stands beside the
 * box; only a service whose configuration is wrong waits for another one.
 * @module
 */
import { BugError, ConfigError, describe } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { type Instant, type Millis, millis, seconds, since } from "../base/time.ts";
import { type Clock, pause } from "../platform/clock.ts";
import type { Health, ModuleDef } from "./module.ts";

/** Wait before the first restart; it doubles with each further failure in a row. */
export const RESTART_MIN = seconds(1);
/** Longest wait before a restart. */
export const RESTART_MAX = seconds(30);
/** How far a wait may be off, so that what failed together does not start together. */
const RESTART_SPREAD = 0.2;
/** A run that has been healthy for so long begins the count of failures anew. */
export const HEALTHY_AFTER = seconds(60);
/** A service that has said nothing for so long is shown as degraded. */
export const STARTING_MAX = seconds(30);
/** How long a service may take to end. */
export const STOP_WITHIN = seconds(10);

/** Planes in the order in which they stop. */
const STOP_ORDER: readonly (readonly ModuleDef["plane"][])[] = [
  ["relay", "south"],
  ["north"],
  ["service"],
];

/** One thing to keep alive. */
export interface ServiceSpec {
  readonly id: string;
  readonly plane: ModuleDef["plane"];
  /** The whole life of the service; called anew for each start. */
  readonly run: (
    signal: AbortSignal,
    report: (health: Health, why?: string) => void,
  ) => Promise<void>;
}

/**
 * `starting`: has not reported yet. `waiting`: between a failure and the next start. `refused`: its
 * configuration is wrong. `leaked`: did not end in time after it was told to.
 */
export type ServiceState = "starting" | Health | "waiting" | "refused" | "stopped" | "leaked";

/** How a service fares. */
export interface ServiceStatus {
  readonly id: string;
  readonly state: ServiceState;
  /** When the state was entered. */
  readonly since: Instant;
  /** Starts after the first. */
  readonly restarts: number;
  /** Why it is not up; the last reason while it is starting again. */
  readonly why: string | undefined;
}

interface Service {
  readonly spec: ServiceSpec;
  readonly stop: AbortController;
  status: ServiceStatus;
  /** Resolves when it has ended for good. */
  ended: Promise<void>;
}

/** What the supervisor needs. */
export interface SupervisorOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The log of a service. */
  log(id: string): Log;
}

/** The wait after failure number `failures` in a row, counted from 1. */
export function restartDelay(failures: number, random: Random): Millis {
  const base = Math.min(RESTART_MIN * 2 ** (failures - 1), RESTART_MAX);
  return millis(base * (1 + RESTART_SPREAD * (2 * random() - 1)));
}

/** Runs services. */
export class Supervisor {
  readonly #services = new Map<string, Service>();
  readonly #options: SupervisorOptions;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Starts a service and returns at once; how it fares is read from {@linkcode status}. One that
   * has leaked under the same name is waited for first.
   */
  start(spec: ServiceSpec): void {
    const before = this.#services.get(spec.id);
    if (before && before.status.state !== "stopped" && before.status.state !== "leaked") {
      throw new BugError("supervisor.duplicate", "Service is already running", { id: spec.id });
    }
    const service: Service = {
      spec,
      stop: new AbortController(),
      status: {
        id: spec.id,
        state: "starting",
        since: this.#options.clock.now(),
        restarts: 0,
        why: undefined,
      },
      ended: Promise.resolve(),
    };
    const free = before?.status.state === "leaked" ? before.ended : Promise.resolve();
    if (before?.status.state === "leaked") {
      this.#enter(service, "waiting", "Its former run has not ended yet");
    }
    service.ended = free.then(() => this.#keep(service));
    this.#services.set(spec.id, service);
  }

  /**
   * Stops services at once and returns when all have ended or their time is up.
   * @returns The ones that have not ended.
   */
  async stop(ids: readonly string[]): Promise<string[]> {
    const stopped = await Promise.all(ids.map((id) => this.#stop(id)));
    return ids.filter((_, index) => !stopped[index]);
  }

  /** Forgets a service that has stopped; it is not shown any more. */
  forget(id: string): void {
    if (this.#services.get(id)?.status.state === "stopped") this.#services.delete(id);
  }

  /**
   * Stops everything, plane by plane.
   * @returns The services that have not ended.
   */
  async stopAll(): Promise<string[]> {
    const leaked: string[] = [];
    for (const planes of STOP_ORDER) {
      const ids = [...this.#services.values()].filter(({ spec }) => planes.includes(spec.plane))
        .map(({ spec }) => spec.id);
      leaked.push(...await this.stop(ids));
    }
    return leaked;
  }

  /** How every service fares, in the order of starting. */
  status(): ServiceStatus[] {
    const now = this.#options.clock.now();
    return [...this.#services.values()].map(({ status }) => {
      const silent = since(status.since, now);
      if (status.state !== "starting" || silent <= STARTING_MAX) return status;
      const why = status.why ?? `Has not come up for ${Math.round(silent / 1000)} s`;
      return { ...status, state: "degraded", why };
    });
  }

  async #stop(id: string): Promise<boolean> {
    const service = this.#services.get(id);
    if (!service) return true;
    service.stop.abort();
    const ended = new AbortController();
    service.ended.then(() => ended.abort());
    await pause(this.#options.clock, STOP_WITHIN, ended.signal);
    if (ended.signal.aborted) return true;
    this.#enter(service, "leaked", `Did not end within ${STOP_WITHIN / 1000} s`);
    return false;
  }

  async #keep(service: Service): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = service.stop;
    let failures = 0;
    for (let restarts = 0; !signal.aborted; restarts += 1) {
      service.status = { ...service.status, restarts };
      this.#enter(service, "starting", service.status.why);
      const { error, healthy } = await this.#runOnce(service);
      if (error === undefined || signal.aborted) {
        if (error !== undefined) this.#tellFailure(service, error);
        break;
      }
      this.#tellFailure(service, error);
      if (error instanceof ConfigError) {
        this.#enter(service, "refused", describe(error));
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        break;
      }
      failures = healthy >= HEALTHY_AFTER ? 1 : failures + 1;
      this.#enter(service, "waiting", describe(error));
      await pause(clock, restartDelay(failures, random), signal);
    }
    this.#enter(service, "stopped", undefined);
  }

  /** One run, from the call to its end. `healthy` is how long it was up or degraded. */
  async #runOnce(service: Service): Promise<{ error: unknown; healthy: Millis }> {
    const { clock } = this.#options;
    const { id, run } = service.spec;
    const { signal } = service.stop;
    let cameUp: Instant | undefined;
    let over = false;
    const report = (health: Health, why?: string) => {
      // A run that has ended, or that is ending, has nothing to say about the next one.
      if (over || signal.aborted) return;
      cameUp ??= clock.now();
      this.#enter(service, health, health === "up" ? undefined : why ?? "No reason was given");
    };
    let error: unknown;
    try {
      await run(signal, report);
      if (!signal.aborted) {
        error = new BugError("supervisor.returned", "Service ended unasked", { id });
      }
    } catch (thrown) {
      error = thrown ?? new BugError("supervisor.nothing", "Service failed with no reason", { id });
    }
    over = true;
    return { error, healthy: cameUp === undefined ? millis(0) : since(cameUp, clock.now()) };
  }

  #tellFailure(service: Service, error: unknown): void {
    const log = this.#options.log(service.spec.id);
    log.error("service.failed", "Service failed", { error, restarts: service.status.restarts });
  }

  #enter(service: Service, state: ServiceState, why: string | undefined): void {
    const { status } = service;
    if (status.state === state && status.why === why) return;
    const at = status.state === state ? status.since : this.#options.clock.now();
    service.status = { ...status, state, since: at, why };
    const log = this.#options.log(service.spec.id);
    if (state === "up") log.info("service.up", "Service is up");
    else if (state === "degraded") log.warn("service.degraded", `Service is degraded: ${why}`);
    else if (state === "leaked") log.error("service.leaked", `Service leaked: ${why}`);
    else if (state === "stopped") log.info("service.stopped", "Service has stopped");
  }
}
