/** The ARM64 executable, run by an emulator of that processor. */
import { assert, assertEquals } from "../assert.ts";
import { missing, needs } from "../needs.ts";
import { untilOwnNetwork } from "../netns.ts";
import { PACKED_ARM64 } from "./packed.ts";

const LIBC = "/usr/aarch64-linux-gnu";
const NATIVE = Deno.build.arch === "aarch64";
const CONFIG = new URL("../../config/busbar.yaml", import.meta.url).pathname;
/** An emulated start takes seconds, and more where the machine is busy. */
const START_MS_MAX = 90_000;

const tools = NATIVE ? [] : ["qemu-aarch64-static", `${LIBC}/lib/ld-linux-aarch64.so.1`];
const runnable = tools.every((tool) => missing(tool) === undefined);
const cache = Deno.makeTempDirSync({ prefix: "busbar-arm64-" });
globalThis.addEventListener("unload", () => Deno.removeSync(cache, { recursive: true }));

const env = {
  BUSBAR_CACHE: cache,
  ...(NATIVE ? {} : { BUSBAR_RUNNER: `qemu-aarch64-static -L ${LIBC}` }),
};

async function call(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(PACKED_ARM64, { args, env }).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test({
  name: "The ARM64 executable says its version",
  ...needs(...tools),
  fn: async () => {
    const { code, out } = await call("--version");
    assertEquals(code, 0);
    assert(/\d+\.\d+\.\d+/.test(out), out);
  },
});

Deno.test({
  name: "The ARM64 executable checks a configuration",
  ...needs(...tools),
  fn: async () => {
    assertEquals((await call("check", "--config_path", CONFIG)).code, 0);
    const bad = `${cache}/bad.yaml`;
    Deno.writeTextFileSync(bad, "control: { lissten: 1 }\n");
    assertEquals((await call("check", "--config_path", bad)).code, 2);
  },
});

// Goal: the kernels' vectors mean the same on the other processor.
Deno.test({
  name: "The ARM64 executable gives every known answer of SM2, SM3, SM4 and AES",
  ...needs(...tools),
  fn: async () => {
    const { code, out } = await call("crypto", "selftest", "--json");
    assertEquals(code, 0, out);
    const trials = out.trim().split("\n").map((line) => JSON.parse(line));
    const kernels = trials.filter(({ provider }) => provider === "WebAssembly");
    assertEquals(kernels.map(({ algorithm }) => algorithm), ["sm4-ctr", "sm4-gcm", "sm2"]);
    assert(kernels.every(({ state }) => state === "used" || state === "good"), out);
  },
});

Deno.test({
  name: "The ARM64 executable runs the default configuration and serves /status",
  ...needs("root", "netns", "ip", "nsenter", ...tools),
  fn: async () => {
    assert(runnable);
    const script = `ip link set lo up && exec "$0" run --config_path "$1"`;
    const child = new Deno.Command("unshare", {
      args: ["-n", "sh", "-c", script, PACKED_ARM64, CONFIG],
      env,
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const status = await statusOf(child.pid);
      assertEquals(typeof status.version, "string");
      assert(Object.keys(status.services).some((id) => id.startsWith("goose_bridge.")));
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 0);
    } finally {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        assert(error instanceof TypeError); // It has ended, as it should.
      }
    }
  },
});

/** Asks from inside the network namespace of a process until it answers. */
async function statusOf(
  pid: number,
): Promise<{ version: string; services: Record<string, unknown> }> {
  const ask = `
    const end = Date.now() + ${START_MS_MAX};
    for (;;) {
      try {
        console.log(await (await fetch("http://127.0.0.1:5555/status")).text());
        break;
      } catch (error) {
        if (Date.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }`;
  await untilOwnNetwork(pid);
  const { success, stdout, stderr } = await new Deno.Command("nsenter", {
    args: ["-t", String(pid), "-n", Deno.execPath(), "eval", "--no-config", ask],
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test({
  name: "An executable for another machine says so before it unpacks",
  ignore: NATIVE,
  fn: async () => {
    const folder = Deno.makeTempDirSync({ dir: cache });
    const { code, stderr } = await new Deno.Command(PACKED_ARM64, {
      args: ["--version"],
      env: { BUSBAR_CACHE: folder, BUSBAR_RUNNER: "" },
    }).output();
    assertEquals(code, 1);
    assert(/is for aarch64, this machine is x86_64/.test(new TextDecoder().decode(stderr)));
    assertEquals([...Deno.readDirSync(folder)], []);
  },
});
