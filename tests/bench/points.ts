// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * `deno task bench --points [--rounds 5]`: ASDUs a second by type; events a second from publish
 * through the journal to a reader, against a pipeline of `XADD` into Redis (append-only file,
 * fsync each second) that is read back with `XREAD`, and against plain rows in `node:sqlite`, a
 * transaction for each 1,000; and what 100,000 points cost. Contenders take turns in each round.
 *
 * Needs redis-server, and the executable for the cold start.
 * @module
 */
import { openPointPlane, type PointPlane } from "../../src/app/point_plane.ts";
import { SYSTEM_THREADS } from "../../src/app/threads.ts";
import { LogHub } from "../../src/kernel/log.ts";
import { POINTS } from "../../src/kernel/settings.ts";
import { SystemClock } from "../../src/platform/clock.ts";
import { openSqlite } from "../../src/platform/sqlite.ts";
import { definitionOf } from "../../src/points/table_rows.ts";
import type { PointId, Sample } from "../../src/points/points.ts";
import {
  asdu,
  ASDU_MAX,
  capacityOf,
  decodeAsdu,
  encodeAsdu,
  PROFILE_104,
  readTimeTag,
  TYPE_SPECS,
} from "../../src/protocol/iec104/mod.ts";
import { executable } from "../e2e/harness.ts";
import { freePorts } from "../relay/busbar.ts";
import { median } from "./stats.ts";

const EVENTS = 400_000;
/** As many as an ASDU of timed points holds. */
const BURST = 22;
const PIPELINE = 1000;
const POINT_COUNT = 100_000;
const CODEC_MS = 150;

/** Runs it. */
export async function points(rounds: number): Promise<void> {
  codec();
  const folder = Deno.makeTempDirSync({ prefix: "busbar-bench-" });
  try {
    await throughput(folder, rounds);
    await hundredThousand(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Every type, as full as it gets. */
function codec(): void {
  console.log("\ntype          objects  encode ASDU/s  decode ASDU/s  decode objects/s");
  for (const spec of TYPE_SPECS) {
    const time = spec.timeSize === 0 ? undefined : readTimeTag(new Uint8Array(7), 0, 7);
    const count = capacityOf(spec.type, false);
    const one = asdu({
      type: spec.type,
      cause: 3,
      commonAddress: 1,
      objects: Array.from(
        { length: count },
        (_, index) => spec.codec.read(new Uint8Array(20).fill(1), 0, 100 + index, time),
      ),
    });
    const octets = new Uint8Array(ASDU_MAX);
    const size = encodeAsdu(one, PROFILE_104, octets);
    const encode = perSecond(() => encodeAsdu(one, PROFILE_104, octets));
    const decode = perSecond(() => decodeAsdu(octets, PROFILE_104, 0, size));
    const read = decodeAsdu(octets, PROFILE_104, 0, size);
    if ("kind" in read || read.objects.length !== count) throw new Error(spec.name);
    const cells = [count, encode, decode, decode * count].map((value) => Math.round(value));
    console.log(
      `${spec.name.padEnd(12)} ${String(cells[0]).padStart(8)}  ${
        cells.slice(1).map((cell) => cell!.toLocaleString("en").padStart(13)).join("  ")
      }`,
    );
  }
}

/** What was made is looked at, or the compiler would leave its making out. */
let seen: unknown;

function perSecond(action: () => unknown): number {
  for (let warm = 0; warm < 2000; warm += 1) seen = action();
  let times = 0;
  const start = performance.now();
  while (performance.now() - start < CODEC_MS) {
    for (let turn = 0; turn < 200; turn += 1) seen = action();
    times += 200;
  }
  const rate = times / (performance.now() - start) * 1000;
  if (seen === undefined) throw new Error("Nothing was made");
  return rate;
}

function sampleOf(number: number): Sample {
  const point = `gz_01.yc.${number % 5000}` as PointId;
  return { point, value: number * 0.5, quality: 0, at: 1_700_000_000_000 + number, event: true };
}

function open(folder: string, survives: string): Promise<PointPlane> {
  const clock = new SystemClock();
  return openPointPlane({
    settings: POINTS.parse({ folder, survives, "journal_size": "1GiB" }),
    clock,
    log: new LogHub(clock).of("points"),
    startThread: (name) => SYSTEM_THREADS.start(name),
  });
}

/** Events a second, all of them published, durable, and read by a named reader. */
async function viaJournal(folder: string, survives: string): Promise<number> {
  await using plane = await open(folder, survives);
  const cursor = plane.points.journal!.cursor("bench");
  const stop = new AbortController();
  let read = 0;
  const reader = (async () => {
    for await (const { samples } of cursor.batches(stop.signal)) {
      read += samples.length;
      if (read >= EVENTS) stop.abort();
    }
  })();
  const start = performance.now();
  for (let number = 0; number < EVENTS;) {
    const burst = Array.from({ length: BURST }, () => sampleOf(number++));
    let last = plane.points.publish(burst);
    while (last === undefined) {
      // No room: as a device would, it waits until what it has sent is safe.
      await plane.points.journal!.whenCommitted(plane.points.journal!.status.newest);
      last = plane.points.publish(burst);
    }
  }
  await reader;
  return EVENTS / (performance.now() - start) * 1000;
}

/** The same by rows: 1,000 in a transaction, then read back. */
function viaRows(folder: string): number {
  using database = openSqlite(`${folder}/rows.sqlite`);
  const columns = "n INTEGER PRIMARY KEY, point TEXT, value REAL, quality INT, at INT";
  database.exec(`CREATE TABLE IF NOT EXISTS event (${columns})`);
  database.exec("DELETE FROM event");
  const insert = database.prepare("INSERT INTO event VALUES (?, ?, ?, ?, ?)");
  const select = database.prepare("SELECT * FROM event WHERE n > ? ORDER BY n LIMIT 1000");
  const start = performance.now();
  let read = 0;
  for (let number = 0; number < EVENTS;) {
    database.exec("BEGIN");
    for (let turn = 0; turn < PIPELINE; turn += 1) {
      const { point, value, quality, at } = sampleOf(number++);
      insert.run(number, point, value as number, quality, at);
    }
    database.exec("COMMIT");
    read += select.all(read).length;
  }
  if (read !== EVENTS) throw new Error(`${read} rows came back`);
  return EVENTS / (performance.now() - start) * 1000;
}

/** A pipeline of XADD, 1,000 at a time, and XREAD behind it: events a second. */
export async function viaRedis(folder: string): Promise<number> {
  const port = freePorts(1);
  const child = new Deno.Command("redis-server", {
    args: [
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "everysec", "--appenddirname", `aof${port}`],
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const conn = await dial(port);
    const stream = `bench${port}`;
    const start = performance.now();
    let read = 0;
    for (let number = 0; number < EVENTS;) {
      let text = "";
      for (let turn = 0; turn < PIPELINE; turn += 1) {
        const { point, value, quality, at } = sampleOf(number++);
        text += command(
          ...["XADD", stream, `${number}-0`, "p", point, "v", `${value}`],
          ...["q", `${quality}`, "t", `${at}`],
        );
      }
      await send(conn, text);
      await answers(conn, PIPELINE, /^\$\d+\r\n[^\r]*\r\n/gm);
      await send(conn, command("XREAD", "COUNT", "1000", "STREAMS", stream, `${read}-0`));
      read += await answers(conn, PIPELINE, /\r\n\d+-0\r\n/g);
    }
    const rate = read / (performance.now() - start) * 1000;
    conn.close();
    return rate;
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

async function dial(port: number): Promise<Deno.TcpConn> {
  for (;;) {
    try {
      return await Deno.connect({ hostname: "127.0.0.1", port });
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function command(...words: string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}

async function send(conn: Deno.TcpConn, text: string): Promise<void> {
  const octets = new TextEncoder().encode(text);
  for (let at = 0; at < octets.length;) at += await conn.write(octets.subarray(at));
}

const CHUNK = new Uint8Array(1 << 20);

/** Reads until that many answers have come. */
async function answers(conn: Deno.TcpConn, count: number, form: RegExp): Promise<number> {
  let text = "";
  const decoder = new TextDecoder();
  for (;;) {
    const size = await conn.read(CHUNK);
    if (size === null) throw new Error("Redis has closed the connection");
    text += decoder.decode(CHUNK.subarray(0, size));
    if (text.startsWith("-")) throw new Error(text.slice(0, 200));
    const found = text.match(form)?.length ?? 0;
    if (found >= count) return found;
  }
}

async function throughput(folder: string, rounds: number): Promise<void> {
  const rates: Record<string, number[]> = { journal: [], process: [], rows: [], redis: [] };
  for (let round = 0; round < rounds; round += 1) {
    rates.journal!.push(await viaJournal(`${folder}/j${round}`, "power_loss"));
    rates.process!.push(await viaJournal(`${folder}/p${round}`, "process"));
    rates.rows!.push(viaRows(folder));
    rates.redis!.push(await viaRedis(folder));
  }
  const shown = (name: string) => Math.round(median(rates[name]!)).toLocaleString("en");
  const ratio = (name: string) =>
    median(rates.journal!.map((rate, round) => rate / rates[name]![round]!)).toFixed(2);
  console.log(`\npublish -> journal -> reader, ${EVENTS} events, medians of ${rounds} rounds`);
  console.log(`busbar, fsync at each commit    ${shown("journal")} events/s`);
  console.log(`busbar, survives: process       ${shown("process")} events/s`);
  console.log(`node:sqlite, a row each         ${shown("rows")} events/s, ratio ${ratio("rows")}`);
  console.log(
    `Redis XADD pipeline and XREAD   ${shown("redis")} events/s, ratio ${ratio("redis")}`,
  );
}

/** What 100,000 points take: memory, a snapshot, a start. */
async function hundredThousand(folder: string): Promise<void> {
  const own = `${folder}/many`;
  {
    await using plane = await open(own, "process");
    const rows = Array.from({ length: POINT_COUNT }, (_, index) => ({
      row: index,
      definition: definitionOf(
        {
          "tag_station": `gz_${index % 50}`,
          coa: 1 + index % 50,
          ioa: index,
          kind: index % 3 === 0 ? "yx" : "yc",
          unit: "kV",
          description: `point ${index}`,
        },
        index,
        [],
      )!,
    }));
    const imported = clocked(() => plane.table!.import(rows, false));
    plane.points.define(rows.map(({ definition }) => definition));
    const at = Date.now();
    for (let index = 0; index < POINT_COUNT; index += 1) {
      const { point } = rows[index]!.definition;
      let last = plane.points.publish([{ point, value: index, quality: 0, at }]);
      if (last === undefined) {
        await plane.points.journal!.flushed();
        last = plane.points.publish([{ point, value: index, quality: 0, at, event: true }]);
      }
    }
    await plane.points.journal!.flushed();
    const snapshot = clocked(() => plane.points.snapshot(() => true));
    const station = clocked(() => plane.points.snapshot((point) => point.startsWith("gz_7.")));
    rows.length = 0;
    console.log(`\n${POINT_COUNT} points`);
    console.log(`table import                    ${imported.toFixed(0)} ms`);
    console.log(
      `snapshot of all, of a station   ${snapshot.toFixed(1)} ms, ${station.toFixed(1)} ms`,
    );
  }
  await coldStart(own, "100,000 points");
  Deno.mkdirSync(`${folder}/none`);
  await coldStart(`${folder}/none`, "no points");
}

function clocked(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

/** From exec to the first answer of /readyz, and what the process takes then. */
async function coldStart(folder: string, what: string): Promise<void> {
  const port = freePorts(1);
  const path = `${folder}/busbar.yaml`;
  const config = { control: { listen: `127.0.0.1:${port}` }, points: { folder }, modules: {} };
  Deno.writeTextFileSync(path, JSON.stringify(config));
  const [program, ...args] = executable();
  const times: number[] = [];
  let resident = 0;
  for (let turn = 0; turn < 5; turn += 1) {
    const start = performance.now();
    const child = new Deno.Command(program!, {
      args: [...args, "run", "-c", path],
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    for (;;) {
      try {
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
        await answer.body?.cancel();
        if (answer.ok) break;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // Nobody listens yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    times.push(performance.now() - start);
    const status = await (await fetch(`http://127.0.0.1:${port}/status`)).json();
    resident = status.memory.resident_octets;
    child.kill("SIGTERM");
    await child.status;
  }
  const memory = `${(resident / 2 ** 20).toFixed(0)} MiB`;
  console.log(`cold start with ${what}`.padEnd(40) + `${median(times).toFixed(0)} ms, ${memory}`);
}
