import { runCli } from "../../../../src/app/cli.ts";
import { gooseStatusCommandsOf } from "../../../../src/app/commands/goose_status.ts";
import {
  type BridgePath,
  type KernelView,
  pathsOfConfig,
  pathsOfStatus,
} from "../../../../src/app/goose_paths.ts";
import type { Json } from "../../../../src/kernel/registry.ts";
import { assertEquals } from "../../../assert.ts";
import { createScreen } from "../terminals.ts";

const MAC = "02:00:00:00:00:01";
const state = (index: number) => ({
  index,
  mac: MAC,
  mtu: 1500,
  up: true,
  carrier: true,
  address: 0xc0a86401,
});
const member = (group: string, name = "eth0") => ({
  interface: name,
  index: 2,
  version: "V2",
  group,
  users: 1,
});
const KERNEL: KernelView = {
  interface: (name) => name === "goose0" ? state(7) : name === "goose1" ? state(8) : undefined,
  memberships: () => [member("224.0.1.100"), member("224.0.1.101")],
};

function status(changes: Readonly<Record<string, Json>> = {}): Json {
  const path = (index: number) => ({
    state: "up",
    restarts: 0,
    counters: { frames_in: 9, frames_out: 12, dropped: 3, drop_destination: 3, drop_runt: 0 },
    detail: {
      tap: { name: `goose${index}`, open: true, index: 7 + index },
      group: { address: `224.0.1.10${index}`, port: 61850, joined: true, via: "eth0" },
    },
    ...(index === 1 ? changes : {}),
  });
  return {
    services: {
      "goose_bridge.path1": path(1),
      "goose_bridge.path0": path(0),
      "goose_bridger": {},
      "other.path0": path(0),
    },
  };
}

async function run(
  word: string,
  { paths = pathsOfStatus(status()), kernel = KERNEL, silent = "", lang = "C", json = false }: {
    paths?: readonly BridgePath[];
    kernel?: KernelView;
    silent?: string;
    lang?: string;
    json?: boolean;
  } = {},
): Promise<{ code: number; out: string[]; err: string[] }> {
  const { terminal, out, err } = createScreen({ LANG: lang });
  const commands = gooseStatusCommandsOf({
    options: [],
    kernel,
    paths: () => Promise.resolve({ paths, silent }),
  });
  const words = ["goose", word, ...(json ? ["--json"] : [])];
  const code = await runCli(words, commands, terminal, new AbortController().signal);
  return { code, out, err };
}

Deno.test("Goose test prints the lines that people know, in Chinese", async () => {
  assertEquals(await run("test", { lang: "zh_CN.UTF-8" }), {
    code: 0,
    out: [
      "执行服务测试...",
      "1. 检查TAP接口...",
      "goose0: OK",
      "goose1: OK",
      "2. 检查多播组...",
      "多播组: OK",
      "3. 检查服务状态...",
      "服务: OK",
    ],
    err: [],
  });
});

Deno.test("Goose test prints the same in English", async () => {
  assertEquals((await run("test")).out, [
    "Testing the service...",
    "1. Checking TAP interfaces...",
    "goose0: OK",
    "goose1: OK",
    "2. Checking multicast groups...",
    "Multicast groups: OK",
    "3. Checking the service...",
    "Service: OK",
  ]);
});

Deno.test("Goose test fails, and says why, when a path is degraded", async () => {
  const paths = pathsOfStatus(status({ state: "degraded", why: "TAP goose1 was deleted" }));
  const { code, out, err } = await run("test", { paths });
  assertEquals([code, out.at(-1), out[2]], [1, "Service: FAIL", "goose0: OK"]);
  assertEquals(err, ["goose_bridge.path1: degraded: TAP goose1 was deleted"]);
});

const gone: KernelView = { ...KERNEL, interface: (n) => n === "goose0" ? state(7) : undefined };
const elsewhere: KernelView = {
  ...KERNEL,
  memberships: () => [member("224.0.1.100"), member("224.0.1.101", "eth9")],
};

Deno.test("Goose test does not believe what the kernel does not confirm", async () => {
  const tap = await run("test", { kernel: gone });
  assertEquals([tap.code, tap.out[3], tap.err], [1, "goose1: FAIL", [
    "goose1: there is no interface goose1",
  ]]);
  const group = await run("test", { kernel: elsewhere });
  assertEquals([group.code, group.out[5], group.err], [1, "Multicast groups: FAIL", [
    "224.0.1.101: this host is not a member of 224.0.1.101 on eth0",
  ]]);
  const space = await run("test", { kernel: { ...KERNEL, interface: () => state(7) } });
  assertEquals(space.err, [
    "goose1: busbar has interface 8, and here goose1 is 7: it runs in another network namespace",
  ]);
});

Deno.test("Goose test without an answer takes the names of the configuration", async () => {
  const config = { tap: "goose7", group: "224.0.1.107", port: 61850, via: "10.0.0.1" };
  const paths = pathsOfConfig([{ id: "goose_bridge.path0", config }, { id: "other", config: {} }]);
  const { code, out, err } = await run("test", { paths, silent: "Nothing answers" });
  assertEquals(code, 1);
  assertEquals([out[2], out[4], out[6]], [
    "goose7: FAIL",
    "Multicast groups: FAIL",
    "Service: FAIL",
  ]);
  assertEquals(err, [
    "Nothing answers",
    "goose7: there is no interface goose7",
    "224.0.1.107: this host is not a member of 224.0.1.107 on any interface",
    "goose_bridge.path0: no busbar answers",
  ]);
});

Deno.test("Goose multicast prints its three lines in both languages", async () => {
  assertEquals((await run("multicast", { lang: "zh_CN.UTF-8" })).out, [
    "多播组成员状态:",
    "✅ 主多播组 224.0.1.100 已加入",
    "✅ 备多播组 224.0.1.101 已加入",
  ]);
  const { code, out } = await run("multicast", { kernel: elsewhere });
  assertEquals([code, out], [1, [
    "Multicast group memberships:",
    "OK primary group 224.0.1.100 joined",
    "FAIL backup group 224.0.1.101 not joined",
  ]]);
  const chinese = await run("multicast", { kernel: elsewhere, lang: "zh" });
  assertEquals(chinese.out[2], "❌ 备多播组 224.0.1.101 未加入");
});

Deno.test("Goose interfaces shows the TAPs, and fails when one is not there", async () => {
  const all = await run("interfaces");
  assertEquals([all.code, all.out], [0, [
    "TAP interfaces:",
    "goose0: up, carrier, MTU 1500, 02:00:00:00:00:01, 192.168.100.1",
    "goose1: up, carrier, MTU 1500, 02:00:00:00:00:01, 192.168.100.1",
  ]]);
  const less = await run("interfaces", { kernel: gone, lang: "zh" });
  assertEquals([less.code, less.out[2]], [1, "goose1: 不存在"]);
});

Deno.test("Goose stats shows what each path carried, and why it dropped", async () => {
  const { code, out } = await run("stats");
  assertEquals(code, 0);
  assertEquals(out, [
    "path   tap     state  out  in  dropped  why dropped",
    "path0  goose0  up      12   9        3  destination 3",
    "path1  goose1  up      12   9        3  destination 3",
  ]);
  const silent = await run("stats", { silent: "Nothing answers" });
  assertEquals(silent, { code: 1, out: [], err: ["Nothing answers"] });
});

Deno.test("Goose commands as JSON have the same verdict", async () => {
  const image = async (word: string, kernel = KERNEL) => {
    const { code, out } = await run(word, { json: true, kernel });
    return [code, JSON.parse(out[0]!)];
  };
  const [code, test] = await image("test", gone);
  assertEquals([code, test.ok, test.paths["goose_bridge.path1"].tap], [1, false, {
    name: "goose1",
    ok: false,
    why: "there is no interface goose1",
  }]);
  const [, multicast] = await image("multicast");
  assertEquals(multicast.groups["224.0.1.100"], {
    ok: true,
    why: "",
    path: "goose_bridge.path0",
    port: 61850,
    interface: "eth0",
    igmp: "V2",
    users: 1,
  });
  const [, interfaces] = await image("interfaces");
  assertEquals(interfaces.interfaces.goose0.address, "192.168.100.1");
  const [, stats] = await image("stats");
  assertEquals(stats.paths["goose_bridge.path0"].drops, { destination: 3 });
});

Deno.test("Goose commands without a path say so", async () => {
  const { code, out, err } = await run("test", { paths: [] });
  assertEquals([code, out, err], [1, [], [
    "busbar: There is no path: modules.goose_bridge is empty",
  ]]);
});

Deno.test("Status document of another shape has no path, or one without facts", () => {
  for (const odd of [null, 5, [], {}, { services: null }, { services: [] }] as Json[]) {
    assertEquals(pathsOfStatus(odd), []);
  }
  const [path] = pathsOfStatus({ services: { "goose_bridge.a": { detail: 5, counters: null } } });
  assertEquals([path!.tap, path!.told!.joined], ["", false]);
});
