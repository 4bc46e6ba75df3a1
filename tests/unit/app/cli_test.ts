import { BugError, ConfigError, OsError } from "../../../src/base/errors.ts";
import { runCli } from "../../../src/app/cli.ts";
import type { Command, Invocation } from "../../../src/app/command.ts";
import { COMMANDS } from "../../../src/app/commands.ts";
import { GROUP_SUMMARIES, SECTIONS } from "../../../src/app/help.ts";
import { widthOf } from "../../../src/app/table.ts";
import { nextWords } from "../../../src/app/usage.ts";
import { VERSION } from "../../../src/app/version.ts";
import { assert, assertEquals } from "../../assert.ts";
import { createScreen } from "./terminals.ts";

interface Called {
  name: string;
  options: Invocation["options"];
  args: readonly string[];
}

let called: Called[] = [];

function command(name: string, more: Partial<Command> = {}): Command {
  return {
    name,
    summary: `Do ${name}`,
    options: [],
    args: [],
    run: ({ options, args }) => {
      called.push({ name, options, args });
      return Promise.resolve(0);
    },
    ...more,
  };
}

const SAMPLE: readonly Command[] = [
  command("run", {
    options: [
      { name: "config_path", short: "c", value: "FILE", summary: "The file" },
      { name: "goose_bridge", negatable: true, summary: "The bridge" },
      { name: "log_level", value: "LEVEL", choices: ["debug", "info"], summary: "How much" },
    ],
  }),
  command("status", {
    options: [
      { name: "json", summary: "As JSON" },
      { name: "watch", short: "w", value: "[SPAN]", summary: "Repeat" },
      { name: "all", short: "a", summary: "All" },
      { name: "tag", short: "t", value: "TAG", many: true, summary: "Tags" },
    ],
    args: [{ name: "id", summary: "One", optional: true }],
  }),
  command("config sample"),
  command("config show", { options: [{ name: "json", summary: "As JSON" }] }),
  command("trace", {
    args: [
      { name: "id", summary: "Which service" },
      { name: "level", summary: "How much", choices: ["none", "header"] },
    ],
  }),
  command("decode goose", { args: [{ name: "hex", summary: "The octets", many: true }] }),
];

async function call(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  called = [];
  const { terminal, out, err } = createScreen();
  const code = await runCli(args, SAMPLE, terminal, new AbortController().signal);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

async function given(...args: string[]): Promise<Called> {
  const { code, err } = await call(...args);
  assertEquals({ code, err }, { code: 0, err: "" });
  return called[0]!;
}

Deno.test("Command line without a command is run, with its options", async () => {
  assertEquals((await given()).name, "run");
  const { name, options } = await given("-c", "a b.yaml", "--no-goose-bridge");
  assertEquals(name, "run");
  assertEquals({ ...options }, { config_path: "a b.yaml", goose_bridge: false });
});

Deno.test("Command of two words is found, and its arguments behind it", async () => {
  assertEquals((await given("config", "sample")).name, "config sample");
  assertEquals((await given("decode", "goose", "01", "0c")).args, ["01", "0c"]);
});

Deno.test("Option takes dashes and underscores, a blank and an equals sign alike", async () => {
  for (const words of [["--config-path", "x"], ["--config_path=x"], ["-cx"], ["-c=x"]]) {
    assertEquals({ ...(await given("run", ...words)).options }, { config_path: "x" });
  }
  assertEquals({ ...(await given("run", "--goose_bridge")).options }, { goose_bridge: true });
  assertEquals({ ...(await given("run", "--no_goose_bridge")).options }, { goose_bridge: false });
  assertEquals({ ...(await given("run", "--config_path=")).options }, { config_path: "" });
});

Deno.test("Short options are bundled, the last one with its value", async () => {
  const { options } = await given("status", "-awt", "x", "--tag=y");
  assertEquals({ ...options }, { all: true, watch: true, tag: ["x", "y"] });
});

Deno.test("Value in brackets may be left out, and is then no argument", async () => {
  assertEquals({ ...(await given("status", "--watch=2s")).options }, { watch: "2s" });
  const { options, args } = await given("status", "--watch", "goose_bridge.path0");
  assertEquals([{ ...options }, args], [{ watch: true }, ["goose_bridge.path0"]]);
});

Deno.test("Two dashes end the options; one dash and a negative number are arguments", async () => {
  assertEquals((await given("decode", "goose", "--", "--json", "-h")).args, ["--json", "-h"]);
  assertEquals((await given("decode", "goose", "-", "-5")).args, ["-", "-5"]);
});

Deno.test("Wrong word ends with code 2, one line, and where to read more", async () => {
  const cases: [string[], string, string][] = [
    [["stauts"], `There is no command "stauts"; did you mean "status"?`, ""],
    [
      ["config", "smaple"],
      `There is no command "config smaple"; did you mean "config sample"?`,
      "config ",
    ],
    [["zzz"], `There is no command "zzz"`, ""],
    [["status", "--jsno"], "Unknown option --jsno; did you mean --json?", "status "],
    [
      ["run", "--no-goose-brigde"],
      "Unknown option --no-goose-brigde; did you mean --no-goose-bridge?",
      "run ",
    ],
    [["--conifg-path", "x"], "Unknown option --conifg-path; did you mean --config_path?", "run "],
    [["status", "-x"], "Unknown option -x", "status "],
    [["status", "-json"], "Unknown option -j; did you mean --json?", "status "],
    [["run", "-c"], "-c needs a value: -c FILE", "run "],
    [
      ["run", "-c", "--goose-bridge"],
      "-c needs a value, and --goose-bridge is an option; write --config_path=--goose-bridge " +
      "if it is meant as a value",
      "run ",
    ],
    [["status", "--json=1"], "--json takes no value", "status "],
    [["status", "--json", "--json"], "--json may be given only once", "status "],
    [
      ["run", "--goose-bridge", "--no-goose-bridge"],
      "--no-goose-bridge may be given only once",
      "run ",
    ],
    [["run", "--log-level", "inof"], `--log-level cannot be "inof"; did you mean "info"?`, "run "],
    [["run", "--log-level", "z"], `--log-level cannot be "z"; it is one of debug, info`, "run "],
    [["trace", "x", "heade"], `<level> cannot be "heade"; did you mean "header"?`, "trace "],
    [["trace", "x"], "<level> is missing: How much", "trace "],
    [
      ["config", "show", "json"],
      `"config show" takes no argument, and "json" is left; did you mean --json?`,
      "config show ",
    ],
    [["status", "a", "b"], `"status" takes one argument, and "b" is left`, "status "],
  ];
  for (const [words, message, command] of cases) {
    const { code, err } = await call(...words);
    const lines = err.split("\n");
    assertEquals(lines, [`busbar: ${message}`, `See \`busbar ${command}--help\``]);
    assertEquals([code, called.length], [2, 0]);
  }
});

Deno.test("Help and version are answered everywhere on stdout with code 0", async () => {
  for (const words of [["--version"], ["-V"]]) {
    assertEquals(await call(...words), { code: 0, out: `busbar ${VERSION}`, err: "" });
  }
  for (const words of [["--help"], ["-h"], ["help"]]) {
    const { code, out } = await call(...words);
    assert(code === 0 && out.includes("Usage: busbar [command]") && out.includes("config ..."));
  }
  for (const words of [["config", "--help"], ["help", "config"], ["--help", "config"]]) {
    const { code, out } = await call(...words);
    assert(code === 0 && out.includes("config sample") && !out.includes("trace"), out);
  }
  for (const words of [["run", "-c", "x", "-h"], ["help", "run"], ["run", "--help"]]) {
    const { code, out } = await call(...words);
    assert(code === 0 && called.length === 0);
    for (
      const part of ["-c, --config_path FILE", "--[no-]goose-bridge", "debug, info", "-h, --help"]
    ) {
      assert(out.includes(part), `${part} is not in ${out}`);
    }
  }
  // Help is shown even where the words would not pass.
  assert((await call("trace", "--help")).out.startsWith("Usage: busbar trace <id> <level>"));
});

Deno.test("Group without a command shows its commands on stderr with code 2", async () => {
  const { code, out, err } = await call("config");
  assertEquals([code, out], [2, ""]);
  assert(err.includes("config sample") && err.includes("config show"));
});

Deno.test("Error of a command becomes one line and the exit code of its family", async () => {
  const failures: [unknown, number][] = [
    [new ConfigError("a.b", "Bad file"), 2],
    [new OsError("a.b", "Cannot open"), 1],
    [new BugError("a.b", "Never"), 70],
    [new TypeError("x is not a function"), 70],
  ];
  for (const [error, expected] of failures) {
    const { terminal, err } = createScreen();
    const commands = [command("run", { run: () => Promise.reject(error) })];
    assertEquals(await runCli([], commands, terminal, new AbortController().signal), expected);
    assertEquals(err.length, expected === 70 ? 2 : 1);
    assert(err[0]!.startsWith("busbar: "));
  }
});

Deno.test("First page of the real table fits one screen, and every group has its sentence", async () => {
  const { terminal, out } = createScreen();
  assertEquals(await runCli(["--help"], COMMANDS, terminal, new AbortController().signal), 0);
  assert(out.length <= 24, `${out.length} lines`);
  for (const line of out) assert(widthOf(line) <= 80, line);
  const sectioned = SECTIONS.flatMap(({ words }) => words);
  for (const word of nextWords("", COMMANDS)) {
    assert(sectioned.includes(word), `${word} stands in no section`);
    if (nextWords(word, COMMANDS).length > 0) assert(word in GROUP_SUMMARIES, word);
  }
});

Deno.test("Real table declares nothing twice", async () => {
  const names = COMMANDS.map(({ name }) => name);
  assertEquals(names.length, new Set(names).size);
  for (const { name, options, args, summary } of COMMANDS) {
    const forms = options.flatMap(({ name, short }) => [name.replaceAll("-", "_"), short ?? name]);
    const long = options.map((option) => option.name.replaceAll("-", "_"));
    const shorts = options.flatMap(({ short }) => short ?? []);
    assertEquals(long.length, new Set(long).size, name);
    assertEquals(shorts.length, new Set(shorts).size, name);
    assert(!forms.includes("help") && !forms.includes("h"), `${name} takes help for itself`);
    assert(!summary.endsWith("."), `${name}: a summary has no full stop`);
    for (const { many } of args.slice(0, -1)) {
      assert(many !== true, `${name}: only the last is many`);
    }
    const { terminal, out } = createScreen();
    await runCli([...name.split(" "), "--help"], COMMANDS, terminal, new AbortController().signal);
    assert(out.length > 0 && out[0]!.startsWith(`Usage: busbar ${name}`), name);
  }
});
