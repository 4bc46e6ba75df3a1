/**
 * A worker script of the tests, in the place of `app/worker_main.ts`: services that obey, fail,
 * crash and get stuck in every way there is.
 * @module
 */
import { OsError } from "../../src/base/errors.ts";
import type { HotContext, HotRun } from "../../src/kernel/module.ts";
import { Orders } from "../../src/kernel/orders.ts";
import type { FromWorker, ToWorker } from "../../src/kernel/worker_host.ts";
import { serve } from "../../src/kernel/worker_side.ts";
import { Fd, keepLedger } from "../../src/platform/linux/fd.ts";
import { createHotPlatform } from "../../src/platform/linux/hot_platform.ts";
import { libc } from "../../src/platform/linux/libc.ts";
import { currentThread } from "../../src/platform/linux/thread.ts";

const parking = new Int32Array(new SharedArrayBuffer(4));
const nap = () => void Atomics.wait(parking, 0, 0, 5);

/** Opens a TCP port that nobody else can bind while it is open. */
function holdPort(port: number): Fd {
  const socket = new Fd(libc().socket(2, 1, 0));
  const address = new Uint8Array(16);
  address[0] = 2;
  address.set([port >> 8, port & 0xff, 127, 0, 0, 1], 2);
  if (libc().bind(socket.number, address, 16) < 0) {
    throw new OsError("test.bind", "Port is taken", { errno: "EADDRINUSE" });
  }
  return socket;
}

const MODULES: Readonly<Record<string, HotRun<{ port?: number }>>> = {
  obedient(ctx) {
    ctx.report("up");
    ctx.detail({ color: "green" });
    while (!ctx.stopped()) nap();
    ctx.counters.add("frames_in", 7);
  },
  chatty(ctx: HotContext) {
    ctx.report("up");
    for (let index = 0; index < 1000; index += 1) {
      ctx.log.warn("test.chatty", "Again", { index, error: new OsError("test.os", "No", {}) });
    }
    while (!ctx.stopped()) nap();
  },
  throwing() {
    throw new OsError("test.thrown", "Cannot do it", { errno: "EPERM" });
  },
  crashing(ctx) {
    ctx.report("up");
    setTimeout(() => {
      throw new TypeError("thrown where nobody catches");
    }, 0);
    return new Promise(() => {});
  },
  looping(ctx, { port }) {
    const held = holdPort(port!);
    ctx.stopped();
    ctx.report("up");
    // The descriptor is used after the loop, so that it is not collected before.
    for (let turn = 0; turn >= 0; turn = (turn + 1) & 0xffff);
    held[Symbol.dispose]();
  },
  blocking(ctx, { port }) {
    const held = holdPort(port!);
    ctx.stopped();
    ctx.report("up");
    libc().poll(new Uint8Array(8), 0n, -1);
    held[Symbol.dispose]();
  },
  stubborn(ctx) {
    ctx.report("up");
    for (;;) {
      ctx.stopped();
      nap();
    }
  },
};

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
};

scope.onmessage = ({ data }) => {
  const orders = new Orders(data.orders);
  keepLedger({ opened: (fd) => void orders.opened(fd), closed: (fd) => orders.closed(fd) });
  const send = (message: FromWorker) => scope.postMessage(message);
  const side = { platform: createHotPlatform(), thread: currentThread(), send };
  void serve(data, orders, side, (module) => MODULES[module] as HotRun<never> | undefined);
};
