/** `busbar relay sessions`: the sessions that run through the relay of the running busbar. */
import { roughSize } from "../../base/size.ts";
import type { Json } from "../../kernel/registry.ts";
import { ControlClient, controlTarget, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { table } from "../table.ts";
import { showOrWatch, WATCH_OPTION } from "../watching.ts";

const NAME = "relay sessions";

/** One session, as /status has it. */
interface Shown {
  readonly kind: string;
  readonly port: number;
  readonly "session_id": string;
  readonly "server_id": string;
  readonly "client_id": string;
  readonly "mbps_up": number;
  readonly "mbps_down": number;
  readonly "rtt_ms": number;
  readonly "retrans_pct": number;
  readonly quality: number;
  readonly "octets_up": number;
  readonly "octets_down": number;
  readonly "waiting_up": number;
  readonly "waiting_down": number;
  readonly seconds: number;
  readonly "silent_ms": number;
}

/** The sessions of the relay. */
export const relaySessionsCommand: Command = {
  name: NAME,
  summary: "Shows every session of the stream relay",
  details: "UP is from the client to the server. WAIT is what a receiver has not taken yet.",
  options: [
    { name: "json", summary: "Prints the sessions as JSON" },
    WATCH_OPTION,
    ...TARGET_OPTIONS,
  ],
  args: [],
  examples: ["busbar relay sessions --watch"],
  run: (call) => showOrWatch(NAME, call, show),
};

/** Ends one session. */
export const relayKickCommand: Command = {
  name: "relay kick",
  summary: "Ends a session of the stream relay",
  details: "Both ends are reset. Exit code 1 when there is no such session.",
  options: TARGET_OPTIONS,
  args: [{ name: "session", summary: "Its name, as `busbar relay sessions --json` shows it" }],
  examples: ["busbar relay kick 1816da7238e85cef"],
  async run(call: Invocation): Promise<number> {
    const client = new ControlClient(await controlTarget(call));
    await client.post("/relay/kick", { "session_id": call.args[0] ?? "" });
    call.terminal.out("The session was ended");
    return EXIT.ok;
  },
};

async function show(client: ControlClient, { options, terminal }: Invocation): Promise<number> {
  const sessions = sessionsOf(await client.get("/status"));
  if (options.json === true) terminal.out(JSON.stringify(sessions, null, 2));
  else if (!sessions) terminal.out("This busbar has no stream relay (modules: stream_relay)");
  else if (sessions.length === 0) terminal.out("No session runs");
  else for (const line of lines(sessions, terminal.columns)) terminal.out(line);
  return sessions ? EXIT.ok : EXIT.failed;
}

interface Detail {
  readonly sessions?: readonly Shown[];
  readonly "srt_sessions"?: readonly Shown[];
}

/** The sessions in the document behind /status; undefined without a relay. */
export function sessionsOf(status: Json): readonly Shown[] | undefined {
  const { services } = status as unknown as {
    services: Readonly<Record<string, { detail?: Detail } | undefined>>;
  };
  const relay = services.stream_relay;
  if (!relay) return undefined;
  return [...relay.detail?.sessions ?? [], ...relay.detail?.srt_sessions ?? []];
}

function lines(sessions: readonly Shown[], columns: number): string[] {
  return table(
    [
      { title: "PORT", align: "right" },
      { title: "KIND" },
      { title: "CLIENT" },
      { title: "SERVER" },
      { title: "UP Mbit/s", align: "right" },
      { title: "DOWN", align: "right" },
      { title: "RTT", align: "right" },
      { title: "RETRANS", align: "right" },
      { title: "QUALITY", align: "right" },
      { title: "OCTETS", align: "right" },
      { title: "WAIT", align: "right" },
      { title: "SILENT", align: "right" },
      { title: "SESSION" },
    ],
    sessions.map((session) => [
      String(session.port),
      session.kind === "zmq" ? "tcp" : session.kind,
      session.client_id,
      session.server_id,
      session.mbps_up.toFixed(2),
      session.mbps_down.toFixed(2),
      `${session.rtt_ms}ms`,
      `${session.retrans_pct}%`,
      String(Math.round(session.quality)),
      roughSize(session.octets_up + session.octets_down),
      roughSize(session.waiting_up + session.waiting_down),
      `${Math.round(session.silent_ms / 100) / 10}s`,
      session.session_id,
    ]),
    columns,
  );
}
