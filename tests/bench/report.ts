// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * The table of the benchmark: each figure with the bar it is held against.
 * @module
 */
import type { Memory } from "./process.ts";
import type { LadderSample, LatencySample, Sample } from "./run.ts";
import { compare, type Comparison, median } from "./stats.ts";

/** All that one run of the benchmark found. */
export interface Results {
  readonly at: string;
  readonly command: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly deno: string;
    readonly load: readonly number[];
    readonly loadAfter: readonly number[];
  };
  readonly rounds: number;
  readonly samples: readonly Sample[];
  readonly ladder: readonly LadderSample[];
  /** Absent in the control run. */
  readonly process?: ProcessResults;
}

/** What one process of busbar takes. */
export interface ProcessResults {
  readonly memory: Readonly<Record<"fresh" | "used" | "idle" | "reference", Memory>>;
  readonly stopMs: number;
  readonly starts: { readonly firstMs: number; readonly laterMs: readonly number[] };
}

type Row = readonly [name: string, busbar: string, c: string, ratio: string, bar: string];

/** Prints the table. */
export function print(results: Results): void {
  const { machine } = results;
  const load = [machine.load[0]!, machine.loadAfter[0]!].map((value) => value.toFixed(1));
  console.log(`\n${results.command}`);
  console.log(
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Deno ${machine.deno}, ` +
      `load ${load.join(" before, ")} after, ${results.rounds} rounds\n`,
  );
  const rows: Row[] = [
    ["", "busbar", "C", "ratio of medians, median of ratios", "bar"],
    ...floodRows(results),
    ...latencyRows(results),
    ...ladderRows(results.ladder),
    ...(results.process ? processRows(results.process) : []),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    console.log(cells.join("  ").trimEnd());
  }
}

function floodRows({ samples }: Results): Row[] {
  const kilo = (value: number) => `${(value / 1000).toFixed(0)} k`;
  const micro = (value: number) => `${value.toFixed(2)} µs`;
  return [
    row("saturation, frames/s", versus(samples, (sample) => sample.flood), kilo, "≥ 0.95"),
    row("CPU per frame there, A + B", versus(samples, (sample) => sample.floodCpuUs), micro, ""),
  ];
}

function latencyRows({ samples }: Results): Row[] {
  const rows: Row[] = [];
  const micro = (value: number) => `${value.toFixed(0)} µs`;
  const percent = (value: number) => `${(value * 100).toFixed(1)} %`;
  for (const { rate } of samples[0]!.latency) {
    const at = (sample: Sample) => sample.latency.find((one) => one.rate === rate)!;
    for (const name of ["p50", "p99", "p999"] as const) {
      const bar = name === "p50" ? "≤ 1.1" : "";
      const values = versus(samples, (sample) => at(sample).us[name]);
      rows.push(row(`${name} at ${rate}/s`, values, micro, bar));
    }
    const shares: [string, (latency: LatencySample) => number][] = [
      ["core, sending process", ({ core }) => core.a],
      ["core, receiving process", ({ core }) => core.b],
      ["core, the path's thread (sending)", ({ thread }) => thread],
      ["core, all other threads (sending)", ({ rest }) => rest],
    ];
    for (const [name, share] of shares) {
      const values = versus(samples, (sample) => share(at(sample)));
      rows.push(row(`${name} at ${rate}/s`, values, percent, ""));
    }
    const lost = (name: string) =>
      sum(samples.filter((sample) => sample.name === name).map((sample) => at(sample).lost));
    rows.push([`lost at ${rate}/s, all rounds`, `${lost("busbar")}`, `${lost("c")}`, "", "0"]);
  }
  return rows;
}

function ladderRows(ladder: readonly LadderSample[]): Row[] {
  const lossAt = (name: string, rate: number) => {
    const tries = ladder.filter((sample) => sample.name === name && sample.rate === rate);
    return tries.map(({ lost, sent }) => lost === 0 ? "0" : `${percentOf(lost, sent)} %`).join(
      ", ",
    );
  };
  const rates = [...new Set(ladder.map(({ rate }) => rate))];
  return rates.map((rate) => {
    const bar = rate === 80_000 ? "0" : "";
    return [`lost at ${rate}/s for 1.5 s`, lossAt("busbar", rate), lossAt("c", rate), "", bar];
  });
}

function processRows({ memory, starts, stopMs }: ProcessResults): Row[] {
  const size = ({ rss, anonymous }: Memory) =>
    `${rss.toFixed(0)} MiB (${anonymous.toFixed(0)} anonymous)`;
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const later = starts.laterMs;
  const span = `${ms(Math.min(...later))} to ${ms(Math.max(...later))}`;
  return [
    ["resident, both paths, fresh", size(memory.fresh), size(memory.reference), "", "< 120 MB"],
    ["resident, both paths, after the load", size(memory.used), "", "", "< 120 MB"],
    ["resident, idle deno", size(memory.idle), "", "", ""],
    ["exec to first frame, first start", ms(starts.firstMs), "", "", ""],
    ["exec to first frame, later starts", `${ms(median(later))} (${span})`, "", "", "< 1000 ms"],
    ["SIGTERM to exit, idle", ms(stopMs), "", "", "< 2000 ms"],
  ];
}

function versus(samples: readonly Sample[], of: (sample: Sample) => number): Comparison {
  const series = (name: string) => samples.filter((sample) => sample.name === name).map(of);
  return compare(series("busbar"), series("c"));
}

function row(name: string, values: Comparison, show: (value: number) => string, bar: string): Row {
  const cell = (middle: number, range: readonly number[]) =>
    `${show(middle)} [${range.map(show).join(" … ")}]`;
  return [
    name,
    cell(values.busbar, values.range.busbar),
    cell(values.c, values.range.c),
    `${values.ratioOfMedians.toFixed(3)}, ${values.medianOfRatios.toFixed(3)}`,
    bar,
  ];
}

function percentOf(part: number, whole: number): string {
  return (part / whole * 100).toFixed(2);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
