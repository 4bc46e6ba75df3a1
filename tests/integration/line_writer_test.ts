import { seconds } from "../../src/base/time.ts";
import {
  LineWriter,
  QUEUE_OCTETS_MAX,
  RotatingFile,
  type RotationOptions,
} from "../../src/platform/line_writer.ts";
import { assert, assertEquals } from "../assert.ts";

/** A folder of the test's own, removed afterwards. */
function folder(): { readonly path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "busbar-log-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

async function unzip(path: string): Promise<string> {
  const file = await Deno.open(path);
  return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).text();
}

function list(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

function rotating(path: string, more: Partial<RotationOptions> = {}) {
  let now = Date.UTC(2026, 0, 1);
  const options = { path, size: 100, age: seconds(3600), keep: 2, epoch: () => now, ...more };
  const file = new RotatingFile(options);
  const writer = new LineWriter(file);
  const put = async (line: string, passed = 1000) => {
    now += passed;
    writer.write(line);
    await writer.flushed();
  };
  return { file, writer, put };
}

Deno.test("RotatingFile begins anew at its size, compresses the old one and keeps the newest", async () => {
  using place = folder();
  const { file, put } = rotating(`${place.path}/busbar.log`);
  await using _ = file;
  for (let index = 0; index < 9; index += 1) await put(`${index}`.padEnd(49, "."));
  assertEquals(list(place.path), [
    "busbar.log",
    "busbar.log.20260101T000007.000Z.gz",
    "busbar.log.20260101T000009.000Z.gz",
  ]);
  assert((await unzip(`${place.path}/busbar.log.20260101T000009.000Z.gz`)).startsWith("6...."));
  assert(Deno.readTextFileSync(`${place.path}/busbar.log`).startsWith("8...."));
});

Deno.test("RotatingFile begins anew at its age", async () => {
  using place = folder();
  const { file, put } = rotating(`${place.path}/busbar.log`);
  await using _ = file;
  await put("old");
  await put("older", 3_599_000);
  await put("new", 1000);
  assertEquals(Deno.readTextFileSync(`${place.path}/busbar.log`), "new\n");
  assertEquals(list(place.path).length, 2);
});

Deno.test("RotatingFile goes on where a former process ended, and keeps none when told so", async () => {
  using place = folder();
  const path = `${place.path}/busbar.log`;
  {
    const { file, put } = rotating(path, { keep: 0 });
    await using _ = file;
    await put("a".repeat(60));
  }
  const { file, put } = rotating(path, { keep: 0 });
  await using _ = file;
  await put("b".repeat(60));
  assertEquals(list(place.path), ["busbar.log"]);
  assertEquals(Deno.readTextFileSync(path), `${"b".repeat(60)}\n`);
});

Deno.test("RotatingFile touches no file that only looks like one of its own", async () => {
  using place = folder();
  const foreign = ["busbar.log.old.gz", "busbar.log.1", "busbar.logbook"];
  for (const name of foreign) Deno.writeTextFileSync(`${place.path}/${name}`, "");
  const { file, put } = rotating(`${place.path}/busbar.log`, { keep: 1 });
  await using _ = file;
  for (let index = 0; index < 9; index += 1) await put("x".repeat(60));
  assertEquals(list(place.path).filter((name) => foreign.includes(name)), foreign.sort());
});

Deno.test("LineWriter counts what the target refuses, and goes on when it takes again", async () => {
  using place = folder();
  const { file, writer, put } = rotating(`${place.path}/missing/busbar.log`);
  await using _ = file;
  await put("lost");
  assertEquals(writer.lost, 1);
  assert(writer.fault!.includes("No such file"));
  Deno.mkdirSync(`${place.path}/missing`);
  await put("written");
  assertEquals([writer.lost, writer.fault], [1, undefined]);
  assertEquals(Deno.readTextFileSync(`${place.path}/missing/busbar.log`), "written\n");
});

Deno.test("LineWriter survives a full disk", async () => {
  const file = await Deno.open("/dev/full", { write: true });
  const writer = new LineWriter({
    async write(octets) {
      await file.write(octets);
    },
  });
  writer.write("lost");
  await writer.flushed();
  file.close();
  assertEquals(writer.lost, 1);
  assert(writer.fault!.includes("No space"));
});

Deno.test("LineWriter bounds what waits for a reader that does not read, and counts the rest", async () => {
  const gate = Promise.withResolvers<void>();
  let written = 0;
  const writer = new LineWriter({
    async write(octets) {
      await gate.promise;
      written += octets.length;
    },
  });
  const line = "x".repeat(1023);
  const count = QUEUE_OCTETS_MAX / 1024 * 2;
  for (let index = 0; index < count; index += 1) writer.write(line);
  assert(writer.lost > 0);
  gate.resolve();
  await writer.flushed();
  assertEquals(written / 1024 + writer.lost, count);
});
