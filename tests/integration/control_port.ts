/** A control port on loopback that tests ask. */
import { seconds } from "../../src/base/time.ts";
import { ControlPort } from "../../src/kernel/control.ts";
import type { Registry } from "../../src/kernel/control_registry.ts";
import { SystemClock } from "../../src/platform/clock.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";

const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** Opens it on a port that is free. @returns It, and its address. */
export async function openControl(registry: Registry, token?: string) {
  const port = await ControlPort.open({
    listen: { host: "127.0.0.1", port: 0 },
    token,
    publicRead: false,
    maxConnections: 16,
    idleTimeout: seconds(10),
    registry,
    net: SYSTEM_NET,
    log: SILENT,
    clock: new SystemClock(),
    random: () => 0.5,
  });
  return { port, at: `127.0.0.1:${port.local.port}` };
}
