// deno-lint-ignore-file no-console -- the seed has to be seen to run it again
/**
 * Octets of IEC 60870-5-104 cut, changed, joined and dripped into links of both roles in every
 * state, from the list of what has crashed other stations. `BUSBAR_SEED=n` runs one seed again.
 */
import fc from "fast-check";
import type { Instant } from "../../src/base/time.ts";
import {
  apduTree,
  ASDU_MAX,
  asduOctets,
  asduTree,
  decodeAsdu,
  Iec104Link,
  type LinkState,
  PROFILE_104,
  readApdu,
  TYPE_SPECS,
} from "../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { fromHex } from "../hex.ts";
import { random } from "../sim/random.ts";
import { anyAsdu } from "../unit/protocol/iec104/arbitrary.ts";
import vectors from "../vectors/iec104/apdus.json" with { type: "json" };

const ROUNDS = 30_000;
const SEED = Number(Deno.env.get("BUSBAR_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

type Dice = (below: number) => number;

function octetsOf(hex: string): Uint8Array {
  return fromHex(hex.match(/../g)!.join(" "));
}

const SEEDS = [
  ...vectors.map(({ hex }) => octetsOf(hex)),
  ...["680407000000", "68040b000000", "680413000000", "680423000000", "680443000000"].map(octetsOf),
  ...["680483000000", "680401000000", "680401000200"].map(octetsOf),
];

function hurt(octets: Uint8Array, dice: Dice): Uint8Array {
  let changed = octets.slice();
  for (let times = dice(4); times > 0; times -= 1) {
    const at = dice(changed.length || 1);
    const kind = dice(6);
    if (kind === 0) changed = changed.slice(0, at);
    else if (kind === 1 && changed.length > 0) changed[at]! ^= 1 << dice(8);
    else if (kind === 2 && changed.length > 0) changed[at] = dice(256);
    else if (kind === 3) changed = Uint8Array.from([...changed, ...changed.slice(at)]);
    else if (kind === 4) changed.fill([0, 0x7f, 0x80, 0xff][dice(4)]!, at, at + 1 + dice(8));
    else if (changed.length > 1) changed[1] = changed.length - 2;
  }
  return changed;
}

/** A link that has come to a state, by itself. */
function linkIn(state: LinkState, role: "controlling" | "controlled"): Iec104Link {
  const confirmStart = state === "starting" ? "on_request" : "at_once";
  const link = new Iec104Link({ role, confirmStart }, 0 as Instant);
  if (state === "stopped") return link;
  if (role === "controlling") link.start(0 as Instant);
  else link.receive(octetsOf("680407000000"), 0 as Instant);
  if (state === "starting") return link;
  if (role === "controlling") link.receive(octetsOf("68040b000000"), 0 as Instant);
  const asdu = decodeAsdu(octetsOf(vectors[0]!.hex).slice(6));
  assert(!("kind" in asdu) && link.send(asdu, 0 as Instant));
  if (state === "started") return link;
  if (role === "controlling") link.stop(0 as Instant);
  else link.receive(octetsOf("680413000000"), 0 as Instant);
  assertEquals(link.state, "stopping");
  return link;
}

/** Whatever was heard: the link lives or has ended, and can be asked everything. */
function settled(link: Iec104Link, now: number): void {
  let closed = false;
  for (let event = link.event(); event; event = link.event()) {
    assert(!closed, "nothing is told behind the end");
    closed = event.kind === "closed";
    if (event.kind === "asdu") {
      const written = asduOctets(event.asdu);
      assert(written.length <= ASDU_MAX);
      assertEquals(decodeAsdu(written), event.asdu);
      asduTree(event.asdu);
    }
  }
  assertEquals(link.state === "closed", closed);
  link.expire(now as Instant);
  assert((link.deadline ?? Infinity) > now);
  link.transmit();
}

Deno.test("Links of both roles in every state take anything", () => {
  console.log(`seed ${SEED}`);
  const dice = random(SEED);
  const ended = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const role = dice(2) === 0 ? "controlling" : "controlled";
    const state = (["stopped", "starting", "started", "stopping"] as const)[dice(4)]!;
    const link = linkIn(state, role);
    while (link.event()) { /* What led to the state is known. */ }
    const stream = Uint8Array.from(
      Array.from({ length: 1 + dice(4) }, () => [...hurt(SEEDS[dice(SEEDS.length)]!, dice)]).flat(),
    );
    for (let at = 0; at < stream.length;) {
      const size = 1 + dice(stream.length);
      link.receive(stream.subarray(at, at + size), 1 as Instant);
      at += size;
    }
    settled(link, 2);
    ended.add(`${role} ${state} ${link.state}`);
  }
  // Both fates were met from every state.
  for (const role of ["controlling", "controlled"]) {
    for (const state of ["stopped", "starting", "started", "stopping"]) {
      assert(ended.has(`${role} ${state} closed`), `${role} ${state}`);
    }
  }
});

Deno.test("Every third octet with every length, in every state of both roles", () => {
  for (const role of ["controlling", "controlled"] as const) {
    for (const state of ["stopped", "starting", "started", "stopping"] as const) {
      for (let third = 0; third < 256; third += 1) {
        for (let length = 0; length <= 10; length += 1) {
          const link = linkIn(state, role);
          while (link.event()) { /* What led to the state is known. */ }
          const octets = new Uint8Array(2 + length);
          octets.set([0x68, length, third].slice(0, octets.length));
          link.receive(octets, 1 as Instant);
          settled(link, 2);
        }
      }
    }
  }
});

Deno.test("Every type cut at every length, and with every count", () => {
  for (const spec of TYPE_SPECS) {
    fc.assert(
      fc.property(anyAsdu(spec, PROFILE_104), (asdu) => {
        const octets = asduOctets(asdu);
        for (let length = 0; length < octets.length; length += 1) {
          const read = decodeAsdu(octets.subarray(0, length));
          assert("kind" in read && read.offset <= length, `type ${spec.type}, ${length} octets`);
        }
        for (let structure = 0; structure < 256; structure += 1) {
          const changed = octets.slice();
          changed[1] = structure;
          const read = decodeAsdu(changed);
          if (!("kind" in read)) assertEquals(asduOctets(read).length, changed.length);
        }
      }),
      { numRuns: 5 },
    );
  }
});

Deno.test("A tree is made of anything", () => {
  const dice = random(SEED);
  for (let round = 0; round < 3000; round += 1) {
    const octets = hurt(SEEDS[dice(SEEDS.length)]!, dice);
    const reading = readApdu(octets, 0, PROFILE_104);
    assert(reading.malformed !== undefined || reading.size > 0);
    apduTree(reading);
  }
});
