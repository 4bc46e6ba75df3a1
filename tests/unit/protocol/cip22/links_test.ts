import { type Instant, millis, seconds } from "../../../../src/base/time.ts";
import { makeEphemeral } from "../../../../src/crypto/ecdh.ts";
import {
  AUTH_RESULT,
  FORGED_MAX,
  FrameReader,
  type Message,
  type MessageKind,
  type MessageOf,
  OVERHEAD,
  PAYLOAD_MAX,
  QUEUE_MAX,
  readMessage,
  TYPE,
  typeOf,
  writeFrame,
  writeMessage,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import {
  Cip22Pair,
  heardByGateway,
  heardByPile,
  type PairOptions,
  PILE,
  POLICY,
  SimGateway,
  SimPile,
  TIME,
} from "../../../sim/cip22_pair.ts";

const CIPHERS = ["sm4-gcm", "aes-gcm"] as const;
const START: Message = { kind: "start", ticket: 1, port: 1, limit: 3500 };
const STOP: Message = { kind: "stop", ticket: 2, port: 1 };
const heartbeat = (time: number): Message => ({ kind: "heartbeat", time });
const framed = (message: Message) => writeFrame(typeOf(message), writeMessage(message));
const octetsOf = (text: string) => new TextEncoder().encode(text);
const request = framed({ kind: "challengeRequest", pile: PILE, cipher: 1 });

function opened(options: Partial<PairOptions> = {}): Cip22Pair {
  const pair = new Cip22Pair(options).run();
  assertEquals([pair.pile.link.state, pair.gateway.link.state], ["open", "open"]);
  return pair;
}

/** Why an end has closed; undefined while it has not. */
function closedBy({ events }: SimPile | SimGateway): string | undefined {
  const last = events.at(-1);
  return last?.kind === "closed" ? last.why : undefined;
}

const droppedBy = ({ events }: SimPile | SimGateway) =>
  events.flatMap((event) => event.kind === "dropped" ? [event.code] : []);

/** Somebody between changes the messages of a kind that are not sealed. */
function changed<Kind extends MessageKind>(
  pair: Cip22Pair,
  kind: Kind,
  change: { readonly [Name in keyof MessageOf<Kind>]?: MessageOf<Kind>[Name] | undefined },
): void {
  pair.between = (_, octets) => {
    const message = octets[6] === TYPE[kind]
      ? readMessage(octets[6], octets.slice(7, -1))
      : undefined;
    return message?.kind === kind ? [framed({ ...message, ...change } as Message)] : [octets];
  };
}

for (const cipher of CIPHERS) {
  Deno.test(`A pile is believed, obeys and answers, all of it sealed with ${cipher}`, () => {
    const pair = new Cip22Pair({ cipher });
    assert(!pair.gateway.link.send(START) && !pair.pile.link.send(heartbeat(1)), "too early");
    pair.run();
    const { pile, gateway } = pair;
    assertEquals(pile.events, [{ kind: "opened", renewed: false, time: TIME }]);
    assertEquals([gateway.link.version, gateway.link.isSealed], ["2.0", true]);
    assert(pair.command(START) && pair.command({ kind: "timeSync", time: TIME + 5 }));
    assert(pair.command(STOP));
    pile.link.send({ kind: "status", state: 1, closed: false, power: 0, energy: 7, time: TIME });
    pair.run();
    assertEquals(pile.relay, ["1: start 1 at 3500", "2: stop 1"]);
    assertEquals(pile.messages, [START, { kind: "timeSync", time: TIME + 5 }, STOP]);
    assertEquals(gateway.messages, [
      { kind: "answer", to: "start", ticket: 1, result: 0, sealed: true },
      { kind: "answer", to: "stop", ticket: 2, result: 0, sealed: true },
      {
        kind: "status",
        state: 1,
        closed: false,
        power: 0,
        energy: 7,
        time: TIME,
        sealed: true,
      },
    ]);
    // Neither key nor command stands on the wire.
    const wire = [...pair.said.up, ...pair.said.down].slice(5);
    assert(wire.every(({ octets }) => !octets.toHex().includes("200004")));
    assertEquals(gateway.link.counts, { frames: 5, checks: 0, skipped: 0, late: 0 });
    for (const end of [pile, gateway]) end.link.forget();
    assert(!gateway.link.isSealed);
  });
}

Deno.test("Each frame is seen as it goes over the wire", () => {
  const pair = new Cip22Pair();
  const seen: string[] = [];
  pair.gateway.link.observer = (way, frame) => seen.push(`${way} ${frame[6]}`);
  pair.pile.link.observer = (way, frame) => seen.push(`pile ${way} ${frame[6]}`);
  pair.run();
  assertEquals(seen, [
    ...["in 2", "out 3", "pile in 3", "pile out 4", "in 4", "out 5", "pile in 5"],
  ]);
});

Deno.test("The line may be there, of any version, or not; what is no line ends it", () => {
  for (const version of [null, "1.2", "2.0", "3.14"]) {
    const pair = opened({ version });
    assertEquals(pair.gateway.link.version, version ?? undefined);
    assert(pair.command(START));
  }
  for (const line of ["GET / HTTP/1.1\r\n", "CIP-22-VERSION: two\n", "\u0000", "C".repeat(80)]) {
    const gateway = new SimGateway();
    gateway.receive(octetsOf(line), 0 as Instant);
    assertEquals(closedBy(gateway), "version", line);
    assertEquals([gateway.link.deadline, gateway.link.isOver], [undefined, true]);
  }
});

Deno.test("A pile of an older version answers in JSON, and is told nothing that is sealed", () => {
  const gateway = new SimGateway();
  gateway.receive(octetsOf("CIP-22-VERSION: 1.2\r\n"), 0 as Instant);
  gateway.receive(request, 0 as Instant);
  const text = '{"type":"AUTH_RESP"}';
  const [answer, event] = [text, '{"type":"FAULT"}'].map((json) => writeFrame(4, octetsOf(json)));
  // The event comes before the answer is judged: it waits, and is not lost.
  gateway.receive(Uint8Array.of(...answer!, ...event!), 0 as Instant);
  assertEquals(gateway.link.state, "open");
  assert(!gateway.link.isSealed);
  assertEquals(gateway.link.deadline, 0 as Instant);
  gateway.link.expire(5000 as Instant);
  gateway.settle(5000 as Instant);
  assertEquals(gateway.events.slice(1), [
    { kind: "auth_json", text, version: "1.2" },
    { kind: "event_json", text: '{"type":"FAULT"}', version: "1.2" },
  ]);
});

Deno.test("Where HTTP has told the version, and the challenge, the link begins behind them", () => {
  for (const challenged of [false, true]) {
    const gateway = new SimGateway();
    gateway.link.adopt("2.0", challenged);
    gateway.receive(request, 0 as Instant);
    assertEquals(gateway.link.version, "2.0");
    assertEquals(closedBy(gateway), challenged ? "unexpected" : undefined);
  }
});

Deno.test("A pile without keys is believed, and the gateway knows that nothing is sealed", () => {
  const pair = new Cip22Pair();
  pair.gateway.offersKeys = false;
  pair.run();
  assertEquals([pair.gateway.link.state, pair.gateway.link.isSealed], ["open", false]);
  pair.pile.link.send(heartbeat(1));
  pair.run();
  assertEquals(pair.gateway.messages, [{ ...heartbeat(1), sealed: false } as never]);
  // Even if a command is given, a pile does not take what anybody could have said.
  pair.command(START);
  assertEquals([pair.pile.relay, droppedBy(pair.pile)], [[], ["cip22.sealed.clear"]]);
});

Deno.test("A key that is taken away on the way leaves the pile without commands", () => {
  const pair = new Cip22Pair();
  changed(pair, "challenge", { publicKey: undefined });
  pair.run();
  assert(!pair.gateway.link.isSealed);
  pair.command(START);
  assertEquals(pair.pile.relay, []);
});

Deno.test("Whoever is not believed in time is closed: the gateway's side", () => {
  const first = { gateway: { authWithin: seconds(5) } };
  for (const said of [[], [octetsOf("CIP-22-")], [request], [request.slice(0, 9)]]) {
    const gateway = new SimGateway(first);
    for (const octets of said) gateway.receive(octets, 0 as Instant);
    const pass = (now: number) => {
      gateway.link.expire(now as Instant);
      gateway.settle(now as Instant);
    };
    pass(4999);
    assertEquals(closedBy(gateway), undefined);
    pass(5000);
    assertEquals(closedBy(gateway), "auth_timeout");
    pass(6000);
    assertEquals(gateway.events.filter(({ kind }) => kind === "closed").length, 1);
    gateway.receive(request, 6000 as Instant);
    assert(!gateway.link.send(START));
    assertEquals(closedBy(gateway), "auth_timeout");
  }
});

Deno.test("Whoever is not answered in time gives up: the pile's side", () => {
  for (const lost of [TYPE.challenge, TYPE.authResult]) {
    const pair = new Cip22Pair({ pile: { authWithin: seconds(5) } });
    pair.between = (_, octets) => octets[6] === lost ? [] : [octets];
    pair.advance(millis(4999));
    assertEquals(closedBy(pair.pile), undefined);
    pair.advance(millis(1));
    assertEquals(closedBy(pair.pile), "auth_timeout");
    assertEquals(pair.pile.link.deadline, undefined);
    assert(!pair.pile.link.send(heartbeat(1)));
  }
  // The same while keys are renewed: what was believed once is not for ever.
  const pair = opened({ pile: { authWithin: seconds(5), renewAfter: seconds(60) } });
  pair.between = (way, octets) => way === "down" ? [] : [octets];
  pair.advance(seconds(64));
  assertEquals(
    [pair.pile.link.state, closedBy(pair.pile)],
    ["asking", undefined],
  );
  pair.advance(seconds(1));
  assertEquals(closedBy(pair.pile), "auth_timeout");
});

Deno.test("A pile that is silent is closed, and each sealed word of it counts as life", () => {
  const pair = opened({ gateway: { silence: seconds(30) } });
  for (let turn = 0; turn < 5; turn += 1) {
    pair.advance(seconds(29));
    pair.pile.link.send(heartbeat(turn));
    pair.run();
  }
  // What anybody can say does not.
  pair.advance(seconds(29));
  pair.gateway.receive(framed(heartbeat(9)), pair.now);
  pair.advance(millis(999));
  assertEquals(closedBy(pair.gateway), undefined);
  pair.advance(millis(1));
  assertEquals(closedBy(pair.gateway), "silence");
  assert(!pair.command(START));
});

Deno.test("Keys that are not renewed in time end the conversation", () => {
  const gateway = { silence: seconds(1e6), keysWithin: seconds(100) };
  const pair = opened({ gateway, pile: { renewAfter: seconds(1e6) } });
  pair.advance(millis(99_999));
  assertEquals(closedBy(pair.gateway), undefined);
  pair.advance(millis(1));
  assertEquals(closedBy(pair.gateway), "keys_old");
});

Deno.test("Keys are renewed within the conversation, and nothing of both ways is lost", () => {
  for (const cipher of CIPHERS) {
    const gateway = { keysWithin: seconds(100) };
    const pair = opened({ cipher, gateway, pile: { renewAfter: seconds(20) } });
    const [told, ordered]: [Message[], Message[]] = [[], []];
    let number = 0;
    const both = () => {
      number += 1;
      const [up, down] = [heartbeat(number), { ...START, ticket: number }];
      assert(pair.pile.link.send(up) && pair.gateway.link.send(down));
      told.push(up);
      ordered.push(down);
    };
    pair.pile.answers = false;
    for (let turn = 0; turn < 12; turn += 1) {
      // Every second time the gateway takes its time, at the challenge and at the verdict.
      pair.gateway.slow = turn % 2 === 1;
      both();
      pair.advance(seconds(20));
      for (let step = 0; step < 3; step += 1) {
        both();
        pair.run();
        pair.gateway.decide(pair.now);
        both();
      }
      pair.run();
    }
    assertEquals(pair.pile.events.filter(({ kind }) => kind === "opened").length, 13);
    assertEquals(pair.gateway.messages, told.map((one) => ({ ...one, sealed: true }) as never));
    assertEquals(pair.pile.messages, ordered);
    assertEquals([closedBy(pair.pile), closedBy(pair.gateway)], [undefined, undefined]);
    assertEquals([...droppedBy(pair.pile), ...droppedBy(pair.gateway)], []);
  }
});

Deno.test("A frame of keys that were given up is not taken any more", () => {
  const pair = opened({ pile: { renewAfter: seconds(20) } });
  pair.command(START);
  const old = pair.said.down.at(-1)!.octets;
  pair.advance(seconds(25));
  assertEquals(pair.pile.events.filter(({ kind }) => kind === "opened").length, 2);
  pair.pile.receive(old, pair.now);
  assertEquals(droppedBy(pair.pile), ["cip22.sealed.forged"]);
  pair.command(STOP);
  assertEquals(pair.pile.relay, ["1: start 1 at 3500", "2: stop 1"]);
});

Deno.test("Who signs wrongly, or with another policy or number, is told what he may know", () => {
  const tries: readonly (readonly [string, keyof typeof AUTH_RESULT, (pair: Cip22Pair) => void])[] =
    [
      ["signature", "refused", ({ pile }) => pile.tamper = (octets) => octets.slice(1)],
      ["sequence", "sequence", ({ gateway }) => gateway.last = 101n],
      ["sequence", "sequence", ({ pile }) => pile.sequence = 10n],
      ["policy", "policy", (pair) => changed(pair, "authResp", { policyHash: new Uint8Array(32) })],
      ["signature", "refused", (pair) => changed(pair, "authResp", { pile: "pile-0002" })],
      ["signature", "refused", (pair) => changed(pair, "authResp", { sequence: 900n })],
      ["signature", "refused", (pair) => changed(pair, "authResp", { publicKey: undefined })],
    ];
  for (const cipher of CIPHERS) {
    for (const [fault, result, change] of tries) {
      const pair = new Cip22Pair({ cipher });
      change(pair);
      pair.run();
      assertEquals(pair.gateway.faults, [fault]);
      assertEquals(closedBy(pair.gateway), "refused");
      assertEquals(pair.pile.events, [{ kind: "refused", result: AUTH_RESULT[result] }]);
      assertEquals([pair.pile.link.state, pair.gateway.link.isSealed], ["closed", false]);
    }
  }
});

Deno.test("A challenge that is too old, or was answered before, is good for nothing", () => {
  const late = new Cip22Pair({
    gateway: { authWithin: seconds(60) },
    pile: { authWithin: seconds(60) },
  });
  late.gateway.slow = true;
  late.run();
  late.gateway.decide(late.now);
  late.run();
  late.advance(seconds(30));
  late.gateway.decide(late.now);
  late.run();
  assertEquals(late.gateway.faults, ["expired"]);
  assertEquals(late.pile.events, [{ kind: "refused", result: AUTH_RESULT.expired }]);

  const again = opened({ pile: { renewAfter: seconds(10) } });
  again.gateway.reuses = true;
  again.advance(seconds(10));
  assertEquals(again.gateway.faults, ["used"]);
  assertEquals([closedBy(again.gateway), again.pile.link.state], ["refused", "closed"]);
});

Deno.test("A key that somebody between puts in the place of another is noticed by both", () => {
  const foreign = makeEphemeral("sm2", (octets) => octets.fill(7)).point;
  for (const kind of ["challenge", "authResp"] as const) {
    const pair = new Cip22Pair();
    changed(pair, kind, { publicKey: foreign });
    pair.run();
    assertEquals(pair.gateway.faults, ["signature"], kind);
    // Were the gateway's word forged too, the pile would see that it has other keys.
    pair.pile.link.receive(framed({ kind: "authResult", result: 0, time: TIME }), pair.now);
    assert(!pair.command(START));
    assertEquals(pair.pile.relay, []);
  }
  const pair = new Cip22Pair();
  changed(pair, "authResult", { check: Uint8Array.of(1, 2, 3, 4) });
  pair.run();
  assertEquals(closedBy(pair.pile), "keys");
});

Deno.test("A key that is no point ends the conversation", () => {
  for (const kind of ["challenge", "authResp"] as const) {
    const pair = new Cip22Pair();
    changed(pair, kind, { publicKey: new Uint8Array(65).fill(4) });
    pair.run();
    if (kind === "challenge") assertEquals(closedBy(pair.pile), "keys");
    else assertEquals(pair.gateway.faults, ["signature"]);
  }
});

Deno.test("What comes in the wrong state closes the gateway, and a pile passes it over", () => {
  const early: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ["a heartbeat first", [framed(heartbeat(1))]],
    ["an answer first", [writeFrame(4, octetsOf("{}"))]],
    ["a command first", [framed(START)]],
    ["a second request", [request, request]],
    ["a heartbeat between", [request, framed(heartbeat(1))]],
  ];
  for (const [what, frames] of early) {
    const gateway = new SimGateway();
    for (const frame of frames) gateway.receive(frame, 0 as Instant);
    assertEquals(closedBy(gateway), "unexpected", what);
  }
  const gateway = new SimGateway();
  gateway.receive(writeFrame(0x70, new Uint8Array(3)), 0 as Instant);
  assertEquals([droppedBy(gateway), gateway.link.state], [["cip22.type.112"], "hello"]);
  const pile = new SimPile();
  const challenge: Message = {
    kind: "challenge",
    challenge: new Uint8Array(32),
    policyHash: POLICY,
    expiry: 1,
    sessionId: new Uint8Array(16),
  };
  const result: Message = { kind: "authResult", result: 0, time: TIME };
  for (const frame of [START, result, heartbeat(1)].map(framed)) pile.receive(frame, 0 as Instant);
  assertEquals([pile.link.state, droppedBy(pile).length], ["asking", 3]);
  for (const message of [challenge, challenge, START]) pile.receive(framed(message), 0 as Instant);
  assertEquals([pile.link.state, droppedBy(pile).length, pile.relay], ["proving", 5, []]);
  const pair = opened({ pile: { renewAfter: seconds(5) } });
  pair.advance(seconds(7));
  for (const message of [challenge, result]) pair.command(message);
  assertEquals([pair.pile.link.state, pair.pile.messages], ["open", [challenge, result]]);
  pair.pile.link.send({
    kind: "authResp",
    pile: PILE,
    sequence: 900n,
    policyHash: POLICY,
    signature: new Uint8Array(64),
  });
  pair.run();
  assertEquals([pair.gateway.link.state, pair.gateway.last], ["open", 102n]);
  assertEquals([pair.gateway.faults, pair.gateway.messages.length], [[], 1]);
});

Deno.test("Who lets so much gather that he cannot be reading is closed, and it stays bounded", () => {
  const pair = opened();
  const policy = "x".repeat(40_000);
  let sent = 0;
  while (pair.gateway.link.send({ kind: "setPolicy", ticket: sent, policy })) sent += 1;
  assert(sent * 40_000 >= QUEUE_MAX - 40_000);
  assertEquals(pair.gateway.link.deadline, 0 as Instant, "at once");
  for (let more = 0; more < 100; more += 1) pair.gateway.link.send(START);
  pair.gateway.link.expire(pair.now);
  pair.gateway.settle(pair.now);
  assertEquals(closedBy(pair.gateway), "not_reading");
  let size = 0;
  for (let octets = pair.gateway.link.transmit(); octets; octets = pair.gateway.link.transmit()) {
    size += octets.length;
  }
  assert(size <= QUEUE_MAX + PAYLOAD_MAX + OVERHEAD, `${size}`);
  // A pile is as careful.
  const data = new Uint8Array(60_000);
  const digest = new Uint8Array(32);
  const told: Message = { kind: "battTelem", bikeId: "b", time: TIME, data, digest };
  let [taken, queued] = [0, 0];
  while (pair.pile.link.send(told)) taken += 1;
  for (let octets = pair.pile.link.transmit(); octets; octets = pair.pile.link.transmit()) {
    queued += octets.length;
  }
  assert(taken > 1 && queued <= QUEUE_MAX + PAYLOAD_MAX + OVERHEAD, `${queued}`);
});

Deno.test("What a pile wants to say while keys change is bounded, and what it took it says", () => {
  const pair = opened({ pile: { renewAfter: seconds(5) } });
  pair.gateway.slow = true;
  pair.advance(seconds(5));
  const digest = new Uint8Array(32);
  const data = new Uint8Array(50_000);
  const told: Message = { kind: "battTelem", bikeId: "b", time: TIME, data, digest };
  let taken = 0;
  while (pair.pile.link.send(told)) {
    taken += 1;
    assert(taken * data.length <= QUEUE_MAX + PAYLOAD_MAX, "it ends");
  }
  pair.gateway.decide(pair.now);
  pair.run();
  pair.gateway.decide(pair.now);
  pair.run();
  assertEquals(pair.gateway.messages.length, taken);
});

Deno.test("Frames that nobody can open close both ends after some in a row, not before", () => {
  const counted = (counter: string) =>
    writeFrame(TYPE.start, Uint8Array.fromHex(`${counter}${"00".repeat(32)}`));
  for (const [end, way] of [["pile", "down"], ["gateway", "up"]] as const) {
    const pair = opened();
    for (let turn = 1; turn < FORGED_MAX; turn += 1) {
      pair[end].receive(counted("0000000000000001"), pair.now);
    }
    pair.command(START);
    assertEquals([closedBy(pair[end]), pair.pile.relay.length], [undefined, 1]);
    const honest = pair.said[way].at(-1)!.octets;
    const frames = [honest, counted("ffffffffffffffff"), counted("0000000000000000")];
    for (const frame of frames) {
      assertEquals(closedBy(pair[end]), undefined);
      pair[end].receive(frame, pair.now);
    }
    assertEquals(closedBy(pair[end]), "forged");
    const codes = ["forged", "forged", "replayed", "forged", "forged"];
    assertEquals(droppedBy(pair[end]), codes.map((code) => `cip22.sealed.${code}`));
  }
});

Deno.test("Where a command is missing the pile takes none of the next, and closes", () => {
  const pair = opened();
  pair.between = (_, octets) => octets[6] === TYPE.start ? [] : [octets];
  pair.command(START);
  pair.command(STOP);
  assertEquals([pair.pile.relay, closedBy(pair.pile)], [[], "forged"]);
  assertEquals(droppedBy(pair.pile), ["cip22.sealed.gap"]);
});

Deno.test("A conversation that was recorded does nothing at a new pile or a new gateway", () => {
  for (const cipher of CIPHERS) {
    const pair = opened({ cipher });
    for (const message of [START, STOP, START]) pair.command(message);
    assertEquals(heardByPile({ cipher }, pair.said.down).relay, pair.pile.relay, "the same seed");
    const pile = heardByPile({ cipher, seed: 3 }, pair.said.down);
    assertEquals([pile.relay, closedBy(pile)], [[], "keys"]);
    const known = heardByGateway({ cipher }, pair.said.up);
    assertEquals(known.messages, pair.gateway.messages, "the same seed");
    const gateway = heardByGateway({ cipher, gatewaySeed: 4 }, pair.said.up);
    assertEquals([gateway.faults, gateway.messages], [["signature"], []]);
    assertEquals([closedBy(gateway), gateway.last], ["refused", 100n]);
  }
});

Deno.test("A frame that never ends costs two seconds, and what is behind it is not lost", () => {
  const pair = opened();
  const begun = Uint8Array.fromHex("c1022000010010aabb");
  pair.between = (_, octets) => [Uint8Array.of(...begun, ...octets)];
  pair.command(START);
  pair.pile.link.send(heartbeat(1));
  pair.run();
  assertEquals([pair.pile.relay, pair.gateway.messages], [[], []]);
  pair.between = (_, octets) => [octets];
  pair.advance(seconds(3));
  assertEquals(pair.pile.relay, ["1: start 1 at 3500"]);
  assertEquals(pair.gateway.messages.map(({ kind }) => kind), ["heartbeat", "answer"]);
});

Deno.test("What comes before a decision waits for it, however long, and not without bound", () => {
  const pair = opened({ pile: { renewAfter: seconds(5) } });
  pair.gateway.slow = true;
  pair.pile.answers = false;
  pair.advance(seconds(5));
  // The gateway is asked for a challenge; nothing that comes now may change what it decides on.
  pair.gateway.receive(request, pair.now);
  pair.advance(seconds(4));
  pair.gateway.link.expire(pair.now);
  assertEquals(pair.gateway.link.counts.late, 0);
  pair.gateway.decide(pair.now);
  pair.run();
  assertEquals(droppedBy(pair.gateway), ["cip22.sealed.short"]);
  const chunk = new Uint8Array(64 * 1024);
  for (let size = 0; size <= QUEUE_MAX; size += chunk.length) {
    assertEquals(closedBy(pair.gateway), undefined);
    pair.gateway.receive(chunk, pair.now);
  }
  assertEquals(closedBy(pair.gateway), "unexpected");
});

Deno.test("An end that is closed keeps nothing of what still comes", () => {
  const pair = opened();
  const forged = writeFrame(TYPE.start, new Uint8Array(40));
  for (const end of [pair.pile, pair.gateway]) {
    for (let turn = 0; turn < FORGED_MAX; turn += 1) end.receive(forged, pair.now);
    assertEquals(closedBy(end), "forged");
  }
  const { feed } = FrameReader.prototype;
  try {
    FrameReader.prototype.feed = () => assert(false, "nothing is kept");
    for (const end of [pair.pile, pair.gateway]) end.receive(forged, pair.now);
  } finally {
    FrameReader.prototype.feed = feed;
  }
});

for (const crc of ["plain", "auto"] as const) {
  Deno.test(`A pile with the plain check is understood, and answered by it, with ${crc}`, () => {
    const pair = opened({ gateway: { crc }, pile: { crc: "plain" } });
    pair.command(START);
    assertEquals(pair.pile.relay, ["1: start 1 at 3500"]);
    assertEquals(pair.gateway.messages.length, 1);
  });
}
