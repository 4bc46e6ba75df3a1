/** `busbar pile convert`: carries a JSON message of CIP-22 to another version, offline. */
import { ConfigError, describe, OsError } from "../../base/errors.ts";
import { SYSTEM_FILES } from "../../platform/files.ts";
import { convert, type ExtensionMap, extensionMap } from "../../protocol/cip22/mod.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";

const NAME = "pile convert";

/** The command. */
export const pileConvertCommand: Command = {
  name: NAME,
  summary: "Carries a JSON message to another version",
  details:
    "Reads one message from FILE or, without one or with -, from stdin; writes the new one to " +
    "stdout, and to stderr the fields that the version cannot carry and what seemed odd.\n\n" +
    "Extensions of version 2.0 are tried by their JSON Schemas, of 2020-12 or draft 7; those " +
    "that busbar does not know itself need --schema.\n\n" +
    "Exit code 1 when the message is wrong, or lacks what the version requires.",
  options: [
    { name: "to", value: "VERSION", choices: ["1.2", "2.0"], summary: "What it is to be" },
    { name: "from", value: "VERSION", summary: "What it is (default: what it looks like)" },
    { name: "schema", value: "NAME=FILE", many: true, summary: "JSON Schema of an extension" },
  ],
  args: [{ name: "file", summary: "The message, - for stdin", optional: true }],
  examples: [
    "busbar pile convert --to 1.2 auth.json",
    "busbar pile convert --to 2.0 --from 1.2 --schema meter=meter.json - < message.json",
  ],
  run,
};

async function run(call: Invocation): Promise<number> {
  const given = new Arguments(NAME, call);
  const to = given.required("to") as "1.2" | "2.0";
  const extensions = await extensionsOf(given);
  const result = convert(await message(call.args[0] ?? "-"), given.text("from"), to, extensions);
  const { terminal } = call;
  if ("fault" in result) {
    terminal.err(`busbar: ${result.fault}`);
    return EXIT.failed;
  }
  terminal.out(result.text);
  for (const name of result.lost) terminal.err(`lost: ${JSON.stringify(name).slice(1, -1)}`);
  for (const warning of result.warnings) terminal.err(`warning: ${warning}`);
  return EXIT.ok;
}

async function extensionsOf(given: Arguments): Promise<ExtensionMap> {
  const own = new Map<string, unknown>();
  for (const word of (given.call.options.schema ?? []) as readonly string[]) {
    const [, name, file] = /^([^=]+)=(.+)$/.exec(word) ??
      given.fail(`--schema must be NAME=FILE, not "${word}"`);
    if (own.has(name!)) given.fail(`--schema names ${name} twice`);
    own.set(name!, await schemaOf(file!));
  }
  const extensions = extensionMap(own);
  if ("fault" in extensions) throw new ConfigError("cip22.schema", extensions.fault);
  return extensions;
}

async function schemaOf(file: string): Promise<unknown> {
  const text = await SYSTEM_FILES.read(file);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigError("cip22.schema", `${file} is no JSON: ${error.message}`);
  }
}

async function message(file: string): Promise<string> {
  if (file !== "-") return await SYSTEM_FILES.read(file);
  try {
    return await new Response(Deno.stdin.readable).text();
  } catch (error) {
    throw new OsError("os.stdin", `Cannot read stdin: ${describe(error)}`, {}, { cause: error });
  }
}
