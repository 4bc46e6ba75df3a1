/**
 * One link against scripted octets, on a clock that only tests turn. Groups of names follow the
 * areas of IEC TS 60870-5-604.
 */
import { BugError } from "../../../../src/base/errors.ts";
import { type Instant, seconds } from "../../../../src/base/time.ts";
import {
  type Asdu,
  asdu,
  asduOctets,
  CAUSE,
  Iec104Link,
  type LinkEvent,
  type LinkOptions,
  TYPE,
  writeI,
  writeS,
} from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex, toHex } from "../../../hex.ts";

const START_ACT = "68 04 07 00 00 00";
const START_CON = "68 04 0b 00 00 00";
const STOP_ACT = "68 04 13 00 00 00";
const STOP_CON = "68 04 23 00 00 00";
const TEST_ACT = "68 04 43 00 00 00";
const TEST_CON = "68 04 83 00 00 00";

function single(address: number): Asdu {
  return asdu({
    type: TYPE.M_SP_NA_1,
    cause: CAUSE.spontaneous,
    commonAddress: 1,
    objects: [{ kind: "single", address, on: true, quality: 0 }],
  });
}

function i(sendNumber: number, receiveNumber: number): string {
  const body = asduOctets(single(1));
  const octets = new Uint8Array(6 + body.length);
  writeI(octets, 0, sendNumber, receiveNumber, body.length);
  octets.set(body, 6);
  return toHex(octets);
}

function s(receiveNumber: number): string {
  const octets = new Uint8Array(6);
  writeS(octets, 0, receiveNumber);
  return toHex(octets);
}

/** A link, its clock, and what it said. */
class Bench {
  now = 1000;
  readonly link: Iec104Link;

  constructor(options: Partial<LinkOptions> & Pick<LinkOptions, "role">) {
    this.link = new Iec104Link(options, this.now as Instant);
  }

  /** Turns the clock deadline by deadline. */
  wait(span: number): this {
    const end = this.now + span;
    for (;;) {
      const { deadline } = this.link;
      if (deadline === undefined || deadline > end) break;
      this.now = Math.max(this.now, deadline);
      this.link.expire(this.now as Instant);
      assert((this.link.deadline ?? Infinity) > this.now, "a deadline that does not move");
    }
    this.now = end;
    return this;
  }

  hear(...frames: string[]): this {
    this.link.receive(fromHex(frames.join(" ")), this.now as Instant);
    return this;
  }

  send(count = 1): number {
    let sent = 0;
    while (sent < count && this.link.send(single(sent), this.now as Instant)) sent += 1;
    return sent;
  }

  /** The frames that were sent since, as hexadecimal text; I frames as `I s r`. */
  said(): string[] {
    const octets = this.link.transmit() ?? new Uint8Array(0);
    const frames: string[] = [];
    for (let at = 0; at < octets.length; at += 2 + octets[at + 1]!) {
      const frame = octets.subarray(at, at + 2 + octets[at + 1]!);
      const [, , a, b, c, d] = frame;
      if ((a! & 1) === 0) frames.push(`I ${a! >> 1 | b! << 7} ${c! >> 1 | d! << 7}`);
      else if (a === 1) frames.push(`S ${c! >> 1 | d! << 7}`);
      else frames.push(toHex(frame));
    }
    return frames;
  }

  events(): LinkEvent[] {
    const events: LinkEvent[] = [];
    for (let event = this.link.event(); event; event = this.link.event()) events.push(event);
    return events;
  }

  kinds(): string[] {
    return this.events().map((event) =>
      event.kind === "closed"
        ? `closed ${event.why}`
        : event.kind === "confirmed"
        ? `confirmed ${event.count}`
        : event.kind
    );
  }
}

function controlled(options: Partial<LinkOptions> = {}): Bench {
  return new Bench({ role: "controlled", ...options });
}

function started(role: LinkOptions["role"], options: Partial<LinkOptions> = {}): Bench {
  const bench = new Bench({ role, ...options });
  if (role === "controlled") bench.hear(START_ACT);
  else {
    bench.link.start(bench.now as Instant);
    bench.hear(START_CON);
  }
  bench.said();
  assertEquals(bench.kinds(), ["started"]);
  return bench;
}

Deno.test("Start .01 A stopped station sends no I frame, and answers tests meanwhile", () => {
  const bench = controlled();
  assertEquals([bench.send(), bench.link.room], [0, 0]);
  assertEquals(bench.hear(TEST_ACT).said(), [TEST_CON]);
  assertEquals(bench.link.state, "stopped");
});

Deno.test("Start .02 .03 I and S before STARTDT end the connection, in both roles", () => {
  for (const role of ["controlled", "controlling"] as const) {
    for (const frame of [i(0, 0), s(0)]) {
      const bench = new Bench({ role });
      assertEquals(bench.hear(frame).kinds(), ["closed not_started"]);
      assertEquals([bench.link.state, bench.link.deadline], ["closed", undefined]);
    }
  }
  const waiting = new Bench({ role: "controlling" });
  waiting.link.start(waiting.now as Instant);
  assertEquals(waiting.hear(i(0, 0)).kinds(), ["closed not_started"]);
});

Deno.test("Start .04 STARTDT and STOPDT are confirmed at once; repeated ones too", () => {
  const bench = controlled();
  assertEquals(bench.hear(START_ACT).said(), [START_CON]);
  assertEquals(bench.hear(START_ACT).said(), [START_CON]);
  assertEquals(bench.hear(STOP_ACT).said(), [STOP_CON]);
  assertEquals(bench.hear(STOP_ACT).said(), [STOP_CON]);
  assertEquals(bench.kinds(), ["started", "stopped"]);
});

Deno.test("Start: the owner may take its time to confirm", () => {
  const bench = controlled({ confirmStart: "on_request" });
  assertEquals(bench.hear(START_ACT, START_ACT).kinds(), ["start_requested"]);
  assertEquals([bench.said(), bench.send()], [[], 0]);
  bench.link.confirmStart();
  assertEquals([bench.said(), bench.kinds()], [[START_CON], ["started"]]);
  bench.link.confirmStart();
  assertEquals(bench.said(), []);
  // A peer that gives up meanwhile is confirmed that, and nothing starts.
  const other = controlled({ confirmStart: "on_request" });
  other.hear(START_ACT, STOP_ACT);
  other.link.confirmStart();
  assertEquals([other.said(), other.link.state], [[STOP_CON], "stopped"]);
});

Deno.test("Start .05 Mixed traffic does not end the connection; I right behind the con is taken", () => {
  const bench = new Bench({ role: "controlling" });
  bench.link.start(bench.now as Instant);
  assertEquals(bench.said(), [START_ACT]);
  bench.hear(START_CON, i(0, 0), TEST_ACT, i(1, 0), s(0), i(2, 0));
  assertEquals(bench.kinds(), ["started", "asdu", "asdu", "asdu"]);
  assertEquals(bench.said(), [TEST_CON]);
});

Deno.test("Start .07 .09 STOPDT waits until everything is confirmed; what comes after is illegal", () => {
  const bench = started("controlled");
  assertEquals(bench.send(3), 3);
  bench.hear(i(0, 0));
  bench.said();
  assertEquals(bench.hear(STOP_ACT).said(), ["S 1"]);
  assertEquals([bench.link.state, bench.send()], ["stopping", 0]);
  assertEquals(bench.hear(s(2)).said(), []);
  assertEquals(bench.hear(s(3)).said(), [STOP_CON]);
  assertEquals(bench.kinds(), ["asdu", "confirmed 2", "confirmed 1", "stopped"]);
  assertEquals(bench.hear(s(3)).kinds(), ["closed not_started"]);
  const other = started("controlled");
  other.send(1);
  assertEquals(other.hear(STOP_ACT, i(0, 1)).kinds(), ["closed not_started"]);
});

Deno.test("Start: STOPDT with outstanding I frames that are never confirmed ends after t1", () => {
  const bench = started("controlled");
  bench.send(2);
  bench.hear(STOP_ACT).wait(14_999);
  assertEquals(bench.kinds(), []);
  assertEquals(bench.wait(1).kinds(), ["closed t1_frame"]);
});

Deno.test("Start: STARTDT in the middle of stopping starts again; numbers go on", () => {
  const bench = started("controlled");
  bench.send(2);
  bench.hear(STOP_ACT, START_ACT);
  assertEquals(bench.link.state, "started");
  bench.said();
  bench.send(1);
  assertEquals(bench.said(), ["I 2 0"]);
  bench.hear(s(3), STOP_ACT, START_ACT);
  bench.said();
  bench.send(1);
  assertEquals(bench.said(), ["I 3 0"]);
});

Deno.test("Start: a controlling station that stops takes what still comes, and confirms it at once", () => {
  const bench = started("controlling");
  bench.hear(i(0, 0));
  bench.link.stop(bench.now as Instant);
  assertEquals(bench.said(), ["S 1", STOP_ACT]);
  assertEquals(bench.send(), 0);
  assertEquals(bench.hear(i(1, 0)).said(), ["S 2"]);
  assertEquals(bench.hear(STOP_CON).kinds(), ["asdu", "asdu", "stopped"]);
  assertEquals(bench.hear(i(2, 0)).kinds(), ["closed not_started"]);
});

Deno.test("Start: acts in the wrong direction end the connection, cons nobody asked for are counted", () => {
  for (const act of [START_ACT, STOP_ACT]) {
    assertEquals(started("controlling").hear(act).kinds(), ["closed role"]);
  }
  const bench = started("controlled");
  bench.hear(START_CON, STOP_CON, TEST_CON);
  assertEquals([bench.kinds(), bench.link.counts.unexpected], [[], 3]);
  for (const call of ["start", "stop"] as const) {
    let code = "";
    try {
      bench.link[call](bench.now as Instant);
    } catch (error) {
      assert(error instanceof BugError);
      code = error.code;
    }
    assertEquals(code, "iec104.link.role");
  }
});

Deno.test("Numbers start at 0, count up, and N(R) confirms all before it", () => {
  const bench = started("controlled");
  bench.send(5);
  assertEquals(bench.said(), ["I 0 0", "I 1 0", "I 2 0", "I 3 0", "I 4 0"]);
  assertEquals(bench.hear(s(2)).kinds(), ["confirmed 2"]);
  assertEquals(bench.hear(s(2)).kinds(), [], "repeated, it confirms nothing");
  assertEquals(bench.hear(i(0, 5)).kinds(), ["confirmed 3", "asdu"]);
});

Deno.test("Numbers that cannot be end the connection", () => {
  const bench = started("controlled");
  bench.send(3);
  bench.hear(s(2));
  bench.kinds();
  assertEquals(bench.hear(s(1)).kinds(), ["closed receive_number"]);
  assertEquals(started("controlled").hear(s(1)).kinds(), ["closed receive_number"]);
  assertEquals(started("controlled").hear(i(1, 0)).kinds(), ["closed send_number"]);
  assertEquals(started("controlled").hear(i(0, 0), i(0, 0)).kinds(), [
    "asdu",
    "closed send_number",
  ]);
});

Deno.test("Windows: k stops the sender, a partial confirmation lets exactly so many out", () => {
  const bench = started("controlled", { k: 4 });
  assertEquals([bench.send(9), bench.send(1)], [4, 0]);
  bench.hear(s(3));
  assertEquals([bench.link.room, bench.send(9)], [3, 3]);
  assertEquals(bench.said(), ["I 0 0", "I 1 0", "I 2 0", "I 3 0", "I 4 0", "I 5 0", "I 6 0"]);
});

Deno.test("Windows: w confirms at the latest, an own I frame confirms on the way", () => {
  const bench = started("controlling", { w: 3 });
  assertEquals(bench.hear(i(0, 0), i(1, 0)).said(), []);
  assertEquals(bench.hear(i(2, 0)).said(), ["S 3"]);
  bench.hear(i(3, 0), i(4, 0));
  bench.send(1);
  assertEquals(bench.said(), ["I 0 5"]);
  assertEquals(bench.hear(i(5, 1), i(6, 1)).said(), []);
  assertEquals(bench.hear(i(7, 1)).said(), ["S 8"]);
});

Deno.test("t1 counts from the oldest unconfirmed I frame", () => {
  const bench = started("controlled");
  bench.send(1);
  bench.wait(10_000).send(1);
  bench.hear(s(1)).wait(14_999);
  assertEquals(bench.link.state, "started");
  assertEquals(bench.wait(1).kinds(), ["confirmed 1", "closed t1_frame"]);
});

Deno.test("t1 .13 .14 An act is supervised alone: nothing but its own con clears it", () => {
  const bench = started("controlled", { t3: seconds(60) });
  bench.link.test(bench.now as Instant);
  bench.wait(14_000).hear(i(0, 0), TEST_ACT, START_CON, START_ACT);
  assertEquals(bench.wait(1000).kinds(), ["asdu", "closed t1_test"]);
  const other = started("controlled", { t3: seconds(60) });
  other.link.test(other.now as Instant);
  other.wait(14_000).hear(TEST_CON).wait(15_000);
  assertEquals(other.link.state, "started");
  for (const [call, why] of [["start", "t1_start"], ["stop", "t1_stop"]] as const) {
    const one = call === "start" ? new Bench({ role: "controlling" }) : started("controlling");
    one.link[call](one.now as Instant);
    assertEquals(one.wait(14_999).kinds(), []);
    assertEquals(one.wait(1).kinds(), [`closed ${why}`]);
  }
});

Deno.test("t2 confirms what was received, counted from the first", () => {
  const bench = started("controlling");
  bench.hear(i(0, 0)).wait(6000).hear(i(1, 0)).wait(3999);
  assertEquals(bench.said(), []);
  assertEquals(bench.wait(1).said(), ["S 2"]);
  assertEquals(bench.wait(9000).said(), []);
});

Deno.test("t3 tests a silent peer in every state, and goes on doing so", () => {
  for (const bench of [controlled(), started("controlled"), new Bench({ role: "controlling" })]) {
    bench.wait(19_999);
    assertEquals(bench.said(), []);
    assertEquals(bench.wait(1).said(), [TEST_ACT]);
    bench.hear(TEST_CON).wait(20_000);
    assertEquals(bench.said(), [TEST_ACT]);
    assertEquals(bench.wait(15_000).kinds(), ["closed t1_test"]);
  }
});

Deno.test("t3 shorter than t1 does not test twice at once", () => {
  const bench = controlled({ t3: seconds(5) });
  assertEquals(bench.wait(14_000).said(), [TEST_ACT]);
  assertEquals(bench.wait(6000).kinds(), ["closed t1_test"]);
});

Deno.test("An APDU must end five seconds after it began, however slowly it drips", () => {
  const bench = controlled();
  bench.hear("68").wait(2500).hear("04").wait(2499);
  assertEquals(bench.kinds(), []);
  assertEquals(bench.wait(1).kinds(), ["closed fragment_timeout"]);
  const other = controlled();
  other.hear("68 04").wait(4000).hear("43 00 00 00").wait(4000);
  assertEquals([other.said(), other.kinds()], [[TEST_CON], []]);
  // The next one that begins has five seconds of its own.
  other.hear(`68`).wait(3000).hear("04 43 00 00 00 68").wait(3000);
  assertEquals(other.kinds(), []);
  assertEquals(other.wait(2000).kinds(), ["closed fragment_timeout"]);
});

Deno.test("Octets that are no APDU end the connection; nothing is taken after", () => {
  for (const wrong of ["00", "68 03 00", "68 04 0f 00 00 00", "68 fe 00 00 00 00"]) {
    const bench = started("controlled");
    bench.hear(`${TEST_ACT} ${wrong} 00 00 00 00`);
    assertEquals(bench.kinds(), ["closed malformed"], wrong);
    assertEquals(bench.hear(TEST_ACT).said(), []);
    assertEquals([bench.send(), bench.link.unconfirmed], [0, 0]);
  }
});

Deno.test("An ASDU that cannot be read is told, counts as received, and ends nothing", () => {
  const bench = started("controlling", { w: 2 });
  bench.hear("68 06 00 00 00 00 01 02", i(1, 0));
  const [bad, good] = bench.events();
  assert(bad?.kind === "malformed" && good?.kind === "asdu");
  assertEquals([bad.malformed.code, toHex(bad.octets)], ["iec104.asdu.short", "01 02"]);
  assertEquals(bench.said(), ["S 2"]);
});

Deno.test("On release: nothing is confirmed before it is released, neither by w nor t2 nor I", () => {
  const bench = started("controlling", { acknowledge: "on_release", w: 2 });
  bench.hear(i(0, 0), i(1, 0), i(2, 0));
  bench.send(1);
  assertEquals(bench.said(), ["I 0 0"]);
  bench.hear(i(3, 1)).wait(12_000);
  assertEquals([bench.said(), bench.link.unreleased], [[], 4]);
  bench.link.release(1, bench.now as Instant);
  assertEquals(bench.said(), ["S 1"], "t2 had passed");
  bench.link.release(1, bench.now as Instant);
  assertEquals(bench.said(), []);
  bench.link.release(2, bench.now as Instant);
  assertEquals(bench.said(), ["S 4"], "three are more than w");
  assertEquals(bench.link.deadline, bench.now + 8000, "only t3");
  let code = "";
  try {
    bench.link.release(1, bench.now as Instant);
  } catch (error) {
    assert(error instanceof BugError);
    code = error.code;
  }
  assertEquals(code, "iec104.link.release");
});

Deno.test("On release: t2 runs on after a part was confirmed", () => {
  const bench = started("controlling", { acknowledge: "on_release", w: 8 });
  bench.hear(i(0, 0), i(1, 0));
  bench.link.release(1, bench.now as Instant);
  assertEquals(bench.wait(10_000).said(), ["S 1"]);
  bench.link.release(1, bench.now as Instant);
  assertEquals(bench.wait(10_000).said(), ["S 2", TEST_ACT]);
});

Deno.test("On release: what is released while stopping is confirmed at once", () => {
  const bench = started("controlling", { acknowledge: "on_release" });
  bench.hear(i(0, 0), i(1, 0));
  bench.link.stop(bench.now as Instant);
  assertEquals(bench.said(), [STOP_ACT]);
  bench.link.release(1, bench.now as Instant);
  bench.link.release(1, bench.now as Instant);
  assertEquals(bench.said(), ["S 1", "S 2"]);
});

Deno.test("Frames with bits that shall be zero are taken and counted", () => {
  const bench = started("controlled");
  bench.hear("68 04 43 01 02 03");
  assertEquals([bench.said(), bench.link.counts.stray], [[TEST_CON], 1]);
});

Deno.test("Windows out of range are a bug of the caller", () => {
  for (const options of [{ k: 0 }, { w: 32_768 }, { k: 1.5 }]) {
    let code = "";
    try {
      controlled(options);
    } catch (error) {
      assert(error instanceof BugError);
      code = error.code;
    }
    assertEquals(code, "iec104.link.window");
  }
});

Deno.test("A peer that sends tests and takes nothing makes no queue without end", () => {
  const bench = controlled();
  for (let times = 0; times < 1000; times += 1) bench.hear(TEST_ACT);
  assertEquals(bench.said().length, 1000);
  assertEquals(bench.link.transmit(), undefined);
});
