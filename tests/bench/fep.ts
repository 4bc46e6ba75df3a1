// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * `deno task bench --fep [--rounds 3]`: eight simulated RTUs, the packed front end, one simulated
 * control centre, all on loopback with k 12 and w 8. Events a second from end to end, and their
 * latency at 5,000/s; then 200 RTUs with 500 points each. The journal waits for the disk, or
 * does not, or is not on disk at all; beside it the same number of events as a pipeline of `XADD`
 * into Redis.
 *
 * Needs the executable, and redis-server.
 * @module
 */
import type { Instant } from "../../src/base/time.ts";
import { SystemClock } from "../../src/platform/clock.ts";
import { LinkDriver } from "../../src/platform/drive.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import {
  type Asdu,
  asdu,
  CAUSE,
  Iec104Link,
  type InformationObject,
  tagOf,
  TYPE,
  UTC,
} from "../../src/protocol/iec104/mod.ts";
import { executable } from "../e2e/harness.ts";
import { freePorts } from "../relay/busbar.ts";
import { Outstation } from "../sim/outstation.ts";
import { viaRedis } from "./points.ts";
import { memoryOf, processTime } from "./process.ts";
import { median } from "./stats.ts";
import { delay } from "./tools.ts";

const RTUS = 8;
const POINTS = 500;
const EVENTS = 400_000;
/** Objects in an ASDU of timed bitstrings. */
const PACKED = 16;
const LATENCY_RATE = 5000;
const LATENCY_SECONDS = 5;
const MANY = 200;
/** Until memory that a burst has taken is given back. */
const SETTLED_MS = 30_000;
const clock = new SystemClock();

/** Runs it. */
export async function fep(rounds: number): Promise<void> {
  const rates: Record<string, number[]> = { "power_loss": [], process: [], nothing: [], redis: [] };
  const cores: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const survives of ["power_loss", "process", "nothing"]) {
      const { rate, core } = await flood(survives);
      rates[survives]!.push(rate);
      if (survives === "power_loss") cores.push(core);
    }
    const folder = Deno.makeTempDirSync();
    rates.redis!.push(await viaRedis(folder));
    Deno.removeSync(folder, { recursive: true });
  }
  const shown = (name: string) => Math.round(median(rates[name]!)).toLocaleString("en");
  const ratioTo = (name: string) =>
    median(rates.power_loss!.map((rate, round) => rate / rates[name]![round]!)).toFixed(2);
  console.log(
    `\n${EVENTS} events of ${RTUS} RTUs to a control centre, medians of ${rounds} rounds`,
  );
  console.log(`fsync at each commit            ${shown("power_loss")} events/s (bar 50,000)`);
  console.log(`                                ${median(cores).toFixed(2)} cores`);
  console.log(
    `survives: process               ${shown("process")} events/s, ratio ${ratioTo("process")}`,
  );
  console.log(
    `no journal on disk              ${shown("nothing")} events/s, ratio ${ratioTo("nothing")}`,
  );
  console.log(
    `Redis XADD pipeline and XREAD   ${shown("redis")} events/s, ratio ${ratioTo("redis")}`,
  );
  const late = await latency();
  const at = (share: number) => late[Math.floor(late.length * share)]!.toFixed(1);
  console.log(
    `latency at ${LATENCY_RATE}/s              p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (bar 20)`,
  );
  await many();
}

/** A front end with so many RTUs, and what its peers listen on. */
class FrontEnd implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "busbar-bench-" });
  readonly first: number;
  readonly centre: number;
  #child: Deno.ChildProcess | undefined;

  private constructor(readonly rtus: number) {
    this.first = freePorts(rtus + 2);
    this.centre = this.first + rtus;
  }

  static async open(rtus: number, survives: string, interrogate: boolean): Promise<FrontEnd> {
    const own = new FrontEnd(rtus);
    const config = `${own.folder}/busbar.yaml`;
    const masters = Array.from({ length: rtus }, (_, index) => [`r${index}`, {
      channels: [`127.0.0.1:${own.first + index}`],
      retry: "200ms",
      "common_addresses": [index + 1],
      "interrogate_on_start": interrogate,
    }]);
    const slave = { listen: `127.0.0.1:${own.centre}`, forward: `${own.folder}/forward.csv` };
    Deno.writeTextFileSync(
      config,
      JSON.stringify({
        control: { listen: `127.0.0.1:${own.first + rtus + 1}` },
        points: { folder: `${own.folder}/data`, survives },
        modules: { "iec104_master": Object.fromEntries(masters), "iec104_slave": { c: slave } },
      }),
    );
    const rows = Array.from(
      { length: rtus },
      (_, rtu) => Array.from({ length: POINTS }, (_, ioa) => `r${rtu},${rtu + 1},${ioa},yc`),
    ).flat();
    Deno.writeTextFileSync(
      `${own.folder}/points.csv`,
      `tag_station,coa,ioa,kind\n${rows.join("\n")}\n`,
    );
    const forward = rows.map((row) => row.split(",")).map(([name, , ioa]) =>
      `${name}.yc.${ioa},33`
    );
    Deno.writeTextFileSync(`${own.folder}/forward.csv`, `point,type\n${forward.join("\n")}\n`);
    const [program, ...args] = executable();
    await new Deno.Command(program!, {
      args: [...args, "points", "import", `${own.folder}/points.csv`, "-c", config],
      stdout: "null",
    }).output();
    own.#child = new Deno.Command(program!, {
      args: [...args, "run", "-c", config],
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    return own;
  }

  get pid(): number {
    return this.#child!.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** A link of a peer, with what it does when something comes or there is room. */
async function drive(
  link: Iec104Link,
  conn: Awaited<ReturnType<typeof SYSTEM_NET.dial>>,
  signal: AbortSignal,
  turn: (asdu: Asdu | undefined, wake: () => void) => void,
): Promise<void> {
  const driver = new LinkDriver(link, conn, clock, signal);
  const wake = () => driver.wake();
  for await (const event of driver) {
    if (event.kind === "closed") return;
    turn(event.kind === "asdu" ? event.asdu : undefined, wake);
  }
}

/** RTUs that ask for the next ASDU whenever their window has room. */
async function listen(
  front: FrontEnd,
  signal: AbortSignal,
  next: (rtu: number) => Asdu | undefined,
): Promise<{ pump: () => void }> {
  const pumps: (() => void)[] = [];
  for (let rtu = 0; rtu < front.rtus; rtu += 1) {
    const listener = await SYSTEM_NET.listen({ host: "127.0.0.1", port: front.first + rtu });
    signal.addEventListener("abort", () => void listener[Symbol.asyncDispose]());
    void (async () => {
      for await (const { conn } of listener) {
        const link = new Iec104Link({ role: "controlled" }, clock.now());
        let again = () => {};
        const pump = () => {
          while (link.room > 0) {
            const one = next(rtu);
            if (!one) break;
            link.send(one, clock.now());
          }
          again();
        };
        pumps.push(pump);
        void drive(link, conn, signal, (_, wake) => {
          again = wake;
          pump();
        });
      }
    })();
  }
  return { pump: () => pumps.forEach((pump) => pump()) };
}

/** A control centre that takes everything; resolves when it has started. */
async function centre(
  front: FrontEnd,
  signal: AbortSignal,
  take: (objects: readonly InformationObject[]) => void,
): Promise<void> {
  for (;;) {
    try {
      const conn = await SYSTEM_NET.dial({ host: "127.0.0.1", port: front.centre }, signal);
      const link = new Iec104Link({ role: "controlling" }, clock.now());
      link.start(clock.now() as Instant);
      void drive(link, conn, signal, (received) => received && take(received.objects));
      await delay(1500);
      return;
    } catch (error) {
      if (!(error instanceof Error)) throw error; // It does not listen yet.
      await delay(50);
    }
  }
}

function eventsOf(rtu: number, from: number, count: number, bits: () => number): Asdu {
  const time = tagOf(Date.now(), UTC);
  return asdu({
    type: TYPE.M_BO_TB_1,
    cause: CAUSE.spontaneous,
    commonAddress: rtu + 1,
    objects: Array.from({ length: count }, (_, index) => ({
      kind: "bitstring",
      address: (from + index) % POINTS,
      bits: bits(),
      quality: 0,
      time,
    })),
  });
}

async function flood(survives: string): Promise<{ rate: number; core: number }> {
  await using front = await FrontEnd.open(RTUS, survives, false);
  const over = new AbortController();
  const sent = new Array(RTUS).fill(0);
  let going = false;
  const { pump } = await listen(front, over.signal, (rtu) => {
    if (!going || sent[rtu] >= EVENTS / RTUS) return undefined;
    const from = sent[rtu];
    sent[rtu] += PACKED;
    return eventsOf(rtu, from, PACKED, () => from);
  });
  let received = 0;
  await centre(front, over.signal, (objects) => received += objects.length);
  const before = processTime([front.pid]);
  const start = performance.now();
  going = true;
  pump();
  while (received < EVENTS) await delay(2);
  const ms = performance.now() - start;
  const core = (processTime([front.pid]) - before) / 1e6 / ms;
  over.abort();
  return { rate: EVENTS / ms * 1000, core };
}

/** Milliseconds from the RTU's socket to the centre's, sorted. */
async function latency(): Promise<Float64Array> {
  await using front = await FrontEnd.open(RTUS, "power_loss", false);
  const over = new AbortController();
  const stamp = () => Math.floor(performance.now() * 1000) >>> 0;
  const due = new Array(RTUS).fill(0);
  const { pump } = await listen(front, over.signal, (rtu) => {
    if (due[rtu] === 0) return undefined;
    due[rtu] -= 1;
    return eventsOf(rtu, due[rtu], 1, stamp);
  });
  const late: number[] = [];
  await centre(front, over.signal, (objects) => {
    for (const one of objects) {
      if (one.kind === "bitstring") late.push(((stamp() - one.bits) >>> 0) / 1000);
    }
  });
  const start = performance.now();
  let told = 0;
  const total = LATENCY_RATE * LATENCY_SECONDS;
  while (told < total) {
    const wanted = Math.min(total, Math.floor((performance.now() - start) / 1000 * LATENCY_RATE));
    for (; told < wanted; told += 1) due[told % RTUS] += 1;
    pump();
    await delay(1);
  }
  const end = performance.now() + 10_000;
  while (late.length < total && performance.now() < end) await delay(20);
  over.abort();
  if (late.length < total) console.log(`only ${late.length} of ${total} came`);
  return Float64Array.from(late).sort();
}

/** 200 RTUs with 500 points each: how long until all are interrogated, and what it takes. */
async function many(): Promise<void> {
  await using front = await FrontEnd.open(MANY, "process", true);
  const started = performance.now();
  const rtus = await Promise.all(Array.from({ length: MANY }, (_, rtu) =>
    Outstation.open({
      net: SYSTEM_NET,
      clock,
      port: front.first + rtu,
      image: () =>
        Array.from({ length: POINTS / 50 }, (_, part) =>
          asdu({
            type: TYPE.M_ME_NB_1,
            cause: CAUSE.interrogated,
            commonAddress: rtu + 1,
            sequence: true,
            objects: Array.from({ length: 50 }, (_, index) => ({
              kind: "scaled",
              address: part * 50 + index,
              value: index,
              quality: 0,
            })),
          })),
    })));
  const url = `http://127.0.0.1:${front.first + MANY + 1}/status`;
  let values = 0;
  while (values < MANY * POINTS) {
    await delay(50);
    try {
      values = (await (await fetch(url)).json()).points.values;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // Nobody listens yet.
    }
  }
  const seconds = (performance.now() - started) / 1000;
  await delay(1000);
  const { rss: most } = memoryOf(front.pid);
  await delay(SETTLED_MS);
  const { rss } = memoryOf(front.pid);
  console.log(
    `${MANY} RTUs with ${POINTS} points       ${seconds.toFixed(1)} s until all are known, ` +
      `${most.toFixed(0)} MiB then, ${rss.toFixed(0)} MiB at rest (bar 300)`,
  );
  for (const rtu of rtus) await rtu[Symbol.asyncDispose]();
}
