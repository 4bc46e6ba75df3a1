/**
 * The last resort for an error that nobody caught, which is always a bug of ours: it is told, with
 * its stack, and the process ends with 70, so that the service manager starts a sound one.
 * @module
 */
import { describe } from "../base/errors.ts";

/** What is done with such an error; a command that has a log names its own way. It must not throw. */
export const onPanic: { handle(error: unknown): void } = {
  handle(error) {
    const stack = error instanceof Error && error.stack ? `\n${error.stack}` : "";
    Deno.stderr.writeSync(new TextEncoder().encode(`busbar: ${describe(error)}${stack}\n`));
  },
};
