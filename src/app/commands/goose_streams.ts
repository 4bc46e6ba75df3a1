/** `busbar goose streams`: the GOOSE streams that the paths of the running busbar watch. */
import type { Json } from "../../kernel/registry.ts";
import { type ControlClient, TARGET_OPTIONS } from "../client.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { table } from "../table.ts";
import { showOrWatch, WATCH_OPTION } from "../watching.ts";

const NAME = "goose streams";

/** One stream, as /status has it. */
interface Shown {
  readonly path: string;
  readonly way: string;
  readonly source: string;
  readonly "app_id": number;
  readonly stream: string;
  readonly "st_num": number;
  readonly "sq_num": number;
  readonly "ttl_ms": number;
  readonly "silent_ms": number;
  readonly alive: boolean;
  readonly simulation: boolean;
  readonly "nds_com": boolean;
  readonly "per_second": number;
  readonly frames: number;
  readonly lost: number;
  readonly "lost_changes": number;
  readonly duplicates: number;
  readonly restarts: number;
  readonly expirations: number;
}

/** The streams of all paths. */
export const gooseStreamsCommand: Command = {
  name: NAME,
  summary: "Shows every GOOSE stream that is watched",
  details: "Needs `supervise: true` on the path. Exit code 1 when a stream is silent.",
  options: [
    { name: "json", summary: "Prints the streams as JSON" },
    WATCH_OPTION,
    ...TARGET_OPTIONS,
  ],
  args: [],
  examples: ["busbar goose streams --watch"],
  run: (call) => showOrWatch(NAME, call, show),
};

async function show(client: ControlClient, { options, terminal }: Invocation): Promise<number> {
  const streams = streamsOf(await client.get("/status"));
  if (options.json === true) terminal.out(JSON.stringify(streams, null, 2));
  else if (streams.length === 0) {
    terminal.out("No stream was seen; a path watches streams with `supervise: true`");
  } else for (const line of lines(streams, terminal.columns)) terminal.out(line);
  return streams.every(({ alive }) => alive) ? EXIT.ok : EXIT.failed;
}

/** The streams in the document behind /status. */
export function streamsOf(status: Json): Shown[] {
  const { services } = status as unknown as {
    services: Readonly<Record<string, { detail?: { streams?: readonly Shown[] } }>>;
  };
  return Object.entries(services).flatMap(([id, { detail }]) =>
    (detail?.streams ?? []).map((stream) => ({
      ...stream,
      path: id.slice(id.indexOf(".") + 1),
    }))
  );
}

function lines(streams: readonly Shown[], columns: number): string[] {
  return table(
    [
      { title: "PATH" },
      { title: "WAY" },
      { title: "STATE" },
      { title: "APPID" },
      { title: "stNum", align: "right" },
      { title: "sqNum", align: "right" },
      { title: "TTL", align: "right" },
      { title: "RATE", align: "right" },
      { title: "LOST", align: "right" },
      { title: "TWICE", align: "right" },
      { title: "SILENT", align: "right" },
      { title: "STREAM" },
    ],
    streams.map((stream) => [
      stream.path,
      stream.way,
      [
        stream.alive ? "alive" : `silent ${Math.round(stream.silent_ms / 100) / 10}s`,
        ...(stream.simulation ? ["simulated"] : []),
        ...(stream.nds_com ? ["ndsCom"] : []),
      ].join(" "),
      `0x${stream.app_id.toString(16).padStart(4, "0")}`,
      String(stream.st_num),
      String(stream.sq_num),
      `${stream.ttl_ms}ms`,
      `${stream.per_second}/s`,
      String(stream.lost + stream.lost_changes),
      String(stream.duplicates),
      String(stream.expirations),
      `${stream.stream} ${stream.source}`,
    ]),
    columns,
  );
}
