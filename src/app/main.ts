/**
 * The program: signals, the last resort for what nobody caught, and the command line.
 * @module
 */
import { runCli } from "./cli.ts";
import { EXIT } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { onPanic } from "./panic.ts";
import { createTerminal, PROCESS } from "./terminal.ts";

/** Added to the number of a signal that ends the process at once, as shells do. */
const SIGNAL_EXIT = 128;
/** Signals this close together are one request. */
const ONCE_MS = 1000;
const STOP_SIGNALS = [["SIGINT", 2], ["SIGTERM", 15]] as const;

/**
 * Runs one command line to its end.
 *
 * @returns The exit code.
 */
export async function main(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const terminal = createTerminal(PROCESS, () => stop.abort());
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    onPanic.handle(event.reason);
    Deno.exit(EXIT.bug);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    onPanic.handle(event.error);
    Deno.exit(EXIT.bug);
  });
  let askedAt: number | undefined;
  for (const [signal, number] of STOP_SIGNALS) {
    Deno.addSignalListener(signal, () => {
      const now = performance.now();
      askedAt ??= now;
      // Whoever asks a second time does not want to wait. But a shell and a task runner in between
      // send the same Ctrl-C more than once.
      if (now - askedAt > ONCE_MS) Deno.exit(SIGNAL_EXIT + number);
      stop.abort();
    });
  }
  return await runCli(args, COMMANDS, terminal, stop.signal);
}
