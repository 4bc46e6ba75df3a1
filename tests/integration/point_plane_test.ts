/** The point plane on a real disk, with its real thread. */
import { AppError } from "../../src/base/errors.ts";
import {
  JOURNAL_FILE,
  openPointPlane,
  type PointPlane,
  TABLE_FILE,
} from "../../src/app/point_plane.ts";
import { SYSTEM_THREADS } from "../../src/app/threads.ts";
import { logTo } from "../../src/kernel/log.ts";
import { POINTS } from "../../src/kernel/settings.ts";
import type { Thread } from "../../src/kernel/worker_host.ts";
import { SystemClock } from "../../src/platform/clock.ts";
import { openSqlite } from "../../src/platform/sqlite.ts";
import { PointTable } from "../../src/points/table.ts";
import { definitionOf } from "../../src/points/table_rows.ts";
import type { PointId, Sample } from "../../src/points/points.ts";
import { assert, assertEquals } from "../assert.ts";

const POINT = "gz_01.yc.7" as PointId;

class Site implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "busbar-plane-" });
  readonly lines: string[] = [];
  readonly threads: Thread[] = [];

  open(): Promise<PointPlane> {
    const clock = new SystemClock();
    return openPointPlane({
      settings: POINTS.parse({ folder: this.folder, "commit_within": "1ms" }),
      clock,
      log: logTo("points", () => clock.epoch(), ({ code }) => this.lines.push(code)),
      startThread: (name) => {
        const thread = SYSTEM_THREADS.start(name);
        this.threads.push(thread);
        return thread;
      },
    });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function sample(value: number): Sample {
  return { point: POINT, value, quality: 0, at: value, event: true };
}

async function until(what: string, fits: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!fits()) {
    if (performance.now() > end) throw new Error(`Not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("A site keeps its events, its cursors and its image over a restart", async () => {
  using site = new Site();
  {
    await using plane = await site.open();
    plane.points.journal!.cursor("kafka");
    const last = plane.points.publish([sample(1), sample(2)])!;
    await plane.points.journal!.whenCommitted(last);
  }
  await using plane = await site.open();
  const { points } = plane;
  assertEquals([points.last(POINT)!.value, points.journal!.status.newest], [2, 2]);
  assertEquals(points.journal!.cursor("kafka").read().samples.map(({ value }) => value), [1, 2]);
  assertEquals(site.threads.length, 1, "the second has written nothing yet");
});

Deno.test("A thread that crashes is started anew, and what it had not written is written", async () => {
  using site = new Site();
  await using plane = await site.open();
  const { points } = plane;
  await points.journal!.whenCommitted(points.publish([sample(1)])!);
  // As the runtime tells of a thread that has thrown.
  const [thread] = site.threads;
  const last = points.publish([sample(2)])!;
  thread!.terminate();
  thread!.onerror!(new ErrorEvent("error", { message: "gone", cancelable: true }));
  await points.journal!.whenCommitted(last);
  assertEquals([points.journal!.committed, site.threads.length], [2, 2]);
});

Deno.test("Events wait while the disk refuses, and are durable when it works again", async () => {
  using site = new Site();
  await using plane = await site.open();
  const journal = plane.points.journal!;
  await journal.whenCommitted(plane.points.publish([sample(1)])!);
  // Another program holds the database for longer than is waited for it.
  const other = openSqlite(`${site.folder}/${JOURNAL_FILE}`);
  other.exec("BEGIN IMMEDIATE");
  const last = plane.points.publish([sample(2)])!;
  await until("it is told", () => journal.status.failing !== undefined);
  assert(journal.status.failing!.includes("locked"), journal.status.failing);
  assertEquals(journal.committed, 1);
  other.exec("ROLLBACK");
  other[Symbol.dispose]();
  await journal.whenCommitted(last);
  assertEquals(journal.status.failing, undefined);
});

Deno.test("Rows that somebody else changes are taken within seconds", async () => {
  using site = new Site();
  await using plane = await site.open();
  assertEquals(plane.points.definition(POINT), undefined);
  const row = { "tag_station": "gz_01", coa: 1, ioa: 7, kind: "yc", unit: "kV" };
  {
    using database = openSqlite(`${site.folder}/${TABLE_FILE}`);
    new PointTable(database).import([{ row: 1, definition: definitionOf(row, 1, [])! }], false);
  }
  await until("the row is there", () => plane.points.definition(POINT)?.unit === "kV");
  assert(site.lines.includes("points.table"));
});

Deno.test("A folder is one busbar's at a time, and free again when that has ended", async () => {
  using site = new Site();
  {
    await using _plane = await site.open();
    let code = "";
    try {
      await using _second = await site.open();
    } catch (error) {
      assert(error instanceof AppError && error.message.includes(site.folder), String(error));
      code = error.code;
    }
    assertEquals(code, "points.folder.taken");
  }
  await using plane = await site.open();
  assert(plane.points.journal !== undefined);
});

Deno.test("A folder or a file that cannot be used is told with its path", async () => {
  using site = new Site();
  const codeOf = async (): Promise<string> => {
    try {
      await using _plane = await site.open();
    } catch (error) {
      assert(error instanceof AppError, String(error));
      assert(error.message.includes(site.folder), error.message);
      return error.code;
    }
    return "none";
  };
  Deno.writeTextFileSync(
    `${site.folder}/${JOURNAL_FILE}`,
    "no database at all, but long enough ".repeat(200),
  );
  assertEquals(await codeOf(), "sqlite.failed");
  Deno.removeSync(site.folder, { recursive: true });
  Deno.writeTextFileSync(site.folder, "a file");
  assertEquals(await codeOf(), "os.file");
});
