import { assert, assertEquals } from "../../../assert.ts";
import type { Invocation } from "../../../../src/app/command.ts";
import { serviceCommandsOn, type ServiceManager } from "../../../../src/app/commands/service.ts";
import { DEFAULT_CONFIG } from "../../../../src/app/config_file.ts";
import { unitText } from "../../../../src/app/service_unit.ts";

const UNIT_PATH = "/etc/systemd/system/busbar.service";
const CONFIG_PATH = "/etc/busbar/busbar.yaml";

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What was run, as one line each. */
  readonly ran: readonly string[];
}

async function call(
  name: string,
  options: Invocation["options"] = {},
  system: Partial<ServiceManager> = {},
): Promise<Result> {
  const ran: string[] = [];
  const command = serviceCommandsOn({
    present: () => true,
    run: (program, args) => {
      ran.push([program, ...args].join(" "));
      return Promise.resolve(0);
    },
    ...system,
  }).find((each) => each.name === `service ${name}`)!;
  let out = "";
  let err = "";
  const code = await command.run({
    options,
    args: [],
    signal: new AbortController().signal,
    terminal: {
      out: (line) => out += `${line}\n`,
      err: (line) => err += `${line}\n`,
      raw: (octets) => out += new TextDecoder().decode(octets),
      interactive: false,
      colour: false,
      columns: 80,
      env: () => undefined,
    },
  });
  return { code, out, err, ran };
}

/** A staging folder with an executable in it. */
function staging(): { root: string; [Symbol.dispose](): void } {
  const root = Deno.makeTempDirSync();
  Deno.mkdirSync(`${root}/usr/local/bin`, { recursive: true });
  Deno.writeTextFileSync(`${root}/usr/local/bin/busbar`, "#!/bin/sh\n", { mode: 0o755 });
  Deno.chmodSync(`${root}/usr/local/bin/busbar`, 0o755);
  return { root, [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }) };
}

Deno.test("service install writes unit and configuration below --root and runs nothing", async () => {
  using stage = staging();
  const options = { root: stage.root, exec: "/usr/local/bin/busbar" };
  const { code, err, ran } = await call("install", options, { present: () => false });
  assertEquals({ code, err, ran }, { code: 0, err: "", ran: [] });
  const unit = unitText({ executable: options.exec, configPath: CONFIG_PATH });
  assertEquals(Deno.readTextFileSync(`${stage.root}${UNIT_PATH}`), unit);
  assertEquals(Deno.readTextFileSync(`${stage.root}${CONFIG_PATH}`), DEFAULT_CONFIG);
});

Deno.test("service install never overwrites a configuration", async () => {
  using stage = staging();
  Deno.mkdirSync(`${stage.root}/etc/busbar`, { recursive: true });
  Deno.writeTextFileSync(`${stage.root}${CONFIG_PATH}`, "mine: true\n");
  const options = { root: stage.root, exec: "/usr/local/bin/busbar" };
  assertEquals((await call("install", options)).code, 0);
  assertEquals((await call("install", options)).code, 0);
  assertEquals(Deno.readTextFileSync(`${stage.root}${CONFIG_PATH}`), "mine: true\n");
});

Deno.test("service install --print writes nothing, systemd or not", async () => {
  const options = { print: true, exec: "/usr/local/bin/busbar" };
  const { code, out, ran } = await call("install", options, { present: () => false });
  assertEquals({ code, ran }, { code: 0, ran: [] });
  assertEquals(out, unitText({ executable: options.exec, configPath: CONFIG_PATH }));
});

Deno.test("service install refuses an executable that the service could not start", async () => {
  using stage = staging();
  Deno.chmodSync(`${stage.root}/usr/local/bin/busbar`, 0o700);
  for (const exec of ["/root/busbar", "/usr/local/bin/absent", "/usr/local/bin/busbar"]) {
    const { code, err } = await call("install", { root: stage.root, exec });
    assertEquals(code, 1);
    assert(/--exec|Cannot find|chmod 755/.test(err), err);
  }
  assertEquals([...Deno.readDirSync(stage.root)].map(({ name }) => name), ["usr"]);
});

Deno.test("service install without --exec says that source is not an executable", async () => {
  const { code, err } = await call("install");
  assertEquals(code, 1);
  assert(/--exec/.test(err), err);
});

Deno.test("service commands say when there is no systemd, and do nothing", async () => {
  const names = ["uninstall", "start", "stop", "restart", "enable", "disable", "status", "logs"];
  for (const name of ["install", ...names]) {
    const options = { exec: "/usr/bin/env" };
    const { code, out, err, ran } = await call(name, options, { present: () => false });
    assertEquals({ name, code, out, ran }, { name, code: 1, out: "", ran: [] });
    assert(/not run by systemd/.test(err), err);
  }
});

Deno.test("service verbs call systemctl and journalctl", async () => {
  for (const word of ["start", "stop", "restart", "enable", "disable"]) {
    const { code, ran } = await call(word);
    assertEquals({ code, ran }, { code: 0, ran: [`systemctl ${word} busbar.service`] });
  }
  assertEquals((await call("status")).ran, ["systemctl status --no-pager busbar.service"]);
  assertEquals((await call("logs", { follow: true, lines: "20" })).ran, [
    "journalctl --no-pager --output=cat -u busbar.service -n 20 --follow",
  ]);
  assertEquals((await call("logs", { lines: "many" })).code, 2);
});

Deno.test("service verbs fail when systemctl does", async () => {
  const { code, out } = await call("start", {}, { run: () => Promise.resolve(5) });
  assertEquals({ code, out }, { code: 1, out: "" });
});

Deno.test("service uninstall removes the unit and leaves the configuration", async () => {
  using stage = staging();
  await call("install", { root: stage.root, exec: "/usr/local/bin/busbar" });
  for (const said of [/^Removed/, /^There is no/]) {
    const { code, out } = await call("uninstall", { root: stage.root });
    assertEquals(code, 0);
    assert(said.test(out), out);
  }
  assert(Deno.statSync(`${stage.root}${CONFIG_PATH}`).isFile);
});
