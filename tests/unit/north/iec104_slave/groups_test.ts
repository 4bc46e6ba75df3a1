/** Groups of connections that take turns, groups of interrogation, dead-bands. */
import { QUALITY } from "../../../../src/points/points.ts";
import { TYPE } from "../../../../src/protocol/iec104/mod.ts";
import { assertEquals } from "../../../assert.ts";
import type { Scada } from "../../../sim/scada.ts";
import { answers, Bench } from "./bench.ts";

const ROWS = [{ ioa: 101, kind: "yx" }, { ioa: 201, kind: "yc" }, { ioa: 401, kind: "dd" }];

// Goal: two masters that take data transfer from each other in turn must not come to a standstill.
Deno.test("Groups: who took data transfer keeps it for a while, though another asks every 100 ms", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  const groups = [{ name: "occ", clients: ["127.0.0.0/8"] }];
  bench.start({ mode: "groups", groups, switch_hold: "2s" });
  await bench.advance(1);
  const seen: string[] = [];
  let [holder, value] = [(await bench.dial()).start(), 0];
  for (let turn = 0; turn < 4; turn += 1) {
    await bench.advance(1);
    assertEquals(holder.link.state, "started");
    const rivals: Scada[] = [];
    for (let asked = 0; asked < 14; asked += 1) {
      rivals.push((await bench.dial()).start());
      bench.publish("gz_01.yc.201", value += 1);
      await bench.advance(99);
      if (asked > 0 && asked < 13) rivals.shift()!.drop();
      assertEquals([holder.link.state, rivals.at(-1)!.link.state], ["started", "starting"]);
    }
    await bench.advance(700);
    seen.push(...holder.values());
    const next = rivals.find(({ link }) => link.state === "started");
    assertEquals([holder.end, next === undefined], ["lost", false], "then it changes once");
    for (const rival of rivals) if (rival !== next) rival.drop();
    holder = next!;
    await bench.advance(1);
  }
  await bench.advance(100);
  seen.push(...holder.values());
  const told = [...new Set(seen.map((text) => Number(text.split(" ")[3])))];
  assertEquals(told, Array.from({ length: value }, (_, index) => index + 1));
});

Deno.test("Groups: the other connection is taken at once when the holder is gone", async () => {
  await using bench = new Bench();
  bench.start({
    mode: "groups",
    groups: [{ name: "occ", clients: ["127.0.0.0/8"] }],
    switch_hold: "10s",
  });
  await bench.advance(1);
  const one = (await bench.dial()).start();
  const two = await bench.dial();
  await bench.advance(10);
  one.drop();
  await bench.advance(10);
  two.start();
  await bench.advance(1);
  assertEquals(two.link.state, "started");
});

const GROUPED = `point,ioa,type,group,dead_band
gz_01.yx.101,,,1,
gz_01.yc.201,,,16,10
gz_01.dd.401,,,2,
`;

Deno.test("Groups of interrogation have their own points and their own cause", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ forward: "/forward.csv" }, GROUPED);
  await bench.advance(1);
  bench.publish("gz_01.yx.101", true);
  bench.publish("gz_01.yc.201", 5);
  const scada = (await bench.dial()).start();
  await bench.advance(100);
  scada.heard.length = 0;
  for (const group of [1, 16, 2, 17]) {
    scada.ask(TYPE.C_IC_NA_1, { kind: "interrogation", address: 0, qualifier: 20 + group });
    await bench.advance(100);
  }
  assertEquals([scada.values(21), scada.values(36)], [["1 1 101 true"], ["13 1 201 5"]]);
  assertEquals(answers(scada), [
    ...["100 7", "1 21", "100 10"],
    ...["100 7", "13 36", "100 10"],
    "100 7 no", // No point is in group 2,
    "100 7 no", // and there is no group 17.
  ]);
});

Deno.test("Counters are read by group, and frozen ones stay as they were; a reset is refused", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ forward: "/forward.csv" }, GROUPED);
  await bench.advance(1);
  bench.publish("gz_01.dd.401", 1000);
  const scada = (await bench.dial()).start();
  await bench.advance(100);
  scada.heard.length = 0;
  const ask = async (request: number, freeze: number) => {
    scada.ask(TYPE.C_CI_NA_1, { kind: "counter_interrogation", address: 0, request, freeze });
    await bench.advance(100);
  };
  await ask(2, 1);
  assertEquals(answers(scada), ["101 7", "101 10"]);
  bench.publish("gz_01.dd.401", 1010);
  await bench.advance(100);
  assertEquals(scada.values().at(-1), "37 1 401 1010", "what happens is told all the same");
  await ask(2, 0);
  await ask(5, 0);
  assertEquals([scada.values(39), scada.values(37)], [["15 1 401 1000"], ["15 1 401 1000"]]);
  await ask(5, 1);
  await ask(5, 0);
  assertEquals(scada.values(37).at(-1), "15 1 401 1010");
  scada.heard.length = 0;
  for (const [request, freeze] of [[2, 2], [5, 3], [1, 0], [6, 0]] as const) {
    await ask(request, freeze);
  }
  assertEquals(answers(scada), ["101 7 no", "101 7 no", "101 7 no", "101 7 no"]);
});

Deno.test("A dead-band holds back small changes, and nothing else; unconfirmed ones come again", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ forward: "/forward.csv" }, GROUPED);
  await bench.advance(1);
  const scada = (await bench.dial({ acknowledge: "on_release", w: 1 })).start();
  await bench.advance(1);
  const tell = (value: number, quality = 0) => bench.publish("gz_01.yc.201", value, { quality });
  for (const value of [100, 105, 109, 110, 104, 100, 99.5]) tell(value);
  tell(99.6, QUALITY.invalid);
  tell(99.7);
  tell(NaN);
  tell(NaN);
  await bench.advance(100);
  const numbers = (from: Scada) => from.values().map((text) => Number(text.split(" ")[3]));
  const wanted = [100, 110, 100, 99.6, 99.7, NaN, NaN].map(Math.fround);
  assertEquals(numbers(scada), wanted);
  scada.drop();
  await bench.advance(100);
  const again = (await bench.dial()).start();
  await bench.advance(100);
  assertEquals(numbers(again), wanted);
  await bench.advance(11_000);
  assertEquals(bench.points.journal!.cursor("iec104_slave.occ.single").pending, 0);
});

Deno.test("What is wrong with groups and dead-bands is told", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  const file = "point,group,dead_band\ngz_01.yx.101,17,\ngz_01.dd.401,5,\ngz_01.yc.201,,-1\n";
  bench.start({ forward: "/forward.csv" }, file);
  await bench.advance(1);
  assertEquals(bench.messages.filter((one) => one.startsWith("Forwarding table: ")), [
    'Forwarding table: line 2: group must be from 0 to 16, not "17"',
    "Forwarding table: line 3: group of a counter must be from 0 to 4, not 5",
    "Forwarding table: line 4: dead_band must not be negative, and -1 is",
  ]);
});

Deno.test("A group with a table of its own sees other addresses, types and groups than the rest", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  const files = {
    "/listener.csv": "point\ngz_01.yx.101\ngz_01.yc.201\n",
    "/own.csv": "point,coa,ioa,type,scale,dead_band\ngz_01.yc.201,7,9001,M_ME_TE_1,10,100\n",
  };
  bench.start({
    mode: "groups",
    forward: "/listener.csv",
    groups: [{ name: "own", clients: ["127.0.0.1/32"], forward: "/own.csv" }],
  }, files);
  bench.start({ listen: "127.0.0.1:2405", forward: "/listener.csv" }, files);
  await bench.advance(1);
  const own = (await bench.dial()).start();
  const rest = (await bench.dial({}, 2405)).start();
  await bench.advance(1);
  bench.publish("gz_01.yx.101", true);
  for (const value of [1, 5, 12]) bench.publish("gz_01.yc.201", value);
  await bench.advance(100);
  assertEquals(own.values(), ["35 7 9001 10", "35 7 9001 120"]);
  assertEquals(rest.values(), ["30 1 101 true", "36 1 201 1", "36 1 201 5", "36 1 201 12"]);
  own.ask(TYPE.C_IC_NA_1, { kind: "interrogation", address: 0, qualifier: 20 }, 1);
  own.ask(TYPE.C_IC_NA_1, { kind: "interrogation", address: 0, qualifier: 20 }, 7);
  await bench.advance(100);
  assertEquals(own.values(20), ["11 7 9001 120"]);
  assertEquals(own.values(46).length, 1, "there is no CA 1 for it");
});
