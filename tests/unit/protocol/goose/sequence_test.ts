import { millis } from "../../../../src/base/time.ts";
import {
  intervalAfter,
  nextSqNum,
  nextStNum,
  type Place,
  stepOf,
} from "../../../../src/protocol/goose/mod.ts";
import { assertEquals } from "../../../assert.ts";

const MAX = 0xffff_ffff;

Deno.test("Curve doubles from its first interval to its last", () => {
  const curve = { first: millis(4), last: millis(1000) };
  const intervals = [1, 2, 3, 8, 9, 10, 5000].map((sent) => intervalAfter(sent, curve));
  assertEquals(intervals, [4, 8, 16, 512, 1000, 1000, 1000].map(millis));
});

Deno.test("Curve whose first interval is longer than its last stays at the last", () => {
  assertEquals(intervalAfter(1, { first: millis(50), last: millis(10) }), millis(10));
});

Deno.test("Numbers leave out what has a meaning of its own when they overflow", () => {
  assertEquals([nextStNum(1), nextStNum(MAX), nextSqNum(0), nextSqNum(MAX)], [2, 1, 1, 1]);
});

const CASES: readonly [string, Place, Place, string, number, number][] = [
  ["the next one", { stNum: 5, sqNum: 1 }, { stNum: 5, sqNum: 2 }, "repeat", 0, 0],
  ["a gap of two", { stNum: 5, sqNum: 1 }, { stNum: 5, sqNum: 4 }, "repeat", 2, 0],
  ["the same again", { stNum: 5, sqNum: 1 }, { stNum: 5, sqNum: 1 }, "duplicate", 0, 0],
  ["an older one", { stNum: 5, sqNum: 9 }, { stNum: 5, sqNum: 7 }, "reordered", 0, 0],
  ["a much older one", { stNum: 5, sqNum: 900 }, { stNum: 5, sqNum: 7 }, "restart", 0, 0],
  ["sqNum overflows", { stNum: 5, sqNum: MAX }, { stNum: 5, sqNum: 1 }, "repeat", 0, 0],
  ["a change", { stNum: 5, sqNum: 9 }, { stNum: 6, sqNum: 0 }, "change", 0, 0],
  ["a change whose first is lost", { stNum: 5, sqNum: 9 }, { stNum: 6, sqNum: 2 }, "change", 2, 0],
  ["two changes lost", { stNum: 5, sqNum: 9 }, { stNum: 8, sqNum: 0 }, "change", 0, 2],
  ["stNum overflows", { stNum: MAX, sqNum: 9 }, { stNum: 1, sqNum: 0 }, "change", 0, 0],
  ["the publisher starts", { stNum: 5, sqNum: 9 }, { stNum: 1, sqNum: 0 }, "restart", 0, 0],
  ["it starts by the standard", { stNum: 5, sqNum: 9 }, { stNum: 1, sqNum: 1 }, "restart", 0, 0],
  ["an older state", { stNum: 5, sqNum: 0 }, { stNum: 4, sqNum: 7 }, "reordered", 0, 0],
  ["a far older state", { stNum: 500, sqNum: 0 }, { stNum: 4, sqNum: 7 }, "restart", 0, 0],
];

for (const [name, last, next, kind, lost, lostChanges] of CASES) {
  Deno.test(`Step is told: ${name}`, () => {
    assertEquals(stepOf(last, next), { kind, lost, lostChanges } as ReturnType<typeof stepOf>);
  });
}
