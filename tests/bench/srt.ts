// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * `deno task bench --srt [--rounds 5]`: the relay's SRT ports against `srt-live-transmit` between
 * two listeners: messages of 1,316 octets from one caller of libsrt to another, at 20 and 200
 * Mbit/s; then the highest rate without loss, fifty streams of 4 Mbit/s, and memory. Everything on
 * loopback; contenders take turns inside each round.
 *
 * Needs gcc, libsrt-openssl-dev, srt-tools, and the executable.
 * @module
 */
import { freePorts, RelayProcess } from "../relay/busbar.ts";
import { Peer } from "../relay/peer.ts";
import { memoryOf, processTime } from "./process.ts";
import { median } from "./stats.ts";
import { delay, tool } from "./tools.ts";

const RATES = [20, 200];
const LADDER = [300, 400, 500, 600, 700, 800];
const SECONDS = 4;
const SETTLE_MS = 500;
const STREAMS = 50;
const STREAM_MBITS = 4;
/** CPU that the relay may take, of what srt-live-transmit takes. */
const BAR = 2;

interface Figures {
  readonly sent: number;
  readonly lost: number;
  /** Share of a core. */
  readonly core: number;
  /** Milliseconds on the way. */
  readonly p50: number;
  readonly p99: number;
  readonly memory: number;
}

async function load(pid: number, mbits: number, streams: readonly string[]): Promise<Figures> {
  const child = new Deno.Command(tool("srt_load"), {
    args: [`${SECONDS}`, `${mbits}`, ...streams],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let [before, after, text] = [0, 0, ""];
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (before === 0 && text.includes("begin")) before = processTime([pid]);
    if (after === 0 && text.includes("end")) after = processTime([pid]);
  }
  await child.status;
  const found = /(\d+) (\d+) (\d+) (-?\d+) (-?\d+)/.exec(text)?.slice(1).map(Number);
  if (!found || found[0] === 0) {
    return { sent: 0, lost: Infinity, core: NaN, p50: NaN, p99: NaN, memory: NaN };
  }
  const [sent, received, ns, p50, p99] = found as [number, number, number, number, number];
  return {
    sent,
    lost: sent - received,
    core: (after - before) / ns,
    p50: p50 / 1000,
    p99: p99 / 1000,
    memory: memoryOf(pid).rss,
  };
}

async function viaTransmit(mbits: number): Promise<Figures> {
  const [from, to] = [freePorts(1), freePorts(1)];
  const options = "fc=32768&rcvbuf=8000000&sndbuf=8000000";
  const child = new Deno.Command("srt-live-transmit", {
    args: ["-q", "-chunk:1316", `srt://:${from}?${options}`, `srt://:${to}?${options}`],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await delay(SETTLE_MS);
  const figures = await load(child.pid, mbits, [`${from}/${to}//`]);
  child.kill("SIGKILL");
  await child.status;
  return figures;
}

async function viaBusbar(mbits: number, count = 1): Promise<Figures> {
  await using relay = await RelayProcess.start({ ports: 2, srtPorts: count });
  using _server = await Peer.register(relay.controlPort, "server", "s");
  using client = await Peer.register(relay.controlPort, "client", "c");
  const streams: string[] = [];
  for (let index = 0; index < count; index += 1) {
    await client.send("pair_request", { "request_id": `${index}`, "need_srt": true });
    const { srt_port: port, session_id: session } = (await client.next("pair_grant")).payload;
    const id = (name: string) => `#!::s=${session},u=${name}`;
    streams.push(`${port}/${port}/${id("c")}/${id("s")}`);
  }
  return await load(relay.pid, mbits, streams);
}

function line({ lost, core, p50, p99, memory }: Figures): string {
  return `${(core * 100).toFixed(0)} % of a core, ${lost} lost, on the way p50 ${
    p50.toFixed(0)
  } ms ` +
    `p99 ${p99.toFixed(0)} ms, ${memory.toFixed(0)} MiB`;
}

/** Runs everything and prints it. */
export async function srt(rounds: number): Promise<void> {
  for (const rate of RATES) {
    const ratios: number[] = [];
    let lost = 0;
    for (let round = 0; round < rounds; round += 1) {
      const other = await viaTransmit(rate);
      const own = await viaBusbar(rate);
      console.log(`${rate} Mbit/s, srt-live-transmit: ${line(other)}`);
      console.log(`${rate} Mbit/s, busbar: ${line(own)}`);
      ratios.push(own.core / other.core);
      lost += own.lost;
    }
    console.log(
      `${rate} Mbit/s: CPU ${
        median(ratios).toFixed(2)
      } of srt-live-transmit (${BAR}), ${lost} lost\n`,
    );
  }
  const best = { busbar: 0, transmit: 0 };
  for (const rate of LADDER) {
    if ((await viaBusbar(rate)).lost === 0) best.busbar = rate;
    if ((await viaTransmit(rate)).lost === 0) best.transmit = rate;
  }
  console.log(
    `Highest rate tried without loss: busbar ${best.busbar}, srt-live-transmit ${best.transmit}`,
  );
  console.log(
    `${STREAMS} x ${STREAM_MBITS} Mbit/s: ${line(await viaBusbar(STREAM_MBITS, STREAMS))}`,
  );
}
