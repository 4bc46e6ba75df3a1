/** The ports to files and programs, on this machine. */
import { OsError } from "../../src/base/errors.ts";
import { SYSTEM_FILES } from "../../src/platform/files.ts";
import { OUTPUT_MAX } from "../../src/platform/ports.ts";
import { SYSTEM_PROGRAMS } from "../../src/platform/programs.ts";
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";

async function failure(promise: Promise<unknown>): Promise<OsError> {
  const error = await promise.then(() => undefined, (reason: unknown) => reason);
  assert(error instanceof OsError, String(error));
  return error;
}

Deno.test("A file is replaced as a whole, its folder made", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-files-" });
  try {
    const path = `${folder}/deep/stats.json`;
    await SYSTEM_FILES.replace(path, "one");
    const old = Deno.openSync(path);
    await SYSTEM_FILES.replace(path, "two, longer");
    const before = new Uint8Array(20);
    assertEquals(old.readSync(before), 3, "whoever has the old one open reads that");
    old.close();
    assertEquals(Deno.readTextFileSync(path), "two, longer");
    assertEquals([...Deno.readDirSync(`${folder}/deep`)].map(({ name }) => name), ["stats.json"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("A file with a bare name is written where we are, and is no folder", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-files-" });
  const before = Deno.cwd();
  try {
    Deno.chdir(folder);
    for (const text of ["one", "two"]) await SYSTEM_FILES.replace("piles.csv", text);
    assertEquals(await SYSTEM_FILES.read(`${folder}/piles.csv`), "two");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["piles.csv"]);
  } finally {
    Deno.chdir(before);
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("Octets are read as a whole, up to a length; what cannot be read is told plainly", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-files-" });
  try {
    const path = `${folder}/image`;
    Deno.writeFileSync(path, Uint8Array.of(1, 2, 255));
    assertEquals([...await SYSTEM_FILES.octets(path, 3)], [1, 2, 255]);
    assertEquals((await failure(SYSTEM_FILES.octets(path, 2))).detail.errno, "EFBIG");
    for (
      const read of [SYSTEM_FILES.octets(`${folder}/none`, 9), SYSTEM_FILES.read(`${folder}/none`)]
    ) {
      const { detail, message } = await failure(read);
      assertEquals([detail.errno, message.includes("bug.")], ["ENOENT", false]);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test({
  name: "A full disk leaves the old file, and no draft",
  ...needs("root"),
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-full-" });
    const mount = (...args: string[]) =>
      assert(
        new Deno.Command(args[0]!, { args: args.slice(1) }).outputSync().success,
        args.join(" "),
      );
    mount("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder);
    try {
      const path = `${folder}/stats.json`;
      await SYSTEM_FILES.replace(path, "old");
      const error = await failure(SYSTEM_FILES.replace(path, "x".repeat(200_000)));
      assertEquals(error.detail.errno, "ENOSPC");
      assertEquals(Deno.readTextFileSync(path), "old");
      assertEquals([...Deno.readDirSync(folder)].length, 1);
    } finally {
      mount("umount", folder);
      Deno.removeSync(folder);
    }
  },
});

Deno.test("A program's output and end are told, without a shell in between", async () => {
  const signal = new AbortController().signal;
  const args = ["-c", 'echo "$0"; echo bad >&2; exit 3', "a b; $HOME"];
  assertEquals(await SYSTEM_PROGRAMS.run("/bin/sh", args, signal), {
    code: 3,
    stdout: "a b; $HOME\n",
    stderr: "bad\n",
  });
});

Deno.test("A program that is not there is told", async () => {
  const signal = new AbortController().signal;
  const error = await failure(SYSTEM_PROGRAMS.run("/no/such/program", [], signal));
  assertEquals(error.detail.errno, "ENOENT");
});

Deno.test("A program that writes without end is cut, and killed when it is given up", async () => {
  const stop = new AbortController();
  const endless = SYSTEM_PROGRAMS.run("yes", [], stop.signal);
  stop.abort();
  assertEquals((await failure(endless)).detail.errno, "ETIMEDOUT");
  const many = await SYSTEM_PROGRAMS.run(
    "head",
    ["-c", "3000000", "/dev/zero"],
    new AbortController().signal,
  );
  assertEquals([many.code, many.stdout.length], [0, OUTPUT_MAX]);
});

Deno.test("A program whose child keeps the pipes is given up all the same", async () => {
  const stop = new AbortController();
  const started = SYSTEM_PROGRAMS.run("/bin/sh", ["-c", "sleep 3 & wait"], stop.signal);
  stop.abort();
  assertEquals((await failure(started)).detail.errno, "ETIMEDOUT");
});
