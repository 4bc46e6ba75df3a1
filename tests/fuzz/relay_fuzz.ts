// deno-lint-ignore-file no-console -- the seed has to be seen to run it again
/**
 * Whatever comes on a data port or on the control port, a connection is closed and counted or it is
 * what it should be, and nobody else notices. `BUSBAR_SEED=n` runs one seed again.
 */
import { millis, seconds } from "../../src/base/time.ts";
import { assert, assertEquals } from "../assert.ts";
import { Bench, SECOND } from "../relay/plane_bench.ts";
import { open } from "../relay/service_bench.ts";
import { random } from "../sim/random.ts";

const HELLOS = 6000;
const MESSAGES = 2500;
type Dice = (below: number) => number;

const SEED = Number(Deno.env.get("BUSBAR_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

/** One of a corpus, hurt in one way or in several. */
function hurt(corpus: readonly string[], dice: Dice): Uint8Array {
  let octets: Uint8Array = new TextEncoder().encode(corpus[dice(corpus.length)]);
  for (let times = dice(4); times > 0; times -= 1) {
    const at = dice(octets.length || 1);
    const kind = dice(7);
    if (kind === 0) octets = octets.slice(0, at);
    else if (kind === 1) octets = Uint8Array.from([...octets, ...octets.slice(at)]);
    else if (kind === 2 && octets.length > 0) octets[at] = dice(256);
    else if (kind === 3 && octets.length > 0) octets[at]! ^= 1 << dice(8);
    else if (kind === 4) {
      octets = Uint8Array.from([...octets.slice(0, at), 10, ...octets.slice(at)]);
    } else if (kind === 5) {
      const long = new Uint8Array(dice(6000)).fill(32 + dice(90));
      octets = Uint8Array.from([...octets.slice(0, at), ...long, ...octets.slice(at)]);
    } else octets = Uint8Array.from([...octets.slice(0, at), ...octets.slice(at + dice(8))]);
  }
  return octets;
}

Deno.test("Nonsense on data ports is counted, leaves nothing open, and costs no session", () => {
  console.log(`seed ${SEED}`);
  const dice = random(SEED);
  const bench = new Bench();
  const line = (fields: Record<string, unknown>) => `V4HELLO ${JSON.stringify(fields)}\n`;
  const corpus = [
    line({ role: "client", "session_id": "s2", id: "fe" }),
    line({ role: "server", "session_id": "s2", id: "be", ticket: "ts", ack: true }),
    line({ role: "server", "session_id": "s2", id: "be", ticket: "no" }),
    line({ role: "boss", "session_id": 5, id: null }),
    "V4HELLO [1]\n",
    "GET /status HTTP/1.1\r\n\r\n",
  ];
  const pair = bench.meet(2300);
  for (let round = 0; round < HELLOS; round += 1) {
    if (round % 50 === 0) bench.reserve(2301, "s2");
    const far = bench.streams.connect(2301 + dice(2));
    for (const octets of [hurt(corpus, dice), hurt(corpus, dice)]) {
      far.send(octets);
      bench.work();
    }
    const end = dice(3);
    if (end === 0) far.reset();
    else if (end === 1) far.finish();
    if (round % 100 === 0) {
      bench.pass(SECOND);
      pair.client.send(Uint8Array.of(round & 255));
      bench.work();
      assertEquals([...pair.server.take()], [round & 255], `round ${round}`);
    }
  }
  bench.mail.push({ kind: "withdraw", port: 2301, sessionId: "s2" });
  bench.pass(10 * SECOND);
  for (const session of bench.plane.sessions.keys()) {
    if (session !== "s1") bench.mail.push({ kind: "kick", sessionId: session });
  }
  bench.pass(SECOND);
  assertEquals(bench.count("sessions"), 1);
  const free = bench.streams.descriptors.size;
  assert(free <= 3 + 1 + 2 + 2 * 64, `${free} descriptors are open`);
  bench.plane[Symbol.dispose]();
  assertEquals(bench.streams.descriptors.size, 0);
});

Deno.test("Nonsense on the control port closes who sends it, and nobody else", async () => {
  const dice = random(SEED + 1);
  const relay = await open({ "auth_timeout": "5s" });
  const register = (role: string, id: string) =>
    JSON.stringify({ type: "register", payload: { role, id, token: "t", "max_conn": 3 } });
  const corpus = [
    register("server", "s2"),
    register("client", "c2"),
    JSON.stringify({ type: "pair_request", payload: { "request_id": "r", "need_zmq": true } }),
    JSON.stringify({ type: "pair_request", payload: { "need_srt": true, "server_id": "s1" } }),
    JSON.stringify({ type: "cancel", payload: { "request_id": "r" } }),
    JSON.stringify({ type: "subscribe", payload: { topics: ["status", 1] } }),
    JSON.stringify({ type: "ping", payload: { seq: 1 } }),
    JSON.stringify({ type: "register", payload: null }),
    "[]",
    '{"type":{"a":[]},"payload":"x"}',
  ].map((text) => `${text}\n`);
  const server = await relay.join("server", "s1", { "max_conn": 5 });
  const client = await relay.join("client", "c1");
  for (let round = 0; round < MESSAGES; round += 1) {
    const peer = await relay.dial();
    // One that behaves at first gets further in.
    if (dice(2) === 0) {
      await peer.conn.write(new TextEncoder().encode(corpus[dice(2)]));
      await relay.pass(millis(0));
    }
    for (let times = dice(3); times >= 0 && !peer.ended; times -= 1) {
      await peer.conn.write(hurt(corpus, dice));
      await relay.pass(millis(0));
    }
    await peer.conn[Symbol.asyncDispose]();
    if (round % 250 === 0) {
      await relay.pass(seconds(1));
      const heard = await client.say("ping", { seq: round });
      assertEquals(heard.at(-1), ["pong", { seq: round }], `round ${round}`);
    }
  }
  for (let times = 0; times < 15; times += 1) {
    await relay.pass(seconds(4));
    await client.say("ping"); // Who pings is expected to go on with it, or to answer.
  }
  assertEquals([server.ended, client.ended], [false, false]);
  assertEquals([relay.counters.get("members"), relay.status().port_state.zmq.reserved], [2, 0]);
  assertEquals(relay.faults, [], "no handler has failed");
  await relay.close();
});
