/** `busbar points …`: the points of the running busbar. */
import { describe, LinkDownError } from "../../base/errors.ts";
import { millis } from "../../base/time.ts";
import type { JsonObject } from "../../kernel/registry.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { QUALITY } from "../../points/points.ts";
import { Arguments } from "../arguments.ts";
import { ControlClient, controlTarget, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { OUTCOMES, timeText, valueOf } from "../point_words.ts";
import { table } from "../table.ts";

const EVERY_DEFAULT = millis(1000);
const EVERY_MIN = millis(100);
/** Longer than a command may take. */
const PATIENCE_MS = 20_000;

/** One point, as the control port tells it. */
interface Shown {
  readonly point: string;
  readonly value: number | boolean | string | null;
  readonly quality: number;
  readonly at: number | null;
  readonly unit?: string;
  readonly description?: string;
}

const PREFIX = { name: "prefix", summary: "How their names begin", optional: true } as const;

/** `busbar points list`. */
export const pointListCommand: Command = {
  name: "points list",
  summary: "Shows the last value of every point",
  details: "QUALITY says why a value is not plainly good: stale, invalid, substituted, overflow, " +
    "blocked.",
  options: [{ name: "json", summary: "One JSON object for each point" }, ...TARGET_OPTIONS],
  args: [PREFIX],
  examples: ["busbar points list gz_01.yc"],
  async run(call) {
    const client = new ControlClient(await controlTarget(call));
    const points = await pointsOf(client, call.args[0] ?? "");
    const { terminal, options } = call;
    if (options.json) { for (const point of points) terminal.out(JSON.stringify(point)); }
    else if (points.length === 0) terminal.out("There is no such point");
    else for (const line of lines(points, terminal.columns)) terminal.out(line);
    return EXIT.ok;
  },
};

/** `busbar points watch`. */
export const pointWatchCommand: Command = {
  name: "points watch",
  summary: "Shows points as they change, until Ctrl-C",
  details: "A line for each value that is another one than at the last look, with the time that " +
    "the device gave it.",
  options: [
    { name: "every", value: "SPAN", summary: "How often it is looked (default 1s)" },
    { name: "json", summary: "JSON lines" },
    ...TARGET_OPTIONS,
  ],
  args: [PREFIX],
  examples: ["busbar points watch gz_01.yx --every 250ms"],
  run: watch,
};

async function watch(call: Invocation): Promise<number> {
  const { terminal, options, signal } = call;
  const span = new Arguments("points watch", call).span("every") ?? EVERY_DEFAULT;
  const every = millis(Math.max(EVERY_MIN, span));
  const client = new ControlClient(await controlTarget(call));
  const clock = new SystemClock();
  const known = new Map<string, string>();
  let away = false;
  while (!signal.aborted) {
    try {
      for (const point of await pointsOf(client, call.args[0] ?? "")) {
        const now = `${point.value} ${point.quality} ${point.at}`;
        if (point.value === null || known.get(point.point) === now) continue;
        known.set(point.point, now);
        if (options.json) terminal.out(JSON.stringify(point));
        else terminal.out(`${timeText(point.at)}  ${point.point}  ${valueText(point)}`);
      }
      away = false;
    } catch (error) {
      if (!(error instanceof LinkDownError)) throw error;
      if (!away) terminal.err(describe(error));
      away = true;
    }
    await pause(clock, every, signal);
  }
  return EXIT.ok;
}

/** `busbar points set`. */
export const pointSetCommand: Command = {
  name: "points set",
  summary: "Commands a point, or sets its value by hand",
  details: "The command goes to the service that owns the point; it is in the audit, whatever " +
    "becomes of it. VALUE is a number, true, false, on, off or a text.\n\n" +
    "Exit code 1 when it was not done.",
  options: [
    { name: "select", summary: "Only takes hold of it (select before operate)" },
    { name: "cancel", summary: "Lets go of it" },
    { name: "qualifier", value: "N", summary: "Of the device's protocol, such as QU or QL" },
    { name: "key", value: "TEXT", summary: "The same command under the same key is done once" },
    { name: "substitute", summary: "Sets the value that is shown and told; no device is asked" },
    ...TARGET_OPTIONS,
  ],
  args: [
    { name: "point", summary: "Its name" },
    { name: "value", summary: "What it shall be" },
  ],
  examples: ["busbar points set gz_01.do.5 on", "busbar points set gz_01.yc.9 49.9 --substitute"],
  run: set,
};

async function set(call: Invocation): Promise<number> {
  const given = new Arguments("points set", call);
  const [point, value] = call.args;
  const modes = ["select", "cancel", "substitute"].filter((mode) => given.flag(mode));
  if (modes.length > 1) given.fail(`--${modes[0]} and --${modes[1]} exclude each other`);
  const [mode] = modes;
  const qualifier = given.whole("qualifier", 0, 127);
  const key = given.text("key");
  const client = new ControlClient(await controlTarget(call));
  const answer = await client.request("POST", "/points/set", {
    point: point ?? "",
    value: valueOf(value ?? ""),
    ...(mode === "substitute" ? { substitute: true } : mode === undefined ? {} : { mode }),
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(key === undefined ? {} : { key }),
  }, PATIENCE_MS);
  const { outcome, error } = answer.body as {
    outcome?: { kind: string; why?: string };
    error?: string;
  };
  const kind = outcome?.kind;
  const words = kind === undefined ? undefined : OUTCOMES[kind];
  const text = words ?? error ?? `The control port answered ${answer.status}`;
  const why = outcome?.why === undefined ? "" : `: ${outcome.why}`;
  if (kind === "done") call.terminal.out(text);
  else call.terminal.err(`${text}${why}`);
  return kind === "done" ? EXIT.ok : EXIT.failed;
}

/** `busbar points audit`. */
export const pointAuditCommand: Command = {
  name: "points audit",
  summary: "Shows the last commands: who, when, what, with what result",
  details: "A command without a result is under way.",
  options: [
    { name: "most", value: "N", summary: "How many (default 20)" },
    { name: "json", summary: "JSON lines" },
    ...TARGET_OPTIONS,
  ],
  args: [],
  examples: ["busbar points audit --most 100"],
  async run(call) {
    const most = new Arguments("points audit", call).whole("most", 1, 1000) ?? 20;
    const client = new ControlClient(await controlTarget(call));
    const { commands } = await client.get(`/points/audit?most=${most}`) as {
      commands: readonly JsonObject[];
    };
    const { terminal, options } = call;
    if (options.json) { for (const one of commands) terminal.out(JSON.stringify(one)); }
    else {
      const heads = ["TIME", "WHO", "POINT", "VALUE", "MODE", "RESULT"].map((title) => ({ title }));
      const rows = commands.map(({ at, origin, point, value, mode, outcome, why }) => {
        const result = outcome === "" ? "under way" : why === "" ? outcome : `${outcome}: ${why}`;
        return [timeText(Number(at)), origin, point, value, mode, result].map(String);
      });
      for (const line of table(heads, rows, terminal.columns)) terminal.out(line);
    }
    return EXIT.ok;
  },
};

/** All of them, page by page. */
async function pointsOf(client: ControlClient, prefix: string): Promise<Shown[]> {
  const all: Shown[] = [];
  for (;;) {
    const query = new URLSearchParams({ prefix });
    const last = all.at(-1);
    if (last) query.set("after", last.point);
    const { points, more } = await client.get(`/points?${query}`) as unknown as {
      points: readonly Shown[];
      more: boolean;
    };
    all.push(...points);
    if (!more || points.length === 0) return all;
  }
}

function lines(points: readonly Shown[], columns: number): string[] {
  const heads = [
    { title: "POINT" },
    { title: "VALUE", align: "right" as const },
    { title: "UNIT" },
    { title: "QUALITY" },
    { title: "TIME" },
    { title: "DESCRIPTION" },
  ];
  const rows = points.map(({ point, value, unit, quality, at, description }) => [
    point,
    String(value ?? "-"),
    unit ?? "",
    qualityText(quality),
    timeText(at),
    description ?? "",
  ]);
  return table(heads, rows, columns);
}

function valueText({ value, unit, quality }: Shown): string {
  const words = qualityText(quality);
  return [String(value), ...(unit ? [unit] : []), ...(words === "good" ? [] : [`(${words})`])]
    .join(" ");
}

function qualityText(quality: number): string {
  const words = Object.entries(QUALITY).filter(([, bit]) => (quality & bit) !== 0)
    .map(([word]) => word);
  return words.length === 0 ? "good" : words.join(" ");
}
