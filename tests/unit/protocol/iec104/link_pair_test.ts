// deno-lint-ignore-file no-console -- the seed has to be seen to run it again
/**
 * Two links against each other, without sockets. `BUSBAR_SEED=n` runs one seed again.
 */
import { millis, seconds } from "../../../../src/base/time.ts";
import type { LinkOptions } from "../../../../src/protocol/iec104/mod.ts";
import { assert } from "../../../assert.ts";
import { Pair, type Tally } from "../../../sim/iec104_pair.ts";
import { random } from "../../../sim/random.ts";

const RUNS = 6000;
const SEED = Number(Deno.env.get("BUSBAR_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

function optionsOf(dice: (below: number) => number): Partial<LinkOptions> {
  const k = 1 + dice(20);
  return {
    k,
    w: 1 + dice(20),
    t1: seconds(3 + dice(13)),
    t2: millis(100 + dice(2500)),
    t3: seconds(2 + dice(20)),
    fragmentTimeout: seconds(5),
    acknowledge: dice(2) === 0 ? "on_release" : "on_receipt",
  };
}

Deno.test("Nothing confirmed is lost, nothing comes twice on one connection, in 6,000 seeded runs", () => {
  console.log(`seed ${SEED}`);
  const ends = new Map<string, number>();
  const sum = { connections: 0, delivered: 0, confirmed: 0, repeated: 0, windowFull: 0 };
  for (let run = 0; run < RUNS; run += 1) {
    const seed = (SEED + run) >>> 0;
    const dice = random(seed);
    const bad = dice(4);
    const weather = {
      lose: bad === 0 ? 0 : dice(8),
      silence: bad === 1 ? 0 : dice(6),
      reset: bad === 2 ? 0 : dice(10),
      delay: dice(300),
    };
    const options = [optionsOf(dice), optionsOf(dice)] as const;
    const pair = new Pair(dice, weather, options, 20 + dice(60), millis(1 + dice(800)));
    try {
      pair.run(3_600_000);
    } catch (error) {
      throw new Error(`Run again with BUSBAR_SEED=${seed}`, { cause: error });
    }
    add(sum, pair.tally, ends);
  }
  console.log(JSON.stringify({ ...sum, ends: Object.fromEntries(ends) }));
  // All of it did happen.
  for (const why of ["t1_frame", "t1_test", "t1_start", "t1_stop", "send_number"]) {
    assert((ends.get(why) ?? 0) > 0, `${why} never happened`);
  }
  assert(sum.connections > 1.5 * RUNS && sum.repeated > RUNS && sum.windowFull > RUNS);
});

function add(
  sum: Record<"connections" | "delivered" | "confirmed" | "repeated" | "windowFull", number>,
  tally: Tally,
  ends: Map<string, number>,
): void {
  for (const key of ["connections", "delivered", "confirmed", "repeated", "windowFull"] as const) {
    sum[key] += tally[key];
  }
  for (const [why, count] of tally.ends) ends.set(why, (ends.get(why) ?? 0) + count);
}

Deno.test("Numbers of 15 bits wrap three times in one connection, with any window", () => {
  for (const [k, w] of [[12, 8], [1, 1], [32_767, 32_767]] as const) {
    const dice = random(k);
    const options = { k, w, t1: seconds(60), t2: millis(10), t3: seconds(100) };
    const clear = { lose: 0, silence: 0, reset: 0, delay: 2 };
    const habits = { burst: 60_000, restarts: 0 };
    const total = k === 1 ? 40_000 : 100_000;
    const pair = new Pair(dice, clear, [options, options], total, millis(1), habits);
    pair.run(36_000_000);
    assert(pair.tally.connections === 1 && pair.tally.repeated === 0, JSON.stringify(pair.tally));
    assert(pair.tally.windowFull > 0);
  }
});
