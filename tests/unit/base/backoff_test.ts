import { BACKOFF, Backoff } from "../../../src/base/backoff.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test("The first five waits are those of the golden ratio, then they are spread up to a minute", () => {
  const backoff = new Backoff();
  const middle = () => 0.5;
  const waits = Array.from({ length: 5 }, () => Math.round(backoff.failed(middle) * 10) / 10);
  assertEquals(waits, [100, 161.8, 261.8, 423.6, 685.4]);
  assertEquals([backoff.failures, backoff.alarming], [5, true]);
  const sixth = backoff.failed(middle);
  assert(Math.abs(sixth - 1109.017) < 1e-3);
  for (let turn = 0; turn < 20; turn += 1) backoff.failed(middle);
  assertEquals(backoff.failed(middle), BACKOFF.most);
  assertEquals([backoff.failed(() => 0), backoff.failed(() => 1)].map(Math.round), [
    48_000,
    72_000,
  ]);
  backoff.succeeded();
  assertEquals([backoff.failures, backoff.alarming, backoff.failed(middle)], [0, false, 100]);
});
