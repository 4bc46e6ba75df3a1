import { COUNTERS } from "../../../../src/south/iec104_master/counters.ts";
import { assertEquals } from "../../../assert.ts";

Deno.test("The page of iec104_master explains every counter, and no other", () => {
  const text = Deno.readTextFileSync(
    new URL("../../../../src/south/iec104_master/README.md", import.meta.url),
  );
  const explained = [...text.matchAll(/^\| `([a-z_]+)` +\| \D/gm)].map(([, name]) => name!);
  const table = text.slice(text.indexOf("## /status fields"));
  const own = new Set(explained.filter((name) => table.includes(`| \`${name}\``)));
  assertEquals([...own].toSorted(), [...COUNTERS].toSorted());
});
