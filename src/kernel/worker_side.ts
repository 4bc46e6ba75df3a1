/**
 * The worker's end of {@link runInWorker}: takes the one message, runs the service with what it may
 * touch, and says how it ended.
 * @module
 */
import { Counters } from "../base/counters.ts";
import { imageOf } from "../base/errors.ts";
import type { LogLine } from "../base/log.ts";
import type { HotPlatform } from "../platform/hot.ts";
import { LogFolder } from "./log_fold.ts";
import { logTo } from "./log.ts";
import { Mailbox } from "./mailbox.ts";
import type { Health, HotContext, HotRun, TraceDepth } from "./module.ts";
import { Orders } from "./orders.ts";
import type { FromWorker, ToWorker } from "./worker_host.ts";

/** Lines that were held back are looked after every 8 turns of the loop. */
const FLUSH_MASK = 7;

/** What the thread offers to the service. */
export interface WorkerSide {
  readonly platform: HotPlatform;
  /** The kernel's number of this thread. */
  readonly thread: number;
  send(message: FromWorker): void;
}

/**
 * Runs one service from the message to its end.
 *
 * @param find The run function of a module, by name.
 */
export async function serve(
  message: ToWorker,
  orders: Orders,
  side: WorkerSide,
  find: (module: string) => HotRun<never> | undefined,
): Promise<void> {
  const { platform, send } = side;
  orders.thread = side.thread;
  const pass = (line: LogLine) => {
    // What cannot be copied to another thread was not meant for it; the message still counts.
    const fields = JSON.parse(JSON.stringify(line.fields, imageErrors)) as LogLine["fields"];
    send({ kind: "log", line: { ...line, fields } });
  };
  const folder = new LogFolder(pass);
  try {
    const log = logTo(message.id, () => Math.floor(platform.epochMicros() / 1000), pass);
    log.info("worker.started", "Worker has started", { thread: side.thread });
    const run = find(message.module);
    if (!run) throw new Error(`Module ${message.module} does not run in a worker`);
    const context = contextOf(message, orders, platform, send, folder);
    await run(context, message.config as never);
    folder.flushAll();
    send({ kind: "ended", error: undefined });
  } catch (error) {
    folder.flushAll();
    send({ kind: "ended", error: imageOf(error) });
  }
}

function imageErrors(_key: string, value: unknown): unknown {
  if (value instanceof Error) return imageOf(value);
  return typeof value === "bigint" ? String(value) : value;
}

function contextOf(
  message: ToWorker,
  orders: Orders,
  platform: HotPlatform,
  send: (message: FromWorker) => void,
  folder: LogFolder,
): HotContext {
  const epoch = () => Math.floor(platform.epochMicros() / 1000);
  const mail = new Mailbox(message.mail);
  let told: string | undefined;
  let turns = 0;
  return {
    id: message.id,
    counters: new Counters(message.counterNames, message.counters),
    platform,
    log: logTo(message.id, epoch, (line) => folder.add(line, platform.now())),
    report(health: Health, why?: string) {
      const now = `${health} ${why ?? ""}`;
      if (now !== told) send({ kind: "report", health, why });
      told = now;
    },
    nudges: () => orders.nudges,
    publish: (samples) => send({ kind: "points", samples }),
    detail: (facts) => send({ kind: "detail", facts }),
    bell: { fd: message.bell },
    receive: () => mail.receive(),
    tell: (message) => send({ kind: "message", message }),
    trace: () => orders.trace as TraceDepth,
    stopped() {
      orders.beat();
      // Reading the clock costs as much as a small system call, and this is asked in every turn.
      turns = (turns + 1) & FLUSH_MASK;
      if (turns === 0) folder.flush(platform.now());
      return orders.stop;
    },
  };
}
