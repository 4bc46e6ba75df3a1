/** Two ends of SRT over a simulated network: seeds, losses, wraps, keys, and what must be refused. */
import { type Instant, millis, seconds } from "../../../../src/base/time.ts";
import {
  type EndpointOptions,
  REJECT,
  type Secret,
  SrtCaller,
} from "../../../../src/protocol/srt/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { Network, type Weather } from "../../../sim/srt_network.ts";
import { CallingStation, ListeningStation } from "./stations.ts";

const CALM: Weather = { loss: 0, delay: 20, jitter: 0, twice: 0 };
const SECRET: Secret = { passphrase: "correct-horse-battery", keyLength: 16 };

/** A number from 0 to 1, the same sequence for the same seed. */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

function bench(
  seed: number,
  weather: Weather,
  options: Partial<EndpointOptions> & { secret?: Secret; streamId?: string } = {},
  listening: Partial<EndpointOptions> & { secret?: Secret } = options,
  start = 1000,
) {
  const dice = chance(seed);
  const random = (size: number) =>
    Uint8Array.from({ length: size }, () => Math.floor(dice() * 256));
  const network = new Network(weather, dice, start);
  const caller = new CallingStation(options, random, network.now);
  const listener = new ListeningStation(listening, random, network.now);
  network.join(caller, listener);
  return { network, caller, listener, dice };
}

/** Messages that tell their number, one every `every` milliseconds from `from` on. */
function pour(
  { network, caller }: ReturnType<typeof bench>,
  count: number,
  from: number,
  every = 2,
  size = 200,
): void {
  for (let index = 0; index < count; index += 1) {
    network.at(from + index * every, (now) => {
      const payload = new Uint8Array(size).fill(index & 255);
      new DataView(payload.buffer).setUint32(0, index);
      caller.send(payload, now);
    });
  }
}

/** Numbers of the messages that came, each checked octet by octet. */
function numbers({ listener }: ReturnType<typeof bench>, size = 200): number[] {
  return listener.delivered.map(({ payload }) => {
    const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    assertEquals(payload.length, size);
    assert(payload.subarray(4).every((octet) => octet === (number & 255)), "payload is whole");
    return number;
  });
}

Deno.test("A call is answered, with the longer latency of both and the stream's name", () => {
  const own = bench(1, CALM, { streamId: "#!::r=cam1", receiveLatency: millis(80) }, {
    receiveLatency: millis(200),
  });
  own.network.run(1200);
  const { connection: near } = own.caller;
  const { connection: far } = own.listener;
  assertEquals(far!.streamId, "#!::r=cam1");
  assertEquals([far!.options.receiveLatency, far!.options.sendLatency], [200, 80]);
  assertEquals([near!.options.receiveLatency, near!.options.sendLatency], [80, 200]);
  assertEquals(near!.options.peerId, far!.socketId);
});

Deno.test("A message comes after the latency, whatever the way takes, and in order", () => {
  const own = bench(2, { ...CALM, jitter: 60 });
  own.network.run(1500);
  pour(own, 500, 2000);
  own.network.run(5000);
  assertEquals(numbers(own), Array.from({ length: 500 }, (_, index) => index));
  const late = own.listener.delivered.map(({ at }, index) => at - (2000 + 2 * index));
  const spread = Math.max(...late) - Math.min(...late);
  assert(spread < 1, `the rhythm is kept: ${spread} ms`);
  assert(Math.min(...late) >= 120 && Math.max(...late) < 220);
});

Deno.test("Forwarding on arrival keeps the order and the time of origin, and waits for nothing", () => {
  const own = bench(3, CALM, { delivery: "arrival" });
  own.network.run(1500);
  pour(own, 100, 2000);
  own.network.run(3000);
  assertEquals(numbers(own).length, 100);
  for (const [index, { at, origin }] of own.listener.delivered.entries()) {
    assert(at - (2000 + 2 * index) < 25, "at once");
    assert(Math.abs(origin - (2000 + 2 * index) - 20) < 1, "when it was made, by its own clock");
  }
});

Deno.test("Two thousand runs over bad networks: in order, nothing twice, nothing that was not sent", () => {
  const first = crypto.getRandomValues(new Uint32Array(1))[0]!;
  let [sent, got] = [0, 0];
  for (let run = 0; run < 2000; run += 1) {
    const seed = (first + run) >>> 0;
    const dice = chance(seed);
    const delivery = (["timed", "arrival", "reliable"] as const)[run % 3]!;
    const secret = run % 2 === 0 ? {} : { secret: SECRET, keyRefresh: 40, keyAnnounce: 15 };
    const weather = {
      loss: dice() * 0.2,
      delay: 1 + dice() * 60,
      jitter: dice() * 30,
      twice: dice() * 0.1,
    };
    const own = bench(seed, weather, { delivery, ...secret });
    own.network.run(4000);
    if (own.caller.caller.rejected === REJECT.timeout) continue; // Three seconds of bad luck.
    assert(own.caller.connection, `seed ${seed}: connected`);
    pour(own, 100, 4000);
    own.network.run(delivery === "reliable" ? 12_000 : 6000);
    const came = numbers(own);
    for (let index = 1; index < came.length; index += 1) {
      assert(came[index]! > came[index - 1]!, `seed ${seed}: order`);
    }
    if (delivery === "reliable") assertEquals(came.length, 100, `seed ${seed}: nothing is lost`);
    sent += 100;
    got += came.length;
  }
  assert(got / sent > 0.97, `${got} of ${sent} came; first seed ${first}`);
});

Deno.test("The sequence wraps, and so does the time stamp, with losses across both", () => {
  const own = bench(5, { loss: 0.05, delay: 10, jitter: 5, twice: 0 });
  // 31 bits: the caller's first number is the last but 50.
  const random = (size: number) =>
    size === 4 ? Uint8Array.of(0xff, 0xff, 0xff, 0x9c) : new Uint8Array(size).fill(7);
  const caller = new CallingStation({}, random, own.network.now);
  const listener = new ListeningStation({}, random, own.network.now);
  const network = new Network({ loss: 0.05, delay: 10, jitter: 5, twice: 0 }, chance(6));
  network.join(caller, listener);
  const wrapped = { ...own, network, caller, listener };
  network.run(1500);
  const from = caller.connection!.options.sequence;
  pour(wrapped, 300, 2000);
  network.run(4000);
  assertEquals(numbers(wrapped).length + wrapped.listener.connection!.receiver.stats.dropped, 300);
  assertEquals(from, 2 ** 31 - 50);
  assertEquals(caller.connection!.sender.next, 250);
  // 32 bits of microseconds: 71 minutes and 35 seconds after the start of both.
  const late = bench(7, { loss: 0.05, delay: 10, jitter: 5, twice: 0 }, {
    peerIdle: seconds(10_000),
  });
  late.network.run(1500);
  const wrap = 1000 + 2 ** 32 / 1000;
  late.network.run(wrap - 500);
  pour(late, 500, wrap - 400);
  late.network.run(wrap + 2000);
  const came = numbers(late);
  assert(came.length >= 490, `${came.length} of 500 came`);
  const delays = late.listener.delivered.map(({ at }, index) =>
    at - (wrap - 400 + 2 * came[index]!)
  );
  assert(Math.max(...delays) - Math.min(...delays) < 8, "the rhythm goes on");
});

Deno.test("A reliable connection holds its sender back, and loses nothing", () => {
  const own = bench(8, { loss: 0.05, delay: 10, jitter: 0, twice: 0 }, {
    delivery: "reliable",
    bufferPackets: 64,
  });
  own.network.run(1500);
  let next = 0;
  const push = (now: Instant) => {
    for (let tries = 0; tries < 100; tries += 1) {
      const payload = new Uint8Array(200).fill(next & 255);
      new DataView(payload.buffer).setUint32(0, next);
      if (!own.caller.send(payload, now)) break;
      next += 1;
    }
    assert(own.caller.connection!.sender.size <= 64);
    if (next < 3000) own.network.at(now + 5, push);
  };
  own.network.at(2000, push);
  own.network.run(30_000);
  assertEquals(numbers(own), Array.from({ length: next }, (_, index) => index));
  assert(own.caller.connection!.sender.stats.refused > 0);
});

Deno.test("Pacing keeps to the limit, and to what comes in where there is none", () => {
  const own = bench(9, CALM, { bandwidth: { max: 125_000, input: 0, overhead: 25 } });
  own.network.run(1500);
  // Twice as much as may go, in one piece.
  for (let index = 0; index < 250; index += 1) pour(own, 1, 2000, 1, 1000);
  own.network.run(3000);
  const { sent } = own.caller.connection!.sender.stats;
  assert(sent > 90 && sent < 130, `1 Mbit/s is about 118 packets of 1,060 a second: ${sent}`);
});

const CALLS: readonly [string, Secret | undefined, Secret | undefined, number][] = [
  ["wrong passphrases", SECRET, { ...SECRET, passphrase: "another horse" }, REJECT.badSecret],
  ["a passphrase of the caller only", SECRET, undefined, REJECT.unsecure],
  ["a passphrase of the listener only", undefined, SECRET, REJECT.unsecure],
];
for (const [what, near, far, code] of CALLS) {
  Deno.test(`A call with ${what} is refused with ${code}`, () => {
    const own = bench(
      10,
      CALM,
      near ? { secret: near } : {},
      far ? { secret: far } : {},
    );
    own.network.run(2000);
    assertEquals([own.caller.caller.rejected, own.listener.connection], [code, undefined]);
    assertEquals(own.listener.listener.connections, 0);
  });
}

Deno.test("Keys of all lengths are made, used, and replaced while octets flow", () => {
  for (const keyLength of [16, 24, 32] as const) {
    const options = { secret: { ...SECRET, keyLength }, keyRefresh: 100, keyAnnounce: 40 };
    const own = bench(keyLength, { ...CALM, loss: 0.02 }, options);
    own.network.run(1500);
    pour(own, 1000, 2000);
    own.network.run(5000);
    assert(numbers(own).length > 990);
    assert(own.caller.connection!.keyRefreshes >= 9);
  }
});

Deno.test("A decision of the owner refuses, and a call that nobody answers is given up", () => {
  const network = new Network(CALM, chance(11));
  const random = (size: number) => new Uint8Array(size).fill(3);
  const caller = new CallingStation({}, random, network.now);
  const listener = new ListeningStation({}, random, network.now, () => ({
    kind: "reject",
    code: REJECT.notFound,
  }));
  network.join(caller, listener);
  network.run(2000);
  assertEquals([caller.caller.rejected, listener.rejected], [2404, 2404]);
  const alone = new SrtCaller({
    ...{ target: 1, random, pool: caller.pool, startedAt: 0 as Instant },
    connectTimeout: seconds(3),
  }, 0 as Instant);
  let tries = 0;
  for (let now = 0; now <= 3000; now += 10) {
    if (alone.transmit(now as Instant)) tries += 1;
    if (now < 3000) assertEquals(alone.rejected, undefined);
  }
  assertEquals([tries, alone.rejected], [12, REJECT.timeout]);
});

Deno.test("Silence ends a connection after its time, and a shutdown at once", () => {
  const silent = bench(12, CALM);
  silent.network.run(2000);
  silent.network.run(60_000);
  assertEquals(silent.caller.connection!.closed, undefined, "keep-alives are enough");
  silent.network.weather = { ...CALM, loss: 1 };
  silent.network.run(60_000 + 4500);
  assertEquals(silent.listener.connection!.closed, undefined);
  silent.network.run(60_000 + 7000);
  assertEquals(silent.listener.connection!.closed, "idle");
  const ended = bench(13, CALM);
  ended.network.run(2000);
  ended.caller.connection!.close(ended.network.now);
  ended.network.run(2100);
  assertEquals([ended.caller.connection!.closed, ended.listener.connection!.closed], [
    "closed",
    "shutdown",
  ]);
});

Deno.test("A sender drops what the receiver could not use any more, and goes on", () => {
  const own = bench(14, CALM);
  own.network.run(1500);
  pour(own, 2000, 2000);
  own.network.at(3000, () => own.network.weather = { ...CALM, loss: 1 });
  own.network.at(5000, () => own.network.weather = CALM);
  own.network.run(8000);
  const came = numbers(own);
  assert(own.caller.connection!.sender.stats.dropped > 0);
  assert(came.includes(1999) && came.length > 900, `${came.length} came`);
});

/** A station whose clock runs at another rate. */
function skewed(station: CallingStation, rate: number) {
  const there = (now: number) => 1000 + (now - 1000) * rate as Instant;
  const back = (at: number) => 1000 + (at - 1000) / rate as Instant;
  return {
    receive: (octets: Uint8Array, now: Instant) => station.receive(octets, there(now)),
    transmit: (now: Instant) => station.transmit(there(now)),
    expire: (now: Instant) => station.expire(there(now)),
    get deadline() {
      return back(station.deadline);
    },
    there,
  };
}

Deno.test("A sender whose clock runs away is followed: nothing is late after twenty minutes", () => {
  for (const rate of [1.0002, 0.9998]) {
    const dice = chance(15);
    const random = (size: number) =>
      Uint8Array.from({ length: size }, () => Math.floor(dice() * 256));
    const network = new Network(CALM, dice);
    const caller = new CallingStation({}, random, network.now);
    const listener = new ListeningStation({}, random, network.now);
    const station = skewed(caller, rate);
    network.join(station, listener);
    network.run(1500);
    // 240 ms apart at the end, twice the latency.
    const count = 120_000;
    const next = (index: number) => {
      if (index === count) return;
      network.at(2000 + index * 10, (now) => {
        caller.send(Uint8Array.of(index >> 16, index >> 8, index), station.there(now));
        next(index + 1);
      });
    };
    next(0);
    network.run(2000 + count * 10 + 2000);
    assertEquals(listener.delivered.length, count, `rate ${rate}`);
    const late = listener.delivered.map(({ at }, index) => at - (2000 + index * 10));
    const last = late.slice(-1000);
    assert(Math.min(...last) > 100 && Math.max(...last) < 180, `${Math.min(...last)} ms`);
  }
});

Deno.test("Without a limit of its own a sender keeps to its input and what is added to it", () => {
  const known = bench(16, CALM, { bandwidth: { max: 0, input: 100_000, overhead: 50 } });
  known.network.run(1500);
  assertEquals(known.caller.connection!.sender.rate, 150_000);
  const measured = bench(17, CALM, { bandwidth: { max: 0, input: 0, overhead: 25 } });
  measured.network.run(1500);
  assertEquals(measured.caller.connection!.sender.rate, 125_000_000, "nothing is known yet");
  pour(measured, 3000, 2000, 1, 1000);
  measured.network.run(5500);
  const { rate } = measured.caller.connection!.sender;
  // 1,000 messages a second of 1,000 octets and 44 more, and a quarter.
  assert(Math.abs(rate / (1_044_000 * 1.25) - 1) < 0.02, `${rate} octets a second`);
});
