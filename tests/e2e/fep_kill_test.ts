// deno-lint-ignore-file no-console -- what was done has to be seen
/**
 * The front end between an RTU and two control centres is killed and frozen at random moments while
 * 1,500 numbered events a second come. Each control centre has every one of them, in order.
 */
import type { PointId } from "../../src/points/points.ts";
import { SystemClock } from "../../src/platform/clock.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import { TYPE } from "../../src/protocol/iec104/mod.ts";
import { LinkDownError } from "../../src/base/errors.ts";
import { assert, assertEquals } from "../assert.ts";
import { freePorts } from "../relay/busbar.ts";
import { Outstation, spontaneous } from "../sim/outstation.ts";
import { random } from "../sim/random.ts";
import { Scada } from "../sim/scada.ts";
import { executable } from "./harness.ts";

const HURTS = 50;
const PER_SECOND = 1500;
const POINTS = 20;
const SEED = Number(Deno.env.get("BUSBAR_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A control centre that connects again whenever it is disconnected, and keeps what it is told. */
class Centre {
  readonly numbers: number[] = [];
  connections = 0;
  #over = false;
  readonly #ended: Promise<void>;

  constructor(readonly port: number) {
    this.#ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    const clock = new SystemClock();
    while (!this.#over) {
      let scada: Scada;
      try {
        scada = await Scada.dial(SYSTEM_NET, clock, this.port);
      } catch (error) {
        if (!(error instanceof LinkDownError)) throw error;
        await delay(30);
        continue;
      }
      this.connections += 1;
      scada.start();
      while (scada.end === undefined && !this.#over) {
        await delay(10);
        this.#take(scada);
      }
      this.#take(scada);
      scada.drop();
    }
  }

  #take(scada: Scada): void {
    for (const { type, objects } of scada.heard.splice(0)) {
      if (type !== TYPE.M_BO_TB_1) continue;
      for (const object of objects) if (object.kind === "bitstring") this.numbers.push(object.bits);
    }
  }
}

/** busbar as a front end, started again and again in the same folder. */
class Fep {
  readonly folder = Deno.makeTempDirSync({ prefix: "busbar-fep-" });
  readonly config = `${this.folder}/busbar.yaml`;
  #child: Deno.ChildProcess | undefined;

  constructor(
    readonly ports: {
      readonly rtu: number;
      readonly centres: readonly number[];
      readonly control: number;
    },
    acknowledge: string,
    commitWithin: string,
  ) {
    const slave = (port: number) => ({
      listen: `127.0.0.1:${port}`,
      forward: `${this.folder}/forward.csv`,
    });
    const config = {
      control: { listen: `127.0.0.1:${ports.control}` },
      points: { folder: `${this.folder}/data`, "commit_within": commitWithin, survives: "process" },
      modules: {
        "iec104_master": {
          rtu: {
            channels: [`127.0.0.1:${ports.rtu}`],
            acknowledge,
            retry: "100ms",
            t2: "1s",
            "interrogate_on_start": false,
          },
        },
        "iec104_slave": { a: slave(ports.centres[0]!), b: slave(ports.centres[1]!) },
      },
    };
    Deno.writeTextFileSync(this.config, JSON.stringify(config));
    const points = Array.from({ length: POINTS }, (_, index) => index + 1);
    Deno.writeTextFileSync(
      `${this.folder}/points.csv`,
      `tag_station,coa,ioa,kind\n${points.map((ioa) => `rtu,1,${ioa},yc`).join("\n")}\n`,
    );
    const rows = points.map((ioa) => `rtu.yc.${ioa}` as PointId).map((point) => `${point},33`);
    Deno.writeTextFileSync(`${this.folder}/forward.csv`, `point,type\n${rows.join("\n")}\n`);
  }

  async import(): Promise<void> {
    const [program, ...args] = executable();
    const { code, stderr } = await new Deno.Command(program!, {
      args: [...args, "points", "import", `${this.folder}/points.csv`, "-c", this.config],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  }

  start(): void {
    const [program, ...args] = executable();
    this.#child = new Deno.Command(program!, {
      args: [...args, "run", "-c", this.config],
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  signal(signal: Deno.Signal): void {
    this.#child!.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    child.kill("SIGKILL");
    await child.status;
  }
}

interface Outcome {
  readonly sent: number;
  readonly missing: readonly number[];
  readonly repeated: readonly number[];
  readonly disordered: number;
}

/** Hurts a front end so many times, lets everything come over, and counts. */
async function hurt(
  times: number,
  acknowledge: string,
  commitWithin: string,
  patience: number,
): Promise<Outcome> {
  const dice = random(SEED);
  const first = freePorts(4);
  const ports = { rtu: first, centres: [first + 1, first + 2], control: first + 3 };
  const fep = new Fep(ports, acknowledge, commitWithin);
  const clock = new SystemClock();
  const rtu = await Outstation.open({ net: SYSTEM_NET, clock, port: ports.rtu });
  const centres = ports.centres.map((port) => new Centre(port));
  let sent = 0;
  let telling: ReturnType<typeof setInterval> | undefined;
  try {
    await fep.import();
    fep.start();
    // The cursors are there before the first event, as they are on a site that runs.
    while (centres.some(({ connections }) => connections === 0)) await delay(20);
    await delay(300);
    const began = performance.now();
    telling = setInterval(() => {
      const due = Math.floor((performance.now() - began) / 1000 * PER_SECOND);
      for (; sent < due; sent += 1) {
        const bits = sent + 1;
        const object = { kind: "bitstring", address: 1 + bits % POINTS, bits, quality: 0 } as const;
        rtu.tell(spontaneous(TYPE.M_BO_NA_1, object));
      }
    }, 5);
    for (let turn = 0; turn < times; turn += 1) {
      await delay(300 + dice(700));
      if (turn % 5 === 4) {
        fep.signal("SIGSTOP");
        await delay(200 + dice(600));
        fep.signal("SIGCONT");
      } else {
        await fep.kill();
        fep.start();
      }
    }
    clearInterval(telling);
    const end = performance.now() + patience;
    const done = () =>
      rtu.queue.length === 0 && centres.every(({ numbers }) => numbers.at(-1) === sent);
    while (!done() && performance.now() < end) await delay(50);
    for (const centre of centres) await centre.stop();
  } finally {
    clearInterval(telling);
    await fep.kill();
    await rtu[Symbol.asyncDispose]();
    Deno.removeSync(fep.folder, { recursive: true });
  }
  let disordered = 0;
  for (const { numbers } of centres) {
    const last = new Map<number, number>();
    let highest = 0;
    for (const number of numbers) {
      // What comes again comes in its order too: it never runs ahead of what was left out.
      if (number > highest + 1) disordered += 1;
      highest = Math.max(highest, number);
      last.set(number % POINTS, number);
    }
    for (const [point, number] of last) {
      if (number < sent - POINTS && number % POINTS === point) disordered += 1;
    }
  }
  return {
    sent,
    missing: centres.map(({ numbers }) => sent - new Set(numbers).size),
    repeated: centres.map(({ numbers }) => numbers.length - new Set(numbers).size),
    disordered,
  };
}

Deno.test(`A front end that is killed and frozen ${HURTS} times loses no event, and keeps their order`, async () => {
  console.log(`seed ${SEED}`);
  const outcome = await hurt(HURTS, "when_durable", "10ms", 60_000);
  console.log(JSON.stringify(outcome));
  assert(outcome.sent > HURTS * 300, "events did come meanwhile");
  assertEquals([outcome.missing, outcome.disordered], [[0, 0], 0]);
});

// The same run with the usual way of confirming: it does lose events, so the test above can fail.
Deno.test("Confirmed as they come, events are lost with the process", async () => {
  const outcome = await hurt(12, "on_receipt", "50ms", 5000);
  console.log(JSON.stringify(outcome));
  assert(outcome.missing.some((count) => count > 0), JSON.stringify(outcome));
});
