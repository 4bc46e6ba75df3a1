/**
 * What is shown of a node: the document behind /status, its health, and the routes and messages of
 * the node itself.
 * @module
 */
import { metricsText, type Series } from "./metrics.ts";
import type { Registry } from "./control_registry.ts";
import type { ControlReply, Json, JsonObject } from "./registry.ts";

/** How one service fares, as it is shown. */
export interface ServiceView {
  readonly id: string;
  readonly state: string;
  readonly sinceS: number;
  readonly restarts: number;
  readonly why: string | undefined;
  readonly counters: Readonly<Record<string, number>>;
  readonly detail: JsonObject | undefined;
}

/** How a node fares. */
export interface NodeView {
  readonly status: "Starting" | "Running" | "Stopping" | "Stopped";
  readonly version: string;
  readonly uptimeS: number;
  /** Digest of the configuration that runs. */
  readonly config: string;
  readonly services: readonly ServiceView[];
  readonly memory: { readonly residentOctets: number };
  /** What the control port counts. */
  readonly control: Readonly<Record<string, number>>;
}

/** What a node can be asked for. */
export interface NodeControl {
  view(): NodeView;
  /** Reads the configuration anew. */
  reload(): Promise<{ readonly ok: boolean; readonly problems: readonly string[] }>;
  /** Sets how much is traced; false when there is no such service or level. */
  trace(id: string, level: string): boolean;
  /** What /metrics tells beside the counters. */
  series(): readonly Series[];
}

/** Health from the best to the worst. */
export type NodeHealth = "up" | "degraded" | "down";

const HEALTH: Readonly<Record<string, NodeHealth>> = {
  up: "up",
  stopped: "up",
  starting: "degraded",
  degraded: "degraded",
  waiting: "down",
  refused: "down",
  leaked: "down",
};

/** The health of a node is that of its worst service. */
export function healthOf(services: readonly ServiceView[]): NodeHealth {
  const all = services.map(({ state }) => HEALTH[state] ?? "down");
  return all.includes("down") ? "down" : all.includes("degraded") ? "degraded" : "up";
}

/** The document behind /status. */
export function statusDocument(view: NodeView, more: JsonObject = {}): JsonObject {
  const services = Object.fromEntries(view.services.map((service) => [
    service.id,
    serviceDocument(service),
  ]));
  return {
    status: view.status,
    health: healthOf(view.services),
    version: view.version,
    uptime_s: view.uptimeS,
    config: view.config,
    memory: { resident_octets: view.memory.residentOctets },
    control: view.control,
    ...more,
    services,
  };
}

function serviceDocument(service: ServiceView): JsonObject {
  const { state, sinceS, restarts, why, counters, detail } = service;
  return {
    state,
    since_s: sinceS,
    restarts,
    ...(why === undefined ? {} : { why }),
    counters,
    ...(detail === undefined ? {} : { detail }),
  };
}

/** Puts the routes and messages of the node itself into the registry. */
export function installNodeRoutes(registry: Registry, node: NodeControl): void {
  const status = (id: string | undefined): ControlReply => {
    const view = node.view();
    const document = statusDocument(view, registry.statusFields());
    if (id === undefined) {
      return { status: healthOf(view.services) === "down" ? 503 : 200, body: document };
    }
    const service = view.services.find((one) => one.id === id);
    if (!service) return { status: 404, body: { error: `There is no service ${id}` } };
    const code = healthOf([service]) === "down" ? 503 : 200;
    return { status: code, body: serviceDocument(service) };
  };
  registry.route("GET", "/", "open", () => ({
    status: 200,
    body: { name: "busbar", version: node.view().version, paths: registry.paths() },
  }));
  registry.route("GET", "/healthz", "open", () => ({ status: 200, body: "ok\n" }));
  registry.route("GET", "/readyz", "open", () => readiness(node.view()));
  registry.route("GET", "/status", "read", ({ query }) => status(query.get("id") ?? undefined));
  registry.route("GET", "/metrics", "read", () => ({
    status: 200,
    body: metricsText(node.view(), node.series()),
    contentType: "text/plain; version=0.0.4; charset=utf-8",
  }));
  registry.route("POST", "/reload", "change", async () => {
    const { ok, problems } = await node.reload();
    return { status: ok ? 200 : 422, body: { ok, problems } };
  });
  registry.route("POST", "/trace", "change", ({ body }) => {
    const done = trace(node, body);
    return done === undefined
      ? { status: 200, body: { ok: true } }
      : { status: 422, body: { error: done } };
  });
  registry.message("status", "read", ({ id }) => ({
    type: "status",
    ...status(typeof id === "string" ? id : undefined).body as JsonObject,
  }));
  registry.message("reload", "change", async () => ({ type: "reload", ...await node.reload() }));
  registry.message("trace", "change", (message) => {
    const error = trace(node, message);
    return error === undefined
      ? { type: "trace", ok: true }
      : { type: "error", code: 422, message: error };
  });
}

function readiness({ status, services }: NodeView): ControlReply {
  const waiting = services.filter(({ state }) => state !== "up" && state !== "degraded")
    .map(({ id, state }) => ({ id, state }));
  const ready = status === "Running" && waiting.length === 0;
  return { status: ready ? 200 : 503, body: { ready, status, waiting } };
}

/** Returns why it cannot be done. */
function trace(node: NodeControl, body: Json | undefined): string | undefined {
  const { id, level } = (body ?? {}) as { id?: unknown; level?: unknown };
  if (typeof id !== "string" || typeof level !== "string") return "id and level are needed";
  return node.trace(id, level)
    ? undefined
    : `${id} is no service whose frames can be traced at the level ${level}`;
}
