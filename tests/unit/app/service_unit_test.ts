import { assert, assertEquals } from "../../assert.ts";
import { quoteWord, unitText, unusable } from "../../../src/app/service_unit.ts";

Deno.test("quoteWord leaves plain words alone and makes the others plain to systemd", () => {
  assertEquals(quoteWord("/usr/local/bin/busbar"), "/usr/local/bin/busbar");
  assertEquals(quoteWord("/opt/my busbar/run"), '"/opt/my busbar/run"');
  assertEquals(quoteWord('/opt/a"b\\c'), '"/opt/a\\"b\\\\c"');
  assertEquals(quoteWord("/opt/50%/$HOME"), "/opt/50%%/$$HOME");
});

Deno.test("unusable refuses what the sandbox hides and what would break the unit", () => {
  for (const path of ["/usr/local/bin/busbar", "/opt/x y/busbar", "/homes/busbar"]) {
    assertEquals(unusable(path), undefined);
  }
  for (
    const path of ["busbar", "/root/busbar", "/home/a/busbar", "/tmp/b", "/usr/../root/b", "/a\nb"]
  ) {
    assert(unusable(path) !== undefined, path);
  }
});

Deno.test("unitText grants two capabilities and one device, and no more", () => {
  const lines = unitText({ executable: "/opt/my busbar", configPath: "/etc/busbar/busbar.yaml" })
    .split("\n");
  const values = (key: string) =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
  assertEquals(values("ExecStart"), ['"/opt/my busbar" run --config_path /etc/busbar/busbar.yaml']);
  assertEquals(values("AmbientCapabilities"), ["CAP_NET_ADMIN CAP_NET_RAW"]);
  assertEquals(values("CapabilityBoundingSet"), ["CAP_NET_ADMIN CAP_NET_RAW"]);
  assertEquals(values("DeviceAllow"), ["/dev/net/tun rw"]);
  assertEquals(values("Type"), ["notify"]);
  assertEquals(values("RestartPreventExitStatus"), ["2"]);
  assertEquals(values("MemoryDenyWriteExecute"), []);
});
