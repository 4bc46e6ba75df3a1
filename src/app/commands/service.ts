/**
 * `busbar service …`: busbar as a systemd service. Installing writes the unit, and the default
 * configuration where there is none; the rest is what systemctl and journalctl do, under one name.
 * @module
 */
import { AppError } from "../../base/errors.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import { DEFAULT_CONFIG } from "../config_file.ts";
import {
  SERVICE_CONFIG_PATH,
  SERVICE_ENVIRONMENT_PATH,
  UNIT,
  UNIT_PATH,
  unitText,
  unusable,
} from "../service_unit.ts";

/** The part of the system that the commands act on. */
export interface ServiceManager {
  /** Whether systemd runs this machine. */
  present(): boolean;
  /** Runs a program on the caller's terminal until it ends or `signal` aborts. @returns Its code. */
  run(command: string, args: readonly string[], signal: AbortSignal): Promise<number>;
}

const ROOT: Option = {
  name: "root",
  value: "DIR",
  complete: "folder",
  summary: "Act on the files below this folder, and leave the running system alone",
};

const LINES_DEFAULT = "100";

/** The real system. */
export const SYSTEMD: ServiceManager = {
  // The documented test, sd_booted(3).
  present: () => statMaybe("/run/systemd/system")?.isDirectory === true,
  run: async (command, args, signal) => {
    try {
      const child = new Deno.Command(command, { args: [...args], stdin: "null" }).spawn();
      const stop = () => child.kill("SIGTERM");
      signal.addEventListener("abort", stop, { once: true });
      const { code } = await child.status;
      signal.removeEventListener("abort", stop);
      return signal.aborted ? EXIT.ok : code;
    } catch (error) {
      throw new AppError("service.command", `Cannot run ${command}`, {}, { cause: error });
    }
  },
};

/** The commands, acting on a system. */
export function serviceCommandsOn(system: ServiceManager): Command[] {
  return [
    installCommand(system),
    uninstallCommand(system),
    verb(system, "start", "Start the service now", "Started"),
    verb(system, "stop", "Stop the service now", "Stopped"),
    verb(system, "restart", "Stop the service and start it again", "Restarted"),
    verb(system, "enable", "Start the service at every boot", "Enabled"),
    verb(system, "disable", "No longer start the service at boot", "Disabled"),
    statusCommand(system),
    logsCommand(system),
  ];
}

/** The commands of this machine. */
export const serviceCommands: Command[] = serviceCommandsOn(SYSTEMD);

function installCommand(system: ServiceManager): Command {
  return {
    name: "service install",
    summary: "Write the systemd unit, and the default configuration where there is none",
    details:
      `Writes ${UNIT_PATH}, and ${SERVICE_CONFIG_PATH} unless it exists. The service runs as a ` +
      `user of its own with the capabilities NET_ADMIN and NET_RAW only. Secrets that the ` +
      `configuration takes from \${NAME} belong in ${SERVICE_ENVIRONMENT_PATH}, mode 600.`,
    options: [
      {
        name: "exec",
        value: "FILE",
        complete: "file",
        summary: "The executable that the service runs; the one that is running if absent",
      },
      {
        name: "config_path",
        short: "c",
        value: "FILE",
        complete: "file",
        summary: `The configuration that the service reads; ${SERVICE_CONFIG_PATH} if absent`,
      },
      { name: "print", summary: "Print the unit and write nothing" },
      { name: "now", summary: "Enable and start the service too" },
      ROOT,
    ],
    args: [],
    examples: ["busbar service install --exec /usr/local/bin/busbar --now"],
    run: (call) => reported(call, () => install(call, system)),
  };
}

async function install(call: Invocation, system: ServiceManager): Promise<number> {
  const { out } = call.terminal;
  const root = rootOf(call);
  const configPath = textOf(call, "config_path") ?? SERVICE_CONFIG_PATH;
  const executable = textOf(call, "exec") ?? ownExecutable(call);
  for (const path of [executable, configPath]) {
    const why = unusable(path);
    if (why === undefined) continue;
    const remedy = path === executable
      ? "put the file at /usr/local/bin/busbar and name it with --exec"
      : `use ${SERVICE_CONFIG_PATH}`;
    throw new AppError("service.path", `The service cannot use ${path}: ${why}; ${remedy}`);
  }
  const unit = unitText({ executable, configPath });
  if (call.options.print === true) {
    call.terminal.raw(new TextEncoder().encode(unit));
    return EXIT.ok;
  }
  if (root === "") requireSystemd(system);
  checkExecutable(`${root}${executable}`);
  if (createFile(`${root}${configPath}`, DEFAULT_CONFIG)) out(`Wrote ${root}${configPath}`);
  else out(`Kept ${root}${configPath}`);
  replaceFile(`${root}${UNIT_PATH}`, unit);
  out(`Wrote ${root}${UNIT_PATH}`);
  if (root !== "") return EXIT.ok;
  const commands = [["daemon-reload"]];
  if (call.options.now === true) commands.push(["enable", "--now", UNIT]);
  const code = await systemctl(call, system, commands);
  if (code === EXIT.ok && call.options.now !== true) {
    out("Next: busbar service enable, then busbar service start");
  }
  return code;
}

function uninstallCommand(system: ServiceManager): Command {
  return {
    name: "service uninstall",
    summary: "Stop the service and remove its unit; the configuration stays",
    options: [ROOT],
    args: [],
    run: (call) =>
      reported(call, async () => {
        const root = rootOf(call);
        const path = `${root}${UNIT_PATH}`;
        if (root === "") requireSystemd(system);
        if (statMaybe(path) === undefined) {
          call.terminal.out(`There is no ${path}`);
          return EXIT.ok;
        }
        if (root === "") {
          const code = await systemctl(call, system, [["disable", "--now", UNIT]]);
          if (code !== EXIT.ok) return code;
        }
        attempt(`Cannot remove ${path}`, () => Deno.removeSync(path));
        call.terminal.out(`Removed ${path}; ${root}${SERVICE_CONFIG_PATH} stays`);
        return root === "" ? await systemctl(call, system, [["daemon-reload"]]) : EXIT.ok;
      }),
  };
}

function verb(system: ServiceManager, word: string, summary: string, done: string): Command {
  return {
    name: `service ${word}`,
    summary,
    options: [],
    args: [],
    run: (call) =>
      reported(call, async () => {
        requireSystemd(system);
        const code = await systemctl(call, system, [[word, UNIT]]);
        if (code === EXIT.ok) call.terminal.out(`${done} ${UNIT}`);
        return code;
      }),
  };
}

function statusCommand(system: ServiceManager): Command {
  return {
    name: "service status",
    summary: "Show what systemd knows of the service; exit code 1 when it does not run",
    options: [],
    args: [],
    run: (call) =>
      reported(
        call,
        () => (requireSystemd(system), systemctl(call, system, [["status", "--no-pager", UNIT]])),
      ),
  };
}

function logsCommand(system: ServiceManager): Command {
  return {
    name: "service logs",
    summary: "Show the log of the service",
    options: [
      { name: "follow", short: "f", summary: "Go on showing lines as they come" },
      {
        name: "lines",
        short: "n",
        value: "N",
        summary: `How many lines to begin with; ${LINES_DEFAULT} if absent`,
      },
    ],
    args: [],
    examples: ["busbar service logs -f -n 20"],
    run: (call) =>
      reported(call, async () => {
        requireSystemd(system);
        const lines = textOf(call, "lines") ?? LINES_DEFAULT;
        if (!/^\d{1,9}$/.test(lines)) {
          call.terminal.err(`busbar: --lines must be a whole number, and is ${lines}`);
          return EXIT.config;
        }
        const args = ["--no-pager", "--output=cat", "-u", UNIT, "-n", lines];
        if (call.options.follow === true) args.push("--follow");
        return await system.run("journalctl", args, call.signal) === 0 ? EXIT.ok : EXIT.failed;
      }),
  };
}

/** Runs one systemctl after the other, up to the first that fails. */
async function systemctl(
  call: Invocation,
  system: ServiceManager,
  commands: readonly (readonly string[])[],
): Promise<number> {
  for (const args of commands) {
    if (await system.run("systemctl", args, call.signal) !== 0) return EXIT.failed;
  }
  return EXIT.ok;
}

function requireSystemd(system: ServiceManager): void {
  if (system.present()) return;
  throw new AppError(
    "service.no_systemd",
    "This machine is not run by systemd (there is no /run/systemd/system); have its own service " +
      `manager run busbar run --config_path ${SERVICE_CONFIG_PATH}`,
  );
}

/** The file that the user started: the pack says so itself, a compiled file is its own runtime. */
function ownExecutable(call: Invocation): string {
  const packed = call.terminal.env("BUSBAR_EXECUTABLE");
  const path = packed ?? (Deno.build.standalone ? Deno.execPath() : undefined);
  if (path === undefined) {
    throw new AppError(
      "service.executable",
      "busbar runs from source here; build it, and name the file with --exec",
    );
  }
  return attempt(`Cannot find ${path}`, () => Deno.realPathSync(path));
}

/** The service's own user must be able to read and run it: the packed file is read by a shell. */
function checkExecutable(path: string): void {
  const { isFile, mode } = attempt(`Cannot find ${path}`, () => Deno.statSync(path));
  if (isFile && ((mode ?? 0) & 0o005) === 0o005) return;
  throw new AppError(
    "service.executable",
    `${path} cannot be read and run by every user; make it so with chmod 755`,
  );
}

/** Writes a file that is not there yet. @returns Whether it was not. */
function createFile(path: string, text: string): boolean {
  if (statMaybe(path) !== undefined) return false;
  replaceFile(path, text);
  return true;
}

/** Writes a file as a whole or not at all. */
function replaceFile(path: string, text: string): void {
  attempt(`Cannot write ${path}`, () => {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o755 });
    const draft = `${path}.new`;
    Deno.writeTextFileSync(draft, text);
    Deno.chmodSync(draft, 0o644);
    Deno.renameSync(draft, path);
  });
}

function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const remedy = error instanceof Deno.errors.PermissionDenied ? "; run this as root" : "";
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError("service.file", `${what}: ${why}${remedy}`, {}, { cause: error });
  }
}

function statMaybe(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new AppError("service.file", `Cannot look at ${path}`, {}, { cause: error });
  }
}

/** Shows what the operator has to act on, and ends with code 1. Other errors are bugs: thrown on. */
async function reported(call: Invocation, action: () => Promise<number>): Promise<number> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    call.terminal.err(`busbar: ${error.message}`);
    return EXIT.failed;
  }
}

/** The staging folder, without a slash at its end; empty for the real system. */
function rootOf(call: Invocation): string {
  return (textOf(call, "root") ?? "").replace(/\/+$/, "");
}

function textOf(call: Invocation, name: string): string | undefined {
  const value = call.options[name];
  return typeof value === "string" ? value : undefined;
}
