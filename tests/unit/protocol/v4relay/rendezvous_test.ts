import fc from "fast-check";
import type { Instant } from "../../../../src/base/time.ts";
import {
  type Hello,
  HELLO_MAX,
  PortPool,
  readHello,
  readRequest,
  Rendezvous,
  writeHello,
} from "../../../../src/protocol/v4relay/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const text = (words: string) => new TextEncoder().encode(words);
const LINE = 'V4HELLO {"role":"Server","session_id":"s1","id":"a"}\n';

Deno.test("A hello line is read, whatever follows it", () => {
  const hello = readHello(text(`${LINE}early data`)) as Hello;
  const { role, sessionId, id, ticket, ack, size } = hello;
  assertEquals([role, sessionId, id, ticket, ack], ["server", "s1", "a", "", false]);
  assertEquals(size, LINE.length);
});

Deno.test("A hello that is written is read as it was meant", () => {
  const hello = { role: "client", sessionId: "0123", id: "é", ticket: "t", ack: true } as const;
  const read = readHello(writeHello(hello)) as Hello;
  const { role, sessionId, id, ticket, ack } = read;
  assertEquals({ role, sessionId, id, ticket, ack }, hello);
});

Deno.test("A hello that comes in pieces is waited for, one that cannot become any is not", () => {
  for (let size = 0; size < LINE.length; size += 1) {
    assertEquals(readHello(text(LINE.slice(0, size))).kind, "more", `${size}`);
  }
  assertEquals(readHello(text("GET / HT")).kind, "refused");
  assertEquals(readHello(text(`V4HELLO ${"x".repeat(HELLO_MAX)}`)).kind, "refused");
});

const BAD: readonly [string, string][] = [
  ["V4HELLO{}", "line does not begin with V4HELLO"],
  ["V4HELLO {", "what follows V4HELLO is no JSON"],
  ["V4HELLO 5", "hello is no object"],
  ['V4HELLO {"role":"x","session_id":"s","id":"i"}', "role must be server or client"],
  ['V4HELLO {"role":"client","id":"i"}', "session_id is missing"],
  ['V4HELLO {"role":"client","session_id":"s","id":""}', "id is missing"],
];
for (const [line, why] of BAD) {
  Deno.test(`A hello line is refused: ${line}`, () => {
    assertEquals(readHello(text(`${line}\n`)), { kind: "refused", why });
  });
}

Deno.test("Any octets give a hello, a reason, or the wish for more", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (octets, prefixed) => {
      const all = prefixed ? Uint8Array.from([...text("V4HELLO "), ...octets]) : octets;
      assert(["hello", "more", "refused"].includes(readHello(all).kind));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Any JSON object gives a request, a refusal, or is ignored", () => {
  const types = fc.constantFrom("register", "pair_request", "cancel", "ping", "subscribe", "x");
  const message = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(types, message, (type, fields) => {
      const request = readRequest({ ...fields, type });
      assert(request === undefined || typeof request.kind === "string");
    }),
    { numRuns: 1000 },
  );
});

const RESERVED = {
  sessionId: "s1",
  id: { server: "a", client: "a" },
  ticket: { server: "ts", client: "tc" },
  occupied: false,
} as const;
const HELLO: Hello = {
  ...{ kind: "hello", role: "server", sessionId: "s1", id: "a", ticket: "", ack: false, size: 1 },
};

Deno.test("Two ends of a session meet, whoever comes first", () => {
  for (const first of ["server", "client"] as const) {
    const place = new Rendezvous(false);
    const second = first === "server" ? "client" : "server";
    assertEquals(place.hello(2300, 1, { ...HELLO, role: first }, RESERVED), {
      kind: "waiting",
      replaced: undefined,
    });
    const pair = place.hello(2300, 2, { ...HELLO, role: second }, RESERVED);
    const [server, client] = first === "server" ? [1, 2] : [2, 1];
    assertEquals(pair, { kind: "pair", server, client });
    assertEquals(place.waiting, 0);
  }
});

Deno.test("A newer connection of the same role takes the place of the older one", () => {
  const place = new Rendezvous(false);
  place.hello(2300, 1, HELLO, RESERVED);
  assertEquals(place.hello(2300, 2, HELLO, RESERVED), { kind: "waiting", replaced: 1 });
  place.gone(2300, 1);
  assertEquals(place.waiting, 1, "the older one is not the one that waits");
  const pair = place.hello(2300, 3, { ...HELLO, role: "client" }, RESERVED);
  assertEquals(pair, { kind: "pair", server: 2, client: 3 });
});

Deno.test("Who has no business on a port is sent away, and why is known", () => {
  const place = new Rendezvous(false);
  const why = (hello: Partial<Hello>, reserved: typeof RESERVED | undefined = RESERVED) => {
    const meeting = place.hello(2300, 9, { ...HELLO, ...hello }, reserved);
    return meeting.kind === "away" ? meeting.why : meeting.kind;
  };
  assertEquals(why({ sessionId: "other" }), "alloc_mismatch");
  const meeting = place.hello(2300, 9, HELLO, undefined);
  assertEquals(meeting, { kind: "away", why: "alloc_mismatch" });
  assertEquals(why({}, { ...RESERVED, occupied: true } as never), "port_occupied");
  assertEquals(why({ id: "b" }), "id_mismatch");
  assertEquals(why({ ticket: "tc" }), "ticket_mismatch", "that is the other end's");
  assertEquals(why({ ticket: "ts" }), "waiting");
  const strict = new Rendezvous(true).hello(2300, 1, HELLO, RESERVED);
  assertEquals(strict, { kind: "away", why: "ticket_mismatch" });
});

Deno.test("A reservation that is taken back sends away who waited for it", () => {
  const place = new Rendezvous(false);
  place.hello(2300, 5, HELLO, RESERVED);
  assertEquals(place.sessionAt(2300), "s1");
  assertEquals([place.withdrawn(2300), place.withdrawn(2300)], [5, undefined]);
});

Deno.test("A pool gives its lowest idle port, and moves each only as it may", () => {
  const pool = new PortPool(10, 12);
  const late = 100 as Instant;
  assertEquals([pool.reserve("a", late), pool.reserve("b", late)], [10, 11]);
  assertEquals([pool.occupy(10, "b"), pool.occupy(10, "a"), pool.occupy(10, "a")], [
    false,
    true,
    false,
  ]);
  assertEquals([pool.release(11, "a"), pool.release(11, "b")], [false, true]);
  assertEquals([pool.block(10, true), pool.block(11, true), pool.block(11, true)], [
    false,
    true,
    false,
  ]);
  assertEquals([pool.reserve("c", late), pool.reserve("d", late)], [12, undefined]);
  assertEquals(pool.deadline, late);
  assertEquals([pool.refresh(12, "c", 200 as Instant), pool.refresh(10, "a", late)], [true, false]);
  assertEquals([pool.expire(150 as Instant), pool.expire(200 as Instant)], [[], ["c"]]);
  const { idlePorts, ...counts } = pool.counts();
  assertEquals(counts, { total: 3, idle: 1, reserved: 0, occupied: 1, blocked: 1 });
  assertEquals([idlePorts, pool.at(13), pool.block(11, false)], [[12], undefined, true]);
});
