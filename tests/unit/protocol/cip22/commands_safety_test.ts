/**
 * A command that is forged, replayed, reordered or cut never moves a relay: what was said to a pile
 * is said again, hurt in every way there is, to a new pile that has the same keys.
 */
import { type Instant, seconds } from "../../../../src/base/time.ts";
import {
  type Message,
  typeOf,
  writeFrame,
  writeMessage,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import {
  heardByGateway,
  heardByPile,
  obeyedInOrder,
  POLICY,
  record,
  type Recorded,
  repaired,
  type Said,
  TIME,
} from "../../../sim/cip22_pair.ts";

const ORDERS: readonly Message[] = [
  { kind: "start", ticket: 1, port: 1 },
  { kind: "timeSync", time: TIME },
  { kind: "limit", ticket: 2, port: 1, limit: 3500 },
  { kind: "stop", ticket: 3, port: 1 },
  { kind: "start", ticket: 4, port: 2 },
];
const NATIONAL = record({ cipher: "sm4-gcm" }, ORDERS);
const OTHER = record({ cipher: "aes-gcm" }, ORDERS);
/** New keys are made amid it, twice. */
const RENEWED = record({ cipher: "sm4-gcm", pile: { renewAfter: seconds(25) } }, ORDERS);
const ALL = [NATIONAL, OTHER, RENEWED];

const at = (said: Said, octets: Uint8Array): Said => ({ at: said.at, octets });
const isCommand = ({ octets }: Said) => octets[6]! >= 0x10 && octets[6]! <= 0x12;
const join = (parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** Relay commands among the frames before one. */
const before = ({ down }: Recorded, index: number) => down.slice(0, index).filter(isCommand).length;

/** The frames with others put in at a place. */
function inserted({ down }: Recorded, index: number, octets: Uint8Array): Said[] {
  return down.toSpliced(index, 0, at(down[Math.min(index, down.length - 1)]!, octets));
}

Deno.test("What was recorded moves the relay of a pile with the same keys: the tests below are real", () => {
  for (const session of ALL) {
    assertEquals(session.relay.length, 4);
    assertEquals(obeyedInOrder(session, session.down, "unhurt"), 4);
  }
  assertEquals(RENEWED.down.filter(({ octets }) => octets[6] === 0x05).length, 3, "renewed");
});

Deno.test("A command with any bit changed is not obeyed, nor is any command behind it", () => {
  for (const [index, frame] of NATIONAL.down.entries()) {
    if (!isCommand(frame)) continue;
    for (let octet = 0; octet < frame.octets.length; octet += 1) {
      // All eight at once, and then the honest one: those whose check is wrong change nothing.
      const hurt = Array.from(
        { length: 8 },
        (_, bit) => at(frame, frame.octets.with(octet, frame.octets[octet]! ^ (1 << bit))),
      );
      const said = NATIONAL.down.toSpliced(index, 0, ...hurt);
      obeyedInOrder(NATIONAL, said, `frame ${index}, octet ${octet}`);
      const without = NATIONAL.down.toSpliced(index, 1, ...hurt);
      const obeyed = obeyedInOrder(NATIONAL, without, `frame ${index}, octet ${octet} instead`);
      assertEquals(obeyed, before(NATIONAL, index));
    }
  }
});

Deno.test("The same where the check of the frame is put right again", () => {
  for (const [index, frame] of NATIONAL.down.entries()) {
    if (!isCommand(frame)) continue;
    // The last octet is the check itself.
    for (let bit = 0; bit < (frame.octets.length - 1) * 8; bit += 1) {
      const hurt = frame.octets.with(bit >> 3, frame.octets[bit >> 3]! ^ (1 << (bit & 7)));
      const said = NATIONAL.down.with(index, at(frame, repaired(hurt)));
      const obeyed = obeyedInOrder(NATIONAL, said, `frame ${index}, bit ${bit}`);
      assertEquals(obeyed, before(NATIONAL, index));
    }
  }
});

Deno.test("A conversation that is cut at any octet is obeyed up to there", () => {
  const stream = join(OTHER.down.map(({ octets }) => octets));
  let [obeyed, start] = [0, OTHER.down.slice(0, 2).flatMap(({ octets }) => [...octets]).length];
  for (start -= 3; start <= stream.length; start += 1) {
    const said = [{ at: 0 as Instant, octets: stream.slice(0, start) }];
    const now = obeyedInOrder(OTHER, said, `${start} octets`);
    assert(now >= obeyed);
    obeyed = now;
  }
  assertEquals(obeyed, 4);
});

Deno.test("A command that is cut, and the next ones behind it, is not obeyed, nor are they", () => {
  for (const [index, frame] of OTHER.down.entries()) {
    if (!isCommand(frame)) continue;
    for (let length = 0; length < frame.octets.length; length += 1) {
      const said = OTHER.down.with(index, at(frame, frame.octets.slice(0, length)));
      assertEquals(obeyedInOrder(OTHER, said, `frame ${index} of ${length}`), before(OTHER, index));
    }
    // Shorter, and told to be so, with a check that holds.
    for (let length = 7; length < frame.octets.length - 1; length += 1) {
      const short = frame.octets.slice(0, length + 1);
      short.set([length - 7 >> 8, length - 7], 4);
      const said = OTHER.down.with(index, at(frame, repaired(short)));
      assertEquals(obeyedInOrder(OTHER, said, `frame ${index} to ${length}`), before(OTHER, index));
    }
  }
});

Deno.test("Frames in another order are obeyed up to the first that is out of its turn", () => {
  for (const session of ALL) {
    for (let one = 0; one < session.down.length; one += 1) {
      for (let other = one + 1; other < session.down.length; other += 1) {
        const [first, second] = [session.down[one]!, session.down[other]!];
        const said = session.down.with(one, at(first, second.octets)).with(
          other,
          at(second, first.octets),
        );
        const obeyed = obeyedInOrder(session, said, `${one} and ${other}`);
        assertEquals(obeyed, before(session, one));
      }
    }
  }
});

Deno.test("A frame that comes again, at any place, changes nothing", () => {
  for (const session of ALL) {
    for (const [index, { octets }] of session.down.entries()) {
      for (let place = index + 1; place <= session.down.length; place += 1) {
        const obeyed = obeyedInOrder(
          session,
          inserted(session, place, octets),
          `${index}, ${place}`,
        );
        // One of older keys may look like a gap, which ends it.
        if (session !== RENEWED) assertEquals(obeyed, 4, `${index}, ${place}`);
      }
    }
  }
});

Deno.test("Where a frame is left out, nothing behind it is obeyed", () => {
  for (const session of ALL) {
    for (let index = 0; index < session.down.length; index += 1) {
      const obeyed = obeyedInOrder(session, session.down.toSpliced(index, 1), `without ${index}`);
      assertEquals(obeyed, before(session, index));
    }
  }
});

Deno.test("Frames of another session, or of the pile's own, are not obeyed at any place", () => {
  for (const session of ALL) {
    const stranger = record({ ...session.options, seed: 5, gatewaySeed: 6 }, ORDERS);
    const foreign = [...stranger.down, ...session.up, ...stranger.up].map(({ octets }) => octets);
    for (let place = 0; place <= session.down.length; place += 3) {
      for (const [index, octets] of foreign.entries()) {
        obeyedInOrder(session, inserted(session, place, octets), `${index} at ${place}`);
      }
      obeyedInOrder(session, inserted(session, place, join(foreign)), `all at ${place}`);
      const rest = [...session.down.slice(0, place), ...stranger.down.slice(place)];
      const obeyed = obeyedInOrder(session, rest, `another session from ${place}`);
      assertEquals(obeyed, before(session, place));
    }
  }
});

Deno.test("What is not sealed is not obeyed at any place, whatever it is", () => {
  const messages: readonly Message[] = [
    { kind: "start", ticket: 9, port: 1 },
    { kind: "stop", ticket: 9, port: 1 },
    { kind: "limit", ticket: 9, port: 1, limit: 0 },
    { kind: "authResult", result: 0, time: TIME },
    { kind: "authResult", result: 1, time: TIME },
    {
      kind: "challenge",
      challenge: new Uint8Array(32),
      policyHash: POLICY,
      expiry: 30_000,
      sessionId: new Uint8Array(16),
    },
  ];
  const clear = messages.map((message) => writeFrame(typeOf(message), writeMessage(message)));
  const json = writeFrame(0x10, new TextEncoder().encode('{"type":"START","seq":9}'));
  for (const session of ALL) {
    for (let place = 0; place <= session.down.length; place += 1) {
      for (const [index, octets] of [...clear, json].entries()) {
        obeyedInOrder(session, inserted(session, place, octets), `${index} at ${place}`);
      }
      const without = [
        ...session.down.slice(0, place),
        ...clear.map((octets) => ({
          at: session.down.at(-1)!.at,
          octets,
        })),
      ];
      assertEquals(obeyedInOrder(session, without, `at ${place}`), before(session, place));
    }
  }
});

/** All ways to put neighbours together. */
function* merged(frames: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (let ways = 0; ways < 2 ** (frames.length - 1); ways += 1) {
    const chunks: Uint8Array[] = [];
    for (const [index, frame] of frames.entries()) {
      const joined = index > 0 && ways >> (index - 1) & 1;
      chunks.push(joined ? Uint8Array.of(...chunks.pop()!, ...frame) : frame);
    }
    yield chunks;
  }
}

/** Every cut in two, and octet by octet. */
function* split(stream: Uint8Array): Generator<Uint8Array[]> {
  for (let place = 1; place < stream.length; place += 1) {
    yield [stream.slice(0, place), stream.slice(place)];
  }
  yield Array.from(stream, (octet) => Uint8Array.of(octet));
}

const now = (octets: Uint8Array): Said => ({ at: 0 as Instant, octets });

Deno.test("Frames that are split or put together mean the same to the pile", () => {
  for (const session of [NATIONAL, OTHER]) {
    const frames = session.down.map(({ octets }) => octets);
    const ways = session === OTHER ? [...merged(frames), ...split(join(frames))] : merged(frames);
    for (const chunks of ways) {
      const pile = heardByPile(session.options, chunks.map(now));
      assertEquals([pile.relay, pile.messages], [session.relay, ORDERS]);
    }
  }
});

Deno.test("Frames that are split or put together mean the same to the gateway", () => {
  for (const session of [NATIONAL, OTHER]) {
    const frames = session.up.map(({ octets }) => octets).slice(0, 8);
    const ways = session === OTHER ? [...merged(frames), ...split(join(frames))] : merged(frames);
    for (const chunks of ways) {
      const gateway = heardByGateway(session.options, chunks.map(now));
      assertEquals(gateway.messages, session.told.slice(0, 5));
    }
  }
});
