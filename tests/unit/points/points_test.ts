import fc from "fast-check";
import { assert, assertEquals } from "../../assert.ts";
import { SimClock } from "../../sim/clock.ts";
import { seconds } from "../../../src/base/time.ts";
import { lostPoint } from "../../../src/points/feed.ts";
import { isPointId, type PointId, Points, type Sample } from "../../../src/points/points.ts";

const ALL = { match: () => true, onFull: "drop_oldest" } as const;
const NEVER = new AbortController().signal;

function sample(point: string, value: number): Sample {
  return { point: point as PointId, value, quality: 0, at: value };
}

function hub(): Points {
  return new Points(new SimClock());
}

// Goal: what one reader loses by being slow, no other reader loses (two masters on one outstation).
Deno.test("Points gives each feed every sample, whatever the others do", async () => {
  const points = hub();
  const slow = points.feed("slow", { ...ALL, depth: 2 });
  const keen = points.feed("keen", { ...ALL, depth: 64 });
  for (let n = 0; n < 5; n += 1) points.publish([sample("gz_01.yx.21", n)]);
  assertEquals(await valuesOf(keen.batches(NEVER)), [0, 1, 2, 3, 4]);
  assertEquals(await valuesOf(slow.batches(NEVER)), [3, 3, 4], "the gap is marked by its size");
  assertEquals([slow.lost, keen.lost], [3, 0]);
});

// Goal: an alarm is not lost when the north link breaks while the alarm is being sent.
Deno.test("Feed hands a batch out again when its reader failed, and only then", async () => {
  const points = hub();
  const seen: unknown[][] = [];
  const feed = () => points.feed("kafka_push", { ...ALL, depth: 64 });
  const send = async (failAt: number) => {
    for await (const batch of feed().batches(NEVER)) {
      seen.push(batch.map(({ value }) => value));
      points.publish([sample("gz_01.yx.22", 9)]);
      if (seen.length === failAt) throw new Error("broker is gone");
    }
  };
  feed();
  points.publish([sample("gz_01.yx.21", 1)]);
  await send(1).catch(() => {});
  await send(3).catch(() => {});
  assertEquals(seen, [[1], [1], [9, 9]]);
});

Deno.test("Feed with `latest` keeps the newest sample of each point", async () => {
  const points = hub();
  const feed = points.feed("mqtt", { match: () => true, depth: 2, onFull: "latest" });
  for (const [point, value] of [["a.b.1", 1], ["a.b.2", 2], ["a.b.1", 3], ["a.b.3", 4]] as const) {
    points.publish([sample(point, value)]);
  }
  assertEquals(await valuesOf(feed.batches(NEVER)), [2, 4], "the oldest point had to go");
  assertEquals(feed.lost, 1);
});

Deno.test("Feed takes one reader at a time, and the next when the first has left", async () => {
  const feed = hub().feed("one", { ...ALL, depth: 4 });
  const stop = new AbortController();
  const first = feed.batches(stop.signal);
  const waiting = first.next();
  const error = await feed.batches(NEVER).next().catch((error) => error);
  assertEquals(error.code, "points.feed.readers");
  stop.abort();
  assertEquals((await waiting).done, true);
  feed.offer([sample("a.b.1", 1)]);
  assertEquals(await valuesOf(feed.batches(NEVER)), [1]);
});

Deno.test("Feed tells when it has been emptied", async () => {
  const feed = hub().feed("drain", { ...ALL, depth: 4 });
  feed.offer([sample("a.b.1", 1)]);
  let drained = false;
  const told = feed.drained(NEVER).then(() => drained = true);
  const reader = feed.batches(NEVER);
  await reader.next();
  assertEquals([drained, feed.pending], [false, 1], "a batch in hand still counts");
  const last = reader.next();
  await told;
  assertEquals(feed.pending, 0);
  await Promise.race([last, Promise.resolve()]);
});

// Goal: for any order of publishing and reading, every sample is read or counted as lost, in order.
Deno.test("Feed accounts for every sample, in order", async () => {
  const steps = fc.array(fc.oneof(fc.constant("read" as const), fc.integer({ min: 1, max: 9 })), {
    maxLength: 60,
  });
  await fc.assert(fc.asyncProperty(steps, fc.integer({ min: 1, max: 8 }), async (plan, depth) => {
    const feed = hub().feed("f", { ...ALL, depth });
    const reader = feed.batches(NEVER);
    const read: number[] = [];
    let marked = 0;
    let next = 0;
    let inHand = 0;
    const take = async () => {
      // A batch in hand still counts as pending until the reader comes back.
      if (feed.pending === inHand) return;
      const batch = (await reader.next()).value ?? [];
      inHand = batch.length;
      for (const { point, value } of batch) {
        if (point === lostPoint("f")) marked += value as number;
        else read.push(value as number);
      }
    };
    for (const step of plan) {
      if (step === "read") await take();
      else for (let n = 0; n < step; n += 1) feed.offer([sample("a.b.1", next++)]);
    }
    await take();
    assertEquals(read.length + marked, next);
    assertEquals(feed.lost, marked);
    assert(read.every((value, index) => index === 0 || value > read[index - 1]!));
  }));
});

Deno.test("Points answers an interrogation with the last values", () => {
  const points = hub();
  points.publish([sample("a.yx.1", 1), sample("a.yc.1", 2), sample("a.yx.1", 3)]);
  assertEquals(points.snapshot((point) => point.includes(".yx.")), [sample("a.yx.1", 3)]);
  assertEquals(points.last("a.yc.1" as PointId), sample("a.yc.1", 2));
});

Deno.test("isPointId takes station.kind.number and refuses the rest", () => {
  const cases = [["gz_01.yx.21", true], ["sys.feed.a.lost", true], ["站点.yc.1", true]] as const;
  for (const [text, good] of cases) assertEquals(isPointId(text), good, text);
  for (const text of ["", "a", "a.", ".a", "a..b", "a b.c", `a.${"x".repeat(200)}`]) {
    assertEquals(isPointId(text), false, text);
  }
});

Deno.test("Commands go to the owner of the point and bring its outcome back", async () => {
  const clock = new SimClock();
  const { commands } = new Points(clock);
  const ask = (point: string) =>
    commands.request(
      { point: point as PointId, value: true, origin: "test" },
      clock.now() + 5000 as never,
    );
  assertEquals(await ask("a.yk.1"), { kind: "no_owner" });
  using _owner = commands.own(
    "rtu1",
    (p) => p.startsWith("a."),
    () => Promise.resolve({ kind: "done" }),
  );
  assertEquals(await ask("a.yk.1"), { kind: "done" });
  using _other = commands.own(
    "rtu2",
    (p) => p.endsWith(".1"),
    () => Promise.resolve({ kind: "done" }),
  );
  assertEquals((await ask("a.yk.1")).kind, "refused", "two owners could execute it twice");
  using _fails = commands.own("rtu3", (p) => p === "b.yk.2", () => Promise.reject(new Error("no")));
  assertEquals(await ask("b.yk.2"), { kind: "refused", why: "no" });
});

Deno.test("Commands end at their deadline and tell the owner so", async () => {
  const clock = new SimClock();
  const { commands } = new Points(clock);
  let told = false;
  using _owner = commands.own(
    "slow",
    () => true,
    (_, signal) => new Promise(() => signal.addEventListener("abort", () => told = true)),
  );
  const asked = commands.request(
    { point: "a.yk.1" as PointId, value: 1, origin: "test" },
    clock.now() + 5000 as never,
  );
  await clock.advance(seconds(5));
  assertEquals(await asked, { kind: "timed_out" });
  assert(told);
});

async function valuesOf(batches: AsyncIterable<readonly Sample[]>): Promise<unknown[]> {
  for await (const batch of batches) return batch.map(({ value }) => value);
  return [];
}
