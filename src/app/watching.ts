/** Commands that show something of the running busbar, once or again and again. */
import { describe, LinkDownError } from "../base/errors.ts";
import { millis, seconds } from "../base/time.ts";
import { pause, SystemClock } from "../platform/clock.ts";
import { Arguments } from "./arguments.ts";
import { ControlClient, controlTarget } from "./client.ts";
import { EXIT, type Invocation, type Option } from "./command.ts";

const WATCH_DEFAULT = seconds(2);
const WATCH_MIN = millis(200);
const REPAINT = "\x1b[H\x1b[2J";

/** `--watch`. */
export const WATCH_OPTION: Option = {
  name: "watch",
  short: "w",
  value: "[SPAN]",
  summary: "Shows them again every 2s, or --watch=SPAN, until Ctrl-C",
};

/**
 * Shows once, or with `--watch` until it is interrupted; then a busbar that is away is shown as
 * that.
 * @param name Of the command, for what is wrong with its options.
 */
export async function showOrWatch(
  name: string,
  call: Invocation,
  show: (client: ControlClient, call: Invocation) => Promise<number>,
): Promise<number> {
  const { options, terminal, signal } = call;
  const client = new ControlClient(await controlTarget(call));
  if (options.watch === undefined || options.watch === false) return await show(client, call);
  const asked = options.watch === true ? WATCH_DEFAULT : new Arguments(name, call).span("watch");
  const every = millis(Math.max(WATCH_MIN, asked ?? WATCH_DEFAULT));
  const clock = new SystemClock();
  let code: number = EXIT.ok;
  while (!signal.aborted) {
    if (terminal.interactive) terminal.raw(new TextEncoder().encode(REPAINT));
    try {
      code = await show(client, call);
    } catch (error) {
      if (!(error instanceof LinkDownError)) throw error;
      terminal.out(describe(error));
      code = EXIT.failed;
    }
    await pause(clock, every, signal);
  }
  return code;
}
