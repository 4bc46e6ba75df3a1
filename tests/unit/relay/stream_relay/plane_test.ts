/** The data plane over TCP in memory, on a clock of its own. */
import { assert, assertEquals } from "../../../assert.ts";
import { Bench, OCTETS, SECOND, text } from "../../../relay/plane_bench.ts";
import { random } from "../../../sim/random.ts";

Deno.test("Two ends meet and hear one another; a clean end of both ends the session", () => {
  const bench = new Bench();
  const { server, client } = bench.meet();
  assertEquals(bench.kinds(), ["listening", "waiting", "met"]);
  client.send(new TextEncoder().encode("ask"));
  server.send(new TextEncoder().encode("answer"));
  bench.work();
  assertEquals([text(server.take()), text(client.take())], ["ask", "answer"]);
  client.finish();
  bench.work();
  assertEquals([server.ended, client.ended], [true, false], "only one direction has ended");
  server.send(new TextEncoder().encode("late"));
  server.finish();
  bench.work();
  assertEquals([text(client.take()), client.ended, client.wasReset], ["late", true, false]);
  assertEquals([bench.how(), bench.count("sessions")], ["finished", 0]);
  bench.plane[Symbol.dispose]();
  assertEquals(bench.streams.descriptors.size, 0, "nothing is left open");
});

Deno.test("What is sent before the other end is there comes, to the last octet", () => {
  const bench = new Bench();
  bench.reserve();
  const client = bench.hello("client");
  const early = OCTETS(1_000_000);
  let sent = client.send(early);
  bench.pass(10 * SECOND);
  assert(sent > 0 && sent < early.length, "the window is full and nothing was thrown away");
  const server = bench.hello("server");
  const got: number[] = [];
  while (got.length < early.length) {
    sent += client.send(early.subarray(sent));
    bench.work();
    const taken = server.take();
    got.push(...taken);
    bench.work();
  }
  assertEquals(got.every((octet, at) => octet === early[at]), true);
});

Deno.test("Octets behind the hello line in one piece belong to the other end", () => {
  const bench = new Bench();
  bench.reserve();
  const line = `V4HELLO ${JSON.stringify({ role: "client", "session_id": "s1", id: "fe" })}\n`;
  bench.say(`${line}early`);
  const server = bench.hello("server");
  assertEquals(text(server.take()), "early");
});

Deno.test("A hello may come octet by octet", () => {
  const bench = new Bench();
  bench.reserve();
  const line = `V4HELLO ${JSON.stringify({ role: "client", "session_id": "s1", id: "fe" })}\n!`;
  const far = bench.streams.connect(2300);
  for (const letter of line) {
    far.send(new TextEncoder().encode(letter));
    bench.work();
  }
  assertEquals(text(bench.hello("server").take()), "!");
});

const AWAY: readonly [string, string, string][] = [
  ["no hello", "GET / HTTP/1.1\r\n\r\n", "hello_error"],
  ["4,097 octets without an end", `V4HELLO ${"x".repeat(4089)}`, "hello_error"],
  ["no JSON", "V4HELLO nonsense\n", "hello_error"],
  ["another session", 'V4HELLO {"role":"client","session_id":"s2","id":"fe"}\n', "alloc_mismatch"],
  ["another's name", 'V4HELLO {"role":"client","session_id":"s1","id":"be"}\n', "id_mismatch"],
  [
    "another's ticket",
    'V4HELLO {"role":"client","session_id":"s1","id":"fe","ticket":"ts"}\n',
    "ticket_mismatch",
  ],
];
for (const [what, line, counter] of AWAY) {
  Deno.test(`A connection with ${what} is closed and counted as ${counter}`, () => {
    const bench = new Bench();
    bench.reserve();
    const far = bench.say(line);
    assertEquals([far.closed, bench.count(counter)], [true, 1]);
    const { server, client } = { server: bench.hello("server"), client: bench.hello("client") };
    assertEquals([server.closed, client.closed, bench.count("sessions")], [false, false, 1]);
    assertEquals([bench.hello("client").closed, bench.count("port_occupied")], [true, 1]);
  });
}

Deno.test("Who asked for a word is given one: OK when both are there, ERR when sent away", () => {
  const bench = new Bench();
  bench.reserve();
  const client = bench.hello("client", { ack: true });
  assertEquals(text(client.take()), "");
  const wrong = bench.hello("server", { ack: true, "session_id": "other" });
  assertEquals(text(wrong.take()), 'V4ERR {"code":503,"error":"503 alloc_mismatch"}\n');
  bench.hello("server");
  assertEquals(text(client.take()), 'V4OK {"session_id":"s1"}\n');
});

Deno.test("A hello has two seconds, the other end as long as it may wait", () => {
  const bench = new Bench({ pendingTimeout: 10 * SECOND as never });
  bench.reserve();
  const silent = bench.say("V4HEL");
  bench.pass(1900);
  assertEquals(silent.closed, false);
  bench.pass(200);
  assertEquals([silent.closed, bench.count("hello_timeout")], [true, 1]);
  const waiting = bench.hello("client", { ack: true });
  bench.pass(9 * SECOND);
  assertEquals(waiting.closed, false);
  const told = bench.letters.filter(({ kind }) => kind === "waiting").length;
  assert(told >= 4 && told <= 6, `told every two seconds: ${told}`);
  bench.pass(3 * SECOND);
  assertEquals([waiting.closed, bench.count("pending_timeout")], [true, 1]);
});

Deno.test("An end that goes while it waits frees its seat; a newer one takes that of an older", () => {
  const bench = new Bench();
  bench.reserve();
  const first = bench.hello("client");
  first.reset();
  bench.work();
  assertEquals(bench.count("pending_gone"), 1);
  const second = bench.hello("client");
  const third = bench.hello("client", { ticket: "tc" });
  assertEquals([second.closed, third.closed, bench.count("replaced")], [true, false, 1]);
  const server = bench.hello("server");
  third.send(OCTETS(3));
  bench.work();
  assertEquals([...server.take()], [0, 1, 2]);
});

Deno.test("An end may say all it has to say, and end, before the other is there", () => {
  const bench = new Bench();
  bench.reserve();
  const client = bench.hello("client");
  client.send(OCTETS(5));
  client.finish();
  bench.pass(5 * SECOND);
  const server = bench.hello("server");
  assertEquals([server.take().length, server.ended], [5, true]);
});

Deno.test("A stream of one direction lives for ten minutes, with other ends silent", () => {
  const bench = new Bench({ idleTimeout: 60 * SECOND as never });
  const { server, client } = bench.meet();
  for (let second = 0; second < 600; second += 1) {
    client.send(OCTETS(2000, second));
    bench.pass(SECOND);
    assertEquals(server.take().length, 2000, `second ${second}`);
  }
  assertEquals([bench.how(), bench.count("sessions")], [undefined, 1]);
  assertEquals(bench.last()[0]!.octets_up, 1_200_000);
});

Deno.test("A reader that stops for 30 s stops its own sender only, and loses nothing", () => {
  const bench = new Bench({ idleTimeout: 10 * SECOND as never });
  const slow = bench.meet(2300);
  bench.mail.push({
    kind: "reserve",
    port: 2301,
    sessionId: "s2",
    id: { server: "be", client: "fe" },
    ticket: { server: "", client: "" },
  });
  const other = {
    server: bench.hello("server", { "session_id": "s2" }, 2301),
    client: bench.hello("client", { "session_id": "s2" }, 2301),
  };
  let sent = 0;
  for (let tenth = 0; tenth < 300; tenth += 1) {
    sent += slow.client.send(OCTETS(60_000, sent));
    other.client.send(OCTETS(100));
    bench.pass(100);
    assertEquals(other.server.take().length, 100);
  }
  assert(sent < 3_000_000, `the sender was stopped: ${sent}`);
  assertEquals([bench.how(), bench.count("sessions")], [undefined, 2]);
  assert(bench.last()[0]!.waiting_up > 0);
  const got: number[] = [];
  while (got.length < sent) {
    got.push(...slow.server.take());
    bench.work();
  }
  assertEquals(got.length, sent);
  assert(got.every((octet, at) => octet === at % 251), "in order");
});

Deno.test("Silence of both directions ends a session, and so does a reader that never reads", () => {
  const times = { idleTimeout: 10 * SECOND, stallTimeout: 20 * SECOND } as never;
  const idle = new Bench(times);
  const pair = idle.meet();
  idle.pass(9 * SECOND);
  pair.server.send(OCTETS(1));
  idle.pass(9 * SECOND);
  assertEquals(idle.how(), undefined);
  idle.pass(3 * SECOND);
  assertEquals([idle.how(), pair.client.wasReset, pair.server.wasReset], ["idle", true, true]);
  const stalled = new Bench(times);
  const { client } = stalled.meet();
  for (let times = 0; times < 20; times += 1) {
    client.send(OCTETS(60_000));
    stalled.work();
  }
  stalled.pass(19 * SECOND);
  assertEquals(stalled.how(), undefined);
  stalled.pass(4 * SECOND);
  assertEquals([stalled.how(), stalled.count("sessions_stalled")], ["stalled", 1]);
});

Deno.test("A reset of one end is one for the other", () => {
  const bench = new Bench();
  const { server, client } = bench.meet();
  server.reset();
  bench.work();
  assertEquals([client.wasReset, bench.how()], [true, "reset"]);
});

Deno.test("The operator may end a session; what is withdrawn sends away who waits for it", () => {
  const bench = new Bench();
  const { client } = bench.meet();
  bench.mail.push({ kind: "kick", sessionId: "s1" });
  bench.work();
  bench.work();
  assertEquals([client.closed, bench.how()], [true, "kicked"]);
  bench.reserve();
  const waiting = bench.hello("client");
  bench.mail.push({ kind: "withdraw", port: 2300, sessionId: "s1" });
  bench.work();
  bench.work();
  assertEquals(waiting.closed, true);
  assertEquals([bench.hello("server").closed, bench.count("alloc_mismatch")], [true, 1]);
});

Deno.test("Draining takes nobody, lets sessions end by themselves, and says when it is over", () => {
  const bench = new Bench();
  const { server, client } = bench.meet();
  const waiting = bench.say("V4HELLO");
  bench.mail.push({ kind: "drain" });
  bench.work();
  bench.work();
  assertEquals([waiting.closed, bench.kinds().includes("drained")], [true, false]);
  client.send(OCTETS(9));
  bench.work();
  assertEquals(server.take().length, 9);
  client.finish();
  server.finish();
  bench.pass(200);
  assertEquals(bench.kinds().filter((kind) => kind === "drained").length, 1);
});

Deno.test("Many that say nothing cost the oldest of them, and never a session", () => {
  const bench = new Bench();
  const pair = bench.meet();
  const silent = Array.from({ length: 200 }, () => bench.say(""));
  assertEquals(silent.filter(({ closed }) => closed).length, 168);
  assertEquals(bench.count("flooded"), 168);
  pair.client.send(OCTETS(7));
  bench.work();
  assertEquals(pair.server.take().length, 7);
  bench.pass(3 * SECOND);
  assertEquals(silent.every(({ closed }) => closed), true);
});

Deno.test("Without descriptors nothing is lost: flows wait for a pipe", () => {
  const bench = new Bench();
  const slow = bench.meet();
  bench.mail.push({
    kind: "reserve",
    port: 2301,
    sessionId: "s2",
    id: { server: "be", client: "fe" },
    ticket: { server: "", client: "" },
  });
  const server = bench.hello("server", { "session_id": "s2" }, 2301);
  const client = bench.hello("client", { "session_id": "s2" }, 2301);
  // One flow keeps the only free pipe, for its receiver takes nothing.
  while (slow.client.send(OCTETS(60_000)) > 0) bench.work();
  bench.streams.descriptorsMax = bench.streams.descriptors.size;
  client.send(OCTETS(5));
  bench.pass(SECOND);
  assertEquals([server.take().length, bench.count("sessions")], [0, 2]);
  assert(bench.count("descriptors_short") > 0);
  bench.streams.descriptorsMax = 10_000;
  bench.pass(SECOND);
  assertEquals(server.take().length, 5);
});

Deno.test("Whatever two ends do, what comes out is what went in, as far as it came", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const dice = random(seed);
  for (let run = 0; run < 40; run += 1) {
    const bench = new Bench({ sndhwm: 1 + dice(4), rcvhwm: 1 + dice(8) });
    const { server, client } = bench.meet();
    const ways = [{ from: client, to: server }, { from: server, to: client }].map((way) => ({
      ...way,
      sent: 0,
      got: 0,
      finished: false,
    }));
    let over = false;
    for (let step = 0; step < 200 && !over; step += 1) {
      const way = ways[dice(2)]!;
      const kind = dice(20);
      if (kind < 9 && !way.finished) way.sent += way.from.send(OCTETS(dice(50_000), way.sent));
      else if (kind < 17) {
        const octets = way.to.take(1 + dice(60_000));
        const right = octets.every((octet, at) => octet === (way.got + at) % 251);
        assert(right, `seed ${seed}, run ${run}, step ${step}: out of order`);
        way.got += octets.length;
      } else if (kind === 17) bench.work();
      else if (kind === 18 && dice(10) === 0) {
        way.finished = true;
        way.from.finish();
      } else if (kind === 19 && dice(40) === 0) {
        way.from.reset();
        over = true;
      }
    }
    if (!over) {
      for (let times = 0; times < 200; times += 1) {
        bench.work();
        for (const way of ways) way.got += way.to.take().length;
      }
      for (const way of ways) {
        assertEquals(way.got, way.sent, `seed ${seed}, run ${run}: lost`);
        if (way.finished) assert(way.to.ended, `seed ${seed}, run ${run}: no end`);
      }
    }
    bench.plane[Symbol.dispose]();
    assertEquals(bench.streams.descriptors.size, 0, `seed ${seed}, run ${run}: left open`);
  }
});
