/** SRT on real UDP ports of loopback: who forges, floods, or speaks the old version. */
import type { Instant } from "../../src/base/time.ts";
import { createHotPlatform } from "../../src/platform/linux/hot_platform.ts";
import {
  CONTROL,
  controlPacket,
  HEADER,
  PacketPool,
  putWord,
  readHandshake,
  SrtCaller,
  SrtListener,
  word,
} from "../../src/protocol/srt/mod.ts";
import { type Attached, srtBatches, SrtSocket } from "../../src/relay/stream_relay/srt_socket.ts";
import { assert, assertEquals } from "../assert.ts";

const LOOPBACK = 0x7f00_0001;
const BUFFER = 4 * 1024 * 1024;
const platform = createHotPlatform();
const batches = srtBatches(platform);
const random = (size: number) => crypto.getRandomValues(new Uint8Array(size));

function port(number = 0) {
  const options = { address: LOOPBACK, port: number, ttl: 64, receiveBuffer: BUFFER };
  return platform.openDatagrams({ ...options, sendBuffer: BUFFER });
}

function listening() {
  const pool = new PacketPool();
  const made: Attached[] = [];
  const startedAt = platform.now();
  const listener = new SrtListener({
    ...{ pool, random, startedAt, connectionsMax: 8 },
    decide: () => ({ kind: "accept", secret: undefined }),
  });
  const socket = new SrtSocket(port(), batches, pool, listener, (one) => made.push(one));
  return { socket, listener, made, pool };
}

function calling(to: number) {
  const pool = new PacketPool();
  const made: Attached[] = [];
  const socket = new SrtSocket(port(), batches, pool, undefined, (one) => made.push(one));
  const now = platform.now();
  const caller = new SrtCaller({ pool, random, startedAt: now, target: LOOPBACK }, now);
  socket.call(caller, LOOPBACK, to);
  return { socket, made, pool, caller };
}

/** Lets both work until something is so. */
async function until(what: string, sockets: readonly SrtSocket[], done: () => boolean) {
  const end = performance.now() + 10_000;
  while (!done()) {
    if (performance.now() > end) throw new Error(`Not in time: ${what}`);
    const now = platform.now();
    for (const socket of sockets) {
      socket.receive(now);
      socket.work(now);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Sends datagrams from a port of its own. */
function forge(to: number, datagrams: readonly Uint8Array[]): void {
  using own = port();
  const batch = platform.batch(1, 1504, 0);
  for (const octets of datagrams) {
    batch.octets.set(octets);
    batch.start[0] = 0;
    batch.length[0] = octets.length;
    batch.source[0] = LOOPBACK;
    batch.port[0] = to;
    batch.count = 1;
    own.send(batch, 0);
  }
}

Deno.test("Packets for a connection count only from where its peer is", async () => {
  const far = listening();
  const near = calling(far.socket.datagrams.port);
  using _far = far.socket;
  using _near = near.socket;
  await until("they are connected", [far.socket, near.socket], () => near.made.length === 1);
  const { connection } = far.made[0]!;
  const { socketId } = connection;
  const shutdown = controlPacket(CONTROL.shutdown, 0, 0, socketId);
  const ack = controlPacket(CONTROL.ack, 1, 0, socketId, [0]);
  forge(far.socket.datagrams.port, [shutdown, ack, controlPacket(CONTROL.nak, 0, 0, 12345, [1])]);
  await until("they have come", [far.socket], () => {
    const { spoofed, stray } = far.socket.stats;
    return spoofed === 2 && stray === 1;
  });
  assertEquals(connection.closed, undefined);
  const packet = near.pool.take();
  packet.octets.set([1, 2, 3], HEADER);
  packet.length = 3;
  assert(near.made[0]!.connection.send(packet, platform.now()));
  let came: number[] = [];
  await until("a message comes", [far.socket, near.socket], () => {
    const message = connection.deliver(platform.now());
    if (message) came = [...message.payload];
    return came.length > 0;
  });
  assertEquals(came, [1, 2, 3]);
});

Deno.test("A flood of handshakes makes no connection, and the next caller gets one", async () => {
  const far = listening();
  using _far = far.socket;
  const to = far.socket.datagrams.port;
  const startedAt = 0 as Instant;
  const pool = new PacketPool();
  const one = () => new SrtCaller({ pool, random, startedAt, target: LOOPBACK }, startedAt);
  const inductions = Array.from({ length: 500 }, () => one().transmit(startedAt)!);
  // Conclusions whose cookie was guessed.
  const conclusions = inductions.map((octets) => {
    const forged = octets.slice();
    putWord(forged, HEADER, 5);
    putWord(forged, HEADER + 20, -1 >>> 0);
    putWord(forged, HEADER + 28, word(random(4), 0));
    return forged;
  });
  forge(to, [...inductions, ...conclusions]);
  await until("the flood is over", [far.socket], () => {
    const { inductions: begun, badCookies } = far.listener.stats;
    return begun === 500 && badCookies === 500;
  });
  assertEquals([far.listener.connections, far.made.length], [0, 0]);
  const near = calling(to);
  using _near = near.socket;
  await until("the next is connected", [far.socket, near.socket], () => near.made.length === 1);
});

Deno.test("A caller of version 4 is answered, and told the latencies when it asks", async () => {
  const far = listening();
  using _far = far.socket;
  using own = port();
  const batch = platform.batch(4, 1504, 0);
  const say = (octets: Uint8Array) => {
    batch.octets.set(octets);
    batch.start[0] = 0;
    batch.length[0] = octets.length;
    batch.source[0] = LOOPBACK;
    batch.port[0] = far.socket.datagrams.port;
    batch.count = 1;
    own.send(batch, 0);
  };
  const answers: Uint8Array[] = [];
  const incoming = platform.batch(4, 1504, 0);
  const heard = () => {
    const count = own.receive(incoming);
    for (let slot = 0; slot < count; slot += 1) {
      const at = incoming.start[slot]!;
      answers.push(incoming.octets.slice(at, at + incoming.length[slot]!));
    }
    return answers.length;
  };
  const pool = new PacketPool();
  const now = 0 as Instant;
  const first = new SrtCaller({ pool, random, startedAt: now, target: LOOPBACK }, now).transmit(
    now,
  )!;
  say(first);
  await until("the cookie is there", [far.socket], () => heard() === 1);
  const { cookie } = readHandshake(answers[0]!)!.handshake;
  const conclusion = first.slice();
  putWord(conclusion, HEADER + 20, -1 >>> 0);
  putWord(conclusion, HEADER + 28, cookie);
  say(conclusion);
  await until("it is answered", [far.socket], () => heard() === 2);
  const { handshake } = readHandshake(answers[1]!)!;
  assertEquals([handshake.version, handshake.type], [4, -1]);
  assertEquals(far.made.length, 1);
  say(controlPacket(CONTROL.user, 0, 0, handshake.socketId, [0x010203, 0xbf, 0x0078_0000], 1));
  await until("the latencies come", [far.socket], () => heard() === 3);
  assertEquals(word(answers[2]!, 0), 0xffff_0002);
  assertEquals(word(answers[2]!, HEADER + 8) >>> 16, 120);
});
