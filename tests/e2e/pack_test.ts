/** The packed executable from outside: what its head promises, with a small program inside. */
import { pack } from "../../build/pack.ts";
import { hostTarget } from "../../build/targets.ts";
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";

const HERE = new URL("pack_fixture/", import.meta.url).pathname;
const TOOLS = ["busbar", "busbar.js", "worker_main.js"];

const work = Deno.makeTempDirSync({ prefix: "busbar pack " });
const file = `${work}/busbar`;
globalThis.addEventListener("unload", () => Deno.removeSync(work, { recursive: true }));
await pack(
  { version: "0.0.1", main: `${HERE}main.ts`, worker: `${HERE}worker_main.ts` },
  hostTarget(),
  file,
);

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Setting {
  readonly command?: string;
  readonly cache?: string;
  readonly env?: Record<string, string>;
  readonly input?: string;
}

/** A cache folder of its own for each test; `warm` has been used once. */
async function cacheFolder(state: "cold" | "warm"): Promise<string> {
  const cache = Deno.makeTempDirSync({ dir: work, prefix: "cache " });
  if (state === "warm") assertEquals((await start([], { cache })).code, 0);
  return cache;
}

async function start(args: readonly string[], setting: Setting = {}): Promise<Outcome> {
  const child = new Deno.Command(setting.command ?? file, {
    args: [...args],
    env: { ...(setting.cache ? { BUSBAR_CACHE: setting.cache } : {}), ...setting.env },
    cwd: work,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that ends without reading its input closes the pipe, which is none of our business.
  writer.write(new TextEncoder().encode(setting.input ?? "")).then(() => writer.close()).catch(
    (error) => assert(error instanceof Deno.errors.BrokenPipe),
  );
  const { code, stdout, stderr } = await child.output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, out: text(stdout), err: text(stderr) };
}

function place(cache: string): string {
  const [name] = [...Deno.readDirSync(cache)].map((entry) => entry.name)
    .filter((each) => each.startsWith("0.0.1-"));
  return `${cache}/${name}`;
}

/** Inode and time of change of each file. */
function identity(cache: string): string[] {
  return TOOLS.map((name) => {
    const { ino, ctime } = Deno.statSync(`${place(cache)}/${name}`);
    return `${name} ${ino} ${ctime?.getTime()}`;
  });
}

/** Whether a start is as good as the first one was, and left no draft behind. */
async function startsWell(cache: string): Promise<void> {
  const { code, out, err } = await start(["x"], { cache });
  assertEquals({ code, err }, { code: 0, err: "" });
  assertEquals(JSON.parse(out).answer, "from the worker");
  const drafts = [...Deno.readDirSync(cache)].filter(({ name }) => name.startsWith("."));
  assertEquals(drafts, []);
}

Deno.test("A packed program gets its arguments, its input and its name", async () => {
  const cache = await cacheFolder("cold");
  const args = ["read", "a b", "", `"q' $HOME`, "*", "--help", "-A", "line\nbreak"];
  const { code, out, err } = await start(args, { cache, input: "some input" });
  assertEquals({ code, err }, { code: 0, err: "" });
  const said = JSON.parse(out);
  assertEquals(said.args, args);
  assertEquals(said.comm, "busbar");
  assertEquals(said.input, "some input");
  assertEquals(said.executable, file);
  assertEquals(said.answer, "from the worker");
  assertEquals(said.umask, Deno.umask());
});

Deno.test("A packed program gives back its own exit code", async () => {
  const cache = await cacheFolder("warm");
  for (const wanted of [0, 1, 2, 70]) {
    assertEquals((await start(["exit", String(wanted)], { cache })).code, wanted);
  }
});

Deno.test("A packed program is the process that was started, and gets its signals", async () => {
  const cache = await cacheFolder("warm");
  for (const [signal, code] of [["SIGTERM", 7], ["SIGKILL", 137]] as const) {
    const child = new Deno.Command(file, {
      args: ["wait"],
      env: { BUSBAR_CACHE: cache },
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    assertEquals(JSON.parse(new TextDecoder().decode(value)).pid, child.pid);
    child.kill(signal);
    assertEquals((await child.status).code, code);
    await reader.cancel();
  }
});

Deno.test("A second start unpacks nothing", async () => {
  const cache = await cacheFolder("warm");
  const before = identity(cache);
  // With these two commands alone there is nothing to unpack with.
  const tools = Deno.makeTempDirSync({ dir: work });
  for (const tool of ["stat", "id"]) {
    const { stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${tool}`] })
      .output();
    Deno.symlinkSync(new TextDecoder().decode(stdout).trim(), `${tools}/${tool}`);
  }
  const { code, err } = await start([], { cache, env: { PATH: tools } });
  assertEquals({ code, err }, { code: 0, err: "" });
  assertEquals(identity(cache), before);
});

Deno.test("A packed program starts by PATH, by a link, by a relative path and by sh", async () => {
  const cache = await cacheFolder("warm");
  Deno.symlinkSync(file, `${work}/link`);
  const path = `${work}:${Deno.env.get("PATH")}`;
  for (const command of ["busbar", `${work}/link`, "./busbar"]) {
    const script = `exec "$0" "$@"`;
    const { code, out, err } = await start(["-c", script, command, "a b"], {
      command: "sh",
      cache,
      env: { PATH: path },
    });
    assertEquals({ code, err }, { code: 0, err: "" });
    assertEquals(JSON.parse(out).args, ["a b"]);
  }
  assertEquals((await start([file, "exit", "3"], { command: "sh", cache })).code, 3);
});

Deno.test("A cache in which a file was changed is rebuilt, even with size and time kept", async () => {
  const cache = await cacheFolder("warm");
  const path = `${place(cache)}/busbar.js`;
  const { mtime, atime } = Deno.statSync(path);
  const good = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, good.replace("BUSBAR_EXECUTABLE", "BUSBAR_EXECUTABLF"));
  Deno.utimeSync(path, atime!, mtime!);
  await startsWell(cache);
  assertEquals(Deno.readTextFileSync(path), good);
});

Deno.test("A cache that was half written is rebuilt", async () => {
  const cache = await cacheFolder("warm");
  const harms: readonly ((path: string) => void)[] = [
    (path) => Deno.truncateSync(`${path}/busbar`, 1_000),
    (path) => Deno.removeSync(`${path}/worker_main.js`),
    (path) => Deno.writeTextFileSync(`${path}/manifest`, "half a li"),
    (path) => {
      Deno.removeSync(`${path}/manifest`);
      Deno.truncateSync(`${path}/busbar.js`, 10);
    },
    (path) => {
      Deno.removeSync(`${path}/busbar.js`);
      Deno.mkdirSync(`${path}/busbar.js`);
    },
    (path) => Deno.removeSync(path, { recursive: true }),
    (path) => {
      Deno.removeSync(path, { recursive: true });
      Deno.writeTextFileSync(path, "a file in the place of the folder");
    },
  ];
  for (const harm of harms) {
    harm(place(cache));
    await startsWell(cache);
    const before = identity(cache);
    await startsWell(cache);
    assertEquals(identity(cache), before);
  }
});

Deno.test("Five first starts at once all succeed", async () => {
  const cache = await cacheFolder("cold");
  const outcomes = await Promise.all([1, 2, 3, 4, 5].map((each) => start([`${each}`], { cache })));
  for (const [index, { code, out, err }] of outcomes.entries()) {
    assertEquals({ code, err }, { code: 0, err: "" });
    assertEquals(JSON.parse(out).args, [`${index + 1}`]);
  }
  await startsWell(cache);
});

Deno.test("Old versions are removed but for the newest, and those that run", async () => {
  const cache = await cacheFolder("cold");
  for (const [index, name] of ["oldest", "older", "old"].entries()) {
    Deno.mkdirSync(`${cache}/${name}`, { mode: 0o700 });
    Deno.writeTextFileSync(`${cache}/${name}/manifest`, "");
    Deno.utimeSync(`${cache}/${name}/manifest`, 1_000_000 + index, 1_000_000 + index);
  }
  Deno.copyFileSync("/bin/sleep", `${cache}/oldest/sleep`);
  const child = new Deno.Command(`${cache}/oldest/sleep`, { args: ["60"] }).spawn();
  await startsWell(cache);
  child.kill("SIGKILL");
  await child.status;
  const left = [...Deno.readDirSync(cache)].map(({ name }) => name).sort();
  assertEquals(left, [place(cache).slice(cache.length + 1), "old", "oldest"]);
});

/** Starts the program with its cache on a small file system of its own. */
function startOn(options: string, cache: string, prepare = ":"): Promise<Outcome> {
  const script = `mount -t tmpfs -o ${options} tmpfs "$BUSBAR_CACHE" && ${prepare} && exec "$0" x`;
  return start(["-m", "sh", "-c", script, file], { command: "unshare", cache });
}

Deno.test({
  name: "A cache folder that is read-only, full or noexec gives an error naming BUSBAR_CACHE",
  ...needs("root", "netns", "unshare"),
  fn: async () => {
    const cache = await cacheFolder("cold");
    for (
      const [options, why] of [
        ["ro,mode=700", /Cannot write/],
        ["size=1m,mode=700", /Cannot unpack/],
        ["noexec,mode=700", /noexec/],
      ] as const
    ) {
      const { code, out, err } = await startOn(options, cache);
      assertEquals({ code, out }, { code: 1, out: "" });
      assert(why.test(err) && /BUSBAR_CACHE/.test(err), err);
    }
  },
});

Deno.test({
  name: "A cache on a disk that is read-only by now still starts",
  ...needs("root", "netns", "unshare"),
  fn: async () => {
    const cache = await cacheFolder("cold");
    const prepare = `"$0" first && mount -o remount,ro "$BUSBAR_CACHE"`;
    const { code, out, err } = await startOn("mode=700", cache, prepare);
    assertEquals({ code, err }, { code: 0, err: "" });
    assertEquals(out.trim().split("\n").length, 2);
  },
});

Deno.test({
  name: "A cache folder of another user, or one that others can write to, is refused",
  ...needs("root"),
  fn: async () => {
    const foreign = await cacheFolder("warm");
    Deno.chownSync(foreign, 12_345, 12_345);
    const open = await cacheFolder("warm");
    Deno.chmodSync(open, 0o777);
    for (const [cache, why] of [[foreign, /user 12345/], [open, /written by others/]] as const) {
      const { code, out, err } = await start([], { cache });
      assertEquals({ code, out }, { code: 1, out: "" });
      assert(why.test(err) && /BUSBAR_CACHE/.test(err), err);
    }
  },
});

Deno.test({
  name: "Without BUSBAR_CACHE a user's cache is in the home folder, or below /tmp without one",
  ...needs("root", "setpriv"),
  fn: async () => {
    const uid = 54_321;
    const home = Deno.makeTempDirSync({ prefix: "busbar-home-" });
    const fallback = `/tmp/busbar-${uid}`;
    const shared = Deno.makeTempDirSync({ prefix: "busbar-shared-" });
    try {
      Deno.chownSync(home, uid, uid);
      Deno.chmodSync(shared, 0o755);
      Deno.copyFileSync(file, `${shared}/busbar`);
      const args = ["-u", `--reuid=${uid}`, "env", "-i", `PATH=${Deno.env.get("PATH")}`];
      const command = [`--regid=${uid}`, "--clear-groups", ...args.slice(1)];
      for (
        const [env, wanted] of [
          [`HOME=${home}`, `${home}/.cache/busbar/`],
          [`XDG_CACHE_HOME=${home}/xdg`, `${home}/xdg/busbar/`],
          ["HOME=/nonexistent", `${fallback}/`],
        ] as const
      ) {
        const call = [...command, env, `${shared}/busbar`, "x"];
        const { code, out, err } = await start(call, { command: "setpriv" });
        assertEquals({ code, err }, { code: 0, err: "" });
        assert(JSON.parse(out).place.startsWith(wanted), out);
        assertEquals(Deno.statSync(wanted).mode! & 0o777, 0o700);
      }
    } finally {
      for (const path of [home, shared, fallback]) {
        try {
          Deno.removeSync(path, { recursive: true });
        } catch (error) {
          assert(error instanceof Deno.errors.NotFound);
        }
      }
    }
  },
});

Deno.test({
  name: "BusyBox is enough to unpack and to start with",
  ...needs("busybox"),
  fn: async () => {
    const shell = (await start(["-c", "command -v busybox"], { command: "sh" })).out.trim();
    const { out } = await start(["--list"], { command: shell });
    const tools = Deno.makeTempDirSync({ dir: work });
    for (const tool of out.trim().split("\n")) Deno.symlinkSync(shell, `${tools}/${tool}`);
    const cache = await cacheFolder("cold");
    for (const round of ["first", "second"]) {
      const setting = { command: shell, cache, env: { PATH: tools } };
      const { code, out, err } = await start(["sh", file, round], setting);
      assertEquals({ code, err }, { code: 0, err: "" });
      assertEquals(JSON.parse(out).args, [round]);
    }
  },
});

Deno.test("A damaged executable says so", async () => {
  const damaged = `${work}/damaged`;
  const octets = Deno.readFileSync(file);
  octets[octets.length - 20]! ^= 0xff;
  Deno.writeFileSync(damaged, octets, { mode: 0o755 });
  const { code, err } = await start([], { command: damaged, cache: await cacheFolder("cold") });
  assertEquals(code, 1);
  assert(/damaged|Cannot unpack/.test(err), err);
});
