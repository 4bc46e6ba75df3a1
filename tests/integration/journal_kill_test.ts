// deno-lint-ignore-file no-console -- what was done has to be seen
/**
 * A process that writes the journal is killed at any moment, again and again. What it said was
 * durable is there, numbers have no gap, and every event is the one it was.
 */
import { openSqlite } from "../../src/platform/sqlite.ts";
import { decodeEvents } from "../../src/points/event_codec.ts";
import { JournalReader } from "../../src/points/journal_store.ts";
import type { PointId } from "../../src/points/points.ts";
import { assert, assertEquals } from "../assert.ts";

const KILLS = 500;
/** Journals that are hurt beside each other. */
const JOURNALS = 2;
/** Longest life after the start, in milliseconds. */
const LIFE_MAX = 60;

interface Told {
  newest: number;
  committed: number;
  cursor: number;
}

/** Lets a writer live for a moment, and gives back what it said. */
async function live(folder: string, span: number, from: "newest" | "committed"): Promise<Told> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", "tests/peers/points/writer.ts", folder],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const told: Told = { newest: -1, committed: 0, cursor: 0 };
  let rest = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    // Its life begins with a word of its own, so that slow machines kill at the same moments.
    if ((rest + text).includes(from)) timer ??= setTimeout(() => child.kill("SIGKILL"), span);
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const [what, number] = line.split(" ");
      told[what as keyof Told] = Number(number);
    }
  }
  clearTimeout(timer);
  const { signal } = await child.status;
  assertEquals(signal, "SIGKILL", "it did not end by itself");
  return told;
}

/** Looks at the whole journal. @returns Number of its newest event. */
function verify(folder: string, told: Told): number {
  using database = openSqlite(`${folder}/journal.sqlite`, { readOnly: true });
  assertEquals(database.prepare("PRAGMA integrity_check").get(), {
    __proto__: null,
    "integrity_check": "ok",
  });
  const reader = new JournalReader(database);
  const { newest, oldest, names, cursors, image } = reader.state(0);
  assert(newest >= told.committed, `${told.committed} was acknowledged, ${newest} is there`);
  const points = new Map(names.map(([id, point]) => [id, point as PointId]));
  let next = oldest;
  for (let row = reader.after(oldest - 1); row; row = reader.after(row.last)) {
    assertEquals(row.first, next, "a gap in the numbers");
    for (const { point, value, at, event } of decodeEvents(row.octets, (id) => points.get(id))) {
      assertEquals([point as string, value, at, event], [`kill.yx.${next % 50}`, next, next, true]);
      next += 1;
    }
    assertEquals(row.last, next - 1);
  }
  assertEquals(next, newest + 1);
  const cursor = cursors.find(({ name }) => name === "reader");
  // It is made before the first event, and durable with it.
  assert(newest === 0 || (cursor !== undefined && cursor.position <= newest));
  assert(image.sequence <= newest);
  return newest;
}

Deno.test(`The journal survives ${KILLS} kills: nothing acknowledged is lost, no gap in numbers`, async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-kill-" });
  const started = performance.now();
  let events = 0;
  const hurt = async (name: string) => {
    const own = `${folder}/${name}`;
    let newest = 0;
    for (let kill = 0; kill < KILLS / JOURNALS; kill += 1) {
      // One in four dies while it starts, the others in the middle of their work.
      const from = kill % 4 === 0 ? "newest" : "committed";
      const told = await live(own, kill * 17 % LIFE_MAX, from);
      if (told.newest >= 0) assertEquals(told.newest, newest, "what was there is found again");
      newest = verify(own, told);
    }
    events += newest;
  };
  try {
    await Promise.all(Array.from({ length: JOURNALS }, (_, index) => hurt(`j${index}`)));
    console.log(`${events} events in ${Math.round((performance.now() - started) / 1000)} s`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
