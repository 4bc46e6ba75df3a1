// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * `deno task bench [--rounds 7] [--path JSON]`, with `--control`, `--others`, `--collector`,
 * `--streams`, `--srt`, `--points`, `--fep`, `--crypto` or `--piles`: busbar against the same loop
 * in C. Two namespaces joined by a veth, both bridges in both, GOOSE frames of 200 octets,
 * contenders taking turns inside each round. A table with the bar beside each figure is printed,
 * and all numbers go to `dist/bench/*.json`. Nothing is asserted here: a machine with neighbors
 * gives figures that need reading. With `--control` the C loop stands in busbar's place too: what
 * the ratios are then is the noise. `others.ts`, `collector.ts`, `streams.ts`, `srt.ts`,
 * `points.ts`, `fep.ts`, `crypto.ts` and `piles.ts` tell what the others do.
 *
 * Needs root, gcc, ip, and the executable (`deno task build`, or `BUSBAR_E2E=source`).
 * @module
 */
import { parseArgs } from "node:util";
import { Busbar, executable } from "../e2e/harness.ts";
import { createPair, type Pair } from "../netns.ts";
import {
  asContender,
  bothPaths,
  type Contender,
  extra,
  startEnd,
  startReference,
} from "./contenders.ts";
import { collector } from "./collector.ts";
import { printOthers, startOthers } from "./others.ts";
import { crypto } from "./crypto.ts";
import { fep } from "./fep.ts";
import { busiest, memoryOf, processTime, threadTimes } from "./process.ts";
import { piles } from "./piles.ts";
import { points } from "./points.ts";
import { print, type Results } from "./report.ts";
import { srt } from "./srt.ts";
import { streams } from "./streams.ts";
import { delay, listen, publish, tool } from "./tools.ts";

/** Frames per second of the latency runs, and how long each lasts. */
const LATENCY_RATES = [2000, 4000];
const LATENCY_SECONDS = 1.5;
const FLOOD_SECONDS = 1.2;
/** The rates that are tried for "without loss", and how long. */
const LADDER = [20_000, 40_000, 80_000, 120_000, 160_000];
const LADDER_SECONDS = 1.5;
const LADDER_TRIES = 2;
const WARM_STARTS = 5;
/** A process that has just started still settles. */
const SETTLE_MS = 1500;

/** One contender in one round. */
export interface Sample {
  readonly round: number;
  readonly name: Contender["name"];
  /** Delivered frames per second at flood. */
  readonly flood: number;
  /** Microseconds of both ends' processor time per delivered frame at flood. */
  readonly floodCpuUs: number;
  readonly latency: readonly LatencySample[];
}

/** One contender at one rate in one round. */
export interface LatencySample {
  readonly rate: number;
  readonly lost: number;
  readonly us: Readonly<Record<"p50" | "p90" | "p99" | "p999" | "max", number>>;
  /** Share of a core, the sending and the receiving end. */
  readonly core: { readonly a: number; readonly b: number };
  /** Share of a core of the busiest thread and of all others, at the sending end. */
  readonly thread: number;
  readonly rest: number;
}

/** How many of the frames published at a rate did not arrive. */
export interface LadderSample {
  readonly name: Contender["name"];
  readonly rate: number;
  readonly lost: number;
  readonly sent: number;
}

async function flood(pair: Pair, contender: Contender) {
  const pids = [...contender.pids.a, ...contender.pids.b];
  const sink = await listen(pair.b, contender.tap);
  const before = processTime(pids);
  await publish(pair.a, contender.tap, { rate: 0, seconds: FLOOD_SECONDS });
  const { received, firstNs, lastNs } = await sink.stop(300);
  return {
    flood: (received - 1) / ((lastNs - firstNs) / 1e9),
    floodCpuUs: (processTime(pids) - before) / 1000 / received,
  };
}

async function latencyAt(pair: Pair, contender: Contender, rate: number): Promise<LatencySample> {
  const { pids, tap } = contender;
  const sink = await listen(pair.b, tap);
  const before = { a: processTime(pids.a), b: processTime(pids.b) };
  const threads = pids.a.map((pid) => [pid, threadTimes(pid)] as const);
  const start = performance.now();
  const { sent } = await publish(pair.a, tap, { rate, seconds: LATENCY_SECONDS });
  const elapsedNs = (performance.now() - start) * 1e6;
  const core = {
    a: (processTime(pids.a) - before.a) / elapsedNs,
    b: (processTime(pids.b) - before.b) / elapsedNs,
  };
  const [first = 0, ...others] = threads.flatMap(([pid, times]) => busiest(pid, times))
    .map(({ ns }) => ns / elapsedNs).sort((one, other) => other - one);
  const { received, latencyUs } = await sink.stop();
  const rest = others.reduce((sum, share) => sum + share, 0);
  return { rate, lost: sent - received, us: latencyUs, core, thread: first, rest };
}

async function round(pair: Pair, contender: Contender, number: number): Promise<Sample> {
  const saturated = await flood(pair, contender);
  const latency: LatencySample[] = [];
  for (const rate of LATENCY_RATES) latency.push(await latencyAt(pair, contender, rate));
  return { round: number, name: contender.name, ...saturated, latency };
}

async function rounds(pair: Pair, contenders: readonly Contender[], count: number) {
  const samples: Sample[] = [];
  // A round before the first one: code gets hot, queues get their memory.
  for (const contender of contenders) await flood(pair, contender);
  for (let number = 0; number < count; number++) {
    // Who goes first changes, as the one behind finds a warmer machine.
    const order = number % 2 ? [...contenders].reverse() : contenders;
    for (const contender of order) samples.push(await round(pair, contender, number));
    console.log(`round ${number + 1} of ${count}`);
  }
  return samples;
}

async function ladder(pair: Pair, contenders: readonly Contender[]): Promise<LadderSample[]> {
  const samples: LadderSample[] = [];
  for (const rate of LADDER) {
    for (let attempt = 0; attempt < LADDER_TRIES; attempt++) {
      for (const { name, tap } of contenders) {
        const sink = await listen(pair.b, tap);
        const { sent } = await publish(pair.a, tap, { rate, seconds: LADDER_SECONDS });
        const { received } = await sink.stop(300);
        samples.push({ name, rate, sent, lost: sent - received });
      }
    }
  }
  return samples;
}

/** Milliseconds from exec at end A to the first frame that arrives at B. */
async function firstFrame(pair: Pair, env: Record<string, string>): Promise<number> {
  const stamp = Deno.makeTempFileSync();
  const sink = await listen(pair.b, "goose0");
  const publishing = publish(pair.a, "goose0", { rate: 1000, seconds: 1, wait: 60_000 });
  await using busbar = await Busbar.start(pair.a, bothPaths("a"), {
    env,
    eager: true,
    prefix: [tool("exec_at"), stamp],
  });
  await publishing;
  const { firstNs } = await sink.stop();
  const execNs = Number(Deno.readTextFileSync(stamp));
  Deno.removeSync(stamp);
  await busbar.end();
  return firstNs === 0 ? NaN : (firstNs - execNs) / 1e6;
}

async function starts(pair: Pair) {
  // A cache of its own makes the first start a first start.
  const cache = Deno.makeTempDirSync({ prefix: "busbar-bench-" });
  try {
    const env = { BUSBAR_CACHE: cache };
    const first = await firstFrame(pair, env);
    const later: number[] = [];
    for (let i = 0; i < WARM_STARTS; i++) later.push(await firstFrame(pair, env));
    return { firstMs: first, laterMs: later };
  } finally {
    Deno.removeSync(cache, { recursive: true });
  }
}

/** Resident memory of a Deno process that does nothing, in MiB. */
async function idleDeno() {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "setTimeout(() => {}, 1e8)"],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await delay(SETTLE_MS);
  const memory = memoryOf(child.pid);
  child.kill("SIGKILL");
  await child.status;
  return memory;
}

function machine() {
  const cpu = Deno.readTextFileSync("/proc/cpuinfo").match(/^model name\s*: (.*)$/m)?.[1];
  return {
    cpu: cpu ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
    load: Deno.loadavg(),
  };
}

async function bench(roundCount: number): Promise<Results> {
  const before = machine();
  using pair = createPair();
  const c = await startReference(pair);
  await using b = await startEnd(pair.b, "b");
  const a = await startEnd(pair.a, "a");
  const contenders = [asContender(a, b), c];
  await delay(SETTLE_MS);
  const fresh = memoryOf(a.pid);
  const samples = await rounds(pair, contenders, roundCount);
  const steps = await ladder(pair, contenders);
  const used = memoryOf(a.pid);
  const reference = memoryOf(c.pids.a[0]!);
  const { ms: stopMs } = await a.end();
  await a[Symbol.asyncDispose]();
  console.log("starts");
  return {
    ...common(before, roundCount, executable().join(" ")),
    samples,
    ladder: steps,
    process: {
      memory: { fresh, used, idle: await idleDeno(), reference },
      stopMs,
      starts: await starts(pair),
    },
  };
}

/** The C loop against itself. */
async function control(roundCount: number): Promise<Results> {
  const before = machine();
  using pair = createPair();
  const contenders = [await startReference(pair, "busbar"), await startReference(pair)];
  const samples = await rounds(pair, contenders, roundCount);
  const steps = await ladder(pair, contenders);
  const command = "control: the C loop in busbar's place";
  return { ...common(before, roundCount, command), samples, ladder: steps };
}

function common(before: ReturnType<typeof machine>, roundCount: number, command: string) {
  return {
    at: new Date().toISOString(),
    command,
    machine: { ...before, loadAfter: Deno.loadavg() },
    rounds: roundCount,
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "7" },
      control: { type: "boolean", default: false },
      path: { type: "string", default: "{}" },
      others: { type: "boolean", default: false },
      collector: { type: "boolean", default: false },
      streams: { type: "boolean", default: false },
      srt: { type: "boolean", default: false },
      points: { type: "boolean", default: false },
      fep: { type: "boolean", default: false },
      crypto: { type: "boolean", default: false },
      piles: { type: "boolean", default: false },
      seconds: { type: "string", default: "10" },
    },
  });
  extra.path = JSON.parse(values.path) as Record<string, unknown>;
  if (values.streams) return await streams(Number(values.rounds));
  if (values.srt) return await srt(Number(values.rounds));
  if (values.piles) return await piles(Number(values.rounds));
  if (values.crypto) return await crypto(Number(values.rounds));
  if (values.fep) return await fep(Number(values.rounds));
  if (values.points) return await points(Number(values.rounds));
  if (values.collector) {
    using pair = createPair();
    await collector(pair, Number(values.seconds));
    return;
  }
  if (values.others) {
    using pair = createPair();
    const { contenders, busbars } = await startOthers(pair);
    await delay(SETTLE_MS);
    printOthers(await rounds(pair, contenders, Number(values.rounds)));
    for (const busbar of busbars) await busbar[Symbol.asyncDispose]();
    return;
  }
  const results = await (values.control ? control : bench)(Number(values.rounds));
  print(results);
  const folder = new URL("../../dist/bench/", import.meta.url).pathname;
  Deno.mkdirSync(folder, { recursive: true });
  const path = `${folder}${results.at.replaceAll(":", "")}.json`;
  Deno.writeTextFileSync(path, JSON.stringify(results, null, 2));
  console.log(`\nAll numbers: ${path}`);
}

if (import.meta.main) await main();
