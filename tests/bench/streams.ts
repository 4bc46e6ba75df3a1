// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * `deno task bench --streams [--rounds 5]`: the stream relay against haproxy (tcp mode, splice
 * options on, one thread) and socat (256 KiB, a process a stream): octets a second and processor
 * time per octet with one stream and with sixteen, sessions set up per second, and memory with
 * 2,000 sessions. Everything on loopback; contenders take turns inside each round, and what is
 * compared are ratios of one round.
 *
 * Needs gcc, haproxy, socat, and the executable (`deno task build`, or `BUSBAR_E2E=source`).
 * @module
 */
import { freePorts, RelayProcess } from "../relay/busbar.ts";
import { type Grant, greet, Peer, readExactly, writeAll } from "../relay/peer.ts";
import { memoryOf, processTime } from "./process.ts";
import { median } from "./stats.ts";
import { delay, tool } from "./tools.ts";

const STREAMS = [1, 16];
const SECONDS = 3;
const SETTLE_MS = 500;
const SETUPS = 400;
const SETUPS_AT_ONCE = 16;
const SESSIONS = 2000;
/** Ratios that the relay has to reach against haproxy. */
const BARS = { rate: { 1: 0.95, 16: 1.2 } as Record<number, number>, cpu: 0.8, memory: 150 };

interface Figures {
  readonly gbits: number;
  /** Processor seconds of the relay per 10^9 octets. */
  readonly cpu: number;
}

interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly pids: readonly number[];
  /** A specification for each stream, as `stream_load` takes it. */
  begin(streams: number): Promise<string[]>;
}

async function busbar(): Promise<Contender> {
  const relay = await RelayProcess.start({ ports: 64 });
  const server = await Peer.register(relay.controlPort, "server", "s", { "max_conn": 1000 });
  const client = await Peer.register(relay.controlPort, "client", "c");
  return {
    name: "busbar",
    pids: [relay.pid],
    async begin(streams) {
      const specs: string[] = [];
      for (let index = 0; index < streams; index += 1) {
        await client.send("pair_request", { "request_id": `r${index}`, "need_zmq": true });
        const { zmq_port: port, session_id: session } = (await client.next("pair_grant")).payload;
        specs.push(`relay:${port}:${session}:s:c`);
      }
      return specs;
    },
    async [Symbol.asyncDispose]() {
      for (const peer of [server, client]) peer[Symbol.dispose]();
      await relay[Symbol.asyncDispose]();
    },
  };
}

async function haproxy(): Promise<Contender> {
  const most = Math.max(...STREAMS);
  const [front, back] = [freePorts(most), freePorts(most)];
  const folder = Deno.makeTempDirSync();
  const proxies = Array.from({ length: most }, (_, index) =>
    `frontend f${index}
  bind 127.0.0.1:${front + index}
  default_backend b${index}
backend b${index}
  server s 127.0.0.1:${back + index}
`);
  Deno.writeTextFileSync(
    `${folder}/haproxy.cfg`,
    `global
  maxconn 1000
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option splice-auto
  option splice-request
  option splice-response
${proxies.join("")}`,
  );
  const child = spawn("haproxy", ["-db", "-f", `${folder}/haproxy.cfg`]);
  await delay(SETTLE_MS);
  return {
    name: "haproxy",
    pids: [child.pid],
    begin: (streams) =>
      Promise.resolve(
        Array.from({ length: streams }, (_, index) => `proxy:${front + index}:${back + index}`),
      ),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

function socat(): Contender {
  const children: Deno.ChildProcess[] = [];
  const pids: number[] = [];
  return {
    name: "socat",
    pids,
    async begin(streams) {
      // Each takes one connection and ends with it.
      const [front, back] = [freePorts(streams), freePorts(streams)];
      pids.length = 0;
      for (let index = 0; index < streams; index += 1) {
        const child = spawn("socat", [
          ...["-b", "262144", `TCP-LISTEN:${front + index},bind=127.0.0.1,reuseaddr`],
          `TCP:127.0.0.1:${back + index}`,
        ]);
        children.push(child);
        pids.push(child.pid);
      }
      await delay(SETTLE_MS);
      return Array.from({ length: streams }, (_, at) => `proxy:${front + at}:${back + at}`);
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) {
        try {
          child.kill("SIGKILL");
        } catch (error) {
          if (!(error instanceof TypeError)) throw error; // It has ended already.
        }
        await child.status;
      }
    },
  };
}

function spawn(program: string, args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(program, { args: [...args], stdout: "null", stderr: "null" }).spawn();
}

/** One load on one contender. */
async function load(contender: Contender, streams: number): Promise<Figures> {
  const specs = await contender.begin(streams);
  const child = new Deno.Command(tool("stream_load"), {
    args: [`${SECONDS}`, ...specs],
    stdout: "piped",
  }).spawn();
  let [before, after, text] = [0, 0, ""];
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (before === 0 && text.includes("begin")) before = processTime(contender.pids);
    if (after === 0 && /\d+ \d+/.test(text)) after = processTime(contender.pids);
  }
  await child.status;
  const [, octets, ns] = /(\d+) (\d+)/.exec(text) ?? [];
  if (octets === undefined) throw new Error(`stream_load said: ${text}`);
  await delay(SETTLE_MS);
  return {
    gbits: Number(octets) * 8 / Number(ns),
    cpu: (after - before) / Number(octets),
  };
}

/** Sessions from the request to the first octet through, per second. */
async function setups(): Promise<number> {
  await using relay = await RelayProcess.start({ ports: 200 });
  using server = await Peer.register(relay.controlPort, "server", "s", { "max_conn": 1000 });
  using client = await Peer.register(relay.controlPort, "client", "c");
  const begun = performance.now();
  for (let done = 0; done < SETUPS; done += SETUPS_AT_ONCE) {
    const grants: { near: Grant; far: Grant }[] = [];
    for (let index = 0; index < SETUPS_AT_ONCE; index += 1) {
      await client.send("pair_request", { "request_id": `${done}.${index}`, "need_zmq": true });
    }
    for (let index = 0; index < SETUPS_AT_ONCE; index += 1) {
      const near = (await client.next("pair_grant")).payload as Grant;
      grants.push({ near, far: (await server.next("pair_grant")).payload as Grant });
    }
    await Promise.all(grants.map(async ({ near, far }) => {
      using one = await greet(near, "client");
      using other = await greet(far, "server");
      await writeAll(one, Uint8Array.of(1));
      await readExactly(other, 1);
    }));
  }
  return SETUPS / ((performance.now() - begun) / 1000);
}

/** Resident MiB with so many sessions, each of which has carried something. */
async function memory(): Promise<{ readonly before: number; readonly after: number }> {
  await using relay = await RelayProcess.start({ ports: SESSIONS });
  const before = memoryOf(relay.pid).rss;
  using server = await Peer.register(relay.controlPort, "server", "s", { "max_conn": SESSIONS });
  using client = await Peer.register(relay.controlPort, "client", "c", { "max_conn": 1 });
  const conns: Deno.Conn[] = [];
  const chunk = new Uint8Array(64 * 1024);
  for (let index = 0; index < SESSIONS; index += 1) {
    await client.send("pair_request", { "request_id": `${index}`, "need_zmq": true });
    const near = await greet((await client.next("pair_grant")).payload, "client");
    const far = await greet((await server.next("pair_grant")).payload, "server");
    await writeAll(near, chunk);
    await readExactly(far, chunk.length);
    conns.push(near, far);
  }
  await delay(5000);
  const after = memoryOf(relay.pid).rss;
  const sessions = await relay.counter("sessions");
  if (sessions !== SESSIONS) throw new Error(`${sessions} of ${SESSIONS} sessions run`);
  for (const conn of conns) conn.close();
  return { before, after };
}

/** Runs everything and prints it. */
export async function streams(rounds: number): Promise<void> {
  const contenders = [await busbar(), await haproxy(), socat()];
  const found = new Map<string, Figures[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const count of STREAMS) {
      for (const contender of contenders) {
        const figures = await load(contender, count);
        const key = `${contender.name} ${count}`;
        found.set(key, [...found.get(key) ?? [], figures]);
        console.log(
          `round ${round + 1}, ${count} streams, ${contender.name}: ` +
            `${figures.gbits.toFixed(2)} Gbit/s, ${figures.cpu.toFixed(3)} CPU-s/GB`,
        );
      }
    }
  }
  for (const contender of contenders) await contender[Symbol.asyncDispose]();
  console.log("\nMedians, and medians of the ratios busbar/other of each round (bar):");
  for (const count of STREAMS) {
    const own = found.get(`busbar ${count}`)!;
    for (const name of ["busbar", "haproxy", "socat"]) {
      const other = found.get(`${name} ${count}`)!;
      const ratio = (of: keyof Figures) =>
        median(own.map((figures, round) => figures[of] / other[round]![of])).toFixed(2);
      const bar = (value: number | undefined) =>
        name === "haproxy" && value !== undefined ? ` (${value})` : "";
      console.log(
        `${count} streams, ${name}: ${
          median(other.map(({ gbits }) => gbits)).toFixed(2)
        } Gbit/s, ` +
          `${median(other.map(({ cpu }) => cpu)).toFixed(3)} CPU-s/GB` +
          (name === "busbar"
            ? ""
            : `; rate ${ratio("gbits")}${bar(BARS.rate[count])}, CPU ${ratio("cpu")}${
              bar(BARS.cpu)
            }`),
      );
    }
  }
  console.log(`\nSessions set up per second: ${(await setups()).toFixed(0)}`);
  const { before, after } = await memory();
  console.log(
    `Memory: ${before.toFixed(0)} MiB before, ${after.toFixed(0)} MiB with ${SESSIONS} sessions ` +
      `(${BARS.memory})`,
  );
}
