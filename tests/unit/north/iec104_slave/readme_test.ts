import { COUNTERS } from "../../../../src/north/iec104_slave/counters.ts";
import { assertEquals } from "../../../assert.ts";

Deno.test("The page of iec104_slave explains every counter, and no other", () => {
  const text = Deno.readTextFileSync(
    new URL("../../../../src/north/iec104_slave/README.md", import.meta.url),
  );
  const explained = [...text.matchAll(/^\| `([a-z_]+)` +\| \D/gm)].map(([, name]) => name!);
  const table = text.slice(text.indexOf("## /status fields"));
  const own = new Set(explained.filter((name) => table.includes(`| \`${name}\``)));
  assertEquals([...own].toSorted(), [...COUNTERS].toSorted());
});
