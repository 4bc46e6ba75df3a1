import { Counters } from "../../../src/base/counters.ts";
import { Registry } from "../../../src/kernel/control_registry.ts";
import { metricsText } from "../../../src/kernel/metrics.ts";
import type { ControlReply } from "../../../src/kernel/registry.ts";
import {
  healthOf,
  installNodeRoutes,
  type NodeView,
  type ServiceView,
  statusDocument,
} from "../../../src/kernel/status.ts";
import { assert, assertEquals } from "../../assert.ts";
import { parseMetrics } from "../../sim/prometheus.ts";

function service(id: string, state: string, why?: string): ServiceView {
  const counters = new Counters(["drop_runt"]).snapshot();
  return { id, state, sinceS: 12, restarts: 3, why, counters, detail: undefined };
}

function view(...services: readonly ServiceView[]): NodeView {
  return {
    status: "Running",
    version: "0.1.0",
    uptimeS: 86_400,
    config: "sha256:1f",
    services,
    memory: { residentOctets: 5 },
    control: { connections: 2, accepted: 9 },
  };
}

Deno.test("The document behind /status has the shape that clients know", () => {
  const document = statusDocument(view(service("a.b", "degraded", "Peer is away [link.closed]")));
  assertEquals(Object.keys(document), [
    "status",
    "health",
    "version",
    "uptime_s",
    "config",
    "memory",
    "control",
    "services",
  ]);
  const { "a.b": shown } = document.services as Record<string, Record<string, unknown>>;
  assertEquals(Object.keys(shown!), ["state", "since_s", "restarts", "why", "counters"]);
  assertEquals([document.health, shown!.why], ["degraded", "Peer is away [link.closed]"]);
});

Deno.test("The health of a node is that of its worst service", () => {
  assertEquals(healthOf([]), "up");
  assertEquals(healthOf([service("a", "up"), service("b", "starting")]), "degraded");
  for (const state of ["waiting", "refused", "leaked"]) {
    assertEquals(healthOf([service("a", "degraded"), service("b", state)]), "down");
  }
});

Deno.test("Metrics keep to the exposition format, whatever services are called", () => {
  const hostile = 'quote" back\\slash\nline}{';
  const counters = { "frames_in": 12, peers: 1, huge: 2 ** 53, "drop_runt": 0 };
  const metrics = parseMetrics(metricsText(view(
    { ...service("a.b", "up"), counters },
    service(hostile, "waiting"),
  )));
  const frames = metrics.get("busbar_frames_in_total")!;
  assertEquals([frames.type, frames.samples[0]], ["counter", {
    labels: { service: "a.b" },
    value: 12,
  }]);
  assertEquals(metrics.get("busbar_peers")!.type, "gauge");
  const states = metrics.get("busbar_service_state")!.samples;
  const on = states.filter(({ value }) => value === 1).map(({ labels }) => labels);
  assertEquals(on, [{ service: "a.b", state: "up" }, { service: hostile, state: "waiting" }]);
  assertEquals(metrics.get("busbar_control_accepted_total")!.samples[0]!.value, 9);
  assertEquals(metrics.get("busbar_control_connections")!.type, "gauge");
});

function installed(...services: readonly ServiceView[]) {
  const registry = new Registry();
  installNodeRoutes(registry, {
    series: () => [],
    view: () => view(...services),
    reload: () => Promise.resolve({ ok: false, problems: ["x"] }),
    trace: (id) => id === "a",
  });
  const call = async (
    method: "GET" | "POST",
    target: string,
    body?: never,
  ): Promise<ControlReply> => {
    const url = new URL(target, "http://x");
    const route = registry.findRoute(url.pathname)!.get(method)!;
    const query = url.searchParams;
    return await route.handler({ method, path: url.pathname, query, body, remote: "x" });
  };
  return { registry, call };
}

Deno.test("/status is 503 when a service is down; ?id= is for one", async () => {
  const { call } = installed(service("a", "up"), service("b", "waiting"));
  assertEquals((await call("GET", "/status")).status, 503);
  assertEquals((await call("GET", "/status?id=a")).status, 200);
  assertEquals((await call("GET", "/status?id=b")).status, 503);
  assertEquals((await call("GET", "/status?id=c")).status, 404);
});

Deno.test("/readyz says which services are not ready; /healthz only that we live", async () => {
  const { call } = installed(service("a", "degraded"), service("b", "starting"));
  const { status, body } = await call("GET", "/readyz");
  assertEquals([status, (body as { waiting: unknown }).waiting], [503, [{
    id: "b",
    state: "starting",
  }]]);
  assertEquals((await installed(service("a", "degraded")).call("GET", "/readyz")).status, 200);
  assertEquals((await call("GET", "/healthz")).status, 200);
});

Deno.test("/reload gives the problems; /trace says what it cannot do", async () => {
  const { call } = installed();
  assertEquals(await call("POST", "/reload"), {
    status: 422,
    body: { ok: false, problems: ["x"] },
  });
  assertEquals((await call("POST", "/trace", { id: "a", level: "none" } as never)).status, 200);
  assertEquals((await call("POST", "/trace", { id: "b", level: "none" } as never)).status, 422);
  assertEquals((await call("POST", "/trace")).status, 422);
});

Deno.test("What a module registers ends with it, and cannot be taken by another", () => {
  const { registry } = installed();
  const paths = registry.paths();
  {
    using scoped = registry.scoped();
    scoped.route("GET", "/own", "read", () => ({ status: 200, body: null }));
    scoped.message("own", "read", () => undefined);
    scoped.status(() => ({ own: 1 }));
    let taken = "";
    try {
      scoped.route("GET", "/status", "read", () => ({ status: 200, body: null }));
    } catch (error) {
      taken = (error as { code: string }).code;
    }
    assertEquals(taken, "control.route.taken");
    assertEquals(registry.statusFields(), { own: 1 });
    assert(registry.findMessage("own") && registry.findRoute("/own"));
  }
  assertEquals([registry.paths(), registry.statusFields()], [paths, {}]);
  assertEquals(registry.findMessage("own"), undefined);
});
