import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";
import { createNamespace, type Namespace } from "../netns.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** A wait for a line of the log ends after this; what is asserted is that it comes, not when. */
const LINE_MS = 30_000;
const TOKEN = "a-token-that-is-never-shown";

interface Line {
  readonly level: string;
  readonly id: string;
  readonly code: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** busbar from source, as a process of its own, with its log read line by line. */
class Child implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "busbar-run-" });
  readonly lines: Line[] = [];
  readonly #process: Deno.ChildProcess;
  #raw = "";
  #errors = "";
  #woken = Promise.withResolvers<void>();

  constructor(config: unknown, options: { in?: Namespace; main?: readonly string[] } = {}) {
    this.configure(config);
    const script = options.main ?? [`${ROOT}main.ts`];
    const args = ["run", "-A", "--no-check", ...script, "run", "-c", `${this.folder}/busbar.yaml`];
    const command = [Deno.execPath(), ...args];
    const spawn = { stdout: "piped", stderr: "piped", env: { TOKEN, NO_COLOR: "1" } } as const;
    this.#process = options.in
      ? options.in.spawn(command, spawn)
      : new Deno.Command(command[0]!, { args, ...spawn }).spawn();
    void this.#read(this.#process.stdout, (text) => this.#raw = this.#take(this.#raw + text));
    void this.#read(this.#process.stderr, (text) => this.#errors += text);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get errors(): string {
    return this.#errors;
  }

  get text(): string {
    return JSON.stringify(this.lines);
  }

  configure(config: unknown): void {
    const text = typeof config === "string" ? config : JSON.stringify(config);
    Deno.writeTextFileSync(`${this.folder}/busbar.yaml`, text);
  }

  signal(name: Deno.Signal): void {
    this.#process.kill(name);
  }

  /** Waits for a line, counted from the beginning of the log. */
  async line(fits: (line: Line) => boolean, nth = 1): Promise<Line> {
    const deadline = Date.now() + LINE_MS;
    for (;;) {
      const found = this.lines.filter(fits)[nth - 1];
      if (found) return found;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`No such line: ${this.text}\n${this.#errors}`);
      let alarm: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => alarm = setTimeout(resolve, left));
      await Promise.race([this.#woken.promise, late, this.#process.status]);
      clearTimeout(alarm);
      if (this.lines.filter(fits).length < nth && (await this.#over())) {
        throw new Error(`It ended: ${this.text}\n${this.#errors}`);
      }
    }
  }

  code(code: string, nth = 1): Promise<Line> {
    return this.line((line) => line.code === code, nth);
  }

  async end(): Promise<Deno.CommandStatus> {
    const status = await this.#process.status;
    // The last lines may still be on their way.
    await new Promise((resolve) => setTimeout(resolve, 50));
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!(await this.#over())) this.#process.kill("SIGKILL");
    await this.#process.status;
    Deno.removeSync(this.folder, { recursive: true });
  }

  async #over(): Promise<boolean> {
    const not = Symbol("not");
    const soon = new Promise((resolve) => setTimeout(resolve, 20, not));
    return await Promise.race([this.#process.status, soon]) !== not;
  }

  #take(text: string): string {
    const lines = text.split("\n");
    for (const line of lines.slice(0, -1)) {
      if (line.startsWith("{")) this.lines.push(JSON.parse(line));
    }
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
    return lines.at(-1)!;
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) take(text);
  }
}

async function get(child: Child, path: string, init: RequestInit = {}) {
  const { control } = await child.code("kernel.started");
  const headers = { authorization: `Bearer ${TOKEN}` };
  const response = await fetch(`http://${control}${path}`, { headers, ...init });
  return { status: response.status, body: await response.text() };
}

const EMPTY = { control: { listen: "127.0.0.1:0" }, modules: {} };

Deno.test("run serves /status, ends by SIGTERM with 0, and logs lines of JSON", async () => {
  await using child = new Child(EMPTY);
  const { status, body } = await get(child, "/status");
  const document = JSON.parse(body);
  assertEquals([status, document.status, document.services], [200, "Running", {}]);
  assert(/^sha256:[0-9a-f]{64}$/.test(document.config));
  child.signal("SIGTERM");
  assertEquals((await child.end()).code, 0);
  assert(child.lines.some(({ code }) => code === "kernel.stopped"), child.text);
});

Deno.test("run takes signals that come at once as one, and ends in good order", async () => {
  await using child = new Child(EMPTY);
  await child.code("kernel.started");
  for (const signal of ["SIGTERM", "SIGTERM", "SIGINT"] as const) child.signal(signal);
  assertEquals((await child.end()).code, 0);
  assert(child.lines.some(({ code }) => code === "kernel.stopped"), child.text);
});

Deno.test("run never shows a secret, neither in the log nor in /status nor in /metrics", async () => {
  const config = { control: { listen: "127.0.0.1:0", token: "${TOKEN}" }, log: { level: "debug" } };
  await using child = new Child({ ...config, modules: {} });
  for (const path of ["/status", "/metrics", "/nothing"]) {
    const { body } = await get(child, path);
    assert(!body.includes(TOKEN), body);
  }
  const denied = await get(child, "/status", { headers: { authorization: "Bearer wrong" } });
  assertEquals(denied.status, 401);
  child.signal("SIGTERM");
  await child.end();
  assert(!`${child.text}${child.errors}`.includes(TOKEN));
});

Deno.test("run reloads by SIGHUP and by request; a bad file changes nothing and is explained", async () => {
  await using child = new Child(EMPTY);
  const before = JSON.parse((await get(child, "/status")).body).config;
  child.configure("control: { listen: 127.0.0.1:0 }\nmodulse: {}\n");
  child.signal("SIGHUP");
  const refused = await child.code("config.refused");
  assert(JSON.stringify(refused.problems).includes("modules"), JSON.stringify(refused));
  const asked = await get(child, "/reload", { method: "POST" });
  assert(asked.status >= 400, `${asked.status} ${asked.body}`);
  assert(asked.body.includes("modulse"), asked.body);
  assertEquals(JSON.parse((await get(child, "/status")).body).config, before);
  child.configure({ ...EMPTY, log: { level: "debug" } });
  const taken = await get(child, "/reload", { method: "POST" });
  assertEquals(taken.status, 200, taken.body);
  await child.code("config.loaded");
  assert(JSON.parse((await get(child, "/status")).body).config !== before);
});

Deno.test("run writes its log into a file as well, and takes new settings at a reload", async () => {
  await using child = new Child(EMPTY);
  await child.code("kernel.started");
  const file = `${child.folder}/busbar.log`;
  child.configure({ ...EMPTY, log: { file, format: "text" } });
  child.signal("SIGHUP");
  // From now on stdout is text, which is not read here; the file has lines of JSON.
  let text = "";
  while (!text.includes("config.loaded")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    try {
      text = Deno.readTextFileSync(file);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  assertEquals(JSON.parse(text.split("\n")[0]!).code, "config.loaded");
  const { log } = JSON.parse((await get(child, "/status")).body);
  assertEquals(Object.keys(log), ["stdout", "file"]);
});

Deno.test("run keeps the control port when a reload moves it to an address that is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using child = new Child(EMPTY);
  await child.code("kernel.started");
  child.configure({ control: { listen: `127.0.0.1:${taken.addr.port}` }, modules: {} });
  child.signal("SIGHUP");
  const line = await child.code("config.refused");
  assert(JSON.stringify(line.problems).includes("control.listen"));
  assertEquals((await get(child, "/healthz")).status, 200);
});

Deno.test("run ends with 1 and a remedy when its control port is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const listen = `127.0.0.1:${taken.addr.port}`;
  await using child = new Child({ control: { listen }, modules: {} });
  assertEquals((await child.end()).code, 1);
  assert(child.errors.includes(listen), child.errors);
});

Deno.test("run ends with 2 and every problem when its configuration is wrong", async () => {
  await using child = new Child("control: { listen: nowhere }\nlog: { levle: info }\n");
  assertEquals((await child.end()).code, 2);
  assert(child.errors.includes("busbar.yaml:1:"), child.errors);
  assert(child.errors.includes("busbar.yaml:2:"), child.errors);
});

for (const how of ["throw", "reject"]) {
  Deno.test(`run ends with 70, and the stack in the log, when nobody catches (${how})`, async () => {
    const main = [`${ROOT}tests/sim/panic_main.ts`, how];
    await using child = new Child(EMPTY, { main });
    assertEquals((await child.end()).code, 70);
    const panic = child.lines.find(({ code }) => code === "kernel.panic")!;
    assert(JSON.stringify(panic.error).includes("panic_main.ts"), child.text);
  });
}

Deno.test({
  name: "run restarts only the services whose configuration has changed",
  ...needs("root", "netns", "tun", "ip"),
  async fn() {
    using namespace = createNamespace();
    const path = (index: number, more = {}) => ({
      tap: `goose${index}`,
      group: `224.0.1.10${index}`,
      via: "lo",
      ...more,
    });
    const modules = (more = {}) => ({
      ...EMPTY,
      modules: { "goose_bridge": { path0: path(0), path1: path(1, more) } },
    });
    await using child = new Child(modules(), { in: namespace });
    for (const id of ["path0", "path1"]) {
      await child.line((line) => line.id === `goose_bridge.${id}` && line.code === "service.up");
    }
    child.configure(modules({ ttl: 3 }));
    child.signal("SIGHUP");
    const loaded = await child.code("config.loaded");
    assertEquals(loaded.stopped, ["goose_bridge.path1"]);
    assertEquals(loaded.started, ["goose_bridge.path1"]);
    const up = (line: Line) => line.id === "goose_bridge.path1" && line.code === "service.up";
    await child.line(up, 2);
    child.configure({ ...EMPTY, modules: { "goose_bridge": { path0: path(0) } } });
    child.signal("SIGHUP");
    assertEquals((await child.code("config.loaded", 2)).stopped, ["goose_bridge.path1"]);
    const links = () => namespace.exec(["ip", "-br", "link"]).out;
    assert(links().includes("goose0") && !links().includes("goose1"), links());
    child.signal("SIGTERM");
    assertEquals((await child.end()).code, 0);
    assert(!links().includes("goose0"), links());
    assertEquals(child.lines.filter(({ code }) => code === "service.failed").length, 0);
  },
});

Deno.test({
  name: "A path whose thread is killed comes back, and the other one never notices",
  ...needs("root", "netns", "tun", "ip", "gcc"),
  async fn() {
    using namespace = createNamespace();
    const tool = `${Deno.makeTempDirSync({ prefix: "busbar-tool-" })}/thread_fault`;
    const source = `${ROOT}tests/peers/goose/thread_fault.c`;
    assert(new Deno.Command("gcc", { args: ["-O1", "-o", tool, source] }).outputSync().success);
    const path = (index: number) => ({
      tap: `goose${index}`,
      group: `224.0.1.10${index}`,
      via: "lo",
    });
    await using child = new Child({
      ...EMPTY,
      modules: { "goose_bridge": { path0: path(0), path1: path(1) } },
    }, { in: namespace });
    const up = (id: string) => (line: Line) =>
      line.id === `goose_bridge.${id}` && line.code === "service.up";
    await child.line(up("path0"));
    await child.line(up("path1"));
    const { thread } = (await child.line((line) =>
      line.id === "goose_bridge.path0" && line.code === "worker.started"
    )) as unknown as { thread: number };
    const fault = new Deno.Command(tool, { args: ["exit", String(thread)] }).outputSync();
    assert(fault.success, new TextDecoder().decode(fault.stderr));
    const failed = await child.code("service.failed");
    assert(JSON.stringify(failed.error).includes("worker.gone"), JSON.stringify(failed));
    await child.line(up("path0"), 2);
    assertEquals(child.lines.filter(up("path1")).length, 1);
    Deno.removeSync(tool.slice(0, tool.lastIndexOf("/")), { recursive: true });
  },
});
