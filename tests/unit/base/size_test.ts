import { assertEquals } from "../../assert.ts";
import { parseSize } from "../../../src/base/size.ts";

Deno.test("parseSize reads units and refuses bare numbers", () => {
  const cases: [string, number | undefined][] = [
    ["512B", 512],
    ["64KiB", 65_536],
    ["2MiB", 2_097_152],
    ["1.5GiB", 1_610_612_736],
    ["3kB", 3000],
    ["64", undefined],
    ["64kb", undefined],
    ["-1B", undefined],
  ];
  for (const [text, octets] of cases) assertEquals(parseSize(text), octets, text);
});
