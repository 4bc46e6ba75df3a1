/** The relay's control plane, as its peers meet it. */
import { millis, seconds } from "../../../../src/base/time.ts";
import type { FromPlane } from "../../../../src/relay/stream_relay/letters.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { type Client, open, type Payload, SECRET } from "../../../relay/service_bench.ts";

const ZMQ = { "request_id": "r1", "need_zmq": true };

Deno.test("A grant reaches both ends and, before them, the data plane; each sees its own token", async () => {
  const relay = await open();
  const server = await relay.join("server", "s1", { "max_conn": 2 });
  const client = await relay.join("client", "c1");
  const [[type, grant]] = await client.say("pair_request", ZMQ) as [[string, Payload]];
  const [[, other]] = await server.heard() as [[string, Payload]];
  assertEquals([type, grant.zmq_port, other.session_id], ["pair_grant", 2300, grant.session_id]);
  assertEquals([grant.client_token, grant.server_token], ["t", undefined]);
  assertEquals([other.client_token, other.server_token], [undefined, "t"]);
  assert(grant.ticket !== other.ticket && /^[0-9a-f]{32}$/.test(grant.ticket));
  assertEquals(relay.letters, [{
    kind: "reserve",
    port: 2300,
    sessionId: grant.session_id,
    id: { server: "s1", client: "c1" },
    ticket: { server: other.ticket, client: grant.ticket },
  }]);
  assertEquals(relay.status().port_state.zmq.reserved, 1);
  await relay.tell({ kind: "met", port: 2300, sessionId: grant.session_id });
  const { zmq } = relay.status().port_state;
  assertEquals([zmq.total, zmq.idle, zmq.reserved, zmq.occupied], [21, 20, 0, 1]);
  await relay.tell({ kind: "ended", port: 2300, sessionId: grant.session_id, how: "finished" });
  assertEquals(relay.status().port_state.zmq.occupied, 0);
  await relay.close();
});

Deno.test("Servers and ports are told every two seconds, sessions every second", async () => {
  const relay = await open();
  const client = await relay.join("client", "c1");
  const server = await relay.join("server", "s1", { "max_conn": 3 });
  await relay.join("server", "s2");
  await relay.pass(seconds(6));
  const heard = await client.heard();
  const of = (topic: string) => heard.filter(([type]) => type === topic).map(([, one]) => one);
  assertEquals([of("status").length, of("port_state").length, of("telemetry").length], [3, 3, 6]);
  assertEquals(of("status")[1], [
    {
      "server_id": "s1",
      "occupied_ports": null,
      "remaining_ports": 3,
      "cpu_percent": 25,
      "mem_mb": 100,
    },
    {
      "server_id": "s2",
      "occupied_ports": null,
      "remaining_ports": 1,
      "cpu_percent": 25,
      "mem_mb": 100,
    },
  ]);
  const { idle_ports: idlePorts, ...zmq } = of("port_state")[0].zmq;
  assertEquals(zmq, { total: 21, idle: 21, reserved: 0, occupied: 0, blocked: 0 });
  assertEquals(idlePorts.length, 21);
  assertEquals(of("telemetry")[0], []);
  const own = (await server.heard()).find(([type]) => type === "status")![1];
  assertEquals(own.map((one: Payload) => one.server_id), ["s1"], "a server is told of itself");
  assert(relay.status().broadcast_unix_ms > 0);
  await relay.close();
});

Deno.test("A session is told to its two ends only, and to all where that is wanted", async () => {
  for (const broadcasts of ["own", "all"]) {
    const relay = await open({ broadcasts });
    const server = await relay.join("server", "s1");
    const client = await relay.join("client", "c1");
    const third = await relay.join("client", "c2");
    const view = {
      ...{ kind: "zmq", port: 2300, "session_id": "x", "server_id": "s1", "client_id": "c1" },
      ...{ "mbps_up": 1, "mbps_down": 2, "rtt_ms": 3, "loss_pct": 0, "retrans_pct": 0 },
      ...{ quality: 99, "client_address": "10.0.0.1:1", "server_address": "10.0.0.2:2" },
    };
    await relay.tell({ kind: "telemetry", sessions: [view] } as unknown as FromPlane);
    await relay.pass(seconds(1));
    const told = async (peer: Client) => {
      const [, sessions] = (await peer.heard()).find(([type]) => type === "telemetry")!;
      return sessions.map((one: Payload) => [one.session_id, one.mbps_up, one.client_address]);
    };
    const seen = [["x", 1, undefined]];
    assertEquals([await told(server), await told(client)], [seen, seen]);
    assertEquals(await told(third), broadcasts === "all" ? seen : []);
    await relay.close();
  }
});

Deno.test("Who subscribes is told that only, and pings are answered", async () => {
  const relay = await open();
  const client = await relay.join("client", "c1");
  assertEquals(await client.say("subscribe", { topics: ["port_state"] }), []);
  await relay.pass(seconds(2));
  assertEquals((await client.heard()).map(([type]) => type), ["port_state"]);
  assertEquals(await client.say("ping", { seq: 7 }), [["pong", { seq: 7 }]]);
  assertEquals(await client.say("whatever"), [], "an unknown type is ignored");
  await relay.close();
});

Deno.test("A peer that answers pings is taken for gone after three without an answer; others never", async () => {
  const relay = await open();
  const old = await relay.join("client", "old");
  const dead = await relay.join("server", "s1", { heartbeat: true });
  const alive = await relay.join("client", "c1", { heartbeat: true });
  for (let second = 0; second < 21; second += 1) {
    await relay.pass(seconds(1));
    const pings = (await alive.heard()).filter(([type]) => type === "ping");
    for (const [, payload] of pings) await alive.say("pong", payload);
  }
  assertEquals([old.ended, dead.ended, alive.ended], [false, true, false]);
  assertEquals([relay.counters.get("offline"), relay.counters.get("members")], [1, 2]);
  assertEquals((await old.heard()).some(([type]) => type === "ping"), false);
  await relay.close();
});

const FIRST: readonly [string, string][] = [
  ["another type", '{"type":"pair_request","payload":{}}\n'],
  ["a type that nobody knows", '{"type":"hello"}\n'],
  ["no type", "{}\n"],
];
for (const [what, line] of FIRST) {
  Deno.test(`A first message of ${what} is refused, and the connection closed`, async () => {
    const relay = await open();
    const client = await relay.dial();
    assertEquals(await client.raw(line), [["register_ack", {
      status: "error",
      code: 502,
      error: "502 first message must be register",
    }]]);
    assertEquals(client.ended, true);
    await relay.close();
  });
}

Deno.test("After the register what is no JSON closes the connection without a word", async () => {
  const relay = await open();
  const client = await relay.join("client", "c1");
  assertEquals(await client.raw("{nonsense}\n"), []);
  assertEquals([client.ended, relay.counters.get("members")], [true, 0]);
  await relay.close();
});

Deno.test("A connection has auth_timeout for its first message, and then as long as it likes", async () => {
  const relay = await open({ "auth_timeout": "5s" });
  const [silent, half, there] = [
    await relay.dial(),
    await relay.dial(),
    await relay.join("client", "c"),
  ];
  await half.raw('{"type":');
  await relay.pass(millis(4900));
  assertEquals([silent.ended, half.ended], [false, false]);
  await relay.pass(millis(200));
  assertEquals([silent.ended, half.ended], [true, true]);
  await relay.pass(seconds(600));
  assertEquals(there.ended, false);
  await relay.close();
});

Deno.test("Tokens are checked: one for all, or one for each; a wrong one closes", async () => {
  const shared = await open({ auth: { mode: "shared", token: SECRET } });
  const wrong = await shared.dial();
  const [[, refusal]] = await wrong.say("register", { role: "client", id: "a", token: "x" }) as [
    [string, Payload],
  ];
  assertEquals([refusal.error, wrong.ended], ["501 auth failed", true]);
  await shared.join("client", "a", { token: SECRET });
  await shared.close();
  const own = await open({ auth: { mode: "per_id", tokens: { "client a": SECRET } } });
  await own.join("client", "a", { token: SECRET });
  for (const [role, id] of [["server", "a"], ["client", "b"]]) {
    const other = await own.dial();
    await other.say("register", { role, id, token: SECRET });
    assertEquals(other.ended, true, `${role} ${id}`);
  }
  await own.close();
});

Deno.test("Where the control port has a token, mode none wants it too unless it is public", async () => {
  const guarded = await open({}, SECRET);
  const client = await guarded.dial();
  const [type] = (await client.say("register", { role: "client", id: "a", token: "t" }))[0]!;
  assertEquals([type, guarded.counters.get("members")], ["error", 0]);
  await client.raw(`{"type":"auth","token":"${SECRET}"}\n`);
  const [ack] = (await client.say("register", { role: "client", id: "a", token: "t" }))[0]!;
  assertEquals(ack, "register_ack");
  await guarded.close();
  const free = await open({ auth: { public: true } }, SECRET);
  const peer = await free.join("client", "a");
  await free.pass(seconds(300));
  assertEquals(peer.ended, false, "who has registered may stay");
  await free.close();
});

Deno.test("Requests that wait are served as soon as a server comes, all of them", async () => {
  const relay = await open();
  const clients = [await relay.join("client", "a"), await relay.join("client", "b")];
  for (const client of clients) assertEquals(await client.say("pair_request", ZMQ), []);
  await relay.join("server", "s", { "max_conn": 2 });
  await relay.pass(seconds(1));
  for (const client of clients) {
    assert((await client.heard()).some(([type]) => type === "pair_grant"));
  }
  await relay.close();
});

Deno.test("A client that leaves takes what it was granted along, and the data plane is told", async () => {
  const relay = await open();
  await relay.join("server", "s");
  const client = await relay.join("client", "c");
  await client.say("pair_request", ZMQ);
  await client.conn[Symbol.asyncDispose]();
  await relay.pass(millis(0));
  assertEquals(relay.letters.map(({ kind }) => kind), ["reserve", "withdraw"]);
  assertEquals(relay.status().port_state.zmq.reserved, 0);
  await relay.close();
});

Deno.test("A grant lives for auth_timeout, and longer while one end waits at its port", async () => {
  const relay = await open();
  await relay.join("server", "s", { "max_conn": 5 });
  const client = await relay.join("client", "c");
  await client.say("pair_request", ZMQ);
  await client.say("pair_request", { ...ZMQ, "request_id": "r2" });
  const [first] = relay.letters as { sessionId: string }[];
  for (let second = 0; second < 40; second += 2) {
    await relay.tell({ kind: "waiting", port: 2300, sessionId: first!.sessionId });
    await relay.pass(seconds(2));
  }
  const { zmq } = relay.status().port_state;
  assertEquals([zmq.reserved, relay.counters.get("withdrawn")], [1, 1]);
  await relay.close();
});

Deno.test("A stop tells everybody, drains, and waits no longer than it may", async () => {
  const relay = await open({ "shutdown_timeout": "3s" });
  const client = await relay.join("client", "c");
  relay.stop.abort();
  await relay.pass(millis(0));
  assertEquals(await client.heard(), [["error", { code: 504, error: "504 shutting down" }]]);
  assertEquals(relay.letters, [{ kind: "drain" }, { kind: "drain" }], "each data plane");
  assertEquals(relay.status().status, "Stopping");
  let over = false;
  void relay.ended.then(() => over = true);
  await relay.pass(millis(2900));
  assertEquals(over, false);
  await relay.pass(millis(200));
  assertEquals(over, true);
  await relay.close();
  assertEquals(client.ended, true);
});

Deno.test("When the data plane fails, so does the service, and its peers are let go", async () => {
  const relay = await open();
  const client = await relay.join("client", "c");
  relay.worker.reject(new Error("thread is gone"));
  const failure = await relay.ended.then(() => "none", (error: Error) => error.message);
  await relay.pass(millis(0));
  assertEquals([failure, client.ended], ["thread is gone", true]);
});
