import { CONFIG } from "../../../../src/north/iec104_slave/config.ts";
import { QUALITY } from "../../../../src/points/points.ts";
import {
  CAUSE,
  type InformationObject,
  objectOctets,
  tagOf,
  TYPE,
  UTC,
} from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import type { Scada } from "../../../sim/scada.ts";
import { answers, Bench } from "./bench.ts";

const ROWS = [
  { ioa: 101, kind: "yx" },
  { ioa: 201, kind: "yc" },
  { ioa: 401, kind: "dd" },
  { ioa: 301, kind: "do" },
  { ioa: 302, kind: "do", command: "double", "select_first": 1 },
];
const INTERROGATION = { kind: "interrogation", address: 0, qualifier: 20 } as const;

function single(address: number, on: boolean, select = false): InformationObject {
  return { kind: "single_command", address, on, qualifier: 0, select };
}

Deno.test("Events reach a control centre with their time, packed, in order, and leave when confirmed", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start();
  await bench.advance(1);
  const scada = (await bench.dial({ acknowledge: "on_release", w: 1 })).start();
  await bench.advance(1);
  for (let turn = 0; turn < 30; turn += 1) bench.publish("gz_01.yx.101", turn % 2 === 0);
  bench.publish("gz_01.yc.201", 1.5, { quality: QUALITY.invalid });
  bench.publish("elsewhere.yc.1", 1);
  await bench.advance(100);
  const values = scada.values();
  assertEquals(values.length, 31);
  assertEquals(values.slice(0, 2), ["30 1 101 true", "30 1 101 false"]);
  assertEquals(values.at(-1), "36 1 201 1.5");
  assertEquals(scada.heard.length, 3, "22 and 8 points, and a measurement");
  const [last] = scada.heard.at(-1)!.objects;
  assertEquals([last!.kind === "float" && last.quality, last!.time!.year], [0x80, 26]);
  const cursor = bench.points.journal!.cursor("iec104_slave.occ.single");
  const left = () => cursor.read().samples.filter(({ point }) => point.startsWith("gz_01."));
  assertEquals(left().length, 31);
  scada.release(1);
  await bench.advance(100);
  assertEquals(left().length, 9, "what was in the first frame has left");
  scada.release();
  await bench.advance(100);
  assertEquals(cursor.pending, 0);
});

// Goal: an event leaves a control centre's queue only after that control centre acknowledged it.
Deno.test("What was not confirmed comes again on the next connection, also after a restart", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start();
  await bench.advance(1);
  const first = (await bench.dial({ acknowledge: "on_release", w: 1 })).start();
  await bench.advance(1);
  const tell = (value: number) => bench.publish("gz_01.yc.201", value);
  for (let value = 1; value <= 40; value += 1) tell(value);
  await bench.advance(100);
  first.release(1);
  await bench.advance(100);
  first.drop();
  await bench.advance(100);
  tell(41);
  const second = (await bench.dial({ acknowledge: "on_release", w: 1 })).start();
  await bench.advance(100);
  const from = (scada: Scada) => scada.values().map((text) => Number(text.split(" ")[3]));
  const packed = 16;
  assertEquals(from(second), Array.from({ length: 41 - packed }, (_, index) => packed + 1 + index));
  second.drop();
  await bench.advance(100);
  await bench.stop();
  bench.boot();
  bench.start();
  await bench.advance(1);
  const third = (await bench.dial()).start();
  await bench.advance(100);
  assertEquals(from(third), from(second));
});

Deno.test("Single: a further connection is closed at once, and the log names the holder", async () => {
  await using bench = new Bench();
  bench.start();
  await bench.advance(1);
  const holder = await bench.dial();
  const other = await bench.dial();
  await bench.advance(10);
  assertEquals([holder.end, other.end], [undefined, "lost"]);
  assert(
    bench.messages.some((one) =>
      /closed at once 127\.0\.0\.1:\d+ has the only connection/.test(one)
    ),
    bench.messages.join(),
  );
  holder.drop();
  await bench.advance(10);
  const next = (await bench.dial()).start();
  await bench.advance(10);
  assertEquals(next.link.state, "started");
});

Deno.test("Groups: STARTDT of another connection takes over, with what was not confirmed", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ mode: "groups", groups: [{ name: "occ", clients: ["127.0.0.0/8"] }] });
  await bench.advance(1);
  const one = (await bench.dial({ acknowledge: "on_release", w: 1 })).start();
  const two = await bench.dial();
  await bench.advance(1);
  for (let value = 1; value <= 5; value += 1) bench.publish("gz_01.yc.201", value);
  await bench.advance(100);
  assertEquals([one.values().length, two.values().length], [5, 0]);
  assertEquals(bench.points.last("sys.iec104_slave.occ.group_occ" as never)!.value, true);
  two.start();
  await bench.advance(1100);
  assertEquals([one.end, two.values().length], ["lost", 5]);
  bench.publish("gz_01.yc.201", 6);
  await bench.advance(200);
  assertEquals(two.values().at(-1), "36 1 201 6");
});

Deno.test("Groups: who belongs to none is refused; each group has every event", async () => {
  await using bench = new Bench();
  bench.start({ mode: "groups", groups: [{ name: "occ", clients: ["10.0.0.0/8"] }] });
  await bench.advance(1);
  const stranger = await bench.dial();
  await bench.advance(10);
  assertEquals(stranger.end, "lost");
  assert(bench.messages.some((one) => one.includes("its address is in no group")));
});

Deno.test("Each: every connection has every event", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ mode: "each" });
  await bench.advance(1);
  const both = [(await bench.dial()).start(), (await bench.dial()).start()];
  await bench.advance(10);
  for (let value = 1; value <= 50; value += 1) bench.publish("gz_01.yc.201", value);
  await bench.advance(200);
  assertEquals(both.map((one) => one.values().length), [50, 50]);
  assertEquals(both[0]!.values(), both[1]!.values());
});

Deno.test("An interrogation has the state without time tags, behind the events before it", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start();
  await bench.advance(1);
  const scada = (await bench.dial()).start();
  await bench.advance(1);
  bench.publish("gz_01.yx.101", true);
  bench.publish("gz_01.yc.201", 7);
  bench.publish("gz_01.dd.401", 99);
  await bench.advance(50);
  scada.heard.length = 0;
  bench.publish("gz_01.yc.201", 8);
  await bench.advance(9);
  // The event is not durable yet when the interrogation comes; its value is in the image.
  scada.ask(TYPE.C_IC_NA_1, INTERROGATION);
  await bench.advance(50);
  assertEquals(scada.heard.map(({ type, cause }) => `${type} ${cause}`), [
    "100 7",
    "36 3",
    "1 20",
    "13 20",
    "100 10",
  ]);
  assertEquals(scada.values(20), ["1 1 101 true", "13 1 201 8"]);
  scada.heard.length = 0;
  scada.ask(TYPE.C_CI_NA_1, { kind: "counter_interrogation", address: 0, request: 5, freeze: 0 });
  await bench.advance(50);
  assertEquals(scada.values(37), ["15 1 401 99"]);
  assertEquals(answers(scada), ["101 7", "15 37", "101 10"]);
});

// Goal: an answer never waits for events that do not concern it.
Deno.test("An interrogation is answered though what was before it is forwarded to nobody", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start();
  await bench.advance(1);
  bench.publish("gz_01.yx.101", true);
  const scada = (await bench.dial()).start();
  await bench.advance(100);
  scada.heard.length = 0;
  bench.publish("elsewhere.yc.1", 1);
  scada.ask(TYPE.C_IC_NA_1, INTERROGATION);
  await bench.advance(100);
  assertEquals(answers(scada), ["100 7", "1 20", "100 10"]);
});

Deno.test("A broadcast is answered by every common address, under its own", async () => {
  await using bench = new Bench();
  bench.define({ ioa: 1, kind: "yx" }, { ioa: 2, kind: "yx", coa: 2 });
  bench.start();
  await bench.advance(1);
  const scada = (await bench.dial()).start();
  await bench.advance(1);
  bench.publish("gz_01.yx.1", true);
  bench.publish("gz_01.yx.2", false);
  await bench.advance(50);
  scada.heard.length = 0;
  scada.ask(TYPE.C_IC_NA_1, INTERROGATION, 0xffff);
  await bench.advance(50);
  assertEquals(
    scada.heard.map(({ type, cause, commonAddress }) => `${type} ${cause} ${commonAddress}`),
    ["100 7 1", "100 7 2", "1 20 1", "100 10 1", "1 20 2", "100 10 2"],
  );
});

Deno.test("What cannot be done is refused with its reason: 44, 45, 46, 47", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ commands: true });
  await bench.advance(1);
  const scada = (await bench.dial()).start();
  await bench.advance(1);
  const ask = async (type: number, object: InformationObject, ca = 1, cause: number = 6) => {
    scada.ask(type, object, ca, cause);
    await bench.advance(50);
    return answers(scada).join();
  };
  assertEquals(await ask(TYPE.C_SC_NA_1, single(301, true), 1, 3), "45 45 no");
  assertEquals(await ask(TYPE.C_SC_NA_1, single(301, true), 9), "45 46 no");
  assertEquals(await ask(TYPE.C_SC_NA_1, single(999, true)), "45 47 no");
  assertEquals(await ask(TYPE.C_IC_NA_1, INTERROGATION, 9), "100 46 no");
  assertEquals(await ask(TYPE.C_IC_NA_1, INTERROGATION, 1, 3), "100 45 no");
  assertEquals(await ask(TYPE.C_IC_NA_1, { ...INTERROGATION, qualifier: 21 }), "100 7 no");
  assertEquals(await ask(TYPE.C_CD_NA_1, { kind: "delay", address: 0, value: 1 }), "106 44 no");
  assertEquals(
    await ask(TYPE.M_SP_NA_1, { kind: "single", address: 1, on: true, quality: 0 }),
    "1 44 no",
  );
  assertEquals(await ask(TYPE.C_RP_NA_1, { kind: "reset", address: 0, qualifier: 1 }), "105 7 no");
  const unknown = {
    kind: "raw",
    address: 0,
    octets: new Uint8Array([1, 2, 3, 4]),
    count: 1,
  } as const;
  assertEquals(await ask(200, unknown), "200 44 no");
  assertEquals(await ask(TYPE.C_RD_NA_1, { kind: "read", address: 999 }, 1, 5), "102 47 no");
  bench.publish("gz_01.yc.201", 3);
  await bench.advance(50);
  scada.heard.length = 0;
  assertEquals(await ask(TYPE.C_RD_NA_1, { kind: "read", address: 201 }, 1, 5), "13 5");
  const clock = { kind: "clock", address: 0, time: tagOf(bench.clock.epoch(), UTC) } as const;
  assertEquals(await ask(TYPE.C_CS_NA_1, clock), "103 7");
  assertEquals([bench.commanded.length, bench.count("unknown_requests")], [0, 9]);
});

Deno.test("A command goes to the owner, and its outcome comes back", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ commands: true });
  await bench.advance(1);
  const scada = (await bench.dial()).start();
  await bench.advance(1);
  const ask = async (type: number, object: InformationObject, cause: number = 6) => {
    scada.ask(type, object, 1, cause);
    await bench.advance(50);
    return answers(scada).join();
  };
  assertEquals(await ask(TYPE.C_SC_NA_1, single(301, true)), "45 7,45 10");
  bench.outcome = { kind: "refused", why: "interlocked" };
  assertEquals(await ask(TYPE.C_SC_NA_1, single(301, false)), "45 7 no");
  bench.outcome = { kind: "done" };
  const double = (state: number, select: boolean): InformationObject => ({
    kind: "double_command",
    address: 302,
    state,
    qualifier: 1,
    select,
  });
  const type = TYPE.C_DC_NA_1;
  assertEquals(await ask(type, double(2, false)), "46 7 no", "it was not selected");
  assertEquals(await ask(type, double(2, true)), "46 7");
  assertEquals(await ask(type, double(1, false)), "46 7 no", "something else was selected");
  assertEquals(await ask(type, double(2, false)), "46 7 no", "and the selection is gone");
  assertEquals(await ask(type, double(2, true)), "46 7");
  assertEquals(await ask(type, double(2, false)), "46 7,46 10");
  assertEquals(await ask(type, double(2, true)), "46 7");
  await bench.advance(10_000);
  assertEquals(await ask(type, double(2, false)), "46 7 no", "a selection holds for a while");
  assertEquals(await ask(type, double(2, true)), "46 7");
  assertEquals(await ask(type, double(2, true), CAUSE.deactivation), "46 9");
  assertEquals(await ask(type, double(2, false)), "46 7 no", "it was let go");
  assertEquals(await ask(type, double(3, true)), "46 7 no", "not permitted");
  assertEquals(bench.commanded, [
    "gz_01.do.301 true 0",
    "gz_01.do.301 false 0",
    "gz_01.do.302 on 1",
  ]);
});

Deno.test("A selection goes with its connection; a command too old is refused", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ commands: true, mode: "each" });
  await bench.advance(1);
  const one = (await bench.dial()).start();
  const two = (await bench.dial()).start();
  await bench.advance(1);
  const double = (select: boolean): InformationObject => ({
    kind: "double_command",
    address: 302,
    state: 2,
    qualifier: 0,
    select,
  });
  one.ask(TYPE.C_DC_NA_1, double(true));
  await bench.advance(50);
  two.ask(TYPE.C_DC_NA_1, double(false));
  await bench.advance(50);
  assertEquals([answers(one), answers(two)], [["46 7"], ["46 7 no"]]);
  const timed = async (late: number) => {
    const time = tagOf(bench.clock.epoch() - late, UTC);
    one.ask(TYPE.C_SC_TA_1, { ...single(301, true), time } as InformationObject);
    await bench.advance(50);
    return answers(one).join();
  };
  assertEquals([await timed(0), await timed(11_000), await timed(-11_000)], [
    "58 7,58 10",
    "58 7 no",
    "58 7 no",
  ]);
});

Deno.test("Commands beyond loopback are taken of known addresses only", () => {
  const faults = (fields: object) =>
    CONFIG.safeParse({ listen: "0.0.0.0:2404", commands: true, ...fields }).error?.issues
      .map(({ path }) => path.join(".")) ?? [];
  const group = { name: "occ", clients: ["10.0.0.0/8"] };
  assertEquals(faults({}), ["allow"]);
  assertEquals(faults({ mode: "groups", groups: [group, { name: "others" }] }), ["allow"]);
  assertEquals(faults({ mode: "groups", groups: [group] }), []);
  assertEquals(faults({ allow: ["10.0.0.0/8"] }), []);
  assertEquals(faults({ commands: false }), []);
  assertEquals(faults({ listen: "127.0.0.1:2404" }), []);
});

Deno.test("Without permission no command is taken", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start();
  await bench.advance(1);
  const scada = (await bench.dial()).start();
  await bench.advance(1);
  scada.ask(TYPE.C_SC_NA_1, single(301, true));
  await bench.advance(50);
  assertEquals([answers(scada), bench.commanded], [["45 7 no"], []]);
});

Deno.test("What came over the same type goes out with the source's own tag, bit by bit", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ time_zone: "Asia/Shanghai" });
  await bench.advance(1);
  const scada = (await bench.dial()).start();
  await bench.advance(1);
  const time = { ...tagOf(0, UTC, { invalid: true }), weekday: 0, reserved: 5 };
  const object = { kind: "single", address: 9, on: true, quality: 0x30, time } as const;
  const source = { type: 30, cause: 3, octets: objectOctets(30, object) };
  bench.publish("gz_01.yx.101", true, { source, quality: QUALITY.blocked | QUALITY.substituted });
  // Without a tag of its own it gets ours, marked as a substitute, in the zone of the listener.
  const plain = { type: 13, cause: 3, octets: new Uint8Array([0, 0, 0x80, 0x3f, 0]) };
  bench.publish("gz_01.yc.201", 1, { source: plain });
  await bench.advance(50);
  const [one, two] = scada.heard.flatMap(({ objects }) => objects);
  assertEquals(one, { ...object, address: 101 });
  assertEquals([two!.time!.substituted, two!.time!.hour], [true, 8]);
});

Deno.test("A forwarding table gives other addresses, types and scales; its faults are told", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  const csv = [
    "point,coa,ioa,type,scale,offset",
    "gz_01.yc.201,7,5001,M_ME_TE_1,10,1",
    "gz_01.yx.101,7,5002,31,,",
    "gz_01.do.301,7,5003,,,",
    "gz_01.yc.999,,,,,",
    "gz_01.dd.401,7,5001,,,",
    "gz_01.dd.401,7,6000,M_XX,,",
  ].join("\n");
  bench.start({ forward: "/x.csv", commands: true }, csv);
  await bench.advance(1);
  assertEquals(bench.messages.filter((one) => one.startsWith("Forwarding table:")), [
    "Forwarding table: line 5: gz_01.yc.999 is no point of the table",
    "Forwarding table: line 6: CA 7 IOA 5001 is taken",
    'Forwarding table: line 7: type must be a type such as M_ME_TF_1 or 36, not "M_XX"',
  ]);
  const scada = (await bench.dial()).start();
  await bench.advance(1);
  bench.publish("gz_01.yc.201", 2.5);
  bench.publish("gz_01.yc.201", 1e9);
  bench.publish("gz_01.yx.101", true);
  bench.publish("gz_01.dd.401", 5);
  await bench.advance(50);
  assertEquals(scada.values(), ["35 7 5001 26", "35 7 5001 32767", "31 7 5002 2"]);
  const [, over] = scada.heard[0]!.objects;
  assertEquals(over!.kind === "scaled" && over.quality, 1, "OV");
  scada.ask(TYPE.C_SC_NA_1, single(5003, true), 7);
  await bench.advance(50);
  assertEquals(bench.commanded, ["gz_01.do.301 true 0"]);
});

Deno.test("Events that were dropped are told to the control centre before the rest", async () => {
  await using bench = new Bench({ octetsMax: 3000 });
  bench.define(...ROWS);
  bench.start({ overflow_address: 65_000 });
  await bench.advance(1);
  (await bench.dial()).drop();
  for (let value = 1; value <= 300; value += 1) {
    bench.publish("gz_01.yc.201", value);
    if (value % 10 === 0) await bench.advance(20);
  }
  const scada = (await bench.dial()).start();
  await bench.advance(100);
  const values = scada.values();
  assertEquals(values.filter((one) => one.includes(" 65000 ")).length, 1, values.join());
  const numbers = values.filter((one) => one.startsWith("36")).map((one) =>
    Number(one.split(" ")[3])
  );
  assert(numbers.length < 300 && numbers.at(-1) === 300);
  assertEquals(numbers, numbers.map((_, index) => 301 - numbers.length + index));
  assert(bench.codes.includes("iec104.events_lost"));
});

Deno.test("Background scans and cyclic data come by their periods", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start({ background_scan: "60s", cyclic: "10s" });
  await bench.advance(1);
  bench.publish("gz_01.yx.101", true);
  bench.publish("gz_01.yc.201", 4);
  const scada = (await bench.dial()).start();
  await bench.advance(60_500);
  assertEquals(scada.values(CAUSE.periodic), Array(6).fill("13 1 201 4"));
  assertEquals(scada.values(CAUSE.background), ["1 1 101 true", "13 1 201 4"]);
});

Deno.test("I and S frames before STARTDT end the connection; the service goes on", async () => {
  await using bench = new Bench();
  bench.start();
  await bench.advance(1);
  const conn = await bench.net.dial({ host: "127.0.0.1", port: 2404 });
  await conn.write(new Uint8Array([0x68, 4, 1, 0, 0, 0]));
  await bench.advance(10);
  assertEquals(bench.count("links_closed"), 1);
  const scada = (await bench.dial()).start();
  await bench.advance(10);
  assertEquals(scada.link.state, "started");
});

Deno.test("A control centre that asks without reading is cut off", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  bench.start();
  await bench.advance(1);
  const scada = (await bench.dial({ acknowledge: "on_release", w: 1 })).start();
  await bench.advance(1);
  for (let turn = 0; turn < 60 && scada.end === undefined; turn += 1) {
    while (scada.link.room > 0) scada.ask(TYPE.C_IC_NA_1, INTERROGATION, 9);
    await bench.advance(20);
    if (scada.link.unreleased < 12) continue;
    while (scada.link.room > 0) scada.ask(TYPE.C_IC_NA_1, INTERROGATION, 9);
    await bench.advance(20);
  }
  await bench.advance(20_000);
  assert(scada.end !== undefined);
});
