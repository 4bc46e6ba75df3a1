/** `busbar run`: the main job, until it is told to stop. Also what `busbar` alone does. */
import { readConfig } from "../../kernel/config.ts";
import { LogHub } from "../../kernel/log.ts";
import { jsonLine } from "../../kernel/log_line.ts";
import { SystemClock } from "../../platform/clock.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { CONFIG_OPTION, findConfig } from "../config_file.ts";
import { LogOutputs } from "../log_outputs.ts";
import { MODULE_OPTIONS, moduleFlags } from "../module_flags.ts";
import { MODULES } from "../modules.ts";
import type { Node } from "../node.ts";
import { onPanic } from "../panic.ts";
import { problemLines } from "../problems.ts";
import { ServiceManager } from "../service_manager.ts";
import { startSystemNode } from "../system_node.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** The main job. */
export const runCommand: Command = {
  name: "run",
  summary: "Runs busbar until SIGTERM; SIGHUP reloads the file",
  details: "Without a file it runs the built-in default: the GOOSE bridge, on loopback only. " +
    "A module is on when the file has it, unless its flag says otherwise.",
  options: [
    CONFIG_OPTION,
    ...MODULE_OPTIONS,
    {
      name: "log_level",
      value: "LEVEL",
      choices: LEVELS,
      summary: "Least level that is logged, instead of the file's",
    },
  ],
  args: [],
  examples: ["busbar run --config_path /etc/busbar/busbar.yaml", "busbar --no-goose-bridge"],
  run,
};

async function run(call: Invocation): Promise<number> {
  const { options, terminal, signal } = call;
  const named = options.config_path as string | undefined;
  const level = options.log_level as (typeof LEVELS)[number] | undefined;
  const clock = new SystemClock();
  using hangUps = new HangUps();
  const read = async () => {
    const { file, text } = await findConfig(named, terminal.env);
    const flags = moduleFlags(options);
    const reading = readConfig({ file, text, modules: MODULES, env: terminal.env, flags });
    if (!reading.config || level === undefined) return { ...reading, file };
    const { config } = reading;
    return { ...reading, file, config: { ...config, log: { ...config.log, level } } };
  };
  const { config, problems, file } = await read();
  if (!config) {
    for (const line of problemLines(problems, file)) terminal.err(line);
    return EXIT.config;
  }
  const log = new LogHub(clock);
  const outputs = new LogOutputs(terminal, () => clock.epoch());
  log.configure(config.log.level, outputs.open(config.log), config.secrets);
  const kernel = log.of("kernel");
  onPanic.handle = (error) => {
    const code = "kernel.panic";
    const message = "Uncaught error; busbar ends with 70";
    const line = { at: clock.epoch(), level: "error", id: "kernel", code, message } as const;
    terminal.out(jsonLine({ ...line, fields: { error } }, (text) => text));
  };
  for (const line of problemLines(problems, file)) kernel.warn("config.warning", line);
  using manager = new ServiceManager({
    env: terminal.env,
    pid: Deno.pid,
    clock,
    log: kernel,
  });
  try {
    await using system = await startSystemNode({ config, log, outputs, read, clock });
    return await live(system.node, manager, hangUps, signal);
  } finally {
    log.flush();
    await outputs.flushed();
  }
}

/** SIGHUP from the first moment on: one that comes before there is something to reload is kept. */
class HangUps implements Disposable {
  #pending = false;
  #handler: (() => void) | undefined;
  readonly #listener = () => {
    if (this.#handler) this.#handler();
    else this.#pending = true;
  };

  constructor() {
    Deno.addSignalListener("SIGHUP", this.#listener);
  }

  handle(handler: () => void): void {
    this.#handler = handler;
    if (this.#pending) handler();
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGHUP", this.#listener);
  }
}

/** From ready to the end. */
async function live(
  node: Node,
  manager: ServiceManager,
  hangUps: HangUps,
  signal: AbortSignal,
): Promise<number> {
  const { host, port } = node.control.local;
  const status = `Control port ${host}:${port}`;
  manager.ready(status);
  hangUps.handle(() => {
    manager.reloading();
    void node.reload().then(({ ok }) => {
      manager.reloaded(ok ? status : `${status}; the last reload was refused`);
    });
  });
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  manager.stopping();
  const leaked = await node.stop();
  return leaked.length === 0 ? EXIT.ok : EXIT.failed;
}
