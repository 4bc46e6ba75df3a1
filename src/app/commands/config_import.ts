/** `busbar config import FILE`: the configuration of a former system as ours. */
import { ConfigError } from "../../base/errors.ts";
import { readConfig } from "../../kernel/config.ts";
import { writeYaml } from "../../kernel/yaml_text.ts";
import { type Command, EXIT } from "../command.ts";
import { findConfig } from "../config_file.ts";
import { importGooseConfig, isGooseConfig } from "../legacy_goose.ts";
import { IMPORT_TOKEN, importRelayConfig, isRelayConfig } from "../legacy_relay.ts";
import { MODULES } from "../modules.ts";
import { problemLines } from "../problems.ts";

/** Prints the same configuration in our words. */
export const configImportCommand: Command = {
  name: "config import",
  summary: "Prints the configuration of a former system as one for busbar",
  details: "Knows goose-bridge-dual.conf and the stream relay's config.yaml. What is not " +
    "carried over, and why, is told on stderr. " +
    "Exit code 2 when a value cannot be used.",
  options: [],
  args: [{ name: "file", summary: "The file of the former system" }],
  examples: ["busbar config import /etc/goose-bridge/goose-bridge-dual.conf > busbar.yaml"],
  async run({ args, terminal }) {
    const { text } = await findConfig(args[0], () => undefined);
    const read = isGooseConfig(text)
      ? importGooseConfig
      : isRelayConfig(text)
      ? importRelayConfig
      : undefined;
    if (!read) {
      throw new ConfigError(
        "config.import.unknown",
        `${args[0]} is not a file of a system that is known; known are goose-bridge-dual.conf ` +
          "and the config.yaml of the stream relay, version 4",
      );
    }
    const { config, notes, problems } = read(text);
    const yaml = writeYaml(config);
    for (const line of [...notes, ...problems]) terminal.err(line);
    terminal.raw(new TextEncoder().encode(yaml));
    // What is printed has to be good: a group or an address may still be none.
    const env = (name: string) => name === IMPORT_TOKEN ? "0123456789abcdef" : undefined;
    const reading = readConfig({ file: "result", text: yaml, modules: MODULES, env, flags: {} });
    for (const line of problemLines(reading.problems, "result")) terminal.err(line);
    return reading.config && problems.length === 0 ? EXIT.ok : EXIT.config;
  },
};
