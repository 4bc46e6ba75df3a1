// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * `deno task bench --others`: all that can stand in the same place, in the same rounds, as ratios
 * to the C loop: busbar plain, with supervision, and with format 2 and a key; socat between a TAP
 * and the group; and the kernel's VXLAN over a group, which has no TAP and no process.
 *
 * CPU is that of a contender's processes: VXLAN has none to charge. The forms of busbar are paths
 * of one process, so each is charged for the others, which idle meanwhile.
 * @module
 */
import { Busbar } from "../e2e/harness.ts";
import { missing } from "../needs.ts";
import type { Namespace, Pair } from "../netns.ts";
import { type Contender, type Side, startReference } from "./contenders.ts";
import type { Sample } from "./run.ts";
import { median } from "./stats.ts";
import { delay } from "./tools.ts";

const ADDRESS: Readonly<Record<Side, string>> = { a: "10.79.0.1", b: "10.79.0.2" };
const KEY = "0123456789abcdef0123456789abcdef";
/** What busbar is tried with: a path each, in one process. */
const FEATURES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  busbar: {},
  supervised: { supervise: true },
  signed: { format: "v2", key: "${KEY}" },
  realtime: { realtime: 20 },
};
/** How long socat may take to make its TAP. */
const READY_MS = 500;

/** Everybody who can run here, C first; who cannot is named. */
export async function startOthers(
  pair: Pair,
): Promise<{ readonly contenders: Contender[]; readonly busbars: Busbar[] }> {
  const busbars = [await startBusbar(pair.a), await startBusbar(pair.b)];
  const [a, b] = busbars.map(({ pid }) => [pid]) as [number[], number[]];
  const contenders: Contender[] = [await startReference(pair)];
  for (const [index, name] of Object.keys(FEATURES).entries()) {
    contenders.push({ name, tap: `goose${index}`, pids: { a, b } });
  }
  const remedy = missing("socat");
  if (remedy === undefined) contenders.push(await startSocat(pair));
  else console.log(`Without socat: ${remedy}`);
  const vxlan = startVxlan(pair);
  if (typeof vxlan === "string") console.log(`Without VXLAN: ${vxlan}`);
  else contenders.push(vxlan);
  return { contenders, busbars };
}

async function startBusbar(namespace: Namespace): Promise<Busbar> {
  const paths = Object.values(FEATURES).map((more, index) => [
    `path${index}`,
    { tap: `goose${index}`, group: `224.0.1.10${index}`, via: "eth0", ...more },
  ]);
  const modules = { "goose_bridge": Object.fromEntries(paths) };
  const busbar = await Busbar.start(namespace, modules, { env: { KEY } });
  await busbar.untilUp(...paths.map(([name]) => `goose_bridge.${name}`));
  return busbar;
}

async function startSocat(pair: Pair): Promise<Contender> {
  const group = "224.0.1.120";
  const end = (side: Side): number => {
    const address = ADDRESS[side];
    const child = pair[side].spawn([
      "socat",
      "TUN,tun-name=socat0,tun-type=tap,iff-no-pi,iff-up",
      `UDP4-DATAGRAM:${group}:61860,bind=${group}:61860,ip-add-membership=${group}:${address},` +
      `ip-multicast-if=${address},ip-multicast-loop=0`,
    ]);
    return child.pid;
  };
  const pids = { a: [end("a")], b: [end("b")] };
  await delay(READY_MS);
  for (const side of ["a", "b"] as const) {
    pair[side].exec(["ip", "link", "set", "socat0", "txqueuelen", "10000"]);
  }
  return { name: "socat", tap: "socat0", pids };
}

/** @returns What `ip` says when the kernel has none. */
function startVxlan(pair: Pair): Contender | string {
  for (const side of ["a", "b"] as const) {
    const link = ["vxlan", "id", "42", "group", "239.1.1.1", "dev", "eth0", "dstport", "4789"];
    const made = pair[side].exec(["ip", "link", "add", "vx0", "type", ...link], { mayFail: true });
    if (made.code !== 0) return made.err.trim();
    pair[side].exec(["ip", "link", "set", "vx0", "up"]);
  }
  return { name: "vxlan", tap: "vx0", pids: { a: [], b: [] } };
}

/** A row of the table: what it shows, of a sample, with how many digits. */
type Figure = readonly [what: string, of: (sample: Sample) => number, digits: number];

/** Prints medians, and beside them the median of the ratios to C of each round. */
export function printOthers(samples: readonly Sample[]): void {
  const names = [...new Set(samples.map(({ name }) => name))];
  const rows = [["", ...names]];
  for (const [what, of, digits] of figuresOf(samples[0]!)) {
    const series = (name: string) => samples.filter((sample) => sample.name === name).map(of);
    const reference = series("c");
    rows.push([
      what,
      ...names.map((name) => {
        const values = series(name);
        // Every process takes some time: who took none has no process that could be charged.
        if (values.every((value) => value === 0)) return "–";
        const ratio = median(values.map((value, round) => value / reference[round]!));
        return `${median(values).toFixed(digits)} (${ratio.toFixed(2)})`;
      }),
    ]);
  }
  const lost = (name: string) =>
    samples.filter((sample) => sample.name === name)
      .flatMap(({ latency }) => latency).reduce((sum, { lost }) => sum + lost, 0);
  rows.push(["lost at these rates", ...names.map((name) => `${lost(name)}`)]);
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  console.log("\nMedians, in brackets the median of the ratios to C of each round\n");
  for (const row of rows) {
    console.log(row.map((cell, at) => cell.padEnd(widths[at]!)).join("  ").trimEnd());
  }
}

function figuresOf({ latency }: Sample): Figure[] {
  const atRate = latency.flatMap(({ rate }): Figure[] => {
    const at = (sample: Sample) => sample.latency.find((one) => one.rate === rate)!;
    const percentiles = (["p50", "p99", "p999"] as const).map((
      name,
    ): Figure => [`${name} at ${rate}/s, µs`, (sample) => at(sample).us[name], 0]);
    const core = (sample: Sample) => (at(sample).core.a + at(sample).core.b) * 100;
    return [...percentiles, [`CPU at ${rate}/s, % of a core, A + B`, core, 1]];
  });
  return [
    ["saturation, 1000/s", ({ flood }) => flood / 1000, 0],
    ["CPU there, µs/frame, A + B", ({ floodCpuUs }) => floodCpuUs, 2],
    ...atRate,
  ];
}
