/** The module's page against the code: what the code counts and tells is explained there. */
import { STANDARD_COUNTERS } from "../../../../src/base/counters.ts";
import { COUNTERS } from "../../../../src/relay/goose_bridge/counters.ts";
import { assert, assertEquals } from "../../../assert.ts";

const PAGE = Deno.readTextFileSync(
  new URL("../../../../src/relay/goose_bridge/README.md", import.meta.url),
);

function section(heading: string): string {
  return PAGE.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
}

Deno.test("The page of the bridge has its five headings, in order", () => {
  const headings = [...PAGE.matchAll(/^#+ (.*)$/gm)].map(([, text]) => text);
  const parts = ["What it does", "Configuration", "Points and messages", "/status fields"];
  assertEquals(headings, ["goose_bridge", ...parts, "Limits and interop"]);
  assert(/<!-- config -->[\s\S]*<!-- \/config -->/.test(section("Configuration")));
});

Deno.test("The page of the bridge explains every counter, and none that is not there", () => {
  const text = section("/status fields");
  const all: readonly string[] = [...STANDARD_COUNTERS, ...COUNTERS];
  assertEquals(all.filter((name) => !text.includes(`\`${name}\``)), []);
  const reasons = [...text.matchAll(/`(drop_\w+)`/g)].map(([, name]) => name!);
  assertEquals(reasons.filter((name) => !all.includes(name)), []);
  assertEquals(new Set(reasons).size, reasons.length, "a reason is explained twice");
});
