import { ConfigError, LinkDownError } from "../../../src/base/errors.ts";
import type { Log } from "../../../src/base/log.ts";
import { millis, seconds } from "../../../src/base/time.ts";
import type { Health } from "../../../src/kernel/module.ts";
import { restartDelay, type ServiceSpec, Supervisor } from "../../../src/kernel/supervisor.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SimClock } from "../../sim/clock.ts";

const SILENT: Log = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

function make() {
  const clock = new SimClock();
  // A random of one half takes away the spread.
  return { clock, supervisor: new Supervisor({ clock, random: () => 0.5, log: () => SILENT }) };
}

/** Lives until it is told to stop. */
function obedient(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}

function spec(id: string, run: ServiceSpec["run"], plane: ServiceSpec["plane"] = "south") {
  return { id, plane, run };
}

Deno.test("Supervisor shows starting, up and degraded with the reason, as the service reports", async () => {
  const { clock, supervisor } = make();
  let report: (health: Health, why?: string) => void = () => {};
  supervisor.start(spec("a", (signal, tell) => {
    report = tell;
    return obedient(signal);
  }));
  await clock.advance(millis(0));
  assertEquals(supervisor.status()[0]!.state, "starting");
  report("up");
  assertEquals(supervisor.status()[0]!.state, "up");
  report("degraded", "Peer is away");
  assertEquals([supervisor.status()[0]!.state, supervisor.status()[0]!.why], [
    "degraded",
    "Peer is away",
  ]);
  report("up");
  assertEquals(supervisor.status()[0]!.why, undefined);
});

Deno.test("Supervisor shows a service that says nothing for 30 s as degraded", async () => {
  const { clock, supervisor } = make();
  supervisor.start(spec("a", obedient));
  await clock.advance(seconds(30));
  assertEquals(supervisor.status()[0]!.state, "starting");
  await clock.advance(seconds(1));
  assertEquals(supervisor.status()[0]!.state, "degraded");
  assert(supervisor.status()[0]!.why!.includes("31 s"));
});

Deno.test("Supervisor waits twice as long after each failure in a row, 30 s at most", async () => {
  const { clock, supervisor } = make();
  const starts: number[] = [];
  supervisor.start(spec("a", () => {
    starts.push(clock.now());
    return Promise.reject(new LinkDownError("test.down", "Down"));
  }));
  await clock.advance(seconds(125));
  const waits = starts.slice(1).map((at, index) => (at - starts[index]!) / 1000);
  assertEquals(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
  const { state, restarts, why } = supervisor.status()[0]!;
  assertEquals([state, restarts, why], ["waiting", 8, "Down [test.down]"]);
});

Deno.test("Supervisor counts failures anew after 60 s of health, and not before", async () => {
  for (const [healthy, wait] of [[59, 4], [60, 1]] as const) {
    const { clock, supervisor } = make();
    const starts: number[] = [];
    let lives = 0;
    supervisor.start(spec("a", async (_signal, report) => {
      starts.push(clock.now());
      lives += 1;
      if (lives === 3) {
        report("up");
        const done = Promise.withResolvers<void>();
        clock.alarm((clock.now() + healthy * 1000) as never, done.resolve);
        await done.promise;
      }
      throw new LinkDownError("test.down", "Down");
    }));
    await clock.advance(seconds(80));
    assertEquals((starts[3]! - starts[2]!) / 1000 - healthy, wait);
  }
});

Deno.test("Supervisor takes a return that nobody asked for as a failure", async () => {
  const { clock, supervisor } = make();
  supervisor.start(spec("a", () => Promise.resolve()));
  await clock.advance(millis(10));
  assertEquals(supervisor.status()[0]!.state, "waiting");
  assert(supervisor.status()[0]!.why!.includes("supervisor.returned"));
});

Deno.test("Supervisor refuses a service whose configuration is wrong, until it is stopped", async () => {
  const { clock, supervisor } = make();
  let starts = 0;
  supervisor.start(spec("a", () => {
    starts += 1;
    return Promise.reject(new ConfigError("test.config", "Port is in use"));
  }));
  await clock.advance(seconds(100));
  assertEquals([starts, supervisor.status()[0]!.state], [1, "refused"]);
  const stopped = supervisor.stop(["a"]);
  await clock.advance(millis(1));
  assertEquals(await stopped, []);
  assertEquals(supervisor.status()[0]!.state, "stopped");
});

Deno.test("Supervisor shows a service that does not end as leaked, and starts the next behind it", async () => {
  const { clock, supervisor } = make();
  const end = Promise.withResolvers<void>();
  supervisor.start(spec("a", () => end.promise));
  await clock.advance(millis(1));
  const stopped = supervisor.stop(["a"]);
  await clock.advance(seconds(10));
  assertEquals(await stopped, ["a"]);
  assertEquals(supervisor.status()[0]!.state, "leaked");
  let started = false;
  supervisor.start(spec("a", (signal) => {
    started = true;
    return obedient(signal);
  }));
  await clock.advance(seconds(1));
  assert(!started, "the former run still holds what the new one needs");
  end.resolve();
  await clock.advance(millis(1));
  assert(started);
});

Deno.test("Supervisor stops relay and south first, then north, then service", async () => {
  const { clock, supervisor } = make();
  const order: string[] = [];
  for (const plane of ["service", "north", "south", "relay"] as const) {
    supervisor.start(spec(plane, async (signal) => {
      await obedient(signal);
      order.push(plane);
    }, plane));
  }
  await clock.advance(millis(1));
  const stopped = supervisor.stopAll();
  await clock.advance(millis(1));
  assertEquals(await stopped, []);
  assertEquals(order, ["south", "relay", "north", "service"]);
});

Deno.test("Supervisor stops a service at once while it waits for its restart", async () => {
  const { clock, supervisor } = make();
  supervisor.start(spec("a", () => Promise.reject(new LinkDownError("test.down", "Down"))));
  await clock.advance(seconds(20));
  const before = clock.now();
  const stopped = supervisor.stop(["a"]);
  await clock.advance(millis(0));
  assertEquals(await stopped, []);
  assertEquals(clock.now(), before);
});

Deno.test("Supervisor keeps the others running when one fails", async () => {
  const { clock, supervisor } = make();
  supervisor.start(spec("bad", () => Promise.reject(new TypeError("oops"))));
  supervisor.start(spec("good", (signal, report) => {
    report("up");
    return obedient(signal);
  }));
  await clock.advance(seconds(100));
  const good = supervisor.status().find(({ id }) => id === "good")!;
  assertEquals([good.state, good.restarts], ["up", 0]);
});

Deno.test("Supervisor spreads restarts by a fifth", () => {
  assertEquals(Math.round(restartDelay(1, () => 0)), 800);
  assertEquals(Math.round(restartDelay(1, () => 1)), 1200);
  assertEquals(Math.round(restartDelay(50, () => 0.5)), 30_000);
});
