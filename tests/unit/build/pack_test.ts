import { assert, assertEquals } from "../../assert.ts";
import { parseOrder } from "../../../build/build.ts";
import { compileArgs, whyNot } from "../../../build/compile.ts";
import { assemble, pointAtWorker } from "../../../build/pack.ts";
import { part, sha256 } from "../../../build/runtime.ts";
import { fileName, TARGETS } from "../../../build/targets.ts";

const [X86, ARM] = TARGETS as [typeof TARGETS[number], typeof TARGETS[number]];

function octets(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("assemble puts each part where the head says it is", async () => {
  const contents = ["a runtime", "a program".repeat(1_000), "a worker"];
  const parts = contents.map((text, index) => part(`file${index}`, "600", octets(text)));
  const file = assemble("1.2.3", X86, parts);
  assertEquals(file, assemble("1.2.3", X86, parts));
  const head = new TextDecoder().decode(file);
  assert(head.startsWith("#!/bin/sh\n# busbar 1.2.3 for x86_64 Linux"));
  assert(!/@[A-Z]+@/.test(head.slice(0, head.indexOf("exit 126"))));
  for (const [index, text] of contents.entries()) {
    const line = new RegExp(`file${index} (\\d+) (\\d+) 600 ([0-9a-f]{64})`).exec(head)!;
    const from = Number(line[1]) - 1;
    const packed = file.slice(from, from + Number(line[2]));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    assertEquals(await new Response(stream).text(), text);
    assertEquals(line[3], sha256(octets(text)));
  }
});

Deno.test("assemble gives another cache folder to another content", () => {
  const keyOf = (text: string) =>
    /key='([^']*)'/.exec(
      new TextDecoder().decode(assemble("1.2.3", ARM, [part("f", "600", octets(text))])),
    )![1];
  assert(keyOf("a")!.startsWith("1.2.3-"));
  assertEquals(keyOf("a"), keyOf("a"));
  assert(keyOf("a") !== keyOf("b"));
});

Deno.test("pointAtWorker makes the bundle start the worker's bundle", () => {
  const source = `new Worker(new URL(\n  "../app/worker_main.ts",\n import.meta.url), {})`;
  assert(pointAtWorker(source).includes(`"./worker_main.js"`));
  assertEquals(pointAtWorker(`"worker_main.ts"`), `"worker_main.ts"`);
});

Deno.test("parseOrder knows its targets and routes", () => {
  assertEquals(parseOrder(["--target", "all"]).targets, TARGETS);
  assertEquals(parseOrder(["--target", ARM.triple]).targets, [ARM]);
  assertEquals(parseOrder(["--route", "pack", "--out", "x"]).route, "pack");
  assertEquals(TARGETS.map(fileName), ["busbar-x86_64-linux", "busbar-aarch64-linux"]);
  for (const args of [["--target", "riscv"], ["--route", "fly"], ["--nonsense"], ["extra"]]) {
    let thrown: unknown;
    try {
      parseOrder(args);
    } catch (error) {
      thrown = error;
    }
    assert(thrown instanceof Error, args.join(" "));
  }
});

Deno.test("compileArgs has the worker's module included", () => {
  const program = { version: "1", main: "main.ts", worker: "src/app/worker_main.ts" };
  const args = compileArgs(program, ARM, "dist/x").join(" ");
  assert(args.includes("--include src/app/worker_main.ts"));
  assert(args.includes(`--target ${ARM.triple} -o dist/x main.ts`));
});

Deno.test("whyNot honours DENORT_BIN and names what is wrong with it", async () => {
  const before = Deno.env.get("DENORT_BIN");
  try {
    Deno.env.set("DENORT_BIN", Deno.execPath());
    assertEquals(await whyNot(X86), undefined);
    Deno.env.set("DENORT_BIN", "/nonexistent");
    assert(/DENORT_BIN/.test((await whyNot(X86))!));
  } finally {
    if (before === undefined) Deno.env.delete("DENORT_BIN");
    else Deno.env.set("DENORT_BIN", before);
  }
});
