// deno-lint-ignore-file no-console -- the seed has to be seen to run it again
/**
 * Conversations of CIP-22 hurt in several ways at once: a relay does nothing but what the gateway
 * has ordered, in its order; nothing throws; nothing grows without bound. `BUSBAR_SEED=n` runs one
 * seed again.
 */
import { type Instant, seconds } from "../../src/base/time.ts";
import {
  type Message,
  OVERHEAD,
  PAYLOAD_MAX,
  QUEUE_MAX,
  TYPE,
  typeOf,
  writeFrame,
  writeMessage,
} from "../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import {
  Cip22Pair,
  heardByGateway,
  heardByPile,
  obeyedInOrder,
  type PairOptions,
  record,
  type Recorded,
  repaired,
  type Said,
  SimGateway,
  SimPile,
  TIME,
} from "../sim/cip22_pair.ts";
import { random } from "../sim/random.ts";

const SESSIONS = 12;
const HURT_PER_SESSION = 50;
const NONSENSE = 500;
const SEED = Number(Deno.env.get("BUSBAR_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

type Dice = (below: number) => number;

function order(ticket: number, dice: Dice): Message {
  const port = dice(2) === 0 ? {} : { port: dice(3) };
  switch (dice(6)) {
    case 0:
      return { kind: "timeSync", time: TIME + ticket };
    case 1:
      return { kind: "setPolicy", ticket, policy: "x".repeat(dice(400)) };
    case 2:
      return { kind: "stop", ticket, ...port };
    case 3:
      return { kind: "limit", ticket, ...port, limit: dice(7000) };
    default:
      return { kind: "start", ticket, ...port };
  }
}

function anySession(dice: Dice): Recorded {
  const options: Partial<PairOptions> = {
    cipher: dice(2) === 0 ? "sm4-gcm" : "aes-gcm",
    seed: dice(2 ** 31),
    gatewaySeed: dice(2 ** 31),
    version: [null, "1.2", "2.0"][dice(3)]!,
    pile: { renewAfter: seconds(15 + dice(60)) },
  };
  const count = 2 + dice(8);
  return record(options, Array.from({ length: count }, (_, index) => order(index + 1, dice)));
}

function anyOctets(dice: Dice, most: number): Uint8Array {
  return Uint8Array.from({ length: dice(most) }, () => dice(256));
}

/** A frame with a check that holds, of any type, with anything in it. */
function anyFrame(dice: Dice): Uint8Array {
  const type = dice(3) === 0 ? dice(256) : 1 + dice(0x16);
  const message = order(dice(20), dice);
  if (dice(2) === 0) return writeFrame(typeOf(message), writeMessage(message));
  const counter = [0, 0, 0, 0, 0, 0, 0, dice(12)];
  return writeFrame(type, Uint8Array.of(...counter.slice(dice(9)), ...anyOctets(dice, 80)));
}

function hurtOctets(octets: Uint8Array, dice: Dice): Uint8Array {
  const place = dice(octets.length || 1);
  switch (dice(5)) {
    case 0:
      return octets.slice(0, place);
    case 1:
      return Uint8Array.of(...octets.slice(0, place), ...octets.slice(place + 1 + dice(4)));
    case 2:
      return Uint8Array.of(
        ...octets.slice(0, place),
        ...anyOctets(dice, 9),
        ...octets.slice(place),
      );
    default:
      return octets.length === 0 ? octets : octets.with(place, dice(256));
  }
}

/** A conversation hurt once; `more` are frames that do not belong in it. */
function hurt(said: readonly Said[], more: readonly Uint8Array[], dice: Dice): Said[] {
  if (said.length === 0) return [];
  const [one, other] = [dice(said.length), dice(said.length)];
  const [{ at, octets }, second] = [said[one]!, said[other]!];
  switch (dice(7)) {
    case 0:
      return said.with(one, { at, octets: hurtOctets(octets, dice) });
    case 1: {
      const changed = hurtOctets(octets, dice);
      return said.with(one, { at, octets: changed.length > 0 ? repaired(changed) : changed });
    }
    case 2:
      return said.with(one, { at, octets: second.octets }).with(other, { at: second.at, octets });
    case 3:
      return said.toSpliced(other, 0, { at: second.at, octets });
    case 4:
      return said.toSpliced(one, 1);
    case 5:
      return said.toSpliced(one, 0, { at, octets: more[dice(more.length)]! });
    default:
      return said.toSpliced(one, 0, { at, octets: anyFrame(dice) });
  }
}

/** The same octets, cut elsewhere; never later than they were said. */
function recut(said: readonly Said[], dice: Dice): Said[] {
  const chunks: Said[] = [];
  for (const { at, octets } of said) {
    const last = chunks.at(-1);
    if (last?.at === at && dice(2) === 0) {
      chunks[chunks.length - 1] = { at, octets: Uint8Array.of(...last.octets, ...octets) };
      continue;
    }
    for (let from = 0, size; from < octets.length; from += size) {
      size = 1 + dice(octets.length);
      chunks.push({ at, octets: octets.slice(from, from + size) });
    }
  }
  return chunks;
}

Deno.test("Whatever is done to a conversation, a relay does what was ordered, in that order", () => {
  console.log(`seed ${SEED}`);
  const dice = random(SEED);
  let [obeyed, ordered] = [0, 0];
  for (let round = 0; round < SESSIONS; round += 1) {
    const session = anySession(dice);
    const stranger = anySession(dice);
    const more = [...stranger.down, ...stranger.up, ...session.up].map(({ octets }) => octets);
    for (let turn = 0; turn < HURT_PER_SESSION; turn += 1) {
      let said: readonly Said[] = session.down;
      for (let times = dice(4); times >= 0; times -= 1) said = hurt(said, more, dice);
      if (dice(3) === 0) said = recut(said, dice);
      obeyed += obeyedInOrder(session, said, `seed ${SEED}, round ${round}, turn ${turn}`);
      ordered += session.relay.length;
    }
  }
  // Some of it hurts, and some does not.
  assert(obeyed > 0 && obeyed < ordered, `${obeyed} of ${ordered}`);
});

Deno.test("Whatever is done to what a pile tells, the gateway hears each thing once, or not", () => {
  const dice = random(SEED);
  for (let round = 0; round < SESSIONS; round += 1) {
    const session = anySession(dice);
    const stranger = anySession(dice);
    const more = [...stranger.up, ...stranger.down, ...session.down].map(({ octets }) => octets);
    for (let turn = 0; turn < HURT_PER_SESSION / 3; turn += 1) {
      let said: readonly Said[] = session.up;
      for (let times = dice(4); times >= 0; times -= 1) said = hurt(said, more, dice);
      const gateway = heardByGateway(session.options, recut(said, dice));
      const left = session.told.map((message) => JSON.stringify(message));
      for (const message of gateway.messages) {
        // A proof that comes after its time is nothing that was told.
        if (!message.sealed || message.kind === "authResp") continue;
        const place = left.indexOf(JSON.stringify(message));
        assert(place >= 0, `seed ${SEED}, round ${round}, turn ${turn}: ${message.kind}`);
        left.splice(place, 1);
      }
    }
  }
});

Deno.test("However a conversation is cut into pieces, both ends hear the same", () => {
  const dice = random(SEED);
  for (let round = 0; round < SESSIONS; round += 1) {
    const session = anySession(dice);
    for (let turn = 0; turn < 10; turn += 1) {
      const pile = heardByPile(session.options, recut(session.down, dice));
      assertEquals(pile.relay, session.relay);
      const gateway = heardByGateway(session.options, recut(session.up, dice));
      assertEquals(gateway.messages, session.told);
    }
  }
});

/** Octets that still wait, though nobody has read for long. */
function waiting({ link }: SimPile | SimGateway): number {
  let size = 0;
  for (let octets = link.transmit(); octets; octets = link.transmit()) size += octets.length;
  return size;
}

Deno.test("Both ends take any octets in any state, and keep no more than they may", () => {
  const dice = random(SEED);
  const seen = new Set<string>();
  for (let round = 0; round < NONSENSE; round += 1) {
    const pair = new Cip22Pair({ cipher: dice(2) === 0 ? "sm4-gcm" : "aes-gcm" });
    pair.gateway.offersKeys = dice(4) > 0;
    pair.gateway.slow = dice(8) === 0;
    // How far they come by themselves.
    let left = dice(6);
    pair.between = (_, octets) => left-- > 0 ? [octets] : [];
    pair.run();
    for (const end of [pair.pile, pair.gateway]) {
      seen.add(`${end === pair.pile ? "pile" : "gateway"} ${end.link.state}`);
      for (let turn = dice(6); turn >= 0; turn -= 1) {
        const octets = dice(3) === 0 ? anyOctets(dice, 300) : anyFrame(dice);
        end.receive(dice(3) === 0 ? hurtOctets(octets, dice) : octets, pair.now);
      }
      seen.add(`${end === pair.pile ? "pile" : "gateway"} ${end.link.state}`);
    }
    assertEquals(pair.pile.relay, []);
    for (let turn = 0; turn < 5; turn += 1) {
      pair.now = (pair.now + 1 + dice(20_000)) as Instant;
      pair.pile.link.expire(pair.now);
      pair.gateway.link.expire(pair.now);
      pair.pile.settle();
      pair.gateway.settle(pair.now);
    }
  }
  const states = ["pile asking", "pile proving", "pile open", "pile closed"];
  states.push(...["line", "hello", "challenged", "open", "closed"].map((one) => `gateway ${one}`));
  assertEquals([...seen].sort(), states.sort());
});

Deno.test("A peer that asks and asks, and reads nothing, is given no more than the queue holds", () => {
  const request = writeFrame(
    TYPE.challengeRequest,
    writeMessage({ kind: "challengeRequest", pile: "p" }),
  );
  const gateway = new SimGateway();
  gateway.offersKeys = false;
  gateway.receive(request, 0 as Instant);
  gateway.receive(writeFrame(TYPE.authResp, new TextEncoder().encode("{}")), 0 as Instant);
  assertEquals(gateway.link.state, "open");
  let asked = 0;
  for (; gateway.link.state === "open"; asked += 1) {
    assert(asked < 20_000, "it ends");
    gateway.receive(request, 0 as Instant);
    if (gateway.link.deadline === 0) gateway.link.expire(0 as Instant);
  }
  gateway.settle(0 as Instant);
  assertEquals(gateway.events.at(-1), { kind: "closed", why: "not_reading" });
  assert(waiting(gateway) <= QUEUE_MAX + PAYLOAD_MAX + OVERHEAD);
});
