import { after, type Instant, millis, seconds } from "../../../../src/base/time.ts";
import {
  Broker,
  type BrokerEvent,
  type BrokerOptions,
  PortPool,
  readRequest,
  RETRIES_MAX,
} from "../../../../src/protocol/v4relay/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { random } from "../../../sim/random.ts";

const START = 1000 as Instant;

function broker(more: Partial<BrokerOptions> = {}) {
  let count = 0;
  const options: BrokerOptions = {
    zmq: new PortPool(2300, 2302),
    srt: new PortPool(2350, 2351),
    connectionsMax: 10,
    requestsMax: 4,
    reservation: seconds(30),
    verify: () => true,
    secret: false,
    replace: false,
    digits: (digits) => (count += 1).toString(16).padStart(digits, "0"),
    ...more,
  };
  const own = new Broker(options);
  const events = () => {
    const all: BrokerEvent[] = [];
    for (let event = own.event(); event; event = own.event()) all.push(event);
    return all;
  };
  /** As it comes from the wire; a refusal is passed on. */
  const say = (peer: number, { type, ...payload }: Record<string, unknown>, now = START) => {
    const request = readRequest({ type, payload });
    if (request?.kind === "refused") own.refused(peer, request);
    else if (request?.kind === "register") own.register(peer, request);
    else if (request?.kind === "pair_request") own.pair(peer, request, now);
    else if (request?.kind === "cancel") own.cancel(peer, request.requestId);
    return events();
  };
  const join = (peer: number, role: string, id: string, max = 1) =>
    say(peer, { type: "register", role, id, token: `${id}-token`, "max_conn": max });
  return { own, options, events, say, join };
}

/** Who was sent what, the envelope opened. */
function sent(events: readonly BrokerEvent[]): [number, Record<string, unknown>][] {
  return events.flatMap((event) =>
    event.kind === "send"
      ? [[event.to, { type: event.message.type, ...event.message.payload }]]
      : []
  );
}

const ZMQ = { type: "pair_request", "request_id": "r1", "need_zmq": true };

Deno.test("A server and a client register, and are granted a session with one port", () => {
  const { say, join, own } = broker();
  assertEquals(sent(join(1, "server", "s1", 2)), [[1, { type: "register_ack", status: "ok" }]]);
  join(2, "client", "c1");
  const events = say(2, ZMQ);
  const grant = {
    type: "pair_grant",
    "request_id": "r1",
    "session_id": "0000000000000001",
    "server_id": "s1",
    "client_id": "c1",
    "server_token": "s1-token",
    "client_token": "c1-token",
  };
  const ticket = (digit: string) => digit.padStart(32, "0");
  assertEquals(sent(events), [
    [2, { ...grant, ticket: ticket("3"), "zmq_port": 2300 }],
    [1, { ...grant, ticket: ticket("2"), "zmq_port": 2300 }],
  ]);
  assertEquals(events[0]!.kind, "granted");
  assertEquals(own.servers(), [{ id: "s1", ports: [], remaining: 1 }]);
});

const REFUSED: readonly [string, Record<string, unknown>, string][] = [
  ["an empty id", { role: "server", id: " ", token: "t" }, "502 missing id/token"],
  ["no token", { role: "server", id: "a" }, "502 missing id/token"],
  ["a role that is none", { role: "boss", id: "a", token: "t" }, "502 invalid role"],
  ["an id that is there", { role: "server", id: "s1", token: "t" }, "503 duplicate server id"],
];
for (const [what, fields, error] of REFUSED) {
  Deno.test(`A registration with ${what} is answered ${error}, and closed`, () => {
    const { say, join } = broker();
    join(1, "server", "s1");
    const events = say(2, { type: "register", ...fields });
    const code = Number(error.slice(0, 3));
    assertEquals(events, [
      {
        kind: "send",
        to: 2,
        message: { type: "register_ack", payload: { status: "error", code, error } },
      },
      { kind: "close", to: 2 },
    ]);
  });
}

Deno.test("A first message that is none, a wrong token and a full house are turned away", () => {
  const { own, events, join } = broker({ connectionsMax: 1, verify: (_, id) => id !== "bad" });
  own.stranger(1);
  const errors = (of: BrokerEvent[]) =>
    sent(of).map(([, message]) => (message as { error: string }).error);
  assertEquals(errors(events()), ["502 first message must be register"]);
  assertEquals(errors(join(2, "client", "bad")), ["501 auth failed"]);
  join(3, "client", "good");
  assertEquals(errors(join(4, "client", "more")), ["504 max connections reached"]);
});

Deno.test("Where it is so configured, a newcomer takes the place of its namesake", () => {
  const { join, own, say } = broker({ replace: true });
  join(1, "server", "s");
  join(2, "client", "c");
  say(2, ZMQ);
  const events = join(3, "server", "s");
  assertEquals(events.map(({ kind }) => kind), ["send", "close", "withdrawn", "send"]);
  assertEquals([own.members, own.roleOf(1), own.roleOf(3)], [2, undefined, "server"]);
});

Deno.test("Whoever is there is told of the end, and nobody is taken after it", () => {
  const { join, own, say, events } = broker();
  join(1, "server", "s");
  join(2, "client", "c");
  own.close();
  const errors = () =>
    sent(events()).map(([to, message]) => [to, (message as { error: string }).error]);
  assertEquals(errors(), [[1, "504 shutting down"], [2, "504 shutting down"]]);
  say(2, ZMQ);
  const [[, late]] = sent(join(3, "client", "d")) as [[number, { error: string }]];
  assertEquals(late.error, "504 shutting down");
});

Deno.test("What is in no envelope says nothing", () => {
  assertEquals(readRequest({ type: "register", role: "server", id: "a", token: "t" }), {
    kind: "refused",
    code: 502,
    error: "502 missing id/token",
  });
  assertEquals(readRequest({ type: "later", payload: [1] }), undefined);
});

Deno.test("The same id may be a server's and a client's", () => {
  const { join, own } = broker();
  join(1, "server", "x");
  join(2, "client", "x");
  assertEquals(own.members, 2);
});

Deno.test("Only a client may ask, and for something", () => {
  const { say, join } = broker();
  join(1, "server", "s1");
  const [[, first]] = sent(say(1, ZMQ)) as [[number, { type: string; code: number }]];
  assertEquals([first.type, first.code], ["error", 502]);
  join(2, "client", "c1");
  const [[, second]] = sent(say(2, { type: "pair_request" })) as [[number, { code: number }]];
  assertEquals(second.code, 502);
});

Deno.test("The server with most room comes first, then by name; one that is named is taken", () => {
  const { say, join } = broker();
  join(1, "server", "b", 2);
  join(2, "server", "a", 2);
  join(3, "server", "c", 1);
  join(4, "client", "x");
  const chosen = (more = {}) => {
    const [[, message]] = sent(say(4, { ...ZMQ, ...more })) as [[number, { server_id: string }]];
    return message.server_id;
  };
  assertEquals([chosen(), chosen(), chosen({ "server_id": "c" })], ["a", "b", "c"]);
});

Deno.test("A session of two ports takes both or none", () => {
  const { say, join, options } = broker();
  join(1, "server", "s", 9);
  join(2, "client", "c");
  const both = { ...ZMQ, "need_srt": true };
  for (let times = 0; times < 2; times += 1) say(2, both);
  assertEquals(options.srt.counts().idle, 0);
  assertEquals(sent(say(2, both)), [], "it waits");
  assertEquals(options.zmq.counts().reserved, 2, "and holds nothing meanwhile");
});

Deno.test("A request that finds nobody is tried every 5 s, and given up after 50 more times", () => {
  const { say, join, own, events } = broker();
  join(2, "client", "c");
  assertEquals(say(2, ZMQ), []);
  let now = START;
  for (let tries = 0; tries < RETRIES_MAX; tries += 1) {
    assertEquals(own.deadline, after(now, seconds(5)));
    now = after(now, seconds(5));
    own.expire(after(now, millis(-1)));
    assertEquals(events(), []);
    own.expire(now);
    if (tries < RETRIES_MAX - 1) assertEquals(events(), []);
  }
  assertEquals(sent(events()), [[2, {
    type: "pair_error",
    "request_id": "r1",
    code: 505,
    error: "505 no port available",
  }]]);
  assertEquals(own.deadline, undefined);
});

Deno.test("A request that waits is served when a server comes", () => {
  const { say, join, own, events } = broker();
  join(2, "client", "c");
  say(2, ZMQ);
  join(1, "server", "s");
  own.expire(after(START, seconds(5)));
  assertEquals(sent(events()).length, 2);
});

Deno.test("Reservations count against capacity, and go when their time is over", () => {
  const { say, join, own, options, events } = broker();
  join(1, "server", "s", 1);
  join(2, "client", "c");
  say(2, ZMQ);
  assertEquals(sent(say(2, { ...ZMQ, "request_id": "r2" })), [], "no capacity: it waits");
  own.expire(after(START, millis(29_999)));
  assertEquals(options.zmq.counts().reserved, 1);
  own.expire(after(START, seconds(30)));
  assertEquals(events().map(({ kind }) => kind), ["withdrawn"]);
  own.expire(after(START, seconds(35)));
  const kinds = events().map(({ kind }) => kind);
  assertEquals(kinds, ["granted", "send", "send"], "the one that waited has it now");
});

Deno.test("What was granted goes with a client that leaves, or takes it back; not what runs", () => {
  const { say, join, own, options, events } = broker();
  join(1, "server", "s", 9);
  join(2, "client", "c");
  const [granted] = say(2, ZMQ);
  say(2, { ...ZMQ, "request_id": "r2" });
  assert(granted!.kind === "granted");
  const { sessionId, zmqPort } = granted!.session;
  assert(own.met(sessionId, zmqPort!));
  assertEquals(say(2, { type: "cancel", "request_id": "r2" }).map(({ kind }) => kind), [
    "withdrawn",
  ]);
  say(2, { ...ZMQ, "request_id": "r3" });
  own.left(2);
  assertEquals(events().map(({ kind }) => kind), ["withdrawn"]);
  assertEquals(options.zmq.counts().occupied, 1);
  own.ended(sessionId, zmqPort!);
  assertEquals([options.zmq.counts().idle, own.session(sessionId)], [3, undefined]);
});

Deno.test("With secret tokens each end is told its own only", () => {
  const { say, join } = broker({ secret: true });
  join(1, "server", "s");
  join(2, "client", "c");
  const tokens = sent(say(2, ZMQ)).map(([, message]) => {
    const { server_token: server, client_token: client } = message as Record<string, string>;
    return [server, client];
  });
  assertEquals(tokens, [[undefined, "c-token"], ["s-token", undefined]]);
});

Deno.test("A client may not have more requests waiting than its share", () => {
  const { say, join } = broker({ requestsMax: 2 });
  join(2, "client", "c");
  say(2, ZMQ);
  say(2, { ...ZMQ, "request_id": "r2" });
  const [[, message]] = sent(say(2, { ...ZMQ, "request_id": "r3" })) as [
    [number, { code: number }],
  ];
  assertEquals(message.code, 504);
});

/** Ports and sessions agree with one another, whatever happened. */
function check({ own, options }: ReturnType<typeof broker>): void {
  const held = new Map<string, number>();
  for (const pool of [options.zmq, options.srt]) {
    for (let port = pool.first; port <= pool.last; port += 1) {
      const { state, sessionId } = pool.at(port)!;
      if (state !== "reserved" && state !== "occupied") continue;
      assert(own.session(sessionId), `${port} belongs to a session that is no more`);
      held.set(sessionId, (held.get(sessionId) ?? 0) + 1);
    }
  }
  assert([...held.values()].every((ports) => ports <= 2));
  for (const { remaining } of own.servers()) assert(remaining >= 0);
}

Deno.test("Whatever peers do in whatever order, no port is lost and none is given twice", () => {
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const dice = random(seed);
  for (let run = 0; run < 200; run += 1) {
    const bench = broker();
    const { own, say, join, events, options } = bench;
    let now = START;
    const sessions: { sessionId: string; ports: number[] }[] = [];
    for (let step = 0; step < 100; step += 1) {
      const peer = dice(8);
      const kind = dice(9);
      const role = peer % 2 === 0 ? "server" : "client";
      const found = kind === 0
        ? join(peer, role, `id${dice(6)}`, 1 + dice(3))
        : kind <= 3
        ? say(peer, {
          ...ZMQ,
          "request_id": `r${dice(5)}`,
          "need_srt": dice(3) === 0,
          ...(dice(2) === 0 ? { "server_id": `id${dice(6)}` } : {}),
        }, now)
        : kind === 4
        ? say(peer, { type: "cancel", "request_id": `r${dice(5)}` })
        : [];
      if (kind === 5) own.left(peer);
      const one = sessions[dice(sessions.length || 1)];
      if (kind === 6 && one) { for (const port of one.ports) own.met(one.sessionId, port); }
      if (kind === 7 && one) { for (const port of one.ports) own.ended(one.sessionId, port); }
      now = after(now, millis(dice(8000)));
      if (kind === 8) own.expire(now);
      for (const event of [...found, ...events()]) {
        if (event.kind !== "granted") continue;
        const { sessionId, zmqPort, srtPort } = event.session;
        const ports = [zmqPort, srtPort].filter((port) => port !== undefined);
        sessions.push({ sessionId, ports });
      }
      check(bench);
    }
    for (let peer = 0; peer < 8; peer += 1) own.left(peer);
    for (const { sessionId, ports } of sessions) {
      for (const port of ports) own.ended(sessionId, port);
    }
    own.expire(after(now, seconds(1000)));
    const idle = [options.zmq, options.srt].map((pool) => pool.counts().idle);
    assertEquals(idle, [3, 2], `seed ${seed}, run ${run}`);
    assertEquals([own.members, own.deadline], [0, undefined]);
  }
});
