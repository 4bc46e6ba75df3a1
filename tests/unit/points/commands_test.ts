import { type Instant, millis } from "../../../src/base/time.ts";
import {
  type Command,
  type CommandOutcome,
  KEY_SPAN_MS,
  KEYS_MAX,
} from "../../../src/points/commands.ts";
import { definitionOf } from "../../../src/points/table_rows.ts";
import { type PointId, Points } from "../../../src/points/points.ts";
import { assertEquals } from "../../assert.ts";
import { SimClock } from "../../sim/clock.ts";
import { Disk } from "./journals.ts";

const POINT = "gz_01.do.5" as PointId;
const COMMAND: Command = { point: POINT, value: true, origin: "scada" };

class Bench implements Disposable {
  readonly clock = new SimClock();
  readonly disk = new Disk();
  points = new Points(this.clock, this.disk.start(this.clock).journal);
  readonly executed: unknown[] = [];

  /** Becomes the owner of the point. */
  own(outcome: CommandOutcome | "never" = { kind: "done" }): void {
    this.points.commands.own("rtu", (point) => point === POINT, async ({ value }, signal) => {
      this.executed.push(value);
      if (outcome !== "never") return outcome;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return { kind: "done" };
    });
  }

  async ask(fields: Partial<Command> = {}, within = 1000): Promise<CommandOutcome> {
    const deadline = (this.clock.now() + within) as Instant;
    const outcome = this.points.commands.request({ ...COMMAND, ...fields }, deadline);
    await this.clock.advance(millis(within));
    return await outcome;
  }

  restart(): void {
    this.points = new Points(this.clock, this.disk.start(this.clock).journal);
  }

  async audit(): Promise<unknown[]> {
    await this.points.journal!.flushed();
    return this.points.journal!.audits(10).map(({ origin, point, value, mode, outcome, why }) =>
      [origin, point, value, mode, outcome, why].join(" ").trim()
    );
  }

  [Symbol.dispose](): void {
    this.disk[Symbol.dispose]();
  }
}

Deno.test("Every command is in the audit, with who, what and its result", async () => {
  using bench = new Bench();
  await bench.ask();
  bench.own();
  await bench.ask({ origin: "hmi", value: false });
  bench.own({ kind: "refused", why: "interlocked" });
  await bench.ask({ mode: "select" });
  bench.own("never");
  await bench.ask();
  assertEquals(await bench.audit(), [
    "scada gz_01.do.5 true execute timed_out",
    "scada gz_01.do.5 true select refused interlocked",
    "hmi gz_01.do.5 false execute done",
    "scada gz_01.do.5 true execute no_owner",
  ]);
});

Deno.test("A command is in the audit before it is executed, or it is not executed", async () => {
  using bench = new Bench();
  bench.own();
  const failing = bench.disk.writers;
  assertEquals(failing.length, 0);
  const { journal, writer } = bench.disk.start(bench.clock);
  bench.points = new Points(bench.clock, journal);
  bench.own();
  writer.failure = new Error("disk is full");
  assertEquals(await bench.ask(), { kind: "refused", why: "The audit cannot be written" });
  assertEquals(bench.executed, []);
});

Deno.test("The same key is executed once, and gets the first outcome, also after a restart", async () => {
  using bench = new Bench();
  bench.own();
  const both = [bench.ask({ key: "k1" }), bench.ask({ key: "k1" })];
  assertEquals(await Promise.all(both), [{ kind: "done" }, { kind: "done" }]);
  assertEquals(bench.executed, [true]);
  await bench.ask({ key: "k1", origin: "another" });
  assertEquals(bench.executed, [true, true], "keys are of their origin");
  assertEquals(await bench.ask({ key: "k1", value: false }), {
    kind: "refused",
    why: "The key belongs to another command",
  });
  await bench.points.journal!.flushed();
  bench.restart();
  bench.own();
  assertEquals(await bench.ask({ key: "k1" }), { kind: "done" });
  assertEquals(bench.executed, [true, true]);
  await bench.clock.advance(millis(KEY_SPAN_MS));
  await bench.ask({ key: "k1" });
  assertEquals(bench.executed, [true, true, true], "a key is remembered for ten minutes");
});

Deno.test("A command that was under way at the end has an unknown outcome, and is not repeated", async () => {
  using bench = new Bench();
  bench.own("never");
  void bench.points.commands.request({ ...COMMAND, key: "k2" }, 60_000 as Instant);
  await bench.clock.advance(millis(10));
  assertEquals(bench.executed, [true]);
  bench.restart();
  bench.own();
  assertEquals(await bench.ask({ key: "k2" }), { kind: "unknown" });
  assertEquals(bench.executed, [true]);
  assertEquals(await bench.audit(), ["scada gz_01.do.5 true execute unknown busbar ended"]);
});

Deno.test("Values go to the device in its own units", async () => {
  using bench = new Bench();
  const row = { "tag_station": "gz_01", coa: 1, ioa: 5, kind: "do", scale: 0.1 };
  bench.points.define([definitionOf(row, 1, [])!]);
  bench.own();
  await bench.ask({ value: 2.5 });
  assertEquals(bench.executed, [25]);
});

Deno.test("Keys are bounded in length and in number", async () => {
  using bench = new Bench();
  const refused = async (key: string) => (await bench.ask({ key }, 1)).kind;
  assertEquals([await refused(""), await refused("x".repeat(129))], ["refused", "refused"]);
  const { commands } = bench.points;
  for (let index = 0; index < KEYS_MAX; index += 1) {
    void commands.request({ ...COMMAND, key: `k${index}` }, 1e9 as Instant);
  }
  const outcome = await commands.request({ ...COMMAND, key: "one more" }, 1e9 as Instant);
  assertEquals(outcome, { kind: "refused", why: "Too many keys are in use" });
});
