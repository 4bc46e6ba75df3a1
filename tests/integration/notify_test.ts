import { type Instant, seconds } from "../../src/base/time.ts";
import { ServiceManager } from "../../src/app/service_manager.ts";
import type { Log } from "../../src/base/log.ts";
import { Fd } from "../../src/platform/linux/fd.ts";
import { checked, libc } from "../../src/platform/linux/libc.ts";
import { assert, assertEquals } from "../assert.ts";
import { SimClock } from "../sim/clock.ts";

/** The service manager's end: a datagram socket with a path or an abstract name. */
class Receiver implements Disposable {
  readonly #fd = new Fd(checked(libc().socket(1, 2, 0), "socket", "Cannot open"));

  constructor(name: string) {
    const octets = new TextEncoder().encode(name);
    const address = new Uint8Array(2 + octets.length + (name.startsWith("@") ? 0 : 1));
    address[0] = 1;
    address.set(octets, 2);
    if (name.startsWith("@")) address[2] = 0;
    checked(libc().bind(this.#fd.number, address, address.length), "bind", "Cannot bind");
  }

  /** Every datagram that has arrived. */
  take(): string[] {
    const texts: string[] = [];
    const octets = new Uint8Array(512);
    for (;;) {
      const length = Number(libc().recv(this.#fd.number, octets, 512n, 0x40)); // MSG_DONTWAIT
      if (length < 0) return texts;
      texts.push(new TextDecoder().decode(octets.subarray(0, length)));
    }
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

function managerFor(env: Record<string, string>, clock = new SimClock()) {
  const warnings: string[] = [];
  const log: Log = {
    trace() {},
    debug() {},
    info() {},
    warn: (code) => void warnings.push(code),
    error() {},
  };
  const manager = new ServiceManager({ env: (name) => env[name], pid: 42, clock, log });
  return { manager, clock, warnings };
}

const NAMES = [
  () => `${Deno.makeTempDirSync({ prefix: "busbar-notify-" })}/socket`,
  () => `@busbar-test-${crypto.randomUUID()}`,
];

for (const name of NAMES) {
  Deno.test(`ServiceManager tells ready, reloading, stopping over ${name().at(0)}…`, () => {
    const path = name();
    using receiver = new Receiver(path);
    const { manager } = managerFor({ NOTIFY_SOCKET: path });
    using _ = manager;
    manager.ready("Control port 127.0.0.1:1");
    manager.reloading();
    manager.reloaded("Again");
    manager.stopping();
    const [ready, reloading, reloaded, stopping] = receiver.take();
    assertEquals(ready, "READY=1\nSTATUS=Control port 127.0.0.1:1");
    assert(/^RELOADING=1\nMONOTONIC_USEC=\d+$/.test(reloading!));
    assertEquals(reloaded, "READY=1\nSTATUS=Again");
    assertEquals(stopping, "STOPPING=1\nSTATUS=Stopping");
    if (path.startsWith("/")) {
      Deno.removeSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    }
  });
}

Deno.test("ServiceManager feeds the watchdog at half of the time it allows", async () => {
  const path = NAMES[1]!();
  using receiver = new Receiver(path);
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "30000000", WATCHDOG_PID: "42" };
  const { manager, clock } = managerFor(env);
  using _ = manager;
  manager.ready("x");
  receiver.take();
  await clock.advance(seconds(14));
  assertEquals(receiver.take(), []);
  await clock.advance(seconds(46));
  assertEquals(receiver.take(), ["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
  assertEquals(clock.now(), 60_000 as Instant);
});

Deno.test("ServiceManager feeds no watchdog that is meant for another process", async () => {
  const path = NAMES[1]!();
  using receiver = new Receiver(path);
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "30000000", WATCHDOG_PID: "43" };
  const { manager, clock } = managerFor(env);
  using _ = manager;
  manager.ready("x");
  await clock.advance(seconds(60));
  assertEquals(receiver.take(), ["READY=1\nSTATUS=x"]);
});

Deno.test("ServiceManager goes on without a manager, and says so when there should be one", () => {
  for (const path of ["", "relative", "/nowhere/at/all", "/" + "x".repeat(200)]) {
    const { manager, warnings } = managerFor(path === "" ? {} : { NOTIFY_SOCKET: path });
    using _ = manager;
    manager.ready("x");
    assertEquals(warnings.length > 0, path !== "");
  }
});
