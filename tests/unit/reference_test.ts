import { stale } from "../../build/reference.ts";
import { assertEquals } from "../assert.ts";

Deno.test("What is generated from the schemas is current: deno task reference", () => {
  assertEquals(stale().map(({ path }) => path), []);
});
