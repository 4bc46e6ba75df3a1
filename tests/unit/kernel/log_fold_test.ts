import type { LineLevel, LogLine } from "../../../src/base/log.ts";
import type { Instant } from "../../../src/base/time.ts";
import { FOLDS_MAX, LogFolder } from "../../../src/kernel/log_fold.ts";
import { assertEquals } from "../../assert.ts";

function line(code: string, message = "", level: LineLevel = "warn", id = "a"): LogLine {
  return { at: 0, level, id, code, message, fields: {} };
}

function make() {
  const out: string[] = [];
  const folder = new LogFolder(({ code, message, fields }) =>
    out.push(`${code}${message}${fields.count === undefined ? "" : ` x${fields.count}`}`)
  );
  return { out, add: (of: LogLine, at: number) => folder.add(of, at as Instant), folder };
}

Deno.test("LogFolder passes the first line at once and folds the rest of the second into the last", () => {
  const { out, add, folder } = make();
  for (let index = 0; index < 500; index += 1) add(line("x", ` ${index}`), index);
  assertEquals(out, ["x 0"]);
  assertEquals(folder.deadline, 1000);
  folder.flush(1000 as Instant);
  assertEquals(out, ["x 0", "x 499 x499"]);
  assertEquals(folder.deadline, undefined);
});

Deno.test("LogFolder writes a single repetition without a count", () => {
  const { out, add, folder } = make();
  add(line("x", " 1"), 0);
  add(line("x", " 2"), 10);
  folder.flush(2000 as Instant);
  assertEquals(out, ["x 1", "x 2"]);
});

Deno.test("LogFolder folds neither another code, nor another service, nor another level", () => {
  const { out, add } = make();
  add(line("x"), 0);
  add(line("y"), 0);
  add(line("x", "", "warn", "b"), 0);
  add(line("x", "", "error"), 0);
  assertEquals(out.length, 4);
});

Deno.test("LogFolder never folds a traced frame", () => {
  const { out, add } = make();
  for (let index = 0; index < 10; index += 1) add(line("frame", "", "trace"), 0);
  assertEquals(out.length, 10);
});

Deno.test("LogFolder holds a bounded number of codes, and loses no line when it is full", () => {
  const { out, add, folder } = make();
  for (let index = 0; index < FOLDS_MAX + 10; index += 1) {
    add(line(`c${index}`), 0);
    add(line(`c${index}`, " again"), 0);
  }
  assertEquals(out.filter((text) => text.endsWith("again")).length, 10);
  folder.flushAll();
  assertEquals(out.length, (FOLDS_MAX + 10) * 2);
});
