import { assert, assertEquals } from "../../assert.ts";
import { ConfigError, describe, imageOf, OsError, revive } from "../../../src/base/errors.ts";

Deno.test("imageOf and revive keep family, code and detail", () => {
  const image = imageOf(new OsError("os.tap.open", "Cannot open TAP", { errno: "EPERM" }));
  const error = revive(structuredClone(image));
  assert(error instanceof OsError);
  assertEquals([error.code, error.message, error.detail], ["os.tap.open", "Cannot open TAP", {
    errno: "EPERM",
  }]);
  assert(revive(imageOf(new ConfigError("config.invalid", "No"))) instanceof ConfigError);
});

Deno.test("imageOf takes anything that was thrown for a bug, and keeps its stack", () => {
  const image = imageOf(new TypeError("x is undefined"));
  assertEquals([image.name, image.code, image.message], [
    "BugError",
    "bug.unexpected",
    "TypeError: x is undefined",
  ]);
  assert(revive(image).stack!.includes("errors_test"));
  assertEquals(imageOf("text").message, "text");
  assertEquals(describe(new OsError("os.x", "Cannot x")), "Cannot x [os.x]");
});
