/** A listener for control centres, on a clock and a network of the test's own. */
import { Counters } from "../../../../src/base/counters.ts";
import { millis } from "../../../../src/base/time.ts";
import type { Context } from "../../../../src/kernel/module.ts";
import { CONFIG } from "../../../../src/north/iec104_slave/config.ts";
import module from "../../../../src/north/iec104_slave/mod.ts";
import { run } from "../../../../src/north/iec104_slave/service.ts";
import type { CommandOutcome } from "../../../../src/points/commands.ts";
import type { JournalOptions } from "../../../../src/points/journal.ts";
import { type PointId, Points, type Sample } from "../../../../src/points/points.ts";
import { definitionOf, type WrittenRow } from "../../../../src/points/table_rows.ts";
import type { LinkOptions } from "../../../../src/protocol/iec104/mod.ts";
import { SimClock } from "../../../sim/clock.ts";
import { SimNet } from "../../../sim/net.ts";
import { Scada } from "../../../sim/scada.ts";
import { Disk } from "../../points/journals.ts";

/** See the module. */
export class Bench implements AsyncDisposable {
  readonly clock = new SimClock();
  readonly net = new SimNet();
  readonly disk = new Disk();
  points!: Points;
  readonly counters = new Counters(module.counters ?? []);
  readonly codes: string[] = [];
  readonly messages: string[] = [];
  /** What owners were asked to do. */
  readonly commanded: string[] = [];
  outcome: CommandOutcome = { kind: "done" };
  #stop = new AbortController();
  #ended: Promise<void>[] = [];
  #rows: WrittenRow[] = [];

  constructor(readonly journal: Partial<JournalOptions> = {}) {
    this.boot();
  }

  /** A process that begins, with what the disk has. */
  boot(): void {
    const { journal } = this.disk.start(this.clock, {
      pendingMax: 100_000,
      recentMax: 4096,
      ...this.journal,
    });
    this.points = new Points(this.clock, journal);
    this.define(...this.#rows);
    this.points.commands.own("rtu", () => true, ({ point, value, qualifier }) => {
      this.commanded.push(`${point} ${value} ${qualifier ?? ""}`.trim());
      return Promise.resolve(this.outcome);
    });
  }

  define(...rows: WrittenRow[]): void {
    this.#rows = rows;
    this.points.define(
      rows.map((row) => definitionOf({ "tag_station": "gz_01", coa: 1, ...row }, 1, [])!),
    );
  }

  /** Starts a listener; others may run beside it. */
  start(
    config: Record<string, unknown> = {},
    file: string | Readonly<Record<string, string>> = "",
  ): void {
    const log = (code: string, message: string) => {
      this.codes.push(code);
      this.messages.push(message);
    };
    if (this.#stop.signal.aborted) this.#stop = new AbortController();
    const context = {
      id: "iec104_slave.occ",
      signal: this.#stop.signal,
      clock: this.clock,
      net: this.net,
      points: this.points,
      counters: this.counters,
      trace: () => 0,
      files: {
        read: (path: string) => Promise.resolve(typeof file === "string" ? file : file[path] ?? ""),
      },
      log: {
        trace: log,
        debug: log,
        info: log,
        warn: (code: string, message: string, fields: { why?: string } = {}) =>
          log(code, `${message} ${fields.why ?? ""}`.trim()),
        error: log,
      },
      report: () => {},
    } as unknown as Context;
    this.#ended.push(run(context, CONFIG.parse(config)));
  }

  async dial(options: Partial<LinkOptions> = {}, port = 2404): Promise<Scada> {
    const scada = await Scada.dial(this.net, this.clock, port, options);
    await this.advance(1);
    return scada;
  }

  publish(point: string, value: Sample["value"], fields: Partial<Sample> = {}): void {
    const at = this.clock.epoch();
    this.points.publish([{
      point: point as PointId,
      value,
      quality: 0,
      at,
      event: true,
      ...fields,
    }]);
  }

  async advance(span: number): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(millis(0));
    await this.clock.advance(millis(span));
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(millis(0));
  }

  count(name: string): number {
    return this.counters.snapshot()[name]!;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    const ended = this.#ended.splice(0);
    await this.advance(100);
    await Promise.all(ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.disk[Symbol.dispose]();
  }
}

/** What was answered since the last look, as `type cause negative`. */
export function answers(scada: Scada): string[] {
  return scada.heard.splice(0).map(({ type, cause, negative }) =>
    `${type} ${cause}${negative ? " no" : ""}`
  );
}
