/**
 * One running busbar: the services of a configuration under the supervisor, the control port in
 * front of them, and the exchange of the configuration while it runs.
 * @module
 */
import { AppError, describe, OsError } from "../base/errors.ts";
import { type Instant, seconds, since } from "../base/time.ts";
import type { BusbarConfig, ConfigReading, Problem } from "../kernel/config.ts";
import { diffServices } from "../kernel/config_diff.ts";
import { ControlPort } from "../kernel/control.ts";
import { Registry } from "../kernel/control_registry.ts";
import type { LogHub } from "../kernel/log.ts";
import type { Neighbor, Neighbors } from "../kernel/module.ts";
import type { ControlConfig } from "../kernel/settings.ts";
import { installNodeRoutes, type NodeView, type ServiceView } from "../kernel/status.ts";
import { Supervisor } from "../kernel/supervisor.ts";
import { pause } from "../platform/clock.ts";
import type { LogOutputs } from "./log_outputs.ts";
import { Service, type Surroundings, TRACE_LEVELS, type TraceLevel } from "./services.ts";
import { streamSeries } from "./goose_series.ts";
import { sessionSeries } from "./relay_series.ts";
import { installPointRoutes } from "./point_routes.ts";
import type { PointPlane } from "./point_plane.ts";
import { VERSION } from "./version.ts";
import { problemLines } from "./problems.ts";

/** How long lines may take to be written at the end. */
const FLUSH_MAX = seconds(1);

/** What a node is made of. */
export interface NodeOptions {
  readonly config: BusbarConfig;
  readonly plane: PointPlane;
  readonly around: Omit<Surroundings, "registry" | "log" | "neighbors">;
  readonly log: LogHub;
  readonly outputs: LogOutputs;
  /** Reads the configuration anew. */
  read(): Promise<ConfigReading>;
  /** Resident memory of the process in octets. */
  memory(): number;
}

/** What a reload came to. */
export interface ReloadResult {
  readonly ok: boolean;
  /** One line for each problem, warnings too. */
  readonly problems: readonly string[];
}

/** A running busbar. */
export class Node {
  readonly #options: NodeOptions;
  readonly #registry = new Registry();
  readonly #services = new Map<string, Service>();
  readonly #supervisor: Supervisor;
  readonly #around: Surroundings;
  readonly #startedAt: Instant;
  #config: BusbarConfig;
  #control: ControlPort | undefined;
  #phase: NodeView["status"] = "Starting";
  #reloading: Promise<unknown> = Promise.resolve();

  private constructor(options: NodeOptions) {
    this.#options = options;
    this.#config = options.config;
    const { around, log } = options;
    const neighbors: Neighbors = {
      look: (id) => this.#look(id),
      nudge: (id) => this.#services.get(id)?.nudge() ?? false,
    };
    this.#around = { ...around, registry: this.#registry, log, neighbors };
    this.#startedAt = around.clock.now();
    this.#supervisor = new Supervisor({
      clock: around.clock,
      random: around.random,
      log: (id) => log.of(id),
    });
  }

  /**
   * Opens the control port and starts every service.
   * @throws OsError when the control port cannot be opened.
   */
  static async start(options: NodeOptions): Promise<Node> {
    const node = new Node(options);
    installNodeRoutes(node.#registry, {
      view: () => node.view(),
      reload: () => node.reload(),
      trace: (id, level) => node.trace(id, level),
      series: () => {
        const { services } = node.view();
        return [
          ...streamSeries(services),
          ...sessionSeries(services),
          ...options.plane.series(),
        ];
      },
    });
    installPointRoutes(node.#registry, options.plane, options.around.clock);
    node.#registry.status(() => ({
      log: { ...options.outputs.status() },
      points: options.plane.status(),
    }));
    node.#control = await node.#openControl(options.config.control);
    const { host, port } = node.#control.local;
    options.log.of("kernel").info("kernel.started", "busbar has started", {
      version: VERSION,
      control: `${host}:${port}`,
      config: options.config.digest,
      services: options.config.services.length,
    });
    for (const service of options.config.services) node.#start(new Service(service, node.#around));
    node.#phase = "Running";
    return node;
  }

  /** Where the control port listens. */
  get control(): ControlPort {
    return this.#control!;
  }

  /** How everything fares now. */
  view(): NodeView {
    const { clock } = this.#around;
    const now = clock.now();
    const services = this.#supervisor.status().map((status): ServiceView => {
      const service = this.#services.get(status.id);
      return {
        id: status.id,
        state: status.state,
        sinceS: Math.floor(since(status.since, now) / 1000),
        restarts: status.restarts,
        why: status.why,
        counters: service?.counters.snapshot() ?? {},
        detail: service?.detail,
      };
    });
    return {
      status: this.#phase,
      version: VERSION,
      uptimeS: Math.floor(since(this.#startedAt, now) / 1000),
      config: this.#config.digest,
      services,
      memory: { residentOctets: this.#options.memory() },
      control: {
        connections: this.#control?.connections ?? 0,
        ...this.#control?.counters,
      },
    };
  }

  /** Sets how much of a service's frames is traced. Returns false when it has none to trace. */
  trace(id: string, level: string): boolean {
    const known = TRACE_LEVELS.find((word): word is TraceLevel => word === level);
    const done = known !== undefined && this.#services.get(id)?.setTrace(known) === true;
    if (done) this.#options.log.of(id).info("trace.level", "Trace level was set", { level });
    return done;
  }

  /**
   * Reads the configuration anew. With any problem everything stays as it is; else only what has
   * changed is stopped and started. One reload at a time.
   */
  reload(): Promise<ReloadResult> {
    const result = this.#reloading.then(() => this.#reload());
    // Whoever asked is told of a failure; the next one only waits for the end.
    this.#reloading = result.then(() => undefined, () => undefined);
    return result;
  }

  /**
   * Stops all services, then the control port.
   * @returns The services that did not end.
   */
  async stop(): Promise<readonly string[]> {
    const log = this.#options.log.of("kernel");
    this.#phase = "Stopping";
    await this.#reloading;
    log.info("kernel.stopping", "busbar is stopping");
    const leaked = await this.#supervisor.stopAll();
    this.#phase = "Stopped";
    await this.#control?.[Symbol.asyncDispose]();
    if (leaked.length > 0) log.error("kernel.leaked", "Services did not end", { leaked });
    else log.info("kernel.stopped", "busbar has stopped");
    this.#options.log.flush();
    const done = new AbortController();
    void this.#options.outputs.flushed().then(() => done.abort());
    await pause(this.#around.clock, FLUSH_MAX, done.signal);
    return leaked;
  }

  #look(id: string): Neighbor | undefined {
    const service = this.#services.get(id);
    const state = this.#supervisor.status().find((status) => status.id === id)?.state;
    if (!service || state === undefined) return undefined;
    return {
      state,
      counters: service.counters.snapshot(),
      detail: service.detail ?? {},
      config: service.config.config,
    };
  }

  #start(service: Service): void {
    this.#services.set(service.id, service);
    this.#supervisor.start(service);
  }

  async #openControl(settings: ControlConfig): Promise<ControlPort> {
    const { clock, random } = this.#around;
    const { files } = this.#around;
    const tls = settings.tls && {
      certificate: await files.read(settings.tls.certificate),
      key: await files.read(settings.tls.key),
    };
    return await ControlPort.open({
      listen: settings.listen,
      tls,
      token: settings.token,
      publicRead: settings.publicRead,
      maxConnections: settings.maxConnections,
      idleTimeout: settings.idleTimeout,
      registry: this.#registry,
      net: this.#around.net,
      log: this.#options.log.of("control"),
      clock,
      random,
    });
  }

  async #reload(): Promise<ReloadResult> {
    const log = this.#options.log.of("kernel");
    if (this.#phase !== "Running") return { ok: false, problems: ["busbar is stopping"] };
    let reading: ConfigReading;
    try {
      reading = await this.#options.read();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      reading = { config: undefined, problems: [unreadable(error)] };
    }
    const problems = problemLines(reading.problems);
    if (!reading.config) {
      log.error("config.refused", "Configuration has problems; the old one stays", { problems });
      return { ok: false, problems };
    }
    const refused = await this.#exchangeControl(reading.config.control);
    if (refused !== undefined) {
      log.error("config.refused", "Control port cannot be moved; the old configuration stays", {
        problems: [refused],
      });
      return { ok: false, problems: [...problems, refused] };
    }
    await this.#exchange(reading.config);
    return { ok: true, problems };
  }

  async #exchange(config: BusbarConfig): Promise<void> {
    const { log, outputs } = this.#options;
    const before = this.#config;
    if (JSON.stringify(before.points) !== JSON.stringify(config.points)) {
      log.of("kernel").warn(
        "config.restart",
        "What was changed below points: holds from the next start",
      );
    }
    this.#config = config;
    log.configure(config.log.level, outputs.open(config.log), config.secrets);
    const { stop, start } = diffServices(before.services, config.services);
    await this.#supervisor.stop(stop);
    for (const id of stop) {
      this.#supervisor.forget(id);
      this.#services.delete(id);
    }
    for (const service of start) this.#start(new Service(service, this.#around));
    log.of("kernel").info("config.loaded", "Configuration was loaded", {
      config: config.digest,
      stopped: stop,
      started: start.map(({ id }) => id),
    });
  }

  /** Moves the control port if its settings changed. Returns why it cannot; then the old one stays. */
  async #exchangeControl(settings: ControlConfig): Promise<string | undefined> {
    const before = this.#config.control;
    if (JSON.stringify(before) === JSON.stringify(settings)) return undefined;
    const old = this.#control!;
    const { host, port } = before.listen;
    const same = host === settings.listen.host && port === settings.listen.port;
    try {
      // The same address can be bound only once, so there the old port has to go first.
      if (same) await old[Symbol.asyncDispose]();
      this.#control = await this.#openControl(settings);
      if (!same) void old[Symbol.asyncDispose]();
      return undefined;
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      if (same) this.#control = await this.#openControl(before);
      return `control.listen: ${describe(error)}`;
    }
  }
}

function unreadable(error: AppError): Problem {
  return { severity: "error", line: 0, column: 0, path: "", message: describe(error) };
}
