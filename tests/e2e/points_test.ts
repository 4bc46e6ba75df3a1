/** The points of the packed executable, as people at its command line have them. */
import { assert, assertEquals } from "../assert.ts";
import { freePorts } from "../relay/busbar.ts";
import { executable } from "./harness.ts";

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A busbar with a folder of its own, on loopback. */
class Gateway implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "busbar-points-" });
  readonly port = freePorts(1);
  readonly config = `${this.folder}/busbar.yaml`;
  #child: Deno.ChildProcess | undefined;

  constructor() {
    const points = { folder: `${this.folder}/data` };
    const control = { listen: `127.0.0.1:${this.port}` };
    Deno.writeTextFileSync(this.config, JSON.stringify({ control, points, modules: {} }));
  }

  async start(): Promise<void> {
    const [program, ...args] = executable();
    this.#child = new Deno.Command(program!, {
      args: [...args, "run", "-c", this.config],
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    await until("it answers", async () => {
      try {
        return (await fetch(`http://127.0.0.1:${this.port}/readyz`)).ok;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // Nobody listens yet.
        return false;
      }
    });
  }

  async stop(signal: Deno.Signal): Promise<number | undefined> {
    const child = this.#child;
    this.#child = undefined;
    child?.kill(signal);
    return (await child?.status)?.code;
  }

  async call(...words: string[]): Promise<Said> {
    const [program, ...args] = executable();
    const { code, stdout, stderr } = await new Deno.Command(program!, {
      args: [...args, ...words, "-c", this.config],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
    return { code, out: text(stdout), err: text(stderr) };
  }

  async status(): Promise<{ readonly newest: number; readonly committed: number }> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/status`);
    return (await answer.json()).points.journal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    Deno.removeSync(this.folder, { recursive: true });
  }
}

async function until(what: string, fits: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await fits())) {
    if (performance.now() > end) throw new Error(`Not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What `points watch` shows of a value that is set while it runs; it ends in good order. */
async function watched(gateway: Gateway): Promise<{ point: string; value: number }> {
  const [program, ...args] = executable();
  const child = new Deno.Command(program!, {
    args: [
      ...[...args, "points", "watch", "gz_01.yc.201", "--json", "--every", "100ms"],
      ...["-c", gateway.config],
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let asked = false;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (!asked) await gateway.call("points", "set", "gz_01.yc.201", "99", "--substitute");
    asked = true;
    if (text.includes('"value":99')) break;
  }
  child.kill("SIGTERM");
  assertEquals((await child.status).code, 0);
  const line = text.split("\n").find((one) => one.includes('"value":99'))!;
  const { point, value } = JSON.parse(line);
  return { point, value };
}

const CSV = `tag_station,coa,ioa,kind,unit,scale,dead_band,high,description
gz_01,1,101,yx,,,,,breaker
gz_01,1,201,yc,kV,0.1,0.5,120,"busbar A, phase 1"
gz_01,1,301,do,,,,,close breaker
`;

Deno.test("Points are imported into a running busbar, shown, set, watched and exported", async () => {
  await using gateway = new Gateway();
  await gateway.start();
  const file = `${gateway.folder}/points.csv`;
  Deno.writeTextFileSync(file, CSV);
  const imported = await gateway.call("points", "import", file);
  assertEquals([imported.code, imported.out], [0, "3 added, 0 changed, 0 removed, 0 as before\n"]);
  await until("the running one has them", async () => {
    return (await gateway.call("points", "list")).out.includes("gz_01.yc.201");
  });
  const set = await gateway.call("points", "set", "gz_01.yc.201", "121.5", "--substitute");
  assertEquals([set.code, set.out], [0, "Done\n"]);
  const listed = (await gateway.call("points", "list", "gz_01.yc", "--json")).out.trim().split("\n")
    .map((line) => JSON.parse(line));
  assertEquals(listed.map(({ point, value, quality, unit }) => [point, value, quality, unit]), [
    ["gz_01.yc.201", 121.5, 4, "kV"],
    ["gz_01.yc.201.limit", 1, 4, undefined],
  ]);
  // A command to a point that nobody owns is told so, and is in the audit all the same.
  const refused = await gateway.call("points", "set", "gz_01.do.301", "on", "--key", "k1");
  assertEquals([refused.code, refused.err], [1, "No service owns this point now\n"]);
  const audit = (await gateway.call("points", "audit", "--json")).out.trim().split("\n")
    .map((line) => JSON.parse(line));
  assertEquals(
    audit.map(({ point, value, mode, outcome, key }) => [point, value, mode, outcome, key]),
    [
      ["gz_01.do.301", "true", "execute", "no_owner", "k1"],
      ["gz_01.yc.201", "121.5", "substitute", "done", ""],
    ],
  );
  assertEquals(await watched(gateway), { point: "gz_01.yc.201", value: 99 });
  const exported = await gateway.call("points", "export");
  assertEquals(exported.out.split("\n").length, 5);
  Deno.writeTextFileSync(file, exported.out);
  const again = await gateway.call("points", "import", "--replace", file);
  assertEquals(again.out, "0 added, 0 changed, 0 removed, 3 as before\n");
  assertEquals(await gateway.stop("SIGTERM"), 0);
});

Deno.test("Values, events and the audit outlive kill -9 of the packed executable", async () => {
  await using gateway = new Gateway();
  Deno.writeTextFileSync(`${gateway.folder}/points.csv`, CSV);
  assertEquals((await gateway.call("points", "import", `${gateway.folder}/points.csv`)).code, 0);
  let newest = 0;
  for (let turn = 1; turn <= 4; turn += 1) {
    await gateway.start();
    const before = await gateway.status();
    assertEquals([before.newest, before.committed], [newest, newest], "as it was before the kill");
    const value = `${turn * 10}`;
    assertEquals(
      (await gateway.call("points", "set", "gz_01.yc.201", value, "--substitute")).code,
      0,
    );
    await until("it is durable", async () => {
      newest = (await gateway.status()).newest;
      return (await gateway.status()).committed === newest && newest > before.newest;
    });
    await gateway.stop("SIGKILL");
  }
  await gateway.start();
  const { out } = await gateway.call("points", "list", "gz_01.yc.201", "--json");
  const { value, quality } = JSON.parse(out.split("\n")[0]!);
  assertEquals([value, quality], [40, 4 | 1], "stale until a device tells it again");
  assertEquals((await gateway.call("points", "audit", "--json")).out.trim().split("\n").length, 4);
});

Deno.test("What is wrong with a file is told with its line, its column and what to do", async () => {
  await using gateway = new Gateway();
  const file = `${gateway.folder}/points.csv`;
  Deno.writeTextFileSync(file, "tag_station,coa,ioa,knid\ngz_01,1,99999999,yx\ngz_01,x,2,yx\n");
  const { code, err, out } = await gateway.call("points", "import", file);
  assertEquals([code, out], [2, ""]);
  assertEquals(err.trim().split("\n"), [
    `${file}: line 1: knid is not known; did you mean "kind"?`,
    `${file}: line 2: ioa must be a whole number from 0 to 16777215, not "99999999"`,
    `${file}: line 3: coa must be a whole number from 0 to 65535, not "x"`,
  ]);
  Deno.writeTextFileSync(
    `${gateway.folder}/points.yaml`,
    "points:\n  - tag_station: a\n    coa: 1\n",
  );
  const yaml = await gateway.call("points", "import", `${gateway.folder}/points.yaml`);
  assert(yaml.code === 2 && yaml.err.includes("point 1: ioa must be a whole number"), yaml.err);
  const none = await gateway.call("points", "import", "/nowhere/points.csv");
  assertEquals([none.code, none.err.includes("Cannot read /nowhere/points.csv")], [2, true]);
});
