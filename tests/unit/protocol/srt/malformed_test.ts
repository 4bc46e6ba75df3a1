/** What no peer should send: it is counted, changes nothing, and the connection goes on. */
import type { Instant } from "../../../../src/base/time.ts";
import {
  CONTROL,
  controlPacket,
  HEADER,
  isControl,
  Keys,
  PacketPool,
  putWord,
  readHandshake,
  SrtListener,
  word,
} from "../../../../src/protocol/srt/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { Network } from "../../../sim/srt_network.ts";
import { CallingStation, ListeningStation } from "./stations.ts";

const CALM = { loss: 0, delay: 5, jitter: 0, twice: 0 };
const SECRET = { passphrase: "correct-horse-battery", keyLength: 16 } as const;

let state = 7;
const random = (size: number) =>
  Uint8Array.from(
    { length: size },
    () => (state = (state * 1103515245 + 12345) & 0x7fffffff) >>> 9,
  );

/** A connection that has carried something, both ways known. */
function connected(secret?: typeof SECRET) {
  const network = new Network(CALM, () => 0.5);
  const options = secret ? { secret } : {};
  const caller = new CallingStation(options, random, network.now);
  const listener = new ListeningStation(options, random, network.now);
  network.join(caller, listener);
  network.run(1500);
  for (let index = 0; index < 20; index += 1) {
    network.at(1500 + index, (now) => void caller.send(new Uint8Array(100).fill(index), now));
  }
  network.run(2000);
  assertEquals(listener.delivered.length, 20);
  const near = caller.connection!;
  const far = listener.connection!;
  /** Whether the connection still carries. */
  const carries = () => {
    const before = listener.delivered.length;
    network.at(network.now + 1, (now) => void caller.send(Uint8Array.of(1, 2, 3), now));
    network.run(network.now + 400);
    return listener.delivered.length === before + 1 && near.closed === undefined &&
      far.closed === undefined;
  };
  return { network, caller, listener, near, far, carries };
}

type Made = (bench: ReturnType<typeof connected>) => Uint8Array;

function control(type: number, specific: number, words: readonly number[], subtype = 0): Made {
  return ({ near }) => controlPacket(type, specific, 0, near.socketId, words, subtype);
}

function data(change: (octets: Uint8Array) => void, size = 20): Made {
  return ({ near }) => {
    const octets = new Uint8Array(HEADER + size);
    putWord(octets, 0, near.receiver.acknowledged);
    putWord(octets, 4, 0xc000_0001);
    putWord(octets, 12, near.socketId);
    change(octets);
    return octets;
  };
}

const SENT: Made = ({ near }) =>
  controlPacket(CONTROL.ack, 1, 0, near.socketId, [(near.sender.next + 2) & 0x7fffffff, 1, 1, 1]);

const BAD: readonly [string, Made][] = [
  ["nothing", () => new Uint8Array(0)],
  ["15 octets", () => new Uint8Array(15).fill(0x80)],
  [
    "an ACK without contents",
    ({ near }) => controlPacket(CONTROL.ack, 1, 0, near.socketId).subarray(0, HEADER),
  ],
  [
    "an ACK of 3 octets",
    ({ near }) => controlPacket(CONTROL.ack, 1, 0, near.socketId).subarray(0, HEADER + 3),
  ],
  ["an ACK with the top bit", control(CONTROL.ack, 1, [0x8000_0000])],
  ["an ACK of what was never sent", SENT],
  ["an ACK far ahead", control(CONTROL.ack, 1, [0x7fff_ffff, 5, 5, 5])],
  [
    "an ACK without room",
    ({ near }) => controlPacket(CONTROL.ack, 9, 0, near.socketId, [near.sender.first, 0, 0, 0]),
  ],
  [
    "an ACK with all the room",
    ({ near }) =>
      controlPacket(CONTROL.ack, 9, 0, near.socketId, [near.sender.first, 0xffff_ffff, 0, 2 ** 31]),
  ],
  ["an ACKACK of nothing", control(CONTROL.ackack, 999_999, [0])],
  [
    "an empty loss report",
    ({ near }) => controlPacket(CONTROL.nak, 0, 0, near.socketId).subarray(0, HEADER),
  ],
  ["a range without its end", control(CONTROL.nak, 0, [0x8000_0001])],
  ["a range that runs backwards", control(CONTROL.nak, 0, [0x8000_0009, 1])],
  ["a range of everything", control(CONTROL.nak, 0, [0x8000_0000, 0x3fff_ffff])],
  [
    "a loss of what was never sent",
    ({ near }) =>
      controlPacket(CONTROL.nak, 0, 0, near.socketId, [(near.sender.next + 5) & 0x7fffffff]),
  ],
  ["the same loss ten thousand times", ({ near }) =>
    controlPacket(
      CONTROL.nak,
      0,
      0,
      near.socketId,
      new Array<number>(364).fill((near.sender.next - 1) & 0x7fffffff),
    )],
  ["a drop of 4 octets", control(CONTROL.dropRequest, 0, [1])],
  ["a drop that runs backwards", control(CONTROL.dropRequest, 0, [9, 1])],
  ["a drop of everything", control(CONTROL.dropRequest, 0, [0, 0x7fff_ffff])],
  ["a type that nobody knows", control(0x123, 0, [1, 2, 3])],
  ["a user type that nobody knows", control(CONTROL.user, 0, [1, 2, 3], 99)],
  ["new keys where there are none", control(CONTROL.user, 0, [1, 2, 3], 3)],
  ["the end of an encryption", control(CONTROL.user, 0, [4], 4)],
  ["key material of 200 octets", control(CONTROL.user, 0, new Array<number>(50).fill(7), 3)],
  ["a handshake", control(CONTROL.handshake, 0, [5, 0, 0])],
  ["a congestion warning", control(CONTROL.congestion, 0, [0])],
  ["data without octets", data(() => {}, 0)],
  ["data of 1,457 octets", data(() => {}, 1457)],
  ["data that is the middle of a message", data((octets) => putWord(octets, 4, 1))],
  [
    "data far ahead",
    ({ near }) =>
      data((octets) => putWord(octets, 0, (near.receiver.acknowledged + 20_000) & 0x7fffffff))(
        { near } as never,
      ),
  ],
  ["data with a key", data((octets) => putWord(octets, 4, 0xc800_0001))],
  ["data with both keys", data((octets) => putWord(octets, 4, 0xd800_0001))],
];
for (const secured of [false, true]) {
  for (const [what, make] of BAD) {
    Deno.test(`${secured ? "A secured" : "A plain"} connection survives ${what}`, () => {
      const bench = connected(secured ? SECRET : undefined);
      for (let times = 0; times < 3; times += 1) {
        bench.near.receive(make(bench), bench.network.now);
        bench.network.run(bench.network.now + 30);
      }
      assert(bench.carries(), "it still carries");
    });
  }
}

Deno.test("In a secured connection nothing comes in the clear", () => {
  const bench = connected(SECRET);
  const before = bench.near.receiver.acknowledged;
  bench.near.receive(data(() => {})(bench), bench.network.now);
  assertEquals(bench.near.receiver.stats.undecrypted, 1);
  assertEquals(bench.near.receiver.acknowledged, before);
});

/** A listener and the caller's packets, as they would come. */
function listening() {
  const pool = new PacketPool();
  const own = { random, pool, startedAt: 0 as Instant, connectionsMax: 4 };
  const listener = new SrtListener({
    ...own,
    decide: () => ({ kind: "accept", secret: undefined }),
  });
  const caller = new CallingStation({}, random, 0 as Instant);
  const from = "10.0.0.1:5000";
  const say = (octets: Uint8Array, at = 1, port = from) =>
    listener.receive(octets, port, 0x0a000001, at as Instant);
  const induction = caller.transmit(0 as Instant)!;
  caller.receive(say(induction).reply!, 1 as Instant);
  const conclusion = caller.transmit(2 as Instant)!;
  return { listener, say, induction, conclusion };
}

Deno.test("A listener keeps nothing of who only begins, and answers with no more than came", () => {
  const { listener, say, induction } = listening();
  for (let times = 0; times < 1000; times += 1) {
    const { reply } = say(induction, 1, `10.0.0.1:${times}`);
    assert(reply && reply.length <= induction.length);
  }
  assertEquals([listener.connections, listener.stats.inductions], [0, 1001]);
});

Deno.test("A cookie is good for its address, and for two minutes", () => {
  const { listener, say, conclusion } = listening();
  assertEquals(say(conclusion, 2, "10.0.0.2:5000"), {});
  assertEquals(say(conclusion, 180_000), {});
  const forged = conclusion.slice();
  putWord(forged, HEADER + 28, 0);
  assertEquals(say(forged), {});
  assertEquals([listener.stats.badCookies, listener.connections], [3, 0]);
  assert(say(conclusion).connection);
  assert(say(conclusion).connection === undefined, "said again: one connection");
  assertEquals(say(conclusion).reply, say(conclusion).reply);
  assertEquals([listener.connections, listener.stats.repeated], [1, 3]);
});

const HANDSHAKES: readonly [string, (octets: Uint8Array) => Uint8Array][] = [
  ["47 octets of contents", (octets) => octets.subarray(0, HEADER + 47)],
  ["version 0", (octets) => put(octets, 0, 0)],
  ["version 6", (octets) => put(octets, 0, 6)],
  ["a type that is none", (octets) => put(octets, 20, 9999)],
  ["a sequence with the top bit", (octets) => put(octets, 8, 0x8000_0000)],
  ["the largest sequence", (octets) => put(octets, 8, 0x7fff_ffff)],
  ["an MTU of 31", (octets) => put(octets, 12, 31)],
  ["an MTU of 2^31", (octets) => put(octets, 12, 2 ** 31)],
  ["a window of 1", (octets) => put(octets, 16, 1)],
  ["an extension beyond its end", (octets) => put(octets, 48, 0x0001_00ff)],
  ["an HSREQ without contents", (octets) => put(octets, 48, 0x0001_0000)],
  ["an HSRSP in place of an HSREQ", (octets) => put(octets, 48, 0x0002_0003)],
  ["keys that are not there", (octets) => put(octets, 4, 0x0000_0003)],
  ["a version of libsrt before 1.3", (octets) => put(octets, 52, 0x010200)],
  ["stream mode", (octets) => put(octets, 56, 0xff)],
];

function put(octets: Uint8Array, at: number, value: number): Uint8Array {
  const changed = octets.slice();
  putWord(changed, HEADER + at, value);
  return changed;
}

for (const [what, change] of HANDSHAKES) {
  Deno.test(`A conclusion with ${what} makes no connection`, () => {
    const { listener, say, conclusion } = listening();
    const heard = say(change(conclusion));
    assertEquals([heard.connection, listener.connections], [undefined, 0]);
    if (heard.reply) assert(readHandshake(heard.reply)!.handshake.type >= 1000);
    assert(say(conclusion).connection, "the next is taken");
  });
}

Deno.test("Callers beyond the limit are refused with 1005", () => {
  const { listener, say, induction } = listening();
  for (let index = 0; index < 6; index += 1) {
    const own = induction.slice();
    putWord(own, HEADER + 24, 100 + index);
    const from = `10.0.0.9:${index}`;
    const { cookie } = readHandshake(say(own, 1, from).reply!)!.handshake;
    const conclusion = listening().conclusion.slice();
    putWord(conclusion, HEADER + 24, 100 + index);
    putWord(conclusion, HEADER + 28, cookie);
    const heard = say(conclusion, 2, from);
    assertEquals(heard.rejected, index < 4 ? undefined : 1005);
    assert(isControl(heard.reply!) && word(heard.reply!, 12) === 100 + index);
  }
  assertEquals(listener.connections, 4);
});

Deno.test("Key material of any size and content opens, or is told apart, and never throws", () => {
  for (let size = 0; size < 200; size += 1) {
    const keys = Keys.open(random(size), "correct-horse-battery");
    assert(keys === "bad_mode" || keys === "bad_secret");
  }
});
