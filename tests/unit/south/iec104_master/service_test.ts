import type { Instant } from "../../../../src/base/time.ts";
import { OsError } from "../../../../src/base/errors.ts";
import type { Command, CommandOutcome } from "../../../../src/points/commands.ts";
import { type PointId, QUALITY } from "../../../../src/points/points.ts";
import { asdu, CAUSE, mirrored, tagOf, TYPE, UTC } from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { single, spontaneous } from "../../../sim/outstation.ts";
import { Bench } from "./bench.ts";

const ROWS = [
  { ioa: 101, kind: "yx" },
  { ioa: 201, kind: "yc", scale: 100 },
  { ioa: 301, kind: "do" },
  { ioa: 302, kind: "do", command: "double", "select_first": 1, qualifier: 1 },
  { ioa: 303, kind: "ao", scale: 0.1 },
];

async function ask(bench: Bench, fields: Partial<Command>): Promise<CommandOutcome> {
  const command = { point: "gz_01.do.301" as PointId, value: true, origin: "t", ...fields };
  const outcome = bench.points.commands.request(command, (bench.clock.now() + 60_000) as Instant);
  await bench.advance(60_000);
  return await outcome;
}

Deno.test("An RTU is started, interrogated, and its values are points", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  const rtu = await bench.rtu(2404, {
    image: () => [asdu({
      type: TYPE.M_SP_NA_1,
      cause: CAUSE.interrogated,
      commonAddress: 1,
      sequence: true,
      objects: [101, 102].map((address) => ({ kind: "single", address, on: true, quality: 0x40 })),
    })],
  });
  bench.start();
  await bench.advance(100);
  assertEquals(rtu.heard.map(({ type }) => type), [TYPE.C_IC_NA_1]);
  assertEquals([bench.value("gz_01.yx.101"), bench.quality("gz_01.yx.101")], [true, QUALITY.stale]);
  assertEquals(
    bench.value("gz_01.yx.102"),
    true,
    "one that the table does not know has a name too",
  );
  assertEquals(bench.value("sys.iec104_master.gz_01.interrogation"), 2);
  const at = Date.UTC(2026, 0, 1, 0, 0, 5, 123);
  const time = tagOf(at, UTC);
  rtu.tell(
    spontaneous(TYPE.M_ME_TD_1, {
      kind: "normalized",
      address: 201,
      raw: 16_384,
      quality: 0,
      time,
    }),
  );
  await bench.advance(100);
  const sample = bench.points.last("gz_01.yc.201" as PointId)!;
  assertEquals([sample.value, sample.at, sample.event], [50, at, true], "in engineering units");
  assertEquals([sample.source!.type, sample.source!.cause, sample.source!.octets.length], [
    34,
    3,
    10,
  ]);
  assertEquals(bench.reports.at(-1), "up");
});

// Goal: the rule by which nothing is lost.
Deno.test("An RTU's events are confirmed when they are durable, and not before", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  bench.start({ t2: "1s" });
  await bench.advance(100);
  bench.writer.failure = new OsError("sqlite.failed", "disk is full");
  for (let turn = 0; turn < 30; turn += 1) rtu.tell(single(1, turn % 2 === 0));
  await bench.advance(5000);
  assertEquals([rtu.confirmed, rtu.link!.unconfirmed], [0, 12], "its window is full, and it waits");
  bench.writer.failure = undefined;
  await bench.advance(3000);
  assertEquals([rtu.confirmed, rtu.queue.length], [30, 0]);
  const kept = bench.points.journal!.cursor("all", "oldest").read().samples
    .filter(({ point }) => point === "gz_01.yx.1");
  assertEquals(kept.map(({ value }) => value), Array.from({ length: 30 }, (_, i) => i % 2 === 0));
});

Deno.test("A journal without room holds the RTU back, in order, and loses nothing", async () => {
  await using bench = new Bench({ pendingMax: 10 });
  const rtu = await bench.rtu(2404);
  bench.start({ t2: "1s" });
  await bench.advance(100);
  bench.writer.failure = new OsError("sqlite.failed", "disk is full");
  for (let turn = 0; turn < 40; turn += 1) {
    rtu.tell(spontaneous(TYPE.M_ME_NB_1, { kind: "scaled", address: 7, value: turn, quality: 0 }));
  }
  await bench.advance(4000);
  assert(bench.count("held_back") > 0);
  bench.writer.failure = undefined;
  await bench.advance(6000);
  assertEquals(rtu.confirmed, 40);
  const cursor = bench.points.journal!.cursor("all", "oldest");
  const seen: unknown[] = [];
  while (cursor.pending > 0) {
    const { first, samples } = cursor.read();
    seen.push(...samples.filter(({ point }) => point === "gz_01.yc.7").map(({ value }) => value));
    cursor.confirm(first + samples.length - 1);
  }
  assertEquals(seen, Array.from({ length: 40 }, (_, index) => index));
});

Deno.test("A lost connection: the next address is tried at once, what was not confirmed comes again", async () => {
  await using bench = new Bench();
  const one = await bench.rtu(2404);
  const two = await bench.rtu(2405);
  bench.start({ channels: ["127.0.0.1:2404", "127.0.0.1:2405"], virtual_rtu: 10 });
  await bench.advance(2000);
  assertEquals([one.connections, two.connections], [1, 0]);
  assertEquals([bench.value("vpt.10.21"), bench.quality("vpt.10.22")], [true, QUALITY.stale]);
  one.drop();
  await bench.advance(50);
  assertEquals([one.connections, two.connections], [1, 1]);
  assertEquals(bench.value("sys.iec104_master.gz_01.channel_1"), false);
  assertEquals([bench.value("vpt.10.21"), bench.value("vpt.10.22")], [false, true]);
  assertEquals(bench.value("sys.iec104_master.gz_01.online"), true);
});

Deno.test("Each link of a channel has its own state; the channel is up when one of them is", async () => {
  await using bench = new Bench();
  await bench.rtu(2406);
  const state = (link: number) => {
    const point = `sys.iec104_master.gz_01.channel_1${link === 0 ? "" : `.link_${link}`}`;
    return bench.quality(point) === 0 ? bench.value(point) : "unknown";
  };
  // M2 on loopback: the simulated network has one host, so ports stand for addresses here.
  bench.start({ channels: ["127.0.0.1:2404", "127.0.0.1:2405", "127.0.0.1:2406"], retry: "5s" });
  await bench.advance(100);
  assertEquals(state(1), false);
  assertEquals(bench.value("sys.iec104_master.gz_01.channel_2"), false);
  await bench.advance(5000);
  await bench.advance(5000);
  assertEquals(bench.value("sys.iec104_master.gz_01.channel_3"), true);
  assertEquals(bench.count("rounds_failed"), 0);
});

Deno.test("A round of all addresses in vain is told, and takes as long as there are addresses", async () => {
  await using bench = new Bench();
  bench.start({ channels: ["127.0.0.1:2404:M1", "127.0.0.1:2405"], retry: "5s" });
  await bench.advance(9999);
  assertEquals(bench.value("sys.iec104_master.gz_01.all_links_down"), undefined);
  await bench.advance(2);
  assertEquals(bench.value("sys.iec104_master.gz_01.all_links_down"), true);
  assertEquals([bench.count("rounds_failed"), bench.count("connect_failures")], [1, 3]);
  assert(bench.reports.at(-1)!.startsWith("degraded: None of its addresses can be reached"));
  await bench.rtu(2405);
  await bench.advance(20_000);
  assertEquals(bench.value("sys.iec104_master.gz_01.all_links_down"), false);
});

Deno.test("Points of an RTU that is away become stale, after a while", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  bench.start({ stale_after: "10s", retry: "60s" });
  await bench.advance(100);
  rtu.tell(single(1, true));
  await bench.advance(2000);
  await rtu[Symbol.asyncDispose]();
  await bench.advance(9000);
  assertEquals(bench.quality("gz_01.yx.1"), 0);
  await bench.advance(1500);
  assertEquals([bench.value("gz_01.yx.1"), bench.quality("gz_01.yx.1")], [true, QUALITY.stale]);
});

Deno.test("A direct command is followed to its termination; on and off are what they say", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  const rtu = await bench.rtu(2404);
  bench.start();
  await bench.advance(100);
  assertEquals(await ask(bench, {}), { kind: "done" });
  const sent = rtu.heard.at(-1)!;
  assertEquals([sent.type, sent.cause, sent.objects[0]], [TYPE.C_SC_NA_1, CAUSE.activation, {
    kind: "single_command",
    address: 301,
    on: true,
    qualifier: 0,
    select: false,
    time: undefined,
  }]);
  assertEquals((await ask(bench, { point: "gz_01.ao.303" as PointId, value: 2.5 })).kind, "done");
  const [setPoint] = rtu.heard.at(-1)!.objects;
  assert(setPoint?.kind === "set_float");
  assertEquals(setPoint.value, 25, "as the device wants it");
});

Deno.test("Select before operate: the same value twice, and nothing is operated without", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  let refuse = false;
  const rtu = await bench.rtu(2404, {
    answer: (request) => refuse ? [mirrored(request, CAUSE.activationCon, true)] : undefined,
  });
  bench.start({ interrogate_on_start: false });
  await bench.advance(100);
  const point = "gz_01.do.302" as PointId;
  const steps = () =>
    rtu.heard.splice(0).map(({ cause, objects: [object] }) => {
      assert(object?.kind === "double_command");
      return [cause, object.state, object.qualifier, object.select];
    });
  assertEquals(await ask(bench, { point, value: "on" }), { kind: "done" });
  assertEquals(steps(), [[6, 2, 1, true], [6, 2, 1, false]]);
  assertEquals(await ask(bench, { point, value: "off", mode: "select" }), { kind: "done" });
  assertEquals(steps(), [[6, 1, 1, true]]);
  assertEquals(await ask(bench, { point, value: "off", mode: "cancel" }), { kind: "done" });
  assertEquals(steps(), [[8, 1, 1, false]]);
  refuse = true;
  assertEquals(await ask(bench, { point, value: "on" }), {
    kind: "refused",
    why: "RTU: negative confirmation",
  });
  assertEquals(steps(), [[6, 2, 1, true]], "what could not be selected is not operated");
  // Numbers mean the opposite in some libraries: names only.
  const numbered = await ask(bench, { point, value: 2 });
  assertEquals(numbered, { kind: "refused", why: "Value must be on or off by name, not 2" });
  assertEquals(steps(), []);
});

Deno.test("A command that is not answered is never repeated, and its outcome is not known", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  let terminates = false;
  const rtu = await bench.rtu(2404, {
    answer: (request) => terminates ? [mirrored(request, CAUSE.activationCon, false)] : [],
  });
  bench.start({ interrogate_on_start: false });
  await bench.advance(100);
  assertEquals(await ask(bench, {}), { kind: "timed_out" });
  terminates = true;
  assertEquals(await ask(bench, {}), { kind: "timed_out" }, "confirmed, and never ended");
  assertEquals(rtu.heard.length, 2);
  await rtu[Symbol.asyncDispose]();
  await bench.advance(100);
  const outcome = bench.points.commands.request(
    { point: "gz_01.do.301" as PointId, value: true, origin: "t" },
    (bench.clock.now() + 60_000) as Instant,
  );
  await bench.advance(10);
  assertEquals((await outcome).kind, "refused", "not connected: it cannot have been executed");
});

Deno.test("An RTU that says why it refuses is quoted", async () => {
  await using bench = new Bench();
  bench.define(...ROWS);
  await bench.rtu(2404, {
    answer: (request) => [mirrored(request, CAUSE.unknownObjectAddress, true)],
  });
  bench.start({ interrogate_on_start: false });
  await bench.advance(100);
  assertEquals(await ask(bench, {}), { kind: "refused", why: "RTU: unknown object address" });
});

Deno.test("An interrogation that is not answered is tried once more, then told", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404, { answer: () => [] });
  bench.start({ common_addresses: [1, 2] });
  await bench.advance(50_000);
  assertEquals(rtu.heard.map(({ commonAddress }) => commonAddress), [1, 1, 2, 2]);
  assertEquals(bench.value("sys.iec104_master.gz_01.interrogation"), 3);
  assertEquals(bench.count("interrogations_failed"), 1);
});

Deno.test("Schedules: interrogations, counters and the clock, at their times", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  bench.start({
    interrogate_on_start: false,
    interrogate_at: "*/10 * * * *",
    counters_at: "0 * * * *",
    clock_sync: "on_start",
    clock_sync_at: "30 * * * *",
  });
  await bench.advance(3_600_000 + 100);
  const count = (type: number) => rtu.heard.filter((one) => one.type === type).length;
  assertEquals([count(TYPE.C_IC_NA_1), count(TYPE.C_CI_NA_1), count(TYPE.C_CS_NA_1)], [6, 1, 2]);
});

Deno.test("An operator asks for interrogations, counters, the clock, a test, a reset, a read", async () => {
  await using bench = new Bench();
  let silent = false;
  const rtu = await bench.rtu(2404, {
    answer: (request) => {
      if (silent) return [];
      if (request.type !== TYPE.C_RD_NA_1) return undefined;
      const { commonAddress, objects: [object] } = request;
      return [asdu({
        type: TYPE.M_SP_NA_1,
        cause: CAUSE.request,
        commonAddress,
        objects: [{ kind: "single", address: object!.address, on: true, quality: 0 }],
      })];
    },
  });
  bench.start({ interrogate_on_start: false });
  await bench.advance(100);
  for (const order of ["interrogate", "counters", "clock", "test", "reset"]) {
    assertEquals(await bench.order(order), { status: 200, body: { ok: true } }, order);
  }
  assertEquals(rtu.heard.map(({ type }) => type), [100, 101, 103, 107, 105]);
  assertEquals((await bench.order("read", { coa: 1, ioa: 7 })).status, 200);
  assertEquals(bench.value("gz_01.yx.7"), true);
  assertEquals((await bench.order("read", { coa: 1 })).status, 422);
  silent = true;
  assertEquals((await bench.order("test")).status, 504);
  await rtu[Symbol.asyncDispose]();
  await bench.advance(100);
  assertEquals((await bench.order("test")).status, 409);
});

Deno.test("An end of initialization is followed by an interrogation", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  bench.start();
  await bench.advance(1000);
  rtu.tell(asdu({
    type: TYPE.M_EI_NA_1,
    cause: CAUSE.initialized,
    commonAddress: 1,
    objects: [{ kind: "end_of_initialization", address: 0, initialization: 0, changed: false }],
  }));
  await bench.advance(1000);
  assertEquals(rtu.heard.filter(({ type }) => type === TYPE.C_IC_NA_1).length, 2);
});

Deno.test("Who may not act keeps the connection without data, and starts when it may", async () => {
  await using bench = new Bench();
  bench.holds = false;
  const rtu = await bench.rtu(2404);
  bench.start();
  await bench.advance(60_000);
  assertEquals([rtu.connections, rtu.link!.state], [1, "stopped"], "tested by TESTFR meanwhile");
  bench.authority(true);
  await bench.advance(100);
  assertEquals([rtu.link!.state, rtu.heard.length], ["started", 1]);
  bench.authority(false);
  await bench.advance(100);
  assertEquals(rtu.link!.state, "stopped");
});

Deno.test("The end: transfer stops in good order, what was safe is confirmed", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  bench.start({ t2: "14s" });
  await bench.advance(100);
  rtu.tell(single(1, true));
  await bench.advance(100);
  assertEquals(rtu.confirmed, 0);
  await bench.stop();
  assertEquals([rtu.confirmed, rtu.link], [1, undefined]);
});

Deno.test("An RTU that breaks the protocol is left, and tried again after the pause", async () => {
  await using bench = new Bench();
  const listener = await bench.net.listen({ host: "127.0.0.1", port: 2404 });
  let connections = 0;
  void (async () => {
    for await (const { conn } of listener) {
      connections += 1;
      await conn.write(new Uint8Array([0x68, 3, 0]));
    }
  })();
  bench.start({ retry: "5s" });
  await bench.advance(12_000);
  assertEquals(connections, 3);
  assert(bench.reports.at(-1)!.includes("iec104.link.malformed"), bench.reports.at(-1));
  await listener[Symbol.asyncDispose]();
});

Deno.test("Frames are traced as deep as asked for, and never more than 50 lines a second", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  bench.start({ interrogate_on_start: false });
  await bench.advance(2000);
  assertEquals(bench.traced, [], "nothing unless it is asked for");
  const tell = (on: boolean) => rtu.tell(single(101, on));
  for (const depth of [1, 2, 3]) {
    bench.depth = depth;
    tell(true);
    await bench.advance(2000);
  }
  assertEquals(bench.traced.filter((line) => line.includes(" <- ")), [
    `iec104.frame <- I N(S) 0 N(R) 0 | M_SP_NA_1 spontaneous CA 1 | 1 objects ${peer()}`,
    `iec104.frame <- I N(S) 1 N(R) 0 | M_SP_NA_1 spontaneous CA 1 | 101: on ${peer()}`,
    "iec104.frame <- I N(S) 2 N(R) 0 | M_SP_NA_1 spontaneous CA 1 | 101: on " +
    peer({ octets: "680e0400000001010300010065000001" }),
  ]);
  bench.depth = 1;
  bench.traced.length = 0;
  for (let turn = 0; turn < 200; turn += 1) tell(turn % 2 === 0);
  await bench.advance(500);
  assertEquals(bench.traced.length, 50);
  await bench.advance(600);
  tell(true);
  await bench.advance(10);
  assert(/"skipped":\d+/.test(bench.traced[50]!), bench.traced[50]);
});

function peer(more: object = {}): string {
  return JSON.stringify({ peer: "127.0.0.1:2404", ...more });
}
