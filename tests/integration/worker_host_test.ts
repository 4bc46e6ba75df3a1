import { Counters } from "../../src/base/counters.ts";
import { AppError, BugError, OsError } from "../../src/base/errors.ts";
import type { LogLine } from "../../src/base/log.ts";
import { seconds } from "../../src/base/time.ts";
import type { HotSample } from "../../src/kernel/module.ts";
import { runInWorker, type Thread } from "../../src/kernel/worker_host.ts";
import { openBell } from "../../src/platform/linux/bell.ts";
import { closeLeftover } from "../../src/platform/linux/fd.ts";
import { parkThread } from "../../src/platform/linux/thread.ts";
import { assert, assertEquals } from "../assert.ts";
import { SimClock } from "../sim/clock.ts";

/** A real thread under a clock that the test turns. */
function begin(module: string, config: { port?: number } = {}) {
  const clock = new SimClock();
  const stop = new AbortController();
  const counters = new Counters(["extra"]);
  const up = Promise.withResolvers<void>();
  const detail = Promise.withResolvers<unknown>();
  const lines: LogLine[] = [];
  const parked: number[] = [];
  const published: HotSample[] = [];
  const ended = runInWorker({
    id: `test.${module}`,
    module,
    config,
    counterNames: ["extra"],
    counters,
    clock,
    signal: stop.signal,
    keeper: {
      start: () =>
        new Worker(new URL("../sim/hot_worker.ts", import.meta.url), { type: "module" }) as Thread,
      park(thread) {
        parked.push(thread);
        return parkThread(thread);
      },
      close: closeLeftover,
      bell: openBell,
    },
    begun: () => {},
    report: () => up.resolve(),
    detail: detail.resolve,
    publish: (samples) => published.push(...samples),
    log: (line) => lines.push(line),
  });
  // A failure before the test looks at it is not an unhandled one.
  const outcome = ended.then(() => undefined, (error: unknown) => error as AppError);
  return {
    clock,
    stop,
    counters,
    up: up.promise,
    detail: detail.promise,
    lines,
    parked,
    outcome,
    published,
  };
}

/** Whether a thread of this process uses the processor. */
function processorTicks(thread: number): number {
  const stat = Deno.readTextFileSync(`/proc/self/task/${thread}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function freePort(): number {
  const socket = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = socket.addr;
  socket.close();
  return port;
}

function bindable(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

Deno.test("runInWorker ends a service that was told to stop, and shares its counters", async () => {
  const run = begin("obedient");
  assertEquals(await run.detail, { color: "green" });
  run.stop.abort();
  assertEquals(await run.outcome, undefined);
  assertEquals(run.counters.get("frames_in"), 7);
});

Deno.test("runInWorker rejects with what the service threw, of the same class", async () => {
  const error = await begin("throwing").outcome;
  assert(error instanceof OsError);
  assertEquals([error.code, error.detail.errno], ["test.thrown", "EPERM"]);
});

Deno.test("runInWorker rejects when the thread crashes, and the process lives on", async () => {
  const error = await begin("crashing").outcome;
  assert(error instanceof BugError);
  assertEquals(error.code, "worker.crashed");
  assert(error.message.includes("thrown where nobody catches"));
});

Deno.test("runInWorker rejects when there is no such service", async () => {
  const error = await begin("unknown").outcome;
  assert(error instanceof BugError);
});

Deno.test("runInWorker folds repeated lines inside of the worker", async () => {
  const run = begin("chatty");
  await run.up;
  run.stop.abort();
  await run.outcome;
  assertEquals(run.lines.map(({ code }) => code), [
    "worker.started",
    "test.chatty",
    "test.chatty",
  ]);
  assertEquals(run.lines[2]!.fields.count, 999);
});

for (const module of ["looping", "blocking"]) {
  Deno.test(`Watchdog takes a ${module} worker off the processor and frees what it held`, async () => {
    const port = freePort();
    const run = begin(module, { port });
    await run.up;
    assert(!bindable(port), "the worker holds its port");
    await run.clock.advance(seconds(10));
    const error = await run.outcome;
    assertEquals(error?.code, "worker.stuck");
    const [thread] = run.parked;
    const before = processorTicks(thread!);
    // The signal has been delivered when the thread has stopped using the processor.
    let still = 0;
    for (let last = before; still < 3;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const now = processorTicks(thread!);
      still = now === last ? still + 1 : 0;
      last = now;
    }
    assert(bindable(port), "what the worker held open is closed");
    // The next run finds its port free.
    const next = begin(module, { port });
    await next.up;
    await next.clock.advance(seconds(10));
    assertEquals((await next.outcome)?.code, "worker.stuck");
  });
}

Deno.test("runInWorker gives up a worker that is told to stop and goes on", async () => {
  const run = begin("stubborn");
  await run.up;
  run.stop.abort();
  const alive = await Promise.race([run.outcome, run.clock.advance(seconds(1))]);
  assertEquals(alive, undefined);
  // It still counts while it is given its time.
  for (let second = 0; second < 6; second += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await run.clock.advance(seconds(1));
  }
  assertEquals((await run.outcome)?.code, "worker.unstoppable");
});
