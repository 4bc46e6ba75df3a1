/**
 * The open problems of the former front-end processor, each with the criterion by which it is
 * solved, as far as one node can show them. (3.3.1, a host that is down, needs two.)
 */
import { LinkDownError } from "../../src/base/errors.ts";
import { QUALITY } from "../../src/points/points.ts";
import { tagOf, TYPE, UTC } from "../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { single } from "../sim/outstation.ts";
import { random } from "../sim/random.ts";
import { Scada } from "../sim/scada.ts";
import { Bench as Centres } from "../unit/north/iec104_slave/bench.ts";
import { Bench as Rtus } from "../unit/south/iec104_master/bench.ts";

const ROWS = [{ ioa: 101, kind: "yx" }, { ioa: 201, kind: "yc" }];
const INTERROGATION = { kind: "interrogation", address: 0, qualifier: 20 } as const;
const SEED = Number(Deno.env.get("BUSBAR_SEED") ?? 0) || Math.floor(Math.random() * 2 ** 32);
const CHANGES = 10_000;

/** What a client gets that starts, interrogates, synchronizes the clock and tests. */
async function service(bench: Centres, scada: Scada): Promise<string[]> {
  scada.start();
  await bench.advance(1100);
  if (scada.end !== undefined) return [scada.end];
  scada.ask(TYPE.C_IC_NA_1, INTERROGATION);
  const time = tagOf(bench.clock.epoch(), UTC);
  scada.ask(TYPE.C_CS_NA_1, { kind: "clock", address: 0, time });
  await bench.advance(100);
  bench.publish("gz_01.yc.201", 7);
  await bench.advance(100);
  const answers = scada.heard.filter(({ type, cause }) => cause !== 20 && type !== TYPE.M_SP_TB_1)
    .map(({ type, cause }) => `${type} ${cause}`);
  // What the other had not confirmed comes again.
  return [...new Set(answers)];
}

const FULL = ["100 7", "103 7", "100 10", "36 3"];

// Criterion: a second client must never hang half-served.
Deno.test("3.1 A second client on one port is closed at once, or has every service", async () => {
  for (const mode of ["single", "groups", "each"] as const) {
    await using bench = new Centres();
    bench.define(...ROWS);
    const groups = mode === "groups" ? { groups: [{ name: "occ" }] } : {};
    bench.start({ mode, ...groups });
    await bench.advance(1);
    bench.publish("gz_01.yx.101", true);
    await bench.advance(100);
    const [first, second] = [await bench.dial(), await bench.dial()];
    assertEquals((await service(bench, first)).toSorted(), FULL.toSorted(), `${mode}: the first`);
    const got = await service(bench, second);
    if (mode === "single") assertEquals(got, ["lost"], "it knows at once, not after t1");
    else assertEquals(got.toSorted(), FULL.toSorted(), `${mode}: the second`);
    // Who is not started is no client of the events, but its connection is alive.
    if (mode === "groups") assertEquals(first.end, "lost", "and the first knows that it was");
    if (mode === "each") assertEquals(first.values().length, 2, "the first goes on");
  }
});

// Criterion: two clients, 10,000 changes, any link cut at random: each sees every change at least
// once, in order per point. (With a node that is killed: fep_test.ts, and fep_kill_test.ts.)
Deno.test("3.2 Two clients of the same RTU each have every change, whatever link is cut", async () => {
  const dice = random(SEED);
  await using bench = new Centres();
  bench.define(...ROWS);
  const groups = [{ name: "occ", clients: ["127.0.0.0/8"] }];
  bench.start({ mode: "groups", groups, switch_hold: "0ms", overflow_address: 65_000 });
  await bench.advance(1);
  const seen: [number[], number[]] = [[], []];
  // Two listeners of one front end stand for the two that a client may choose.
  bench.start({ listen: "127.0.0.1:2405" });
  await bench.advance(1);
  const clients: (Scada | undefined)[] = [undefined, undefined];
  const take = (which: 0 | 1) => {
    for (const one of clients[which]?.heard.splice(0) ?? []) {
      for (const object of one.objects) {
        if (one.type === TYPE.M_ME_TF_1 && object.kind === "float") seen[which].push(object.value);
      }
    }
  };
  let told = 0;
  for (let turn = 0; turn < 4000 && seen.some((numbers) => numbers.at(-1) !== CHANGES); turn += 1) {
    for (const which of [0, 1] as const) {
      take(which);
      if (clients[which] && clients[which].end === undefined) continue;
      try {
        clients[which] = (await Scada.dial(bench.net, bench.clock, 2404 + which, { w: 4 })).start();
      } catch (error) {
        if (!(error instanceof LinkDownError)) throw error;
      }
    }
    if (turn < 3) {
      await bench.advance(20);
      continue;
    }
    for (let more = dice(20); more > 0 && told < CHANGES; more -= 1) {
      bench.publish("gz_01.yc.201", told += 1);
    }
    if (dice(10) === 0) clients[dice(2)]?.drop();
    await bench.advance(5 + dice(20));
  }
  for (const numbers of seen) {
    const all = new Set(numbers);
    assertEquals(all.size, CHANGES, `seed ${SEED}`);
    let highest = 0;
    for (const number of numbers) {
      assert(number <= highest + 1, `${number} came before ${highest + 1}, seed ${SEED}`);
      highest = Math.max(highest, number);
    }
    assert(numbers.length > CHANGES, "what was cut off came again");
  }
});

// Criterion: with 1…N channels × 1…M links the time is the sum of one round of tries, no constant.
Deno.test("3.3.2 A round of all links in vain is told at once, however many there are", async () => {
  const layouts: readonly (readonly [string[], number])[] = [
    [["10.0.0.1:2404"], 1],
    [["10.0.0.1:2404:M1", "10.1.0.1:2404:M1"], 4],
    [["10.0.0.1:2404:M3", "10.1.0.1:2404", "10.2.0.1:2404:M2"], 8],
  ];
  for (const [channels, links] of layouts) {
    for (const pause of [1000, 5000]) {
      await using bench = new Rtus();
      const down = () => bench.value("sys.iec104_master.gz_01.all_links_down");
      bench.start({ channels, retry: `${pause}ms` });
      const round = (links - 1) * pause;
      await bench.advance(round - 1);
      if (links > 1) assertEquals([down(), bench.count("rounds_failed")], [undefined, 0]);
      await bench.advance(2);
      const what = `${links} links, ${pause} ms between tries`;
      assertEquals([down(), bench.count("rounds_failed")], [true, 1], what);
      assertEquals(new Set(bench.net.tries).size, links, "each of them once");
      assertEquals(bench.net.tries.length, links);
      await bench.rtu(2404);
      await bench.advance(pause + 10);
      assertEquals(down(), false, "the first that can be reached ends it");
    }
  }
});

// Criterion: one status point for each link, and the channel as their OR.
Deno.test("3.4 Each link of 192.168.1.1:2404:M3 has its own state, and the channel is their OR", async () => {
  await using bench = new Rtus();
  const rtu = await bench.rtu(2404);
  const state = (name: string) => {
    const point = `sys.iec104_master.gz_01.channel_1${name}`;
    return bench.quality(point) === QUALITY.stale ? "?" : bench.value(point);
  };
  const all = () => [...["", ".link_1", ".link_2", ".link_3", ".link_4"].map(state)];
  const host = (link: number) => `192.168.1.${link}`;
  for (const link of [1, 2, 3, 4]) bench.net.away.add(host(link));
  bench.start({ channels: ["192.168.1.1:2404:M3"], retry: "1s", virtual_rtu: 10 });
  await bench.advance(10);
  assertEquals(all(), ["?", false, "?", "?", "?"], "not known before it was tried");
  await bench.advance(3010);
  assertEquals(all(), [false, false, false, false, false]);
  assertEquals(bench.value("vpt.10.21"), false);
  bench.net.away.delete(host(3));
  await bench.advance(4000);
  assertEquals(all(), [true, false, false, true, false]);
  assertEquals(bench.value("vpt.10.21"), true, "the channel's point, for who knows it");
  rtu.tell(single(1, true));
  await bench.advance(2000);
  assertEquals(bench.value("gz_01.yx.1"), true);
  // The link that was used is lost: the next that can be reached takes over.
  bench.net.away.delete(host(1));
  bench.net.away.add(host(3));
  rtu.drop();
  await bench.advance(2100);
  assertEquals(all(), [true, true, false, false, false]);
});
