/** The systemd unit, judged by systemd's own tools, and its limits tried on the executable. */
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";
import { untilOwnNetwork } from "../netns.ts";
import { PACKED } from "./packed.ts";

/** Exposure that `systemd-analyze security` may find; 10 is the worst, no sandbox at all. */
const EXPOSURE_MAX = 2.5;
/** A user that does not exist, as a dynamic one. */
const UID = 54_322;
const START_MS_MAX = 30_000;

const work = Deno.makeTempDirSync({ prefix: "busbar-service-" });
const cache = `${work}/cache`;
globalThis.addEventListener("unload", () => Deno.removeSync(work, { recursive: true }));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(command: string, ...args: string[]): Promise<Outcome> {
  const env = { BUSBAR_CACHE: cache, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
  const { code, stdout, stderr } = await new Deno.Command(command, { args, env }).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  return { code, out: text(stdout), err: text(stderr) };
}

/** The unit as it is installed, but with a program that is there. */
async function unitFile(): Promise<string> {
  const { code, out, err } = await run(PACKED, "service", "install", "--print", "--exec", PROGRAM);
  assertEquals({ code, err }, { code: 0, err: "" });
  const path = `${work}/busbar.service`;
  Deno.writeTextFileSync(path, out);
  return path;
}

const PROGRAM = "/usr/bin/env";

Deno.test({
  name: "systemd accepts the unit without a word",
  ...needs("systemd-analyze"),
  fn: async () => {
    const { code, out, err } = await run("systemd-analyze", "verify", await unitFile());
    assertEquals({ code, out, err }, { code: 0, out: "", err: "" });
  },
});

Deno.test({
  name: "systemd finds the unit well confined",
  ...needs("systemd-analyze"),
  fn: async () => {
    const args = ["security", "--offline=true", "--no-pager", await unitFile()];
    const { out } = await run("systemd-analyze", ...args);
    const exposure = /exposure level for busbar\.service: ([\d.]+)/.exec(out);
    assert(exposure !== null, out);
    assert(Number(exposure[1]) <= EXPOSURE_MAX, exposure[0]);
  },
});

Deno.test("service install stages a unit and a configuration that passes the check", async () => {
  const root = `${work}/root`;
  Deno.mkdirSync(`${root}/usr/local/bin`, { recursive: true });
  Deno.copyFileSync(PACKED, `${root}/usr/local/bin/busbar`);
  const exec = "/usr/local/bin/busbar";
  const { code, err } = await run(PACKED, "service", "install", "--root", root, "--exec", exec);
  assertEquals({ code, err }, { code: 0, err: "" });
  assert(Deno.statSync(`${root}/etc/systemd/system/busbar.service`).isFile);
  const config = `${root}/etc/busbar/busbar.yaml`;
  assertEquals((await run(`${root}${exec}`, "check", "--config_path", config)).code, 0);
});

Deno.test({
  name: "The executable carries frames with the unit's user, capabilities and no new privileges",
  ...needs("root", "netns", "tun", "ip", "nsenter", "setpriv"),
  fn: async () => {
    const home = Deno.makeTempDirSync({ prefix: "busbar-caps-" });
    Deno.chownSync(home, UID, UID);
    Deno.copyFileSync(PACKED, `${home}/busbar`);
    Deno.chmodSync(`${home}/busbar`, 0o755);
    const config = new URL("../../config/busbar.yaml", import.meta.url).pathname;
    Deno.copyFileSync(config, `${home}/busbar.yaml`);
    Deno.chmodSync(`${home}/busbar.yaml`, 0o644);
    const user = [`--reuid=${UID}`, `--regid=${UID}`, "--clear-groups", "--no-new-privs"];
    const sets = ["inh", "ambient", "bounding"].map((set) =>
      `--${set}-caps=-all,+net_admin,+net_raw`.replace("bounding-caps", "bounding-set")
    );
    // The device may be for root only where no service manager has set it up.
    const script = `mknod -m 666 ${home}/tun c 10 200 && mount --bind ${home}/tun /dev/net/tun &&
      ip link set lo up && exec setpriv "$@"`;
    const child = new Deno.Command("unshare", {
      args: ["-n", "-m", "sh", "-c", script, "sh", ...user, ...sets, `${home}/busbar`, "run"]
        .concat("--config_path", `${home}/busbar.yaml`),
      env: { BUSBAR_CACHE: `${home}/cache` },
      cwd: home,
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const states = await bridgeStates(child.pid);
      assertEquals(states, ["up", "up"]);
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      // CAP_NET_ADMIN is bit 12, CAP_NET_RAW bit 13.
      assert(/CapEff:\s+0000000000003000/.test(status), status);
      assert(/NoNewPrivs:\s+1/.test(status), status);
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 0);
    } finally {
      try {
        child.kill("SIGKILL");
      } catch (error) {
        assert(error instanceof TypeError); // It has ended, as it should.
      }
      Deno.removeSync(home, { recursive: true });
    }
  },
});

/** States of the bridge's paths, once all are up or else at the end of the time. */
async function bridgeStates(pid: number): Promise<string[]> {
  const ask = `
    const end = Date.now() + ${START_MS_MAX};
    for (;;) {
      let states = ["no answer"];
      try {
        const { services } = await (await fetch("http://127.0.0.1:5555/status")).json();
        states = Object.entries(services).filter(([id]) => id.startsWith("goose_bridge."))
          .map(([, { state }]) => state);
      } catch (error) {
        states = [error.message];
      }
      if (states.every((state) => state === "up") || Date.now() > end) {
        console.log(JSON.stringify(states));
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }`;
  await untilOwnNetwork(pid);
  const { code, out, err } = await run(
    "nsenter",
    ...["-t", String(pid), "-n", Deno.execPath(), "eval", "--no-config", ask],
  );
  assertEquals({ code, err }, { code: 0, err: "" });
  return JSON.parse(out);
}
