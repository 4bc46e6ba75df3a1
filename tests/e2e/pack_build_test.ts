/** The build's choice of a route, with no base binary to be had. */
import { assert, assertEquals } from "../assert.ts";
import { fileName, hostTarget } from "../../build/targets.ts";

const BUILD = new URL("../../build/build.ts", import.meta.url).pathname;
const ROOT = new URL("../..", import.meta.url).pathname;

async function build(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", BUILD, ...args],
    cwd: ROOT,
    // The discard port of this machine: the base binaries' server is away, and so for sure.
    env: { HTTPS_PROXY: "http://127.0.0.1:9", DENORT_BIN: "", NO_COLOR: "1" },
  }).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("build --route compile says why it cannot", async () => {
  const out = Deno.makeTempDirSync();
  try {
    const outcome = await build("--route", "compile", "--out", out);
    assertEquals(outcome.code, 1);
    assert(/Build failed: Cannot compile: .*cannot be reached/.test(outcome.err), outcome.err);
    assertEquals([...Deno.readDirSync(out)], []);
  } finally {
    Deno.removeSync(out, { recursive: true });
  }
});

Deno.test("build packs when it cannot compile, and says so in one line", async () => {
  const out = Deno.makeTempDirSync();
  try {
    const outcome = await build("--out", out);
    assertEquals({ code: outcome.code, err: outcome.err }, { code: 0, err: "" });
    const [first, second, ...rest] = outcome.out.trim().split("\n");
    assert(/^Packing instead of compiling: /.test(first!), first);
    assert(/ MiB, by the pack route$/.test(second!), second);
    assertEquals(rest, []);
    const path = `${out}/${fileName(hostTarget())}`;
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o755);
  } finally {
    Deno.removeSync(out, { recursive: true });
  }
});
