// deno-lint-ignore-file no-console -- its output is for people
/**
 * `deno task bench --collector`: whether the garbage collector of a path's thread runs while it
 * carries frames. V8 tells of each collection with the address of the isolate; the one of the main
 * thread is the first that tells anything.
 * @module
 */
import { Busbar } from "../e2e/harness.ts";
import type { Pair } from "../netns.ts";
import { startEnd } from "./contenders.ts";
import { delay, listen, publish } from "./tools.ts";

const RATE = 20_000;
/** Until then the compiler still makes code out of what is hot, and that leaves garbage. */
const WARM_SECONDS = 10;
const SECONDS = 10;
const MODULES = {
  "goose_bridge": { path0: { tap: "goose0", group: "224.0.1.100", via: "eth0" } },
};

/** Runs it and prints what was found. */
export async function collector(pair: Pair): Promise<void> {
  await using b = await startEnd(pair.b, "b");
  const env = { DENO_V8_FLAGS: "--trace-gc" };
  // V8 writes through stdio, which keeps lines back when nobody is at a terminal.
  const prefix = ["stdbuf", "-oL"];
  await using busbar = await Busbar.start(pair.a, MODULES, { env, prefix });
  await busbar.untilUp("goose_bridge.path0");
  const sink = await listen(pair.b, "goose0");
  await publish(pair.a, "goose0", { rate: RATE, seconds: WARM_SECONDS });
  await delay(500);
  const before = busbar.log.length;
  const { sent } = await publish(pair.a, "goose0", { rate: RATE, seconds: SECONDS });
  const during = busbar.log.slice(before);
  await sink.stop();
  const isolates = [...new Set(isolatesIn(busbar.log).map(({ isolate }) => isolate))];
  console.log(`${sent} frames in ${SECONDS} s; isolates that ever collected: ${isolates.length}`);
  for (const isolate of isolates) {
    const count = (text: string) =>
      isolatesIn(text).filter((line) => line.isolate === isolate).length;
    const who = isolate === isolates[0] ? "the main thread" : "a path's thread";
    console.log(
      `${isolate}, ${who}: ${count(during)} during, ${count(busbar.log)} since the start`,
    );
  }
  await b.end();
}

function isolatesIn(log: string): { isolate: string; kind: string }[] {
  const lines = log.matchAll(/^\[\d+:(0x[0-9a-f]+)[^\]]*\].*?(Scavenge|Mark-Compact)/gm);
  return [...lines].map(([, isolate, kind]) => ({ isolate: isolate!, kind: kind! }));
}
