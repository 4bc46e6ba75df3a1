/** `busbar relay chaos`: peers of a relay that come, go, break off and send nonsense. */
import { AppError } from "../../base/errors.ts";
import { type Millis, millis, seconds } from "../../base/time.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { SYSTEM_NET } from "../../platform/net.ts";
import type { ByteConn, Endpoint } from "../../platform/ports.ts";
import { Arguments } from "../arguments.ts";
import { ControlClient, type ControlTarget, controlTarget, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { closeOn, grantOf, openData, RelayPeer } from "../relay_peer.ts";

const NAME = "relay chaos";
const CLIENTS_MAX = 10_000;
const SERVERS = 4;
const CHUNK = 16 * 1024;
/** How long a connection may take to be made or a grant to come. */
const PATIENCE = seconds(3);

/** What was done, by kind. */
type Tally = Record<Act | "refused" | "octets_sent" | "octets_echoed", number>;
type Act =
  | "talked"
  | "broke_off"
  | "left_early"
  | "never_came"
  | "nonsense_control"
  | "nonsense_data";

interface Stage {
  readonly control: Endpoint;
  readonly token: string;
  readonly signal: AbortSignal;
  readonly delay: Millis;
  readonly drop: number;
  readonly tally: Tally;
}

/** Peers that misbehave. */
export const relayChaosCommand: Command = {
  name: NAME,
  summary: "Lets many clients come, go, break off and send nonsense to a relay",
  details: "Four servers of its own echo. At the end it prints what was done as JSON, and asks " +
    "/status whether the relay still answers: exit code 1 when it does not. Not for a relay that " +
    "somebody needs.",
  options: [
    { name: "clients", value: "N", summary: "Clients at once; 100 if absent" },
    { name: "duration", short: "d", value: "SPAN", summary: "How long; 30s if absent" },
    { name: "delay", value: "SPAN", summary: "Longest pause between two steps; 200ms if absent" },
    {
      name: "drop",
      value: "PERCENT",
      summary: "Share of steps at which one breaks off; 5 if absent",
    },
    { name: "token", value: "TEXT", summary: "Token of the register; $RELAY_TOKEN if absent" },
    ...TARGET_OPTIONS,
  ],
  args: [],
  examples: ["busbar relay chaos --clients 200 --duration 10s"],
  run: chaos,
};

async function chaos(call: Invocation): Promise<number> {
  const given = new Arguments(NAME, call);
  const clients = given.whole("clients", 1, CLIENTS_MAX) ?? 100;
  const duration = given.span("duration") ?? seconds(30);
  const target = await controlTarget(call);
  const clock = new SystemClock();
  const over = new AbortController();
  call.signal.addEventListener("abort", () => over.abort(), { once: true });
  const tally: Tally = {
    ...{ talked: 0, "broke_off": 0, "left_early": 0, "never_came": 0, "nonsense_control": 0 },
    ...{ "nonsense_data": 0, refused: 0, "octets_sent": 0, "octets_echoed": 0 },
  };
  const stage: Stage = {
    control: target.endpoint,
    token: given.text("token") ?? call.terminal.env("RELAY_TOKEN") ?? "busbar-chaos",
    signal: over.signal,
    delay: given.span("delay") ?? millis(200),
    drop: given.positive("drop", 100) ?? 5,
    tally,
  };
  const all = [
    ...Array.from(
      { length: SERVERS },
      (_, index) => serve(stage, `chaos-server-${index}`, clients),
    ),
    ...Array.from({ length: clients }, (_, index) => misbehave(stage, `chaos-client-${index}`)),
  ];
  await pause(clock, duration, over.signal);
  over.abort();
  await Promise.all(all);
  const alive = await answers(target);
  call.terminal.out(JSON.stringify({ clients, ...tally, "relay_answers": alive }, null, 2));
  return alive ? EXIT.ok : EXIT.failed;
}

async function answers(target: ControlTarget): Promise<boolean> {
  try {
    await new ControlClient(target).get("/status");
    return true;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return false;
  }
}

/** A server that echoes, again and again. */
async function serve(stage: Stage, id: string, maxConn: number): Promise<void> {
  const { control, token, signal } = stage;
  await again(stage, async () => {
    await using peer = await RelayPeer.register(
      control,
      { role: "server", id, token, maxConn },
      signal,
    );
    using _ = closeOn(signal, peer);
    for (;;) {
      const { payload } = await peer.until("pair_grant");
      void attempt(async () => {
        await using conn = await openData(control.host, grantOf(payload), "server", signal);
        using _ = closeOn(signal, conn);
        for (let octets = await conn.read(); octets; octets = await conn.read()) {
          await conn.write(octets);
        }
      });
    }
  });
}

async function misbehave(stage: Stage, id: string): Promise<void> {
  const { control, token, signal, tally } = stage;
  await again(stage, async () => {
    const dice = Math.random();
    if (dice < 0.1) return await nonsense(control, stage, "nonsense_control");
    await using peer = await RelayPeer.register(
      control,
      { role: "client", id, token, maxConn: 1 },
      signal,
    );
    using _ = closeOn(signal, peer);
    if (dice < 0.2) return void (tally.left_early += 1);
    const late = new AbortController();
    using _late = closeOn(late.signal, peer);
    void pause(new SystemClock(), PATIENCE, signal).then(() => late.abort());
    const server = `chaos-server-${Math.floor(Math.random() * SERVERS)}`;
    const grant = await peer.pair(crypto.randomUUID().slice(0, 8), server);
    if (dice < 0.3) return void (tally.never_came += 1);
    if (dice < 0.4) {
      const port = grant.zmqPort ?? control.port;
      return await nonsense({ host: control.host, port }, stage, "nonsense_data");
    }
    await using conn = await openData(control.host, grant, "client", signal);
    await talk(conn, stage);
  });
}

/** Sends, and hears its echo, until it breaks off. */
async function talk(conn: ByteConn, { signal, delay, drop, tally }: Stage): Promise<void> {
  using _ = closeOn(signal, conn);
  const hearing = attempt(async () => {
    for (let octets = await conn.read(); octets; octets = await conn.read()) {
      tally.octets_echoed += octets.length;
    }
  });
  const clock = new SystemClock();
  const chunk = crypto.getRandomValues(new Uint8Array(CHUNK));
  while (!signal.aborted) {
    const size = Math.ceil(Math.random() * CHUNK);
    await conn.write(chunk.subarray(0, size));
    tally.octets_sent += size;
    await pause(clock, millis(Math.random() * delay), signal);
    if (Math.random() * 100 >= drop) continue;
    if (Math.random() < 0.5) {
      await conn.finish?.();
      await hearing;
      tally.talked += 1;
    } else tally.broke_off += 1;
    return;
  }
}

async function nonsense(to: Endpoint, stage: Stage, kind: Act): Promise<void> {
  await using conn = await SYSTEM_NET.dial(to, stage.signal);
  using _ = closeOn(stage.signal, conn);
  const octets = crypto.getRandomValues(new Uint8Array(1 + Math.floor(Math.random() * CHUNK)));
  // Half of it begins as if it were something.
  if (Math.random() < 0.5) {
    const begin = kind === "nonsense_data" ? "V4HELLO " : '{"type":';
    octets.set(new TextEncoder().encode(begin).subarray(0, octets.length));
  }
  await conn.write(octets);
  stage.tally[kind] += 1;
  await pause(new SystemClock(), millis(Math.random() * stage.delay), stage.signal);
}

/** One life after the other until the end. */
async function again(stage: Stage, live: () => Promise<void>): Promise<void> {
  const clock = new SystemClock();
  while (!stage.signal.aborted) {
    if (!await attempt(live) && !stage.signal.aborted) stage.tally.refused += 1;
    await pause(clock, millis(Math.random() * stage.delay), stage.signal);
  }
}

/** Whether it went well: that a connection breaks is what this is about. */
async function attempt(act: () => Promise<void>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return false;
  }
}
