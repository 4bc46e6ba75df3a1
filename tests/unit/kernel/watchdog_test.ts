import type { Instant } from "../../../src/base/time.ts";
import { Watchdog } from "../../../src/kernel/watchdog.ts";
import { assertEquals } from "../../assert.ts";

/** Looks once a second and returns the second at which the thread is called stuck. */
function stuckAt(beats: (second: number) => number, seconds: number): number | undefined {
  const watchdog = new Watchdog(0 as Instant);
  for (let second = 1; second <= seconds; second += 1) {
    if (watchdog.look(beats(second), (second * 1000) as Instant)) return second;
  }
  return undefined;
}

Deno.test("Watchdog lets a thread live that counts", () => {
  assertEquals(stuckAt((second) => second, 100), undefined);
});

Deno.test("Watchdog calls a thread stuck that has not counted for more than 3 s", () => {
  assertEquals(stuckAt((second) => Math.min(second, 10), 100), 14);
});

Deno.test("Watchdog gives a thread 30 s for its first count", () => {
  assertEquals(stuckAt(() => 0, 100), 31);
  assertEquals(stuckAt((second) => second < 29 ? 0 : second, 100), undefined);
});

Deno.test("Watchdog does not blame a thread for the time in which it was itself held up", () => {
  const watchdog = new Watchdog(0 as Instant);
  watchdog.look(5, 1000 as Instant);
  assertEquals(watchdog.look(5, 3_600_000 as Instant), false);
  assertEquals(watchdog.look(6, 3_601_000 as Instant), false);
});
