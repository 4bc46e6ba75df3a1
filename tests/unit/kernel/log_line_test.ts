import fc from "fast-check";
import { BugError, OsError } from "../../../src/base/errors.ts";
import type { LogFields, LogLine } from "../../../src/base/log.ts";
import { hider, jsonLine, textLine } from "../../../src/kernel/log_line.ts";
import { assert, assertEquals } from "../../assert.ts";

const NOTHING = hider([]);

function line(fields: LogFields, message = "Message"): LogLine {
  return { at: Date.UTC(2026, 0, 2), level: "info", id: "a.b", code: "x.y", message, fields };
}

Deno.test("jsonLine has ts, level, id, code and msg first, then the fields", () => {
  assertEquals(
    jsonLine(line({ port: 5, id: "clash" }), NOTHING),
    '{"ts":"2026-01-02T00:00:00.000Z","level":"info","id":"a.b","code":"x.y","msg":"Message",' +
      '"port":5,"_id":"clash"}',
  );
});

Deno.test("jsonLine writes an expected error in one line, and a bug with its stack", () => {
  const expected = new OsError("os.open", "Cannot open", { errno: "EPERM" });
  const parsed = JSON.parse(jsonLine(line({ error: expected }), NOTHING));
  assertEquals(parsed.error, "Cannot open [os.open]");
  const bug = JSON.parse(jsonLine(line({ error: new BugError("x", "Oops") }), NOTHING));
  assert(bug.error.stack.includes("log_line_test.ts"));
});

Deno.test("jsonLine hides fields by name at any depth, and known secrets in any text", () => {
  const hide = hider(["hunter2hunter2"]);
  const text = jsonLine(
    line({
      token: "abc",
      peer: { apiPassword: "def", note: "it is hunter2hunter2!" },
      error: new Error("bad hunter2hunter2"),
    }, "msg hunter2hunter2"),
    hide,
  );
  assert(!/hunter2|abc|def/.test(text), text);
  assert(text.includes("***"));
});

Deno.test("jsonLine bounds depth, width and length, and survives circles and odd values", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const fields = {
    circle,
    long: "x".repeat(100_000),
    wide: Array.from({ length: 10_000 }, (_, index) => index),
    big: 2n ** 80n,
    nan: NaN,
    call: () => 1,
    octets: new Uint8Array(9),
    nothing: undefined,
  };
  const text = jsonLine(line(fields), NOTHING);
  assert(text.length < 5000, String(text.length));
  const parsed = JSON.parse(text);
  assertEquals([parsed.big, parsed.nan, parsed.octets], [String(2n ** 80n), "NaN", "[9 octets]"]);
});

Deno.test("jsonLine is one line of JSON whatever the fields are", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.anything()), fc.string(), (fields, text) => {
    const written = jsonLine(line(fields, text), NOTHING);
    assert(!written.includes("\n"));
    JSON.parse(written);
  }));
});

Deno.test("textLine is for people: time, level, service, message, code, fields", () => {
  assertEquals(
    textLine(line({ port: 5, name: "goose0", text: "two words" }), NOTHING, false),
    '2026-01-02 00:00:00.000 INFO  a.b: Message [x.y] port=5 name=goose0 text="two words"',
  );
});

Deno.test("textLine lets no control character of a peer through to the terminal", () => {
  const text = textLine(line({ name: "\x1b]0;title\x07" }, "a\rb\x1b[2Jc"), NOTHING, true);
  // deno-lint-ignore no-control-regex -- these are what must not be there
  assert(!/[\x00-\x1a\x1c-\x1f]|\x1b(?!\[\d{1,2}m)/.test(text), JSON.stringify(text));
});
