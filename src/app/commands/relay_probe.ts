/** `busbar relay probe server|client`: measures a relay with frames of the video test. */
import { AppError, describe, LinkDownError } from "../../base/errors.ts";
import { type Millis, millis, seconds } from "../../base/time.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { SYSTEM_FILES } from "../../platform/files.ts";
import type { ByteConn, Endpoint } from "../../platform/ports.ts";
import {
  encodeVideo,
  VIDEO_HEADER,
  type VideoFrame,
  VideoReader,
} from "../../protocol/v4relay/mod.ts";
import { Arguments } from "../arguments.ts";
import { controlTarget, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import { probeReport, type Sample } from "../probe_report.ts";
import { closeOn, grantOf, openData, RelayPeer, type Transport } from "../relay_peer.ts";

const RECONNECT = millis(200);
const PING_EVERY = seconds(1);
/** How long the last echoes may take. */
const DRAIN = millis(1500);
/** The bucket of tokens holds what this time gives. */
const BURST = millis(200);
const RATE_DEFAULT = 20;
const RATE_MAX = 100_000;
const CHUNK_DEFAULT = 64;
const CHUNK_MAX = 16 * 1024;
const DURATION_DEFAULT = seconds(10);
/** Samples that are measured; beyond it only sums are kept. */
const SAMPLES_MAX = 1_000_000;
const NONE = new Uint8Array(0);

const COMMON: readonly Option[] = [
  {
    name: "id",
    value: "ID",
    summary: "As whom to register; probe-server or probe-client if absent",
  },
  { name: "token", value: "TEXT", summary: "Token of the register; $RELAY_TOKEN if absent" },
  ...TARGET_OPTIONS,
];

/** The end that echoes. */
export const relayProbeServerCommand: Command = {
  name: "relay probe server",
  summary: "Registers as a server of a relay and echoes video test frames",
  details: "Runs until Ctrl-C; registers again 200ms after the relay was lost.",
  options: [
    { name: "sessions", value: "N", summary: "Sessions that it takes at once; 100 if absent" },
    ...COMMON,
  ],
  args: [],
  examples: ["busbar relay probe server --control 10.0.0.1:5555"],
  run: serve,
};

/** The end that sends and measures. */
export const relayProbeClientCommand: Command = {
  name: "relay probe client",
  summary: "Sends video test frames through a relay and reports on their echoes",
  details:
    "Prints a report as JSON: round trips, goodput, loss. Exit code 1 when nothing came back.",
  options: [
    { name: "server", value: "ID", summary: "With whom; any server if absent" },
    { name: "srt", summary: "Through an SRT port; a frame is a message then, of 1 KiB" },
    { name: "rate", value: "MBIT/S", summary: `Rate; ${RATE_DEFAULT} if absent` },
    { name: "chunk", value: "KIB", summary: `Payload of a frame; ${CHUNK_DEFAULT} if absent` },
    { name: "duration", short: "d", value: "SPAN", summary: "How long to send; 10s if absent" },
    { name: "drop", value: "PERCENT", summary: "Leave out so many frames, by chance" },
    { name: "jitter", value: "SPAN", summary: "Hold each frame back by chance, up to this" },
    { name: "samples", value: "N", summary: "Put so many samples into the report" },
    { name: "report", value: "FILE", complete: "file", summary: "Write the report there too" },
    ...COMMON,
  ],
  args: [],
  examples: ["busbar relay probe client --rate 50 --duration 30s"],
  run: probe,
};

async function serve(call: Invocation): Promise<number> {
  const given = new Arguments("relay probe server", call);
  const sessions = given.whole("sessions", 1, 65_535) ?? 100;
  const { endpoint } = await controlTarget(call);
  const { terminal, signal } = call;
  const clock = new SystemClock();
  const identity = {
    ...{ role: "server", id: given.text("id") ?? "probe-server" } as const,
    ...{ token: tokenOf(call, given), maxConn: sessions },
  };
  let told = "";
  while (!signal.aborted) {
    try {
      await using peer = await RelayPeer.register(endpoint, identity, signal);
      using _ = closeOn(signal, peer);
      told = "";
      terminal.out(`Registered as server ${identity.id} on ${endpoint.host}:${endpoint.port}`);
      for (;;) {
        const { payload } = await peer.until("pair_grant");
        const grant = grantOf(payload);
        terminal.out(`Session ${grant.sessionId} with ${grant.clientId}`);
        void echo(endpoint, grant, signal).then((why) =>
          terminal.out(`Session ${grant.sessionId} has ended: ${why}`)
        );
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (signal.aborted) break;
      const why = describe(error);
      if (why !== told) terminal.err(why);
      told = why;
      await pause(clock, RECONNECT, signal);
    }
  }
  return EXIT.ok;
}

/** Serves one session to its end. Returns why it ended. */
async function echo(
  control: Endpoint,
  grant: ReturnType<typeof grantOf>,
  signal: AbortSignal,
): Promise<string> {
  const over = new AbortController();
  try {
    await using conn = await openData(control.host, grant, "server", signal);
    using _ = closeOn(signal, conn);
    const clock = new SystemClock();
    const pinging = (async () => {
      for (let sequence = 1n; !over.signal.aborted; sequence += 1n) {
        await pause(clock, PING_EVERY, over.signal);
        if (over.signal.aborted) return;
        await conn.write(encodeVideo(frame("ping", sequence, NONE)));
      }
    })();
    try {
      await forFrames(conn, grant.zmqPort === undefined, async (one) => {
        const received = nowNs();
        if (one.type === "data") {
          await conn.write(encodeVideo({
            ...one,
            type: "echo",
            serverReceivedNs: received,
            serverSentNs: nowNs(),
          }));
        } else if (one.type === "ping") await conn.write(encodeVideo({ ...one, type: "pong" }));
      });
    } finally {
      over.abort();
      await pinging;
    }
    return "the client has finished";
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return describe(error);
  }
}

interface Run {
  readonly transport: Transport;
  readonly rate: number;
  readonly chunk: number;
  readonly duration: Millis;
  readonly drop: number;
  readonly jitter: Millis;
}

async function probe(call: Invocation): Promise<number> {
  const given = new Arguments("relay probe client", call);
  const transport = given.flag("srt") ? "srt" : "zmq";
  const chunk = given.whole("chunk", 1, transport === "srt" ? 1 : CHUNK_MAX) ??
    (transport === "srt" ? 1 : CHUNK_DEFAULT);
  const run: Run = {
    transport,
    rate: given.positive("rate", RATE_MAX) ?? RATE_DEFAULT,
    chunk: chunk * 1024,
    duration: given.span("duration") ?? DURATION_DEFAULT,
    drop: given.positive("drop", 100) ?? 0,
    jitter: given.span("jitter") ?? millis(0),
  };
  const kept = given.whole("samples", 1, SAMPLES_MAX) ?? 0;
  const { endpoint } = await controlTarget(call);
  const { terminal, signal } = call;
  const id = given.text("id") ?? "probe-client";
  const identity = { role: "client", id, token: tokenOf(call, given), maxConn: 1 } as const;
  try {
    await using peer = await RelayPeer.register(endpoint, identity, signal);
    using _ = closeOn(signal, peer);
    const grant = await peer.pair(crypto.randomUUID().slice(0, 8), given.text("server"), transport);
    await using conn = await openData(endpoint.host, grant, "client", signal);
    const report = probeReport(await measure(conn, run, signal), kept);
    const text = JSON.stringify(report, null, 2);
    const file = given.text("report");
    if (file !== undefined) await SYSTEM_FILES.replace(file, `${text}\n`);
    terminal.out(text);
    return report.echo_frames === 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    if (!(error instanceof LinkDownError) || !signal.aborted) throw error;
    return EXIT.ok;
  }
}

/** Sends for a while and takes the echoes. */
async function measure(conn: ByteConn, run: Run, signal: AbortSignal) {
  const clock = new SystemClock();
  const samples: Sample[] = [];
  const payload = crypto.getRandomValues(new Uint8Array(Math.min(run.chunk, 65_536)));
  const body = new Uint8Array(run.chunk).map((_, at) => payload[at % payload.length]!);
  const drained = new AbortController();
  let echoBytes = 0;
  let finishedNs = nowNs();
  let sentFrames = 0;
  let sending = true;
  const hearing = forFrames(conn, run.transport === "srt", async (one) => {
    if (one.type === "ping") await conn.write(encodeVideo({ ...one, type: "pong" }));
    if (one.type !== "echo") return;
    finishedNs = nowNs();
    echoBytes += VIDEO_HEADER + one.payload.length;
    if (samples.length < SAMPLES_MAX) {
      samples.push({
        sequence: Number(one.sequence),
        rttMs: Number(finishedNs - one.sentNs) / 1e6,
        serverMs: Number(one.serverSentNs - one.serverReceivedNs) / 1e6,
      });
    }
    if (!sending && samples.length === sentFrames) drained.abort();
  }).then(() => drained.abort(), (error: unknown) => {
    drained.abort();
    if (!(error instanceof AppError)) throw error;
  });
  const startedNs = nowNs();
  let droppedFrames = 0;
  const bits = (VIDEO_HEADER + run.chunk) * 8;
  const end = clock.now() + run.duration;
  // Tokens are bits; what is not used within a burst is lost.
  let tokens = bits;
  let at = clock.now();
  for (let sequence = 1n; clock.now() < end && !signal.aborted && !drained.signal.aborted;) {
    const now = clock.now();
    tokens = Math.min(
      Math.max(bits, run.rate * 1000 * BURST),
      tokens + (now - at) * run.rate * 1000,
    );
    at = now;
    if (tokens < bits) {
      await pause(clock, millis(Math.max(1, (bits - tokens) / (run.rate * 1000))), signal);
      continue;
    }
    tokens -= bits;
    if (Math.random() * 100 < run.drop) droppedFrames += 1;
    else {
      if (run.jitter > 0) await pause(clock, millis(Math.random() * run.jitter), signal);
      await conn.write(encodeVideo(frame("data", sequence, body)));
      sentFrames += 1;
    }
    sequence += 1n;
  }
  sending = false;
  if (samples.length < sentFrames) await pause(clock, DRAIN, drained.signal);
  await conn[Symbol.asyncDispose]();
  await hearing;
  const sentBytes = sentFrames * (VIDEO_HEADER + run.chunk);
  return {
    ...{ transport: run.transport, startedNs, finishedNs, sentFrames, sentBytes, echoBytes },
    ...{ droppedFrames, samples },
  };
}

/** @param single Whether each message is a frame: then one that is lost hurts no other. */
async function forFrames(
  conn: ByteConn,
  single: boolean,
  act: (frame: VideoFrame) => Promise<void>,
): Promise<void> {
  let reader = new VideoReader();
  for (let octets = await conn.read(); octets; octets = await conn.read()) {
    if (single) reader = new VideoReader();
    reader.feed(octets);
    for (let one = reader.next(); one; one = reader.next()) {
      if (one.kind === "malformed") {
        throw new AppError("relay.frame", `What came is no frame of the video test: ${one.code}`);
      }
      await act(one);
    }
  }
}

function frame(type: VideoFrame["type"], sequence: bigint, payload: Uint8Array) {
  return { type, sequence, sentNs: nowNs(), serverReceivedNs: 0n, serverSentNs: 0n, payload };
}

function nowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** The token of the register; any will do where tokens are not checked. */
function tokenOf({ terminal }: Invocation, given: Arguments): string {
  return given.text("token") ?? terminal.env("RELAY_TOKEN") ?? "busbar-probe";
}
