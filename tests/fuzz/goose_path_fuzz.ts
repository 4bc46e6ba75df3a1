// deno-lint-ignore-file no-console -- the seed has to be seen to run it again
/**
 * Whatever comes from either side of a path, it is carried or counted, and nothing else happens:
 * frames and datagrams of a corpus with octets changed, cut, doubled and joined, through the whole
 * of the forwarding, supervision and points included. `BUSBAR_SEED=n` runs one seed again.
 */
import { Counters } from "../../src/base/counters.ts";
import type { Instant } from "../../src/base/time.ts";
import type { HotSample } from "../../src/kernel/module.ts";
import { decodeIgmp } from "../../src/protocol/igmp/mod.ts";
import { decodeEthernet, decodeGoose } from "../../src/protocol/goose/mod.ts";
import { CONFIG, type Config } from "../../src/relay/goose_bridge/config.ts";
import { COUNTERS } from "../../src/relay/goose_bridge/counters.ts";
import { Forwarder } from "../../src/relay/goose_bridge/forward.ts";
import { StreamPoints } from "../../src/relay/goose_bridge/points.ts";
import { Watch } from "../../src/relay/goose_bridge/watch.ts";
import { assert, assertEquals } from "../assert.ts";
import { fromHex } from "../hex.ts";
import { SimGroup, SimHot, SimTap } from "../sim/hot.ts";
import { random } from "../sim/random.ts";

const ROUNDS = 40_000;
const FROM = 0x0a00_0002;
const PATHS = [
  { format: "v1", accept: "any" },
  { format: "v2" },
  { format: "v2", key: "0123456789abcdef" },
  { format: "rgoose" },
  { format: "v2", "gse_management": true, "sampled_values": true, "app_ids": [4096], vlans: [5] },
] as const;
type Dice = (below: number) => number;

interface Messages {
  readonly good: readonly { readonly hex: string }[];
}

/** Every good message of the vectors as a frame: untagged, tagged, and with two tags. */
function corpus(): Uint8Array[] {
  const text = Deno.readTextFileSync(new URL("../vectors/goose/messages.json", import.meta.url));
  const { good } = JSON.parse(text) as Messages;
  const heads = ["88 b8", "81 00 80 05 88 b8", "88 a8 e0 0a 81 00 80 05 88 b8", "88 b9", "88 ba"];
  return good.flatMap(({ hex }) =>
    heads.map((head) => fromHex(`01 0c cd 01 00 01 00 11 22 33 44 55 ${head} ${hex}`))
  );
}

/** One of the corpus, hurt in one way or in several. */
function hurt(all: readonly Uint8Array[], dice: Dice): Uint8Array {
  let octets = all[dice(all.length)]!.slice();
  for (let times = dice(4); times >= 0; times -= 1) {
    const at = octets.length === 0 ? 0 : dice(octets.length);
    const kind = dice(6);
    if (kind === 0) octets = octets.slice(0, at);
    else if (kind === 1) octets = Uint8Array.from([...octets, ...octets.slice(at)]);
    else if (kind === 2 && octets.length > 0) octets[at] = dice(256);
    else if (kind === 3 && octets.length > 0) octets[at]! ^= 1 << dice(8);
    else if (kind === 4) octets.fill([0, 0x7f, 0x80, 0xff][dice(4)]!, at, at + dice(8));
    else octets = Uint8Array.from([...octets.slice(0, at), ...octets.slice(at + dice(8))]);
  }
  return octets;
}

function path(more: Record<string, unknown>) {
  const host = new SimHot();
  const counters = new Counters(COUNTERS);
  const config = CONFIG.parse({
    ...{ tap: "goose0", group: "224.0.1.100", supervise: true, streams: 16, points: "values" },
    ...more,
  }) as Config;
  const log = () => {};
  const published: HotSample[] = [];
  const points = new StreamPoints((samples) => published.push(...samples), () => 0, true, counters);
  const lines = { trace: log, debug: log, info: log, warn: log, error: log };
  const watch = new Watch(counters, lines, config, points);
  const forwarder = new Forwarder(host, counters, config, watch);
  return { host, counters, forwarder, watch, published };
}

function run(seed: number): void {
  const dice = random(seed);
  const frames = corpus();
  for (const more of PATHS) {
    const { host, counters, forwarder, watch, published } = path(more);
    const tap = new SimTap(host, "goose0");
    const group = new SimGroup();
    // What the path itself sends for them is the corpus of the way back.
    tap.input.push(...frames.map((frame) => frame.slice()));
    forwarder.outward(tap, group);
    const datagrams = [...group.sent, ...frames];
    for (let round = 0; round < ROUNDS / PATHS.length; round += 1) {
      host.time += dice(50);
      tap.input.push(hurt(frames, dice));
      group.input.push({ octets: hurt(datagrams, dice), from: FROM + dice(3) });
      forwarder.outward(tap, group);
      forwarder.inward(group, tap);
      if (dice(10) === 0) watch.expire(host.time as Instant);
      if (dice(100) === 0) watch.facts(host.time as Instant);
      for (const written of tap.written.splice(0)) assert(written.length >= 14);
      group.sent.splice(0);
      published.splice(0);
    }
    const count = (name: string) => counters.get(name);
    const received = count("tap_received") + count("group_received");
    assertEquals(count("frames_in") + count("frames_out") + count("dropped"), received);
    const drops = COUNTERS.filter((name) => name.startsWith("drop_"));
    assertEquals(drops.reduce((sum, name) => sum + count(name), 0), count("dropped"));
    assert(count("frames_out") > 0, JSON.stringify(more));
    // What was hurt on the way never gets in where there is a key.
    assertEquals(count("frames_in") > 0, !("key" in more), JSON.stringify(more));
    assertEquals([forwarder.tapFault, forwarder.groupFault], [0, 0]);
  }
}

Deno.test("A path carries or counts whatever comes, through every format", () => {
  const given = Deno.env.get("BUSBAR_SEED");
  const seed = given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given);
  console.log(`BUSBAR_SEED=${seed}`);
  run(seed);
});

Deno.test("The decoders of Ethernet, GOOSE and IGMP return, whatever the octets are", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  console.log(`seed ${seed}`);
  const dice = random(seed);
  const frames = corpus();
  for (let round = 0; round < ROUNDS; round += 1) {
    const octets = hurt(frames, dice);
    const frame = decodeEthernet(octets);
    if (frame.kind === "ethernet") decodeGoose(frame.payload);
    decodeGoose(octets);
    decodeIgmp(octets);
  }
});
