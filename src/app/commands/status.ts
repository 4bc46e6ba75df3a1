/** `busbar status`, `busbar reload`, `busbar trace`: what the running busbar can be asked. */
import { describe, LinkDownError } from "../../base/errors.ts";
import { formatSpan, millis, parseSpan, seconds } from "../../base/time.ts";
import type { Json } from "../../kernel/registry.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { ControlClient, controlTarget, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation, type Terminal } from "../command.ts";
import { TRACE_LEVELS } from "../services.ts";
import { cutTo, table, widthOf, wrap } from "../table.ts";
import { UsageError } from "../usage.ts";

const ESCAPE = "\x1b[";
const COLOR_OF: Readonly<Record<string, string>> = {
  up: `${ESCAPE}32m`,
  degraded: `${ESCAPE}33m`,
  starting: `${ESCAPE}33m`,
  waiting: `${ESCAPE}31m`,
  refused: `${ESCAPE}31m`,
  leaked: `${ESCAPE}31m`,
  down: `${ESCAPE}31m`,
};
const PLAIN = `${ESCAPE}0m`;
const REPAINT = `${ESCAPE}H`;
const CLEAR = `${ESCAPE}2J`;
const CLEAR_LINE = `${ESCAPE}K`;
const CLEAR_BELOW = `${ESCAPE}J`;
const WATCH_DEFAULT = seconds(2);
const WATCH_MIN = millis(200);

/** One service in the answer, as far as it is shown here. */
interface Shown {
  readonly state: string;
  readonly "since_s": number;
  readonly restarts: number;
  readonly why?: string;
  readonly counters: Readonly<Record<string, number>>;
}

/** How everything fares. */
export const statusCommand: Command = {
  name: "status",
  summary: "Shows how every service fares",
  details: "Exit code 0 when all is up or degraded, 1 when a service is down or nothing answers.",
  options: [
    { name: "json", summary: "Prints the document as it is" },
    {
      name: "watch",
      short: "w",
      value: "[SPAN]",
      summary: "Shows it again every 2s, or --watch=SPAN, until Ctrl-C",
    },
    ...TARGET_OPTIONS,
  ],
  args: [{ name: "id", summary: "One service, such as goose_bridge.path0", optional: true }],
  examples: ["busbar status", "busbar status --watch=500ms", "busbar status --json | jq .health"],
  run: status,
};

/** The configuration, read anew. */
export const reloadCommand: Command = {
  name: "reload",
  summary: "Reads the configuration anew; restarts what changed",
  details: "With any problem the old configuration stays, the problems are shown, and the exit " +
    "code is 2.",
  options: TARGET_OPTIONS,
  args: [],
  async run(call) {
    const client = new ControlClient(await controlTarget(call));
    const { ok, problems } = await client.post("/reload") as { ok: boolean; problems: string[] };
    for (const line of problems) call.terminal.err(line);
    call.terminal.out(ok ? "Configuration was loaded" : "Configuration was refused; the old stays");
    return ok ? EXIT.ok : EXIT.config;
  },
};

/** Frames, written to the log. */
export const traceCommand: Command = {
  name: "trace",
  summary: "Sets how much of a service's frames is logged",
  options: TARGET_OPTIONS,
  args: [
    { name: "id", summary: "The service, such as goose_bridge.path0" },
    { name: "level", summary: "How much", choices: TRACE_LEVELS },
  ],
  examples: ["busbar trace goose_bridge.path0 header", "busbar trace goose_bridge.path0 none"],
  async run(call) {
    const client = new ControlClient(await controlTarget(call));
    const [id, level] = call.args as [string, string];
    const answer = await client.post("/trace", { id, level }) as { error?: string };
    if (answer.error !== undefined) {
      call.terminal.err(`busbar: ${answer.error}`);
      return EXIT.failed;
    }
    call.terminal.out(`Trace level of ${id} is ${level}`);
    return EXIT.ok;
  },
};

async function status(call: Invocation): Promise<number> {
  const { options, args, terminal, signal } = call;
  const client = new ControlClient(await controlTarget(call));
  const path = args[0] === undefined ? "/status" : `/status?id=${encodeURIComponent(args[0])}`;
  const every = interval(options.watch);
  if (every === undefined) return await showOnce(client, path, call);
  const clock = new SystemClock();
  let code: number = EXIT.ok;
  if (terminal.interactive) write(terminal, CLEAR);
  while (!signal.aborted) {
    code = await showOnce(client, path, call, terminal.interactive);
    await pause(clock, every, signal);
  }
  return code;
}

function interval(watch: Invocation["options"][string]) {
  if (watch === undefined || watch === false) return undefined;
  if (watch === true) return WATCH_DEFAULT;
  const span = parseSpan(String(watch));
  if (span === undefined || span < WATCH_MIN) {
    throw new UsageError(
      `--watch must be a time of at least 200ms, such as 2s (is ${watch})`,
      "status",
    );
  }
  return span;
}

/** Asks and shows. While watching, a busbar that is away is shown as that, and asked again. */
async function showOnce(
  client: ControlClient,
  path: string,
  call: Invocation,
  inPlace = false,
): Promise<number> {
  const { terminal, options, args } = call;
  const watching = options.watch !== undefined && options.watch !== false;
  let lines: readonly string[];
  let code: number;
  try {
    const { status, body } = await client.request("GET", path);
    code = status === 200 ? EXIT.ok : EXIT.failed;
    if (status >= 400 && status !== 503) {
      terminal.err(`busbar: ${(body as { error?: string }).error ?? `the answer was ${status}`}`);
      return code;
    }
    lines = options.json === true
      ? [JSON.stringify(body, null, watching ? undefined : 2)]
      : args[0] === undefined
      ? overview(body, terminal)
      : details(args[0], body as unknown as Shown & { detail?: Json }, terminal);
  } catch (error) {
    if (!watching || !(error instanceof LinkDownError)) throw error;
    lines = [describe(error)];
    code = EXIT.failed;
  }
  if (!inPlace) {
    for (const line of lines) terminal.out(line);
  } else {
    const text = lines.map((line) => `${line}${CLEAR_LINE}`).join("\n");
    write(terminal, `${REPAINT}${text}\n${CLEAR_BELOW}`);
  }
  return code;
}

function write(terminal: Terminal, text: string): void {
  terminal.raw(new TextEncoder().encode(text));
}

/** The document as a heading and a table. */
export function overview(document: Json, terminal: Terminal): string[] {
  const { status, health, version, uptime_s: uptime, services } = document as unknown as {
    status: string;
    health: string;
    version: string;
    ["uptime_s"]: number;
    services: Readonly<Record<string, Shown>>;
  };
  const head = `busbar ${version}: ${status}, ${paint(health, health, terminal)}, ` +
    `for ${formatSpan(seconds(uptime))}`;
  const rows = Object.entries(services);
  if (rows.length === 0) return [head, "No service is configured"];
  const columns = [
    { title: "SERVICE" },
    { title: "STATE" },
    { title: "SINCE", align: "right" },
    { title: "RESTARTS", align: "right" },
    { title: "IN", align: "right" },
    { title: "OUT", align: "right" },
    { title: "DROPPED", align: "right" },
  ] as const;
  const lines = table(
    columns,
    rows.map(([id, { state, since_s: since, restarts, counters }]) => [
      id,
      state,
      formatSpan(seconds(since)),
      String(restarts),
      count(counters.frames_in),
      count(counters.frames_out),
      count(counters.dropped),
    ]),
    terminal.columns,
  );
  // Reasons hold remedies, which must not be cut.
  const reasons = rows.flatMap(([id, { why }]) =>
    why === undefined ? [] : wrap(`${id}: ${why}`, terminal.columns)
  );
  return [
    head,
    ...lines.map((line, index) => {
      const state = rows[index - 1]?.[1].state;
      return state === undefined
        ? line
        : line.replace(` ${state}`, ` ${paint(state, state, terminal)}`);
    }),
    ...reasons,
  ];
}

function details(id: string, service: Shown & { detail?: Json }, terminal: Terminal): string[] {
  const { state, since_s: since, restarts, why, counters, detail } = service;
  const pairs: [string, string][] = [
    ["state", paint(state, state, terminal)],
    ["since", formatSpan(seconds(since))],
    ["restarts", String(restarts)],
    ...(why === undefined ? [] : [["why", why] as [string, string]]),
    ...Object.entries(counters).map(([name, value]): [string, string] => [name, count(value)]),
    ...flatten(detail ?? {}, ""),
  ];
  const width = Math.max(...pairs.map(([name]) => widthOf(name)));
  return [id, ...pairs.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)]
    .map((line) => line.includes(ESCAPE) ? line : cutTo(line, Math.max(terminal.columns, 40)));
}

function flatten(value: Json, path: string): [string, string][] {
  if (typeof value !== "object" || value === null) return [[path, String(value)]];
  return Object.entries(value).flatMap(([key, item]) =>
    flatten(item ?? null, path === "" ? key : `${path}.${key}`)
  );
}

function count(value: number | undefined): string {
  return String(value ?? 0);
}

function paint(text: string, state: string, terminal: Terminal): string {
  const color = COLOR_OF[state];
  return terminal.colour && color !== undefined ? `${color}${text}${PLAIN}` : text;
}
