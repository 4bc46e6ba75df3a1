import { Counters } from "../../../../src/base/counters.ts";
import type { LogFields } from "../../../../src/base/log.ts";
import type { Instant } from "../../../../src/base/time.ts";
import type { HotSample } from "../../../../src/kernel/module.ts";
import type { Data } from "../../../../src/protocol/goose/data.ts";
import { StreamPoints, VALUES_MAX } from "../../../../src/relay/goose_bridge/points.ts";
import { encodeGoose } from "../../../../src/protocol/goose/codec.ts";
import { CONFIG, type Config } from "../../../../src/relay/goose_bridge/config.ts";
import { COUNTERS } from "../../../../src/relay/goose_bridge/counters.ts";
import { Watch } from "../../../../src/relay/goose_bridge/watch.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex } from "../../../hex.ts";

const ETHERNET = fromHex("01 0c cd 01 00 01 00 11 22 33 44 55 88 b8");

function frame(
  stNum: number,
  sqNum: number,
  appId = 0x1000,
  allData: readonly Data[] = [],
): Uint8Array {
  const message = encodeGoose({
    appId,
    pdu: {
      gocbRef: "A/LLN0$GO$g1",
      timeAllowedToLive: 200,
      datSet: "A/LLN0$ds",
      goId: "g",
      t: { seconds: 7, fraction: 0, quality: 0 },
      stNum,
      sqNum,
      simulation: false,
      confRev: 1,
      ndsCom: false,
      allData,
    },
  } as never, "minimal")!;
  return Uint8Array.from([...ETHERNET, ...message]);
}

function bench(more: Record<string, unknown> = {}) {
  const counters = new Counters(COUNTERS);
  const lines: { code: string; fields: LogFields }[] = [];
  const line = (code: string, _: string, fields: LogFields = {}) =>
    void lines.push({ code, fields });
  const log = { trace: line, debug: line, info: line, warn: line, error: line };
  const config = CONFIG.parse({ tap: "goose0", group: "224.0.1.100", supervise: true, ...more });
  const published: HotSample[] = [];
  const publish = (samples: readonly HotSample[]) => void published.push(...samples);
  const values = (config as Config).points === "values";
  const points = new StreamPoints(publish, () => 1_000_000, values, counters);
  const watch = new Watch(counters, log, config as Config, points);
  const see = (way: "out" | "in", octets: Uint8Array, at: number, age = -1) =>
    watch.see(way, octets, 0, octets.length, at as Instant, age);
  const codes = () => lines.map(({ code }) => code);
  return { watch, see, counters, lines, codes, published };
}

Deno.test("A storm of gaps is one line of the log, with all that is missing", () => {
  const { watch, see, counters, lines, codes } = bench();
  for (let sqNum = 0; sqNum < 2000; sqNum += 2) see("in", frame(1, sqNum), sqNum);
  assertEquals(codes(), []);
  const [stream] = watch.facts(2000 as Instant);
  assertEquals(codes(), ["goose.stream.lost"]);
  assertEquals([lines[0]!.fields.amount, counters.get("stream_lost"), stream!.lost], [
    999,
    999,
    999,
  ]);
  watch.facts(3000 as Instant);
  assertEquals(codes().length, 1, "told once");
});

Deno.test("A network that sends nonsense fills counters, not the log", () => {
  const { watch, see, counters, codes, lines } = bench();
  for (let start = 0; start < 100; start += 1) {
    see("in", frame(1, 0), start * 2);
    see("in", frame(900, 0), start * 2 + 1);
  }
  assertEquals(counters.get("stream_restarts"), 99);
  assertEquals(codes().length, 20);
  watch.facts(1000 as Instant);
  assertEquals(codes().at(-1), "goose.stream.more");
  assert(Number(lines.at(-1)!.fields.events) >= 79);
  see("in", frame(1, 0), 5000);
  assertEquals(codes().at(-1), "goose.stream.restart", "a second later it is told again");
});

Deno.test("Both ways are watched apart, and silence is told", () => {
  const { watch, see, counters, codes } = bench();
  see("out", frame(1, 0), 0);
  see("in", frame(7, 3), 100);
  assertEquals(watch.deadline, 200);
  watch.expire(250 as Instant);
  assertEquals([codes(), watch.deadline], [["goose.stream.expired"], 300]);
  const facts = watch.facts(260 as Instant);
  assertEquals(facts.map(({ way, alive, st_num }) => [way, alive, st_num]), [
    ["out", false, 1],
    ["in", true, 7],
  ]);
  assertEquals([counters.get("streams"), counters.get("stream_expirations")], [2, 1]);
});

Deno.test("Duplicates are dropped only when the path says so, and are counted always", () => {
  for (const discard of [false, true]) {
    const { see, counters } = bench({ discard_duplicates: discard });
    const twice = [see("in", frame(1, 5), 0), see("in", frame(1, 5), 1), see("in", frame(1, 4), 2)];
    assertEquals(twice, [false, discard, discard]);
    assertEquals([counters.get("stream_duplicates"), counters.get("stream_reordered")], [1, 1]);
  }
});

Deno.test("More streams than there is room for are carried, counted, and none forgotten", () => {
  const { watch, see, counters } = bench({ streams: 3, discard_duplicates: true });
  for (let appId = 0; appId < 5; appId += 1) {
    for (let again = 0; again < 2; again += 1) see("in", frame(1, again, appId), again);
  }
  assertEquals(see("in", frame(1, 1, 4), 2), false, "what is not watched is never dropped");
  assertEquals(watch.facts(3 as Instant).length, 3);
  assertEquals([counters.get("streams"), counters.get("streams_unwatched")], [3, 5]);
});

Deno.test("What is no message is none of its business", () => {
  const { watch, see } = bench({ discard_duplicates: true });
  const arp = fromHex("ff ff ff ff ff ff 00 11 22 33 44 55 08 06 00 01 08 00 06 04 00 01");
  const cut = frame(1, 1).subarray(0, 40);
  for (const octets of [arp, arp, cut, cut]) assertEquals(see("out", octets, 0), false);
  assertEquals(watch.facts(0 as Instant), []);
});

const NAME = "in.001122334455_1000_A_LLN0_GO_g1";

Deno.test("Alarms of a stream are points, each when it changes", () => {
  const { watch, see, published } = bench({ points: "alarms" });
  see("in", frame(1, 0), 0);
  watch.expire(500 as Instant);
  see("in", frame(1, 5), 600);
  watch.facts(1000 as Instant);
  const told = published.map(({ name, value }) => [name.replace(`${NAME}.`, ""), value]);
  assertEquals(told, [
    ["silent", false],
    ["simulation", false],
    ["nds_com", false],
    ["conf_rev", 1],
    ["silent", true],
    ["silent", false],
    ["lost", 4],
  ]);
  assertEquals(published[0], { name: `${NAME}.silent`, value: false, quality: 0, at: 1_000_000 });
});

Deno.test("Values are points at each new state, with its time; stale when it falls silent", () => {
  const { watch, see, published } = bench({ points: "values" });
  const values: Data[] = [
    { kind: "bool", value: true },
    { kind: "bits", bits: "10" },
    { kind: "structure", items: [{ kind: "float", value: 1.5 }, { kind: "string", text: "é" }] },
  ];
  see("in", frame(1, 0, 0x1000, values), 0);
  see("in", frame(1, 1, 0x1000, values), 10);
  see("in", frame(2, 0, 0x1000, [{ kind: "bool", value: false }]), 20);
  const shown = () =>
    published.filter(({ name }) => name.includes(".value"))
      .map((
        { name, value, quality, at },
      ) => [name.slice(name.indexOf(".value") + 7), value, quality, at]);
  assertEquals(shown(), [
    ["0", true, 0, 7000],
    ["1", 2, 0, 7000],
    ["2.0", 1.5, 0, 7000],
    ["2.1", "é", 0, 7000],
    ["0", false, 0, 7000],
  ]);
  watch.expire(500 as Instant);
  assertEquals(shown().at(-1), ["0", false, 1, 1_000_000]);
});

Deno.test("A storm of changes becomes the latest values, a second later", () => {
  const { watch, see, published, counters } = bench({ points: "values" });
  const state = (value: number): Data[] => Array(100).fill({ kind: "int", value });
  for (let stNum = 1; stNum <= 50; stNum += 1) {
    see("in", frame(stNum, 0, 0x1000, state(stNum)), stNum);
  }
  const values = () => published.filter(({ name }) => name.includes(".value")).length;
  assert(values() <= VALUES_MAX + 100, `${values()}`);
  assert(counters.get("points_delayed") > 0);
  watch.facts(1000 as Instant);
  assertEquals(published.findLast(({ name }) => name.endsWith(".value.0"))!.value, 50);
  assertEquals(counters.get("points_published"), published.length);
});

Deno.test("A message whose data set cannot be read is counted, and gives no values", () => {
  const { see, published, counters } = bench({ points: "values" });
  const octets = frame(1, 0, 0x1000, [{ kind: "bool", value: true }]);
  octets[octets.length - 2] = 0x7f; // The length of the value goes beyond the end.
  see("in", octets, 0);
  assertEquals(counters.get("stream_undecodable"), 1);
  assert(!published.some(({ name }) => name.includes(".value")));
});

Deno.test("A stream tells how long its messages were on their way, once that is known", () => {
  const { watch, see } = bench();
  const ages = () => {
    const [stream] = watch.facts(0 as Instant);
    return [stream!.age_us, stream!.age_max_us];
  };
  see("in", frame(1, 0), 0);
  assertEquals(ages(), [null, null]);
  see("in", frame(1, 1), 1, 900);
  see("in", frame(1, 2), 2, 300);
  assertEquals(ages(), [300, 900]);
});
