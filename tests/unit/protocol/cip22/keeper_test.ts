import fc from "fast-check";
import { after, type Instant, type Millis, millis, seconds } from "../../../../src/base/time.ts";
import { KEEPER, Keeper } from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const START = 0 as Instant;
const MIDDLE = () => 0.5;

function connected(): Keeper {
  const keeper = new Keeper(START, MIDDLE);
  assertEquals(keeper.opened(START), []);
  return keeper;
}

Deno.test("A heartbeat goes out every ten seconds; after three without an answer it is closed", () => {
  const keeper = connected();
  const seen: [number, string[]][] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const now = keeper.next;
    seen.push([now, keeper.tick(now)]);
  }
  assertEquals(seen, [
    [10_000, ["send_heartbeat"]],
    [20_000, ["send_heartbeat"]],
    [30_000, ["close"]],
    [40_000, []],
  ]);
  assertEquals([keeper.state, keeper.failures], ["backoff", 1]);
});

Deno.test("Whatever is heard keeps the connection", () => {
  const keeper = connected();
  for (let second = 1; second <= 600; second += 1) {
    const now = after(START, seconds(second));
    if (second % 25 === 0) keeper.heard(now);
    assert(!keeper.tick(now).includes("close"));
  }
  assertEquals(keeper.state, "connected");
});

Deno.test("Tries go on without end; the fifth in vain is an alarm, and only that one", () => {
  const keeper = connected();
  const waits: number[] = [];
  const alarms: number[] = [];
  let now = after(START, seconds(1));
  for (let turn = 1; turn <= 30; turn += 1) {
    if (keeper.ended(now).includes("alarm")) alarms.push(turn);
    assertEquals(keeper.ended(now), []);
    waits.push(Math.round((keeper.next - now) * 10) / 10);
    now = keeper.next;
    assertEquals([keeper.tick(now), keeper.state], [["dial"], "reconnecting"]);
  }
  assertEquals(waits.slice(0, 6), [100, 161.8, 261.8, 423.6, 685.4, 1109]);
  assertEquals([alarms, waits.at(-1)], [[5], 60_000]);
  keeper.opened(now);
  assertEquals([keeper.state, keeper.failures], ["connected", 0]);
  keeper.ended(now);
  assertEquals(keeper.next - now, 100);
});

Deno.test("What does not open in time is closed; what opens too late too", () => {
  const keeper = new Keeper(START, MIDDLE);
  assertEquals(keeper.next, after(START, KEEPER.within));
  assertEquals(keeper.tick(after(START, millis(9_999))), []);
  assertEquals(keeper.tick(keeper.next), ["close"]);
  assertEquals([keeper.state, keeper.opened(keeper.next), keeper.state], [
    "backoff",
    ["close"],
    "backoff",
  ]);
});

Deno.test("Whatever happens, it dials again within the time that it may take", () => {
  const event = fc.constantFrom("opened", "heard", "ended", "tick");
  const step = fc.record({ event, wait: fc.integer({ min: 0, max: 90_000 }) });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (steps, chance) => {
        const keeper = new Keeper(START, () => chance);
        let now = START;
        for (const { event, wait } of steps) {
          now = after(now, wait as Millis);
          keeper[event as "opened" | "heard" | "ended" | "tick"](now);
        }
        keeper.ended(now);
        const before = now;
        now = keeper.next;
        assert(now - before <= KEEPER.most * (1 + KEEPER.spread) + 1, `${now - before}`);
        assertEquals(keeper.tick(now), ["dial"]);
      },
    ),
  );
});
