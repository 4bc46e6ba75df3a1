// deno-lint-ignore-file no-console -- its output is for people
/**
 * `deno task bench --collector [--seconds 10]`: how often the garbage collector of a path's thread
 * runs while it carries frames. What comes every half minute is mostly not in ten seconds: to say
 * that it never runs takes some minutes. V8 tells of each collection with the address of the
 * isolate; the one of the main thread is the first that tells anything, as it starts the others.
 * @module
 */
import { Busbar } from "../e2e/harness.ts";
import type { Pair } from "../netns.ts";
import { startEnd } from "./contenders.ts";
import { delay, listen, publish } from "./tools.ts";

const RATE = 20_000;
/** Until then the compiler still makes code out of what is hot, and that leaves garbage. */
const WARM_SECONDS = 10;
/** How long a line may take from V8 to us. */
const LINE_MS = 500;
const KINDS = ["Scavenge", "Mark-Compact"] as const;
const MODULES = {
  "goose_bridge": { path0: { tap: "goose0", group: "224.0.1.100", via: "eth0" } },
};

interface Collection {
  readonly isolate: string;
  readonly kind: string;
}

/** Runs it and prints what was found. @param seconds How long it is watched, once warm. */
export async function collector(pair: Pair, seconds: number): Promise<void> {
  await using b = await startEnd(pair.b, "b");
  const env = { DENO_V8_FLAGS: "--trace-gc" };
  // V8 writes through stdio, which keeps lines back when nobody is at a terminal.
  const prefix = ["stdbuf", "-oL"];
  await using busbar = await Busbar.start(pair.a, MODULES, { env, prefix });
  await busbar.untilUp("goose_bridge.path0");
  await publish(pair.a, "goose0", { rate: RATE, seconds: WARM_SECONDS });
  await delay(LINE_MS);
  const before = busbar.log.length;
  const sink = await listen(pair.b, "goose0");
  const { sent } = await publish(pair.a, "goose0", { rate: RATE, seconds });
  const { received } = await sink.stop(LINE_MS);
  print(collectionsIn(busbar.log), collectionsIn(busbar.log.slice(before)));
  console.log(`${received} of ${sent} frames arrived in these ${seconds} s`);
  await b.end();
}

function print(all: readonly Collection[], during: readonly Collection[]): void {
  const isolates = [...new Set(all.map(({ isolate }) => isolate))];
  for (const isolate of isolates) {
    const count = (list: readonly Collection[]) =>
      KINDS.map((kind) => {
        const found = list.filter((one) => one.isolate === isolate && one.kind === kind);
        return `${found.length} ${kind}`;
      }).join(", ");
    const who = isolate === isolates[0] ? "the main thread" : "a path's thread";
    console.log(`${isolate}, ${who}: ${count(during)} during; ${count(all)} since the start`);
  }
  // A thread that starts always collects: silence is a trace that did not come through.
  if (isolates.length < 2) console.log("No trace of a path's thread: this run says nothing");
}

function collectionsIn(log: string): Collection[] {
  const lines = log.matchAll(/^\[\d+:(0x[0-9a-f]+)[^\]]*\].*?(Scavenge|Mark-Compact)/gm);
  return [...lines].map(([, isolate, kind]) => ({ isolate: isolate!, kind: kind! }));
}
