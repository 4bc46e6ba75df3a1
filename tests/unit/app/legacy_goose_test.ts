import { importGooseConfig, isGooseConfig } from "../../../src/app/legacy_goose.ts";
import { MODULES } from "../../../src/app/modules.ts";
import { readConfig } from "../../../src/kernel/config.ts";
import { writeYaml } from "../../../src/kernel/yaml_text.ts";
import { assert, assertEquals } from "../../assert.ts";

/** Every key that the former file may have, with a value of its own. */
const WHOLE = `[DEFAULT]
debug = false
log_level = WARNING
log_file = /var/log/goose-bridge-dual.log
pid_file = /var/run/goose-bridge-dual.pid
primary_interface = goose0
backup_interface = gooseb
primary_tun_ip = 192.168.100.7/24
backup_tun_ip = 192.168.101.7/24
primary_multicast_ip = 224.0.1.110
backup_multicast_ip = 224.0.1.111
multicast_port = 61851
dual_path_mode = independent  # the only one
enable_dual_path = true
buffer_size = 2048
batch_size = 20
worker_threads = 4
max_errors = 100
error_reset_interval = 300
reconnect_delay = 5
health_check_interval = 30
enable_igmp_keepalive = true
igmp_keepalive_interval = 60
igmp_monitor_interval = 90
igmp_reregister_threshold = 1
enable_tgw_monitoring = true
primary_tgw_multicast_domain_id = tgw-mcast-domain-0123
backup_tgw_multicast_domain_id =
enable_stats_export = true
stats_file = /var/lib/goose-bridge/dual-path-stats.json
stats_export_interval = 60
enable_dual_path_monitoring = true
health_status_file = /x
dual_path_log_level = INFO
primary_path_log_prefix = [PRIMARY]
backup_path_log_prefix = [BACKUP]
enable_path_stats_logging = true
path_stats_log_interval = 300
`;

Deno.test("Every key of the former file is used, or named as without effect", () => {
  const { config, notes, problems } = importGooseConfig(WHOLE);
  assertEquals(problems, []);
  assert(!notes.some((note) => note.includes("is not known")), notes.join("\n"));
  const keys = [...WHOLE.matchAll(/^(\w+) =/gm)].map(([, key]) => key!);
  const told = new Set(notes.map((note) => note.split(":")[0]));
  const text = JSON.stringify(config);
  for (const key of keys.filter((key) => !told.has(key))) {
    const value = new RegExp(`^${key} = ?([^#\\n]*)`, "m").exec(WHOLE)![1]!.trim();
    const shown = value === "WARNING" ? "warn" : value;
    const flags = ["debug", "enable_dual_path", "enable_tgw_monitoring", "enable_stats_export"];
    assert(flags.includes(key) || text.includes(shown), `${key} = ${value} is lost in ${text}`);
  }
});

Deno.test("What is imported is a valid configuration that says the same", () => {
  const { config } = importGooseConfig(WHOLE);
  const text = writeYaml(config);
  const source = { file: "x", text, modules: MODULES, env: () => undefined, flags: {} };
  const { config: read, problems } = readConfig(source);
  assertEquals(problems, []);
  const [first, second, monitor] = read!.services.map(({ config }) =>
    config as Record<string, unknown>
  );
  assertEquals(
    [first!.tap, first!.address, first!.group, first!.port, first!.batch],
    ["goose0", "192.168.100.7/24", "224.0.1.110", 61851, 20],
  );
  assertEquals([second!.tap, second!.group], ["gooseb", "224.0.1.111"]);
  assertEquals(
    [first!.igmpKeepaliveInterval, first!.igmpMonitorInterval, first!.igmpReregisterThreshold],
    [60_000, 90_000, 1],
  );
  assertEquals([monitor!.statsFile, monitor!.statsInterval, monitor!.primaryDomain], [
    "/var/lib/goose-bridge/dual-path-stats.json",
    60_000,
    "tgw-mcast-domain-0123",
  ]);
  assertEquals([read!.log.level, read!.log.file], ["warn", "/var/log/goose-bridge-dual.log"]);
});

Deno.test("An empty file gives the former defaults; one path may be off", () => {
  const paths = (text: string) =>
    (importGooseConfig(text).config.modules as { "goose_bridge": Record<string, unknown> })
      .goose_bridge;
  assertEquals(Object.keys(paths("[DEFAULT]\n")), ["path0", "path1"]);
  assertEquals(Object.keys(paths("enable_dual_path = no\n")), ["path0"]);
});

Deno.test("Values that cannot be used, and keys that nobody knows, are named", () => {
  const { problems, notes } = importGooseConfig(
    "multicast_port = many\nigmp_keepalive_interval = 120\nlog_level = LOUD\n" +
      "unknown_key = 1\nnonsense\n",
  );
  assertEquals(problems.map((line) => line.split(":")[0]), [
    "line 5",
    "log_level",
    "multicast_port",
    "igmp_keepalive_interval",
  ]);
  assert(notes.some((note) => note.startsWith("unknown_key: is not known")));
});

Deno.test("The former file is told from ours", () => {
  assert(isGooseConfig(WHOLE));
  assert(!isGooseConfig("modules: { goose_bridge: {} }"));
});
