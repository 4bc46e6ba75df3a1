import { DESCRIPTORS_MAX, Orders } from "../../../src/kernel/orders.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test("Orders are seen on the other side of the shared memory", () => {
  const host = new Orders();
  const worker = new Orders(host.memory);
  assert(!worker.stop);
  host.orderStop();
  host.trace = 3;
  worker.thread = 1234;
  worker.beat();
  assertEquals([worker.stop, worker.trace, host.thread, host.beats], [true, 3, 1234, 1]);
});

Deno.test("Orders keep the descriptors that are open, number 0 among them", () => {
  const host = new Orders();
  const worker = new Orders(host.memory);
  for (const fd of [0, 7, 9]) assert(worker.opened(fd));
  worker.closed(7);
  worker.closed(8);
  assert(worker.opened(11));
  assertEquals(host.takeDescriptors(), [0, 9, 11]);
  assertEquals(host.takeDescriptors(), []);
});

Deno.test("Orders say when the number of a descriptor is too large to be noted", () => {
  const orders = new Orders();
  for (let fd = 0; fd < DESCRIPTORS_MAX; fd += 1) assert(orders.opened(fd));
  assert(!orders.opened(DESCRIPTORS_MAX));
});

Deno.test("Orders never count back to the 0 that means not started", () => {
  const orders = new Orders();
  new Int32Array(orders.memory)[2] = -1;
  orders.beat();
  assertEquals(orders.beats, 1);
});
