/**
 * The one table of subcommands. What is not in it does not exist: help, did-you-mean and shell
 * completion are made from it.
 * @module
 */
import type { Command } from "./command.ts";
import { completionCommand } from "./commands/completion.ts";

/** Every subcommand, in the order in which help shows them. */
export const COMMANDS: readonly Command[] = [
  completionCommand(() => COMMANDS),
];
