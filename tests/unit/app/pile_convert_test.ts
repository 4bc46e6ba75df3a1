import { runCli } from "../../../src/app/cli.ts";
import { pileConvertCommand } from "../../../src/app/commands/pile_convert.ts";
import { assert, assertEquals } from "../../assert.ts";
import { createScreen } from "./terminals.ts";

const MODERN = {
  type: "AUTH_RESP",
  seq: 7,
  "device_id": "pile-1",
  sig: "0xab",
  "policy_hash": "0xcd",
  envelope: { id: "t" },
  extensions: { meter: 4, tags: ["a"] },
  new: 1,
};

async function convert(
  ...words: string[]
): Promise<{ code: number; out: string[]; err: string[] }> {
  const screen = createScreen();
  const { signal } = new AbortController();
  const call = ["pile", "convert", ...words];
  const code = await runCli(call, [pileConvertCommand], screen.terminal, signal);
  return { code, out: screen.out, err: screen.err };
}

async function withFiles(
  texts: Readonly<Record<string, string>>,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(texts)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const FILES = {
  "message.json": JSON.stringify(MODERN),
  "meter.json": JSON.stringify({ type: "integer", maximum: 5 }),
  "wrong.json": JSON.stringify({ type: "whole" }),
  "text.json": "{",
};

Deno.test("Convert writes the message of the other version, and what is lost to stderr", () =>
  withFiles(FILES, async (folder) => {
    const schema = `meter=${folder}/meter.json`;
    const down = await convert("--to", "1.2", "--schema", schema, `${folder}/message.json`);
    assertEquals([down.code, down.err], [0, [
      "lost: extensions.meter",
      "lost: new",
      "warning: the field new is unknown",
    ]]);
    const { envelope: _, extensions: __, new: ___, ...base } = MODERN;
    assertEquals(down.out.map((line) => JSON.parse(line)), [{
      ...base,
      tx_hash: "t",
      meta_tags: ["a"],
    }]);
    await Deno.writeTextFile(`${folder}/old.json`, down.out[0]!);
    const up = await convert("--to=2.0", "--from=1.2", `${folder}/old.json`);
    assertEquals([up.code, up.err], [0, []]);
    assertEquals(JSON.parse(up.out[0]!), {
      ...base,
      envelope: { id: "t" },
      extensions: { tags: ["a"] },
    });
  }));

Deno.test("Convert fails for a message that is wrong, and writes nothing then", () =>
  withFiles(FILES, async (folder) => {
    const message = `${folder}/message.json`;
    const unknown = await convert("--to", "2.0", message);
    assertEquals(unknown, {
      code: 1,
      out: [],
      err: ["busbar: extensions.meter: no extension of this name is known"],
    });
    const bare = await convert("--to", "2.0", "--from", "1.2", message);
    assertEquals([bare.code, bare.err], [1, [
      "busbar: envelope.id is empty; version 2.0 requires it",
    ]]);
    assertEquals((await convert("--to", "2.0", `${folder}/text.json`)).err, [
      "busbar: the message is no JSON",
    ]);
    assertEquals((await convert("--to", "2.0", `${folder}/none.json`)).code, 1);
  }));

Deno.test("Convert refuses a call that is wrong", () =>
  withFiles(FILES, async (folder) => {
    const message = `${folder}/message.json`;
    const cases: readonly (readonly [readonly string[], string])[] = [
      [[], "--to is missing"],
      [["--to", "1.3"], '--to cannot be "1.3"'],
      [["--to", "1.2", "--schema", "meter"], '--schema must be NAME=FILE, not "meter"'],
      [
        ["--to", "1.2", ...[1, 2].flatMap(() => ["--schema", `a=${folder}/meter.json`])],
        "--schema names a twice",
      ],
      [["--to", "1.2", "--schema", `a=${folder}/wrong.json`], "extensions.a: /type is "],
      [["--to", "1.2", "--schema", `a=${folder}/text.json`], "text.json is no JSON"],
      [["--to", "1.2", "--schema", `tags=${folder}/meter.json`], "busbar has this one itself"],
    ];
    for (const [words, expected] of cases) {
      const { code, out, err } = await convert(...words, message);
      assertEquals([code, out], [2, []], expected);
      assert(err[0]!.includes(expected), err[0]);
    }
  }));

Deno.test("Convert reads stdin where no file is named", async () => {
  const { extensions: _, ...plain } = MODERN;
  for (const words of [[], ["-"]]) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "main.ts", "pile", "convert", "--to", "1.2", ...words],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(plain)));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [
      0,
      "lost: new\nwarning: the field new is unknown\n",
    ]);
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)).tx_hash, "t");
  }
});
