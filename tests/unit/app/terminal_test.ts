import { createTerminal, type Sink } from "../../../src/app/terminal.ts";
import { assert, assertEquals } from "../../assert.ts";

function sink(
  terminal: boolean,
  write?: (octets: Uint8Array) => number,
): Sink & { text(): string } {
  let text = "";
  return {
    isTerminal: () => terminal,
    writeSync: (octets) => {
      const taken = write?.(octets) ?? octets.length;
      text += new TextDecoder().decode(octets.subarray(0, taken));
      return taken;
    },
    text: () => text,
  };
}

function open(env: Record<string, string>, stdout: Sink, gone?: () => void, columns?: number) {
  const stderr = sink(false);
  const surroundings = {
    stdout,
    stderr,
    env: (name: string) => env[name],
    columns: () => columns,
  };
  return { terminal: createTerminal(surroundings, gone), stderr };
}

Deno.test("Terminal writes lines whole, however little the stream takes at once", () => {
  const stdout = sink(false, (octets) => Math.min(3, octets.length));
  const { terminal, stderr } = open({}, stdout);
  terminal.out("多播组: OK");
  terminal.raw(new Uint8Array([0x41]));
  terminal.err("why");
  assertEquals([stdout.text(), stderr.text()].map((text) => text.length), [
    "多播组: OK\nA".length,
    4,
  ]);
});

Deno.test("Terminal is told once that its reader has gone, and goes on quietly", () => {
  let told = 0;
  const stdout = sink(false, () => {
    throw new Deno.errors.BrokenPipe();
  });
  const { terminal } = open({}, stdout, () => told += 1);
  terminal.out("a");
  terminal.out("b");
  assertEquals(told, 1);
});

Deno.test("Terminal waits for a stream that is full for the moment", () => {
  let refusals = 2;
  const stdout = sink(false, (octets) => {
    if (refusals-- > 0) throw new Deno.errors.WouldBlock();
    return octets.length;
  });
  open({}, stdout).terminal.out("x");
  assertEquals(stdout.text(), "x\n");
});

Deno.test("Colour is for terminals that can show it and users who want it", () => {
  const colour = (env: Record<string, string>, tty = true) => open(env, sink(tty)).terminal.colour;
  assert(colour({ TERM: "xterm" }));
  assert(colour({ NO_COLOR: "" }), "an empty NO_COLOR counts as not set");
  assert(!colour({ NO_COLOR: "1" }));
  assert(!colour({ TERM: "dumb" }));
  assert(!colour({}, false));
});

Deno.test("Columns come from the terminal, then from COLUMNS, else they are 80", () => {
  const columns = (env: Record<string, string>, size?: number) =>
    open(env, sink(true), undefined, size).terminal.columns;
  assertEquals(columns({}, 132), 132);
  assertEquals(columns({ COLUMNS: "100" }), 100);
  assertEquals(columns({ COLUMNS: "wide" }), 80);
  assertEquals(columns({}), 80);
  assertEquals(columns({}, 5), 20);
});
