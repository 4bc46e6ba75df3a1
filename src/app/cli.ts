/**
 * From the words of a command line to an exit code: finds the command, checks the words against its
 * declaration, shows help where it was asked for, and turns what a command throws into one line.
 * @module
 */
import { AppError, BugError, ConfigError, describe } from "../base/errors.ts";
import { type Command, EXIT, type Terminal } from "./command.ts";
import { commandHelp, firstPage, groupHelp } from "./help.ts";
import { chooseCommand, parseCall, UsageError } from "./usage.ts";
import { VERSION } from "./version.ts";

/** What `busbar` without a command does. */
const DEFAULT_COMMAND = "run";
const HELP_WORDS = new Set(["--help", "-h", "help"]);
const VERSION_WORDS = new Set(["--version", "-V"]);

/**
 * Runs one command line.
 *
 * @param args The words behind the program's name.
 * @param commands The table; names are unique.
 * @param signal Aborts on SIGINT and SIGTERM.
 * @returns The exit code. It never throws.
 */
export async function runCli(
  args: readonly string[],
  commands: readonly Command[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  try {
    return await dispatch(args, commands, terminal, signal);
  } catch (error) {
    return tell(error, terminal);
  }
}

async function dispatch(
  args: readonly string[],
  commands: readonly Command[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const first = args[0];
  if (first !== undefined && VERSION_WORDS.has(first)) {
    terminal.out(`busbar ${VERSION}`);
    return EXIT.ok;
  }
  if (first !== undefined && HELP_WORDS.has(first)) {
    return help(args.slice(1), commands, terminal);
  }
  // Options without a command are those of `run`: the program was once started that way only.
  const bare = first === undefined || first.startsWith("-");
  const { command, name, rest } = chooseCommand(bare ? [DEFAULT_COMMAND, ...args] : args, commands);
  if (command === undefined) {
    const asked = rest.some((word) => HELP_WORDS.has(word));
    if (!asked && rest.length > 0) {
      throw new UsageError(`Unknown option ${rest[0]}: name a command first`, name);
    }
    print(groupHelp(name, commands, terminal.columns), asked ? terminal.out : terminal.err);
    return asked ? EXIT.ok : EXIT.config;
  }
  const { options, args: values, help: asked } = parseCall(command, rest);
  if (asked) {
    print(commandHelp(command, commands, terminal.columns), terminal.out);
    return EXIT.ok;
  }
  return await command.run({ options, args: values, terminal, signal });
}

/** `busbar --help`, `busbar help goose send`, `busbar --help goose`. */
function help(words: readonly string[], commands: readonly Command[], terminal: Terminal): number {
  const { command, name } = chooseCommand(words, commands);
  if (command !== undefined) print(commandHelp(command, commands, terminal.columns), terminal.out);
  else if (name !== "") print(groupHelp(name, commands, terminal.columns), terminal.out);
  else print(firstPage(commands, terminal.columns), terminal.out);
  return EXIT.ok;
}

function print(lines: readonly string[], write: (line: string) => void): void {
  for (const line of lines) write(line);
}

/** One line for what was thrown, and the exit code that belongs to it. A bug shows its stack. */
function tell(error: unknown, terminal: Terminal): number {
  if (error instanceof UsageError) {
    terminal.err(`busbar: ${error.message}`);
    terminal.err(`See \`busbar ${error.command === "" ? "" : `${error.command} `}--help\``);
    return EXIT.config;
  }
  if (error instanceof AppError && !(error instanceof BugError)) {
    terminal.err(`busbar: ${describe(error)}`);
    return error instanceof ConfigError ? EXIT.config : EXIT.failed;
  }
  terminal.err(`busbar: ${describe(error)}`);
  if (error instanceof Error && error.stack !== undefined) terminal.err(error.stack);
  return EXIT.bug;
}
