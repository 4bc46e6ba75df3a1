import { assertEquals } from "../../assert.ts";
import { pick } from "../../../src/base/random.ts";

Deno.test("pick stays below its bound", () => {
  assertEquals([pick(() => 0, 5), pick(() => 0.999_999, 5)], [0, 4]);
});
