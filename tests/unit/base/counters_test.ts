import { assert, assertEquals } from "../../assert.ts";
import { Counters, STANDARD_COUNTERS } from "../../../src/base/counters.ts";
import { BugError } from "../../../src/base/errors.ts";

Deno.test("Counters share their memory", () => {
  const here = new Counters(["drop_ethertype"]);
  const there = new Counters(["drop_ethertype"], here.memory);
  there.add("frames_in", 3);
  there.set("peers", 2);
  there.words[there.at("drop_ethertype")]! += 1;
  assertEquals([here.get("frames_in"), here.get("peers"), here.get("drop_ethertype")], [3, 2, 1]);
  assertEquals(Object.keys(here.snapshot()), [...STANDARD_COUNTERS, "drop_ethertype"]);
  assert(caught(() => here.at("nonsense")) instanceof BugError);
  assert(caught(() => new Counters([], here.memory)) instanceof BugError);
});

function caught(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
