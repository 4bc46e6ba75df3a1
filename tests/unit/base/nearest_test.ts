import fc from "fast-check";
import { assertEquals } from "../../assert.ts";
import { distance, nearest } from "../../../src/base/nearest.ts";

Deno.test("distance counts insertions, deletions, substitutions and swaps", () => {
  const cases = [["", "", 0], ["a", "", 1], ["status", "sttaus", 1], ["group", "groups", 1], [
    "abc",
    "xyz",
    3,
  ]] as const;
  for (const [from, to, edits] of cases) assertEquals(distance(from, to), edits, `${from} ${to}`);
  const words = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(words, words, (from, to) => assertEquals(distance(from, to), distance(to, from))),
  );
});

Deno.test("nearest finds what was meant, and nothing where nothing is near", () => {
  const known = ["status", "config", "goose", "reload"];
  assertEquals(nearest("staus", known), "status");
  assertEquals(nearest("CONFIG", known), "config");
  assertEquals(nearest("xyzzy", known), undefined);
  assertEquals(nearest("x".repeat(1000), known), undefined);
});
