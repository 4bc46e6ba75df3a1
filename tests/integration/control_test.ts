/** The control port over real sockets, with many and rude peers. */
import { seconds } from "../../src/base/time.ts";
import { ControlPort } from "../../src/kernel/control.ts";
import { Registry } from "../../src/kernel/control_registry.ts";
import { installNodeRoutes } from "../../src/kernel/status.ts";
import { SystemClock } from "../../src/platform/clock.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";
import { parseMetrics } from "../sim/prometheus.ts";

const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

async function open(maxConnections = 4096) {
  const registry = new Registry();
  const port = await ControlPort.open({
    listen: { host: "127.0.0.1", port: 0 },
    token: undefined,
    publicRead: false,
    maxConnections,
    idleTimeout: seconds(60),
    registry,
    net: SYSTEM_NET,
    log: SILENT,
    clock: new SystemClock(),
    random: Math.random,
  });
  installNodeRoutes(registry, {
    series: () => [],
    view: () => ({
      status: "Running",
      version: "0.1.0",
      uptimeS: 1,
      config: "sha256:0",
      services: [],
      memory: { residentOctets: 1 },
      control: { connections: port.connections, ...port.counters },
    }),
    reload: () => Promise.resolve({ ok: true, problems: [] }),
    trace: () => false,
  });
  return port;
}

function dial({ local }: ControlPort): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: local.host, port: local.port });
}

/** Sends a text and reads until the connection is closed. */
async function exchange(port: ControlPort, text: string | Uint8Array): Promise<string> {
  using conn = await dial(port);
  const octets = typeof text === "string" ? new TextEncoder().encode(text) : text;
  try {
    for (let at = 0; at < octets.length;) at += await conn.write(octets.subarray(at));
  } catch (error) {
    // It may be closed before all was sent; the answer is what counts.
    assert(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset);
  }
  let answer = "";
  const chunk = new Uint8Array(65_536);
  for (;;) {
    const count = await conn.read(chunk).catch(() => null);
    if (count === null) return answer;
    answer += new TextDecoder().decode(chunk.subarray(0, count));
  }
}

const LAST = "Host: localhost\r\nConnection: close\r\n\r\n";

Deno.test("A thousand idle connections do not hurt the one that asks", async () => {
  await using port = await open();
  const idle = await Promise.all(Array.from({ length: 1000 }, () => dial(port)));
  const half = await Promise.all(Array.from({ length: 100 }, () => dial(port)));
  for (const conn of half) await conn.write(new TextEncoder().encode("GET /sta"));
  try {
    for (let index = 0; index < 20; index += 1) {
      const answer = await exchange(port, `GET /status HTTP/1.1\r\n${LAST}`);
      assert(answer.startsWith("HTTP/1.1 200 OK\r\n"), answer);
    }
    assertEquals(port.connections >= 1100, true);
  } finally {
    for (const conn of [...idle, ...half]) conn.close();
  }
});

Deno.test("With the table full, the newest connection is served all the same", async () => {
  await using port = await open(8);
  const idle = await Promise.all(Array.from({ length: 20 }, () => dial(port)));
  const answer = await exchange(port, `GET /healthz HTTP/1.1\r\n${LAST}`);
  assert(answer.endsWith("ok\n"), answer);
  assert(port.counters.evicted >= 13, String(port.counters.evicted));
  for (const conn of idle) conn.close();
});

Deno.test("An oversized head is answered with 431, even while more is being sent", async () => {
  await using port = await open();
  const answer = await exchange(port, `GET / HTTP/1.1\r\nA: ${"x".repeat(500_000)}`);
  assert(answer.startsWith("HTTP/1.1 431 "), answer.slice(0, 100));
});

Deno.test("HEAD has the length of GET and no body; 404 and 405 are JSON", async () => {
  await using port = await open();
  const length = (text: string) => /\r\ncontent-length: (\d+)\r\n/.exec(text)?.[1];
  const get = await exchange(port, `GET /healthz HTTP/1.1\r\n${LAST}`);
  const head = await exchange(port, `HEAD /healthz HTTP/1.1\r\n${LAST}`);
  assertEquals(length(head), length(get));
  assert(head.endsWith("\r\n\r\n"));
  const none = await exchange(port, `GET /x HTTP/1.1\r\n${LAST}`);
  assert(none.startsWith("HTTP/1.1 404 ") && none.includes("application/json"));
  const wrong = await exchange(port, `PUT /status HTTP/1.1\r\n${LAST}`);
  assert(wrong.startsWith("HTTP/1.1 405 ") && /\r\nallow: GET, HEAD\r\n/.test(wrong));
});

Deno.test("The runtime's own client gets everything, with and without chunks", async () => {
  await using port = await open();
  const base = `http://127.0.0.1:${port.local.port}`;
  const metrics = parseMetrics(await (await fetch(`${base}/metrics`)).text());
  assertEquals(metrics.get("busbar_uptime_seconds")!.samples[0]!.value, 1);
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"id":"a",'));
      controller.enqueue(new TextEncoder().encode('"level":"none"}'));
      controller.close();
    },
  });
  const chunked = await fetch(`${base}/trace`, { method: "POST", body });
  assertEquals(chunked.status, 422);
  await chunked.body?.cancel();
  const whole = await fetch(`${base}/reload`, { method: "POST" });
  assertEquals(await whole.json(), { ok: true, problems: [] });
});

Deno.test({
  name: "curl is served, with a body that waits to be asked for",
  ...needs("curl"),
  async fn() {
    await using port = await open();
    const base = `http://127.0.0.1:${port.local.port}`;
    const run = async (...args: string[]) => {
      const { stdout } = await new Deno.Command("curl", { args: ["-s", "-m", "10", ...args] })
        .output();
      return new TextDecoder().decode(stdout);
    };
    assertEquals(JSON.parse(await run(`${base}/status`)).status, "Running");
    const code = ["-o", "/dev/null", "-w", "%{http_code}"];
    assertEquals(await run(...code, "-I", `${base}/status`), "200");
    const large = ["-H", "Expect: 100-continue", "-d", `{"id":"${"x".repeat(9000)}","level":"x"}`];
    assertEquals(await run(...code, ...large, `${base}/trace`), "422");
  },
});

Deno.test("Whatever is sent, the port lives on", async () => {
  await using port = await open();
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  let state = seed;
  const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24;
  try {
    for (let round = 0; round < 40; round += 1) {
      const octets = Uint8Array.from({ length: 1 + random() * 8 }, random);
      if (round % 4 === 0) octets[0] = 0x7b;
      if (round % 4 === 1) {
        octets.set(new TextEncoder().encode("GET / HT").subarray(0, octets.length));
      }
      using conn = await dial(port);
      await conn.write(octets);
    }
    const answer = await exchange(port, `GET /healthz HTTP/1.1\r\n${LAST}`);
    assert(answer.endsWith("ok\n"), answer);
  } catch (cause) {
    throw new Error(`seed ${seed}`, { cause });
  }
});
