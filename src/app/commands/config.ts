/** `busbar check` and `busbar config …`: everything about the configuration that needs no busbar running. */
import { ConfigError } from "../../base/errors.ts";
import { type ConfigReading, type ConfigSource, readConfig } from "../../kernel/config.ts";
import { configSchema, effectiveConfig, sampleYaml } from "../../kernel/reference.ts";
import { writeYaml } from "../../kernel/yaml_text.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import { CONFIG_OPTION, findConfig } from "../config_file.ts";
import { languageOf } from "../locale.ts";
import { MODULE_OPTIONS, moduleFlags } from "../module_flags.ts";
import { MODULES } from "../modules.ts";
import { problemLines } from "../problems.ts";
import { editConfig } from "./config_edit.ts";

const JSON_OPTION: Option = { name: "json", summary: "Prints JSON" };

const WORDS = {
  en: { testing: "Testing the configuration file...", good: "The configuration file is good" },
  zh: { testing: "测试配置文件语法...", good: "配置文件语法正确" },
} as const;

interface Read {
  readonly source: ConfigSource;
  readonly reading: ConfigReading;
}

async function read({ options, terminal }: Invocation): Promise<Read> {
  const named = options.config_path as string | undefined;
  const { file, text } = await findConfig(named, terminal.env);
  const flags = moduleFlags(options);
  const source = { file, text, modules: MODULES, env: terminal.env, flags };
  return { source, reading: readConfig(source) };
}

const checkCommand: Command = {
  name: "check",
  summary: "Checks the configuration; shows every problem",
  details:
    "Exit code 0 when it is valid, 2 when it is not. Checks what two services cannot share, " +
    "too: ports, interfaces, devices.",
  options: [CONFIG_OPTION, JSON_OPTION, ...MODULE_OPTIONS],
  args: [],
  examples: ["busbar check --config_path /etc/busbar/busbar.yaml"],
  async run(call) {
    const { source, reading } = await read(call);
    const { config, problems } = reading;
    const { terminal, options } = call;
    if (options.json === true) {
      const services = config?.services.map(({ id }) => id) ?? [];
      const { file } = source;
      const document = { file, valid: config !== undefined, services, problems };
      terminal.out(JSON.stringify(document, null, 2));
    } else {
      for (const line of problemLines(problems, source.file)) terminal.err(line);
      if (config) {
        const ids = config.services.map(({ id }) => id);
        terminal.out(
          `${source.file} is valid: ${ids.length === 0 ? "no services" : ids.join(", ")}`,
        );
      }
    }
    return config ? EXIT.ok : EXIT.config;
  },
};

const sampleCommand: Command = {
  name: "config sample",
  summary: "Prints a configuration with every key, its comment and its default",
  options: [],
  args: [],
  examples: ["busbar config sample > busbar.yaml"],
  run({ terminal }) {
    terminal.raw(new TextEncoder().encode(sampleYaml(MODULES)));
    return Promise.resolve(EXIT.ok);
  },
};

const schemaCommand: Command = {
  name: "config schema",
  summary: "Prints the JSON Schema (2020-12) of the configuration, for editors",
  options: [],
  args: [],
  examples: ["busbar config schema > busbar.schema.json"],
  run({ terminal }) {
    terminal.out(JSON.stringify(configSchema(MODULES), null, 2));
    return Promise.resolve(EXIT.ok);
  },
};

const showCommand: Command = {
  name: "config show",
  summary: "Prints the configuration as it works: defaults filled in, secrets hidden",
  options: [CONFIG_OPTION, JSON_OPTION, ...MODULE_OPTIONS],
  args: [],
  async run(call) {
    const { source, reading } = await read(call);
    const { terminal, options } = call;
    for (const line of problemLines(reading.problems, source.file)) terminal.err(line);
    if (!reading.config) return EXIT.config;
    const value = effectiveConfig(source);
    if (options.json === true) terminal.out(JSON.stringify(value, null, 2));
    else {
      terminal.out(`# ${source.file}`);
      terminal.raw(new TextEncoder().encode(writeYaml(value)));
    }
    return EXIT.ok;
  },
};

const testCommand: Command = {
  name: "config test",
  summary: "Checks the configuration as the former tool did; in Chinese when LANG is zh",
  options: [CONFIG_OPTION, ...MODULE_OPTIONS],
  args: [],
  async run(call) {
    const { terminal } = call;
    const words = WORDS[languageOf(terminal.env)];
    terminal.out(words.testing);
    const { source, reading } = await read(call);
    for (const line of problemLines(reading.problems, source.file)) terminal.err(line);
    if (reading.config) terminal.out(words.good);
    return reading.config ? EXIT.ok : EXIT.config;
  },
};

const editCommand: Command = {
  name: "config edit",
  summary: "Opens the configuration in $VISUAL or $EDITOR; saves it only when it is valid",
  options: [CONFIG_OPTION],
  args: [],
  async run(call) {
    const { terminal, options } = call;
    const named = options.config_path as string | undefined;
    const found = await findConfig(named, terminal.env);
    if (found.builtin) {
      throw new ConfigError(
        "config.edit.builtin",
        "There is no file yet; `busbar config sample > busbar.yaml` makes one",
      );
    }
    const check = (text: string) => {
      const source = { file: found.file, text, modules: MODULES, env: terminal.env, flags: {} };
      const { config, problems } = readConfig(source);
      return { valid: config !== undefined, lines: problemLines(problems, found.file) };
    };
    return await editConfig(found.file, found.text, check, terminal);
  },
};

/** Everything about the configuration. */
export const configCommands: readonly Command[] = [
  checkCommand,
  sampleCommand,
  schemaCommand,
  showCommand,
  testCommand,
  editCommand,
];
