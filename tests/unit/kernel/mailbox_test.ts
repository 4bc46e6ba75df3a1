import fc from "fast-check";
import { Mailbox } from "../../../src/kernel/mailbox.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test("Messages come out on the other side, in order, and room comes back", () => {
  const memory = new SharedArrayBuffer(8 + 64);
  const [host, worker] = [new Mailbox(memory), new Mailbox(memory)];
  assertEquals(worker.receive(), undefined);
  assert(host.send({ a: "ü" }));
  assert(host.send([1]));
  assertEquals([worker.receive(), worker.receive(), worker.receive()], [
    { a: "ü" },
    [1],
    undefined,
  ]);
  assert(!host.send("x".repeat(64)), "what is larger than the ring never fits");
  let sent = 0;
  while (host.send(sent)) sent += 1;
  assert(sent >= 6);
  assertEquals(worker.receive(), 0);
  assert(host.send(sent), "one place has come back");
});

Deno.test("Whatever is sent in whatever order it is read, nothing is lost or turned round", () => {
  const steps = fc.array(fc.oneof(fc.constant(undefined), fc.string({ maxLength: 40 })));
  fc.assert(fc.property(steps, fc.integer({ min: 32, max: 64 }), (all, words) => {
    const memory = new SharedArrayBuffer(8 + 4 * words);
    const [host, worker] = [new Mailbox(memory), new Mailbox(memory)];
    const expected: string[] = [];
    for (const step of all) {
      if (step !== undefined) {
        if (host.send(step)) expected.push(step);
      } else assertEquals(worker.receive(), expected.shift());
    }
    for (const message of expected) assertEquals(worker.receive(), message);
    assertEquals(worker.receive(), undefined);
  }));
});
