/** `busbar status`, `reload`, `trace` against a real control port. */
import { runCli } from "../../src/app/cli.ts";
import { COMMANDS } from "../../src/app/commands.ts";
import { Registry } from "../../src/kernel/control_registry.ts";
import { installNodeRoutes, type NodeView, type ServiceView } from "../../src/kernel/status.ts";
import { assert, assertEquals } from "../assert.ts";
import { openControl } from "./control_port.ts";
import { createScreen } from "../unit/app/terminals.ts";

const TOKEN = "0123456789abcdef";

function service(id: string, state: string, why?: string): ServiceView {
  const counters = { "frames_in": 12, "frames_out": 34, "dropped": 5 };
  return { id, state, sinceS: 61, restarts: 2, why, counters, detail: { tap: { name: "goose0" } } };
}

/** A control port in front of a node that the test makes up. */
async function serve(services: readonly ServiceView[], token?: string) {
  const registry = new Registry();
  const traced: string[] = [];
  const reload = { ok: true, problems: [] as string[] };
  const view = (): NodeView => ({
    status: "Running",
    version: "9.9.9",
    uptimeS: 90,
    config: "sha256:0",
    services,
    memory: { residentOctets: 1 },
    control: {},
  });
  installNodeRoutes(registry, {
    series: () => [],
    view,
    reload: () => Promise.resolve(reload),
    trace(id, level) {
      traced.push(`${id} ${level}`);
      return services.some((one) => one.id === id);
    },
  });
  const { port, at } = await openControl(registry, token);
  return { port, reload, traced, at };
}

async function call(
  at: string,
  args: readonly string[],
  more: Parameters<typeof createScreen>[1] = {},
  env: Record<string, string> = {},
  signal = new AbortController().signal,
) {
  const { terminal, out, err } = createScreen(env, more);
  const code = await runCli([...args, "--control", at], COMMANDS, terminal, signal);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

Deno.test("status is a table; its exit code says whether a service is down", async () => {
  const { port, at } = await serve([
    service("a.b", "up"),
    service("c", "degraded", "Peer is away"),
  ]);
  await using _ = port;
  const { code, out } = await call(at, ["status"]);
  assertEquals(code, 0);
  assertEquals(out.split("\n"), [
    "busbar 9.9.9: Running, degraded, for 1m30s",
    "SERVICE  STATE     SINCE  RESTARTS  IN  OUT  DROPPED",
    "a.b      up         1m1s         2  12   34        5",
    "c        degraded   1m1s         2  12   34        5",
    "c: Peer is away",
  ]);
  const down = await serve([service("a", "waiting", "Oops")]);
  await using _down = down.port;
  assertEquals((await call(down.at, ["status"])).code, 1);
});

Deno.test("status has color on a terminal only, and none with NO_COLOR", async () => {
  const { port, at } = await serve([service("a", "up")]);
  await using _ = port;
  assert((await call(at, ["status"], { colour: true })).out.includes("\x1b[32mup"));
  assert(!(await call(at, ["status"])).out.includes("\x1b"));
});

Deno.test("status of one service shows its counters and facts; --json is the document", async () => {
  const { port, at } = await serve([service("a", "up")]);
  await using _ = port;
  const { out } = await call(at, ["status", "a"]);
  assert(/frames_in +12/.test(out) && /tap\.name +goose0/.test(out), out);
  assertEquals(JSON.parse((await call(at, ["status", "--json"])).out).services.a.restarts, 2);
  const none = await call(at, ["status", "nothing"]);
  assertEquals([none.code, none.err], [1, "busbar: There is no service nothing"]);
});

Deno.test("status --watch shows it again until it is interrupted, in place on a terminal", async () => {
  for (const interactive of [false, true]) {
    const { port, at } = await serve([service("a", "up")]);
    await using _ = port;
    const stop = new AbortController();
    let shown = 0;
    const raw = () => {
      shown += 1;
      if (shown === 4) stop.abort();
    };
    const lines: string[] = [];
    const out = (line: string) => {
      lines.push(line);
      if (lines.length === 6) stop.abort();
    };
    const terminal = interactive ? { interactive, raw } : { out };
    const { code } = await call(at, ["status", "--watch=200ms"], terminal, {}, stop.signal);
    assertEquals(code, 0);
    assertEquals(interactive ? lines.length : shown, 0);
  }
});

Deno.test("A token is needed where one is set, and taken from $BUSBAR_TOKEN", async () => {
  const { port, at } = await serve([service("a", "up")], TOKEN);
  await using _ = port;
  const denied = await call(at, ["reload"]);
  assertEquals(denied.code, 1);
  assert(denied.err.includes("BUSBAR_TOKEN"), denied.err);
  assertEquals((await call(at, ["reload"], {}, { BUSBAR_TOKEN: TOKEN })).code, 0);
});

Deno.test("reload shows the problems and ends with 2 when it is refused", async () => {
  const { port, at, reload } = await serve([]);
  await using _ = port;
  Object.assign(reload, { ok: false, problems: ["busbar.yaml:1:1 x: is not known"] });
  const { code, err } = await call(at, ["reload"]);
  assertEquals([code, err], [2, "busbar.yaml:1:1 x: is not known"]);
});

Deno.test("trace sets the level of a service, and says when there is none", async () => {
  const { port, at, traced } = await serve([service("a", "up")]);
  await using _ = port;
  assertEquals((await call(at, ["trace", "a", "octets"])).code, 0);
  assertEquals((await call(at, ["trace", "b", "header"])).code, 1);
  assertEquals(traced, ["a octets", "b header"]);
  assertEquals((await call(at, ["trace", "a", "loud"])).code, 2);
});

Deno.test("Commands say in one line when nothing answers, or when it is not busbar", async () => {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const at = `127.0.0.1:${free.addr.port}`;
  free.close();
  const { code, err } = await call(at, ["status"]);
  assertEquals([code, err.split("\n").length], [1, 1]);
  assert(err.includes(at) && err.includes("busbar run"), err);
  assertEquals((await call("nonsense", ["status"])).code, 2);
});
