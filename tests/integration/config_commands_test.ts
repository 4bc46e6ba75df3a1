/** `busbar check` and `busbar config …`, as their users call them, with real files and editors. */
import { runCli } from "../../src/app/cli.ts";
import { COMMANDS } from "../../src/app/commands.ts";
import { assert, assertEquals } from "../assert.ts";
import { createScreen } from "../unit/app/terminals.ts";

const GOOD = "control: { listen: 127.0.0.1:5555 }\n";
const BAD = "contrl: {}\nlog: { level: loud }\n";

async function call(args: readonly string[], env: Record<string, string> = {}) {
  const { terminal, out, err } = createScreen(env);
  const code = await runCli(args, COMMANDS, terminal, new AbortController().signal);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

/** A file of the test's own, removed afterwards. */
function file(text: string): { readonly path: string; read(): string } & Disposable {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-config-" });
  const path = `${folder}/busbar.yaml`;
  Deno.writeTextFileSync(path, text, { mode: 0o640 });
  return {
    path,
    read: () => Deno.readTextFileSync(path),
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

Deno.test("check ends with 0 and names the services, or with 2 and every problem", async () => {
  using good = file(GOOD);
  assertEquals(await call(["check", "-c", good.path]), {
    code: 0,
    out: `${good.path} is valid: no services`,
    err: "",
  });
  using bad = file(BAD);
  const { code, out, err } = await call(["check", "--config-path", bad.path]);
  assertEquals([code, out], [2, ""]);
  assertEquals(err.split("\n").map((line) => line.slice(bad.path.length)), [
    ':1:1 contrl: is not known. Did you mean "control"?',
    ":2:15 log.level: must be one of debug, info, warn, error (is loud)",
  ]);
});

Deno.test("check --json is a document with the same problems", async () => {
  using bad = file(BAD);
  const { code, out } = await call(["check", "-c", bad.path, "--json"]);
  const { valid, problems } = JSON.parse(out);
  assertEquals([code, valid, problems.length], [2, false, 2]);
  assertEquals([problems[1].line, problems[1].column, problems[1].path], [2, 15, "log.level"]);
});

Deno.test("check takes the flags of modules", async () => {
  using none = file(GOOD);
  const { code, err } = await call(["check", "-c", none.path, "--goose-bridge"]);
  assertEquals(code, 2);
  assert(err.includes("modules.goose_bridge"), err);
});

Deno.test("A file that is missing, or a folder, is told in one line with exit code 2", async () => {
  for (const path of ["/nowhere/busbar.yaml", "/"]) {
    const { code, err } = await call(["check", "-c", path]);
    assertEquals([code, err.split("\n").length], [2, 1], err);
    assert(err.includes(path));
  }
});

Deno.test("config sample is itself valid, and config schema is JSON", async () => {
  const sample = await call(["config", "sample"]);
  using written = file(sample.out);
  assertEquals((await call(["check", "-c", written.path])).code, 0);
  const { properties } = JSON.parse((await call(["config", "schema"])).out);
  assertEquals(Object.keys(properties), ["control", "log", "points", "modules"]);
});

Deno.test("config show fills in defaults and hides secrets", async () => {
  using one = file('control: { token: "${T}" }\n');
  const token = "0123456789abcdef0123";
  const { code, out } = await call(["config", "show", "-c", one.path], { T: token });
  assertEquals(code, 0);
  assert(out.includes("token: ***") || out.includes('token: "***"'), out);
  assert(out.includes("max_connections: 16384") && !out.includes(token), out);
  const json = await call(["config", "show", "-c", one.path, "--json"], { T: token });
  assertEquals(JSON.parse(json.out).control.token, "***");
});

Deno.test("config test speaks Chinese where the language is", async () => {
  using good = file(GOOD);
  const zh = await call(["config", "test", "-c", good.path], { LANG: "zh_CN.UTF-8" });
  assertEquals([zh.code, zh.out], [0, "测试配置文件语法...\n配置文件语法正确"]);
  using bad = file(BAD);
  const en = await call(["config", "test", "-c", bad.path]);
  assertEquals([en.code, en.out], [2, "Testing the configuration file..."]);
});

Deno.test("config edit saves a valid text in one step and keeps the file's mode", async () => {
  using one = file(GOOD);
  const { code } = await call(["config", "edit", "-c", one.path], {
    EDITOR: "sed -i s/5555/6666/",
  });
  assertEquals([code, one.read()], [0, GOOD.replace("5555", "6666")]);
  assertEquals(Deno.statSync(one.path).mode! & 0o777, 0o640);
  assertEquals(folderOf(one.path), ["busbar.yaml"]);
});

Deno.test("config edit leaves the file alone when the text is wrong, unchanged, or the editor fails", async () => {
  using one = file(GOOD);
  const wrong = await call(["config", "edit", "-c", one.path], { EDITOR: "sed -i s/control/x/" });
  assertEquals([wrong.code, one.read()], [2, GOOD]);
  assert(wrong.err.includes("is not known"));
  const unchanged = await call(["config", "edit", "-c", one.path], { VISUAL: "true" });
  assertEquals([unchanged.code, unchanged.out], [0, "Nothing was changed"]);
  const failed = await call(["config", "edit", "-c", one.path], { EDITOR: "false" });
  assertEquals([failed.code, one.read()], [1, GOOD]);
  assertEquals(folderOf(one.path), ["busbar.yaml"]);
});

Deno.test("config edit takes the first editor that is there", async () => {
  using one = file(GOOD);
  const env = { VISUAL: "no-such-editor-anywhere", EDITOR: "sed -i s/5555/7777/" };
  const { code } = await call(["config", "edit", "-c", one.path], env);
  assertEquals([code, one.read()], [0, GOOD.replace("5555", "7777")]);
});

function folderOf(path: string): string[] {
  return [...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))].map(({ name }) => name);
}
