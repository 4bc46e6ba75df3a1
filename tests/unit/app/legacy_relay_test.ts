import { importRelayConfig, isRelayConfig } from "../../../src/app/legacy_relay.ts";
import { MODULES } from "../../../src/app/modules.ts";
import { readConfig } from "../../../src/kernel/config.ts";
import { writeYaml } from "../../../src/kernel/yaml_text.ts";
import { assert, assertEquals } from "../../assert.ts";

/** Every key that the former file may have, with a value of its own. */
const WHOLE = `
gateway:  { tcp_port: 5556, max_connections: 2000, auth_timeout: 1m30s, shutdown_timeout: 10s }
zeromq:   { port_range: "2300-2319", sndhwm: 2048, rcvhwm: 1024, sndbuf: 8388608,
            rcvbuf: 4194304, linger: 2, reconnect_ivl: 100 }
gosrt:    { port_range: "2351-2380", latency: 50, maxbw: 1000, ipttl: 32 }
logging:  { level: warn, format: json, output: file, file_path: /var/log/gateway.log,
            max_size: 64MB, max_age: 7, compress: true }
`;

Deno.test("Every key of the former relay is carried over, or named", () => {
  assert(isRelayConfig(WHOLE));
  const { config, notes, problems } = importRelayConfig(WHOLE);
  assertEquals(problems, []);
  assertEquals(config, {
    control: { listen: "0.0.0.0:5556", token: "${BUSBAR_TOKEN}", "public_read": true },
    log: {
      level: "warn",
      format: "json",
      file: "/var/log/gateway.log",
      "rotate_size": "64MiB",
      "rotate_age": "7d",
      keep: 3,
    },
    modules: {
      "stream_relay": {
        "max_connections": 2000,
        "auth_timeout": "1m30s",
        "shutdown_timeout": "8s",
        auth: { mode: "none", public: true },
        tcp: {
          "port_range": "2300-2319",
          sndhwm: 2048,
          rcvhwm: 1024,
          sndbuf: "8388608B",
          rcvbuf: "4194304B",
          linger: "2s",
        },
        srt: { "port_range": "2351-2380", latency: "50ms", maxbw: 1000, ipttl: 32 },
      },
    },
  });
  const named = notes.map((note) => note.split(":")[0]);
  assertEquals(
    named,
    [
      "control.token",
      "auth.public",
      "zeromq.reconnect_ivl",
      "logging.compress",
      "gateway.shutdown_timeout",
    ].toSorted((one, other) => named.indexOf(one) - named.indexOf(other)),
  );
  const text = writeYaml(config);
  const env = () => "0123456789abcdef";
  const reading = readConfig({ file: "x", text, modules: MODULES, env, flags: {} });
  assertEquals(reading.problems, []);
});

Deno.test("An empty section is the former default; what is not known is named", () => {
  const { config, notes, problems } = importRelayConfig("gateway: {}\nextra: { a: 1 }\nmore: 2\n");
  assertEquals(problems, []);
  const { control } = config as { control: { listen: string } };
  assertEquals(control.listen, "0.0.0.0:5555");
  assertEquals(notes.slice(2), [
    "extra.a: is not known, and was left out",
    "more: is not known, and was left out",
  ]);
});

const WRONG: readonly [string, string][] = [
  ["gateway: { tcp_port: 70000 }", "gateway.tcp_port"],
  ["gateway: { auth_timeout: soon }", "gateway.auth_timeout"],
  ["logging: { max_size: huge }", "logging.max_size"],
  ["zeromq: { linger: -1 }", "zeromq.linger"],
  ["gateway: [", "line 1"],
  ["relay: { port: 1 }", "relay"],
];
for (const [text, where] of WRONG) {
  Deno.test(`A value that cannot be used is named: ${text}`, () => {
    const { problems } = importRelayConfig(text);
    assertEquals(problems.map((problem) => problem.split(":")[0]), [where]);
  });
}
