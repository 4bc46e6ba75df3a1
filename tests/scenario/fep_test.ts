// deno-lint-ignore-file no-console -- the seed has to be seen to run it again
/**
 * An RTU, the front end and two control centres on a clock and a network of the test's own, while
 * connections break and the front end is killed at any moment. `BUSBAR_SEED=n` runs one seed again.
 */
import { Counters } from "../../src/base/counters.ts";
import { LinkDownError } from "../../src/base/errors.ts";
import { millis } from "../../src/base/time.ts";
import type { Context } from "../../src/kernel/module.ts";
import { CONFIG as SLAVE } from "../../src/north/iec104_slave/config.ts";
import slave from "../../src/north/iec104_slave/mod.ts";
import { run as runSlave } from "../../src/north/iec104_slave/service.ts";
import { SINGLE_NODE } from "../../src/points/authority.ts";
import { Points } from "../../src/points/points.ts";
import { definitionOf } from "../../src/points/table_rows.ts";
import { TYPE } from "../../src/protocol/iec104/mod.ts";
import { CONFIG as MASTER } from "../../src/south/iec104_master/config.ts";
import master from "../../src/south/iec104_master/mod.ts";
import { run as runMaster } from "../../src/south/iec104_master/service.ts";
import { assert, assertEquals } from "../assert.ts";
import { SimClock } from "../sim/clock.ts";
import { SimNet } from "../sim/net.ts";
import { Outstation, spontaneous } from "../sim/outstation.ts";
import { random } from "../sim/random.ts";
import { Scada } from "../sim/scada.ts";
import { Disk, type Writer } from "../unit/points/journals.ts";

const RUNS = 400;
const EVENTS = 300;
const POINTS = 7;
const CENTRES = [2501, 2502];
const SEED = Number(Deno.env.get("BUSBAR_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

const ROWS = Array.from(
  { length: POINTS },
  (_, ioa) => definitionOf({ "tag_station": "rtu", coa: 1, ioa, kind: "yc" }, 1, [])!,
);
const FORWARD = ["point,type", ...ROWS.map(({ point }) => `${point},33`)].join("\n");

/** One front end after another on the same disk. */
class FrontEnd {
  readonly disk = new Disk();
  #writer: Writer | undefined;
  #stop = new AbortController();
  readonly ended: Promise<void>[] = [];

  constructor(readonly clock: SimClock, readonly net: SimNet, readonly commitWithin: number) {}

  boot(): void {
    const { clock, net } = this;
    const { journal, writer } = this.disk.start(clock, {
      commitWithin: millis(this.commitWithin),
      pendingMax: 100_000,
    });
    this.#writer = writer;
    this.#stop = new AbortController();
    const points = new Points(clock, journal);
    points.define(ROWS);
    const log = () => {};
    const context = (id: string, names: readonly string[]) => ({
      id,
      signal: this.#stop.signal,
      clock,
      net,
      points,
      authority: SINGLE_NODE,
      trace: () => 0,
      counters: new Counters(names),
      files: { read: () => Promise.resolve(FORWARD) },
      log: { trace: log, debug: log, info: log, warn: log, error: log },
      report: () => {},
      control: { route: () => ({ [Symbol.dispose]: log }) },
    } as unknown as Context);
    const collected = MASTER.parse({
      channels: ["127.0.0.1:2404", "127.0.0.1:2405"],
      retry: "200ms",
      t2: "1s",
      "interrogate_on_start": false,
    });
    this.ended.push(runMaster(context("iec104_master.rtu", master.counters ?? []), collected));
    for (const port of CENTRES) {
      const config = SLAVE.parse({ listen: `127.0.0.1:${port}`, forward: "/forward.csv" });
      this.ended.push(runSlave(context(`iec104_slave.c${port}`, slave.counters ?? []), config));
    }
  }

  /** As kill -9 does it: what is not durable is gone, and nothing is said any more. */
  kill(): void {
    this.#writer!.failure = new Error("this process is no more");
    this.#stop.abort();
  }
}

/** A control centre that connects again whenever it can. */
class Centre {
  readonly numbers: number[] = [];
  scada: Scada | undefined;

  constructor(readonly net: SimNet, readonly clock: SimClock, readonly port: number) {}

  async turn(): Promise<void> {
    if (this.scada && this.scada.end === undefined) return this.#take();
    this.#take();
    try {
      this.scada = (await Scada.dial(this.net, this.clock, this.port, { w: 3 })).start();
    } catch (error) {
      if (!(error instanceof LinkDownError)) throw error; // Nobody listens now.
    }
  }

  #take(): void {
    for (const { objects } of this.scada?.heard.splice(0) ?? []) {
      for (const object of objects) if (object.kind === "bitstring") this.numbers.push(object.bits);
    }
  }
}

async function play(seed: number): Promise<Record<string, number>> {
  const dice = random(seed);
  const clock = new SimClock();
  const net = new SimNet();
  const rtus = [
    await Outstation.open({ net, clock, port: 2404 }),
    await Outstation.open({ net, clock, port: 2405 }),
  ];
  // Both addresses are of one RTU: it has one queue.
  const [rtu] = rtus;
  Object.defineProperty(rtus[1], "queue", { value: rtu!.queue });
  const frontEnd = new FrontEnd(clock, net, 1 + dice(60));
  frontEnd.boot();
  const centres = CENTRES.map((port) => new Centre(net, clock, port));
  for (let turn = 0; turn < 5; turn += 1) {
    await clock.advance(millis(50));
    for (const centre of centres) await centre.turn();
  }
  const tally = { kills: 0, drops: 0, repeated: 0 };
  let sent = 0;
  const done = () =>
    sent >= EVENTS && rtu!.queue.length === 0 &&
    centres.every(({ numbers }) => numbers.at(-1) === EVENTS);
  for (let turn = 0; turn < 3000 && !done(); turn += 1) {
    for (let more = dice(8); more > 0 && sent < EVENTS; more -= 1) {
      sent += 1;
      const object = { kind: "bitstring", address: sent % POINTS, bits: sent, quality: 0 } as const;
      rtu!.queue.push(spontaneous(TYPE.M_BO_NA_1, object));
    }
    for (const one of rtus) one.tell();
    const chance = turn < 400 ? dice(100) : 100;
    if (chance < 4) {
      tally.kills += 1;
      frontEnd.kill();
      for (const one of rtus) one.drop();
      for (const { scada } of centres) scada?.drop();
      await clock.advance(millis(dice(300)));
      frontEnd.boot();
    } else if (chance < 8) {
      tally.drops += 1;
      for (const one of rtus) one.drop();
    } else if (chance < 12) {
      tally.drops += 1;
      centres[dice(2)]!.scada?.drop();
    }
    await clock.advance(millis(dice(120)));
    for (const centre of centres) await centre.turn();
  }
  frontEnd.kill();
  for (const one of rtus) await one[Symbol.asyncDispose]();
  for (const { scada } of centres) scada?.drop();
  await clock.advance(millis(10_000));
  await Promise.all(frontEnd.ended);
  for (const { numbers, port } of centres) {
    const all = new Set(numbers);
    const missing = Array.from({ length: EVENTS }, (_, index) => index + 1).filter((number) =>
      !all.has(number)
    );
    assertEquals(missing, [], `of centre ${port}`);
    let highest = 0;
    for (const number of numbers) {
      assert(number <= highest + 1, `${number} came before ${highest + 1} at ${port}`);
      highest = Math.max(highest, number);
    }
    tally.repeated += numbers.length - all.size;
  }
  return tally;
}

Deno.test(`Every event reaches both control centres in order, in ${RUNS} seeded runs of breaks and kills`, async () => {
  console.log(`seed ${SEED}`);
  const sum: Record<string, number> = {};
  for (let run = 0; run < RUNS; run += 1) {
    const seed = (SEED + run) >>> 0;
    try {
      for (const [key, count] of Object.entries(await play(seed))) {
        sum[key] = (sum[key] ?? 0) + count;
      }
    } catch (error) {
      throw new Error(`Run again with BUSBAR_SEED=${seed}`, { cause: error });
    }
  }
  console.log(JSON.stringify(sum));
  assert(sum.kills! > RUNS && sum.drops! > RUNS && sum.repeated! > 0);
});
