import fc from "fast-check";
import { assertEquals } from "../../assert.ts";
import { after, formatSpan, millis, parseSpan, seconds, since } from "../../../src/base/time.ts";

Deno.test("parseSpan reads units and refuses bare numbers", () => {
  const cases: [string, number | undefined][] = [
    ["250ms", 250],
    ["15s", 15_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["2d", 172_800_000],
    ["0s", 0],
    ["15", undefined],
    ["s", undefined],
    ["-1s", undefined],
    ["1 s", undefined],
    ["1y", undefined],
    ["", undefined],
  ];
  for (const [text, span] of cases) assertEquals(parseSpan(text) as number | undefined, span, text);
});

Deno.test("formatSpan gives back what parseSpan reads", () => {
  fc.assert(fc.property(fc.nat(10_000_000_000), (span) => {
    assertEquals(parseSpan(formatSpan(millis(span))) as number, span);
  }));
  assertEquals(formatSpan(millis(-1500)), "-1s500ms");
});

Deno.test("since and after are inverse", () => {
  const start = 5 as never;
  assertEquals(since(start, after(start, seconds(2))) as number, 2000);
});
