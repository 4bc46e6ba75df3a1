import {
  engineering,
  limitPoint,
  type PointDefinition,
  rawValue,
} from "../../../src/points/definition.ts";
import {
  definitionOf,
  type RowFault,
  rowOf,
  type WrittenRow,
} from "../../../src/points/table_rows.ts";
import { type PointId, Points, QUALITY, type Sample } from "../../../src/points/points.ts";
import { millis } from "../../../src/base/time.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SimClock } from "../../sim/clock.ts";
import { Disk } from "./journals.ts";

const POINT = "gz_01.yc.201" as PointId;

/** A definition as a row of a file would make it. */
function define(row: WrittenRow): PointDefinition {
  const faults: RowFault[] = [];
  const definition = definitionOf({ "tag_station": "gz_01", coa: 1, ioa: 201, ...row }, 1, faults);
  assertEquals(faults, []);
  return definition!;
}

function told(row: WrittenRow, values: readonly (number | Partial<Sample>)[]): string[] {
  const points = new Points(new SimClock());
  points.define([define(row)]);
  const feed = points.feed("f", { match: () => true, depth: 1000, onFull: "drop_oldest" });
  for (const [at, value] of values.entries()) {
    const fields = typeof value === "number" ? { value } : value;
    points.publish([{ point: POINT, value: 0, quality: 0, at, ...fields }]);
  }
  const all: string[] = [];
  const batch = feed.batches(new AbortController().signal).next();
  void batch.then(({ value }) => {
    for (const { point, value: one } of value ?? []) {
      all.push(point === POINT ? `${one}` : `limit ${one}`);
    }
  });
  return all;
}

async function toldBy(row: WrittenRow, values: readonly (number | Partial<Sample>)[]) {
  const all = told(row, values);
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  return all;
}

Deno.test("A value is told in engineering units, and turned back for the device", async () => {
  const definition = define({ scale: 0.1, "point_offset": -40, unit: "C" });
  assertEquals(engineering(definition, 650), 25);
  assertEquals(rawValue(definition, 25), 650);
  assertEquals([engineering(definition, true), rawValue(definition, "x")], [true, "x"]);
  assertEquals(await toldBy({ scale: 0.5 }, [10, 11]), ["5", "5.5"]);
});

Deno.test("A dead-band holds back what is near the last value told, not the last value", async () => {
  const creeping = [10, 10.4, 10.8, 11.2, 11.6, 12.4];
  assertEquals(await toldBy({ "dead_band": 1 }, creeping), ["10", "11.2", "12.4"]);
  assertEquals(await toldBy({}, [1, 1, 2]), ["1", "1", "2"], "without one all is told");
});

Deno.test("A dead-band never holds back another quality, or an event", async () => {
  const values = [
    10,
    { value: 10.1, quality: QUALITY.invalid },
    { value: 10.2, quality: QUALITY.invalid },
    { value: 10.1 },
    { value: 10.2, event: true },
    { value: NaN },
  ];
  assertEquals(await toldBy({ "dead_band": 1 }, values), ["10", "10.1", "10.1", "10.2", "NaN"]);
});

Deno.test("Limits are told as they are passed, and left by the dead-band", async () => {
  const limits = { low: 10, high: 100, "high_high": 120, "dead_band": 2 };
  const values = [50, 100, 101, 99, 97, 125, 119, 117, 8, 11, 13];
  assertEquals(await toldBy(limits, values), [
    "50",
    "100",
    "limit 1",
    "97",
    "limit 0",
    "125",
    "limit 2",
    "119",
    "117",
    "limit 1",
    "8",
    "limit -1",
    "11",
    "13",
    "limit 0",
  ]);
  assertEquals(await toldBy({ high: 1 }, [{ value: 5, quality: QUALITY.invalid }]), ["5"]);
  assertEquals(limitPoint(POINT) as string, "gz_01.yc.201.limit");
});

Deno.test("The journal has changes and events; a choice of the table makes it all or nothing", async () => {
  for (
    const [journal, wanted] of [["changes", 4], ["all", 5], ["none", 0]] as const
  ) {
    using disk = new Disk();
    const clock = new SimClock();
    const points = new Points(clock, disk.start(clock).journal);
    points.define([define({ journal })]);
    const publish = (fields: Partial<Sample>) =>
      points.publish([{ point: POINT, value: 1, quality: 0, at: 0, ...fields }]);
    publish({});
    publish({});
    publish({ event: true });
    publish({ quality: QUALITY.stale });
    assertEquals(publish({ value: 2 }), wanted);
    await clock.advance(millis(10));
    assertEquals(points.journal!.committed, wanted);
  }
});

Deno.test("Values outlive a restart, and are stale until the device tells them", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const first = new Points(clock, disk.start(clock).journal);
  first.define([define({ high: 10 })]);
  first.publish([{ point: POINT, value: 5, quality: 0, at: 1 }]);
  first.checkpoint();
  first.publish([{ point: POINT, value: 50, quality: 0, at: 2, event: true }]);
  await clock.advance(millis(10));
  const second = new Points(clock, disk.start(clock).journal);
  assertEquals(second.last(POINT), { point: POINT, value: 50, quality: QUALITY.stale, at: 2 });
  // Where it stood among its limits is known too, so the alarm is not told again.
  second.define([define({ high: 10 })]);
  const before = second.journal!.status.newest;
  second.publish([{ point: POINT, value: 51, quality: 0, at: 3 }]);
  assertEquals(second.journal!.status.newest, before + 1);
});

Deno.test("What the journal had no room for is told to nobody as safe, and caught up", async () => {
  using disk = new Disk();
  const clock = new SimClock();
  const points = new Points(clock, disk.start(clock, { pendingMax: 2 }).journal);
  const publish = (number: number, value: number) =>
    points.publish([{ point: `a.yx.${number}` as PointId, value, quality: 0, at: 0 }]);
  assertEquals([publish(1, 1), publish(2, 1), publish(3, 1)], [1, 2, undefined]);
  assertEquals(points.last("a.yx.3" as PointId)!.value, 1, "the image has it");
  await clock.advance(millis(10));
  assertEquals(publish(1, 2), 4, "with it what was missed");
  await clock.advance(millis(10));
  const kept = points.journal!.cursor("x", "oldest").read(9, 2).samples;
  assertEquals(kept.map(({ point }) => point as string), ["a.yx.1", "a.yx.3"]);
});

Deno.test("A row becomes a definition and a row again", () => {
  const definition = define({
    kind: "yx",
    "device_id": "d1",
    "ext_3": "x",
    "enable_push": 0,
    low: "-1.5e3",
    journal: "all",
    point: "own.name",
  });
  assertEquals(define(rowOf(definition)), definition);
  assertEquals(define({ "td_table_type": "dd,yc" }).kind, "dd");
  assertEquals(define({}).point as string, "gz_01.yc.201");
});

for (
  const [row, column, message] of [
    [{ "tag_station": "" }, "tag_station", "must be the name of a station"],
    [{ "tag_station": "a b" }, "tag_station", 'must have letters, digits, _ and - only, not "a b"'],
    [{ ioa: -1 }, "ioa", 'must be a whole number from 0 to 16777215, not "-1"'],
    [{ ioa: "" }, "ioa", 'must be a whole number from 0 to 16777215, not ""'],
    [{ coa: 65_536 }, "coa", 'must be a whole number from 0 to 65535, not "65536"'],
    [{ kind: "xx" }, "kind", 'must be one of yx, yc, dd, do, ao, not "xx"'],
    [{ scale: 0 }, "scale", "must not be 0: no command could be turned back"],
    [{ scale: "1,5" }, "scale", 'must be a number, not "1,5"'],
    [{ "dead_band": -1 }, "dead_band", "must not be below 0, not -1"],
    [{ low: 5, high: 4 }, "low", "limits must be in the order low_low, low, high, high_high"],
    [{ "enable_push": "perhaps" }, "enable_push", 'must be 0 or 1, not "perhaps"'],
    [{ point: "one" }, "point", 'must be words joined by dots, at most 200 characters, not "one"'],
    [{ unit: "x".repeat(33) }, "unit", "must have at most 32 characters, not 33"],
    [{ journal: "some" }, "journal", 'must be one of changes, all, none, not "some"'],
  ] as const
) {
  Deno.test(`A row is refused: ${column} ${message}`, () => {
    const faults: RowFault[] = [];
    const whole = { "tag_station": "gz_01", coa: 1, ioa: 201, ...row };
    assertEquals(definitionOf(whole, 7, faults), undefined);
    assert(faults.some((fault) => fault.row === 7 && fault.column === column));
    assertEquals(faults[0], { row: 7, column, message });
  });
}
