import fc from "fast-check";
import { BugError, OsError } from "../../../src/base/errors.ts";
import { millis } from "../../../src/base/time.ts";
import { CURSORS_MAX, ROW_EVENTS_MAX } from "../../../src/points/journal.ts";
import type { Sample } from "../../../src/points/points.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SimClock } from "../../sim/clock.ts";
import { Disk, numbered, OPTIONS, series } from "./journals.ts";

function valuesOf(samples: readonly Sample[]): unknown[] {
  return samples.map(({ value }) => value);
}

Deno.test("Events get numbers at once, and are committed together after a moment", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal, writer } = disk.start(clock);
  assertEquals(journal.append(series(1, 3)), 3);
  assertEquals(journal.append([numbered(4)]), 4);
  let durable = false;
  const committed = journal.whenCommitted(4).then(() => durable = true);
  await clock.advance(millis(9));
  assertEquals([writer.batches.length, durable, journal.committed], [0, false, 0]);
  await clock.advance(millis(1));
  await committed;
  assertEquals([writer.batches.length, durable, journal.committed], [1, true, 4]);
  assertEquals(writer.batches[0]!.rows.map(({ first, last }) => [first, last]), [[1, 4]]);
  assertEquals(writer.batches[0]!.names, [[1, "a.yx.1"]]);
  await journal.whenCommitted(2);
});

Deno.test("A full row does not wait", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal, writer } = disk.start(clock, { pendingMax: 10_000 });
  journal.append(series(1, ROW_EVENTS_MAX + 5));
  await clock.advance(millis(0));
  assertEquals(writer.batches.flatMap(({ rows }) => rows.map(({ first, last }) => [first, last])), [
    [1, ROW_EVENTS_MAX],
    [ROW_EVENTS_MAX + 1, ROW_EVENTS_MAX + 5],
  ]);
});

Deno.test("A reader gets what is durable only, from where it was, and again what it did not finish", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal } = disk.start(clock);
  const cursor = journal.cursor("kafka");
  journal.append(series(1, 5));
  assertEquals(cursor.read().samples, []);
  await clock.advance(millis(10));
  const seen: unknown[] = [];
  const stop = new AbortController();
  try {
    for await (const { first, samples } of cursor.batches(stop.signal)) {
      seen.push([first, valuesOf(samples)]);
      if (seen.length === 2) throw new Error("broker is gone");
      journal.append(series(6, 7));
      void clock.advance(millis(10));
    }
  } catch (error) {
    assert(error instanceof Error && error.message === "broker is gone");
  }
  assertEquals(seen, [[1, [1, 2, 3, 4, 5]], [6, [6, 7]]]);
  assertEquals([cursor.position, cursor.pending], [5, 2]);
  for await (const { samples } of cursor.batches(stop.signal)) {
    seen.push(valuesOf(samples));
    stop.abort();
  }
  assertEquals(seen[2], [6, 7]);
});

Deno.test("Cursors, names and numbers outlive a restart; one that is new begins where it is told", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  {
    await using started = disk.start(clock).journal;
    started.cursor("a");
    started.append(series(1, 10));
    await clock.advance(millis(10));
    started.cursor("a").confirm(4);
    started.cursor("gone");
    started.forget("gone");
  }
  const { journal } = disk.start(clock);
  assertEquals(journal.cursor("a").position, 4);
  assertEquals(valuesOf(journal.cursor("a").read().samples), [5, 6, 7, 8, 9, 10]);
  assertEquals([...journal.cursors()].map(({ name }) => name), ["a"]);
  assertEquals(journal.append([numbered(11, "b.yx.1")]), 11);
  assertEquals(journal.cursor("late").position, 11);
  assertEquals(journal.cursor("early", "oldest").position, 0);
  await clock.advance(millis(10));
  assertEquals(valuesOf(journal.cursor("early").read(3).samples), [1, 2, 3]);
  const [tenth] = journal.cursor("early").read(100, 9).samples;
  const [eleventh] = journal.cursor("early").read(100, 10).samples;
  assertEquals([tenth!.point as string, eleventh!.point as string], ["a.yx.1", "b.yx.1"]);
});

Deno.test("A reader that is far behind is served from the disk, in the same order", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal } = disk.start(clock);
  const cursor = journal.cursor("slow");
  for (let at = 1; at <= 991; at += 10) {
    journal.append(series(at, at + 9));
    await clock.advance(millis(10));
  }
  const seen: unknown[] = [];
  while (cursor.pending > 0) {
    const { first, samples, lost } = cursor.read(7);
    assertEquals([first, lost], [seen.length + 1, 0]);
    seen.push(...valuesOf(samples));
    cursor.confirm(seen.length);
  }
  assertEquals(seen, Array.from({ length: 1000 }, (_, index) => index + 1));
});

Deno.test("Too many that wait are refused and counted; nothing of them is taken", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal } = disk.start(clock, { pendingMax: 10 });
  assertEquals(journal.append(series(1, 8)), 8);
  assertEquals([journal.append(series(9, 11)), journal.room], [undefined, 2]);
  assertEquals(journal.append(series(9, 10)), 10);
  assertEquals(journal.status.refused, 3);
  await clock.advance(millis(10));
  assertEquals(journal.append([numbered(11)]), 11);
});

Deno.test("A disk that fails is tried again every second; nothing is durable meanwhile, nothing is lost", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal, writer } = disk.start(clock);
  writer.failure = new OsError("sqlite.failed", "disk is full");
  journal.append(series(1, 3));
  await clock.advance(millis(10));
  journal.append(series(4, 5));
  assertEquals([journal.committed, journal.status.failing], [0, "disk is full [sqlite.failed]"]);
  assertEquals(await journal.flushed(), false);
  await clock.advance(millis(2500));
  writer.failure = undefined;
  await clock.advance(millis(499));
  assertEquals(journal.committed, 0);
  await clock.advance(millis(20));
  assertEquals([journal.committed, journal.status.failing], [5, undefined]);
  assertEquals(valuesOf(journal.cursor("a", "oldest").read().samples), [1, 2, 3, 4, 5]);
  assertEquals(await journal.flushed(), true);
});

Deno.test("A commit whose answer was lost is made again without a second set of events", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal, writer } = disk.start(clock);
  writer.loses = true;
  journal.append(series(1, 3));
  await clock.advance(millis(10));
  writer.loses = false;
  await clock.advance(millis(1000));
  journal.append([numbered(4)]);
  await clock.advance(millis(10));
  const cursor = disk.start(clock).journal.cursor("a", "oldest");
  assertEquals(valuesOf([...cursor.read().samples, ...cursor.read(9, 3).samples]), [1, 2, 3, 4]);
  assertEquals(cursor.pending, 4);
});

Deno.test("Beyond its size the oldest events go; readers are told how many they never had", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal } = disk.start(clock, { octetsMax: 2000 });
  const slow = journal.cursor("slow");
  const keen = journal.cursor("keen");
  for (let at = 1; at <= 191; at += 10) {
    journal.append(series(at, at + 9));
    await clock.advance(millis(10));
    keen.confirm(journal.committed);
  }
  const { oldest, octets } = journal.status;
  assert(octets <= 2000 && octets > 1000 && oldest > 100, JSON.stringify(journal.status));
  assertEquals([slow.lost, keen.lost], [oldest - 1, 0]);
  assertEquals(slow.read().first, oldest);
  const stop = new AbortController();
  for await (const { first, lost } of slow.batches(stop.signal)) {
    assertEquals([first, lost], [oldest, oldest - 1]);
    stop.abort();
  }
  await clock.advance(millis(10));
  // It is told once, and still known after a restart.
  const restarted = disk.start(clock, { octetsMax: 2000 }).journal;
  assertEquals(restarted.cursor("slow").lost, oldest - 1);
});

Deno.test("Events go when they are too old, but never the newest row: numbers go on", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal } = disk.start(clock, { ageMax: millis(1000) });
  journal.append(series(1, 3));
  await clock.advance(millis(2000));
  journal.append(series(4, 5));
  await clock.advance(millis(2000));
  assertEquals(journal.status.oldest, 4);
  journal.cursor("touches");
  await clock.advance(millis(10));
  const restarted = disk.start(clock).journal;
  assertEquals([restarted.status.oldest, restarted.append([numbered(6)])], [4, 6]);
});

Deno.test("A start has the image of the checkpoint, and the events since", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  {
    await using journal = disk.start(clock).journal;
    journal.append(series(1, 3));
    journal.checkpoint([numbered(70, "x.yc.1"), numbered(3)]);
    journal.append(series(4, 5));
    await clock.advance(millis(10));
  }
  const restored = [...disk.start(clock).journal.restored()].flat();
  assertEquals(restored.map(({ point, value }) => `${point}=${value}`), [
    "x.yc.1=70",
    "a.yx.1=3",
    "a.yx.1=4",
    "a.yx.1=5",
  ]);
});

Deno.test("Flushing under a stream of events ends with what was there", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal } = disk.start(clock);
  let number = 0;
  let flushed = false;
  journal.append([numbered(++number)]);
  void journal.flushed().then(() => flushed = true);
  for (let turn = 0; turn < 5 && !flushed; turn += 1) {
    journal.append([numbered(++number)]);
    await clock.advance(millis(0));
  }
  assertEquals(flushed, true);
});

Deno.test("Readers may not run ahead, nor be two", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const { journal } = disk.start(clock);
  const cursor = journal.cursor("a");
  const codeOf = async (action: () => unknown): Promise<string> => {
    try {
      await action();
    } catch (error) {
      assert(error instanceof BugError);
      return error.code;
    }
    return "none";
  };
  assertEquals(await codeOf(() => cursor.confirm(1)), "points.cursor.ahead");
  journal.append([numbered(1)]);
  await clock.advance(millis(10));
  const stop = new AbortController();
  for await (const _ of cursor.batches(stop.signal)) {
    assertEquals(await codeOf(() => cursor.batches(stop.signal).next()), "points.cursor.readers");
    stop.abort();
  }
  for (let index = 1; index < CURSORS_MAX; index += 1) journal.cursor(`c${index}`);
  assertEquals(await codeOf(() => journal.cursor("more")), "points.cursors.full");
});

// Goal: whatever is appended, read, dropped and restarted, each reader sees consecutive numbers,
// and what it does not see is counted.
Deno.test("Any history: no gap that is not counted, no event twice without a restart", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.record({ do: fc.constant("append" as const), count: fc.integer({ min: 1, max: 60 }) }),
          fc.record({ do: fc.constant("read" as const), count: fc.integer({ min: 1, max: 90 }) }),
          fc.record({ do: fc.constant("wait" as const), count: fc.nat(20) }),
          fc.record({ do: fc.constant("crash" as const), count: fc.constant(0) }),
        ),
        { maxLength: 60 },
      ),
      async (steps) => {
        using disk = new Disk();
        const clock = new SimClock();
        const options = { ...OPTIONS, octetsMax: 3000, recentMax: 32 };
        let { journal, writer } = disk.start(clock, options);
        journal.cursor("r", "oldest");
        await clock.advance(millis(10));
        let next = 1;
        let durable = 0;
        let seen = 0;
        let missed = 0;
        for (const step of steps) {
          const cursor = journal.cursor("r");
          if (step.do === "append") {
            journal.append(series(next, next + step.count - 1));
            next += step.count;
          } else if (step.do === "wait") await clock.advance(millis(step.count));
          else if (step.do === "crash") {
            // What was not durable is gone, and its numbers are given once more.
            durable = journal.committed;
            writer.failure = new Error("this process is no more");
            ({ journal, writer } = disk.start(clock, options));
            next = durable + 1;
            assertEquals(journal.committed, durable);
            missed = journal.cursor("r").lost;
            seen = journal.cursor("r").position - missed;
          } else {
            const { first, samples } = cursor.read(step.count);
            missed = cursor.lost;
            if (samples.length === 0) continue;
            assertEquals(first, seen + missed + 1);
            assertEquals(valuesOf(samples), samples.map((_, index) => first + index));
            seen += samples.length;
            cursor.confirm(first + samples.length - 1);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
