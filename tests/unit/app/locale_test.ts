import { languageOf } from "../../../src/app/locale.ts";
import { assertEquals } from "../../assert.ts";

Deno.test("Language is Chinese where the first variable that is set begins with zh", () => {
  const language = (env: Record<string, string>) => languageOf((name) => env[name]);
  assertEquals(language({}), "en");
  assertEquals(language({ LANG: "zh_CN.UTF-8" }), "zh");
  assertEquals(language({ LANG: "zh_CN.UTF-8", LC_ALL: "C" }), "en");
  assertEquals(language({ LANG: "en_US.UTF-8", LC_ALL: "zh_TW" }), "zh");
  assertEquals(language({ LANG: "zh_CN.UTF-8", LC_ALL: "" }), "zh");
});
