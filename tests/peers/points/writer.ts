/**
 * Publishes numbered events into a journal until it is killed, and tells on stdout what has been
 * acknowledged: `newest N` at the start, `committed N`, `cursor N`. Its argument is the folder.
 */
import { LogHub } from "../../../src/kernel/log.ts";
import { POINTS } from "../../../src/kernel/settings.ts";
import { SystemClock } from "../../../src/platform/clock.ts";
import { openPointPlane } from "../../../src/app/point_plane.ts";
import { SYSTEM_THREADS } from "../../../src/app/threads.ts";
import type { PointId, Sample } from "../../../src/points/points.ts";

const POINTS_COUNT = 50;
const encoder = new TextEncoder();

function tell(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

const settings = POINTS.parse({
  folder: Deno.args[0]!,
  "journal_size": "1MiB",
  "commit_within": "1ms",
});
const clock = new SystemClock();
const plane = await openPointPlane({
  settings,
  clock,
  log: new LogHub(clock).of("points"),
  startThread: (name) => SYSTEM_THREADS.start(name),
});
const journal = plane.points.journal!;
const cursor = journal.cursor("reader", "oldest");
let number = journal.status.newest;
tell(`newest ${number}`);
for (let turn = 1;; turn += 1) {
  const samples = Array.from({ length: turn * 7 % 90 + 1 }, (): Sample => {
    number += 1;
    return {
      point: `kill.yx.${number % POINTS_COUNT}` as PointId,
      value: number,
      quality: 0,
      at: number,
      event: true,
    };
  });
  const last = plane.points.publish(samples)!;
  await journal.whenCommitted(last);
  tell(`committed ${last}`);
  const { first, samples: read } = cursor.read(40);
  if (read.length > 0) {
    cursor.confirm(first + read.length - 1);
    tell(`cursor ${cursor.position}`);
  }
  if (turn % 40 === 0) plane.points.checkpoint();
}
