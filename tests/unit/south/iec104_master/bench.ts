/** An RTU service with simulated RTUs, on a clock and a network of the test's own. */
import { Counters } from "../../../../src/base/counters.ts";
import { millis } from "../../../../src/base/time.ts";
import type { Context } from "../../../../src/kernel/module.ts";
import type { ControlReply, Json, RouteHandler } from "../../../../src/kernel/registry.ts";
import type { Authority } from "../../../../src/points/authority.ts";
import type { JournalOptions } from "../../../../src/points/journal.ts";
import { type PointId, Points } from "../../../../src/points/points.ts";
import { definitionOf, type WrittenRow } from "../../../../src/points/table_rows.ts";
import { CONFIG, type Config } from "../../../../src/south/iec104_master/config.ts";
import module from "../../../../src/south/iec104_master/mod.ts";
import { run } from "../../../../src/south/iec104_master/service.ts";
import { SimClock } from "../../../sim/clock.ts";
import { SimNet } from "../../../sim/net.ts";
import { Outstation, type OutstationOptions } from "../../../sim/outstation.ts";
import { Disk, type Writer } from "../../points/journals.ts";

/** See the module. */
export class Bench implements AsyncDisposable {
  readonly clock = new SimClock();
  readonly net = new SimNet();
  readonly disk = new Disk();
  readonly writer: Writer;
  readonly points: Points;
  readonly counters = new Counters(module.counters ?? []);
  readonly reports: string[] = [];
  readonly codes: string[] = [];
  readonly traced: string[] = [];
  readonly rtus: Outstation[] = [];
  readonly routes = new Map<string, RouteHandler>();
  holds = true;
  /** How much of each frame is traced. */
  depth = 0;
  #changed: () => void = () => {};
  #stop = new AbortController();
  #ended: Promise<void> | undefined;

  constructor(journal: Partial<JournalOptions> = {}) {
    const started = this.disk.start(this.clock, { pendingMax: 100_000, ...journal });
    this.writer = started.writer;
    this.points = new Points(this.clock, started.journal);
  }

  /** Puts rows of station gz_01 into the table. */
  define(...rows: WrittenRow[]): void {
    this.points.define(
      rows.map((row) => definitionOf({ "tag_station": "gz_01", coa: 1, ...row }, 1, [])!),
    );
  }

  async rtu(port: number, options: Partial<OutstationOptions> = {}): Promise<Outstation> {
    const { net, clock } = this;
    const rtu = await Outstation.open({ net, clock, port, ...options });
    this.rtus.push(rtu);
    return rtu;
  }

  start(config: Record<string, unknown> = {}): void {
    const log = (code: string) => void this.codes.push(code);
    const trace = (code: string, line: string, fields: Record<string, unknown> = {}) =>
      void this.traced.push(`${code} ${line} ${JSON.stringify(fields)}`);
    const authority: Authority = {
      holds: () => this.holds,
      changed: (callback) => {
        this.#changed = callback;
        return { [Symbol.dispose]: () => {} };
      },
    };
    const context = {
      id: "iec104_master.gz_01",
      signal: this.#stop.signal,
      clock: this.clock,
      net: this.net,
      points: this.points,
      authority,
      control: {
        route: (method: string, path: string, _access: string, handler: RouteHandler) => {
          this.routes.set(`${method} ${path}`, handler);
          return { [Symbol.dispose]: () => {} };
        },
      },
      counters: this.counters,
      trace: () => this.depth,
      log: { trace, debug: log, info: log, warn: log, error: log },
      report: (health: string, why?: string) =>
        void this.reports.push(why === undefined ? health : `${health}: ${why}`),
    } as unknown as Context;
    const checked: Config = CONFIG.parse({ channels: ["127.0.0.1:2404"], ...config });
    this.#ended = run(context, checked);
  }

  /** Asks as an operator does, and lets the time pass that it takes. */
  async order(order: string, body?: Json): Promise<ControlReply> {
    const handler = this.routes.get(`POST /fep/gz_01/${order}`)!;
    const request = { method: "POST", path: "", query: new URLSearchParams(), body, remote: "t" };
    const reply = Promise.resolve(handler(request));
    // A file takes many turns of both sides, and hardly any time.
    for (let turn = 0; turn < 40; turn += 1) await this.advance(1);
    await this.advance(70_000);
    return await reply;
  }

  /** Gives or takes the right to act. */
  authority(holds: boolean): void {
    this.holds = holds;
    this.#changed();
  }

  async advance(span: number): Promise<void> {
    // What crosses several tasks needs more than one look at the same moment.
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(millis(0));
    await this.clock.advance(millis(span));
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(millis(0));
  }

  value(point: string): unknown {
    return this.points.last(point as PointId)?.value;
  }

  quality(point: string): number | undefined {
    return this.points.last(point as PointId)?.quality;
  }

  count(name: string): number {
    return this.counters.snapshot()[name]!;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    const ended = this.#ended;
    await this.advance(3000);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const rtu of this.rtus) await rtu[Symbol.asyncDispose]();
    this.disk[Symbol.dispose]();
  }
}
