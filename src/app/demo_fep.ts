/**
 * A site in one process, on loopback: two simulated RTUs, the front end that collects from them,
 * and a simulated control centre behind it. The front end is the real one, with its control port.
 * @module
 */
import { BugError } from "../base/errors.ts";
import { type BusbarConfig, readConfig } from "../kernel/config.ts";
import { LogHub } from "../kernel/log.ts";
import { checkValue } from "../kernel/schema_fields.ts";
import { SystemClock } from "../platform/clock.ts";
import { SYSTEM_NET } from "../platform/net.ts";
import type { Endpoint } from "../platform/ports.ts";
import { openSqlite } from "../platform/sqlite.ts";
import { PointTable } from "../points/table.ts";
import { definitionOf, type WrittenRow } from "../points/table_rows.ts";
import type { Terminal } from "./command.ts";
import { LogOutputs } from "./log_outputs.ts";
import { MODULES } from "./modules.ts";
import { TABLE_FILE } from "./point_plane.ts";
import { problemLines } from "./problems.ts";
import { PROFILE, type Profile, PROFILE_DEFAULT } from "./sim_profile.ts";
import { SimRtu } from "./sim_rtu.ts";
import { SimScada, type SimScadaReport } from "./sim_scada.ts";
import { startSystemNode } from "./system_node.ts";

/** Names of the RTUs. */
export const DEMO_RTUS = ["rtu_1", "rtu_2"] as const;
/** The common address that every station answers. */
const BROADCAST = 65_535;
/** An output, for commands. */
const OUTPUT_IOA = 301;

/** What a demonstration needs. */
export interface DemoOptions {
  /** Where the control port listens. */
  readonly control: Endpoint;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Told when everything runs. */
  readonly ready: (centre: Endpoint) => void;
  /** Told what happens. */
  readonly told: (line: string) => void;
}

/** What it came to. */
export interface DemoReport extends SimScadaReport {
  /** Events that the RTUs have made. */
  readonly made: number;
}

/**
 * Runs until the signal aborts. Its folder is removed with it.
 * @param report Given the counts that run on, before anything is started.
 * @throws OsError when the control port is taken.
 */
export async function demoFep(
  { control, terminal, signal, ready, told }: DemoOptions,
  report: (now: () => DemoReport) => void,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar-demo-" });
  const over = new AbortController();
  const running: Promise<void>[] = [];
  try {
    const rtus = DEMO_RTUS.map((name, index) => {
      const rtu = new SimRtu(profileOf(index + 1), (line) => told(`${name}: ${line}`));
      const bound = Promise.withResolvers<Endpoint>();
      const run = rtu.run({ host: "127.0.0.1", port: 0 }, over.signal, bound.resolve);
      running.push(run);
      run.catch(bound.reject);
      return { name, rtu, bound: bound.promise };
    });
    const addresses = await Promise.all(rtus.map(({ bound }) => bound));
    const centre = await freeEndpoint();
    fillTable(folder);
    const config = configOf({ folder, control, centre, rtus: addresses });
    const clock = new SystemClock();
    const log = new LogHub(clock);
    const outputs = new LogOutputs(terminal, () => clock.epoch());
    log.configure(config.log.level, outputs.open(config.log), config.secrets);
    const read = () => Promise.resolve({ config, problems: [] });
    await using system = await startSystemNode({ config, log, outputs, read, clock });
    const scada = new SimScada(centre, BROADCAST, (line) => told(`centre: ${line}`), undefined);
    report(() => ({
      ...scada.report,
      made: rtus.reduce((sum, { rtu }) => sum + rtu.report.made, 0),
    }));
    running.push(scada.run(over.signal));
    ready(centre);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    // First the front end: its peers would only be lost to it.
    await system.node.stop();
  } finally {
    over.abort();
    await Promise.allSettled(running);
    await Deno.remove(folder, { recursive: true });
  }
}

function profileOf(commonAddress: number): Profile {
  const result = checkValue(PROFILE, { ...PROFILE_DEFAULT, "common_address": commonAddress });
  if (result.issues) {
    throw new BugError("demo.profile", "The profile of the demonstration is wrong");
  }
  return result.value;
}

/** A port that nobody has just now. */
async function freeEndpoint(): Promise<Endpoint> {
  await using listener = await SYSTEM_NET.listen({ host: "127.0.0.1", port: 0 });
  return listener.local;
}

/** Everything that the simulated RTUs tell, and an output each. */
function fillTable(folder: string): void {
  const kinds = { M_SP_TB_1: "yx", M_DP_TB_1: "yx", M_IT_TB_1: "dd" } as const;
  const rows = DEMO_RTUS.flatMap((station, index): WrittenRow[] => {
    const common = { "tag_station": station, coa: index + 1 };
    const inputs = PROFILE_DEFAULT.points.flatMap((point): WrittenRow[] => {
      const count = "count" in point ? point.count : 1;
      const kind = kinds[point.type as keyof typeof kinds] ?? "yc";
      return Array.from({ length: count }, (_, at) => ({ ...common, ioa: point.ioa + at, kind }));
    });
    return [...inputs, { ...common, ioa: OUTPUT_IOA, kind: "do" }];
  });
  using database = openSqlite(`${folder}/${TABLE_FILE}`);
  const definitions = rows.map((row, at) => ({
    row: at + 1,
    definition: definitionOf(row, at + 1, [])!,
  }));
  new PointTable(database).import(definitions, true);
}

interface Places {
  readonly folder: string;
  readonly control: Endpoint;
  readonly centre: Endpoint;
  readonly rtus: readonly Endpoint[];
}

function configOf({ folder, control, centre, rtus }: Places): BusbarConfig {
  const text = ({ host, port }: Endpoint) => `${host}:${port}`;
  const masters = DEMO_RTUS.map((name, index) => [name, {
    channels: [text(rtus[index]!)],
    "common_addresses": [index + 1],
    retry: "1s",
  }]);
  const reading = readConfig({
    file: "demo",
    text: JSON.stringify({
      control: { listen: text(control) },
      log: { level: "error" },
      points: { folder },
      modules: {
        "iec104_master": Object.fromEntries(masters),
        "iec104_slave": { centre: { listen: text(centre), mode: "each", commands: true } },
      },
    }),
    modules: MODULES,
    env: () => undefined,
    flags: {},
  });
  if (reading.config) return reading.config;
  throw new BugError("demo.config", problemLines(reading.problems).join("; "));
}
