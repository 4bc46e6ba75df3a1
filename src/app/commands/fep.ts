/** `busbar fep …`: the RTUs and the control centres of the running busbar. */
import type { Json } from "../../kernel/registry.ts";
import { type ControlClient, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import { table } from "../table.ts";
import { showOrWatch, WATCH_OPTION } from "../watching.ts";
import {
  fepCommandCommand,
  fepFetchCommand,
  fepFilesCommand,
  fepInterrogateCommand,
  fepParameterCommand,
} from "./fep_orders.ts";

const MASTER = "iec104_master.";
const SLAVE = "iec104_slave.";
const INTERROGATION = ["none", "under way", "done", "failed"];

interface ServiceShown {
  readonly state: string;
  readonly why?: string;
  readonly counters: Readonly<Record<string, number>>;
}

interface StatusShown {
  readonly services: Readonly<Record<string, ServiceShown>>;
  readonly points?: {
    readonly journal?: {
      readonly cursors: Readonly<
        Record<
          string,
          { readonly position: number; readonly pending: number; readonly lost: number }
        >
      >;
    };
  };
}

interface PointShown {
  readonly point: string;
  readonly value: Json;
  readonly quality: number;
}

const OPTIONS: readonly Option[] = [
  { name: "json", summary: "JSON lines" },
  WATCH_OPTION,
  ...TARGET_OPTIONS,
];

/** What is shown of each: a head, and a row for each thing. */
type Rows = Readonly<Record<string, string | number>>[];

function shows(
  name: string,
  summary: string,
  details: string,
  rowsOf: (client: ControlClient) => Promise<Rows>,
  none: string,
): Command {
  const show = async (client: ControlClient, { options, terminal }: Invocation) => {
    const rows = await rowsOf(client);
    if (options.json) { for (const row of rows) terminal.out(JSON.stringify(row)); }
    else if (rows.length === 0) terminal.out(none);
    else {
      const columns = Object.keys(rows[0]!).map((title) => ({
        title: title.toUpperCase(),
        align: typeof rows[0]![title] === "number" ? "right" as const : "left" as const,
      }));
      const cells = rows.map((row) => Object.values(row).map(String));
      for (const line of table(columns, cells, terminal.columns)) terminal.out(line);
    }
    return EXIT.ok;
  };
  return {
    name,
    summary,
    details,
    options: OPTIONS,
    args: [],
    examples: [`busbar ${name} --watch`],
    run: (call) => showOrWatch(name, call, show),
  };
}

/** The services of a module, by the names of their instances. */
async function instances(client: ControlClient, prefix: string): Promise<[string, ServiceShown][]> {
  const { services } = await client.get("/status") as unknown as StatusShown;
  return Object.entries(services).filter(([id]) => id.startsWith(prefix))
    .map(([id, service]) => [id.slice(prefix.length), service]);
}

/** Values of points below a name, by the rest of theirs. */
async function states(client: ControlClient, prefix: string): Promise<Map<string, PointShown>> {
  const { points } = await client.get(`/points?${new URLSearchParams({ prefix })}`) as unknown as {
    points: readonly PointShown[];
  };
  return new Map(points.map((point) => [point.point.slice(prefix.length), point]));
}

function upText(point: PointShown | undefined): string {
  if (!point || point.quality !== 0) return "untried";
  return point.value === true ? "up" : "down";
}

async function rtuRows(client: ControlClient): Promise<Rows> {
  const all = await instances(client, MASTER);
  return await Promise.all(all.map(async ([rtu, { state, counters, why }]) => {
    const points = await states(client, `sys.${MASTER}${rtu}.`);
    const channels = [...points.keys()].filter((name) => /^channel_\d+$/.test(name)).sort();
    return {
      rtu,
      state,
      online: points.get("online")?.value === true ? "yes" : "no",
      channels: channels.map((name) => upText(points.get(name))).join(" "),
      interrogation: INTERROGATION[Number(points.get("interrogation")?.value ?? 0)] ?? "",
      samples: counters.samples ?? 0,
      commands: counters.commands ?? 0,
      lost: counters.links_lost ?? 0,
      why: why ?? "",
    };
  }));
}

async function channelRows(client: ControlClient): Promise<Rows> {
  const all = await instances(client, MASTER);
  const rows = await Promise.all(all.map(async ([rtu]) => {
    const points = await states(client, `sys.${MASTER}${rtu}.`);
    return [...points].filter(([name]) => name.startsWith("channel_")).map(([name, point]) => {
      const [, channel, link] = /^channel_(\d+)(?:\.link_(\d+))?$/.exec(name)!;
      return { rtu, channel: Number(channel), link: link ?? "all", state: upText(point) };
    });
  }));
  return rows.flat();
}

async function groupRows(client: ControlClient): Promise<Rows> {
  const { services, points } = await client.get("/status") as unknown as StatusShown;
  const cursors = Object.entries(points?.journal?.cursors ?? {});
  const rows = await Promise.all(
    Object.keys(services).filter((id) => id.startsWith(SLAVE)).map(async (id) => {
      const known = await states(client, `sys.${id}.`);
      return cursors.filter(([name]) => name.startsWith(`${id}.`)).map(([name, cursor]) => {
        const group = name.slice(id.length + 1);
        const started = known.get(`group_${group}`)?.value;
        return {
          listener: id.slice(SLAVE.length),
          group,
          started: started === undefined ? "" : started === true ? "yes" : "no",
          pending: cursor.pending,
          lost: cursor.lost,
        };
      });
    }),
  );
  return rows.flat();
}

/** All of them. */
export const fepCommands: readonly Command[] = [
  shows(
    "fep rtus",
    "Shows every RTU, and how it fares",
    "CHANNELS is up, down or untried, in their order; LOST counts connections that were lost.",
    rtuRows,
    "This busbar has no RTU (modules: iec104_master)",
  ),
  shows(
    "fep channels",
    "Shows every channel and every link of each RTU",
    "A channel is up when one of its links is.",
    channelRows,
    "This busbar has no RTU (modules: iec104_master)",
  ),
  shows(
    "fep groups",
    "Shows every group of control centres, and what it lacks",
    "PENDING are events that the group has not confirmed; LOST those that were dropped before.",
    groupRows,
    "No control centre has connected yet (modules: iec104_slave)",
  ),
  fepInterrogateCommand,
  fepCommandCommand,
  fepParameterCommand,
  fepFilesCommand,
  fepFetchCommand,
];
