import { assert, assertEquals } from "../../assert.ts";
import { SimClock } from "../../sim/clock.ts";
import { pipe } from "../../sim/pipe.ts";
import { BugError, LinkDownError } from "../../../src/base/errors.ts";
import type { Link } from "../../../src/base/link.ts";
import { after, type Instant, seconds } from "../../../src/base/time.ts";
import { type ByteConn, LinkDriver } from "../../../src/platform/drive.ts";

/** Answers every octet by itself plus one, and says "silence" when nothing came for 5 s. */
class EchoLink implements Link<string> {
  readonly out: Uint8Array[] = [];
  readonly events: string[] = [];
  deadline: Instant | undefined;
  stuck = false;

  receive(octets: Uint8Array, now: Instant): void {
    this.deadline = after(now, seconds(5));
    for (const octet of octets) this.out.push(Uint8Array.of(octet + 1));
    this.events.push(`got ${octets.join(" ")}`);
  }

  expire(now: Instant): void {
    if (this.stuck || this.deadline === undefined || now < this.deadline) return;
    this.deadline = undefined;
    this.events.push("silence");
  }

  transmit(): Uint8Array | undefined {
    return this.out.shift();
  }

  event(): string | undefined {
    return this.events.shift();
  }
}

function drive(conn: ByteConn, link = new EchoLink()) {
  const clock = new SimClock();
  const stop = new AbortController();
  const driver = new LinkDriver(link, conn, clock, stop.signal);
  const events: string[] = [];
  const ended = (async () => {
    for await (const event of driver) events.push(event);
  })();
  return { clock, stop, driver, link, events, ended };
}

Deno.test("LinkDriver carries octets both ways and fires the link's timers", async () => {
  const [near, far] = pipe();
  const { clock, stop, events, ended } = drive(near);
  await far.write(Uint8Array.of(1, 2));
  await clock.advance(seconds(1));
  assertEquals([...(await far.read())!, ...(await far.read())!], [2, 3]);
  assertEquals(events, ["got 1 2"]);
  await clock.advance(seconds(4));
  assertEquals(events, ["got 1 2", "silence"]);
  stop.abort();
  await ended;
});

Deno.test("LinkDriver throws LinkDownError after the last event when the peer closes", async () => {
  const [near, far] = pipe();
  const { clock, events, ended } = drive(near);
  await far.write(Uint8Array.of(7));
  await far[Symbol.asyncDispose]();
  const error = await Promise.all([ended, clock.advance(seconds(1))]).catch((error) => error);
  assert(error instanceof LinkDownError);
  assertEquals(events, ["got 7"]);
});

Deno.test("LinkDriver looks at the link again when it is woken", async () => {
  const [near, far] = pipe();
  const { clock, stop, driver, link, ended } = drive(near);
  await clock.advance(seconds(1));
  link.out.push(Uint8Array.of(42));
  driver.wake();
  await clock.advance(seconds(1));
  assertEquals([...(await far.read())!], [42]);
  stop.abort();
  await ended;
});

// Goal: a link that forgets to move its deadline is a bug at once, not a loop at full load.
Deno.test("LinkDriver refuses a link whose deadline stays in the past", async () => {
  const [near, far] = pipe();
  const { clock, link, ended } = drive(near);
  link.stuck = true;
  await far.write(Uint8Array.of(1));
  const error = await Promise.all([ended, clock.advance(seconds(6))]).catch((error) => error);
  assert(error instanceof BugError);
  assertEquals(error.code, "link.deadline.stuck");
});

// Goal: a peer that takes no octets can neither stop the timers nor make our memory grow.
// Method: a connection whose writes never settle, and which would deliver chunks without end.
Deno.test("LinkDriver goes on timing, and stops reading, while a write is stuck", async () => {
  let reads = 0;
  const conn: ByteConn = {
    read: () => Promise.resolve(Uint8Array.of(++reads)),
    write: () => new Promise(() => {}),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { clock, stop, events, ended } = drive(conn);
  await clock.advance(seconds(6));
  assertEquals(events, ["got 1", "silence"]);
  assertEquals(reads, 1);
  stop.abort();
  await ended;
});

Deno.test("LinkDriver fails with the error of a failed write", async () => {
  const conn: ByteConn = {
    read: () => Promise.resolve(Uint8Array.of(1)),
    write: () => Promise.reject(new LinkDownError("link.reset", "Peer reset the connection")),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { clock, ended } = drive(conn);
  const error = await Promise.all([ended, clock.advance(seconds(1))]).catch((error) => error);
  assertEquals((error as LinkDownError).code, "link.reset");
});
