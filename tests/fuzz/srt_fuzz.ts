// deno-lint-ignore-file no-console -- the seed has to be seen to run it again
/**
 * Packets of a conversation, hurt in one way or in several, thrown at both ends while it goes on:
 * nothing throws, nothing comes out that was not sent, and memory stays what it is.
 * `BUSBAR_SEED=n` runs one seed again.
 */
import type { Instant } from "../../src/base/time.ts";
import { assert } from "../assert.ts";
import { Network } from "../sim/srt_network.ts";
import { random } from "../sim/random.ts";
import { CallingStation, ListeningStation } from "../unit/protocol/srt/stations.ts";

const ROUNDS = 60;
const HURT_PER_ROUND = 400;
const SEED = Number(Deno.env.get("BUSBAR_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

function hurt(octets: Uint8Array, dice: (below: number) => number): Uint8Array {
  let changed = octets.slice();
  for (let times = 1 + dice(3); times > 0; times -= 1) {
    const at = dice(changed.length || 1);
    const kind = dice(6);
    if (kind === 0) changed = changed.slice(0, at);
    else if (kind === 1 && changed.length > 0) changed[at]! ^= 1 << dice(8);
    else if (kind === 2 && changed.length > 0) changed[at] = dice(256);
    else if (kind === 3) changed = Uint8Array.from([...changed, ...changed.slice(at)]);
    else if (kind === 4) changed.fill([0, 0x7f, 0x80, 0xff][dice(4)]!, at, at + 1 + dice(8));
    else changed = Uint8Array.from([...changed, ...new Uint8Array(dice(300)).fill(dice(256))]);
  }
  return changed;
}

Deno.test("Hurt packets at both ends of SRT do no more harm than lost ones", () => {
  console.log(`seed ${SEED}`);
  const dice = random(SEED);
  for (let round = 0; round < ROUNDS; round += 1) {
    const bytes = (size: number) => Uint8Array.from({ length: size }, () => dice(256));
    const secret = round % 2 === 0
      ? {}
      : { secret: { passphrase: "correct-horse-battery", keyLength: 16 } as const };
    const options = { ...secret, keyRefresh: 100, keyAnnounce: 40, bufferPackets: 512 };
    const network = new Network(
      { loss: 0.02, delay: 10, jitter: 5, twice: 0.02 },
      () => dice(1_000_000) / 1_000_000,
    );
    const caller = new CallingStation(options, bytes, network.now);
    const listener = new ListeningStation(options, bytes, network.now);
    // Everything that is sent is kept, to be hurt later.
    const said: Uint8Array[] = [];
    for (const station of [caller, listener]) {
      const transmit = station.transmit.bind(station);
      station.transmit = (now: Instant) => {
        const octets = transmit(now);
        if (octets && said.length < 2000) said.push(octets.slice());
        return octets;
      };
    }
    network.join(caller, listener);
    network.run(1500);
    for (let index = 0; index < HURT_PER_ROUND; index += 1) {
      network.at(1500 + index * 2, (now) => {
        caller.send(Uint8Array.of(index >> 8, index, 1, 2, 3), now);
        if (said.length === 0) return;
        const octets = hurt(said[dice(said.length)]!, dice);
        (dice(2) === 0 ? caller : listener).receive(octets, now);
      });
    }
    network.run(4000);
    for (const { payload } of listener.delivered) {
      // What was forged in the clear may come out; that is what keys are for.
      assert(round % 2 === 0 || payload.length >= 1, `seed ${SEED}, round ${round}`);
    }
    for (const { connection } of [caller, listener]) {
      assert((connection?.sender.size ?? 0) <= 512 && (connection?.receiver.size ?? 0) <= 512);
    }
    assert(listener.listener.connections <= 8);
  }
});

Deno.test("Every control packet, cut at every octet, with every bit turned, and too long", () => {
  const dice = random(SEED + 1);
  const bytes = (size: number) => Uint8Array.from({ length: size }, () => dice(256));
  const secret = { passphrase: "correct-horse-battery", keyLength: 32 } as const;
  const options = { secret, keyRefresh: 100, keyAnnounce: 40 };
  const calm = { loss: 0.05, delay: 10, jitter: 0, twice: 0 };
  const network = new Network(calm, () => dice(1_000_000) / 1_000_000);
  const caller = new CallingStation(options, bytes, network.now);
  const listener = new ListeningStation(options, bytes, network.now);
  const kinds = new Map<string, { octets: Uint8Array; to: CallingStation | ListeningStation }>();
  for (const [station, to] of [[caller, listener], [listener, caller]] as const) {
    const transmit = station.transmit.bind(station);
    station.transmit = (now: Instant) => {
      const octets = transmit(now);
      if (octets && (octets[0]! & 0x80) !== 0) {
        kinds.set(`${octets.subarray(0, 4)} ${octets.length} ${to === caller}`, {
          octets: octets.slice(),
          to,
        });
      }
      return octets;
    };
  }
  network.join(caller, listener);
  network.run(1500);
  for (let index = 0; index < 400; index += 1) {
    network.at(1500 + index * 2, (now) => void caller.send(Uint8Array.of(index >> 8, index), now));
  }
  network.run(3000);
  assert(kinds.size >= 8, `${kinds.size} kinds of control packets: ${[...kinds.keys()]}`);
  for (const { octets, to } of kinds.values()) {
    for (let size = 0; size < octets.length; size += 1) {
      to.receive(octets.slice(0, size), network.now);
    }
    for (let bit = 0; bit < octets.length * 8; bit += 1) {
      const turned = octets.slice();
      turned[bit >> 3]! ^= 1 << (bit & 7);
      // A shutdown that is one is to be obeyed; everything else is not to end anything.
      const type = (turned[0]! & 0x7f) << 8 | turned[1]!;
      if ((turned[0]! & 0x80) !== 0 && type === 5) continue;
      to.receive(turned, network.now);
    }
    for (let more = 1; more <= 1400; more += 37) {
      to.receive(Uint8Array.from([...octets, ...new Uint8Array(more)]), network.now);
    }
    network.run(network.now + 50);
  }
  const before = listener.delivered.length;
  network.at(network.now + 1, (now) => void caller.send(Uint8Array.of(9, 9, 9), now));
  network.run(network.now + 1500);
  assert(caller.connection?.closed === undefined && listener.connection?.closed === undefined);
  assert(listener.delivered.length > before, "it still carries");
});
