/** What an operator asks of an RTU beyond interrogation: files, parameters, counters, commands. */
import { type Asdu, FileServing, tagOf, TYPE, UTC } from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { spontaneous } from "../../../sim/outstation.ts";
import { Bench } from "./bench.ts";

const RECORD = Uint8Array.from({ length: 9000 }, (_, index) => index * 7);

async function withFiles(bench: Bench, take?: (request: Asdu) => Asdu[] | undefined) {
  const time = tagOf(Date.UTC(2026, 10, 21, 8), UTC);
  const files = [
    { address: 9001, file: 2, octets: RECORD, time },
    { address: 9002, file: 1, octets: RECORD.subarray(0, 10), time },
  ];
  const serving = new FileServing(1, files);
  const rtu = await bench.rtu(2404, {
    answer: (request) => take?.(request) ?? serving.take(request),
  });
  bench.start();
  await bench.advance(100);
  return rtu;
}

Deno.test("Files of an RTU are listed and fetched, and events go on beside them", async () => {
  await using bench = new Bench();
  const rtu = await withFiles(bench);
  const listed = await bench.order("files");
  assertEquals(listed.status, 200);
  const common = { coa: 1, directory: false, active: false, at: Date.UTC(2026, 10, 21, 8) };
  assertEquals((listed.body as { files: unknown }).files, [
    { ...common, ioa: 9001, file: 2, length: 9000 },
    { ...common, ioa: 9002, file: 1, length: 10 },
  ]);
  rtu.tell(spontaneous(TYPE.M_ME_NB_1, { kind: "scaled", address: 7, value: 5, quality: 0 }));
  const fetched = await bench.order("fetch", { coa: 1, ioa: 9001, file: 2 });
  const { length, base64 } = fetched.body as { length: number; base64: string };
  assertEquals([fetched.status, length], [200, 9000]);
  assertEquals(Uint8Array.fromBase64(base64), RECORD);
  assertEquals(bench.value("gz_01.yc.7"), 5);
  await bench.advance(30_000);
  assertEquals([rtu.queue.length, bench.count("unexpected")], [0, 0], "each frame is confirmed");
});

Deno.test("A file that is not there, or does not go on, is told; the next one can be had", async () => {
  await using bench = new Bench();
  let mute = false;
  await withFiles(bench, () => mute ? [] : undefined);
  const missing = await bench.order("fetch", { coa: 1, ioa: 9001, file: 9 });
  assertEquals([missing.status, missing.body], [504, { error: "File: the file is not ready" }]);
  mute = true;
  const silent = await bench.order("fetch", { coa: 1, ioa: 9001, file: 2 });
  assertEquals(silent.body, { error: "File: the RTU did not go on in time" });
  const list = await bench.order("files");
  assertEquals(list.body, { error: "Directory: the RTU did not go on in time" });
  mute = false;
  assertEquals((await bench.order("fetch", { coa: 1, ioa: 9002, file: 1 })).status, 200);
  const wrong = await bench.order("fetch", { coa: 1, ioa: 9002 });
  assertEquals(wrong.body, { error: "coa, ioa and file must be whole numbers" });
});

Deno.test("A connection that is lost ends a transfer", async () => {
  await using bench = new Bench();
  const rtu = await withFiles(bench, (request) => {
    if (request.type === TYPE.F_SC_NA_1) queueMicrotask(() => rtu.drop());
    return [];
  });
  const lost = await bench.order("fetch", { coa: 1, ioa: 9001, file: 2 });
  assertEquals(lost.body, { error: "File: the connection was lost" });
});

Deno.test("Parameters are loaded and activated as they are named", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  bench.start({ interrogate_on_start: false });
  await bench.advance(100);
  const place = { coa: 1, ioa: 201 };
  const load = { ...place, parameter: "threshold", value: 2.5 };
  assertEquals((await bench.order("parameter", load)).status, 200);
  const scaled = { ...place, form: "scaled", parameter: "high_limit", value: 400 };
  assertEquals((await bench.order("parameter", scaled)).status, 200);
  assertEquals((await bench.order("parameter", { ...place, act: "cyclic" })).status, 200);
  const off = { ...place, act: "cyclic", activate: false };
  assertEquals((await bench.order("parameter", off)).status, 200);
  const heard = rtu.heard.map(({ type, cause, objects: [object] }) => ({ type, cause, object }));
  const fields = { address: 201, changed: false, idle: false, time: undefined };
  assertEquals(heard, [
    {
      type: TYPE.P_ME_NC_1,
      cause: 6,
      object: { kind: "parameter_float", value: 2.5, parameter: 1, ...fields },
    },
    {
      type: TYPE.P_ME_NB_1,
      cause: 6,
      object: { kind: "parameter_scaled", value: 400, parameter: 4, ...fields },
    },
    ...[6, 8].map((cause) => ({
      type: TYPE.P_AC_NA_1,
      cause,
      object: {
        kind: "parameter_activation" as const,
        address: 201,
        qualifier: 3,
        time: undefined,
      },
    })),
  ]);
  for (
    const [body, error] of [
      [{ ...load, parameter: "size" }, "parameter must be one of threshold, smoothing"],
      [{ ...scaled, value: 40_000 }, "value must be a number that scaled can hold"],
      [{ ...load, form: "double" }, "form must be one of normalized, scaled, float"],
      [{ ...place, act: "all" }, "act must be one of loaded, object, cyclic"],
      [{ parameter: "threshold", value: 1 }, "coa and ioa must be whole numbers"],
    ] as const
  ) {
    const { status, body: told } = await bench.order("parameter", body);
    assertEquals(status, 422);
    assert((told as { error: string }).error.startsWith(error), JSON.stringify(told));
  }
});

Deno.test("Groups are interrogated; counters are frozen or reset first, as asked", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  bench.start({ interrogate_on_start: false });
  await bench.advance(100);
  assertEquals((await bench.order("interrogate", { group: 3 })).status, 200);
  assertEquals((await bench.order("counters", { group: 2, freeze: "freeze_reset" })).status, 200);
  assertEquals((await bench.order("counters", { freeze: "reset" })).status, 200);
  const asked = rtu.heard.map(({ objects: [object] }) =>
    object?.kind === "interrogation"
      ? object.qualifier
      : object?.kind === "counter_interrogation"
      ? [object.request, object.freeze]
      : undefined
  );
  assertEquals(asked, [23, [2, 2], [2, 0], [5, 3]], "a reset leaves nothing to be read");
  assertEquals((await bench.order("interrogate", { group: 17 })).status, 422);
  assertEquals((await bench.order("counters", { freeze: "melt" })).status, 422);
});

// Goal: the end of a freeze that comes late is not taken for the end of what is read after it.
Deno.test("A freeze that is ended late does not end the reading of the counters", async () => {
  await using bench = new Bench();
  let freeze: Asdu | undefined;
  await bench.rtu(2404, {
    answer: (request) => {
      const [object] = request.objects;
      if (object?.kind !== "counter_interrogation") return undefined;
      const con = { ...request, cause: 7 };
      if (object.freeze !== 0) {
        freeze = request;
        return [con];
      }
      return [{ ...freeze!, cause: 10 }, con];
    },
  });
  bench.start({ interrogate_on_start: false, interrogation_within: "20s" });
  await bench.advance(100);
  const { status } = await bench.order("counters", { freeze: "freeze" });
  assertEquals(status, 504, "the reading itself was never ended");
});

Deno.test("At its time the schedule freezes before it reads", async () => {
  await using bench = new Bench();
  const rtu = await bench.rtu(2404);
  const config = { "interrogate_on_start": false, "counters_freeze": "freeze" };
  bench.start({ ...config, counters_at: "*/10 * * * *" });
  await bench.advance(601_000);
  const asked = rtu.heard.map(({ objects: [object] }) =>
    object?.kind === "counter_interrogation" ? object.freeze : undefined
  );
  assertEquals(asked, [1, 0]);
});

Deno.test("A command by address goes to the output that the table has there", async () => {
  await using bench = new Bench();
  bench.define({ ioa: 301, kind: "do" }, { ioa: 101, kind: "yx" });
  const rtu = await bench.rtu(2404);
  bench.start({ interrogate_on_start: false });
  await bench.advance(100);
  const done = await bench.order("command", { coa: 1, ioa: 301, value: "on", qualifier: 1 });
  assertEquals(done.body, { point: "gz_01.do.301", outcome: { kind: "done" } });
  assertEquals(rtu.heard[0]!.objects[0], {
    ...{ kind: "single_command", address: 301, on: true, qualifier: 1, select: false },
    time: undefined,
  });
  const none = await bench.order("command", { coa: 1, ioa: 101, value: true });
  assertEquals([none.status, none.body], [404, {
    error: "The point table has no output (do, ao) at CA 1 IOA 101",
  }]);
  assertEquals((await bench.order("command", { coa: 1, ioa: 301 })).status, 422);
  const [last] = bench.points.journal!.audits(1);
  assertEquals([last!.origin, last!.point, last!.outcome], ["control:t", "gz_01.do.301", "done"]);
});
