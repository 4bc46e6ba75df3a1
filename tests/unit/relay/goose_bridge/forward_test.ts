import { Counters } from "../../../../src/base/counters.ts";
import { FAULT, type FrameBatch } from "../../../../src/platform/hot.ts";
import type { Destinations } from "../../../../src/protocol/goose_tunnel/mod.ts";
import { CONFIG, type Config } from "../../../../src/relay/goose_bridge/config.ts";
import { AGE_COUNTERS, COUNTERS } from "../../../../src/relay/goose_bridge/counters.ts";
import { Forwarder } from "../../../../src/relay/goose_bridge/forward.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex, toHex } from "../../../hex.ts";
import { SimGroup, SimHot, SimTap } from "../../../sim/hot.ts";

const SLOTS = 4;
const OTHER_HOST = 0x0a00_0002;
const TO = "01 0c cd 01 00 01";
const FROM = "00 11 22 33 44 55";
/** APPID 1000, length 12, two reserved words, an APDU of 4 octets. */
const PDU = "03 e8 00 0c 00 00 00 00 61 02 12 34";
const FRAME = fromHex(`${TO} ${FROM} 88 b8 ${PDU}`);
const TAGGED = fromHex(`${TO} ${FROM} 81 00 e0 05 88 b8 ${PDU}`);
/** What FRAME and TAGGED are on the network at 1751936400123456 microseconds. */
const DATAGRAM = fromHex(`${FROM} 00 06 39 60 7a cc 66 40 00 00 00 00 ${PDU}`);
const TAGGED_DATAGRAM = fromHex(`${FROM} 00 06 39 60 7a cc 66 40 00 01 00 05 ${PDU}`);

/** Both sides of a path, without its life. */
function bench(
  destinations: Destinations = "goose",
  mtu = 1500,
  more: Record<string, unknown> = {},
) {
  const host = new SimHot();
  host.time = 1_751_936_400_123.456;
  const counters = new Counters(COUNTERS);
  const config = CONFIG.parse({
    tap: "goose0",
    group: "224.0.1.100",
    destinations,
    mtu,
    batch: SLOTS,
    ...more,
  }) as Config;
  const forwarder = new Forwarder(host, counters, config, undefined);
  const tap = new SimTap(host, "goose0");
  const group = new SimGroup();
  /** Every counter that is not 0; the reasons have to add up. */
  const counted = (): Record<string, number> => {
    const all = Object.entries(counters.snapshot()).filter(([, value]) => value !== 0);
    const reasons = all.filter(([name]) => name.startsWith("drop_"));
    assertEquals(reasons.reduce((sum, [, count]) => sum + count, 0), counters.get("dropped"));
    return Object.fromEntries(all.filter(([name]) => !name.startsWith("age_")));
  };
  const faults = () => [forwarder.tapFault, forwarder.groupFault];
  return { host, forwarder, tap, group, counters, counted, faults };
}

function from(octets: Uint8Array, source = OTHER_HOST) {
  return { octets, from: source };
}

Deno.test("Frames leave as datagrams of format 1 with the time of sending, tags counted", () => {
  const { forwarder, tap, group, counted } = bench();
  tap.input.push(FRAME, TAGGED);
  assertEquals(forwarder.outward(tap, group), false);
  assertEquals(group.sent.map(toHex), [toHex(DATAGRAM), toHex(TAGGED_DATAGRAM)]);
  assertEquals(counted(), {
    tap_received: 2,
    tap_received_tagged: 1,
    frames_out: 2,
    octets_out: DATAGRAM.length + TAGGED_DATAGRAM.length,
  });
});

Deno.test("Datagrams come out as frames, a tag with priority 4", () => {
  const { forwarder, tap, group, counted } = bench();
  group.input.push(from(DATAGRAM), from(TAGGED_DATAGRAM));
  assertEquals(forwarder.inward(group, tap), false);
  const tagged = fromHex(`${TO} ${FROM} 81 00 80 05 88 b8 ${PDU}`);
  assertEquals(tap.written.map(toHex), [toHex(FRAME), toHex(tagged)]);
  assertEquals(counted(), {
    group_received: 2,
    frames_in: 2,
    octets_in: FRAME.length + tagged.length,
  });
});

Deno.test("Datagrams are counted by age, but not when the clocks say that they are to come", () => {
  const limits = [0.1, 0.2, 0.6, 1, 3, 10, 20, 50, 100];
  const ages = [0, ...limits.flatMap((limit) => [limit, limit + 0.01]), 1e6, -0.01, -1e6];
  const { host, forwarder, tap, group, counters } = bench();
  const sent = host.time;
  for (const age of ages) {
    host.time = sent + age;
    group.input.push(from(DATAGRAM));
    forwarder.inward(group, tap);
  }
  assertEquals(AGE_COUNTERS.map((name) => counters.get(name)), Array(10).fill(2));
  assertEquals(counters.get("frames_in"), ages.length, "age never keeps a frame back");
});

const OUTWARD_DROPS: readonly (readonly [string, string])[] = [
  ["drop_runt", `${TO} ${FROM} 88`],
  ["drop_runt", `${TO} ${FROM} 81 00 00 05 88`],
  ["drop_ethertype", `${TO} ${FROM} 08 06 ${PDU}`],
  ["drop_gse_management", `${TO} ${FROM} 88 b9 ${PDU}`],
  ["drop_sampled_values", `${TO} ${FROM} 81 00 00 05 88 ba ${PDU}`],
  ["drop_double_tag", `${TO} ${FROM} 81 00 00 05 81 00 00 06 88 b8 ${PDU}`],
  ["drop_double_tag", `${TO} ${FROM} 88 a8 00 05 88 b8 ${PDU}`],
  ["drop_destination", `01 0c cd 01 02 00 ${FROM} 88 b8 ${PDU}`],
];
for (const [reason, hex] of OUTWARD_DROPS) {
  Deno.test(`From the TAP, ${reason} and its neighbors still go: ${hex.slice(0, 50)}`, () => {
    const { forwarder, tap, group, counted } = bench();
    tap.input.push(FRAME, fromHex(hex), FRAME);
    forwarder.outward(tap, group);
    assertEquals(group.sent.map(toHex), [toHex(DATAGRAM), toHex(DATAGRAM)]);
    assertEquals(counted(), {
      tap_received: 3,
      frames_out: 2,
      octets_out: 2 * DATAGRAM.length,
      dropped: 1,
      [reason]: 1,
    });
  });
}

Deno.test("Any destination is carried when the path says so", () => {
  const { forwarder, tap, group, counted } = bench("any");
  tap.input.push(fromHex(`02 00 00 00 00 07 ${FROM} 88 b8 ${PDU}`));
  forwarder.outward(tap, group);
  assertEquals([group.sent.map(toHex), counted().dropped], [[toHex(DATAGRAM)], undefined]);
});

for (const refused of [0, 1, SLOTS - 1]) {
  Deno.test(`EMSGSIZE of frame ${refused} costs that frame, the rest of the batch is sent`, () => {
    const { forwarder, tap, group, counted, faults } = bench();
    for (let octet = 0; octet < SLOTS; octet += 1) {
      tap.input.push(fromHex(`${TO} 00 00 00 00 00 0${octet} 88 b8 ${PDU}`));
    }
    if (refused > 0) group.sendResults.push(refused);
    group.sendResults.push(-FAULT.tooBig);
    forwarder.outward(tap, group);
    const expected = [0, 1, 2, 3].filter((octet) => octet !== refused);
    assertEquals(group.sent.map((datagram) => datagram[5]), expected);
    assertEquals([counted().frames_out, counted().drop_too_big, counted().dropped], [3, 1, 1]);
    assertEquals(counted().octets_out, 3 * DATAGRAM.length);
    assertEquals(faults(), [0, 0]);
  });
}

Deno.test("Each of several frames that are too big is counted", () => {
  const { forwarder, tap, group, counted } = bench();
  tap.input.push(FRAME, FRAME, FRAME);
  group.sendResults.push(-FAULT.tooBig, -FAULT.tooBig, -FAULT.tooBig);
  forwarder.outward(tap, group);
  assertEquals([counted().drop_too_big, counted().dropped, group.sent.length], [3, 3, 0]);
});

for (const [name, fault] of [["EAGAIN", FAULT.again], ["ENOBUFS", FAULT.noBuffers]] as const) {
  Deno.test(`${name} drops what is left of the batch, and is no fault of the network`, () => {
    const { forwarder, tap, group, counted, faults } = bench();
    tap.input.push(FRAME, FRAME, FRAME);
    group.sendResults.push(1, -fault);
    forwarder.outward(tap, group);
    assertEquals([counted().frames_out, counted().drop_network_busy, counted().dropped], [1, 2, 2]);
    assertEquals(faults(), [0, 0]);
  });
}

Deno.test("A send that is interrupted is made again", () => {
  const { forwarder, tap, group, counted } = bench();
  tap.input.push(FRAME, FRAME);
  group.sendResults.push(1, -FAULT.interrupted);
  forwarder.outward(tap, group);
  assertEquals([counted().frames_out, counted().dropped], [2, undefined]);
});

for (const fault of [FAULT.netDown, FAULT.unreachable, 1]) {
  Deno.test(`A network that refuses with ${fault} loses the batch and is to be mended`, () => {
    const { forwarder, tap, group, counted, faults } = bench();
    tap.input.push(FRAME, FRAME);
    group.sendResults.push(-fault);
    forwarder.outward(tap, group);
    assertEquals([counted().drop_no_network, counted().dropped], [2, 2]);
    assertEquals(faults(), [0, -fault]);
  });
}

Deno.test("Without a network the TAP is emptied all the same", () => {
  const { forwarder, tap, counted } = bench();
  tap.input.push(FRAME, TAGGED, FRAME);
  assertEquals(forwarder.outward(tap, undefined), false);
  assertEquals([tap.input.length, counted().drop_no_network, counted().dropped], [0, 3, 3]);
});

Deno.test("Without a TAP the network is emptied all the same", () => {
  const { forwarder, group, counted } = bench();
  group.input.push(from(DATAGRAM), from(DATAGRAM));
  assertEquals(forwarder.inward(group, undefined), false);
  assertEquals(counted(), { group_received: 2, drop_no_tap: 2, dropped: 2 });
});

Deno.test("Own addresses are filtered, all of them, and others never", () => {
  const { forwarder, tap, group, counted } = bench();
  forwarder.ignore([0x7f00_0001, 0xc0a8_6401]);
  group.input.push(from(DATAGRAM, 0x7f00_0001), from(DATAGRAM, 0xc0a8_6401), from(DATAGRAM));
  forwarder.inward(group, tap);
  assertEquals([counted().drop_own, counted().frames_in, counted().dropped], [2, 1, 2]);
  forwarder.ignore([]);
  group.input.push(from(DATAGRAM, 0x7f00_0001));
  forwarder.inward(group, tap);
  assertEquals([counted().drop_own, counted().frames_in], [2, 2]);
});

Deno.test("A datagram that was cut is not carried, the largest that fits is", () => {
  const { forwarder, tap, group, counted } = bench("goose", 1500);
  const largest = new Uint8Array(18 + 1500);
  const slotSize = Math.ceil((4 + 18 + 14 + 8 + 1500) / 64) * 64;
  group.input.push(from(largest), from(new Uint8Array(slotSize + 1)));
  forwarder.inward(group, tap);
  assertEquals(tap.written.map((frame) => frame.length), [14 + 1500]);
  assertEquals([counted().drop_truncated, counted().dropped], [1, 1]);
});

Deno.test("A datagram shorter than its header is malformed, the header alone is a frame", () => {
  const { forwarder, tap, group, counted } = bench();
  group.input.push(from(new Uint8Array(0)), from(DATAGRAM.subarray(0, 17)));
  group.input.push(from(DATAGRAM.subarray(0, 18)));
  forwarder.inward(group, tap);
  assertEquals(tap.written.map((frame) => frame.length), [14]);
  assertEquals([counted().drop_short_datagram, counted().malformed, counted().dropped], [2, 2, 2]);
});

const TAP_FAULTS: readonly (readonly [string, number, string, boolean])[] = [
  ["takes it for no frame", FAULT.invalid, "drop_runt", false],
  ["has no room", FAULT.again, "drop_no_tap", false],
  ["has no buffers", FAULT.noBuffers, "drop_no_tap", false],
  ["is down", FAULT.down, "drop_no_tap", true],
  ["is gone", FAULT.gone, "drop_no_tap", true],
];
for (const [what, fault, reason, mend] of TAP_FAULTS) {
  Deno.test(`A TAP that ${what} costs one frame and counts ${reason}`, () => {
    const { forwarder, tap, group, counted, faults } = bench();
    group.input.push(from(DATAGRAM), from(DATAGRAM));
    tap.writeFaults.push(-fault);
    forwarder.inward(group, tap);
    assertEquals([counted().frames_in, counted().dropped, counted()[reason]], [1, 1, 1]);
    assertEquals(faults(), [mend ? -fault : 0, 0]);
  });
}

Deno.test("Reading that fails is told, but not when there is nothing now", () => {
  for (const fault of [FAULT.again, FAULT.interrupted, FAULT.gone]) {
    const { forwarder, tap, group, faults } = bench();
    tap.input.push(FRAME, -fault);
    assertEquals(forwarder.outward(tap, group), false);
    assertEquals(group.sent.length, 1, "what was read before the fault is still sent");
    assertEquals(faults(), [fault === FAULT.gone ? -fault : 0, 0]);
  }
  for (const fault of [FAULT.again, FAULT.interrupted, FAULT.netDown]) {
    const { forwarder, tap, group, faults } = bench();
    group.input.push(-fault);
    assertEquals(forwarder.inward(group, tap), false);
    assertEquals(faults(), [0, fault === FAULT.netDown ? -fault : 0]);
  }
});

/** A TAP that has always one frame more; it tells when it was asked too often. */
class EndlessTap extends SimTap {
  reads = 0;

  constructor(host: SimHot, readonly frame: Uint8Array) {
    super(host, "goose0");
  }

  override read(batch: FrameBatch, slot: number): number {
    this.reads += 1;
    assert(this.reads < 10_000, "the path never lets go of its TAP");
    this.input.push(this.frame);
    return super.read(batch, slot);
  }
}

for (const [what, hex] of [["carried", "88 b8"], ["dropped", "08 06"]] as const) {
  Deno.test(`A TAP that never runs out of frames to be ${what} leaves the other side its turn`, () => {
    const { host, forwarder, group, counted } = bench();
    const tap = new EndlessTap(host, fromHex(`${TO} ${FROM} ${hex} ${PDU}`));
    assertEquals(forwarder.outward(tap, group), true);
    assertEquals(counted().tap_received, tap.reads);
    assert(tap.reads <= 8 * SLOTS, String(tap.reads));
  });
}

Deno.test("A group that never runs out of datagrams leaves the other side its turn", () => {
  const { forwarder, tap, group, counted } = bench();
  for (let index = 0; index < 20 * SLOTS; index += 1) group.input.push(from(DATAGRAM));
  assertEquals(forwarder.inward(group, tap), true);
  assertEquals([counted().group_received, counted().frames_in], [8 * SLOTS, 8 * SLOTS]);
});

Deno.test("Slots are used again without a trace of the frame before", () => {
  const { forwarder, tap, group } = bench();
  for (let turn = 0; turn < 3; turn += 1) {
    tap.input.push(TAGGED, FRAME, fromHex(`${TO} ${FROM} 08 06 ${PDU}`), FRAME, TAGGED, FRAME);
    group.input.push(from(TAGGED_DATAGRAM), from(DATAGRAM));
    forwarder.outward(tap, group);
    forwarder.inward(group, tap);
  }
  const one = [TAGGED_DATAGRAM, DATAGRAM, DATAGRAM, TAGGED_DATAGRAM, DATAGRAM].map(toHex);
  assertEquals(group.sent.map(toHex), [...one, ...one, ...one]);
  assertEquals(new Set(tap.written.map((frame) => frame.length)), new Set([30, 26]));
});

Deno.test("The tracer sees whole frames of both ways, dropped ones of the TAP too", () => {
  const { forwarder, tap, group } = bench();
  const seen: string[] = [];
  forwarder.tracer = (way, octets, start, length) =>
    void seen.push(`${way} ${toHex(octets.subarray(start, start + length))}`);
  const arp = fromHex(`${TO} ${FROM} 08 06 ${PDU}`);
  tap.input.push(TAGGED, arp);
  group.input.push(from(DATAGRAM), from(new Uint8Array(3)));
  forwarder.outward(tap, group);
  forwarder.inward(group, tap);
  assertEquals(seen, [`out ${toHex(TAGGED)}`, `out ${toHex(arp)}`, `in ${toHex(FRAME)}`]);
});

const FILTERS: readonly [string, Record<string, unknown>, string, string, string][] = [
  ["APPIDs", { "app_ids": ["0x3e8", "0x1000-0x1fff"] }, "", "23 88 ", "drop_app_id"],
  ["VLANs", { vlans: [5, "100-199"] }, "81 00 e0 64 ", "81 00 e0 06 ", "drop_vlan"],
  ["VLANs with none", { vlans: ["untagged"] }, "", "81 00 e0 06 ", "drop_vlan"],
];
for (const [what, config, good, bad, reason] of FILTERS) {
  for (const format of ["v1", "v2", "rgoose"]) {
    Deno.test(`Only ${what} that are named leave in ${format}, others count as ${reason}`, () => {
      const { forwarder, tap, group, counted } = bench("goose", 1500, { ...config, format });
      const appId = reason === "drop_app_id";
      const frame = (part: string) =>
        fromHex(
          appId
            ? `${TO} ${FROM} 88 b8 ${part}${PDU.slice(part.length)}`
            : `${TO} ${FROM} ${part}88 b8 ${PDU}`,
        );
      tap.input.push(frame(good), frame(bad));
      forwarder.outward(tap, group);
      const { frames_out: sent, [reason]: dropped } = counted();
      assertEquals([sent, dropped, group.sent.length], [1, 1, 1]);
    });
  }
}

Deno.test("Destination ranges stand in place of the usual one", () => {
  const ranges = ["01:0c:cd:04:00:00-01:0c:cd:04:00:0f", "01:0c:cd:01:00:02"];
  const { forwarder, tap, group, counted } = bench("goose", 1500, { "destination_ranges": ranges });
  const to = (address: string) => fromHex(`${address} ${FROM} 88 b8 ${PDU}`);
  tap.input.push(to("01 0c cd 04 00 0f"), to("01 0c cd 01 00 02"), to("01 0c cd 04 00 10"), FRAME);
  forwarder.outward(tap, group);
  const { frames_out: sent, drop_destination: dropped } = counted();
  assertEquals([sent, dropped], [2, 2]);
});

Deno.test("What comes from the network passes the same filters before it reaches the station", () => {
  const v1 = bench("goose", 1500, { "app_ids": ["0x3e9"] });
  v1.group.input.push(from(DATAGRAM));
  v1.forwarder.inward(v1.group, v1.tap);
  assertEquals([v1.tap.written.length, v1.counted().drop_app_id], [0, 1]);
  assertEquals(v1.counted().malformed, undefined, "it was well-formed");
  const v2 = bench("goose", 1500, { format: "v2" });
  const header = fromHex(`47 42 02 00 ${"00 ".repeat(4)} ${"01 ".repeat(8)} ${"00 ".repeat(7)} 01`);
  const arp = fromHex(`ff ff ff ff ff ff ${FROM} 08 06 ${PDU}`);
  v2.group.input.push(from(Uint8Array.from([...header, ...new Uint8Array(8), ...arp])));
  v2.forwarder.inward(v2.group, v2.tap);
  assertEquals([v2.tap.written.length, v2.counted().drop_ethertype], [0, 1]);
});

Deno.test("R-GOOSE goes out and comes in, and its age is not known", () => {
  const { forwarder, tap, group, counters } = bench("goose", 1500, { format: "rgoose" });
  tap.input.push(FRAME);
  forwarder.outward(tap, group);
  assertEquals([...group.sent[0]!.subarray(0, 3)], [0x01, 0x40, 0xa1]);
  group.input.push(from(group.sent[0]!));
  forwarder.inward(group, tap);
  assertEquals(toHex(tap.written[0]!.subarray(14)), PDU);
  assertEquals(AGE_COUNTERS.map((name) => counters.get(name)), Array(10).fill(0));
});
