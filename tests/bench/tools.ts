/**
 * The C tools of `tests/bench/c`, built once per process into a folder that goes with it, and what
 * they report. They are C so that measuring costs as little as it can and varies as little.
 * @module
 */
import type { Namespace } from "../netns.ts";

/** Where the sources are. */
const SOURCES = new URL("c/", import.meta.url).pathname;
/** How long a tool may take to say that it listens. */
const READY_MS = 5000;

/** What `goose_publish` is asked for; see its head. */
export interface PublishOptions {
  /** Frames per second over all streams; 0 is as fast as it can. */
  readonly rate: number;
  readonly seconds: number;
  readonly streams?: number;
  /** Number of the first stream. */
  readonly first?: number;
  /** Octets of a frame. */
  readonly size?: number;
  /** VID of the 802.1Q tag; untagged if absent. */
  readonly vlan?: number;
  /** How long to wait for the interface, in milliseconds. */
  readonly wait?: number;
}

/** What `goose_publish` did. */
export interface PublishReport {
  readonly sent: number;
  /** Of these, refused by the interface at once. */
  readonly refused: number;
  readonly seconds: number;
}

/** Numbers of one stream, or of all. */
export interface StreamReport {
  readonly received: number;
  /** Gaps below the highest sequence number that arrived. */
  readonly missing: number;
  readonly duplicate: number;
  readonly reordered: number;
}

/** What `goose_sink` saw. */
export interface SinkReport extends StreamReport {
  readonly streams: Readonly<Record<string, StreamReport>>;
  /** GOOSE frames that `goose_publish` did not write. */
  readonly foreign: number;
  /** Lost between the interface and the sink: the sink was too slow. */
  readonly socketDrops: number;
  /** Monotonic time of the first and the last frame; 0 when there was none. */
  readonly firstNs: number;
  readonly lastNs: number;
  readonly latencyUs: Readonly<Record<"p50" | "p90" | "p99" | "p999" | "max", number>>;
}

let folder: string | undefined;
const built = new Map<string, string>();

/** Compiles a tool with gcc. @returns The path of the program. @throws Error with gcc's words. */
export function tool(name: string): string {
  const known = built.get(name);
  if (known) return known;
  if (folder === undefined) {
    const made = Deno.makeTempDirSync({ prefix: "busbar-tools-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(made, { recursive: true }));
    folder = made;
  }
  const path = `${folder}/${name}`;
  const { success, stderr } = new Deno.Command("gcc", {
    args: [
      ...["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", path, `${SOURCES}${name}.c`],
      ...name.startsWith("srt_") ? ["-lsrt"] : [],
    ],
    stderr: "piped",
  }).outputSync();
  if (!success) throw new Error(`gcc cannot build ${name}: ${new TextDecoder().decode(stderr)}`);
  built.set(name, path);
  return path;
}

/** Publishes frames on an interface of a namespace, until the time is over. */
export async function publish(
  namespace: Namespace,
  device: string,
  options: PublishOptions,
): Promise<PublishReport> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const command = [tool("goose_publish"), "--interface", device, ...args];
  const output = await namespace.spawn(command, { stdout: "piped", stderr: "piped" }).output();
  if (!output.success) {
    throw new Error(`goose_publish on ${device}: ${new TextDecoder().decode(output.stderr)}`);
  }
  return JSON.parse(new TextDecoder().decode(output.stdout)) as PublishReport;
}

/** A running `goose_sink`. */
export interface Sink {
  /** Ends it. @param settleMs How long to wait first for frames on their way. */
  stop(settleMs?: number): Promise<SinkReport>;
}

/** Counts what arrives on an interface of a namespace. Resolves when it listens. */
export async function listen(namespace: Namespace, device: string, waitMs = 0): Promise<Sink> {
  const command = [tool("goose_sink"), "--interface", device, "--wait", `${waitMs}`];
  const child = namespace.spawn(command, { stdout: "piped" });
  const lines = linesOf(child.stdout);
  await expectReady(lines, "goose_sink", waitMs);
  return {
    async stop(settleMs = 200) {
      await delay(settleMs);
      child.kill("SIGTERM");
      const line = await lines.next();
      await child.status;
      await lines.return?.();
      return JSON.parse(line.value!) as SinkReport;
    },
  };
}

/** Starts a program that prints `ready` when it works. */
export async function spawnReady(
  namespace: Namespace,
  command: readonly string[],
): Promise<Deno.ChildProcess> {
  const child = namespace.spawn(command, { stdout: "piped", stderr: "null" });
  const lines = linesOf(child.stdout);
  await expectReady(lines, command[0]!, 0);
  lines.return?.();
  return child;
}

/** Real time, for what has no event to wait for. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function expectReady(
  lines: AsyncGenerator<string, void>,
  what: string,
  waitMs: number,
): Promise<void> {
  const late = Promise.withResolvers<never>();
  const error = new Error(`${what} is not ready`);
  const alarm = setTimeout(() => late.reject(error), READY_MS + waitMs);
  try {
    const first = await Promise.race([lines.next(), late.promise]);
    if (first.value !== "ready") throw new Error(`${what} said ${first.value ?? "nothing"}`);
  } finally {
    clearTimeout(alarm);
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
