import fc from "fast-check";
import { BUILTIN, DEFAULT_CONFIG, findConfig, USUAL_PLACES } from "../../../src/app/config_file.ts";
import { MODULES } from "../../../src/app/modules.ts";
import { problemLines } from "../../../src/app/problems.ts";
import { ConfigError } from "../../../src/base/errors.ts";
import { type ConfigSource, readConfig } from "../../../src/kernel/config.ts";
import { diffServices } from "../../../src/kernel/config_diff.ts";
import { retype, substitute } from "../../../src/kernel/environment.ts";
import { configSchema, effectiveConfig, sampleYaml } from "../../../src/kernel/reference.ts";
import { assert, assertEquals } from "../../assert.ts";

const SECRET = "s3cret-that-nobody-may-see";

function source(text: string, more: Partial<ConfigSource> = {}): ConfigSource {
  const env = (name: string) => name === "SECRET" ? SECRET : undefined;
  return { file: "busbar.yaml", text, modules: MODULES, env, flags: {}, ...more };
}

const TWO_PATHS = (mtu = 1500) => `
modules:
  goose_bridge:
    a: { tap: goose0, group: 224.0.1.100 }
    b: { tap: goose1, group: 224.0.1.101, mtu: ${mtu} }
`;

Deno.test("config/busbar.yaml is the built-in default, and valid", () => {
  const file = new URL("../../../config/busbar.yaml", import.meta.url);
  assertEquals(DEFAULT_CONFIG, Deno.readTextFileSync(file));
  const { config } = readConfig(source(DEFAULT_CONFIG));
  const paths = ["goose_bridge.path0", "goose_bridge.path1"];
  assertEquals(config?.services.map(({ id }) => id), [...paths, "goose_monitor"]);
  for (const { config: path } of config!.services.slice(0, 2)) {
    assertEquals((path as { via: string }).via, "lo");
  }
});

Deno.test("The sample is valid with its comments, and with every key put to work", () => {
  const sample = sampleYaml(MODULES);
  assertEquals(readConfig(source(sample)).problems, []);
  // Peers stand in the place of a group; a key needs format v2, and groups their mode.
  const all = sample.replace(/^( +)# ((?!peers|interface)[a-z_]+:( .*)?)$/gm, "$1$2")
    .replace("format: v1", "format: v2").replace("mode: single", "mode: groups");
  const env = () => SECRET;
  assertEquals(readConfig(source(all, { env })).problems, []);
  assert(all.includes("    token: ${BUSBAR_TOKEN}") || all.includes("  token: ${BUSBAR_TOKEN}"));
});

Deno.test("The JSON Schema knows every section, and what it may hold", () => {
  const schema = JSON.parse(JSON.stringify(configSchema(MODULES)));
  assertEquals(Object.keys(schema.properties), ["control", "log", "points", "modules"]);
  const path = schema.properties.modules.properties.goose_bridge.additionalProperties;
  assert(["tap", "group", "peers"].every((key) => key in path.properties));
  assertEquals(path.additionalProperties, false);
});

Deno.test("A flag turns a module off for this run, and checks it all the same", () => {
  const off = { flags: { "goose_bridge": false } };
  const { config } = readConfig(source(DEFAULT_CONFIG, off));
  assertEquals(config?.services.map(({ id }) => id), ["goose_monitor"]);
  const broken = DEFAULT_CONFIG.replace("goose1", "a name with blanks");
  assertEquals(readConfig(source(broken, off)).problems.length, 1);
});

Deno.test("A flag cannot turn on a module that the file does not describe", () => {
  const { config, problems } = readConfig(source("{}", { flags: { "goose_bridge": true } }));
  assertEquals(config, undefined);
  assert(problems[0]!.remedy!.includes("--goose-bridge"));
});

Deno.test("The configuration is frozen all through, and its digest follows the text", () => {
  const { config } = readConfig(source(TWO_PATHS()));
  const path = config!.services[0]!.config as { mtu: number };
  let refused = false;
  try {
    path.mtu = 1;
  } catch {
    refused = true; // Modules are strict code.
  }
  assert(refused);
  const other = readConfig(source(`${TWO_PATHS()}# comment\n`)).config!;
  assert(other.digest !== config!.digest);
});

Deno.test("A secret is in no problem, and hidden by config show", () => {
  const texts = [
    'control: { token: "${SECRET}", listen: "${SECRET}" }',
    `control: { token: ${SECRET.slice(0, 8)} }`,
    `control: { token: [${SECRET}] }`,
    `control: { token: "${SECRET}", tokne: 1 }`,
  ];
  for (const text of texts) {
    const { config, problems } = readConfig(source(text));
    const shown = problemLines(problems, "f").join("\n").replace(/control\.listen: .*/, "");
    assert(!shown.includes(SECRET.slice(0, 8)), shown);
    assertEquals(config, undefined, text);
  }
  const good = source('control: { token: "${SECRET}" }');
  assertEquals(readConfig(good).config?.secrets, [SECRET]);
  assert(!JSON.stringify(effectiveConfig(good)).includes(SECRET));
});

Deno.test("diffServices stops and starts only what has another value", () => {
  const before = readConfig(source(TWO_PATHS())).config!.services;
  const same = readConfig(source(`# moved\n${TWO_PATHS(1500)}`)).config!.services;
  assertEquals(diffServices(before, same), { stop: [], start: [] });
  const after = readConfig(source(TWO_PATHS(1400))).config!.services;
  const diff = diffServices(before, after);
  assertEquals([diff.stop, diff.start.map(({ id }) => id)], [["goose_bridge.b"], [
    "goose_bridge.b",
  ]]);
  assertEquals(diffServices(before, []).stop, ["goose_bridge.a", "goose_bridge.b"]);
});

Deno.test("substitute knows names, defaults and escapes", () => {
  const env = (name: string) => ({ A: "1", EMPTY: "" } as Record<string, string>)[name];
  const cases: [string, string, string[]][] = [
    ["${A}-${A}", "1-1", []],
    ["${NO:-x y}", "x y", []],
    ["${EMPTY:-x}", "x", []],
    ["${EMPTY}", "", []],
    ["$${A}", "${A}", []],
    ["$A $ {A}", "$A $ {A}", []],
    ["${NO}${NEIN}", "", ["NO", "NEIN"]],
    ["${NO:-}", "", []],
  ];
  for (const [written, text, unset] of cases) {
    const result = substitute(written, env);
    assertEquals([result.text, result.unset], [text, unset], written);
  }
  assert(substitute("${", env).broken && substitute("${1A}", env).broken);
  assertEquals(["5", "true", "x"].map((text) => retype(text, "number")), [5, "true", "x"]);
  assertEquals(["false", "5"].map((text) => retype(text, "boolean")), [false, "5"]);
});

Deno.test("readConfig gives problems or a configuration, whatever the text is", () => {
  const yaml = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(..."{}[]:,-&*!|>%@`'\"#\n \t$ab01<"), maxLength: 80 }),
    fc.json().map((json) => json),
    fc.record({
      control: fc.option(fc.anything()),
      log: fc.option(fc.anything()),
      modules: fc.option(fc.record({ "goose_bridge": fc.anything() })),
    }).map((value) => {
      try {
        return JSON.stringify(value) ?? "";
      } catch {
        return ""; // Big integers have no JSON.
      }
    }),
  );
  fc.assert(
    fc.property(yaml, (text) => {
      const { config, problems } = readConfig(source(text));
      const errors = problems.filter(({ severity }) => severity === "error");
      assertEquals(config === undefined, errors.length > 0);
      for (const { line, column, message } of problems) {
        assert(line >= 0 && column >= 0 && message !== "");
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("A file beyond the limit is refused without reading it", () => {
  const { problems } = readConfig(source("#".repeat(2 ** 21)));
  assertEquals(problems.length, 1);
});

Deno.test("findConfig takes the named file, $BUSBAR_CONFIG, the usual places, then the default", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-config-" });
  const before = Deno.cwd();
  const none = () => undefined;
  try {
    Deno.chdir(folder);
    if (!exists(USUAL_PLACES.at(-1)!)) {
      assertEquals((await findConfig(undefined, none)).file, BUILTIN);
    }
    Deno.mkdirSync("config");
    Deno.writeTextFileSync("config/busbar.yaml", "# config");
    assertEquals((await findConfig(undefined, none)).file, "config/busbar.yaml");
    Deno.writeTextFileSync("busbar.yaml", "# here");
    assertEquals((await findConfig(undefined, none)).text, "# here");
    Deno.writeTextFileSync("other.yaml", "# other");
    assertEquals((await findConfig(undefined, () => "other.yaml")).text, "# other");
    assertEquals((await findConfig("busbar.yaml", () => "other.yaml")).text, "# here");
    Deno.writeFileSync("binary.yaml", new Uint8Array([0xff, 0xfe, 0x00]));
    for (
      const [named, code] of [
        ["missing.yaml", "config.file.none"],
        ["config", "config.file.folder"],
        ["binary.yaml", "config.file.text"],
      ] as const
    ) {
      const error = await findConfig(named, none).then(() => undefined, (error) => error);
      assert(error instanceof ConfigError);
      assertEquals(error.code, code);
    }
  } finally {
    Deno.chdir(before);
    Deno.removeSync(folder, { recursive: true });
  }
});

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
