import { after, type Instant, millis, seconds } from "../../../../src/base/time.ts";
import { makeSecp256k1, signSecp256k1 } from "../../../../src/crypto/sm2_curve.ts";
import { readImageHead, writeImage } from "../../../../src/protocol/cip22/image.ts";
import {
  type Message,
  type MessageOf,
  PILE_FAULT,
  PILE_STATES,
  PileDevice,
  type PileDeviceOptions,
  type PileHardware,
  type PileState,
  RESULT,
} from "../../../../src/protocol/cip22/mod.ts";
import { readUnsignedPolicy, signPolicy } from "../../../../src/protocol/cip22/policy.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { policyFields } from "../../../sim/piles.ts";

const EPOCH = Date.UTC(2026, 5, 1, 12);
const MAKER = makeSecp256k1();
const STRANGER = makeSecp256k1();
const KEY = { signer: "secp256k1", point: MAKER.point } as const;

class Relay implements PileHardware {
  relayClosed = false;
  /** It stays as it is. */
  stuck = false;
  readonly moves: string[] = [];

  openRelay(): void {
    this.moves.push("open");
    if (!this.stuck) this.relayClosed = false;
  }

  closeRelay(): void {
    this.moves.push("close");
    if (!this.stuck) this.relayClosed = true;
  }
}

type Unsent = Message extends infer One ? One extends { ticket: number } ? Omit<One, "ticket"> : One
  : never;

/** A pile under a clock of its own. */
class Bench {
  readonly relay = new Relay();
  readonly device: PileDevice;
  readonly told: Message[] = [];
  now = 0 as Instant;
  #ticket = 0;

  constructor(options: Partial<PileDeviceOptions> = {}) {
    const all = { pile: "pile", policyKey: KEY, imageKey: KEY, power: 6000, ...options };
    this.device = new PileDevice(all, this.relay, this.now, this.epoch);
  }

  get epoch(): number {
    return EPOCH + this.now;
  }

  get state(): PileState {
    return this.device.pile.state;
  }

  connect(): this {
    this.told.push(...this.device.connected(this.now, this.epoch));
    return this;
  }

  lose(): this {
    this.device.lost(this.now, this.epoch);
    return this;
  }

  /** Gives a command. @returns Its answer. */
  ask(command: Unsent): MessageOf<"answer"> {
    const ticket = this.#ticket += 1;
    const said = this.device.take({ ...command, ticket } as Message, this.now, this.epoch);
    const answer = said.pop();
    this.told.push(...said);
    assert(answer?.kind === "answer" && answer.to === command.kind && answer.ticket === ticket);
    return answer;
  }

  done(command: Unsent): this {
    const answer = this.ask(command);
    assertEquals([answer.result, answer.text], [RESULT.done, undefined]);
    return this;
  }

  refused(command: Unsent): string {
    const { result, text } = this.ask(command);
    assertEquals(result, RESULT.refused);
    return text!;
  }

  say(message: Message): this {
    this.told.push(...this.device.take(message, this.now, this.epoch));
    return this;
  }

  fault(code: number, hazard: boolean, cleared = false): this {
    this.told.push(...this.device.fault({ code, hazard }, cleared, this.now, this.epoch));
    return this;
  }

  /** Lets time pass, with ticks when they are due. */
  pass(span: number): this {
    const end = after(this.now, millis(span));
    for (let turns = 0;; turns += 1) {
      assert(turns < 20_000, "a deadline does not move");
      const { deadline } = this.device;
      this.now = Math.min(deadline ?? Infinity, end) as Instant;
      this.told.push(...this.device.tick(this.now, this.epoch));
      if (this.now >= end) return this;
      assert((this.device.deadline ?? Infinity) > this.now, "a deadline that has passed stays");
    }
  }

  heard<Kind extends Message["kind"]>(kind: Kind): MessageOf<Kind>[] {
    return this.told.filter((one) => one.kind === kind) as MessageOf<Kind>[];
  }
}

function policy(version: number, change: Record<string, unknown> = {}, secret = MAKER.secret) {
  const read = readUnsignedPolicy(JSON.stringify(policyFields(version, {
    "valid_from": "2026-06-01T00:00:00Z",
    "valid_until": "2026-06-01T12:05:00Z",
    "utc_offset_minutes": 0,
    periods: [{ from: "00:00", to: "24:00", "energy_price": 900, "service_price": 100 }],
    offline: { "keep_charging": false },
    ...change,
  })));
  assert("policy" in read, JSON.stringify(read));
  return signPolicy(read.policy, "secp256k1", (octets) => signSecp256k1(secret, octets));
}

function image(version = "2.0.0", hardware = "busbar-sim", secret = MAKER.secret) {
  const payload = Uint8Array.from({ length: 1000 }, (_, at) => at * 7);
  const sign = (octets: Uint8Array) => signSecp256k1(secret, octets);
  const octets = writeImage({ version, hardware, payload }, "secp256k1", sign);
  const head = readImageHead(octets);
  assert(head.kind === "image");
  return { octets, head: octets.subarray(0, head.size) };
}

function install(bench: Bench, octets: Uint8Array, from: number): MessageOf<"answer"> {
  for (let offset = from;;) {
    const data = octets.subarray(offset, offset + 300);
    const answer = bench.ask({ kind: "upgrade", offset, data });
    if (answer.result !== RESULT.more) return answer;
    offset = answer.offset!;
  }
}

Deno.test("A pile that is believed says who and how it is, and goes on to do so", () => {
  const bench = new Bench().connect();
  assertEquals(bench.told.map(({ kind }) => kind), ["register", "status"]);
  assertEquals(bench.state, "standby");
  bench.pass(3000);
  const statuses = bench.heard("status");
  assertEquals(statuses.length, 4);
  assertEquals(statuses[3], {
    kind: "status",
    port: 1,
    state: PILE_STATES.indexOf("standby"),
    closed: false,
    power: 0,
    energy: 0,
    hazard: false,
    version: "1.0.0",
    time: EPOCH + 3000,
  });
});

Deno.test("A charge closes the relay, counts energy, and leaves a record priced by the policy", () => {
  const bench = new Bench().connect().done({ kind: "setPolicy", policy: policy(3) });
  bench.done({ kind: "start" }).pass(60_000);
  assertEquals([bench.state, bench.relay.relayClosed], ["charging", true]);
  bench.done({ kind: "limit", limit: 3000 }).pass(60_000).done({ kind: "stop" });
  assertEquals([bench.state, bench.relay.moves], ["standby", ["close", "open"]]);
  assertEquals(bench.heard("tradeRecord"), [{
    kind: "tradeRecord",
    trade: `pile-${EPOCH}`,
    begin: EPOCH,
    end: EPOCH + 120_000,
    energy: 150,
    cost: 150,
    policyVersion: 3,
  }]);
});

Deno.test("Limits: of the pile, of a charge, of the policy; the one of a charge ends with it", () => {
  const bench = new Bench().connect();
  const power = () => bench.pass(1000).heard("status").at(-1)!.power;
  bench.done({ kind: "limit", limit: 5000 }).done({ kind: "start", limit: 1500 });
  assertEquals(power(), 1500);
  bench.done({ kind: "stop" }).done({ kind: "start" });
  assertEquals(power(), 5000);
  bench.done({ kind: "setPolicy", policy: policy(1, { "max_power_w": 2000 }) });
  assertEquals(power(), 2000);
  bench.done({ kind: "limit", limit: 0 });
  assertEquals([power(), bench.relay.relayClosed], [0, true]);
});

Deno.test("A full vehicle ends its charge, with nobody there too", () => {
  for (const alone of [false, true]) {
    const bench = new Bench({ full: 100, grace: seconds(600) }).connect().done({ kind: "start" });
    if (alone) bench.lose();
    bench.pass(70_000);
    assertEquals([bench.relay.relayClosed, bench.device.trades.records.length], [false, 1]);
    assertEquals(bench.state, alone ? "offline" : "standby");
  }
});

Deno.test("Alone it charges for its grace and no longer; nobody there for a moment is nothing", () => {
  const bench = new Bench().connect().done({ kind: "start" }).pass(5000).lose();
  assertEquals([bench.state, bench.device.pile.behind], ["offline", "charging"]);
  bench.pass(59_999);
  assert(bench.relay.relayClosed);
  bench.connect();
  assertEquals(bench.state, "charging");
  bench.pass(120_000).lose().pass(60_000);
  assertEquals([bench.relay.relayClosed, bench.device.pile.behind], [false, "standby"]);
  assertEquals(bench.connect().heard("tradeRecord").length, 1);
});

Deno.test("With a grace of nothing the relay opens at once", () => {
  const bench = new Bench({ grace: millis(0) }).connect().done({ kind: "start" }).lose();
  assertEquals(bench.relay.relayClosed, false);
});

Deno.test("A policy lets it charge alone for as long as it is valid, or says how long", () => {
  const keeps = policy(1, { offline: { "keep_charging": true } });
  const bench = new Bench().connect().done({ kind: "setPolicy", policy: keeps });
  bench.done({ kind: "start" }).lose().pass(299_000);
  assert(bench.relay.relayClosed, "the policy is valid for five minutes");
  bench.pass(2000);
  assert(!bench.relay.relayClosed, "it is not valid any more");
  const short = policy(1, { offline: { "keep_charging": false, "grace_s": 5 } });
  const other = new Bench().connect().done({ kind: "setPolicy", policy: short });
  other.done({ kind: "start" }).lose().pass(4999);
  assert(other.relay.relayClosed);
  assert(!other.pass(1).relay.relayClosed);
});

Deno.test("A relay that does not open endangers people, until it does and a person says so", () => {
  const bench = new Bench().connect().done({ kind: "start" });
  bench.relay.stuck = true;
  assertEquals(bench.refused({ kind: "stop" }), "its relay does not open");
  assertEquals([bench.state, bench.device.pile.hazard], ["fault", true]);
  const [fault] = bench.heard("fault");
  assertEquals([fault!.reason, fault!.hazard, fault!.cleared], [0x0101, true, false]);
  assertEquals(bench.device.alarms, 1);
  const last = bench.pass(1000).heard("status").at(-1)!;
  assertEquals([last.closed, last.reason, last.hazard], [true, 0x0101, true]);
  bench.refused({ kind: "start" });
  bench.refused({ kind: "confirm" });
  const { head } = image();
  assertEquals(bench.refused({ kind: "upgrade", data: head }), "its fault endangers people");
  bench.relay.stuck = false;
  bench.relay.openRelay();
  bench.pass(1000);
  assertEquals(bench.heard("fault").map(({ cleared }) => cleared), [false, true]);
  assertEquals(bench.state, "fault");
  bench.done({ kind: "confirm" });
  assertEquals([bench.state, bench.device.pile.hazard], ["standby", false]);
});

Deno.test("A stuck relay found while alone is told when somebody comes", () => {
  const bench = new Bench({ grace: seconds(1) }).connect().done({ kind: "start" }).lose();
  bench.relay.stuck = true;
  bench.told.length = 0;
  bench.pass(5000).connect();
  assertEquals([bench.state, bench.heard("fault")[0]?.reason], ["fault", PILE_FAULT.relayStuck]);
});

Deno.test("A relay that does not close, or falls open, is a fault, and start is not done", () => {
  const bench = new Bench().connect();
  bench.relay.stuck = true;
  assertEquals(bench.refused({ kind: "start" }), "its relay does not close");
  assertEquals([bench.state, bench.heard("tradeRecord").length], ["fault", 0]);
  bench.relay.stuck = false;
  bench.pass(1000).done({ kind: "confirm" }).done({ kind: "start" }).pass(10_000);
  bench.relay.relayClosed = false;
  bench.pass(1000);
  assertEquals([bench.state, bench.heard("tradeRecord").length], ["fault", 1]);
});

Deno.test("A welded relay is found while nothing charges", () => {
  const bench = new Bench().connect();
  bench.relay.relayClosed = bench.relay.stuck = true;
  assertEquals(bench.pass(1000).state, "fault");
});

Deno.test("Of two faults both have to be gone before a person may confirm", () => {
  const bench = new Bench().connect().done({ kind: "start" }).fault(7, true).fault(8, false);
  assertEquals([bench.state, bench.relay.relayClosed], ["fault", false]);
  bench.fault(7, true, true);
  assertEquals(bench.refused({ kind: "confirm" }), "its fault is not cleared");
  bench.fault(8, false, true).done({ kind: "confirm" });
  assertEquals(bench.state, "standby");
});

Deno.test("Records are sent with each connection until the gateway has them; names never repeat", () => {
  const bench = new Bench({ trades: 3 }).connect();
  // The gateway's clock goes back: two charges begin at what seems the same time.
  for (let turn = 0; turn < 2; turn += 1) {
    bench.say({ kind: "timeSync", time: EPOCH });
    bench.done({ kind: "start" }).pass(100).done({ kind: "stop" });
  }
  const names = bench.heard("tradeRecord").map(({ trade }) => trade);
  assertEquals(names, [`pile-${EPOCH}`, `pile-${EPOCH + 1}`]);
  bench.told.length = 0;
  bench.lose().connect().say({ kind: "tradeAck", trade: names[0]! });
  assertEquals(bench.heard("tradeRecord").map(({ trade }) => trade), names);
  bench.told.length = 0;
  bench.lose().connect();
  assertEquals(bench.heard("tradeRecord").map(({ trade }) => trade), [names[1]!]);
  for (let turn = 0; turn < 3; turn += 1) {
    bench.done({ kind: "start" }).pass(1000).done({ kind: "stop" });
  }
  assertEquals([bench.device.trades.records.length, bench.device.trades.dropped], [3, 1]);
  assert(!bench.device.trades.records.some(({ trade }) => trade === names[1]));
});

Deno.test("A policy has to be signed by the right key, and to be a later one", () => {
  const bench = new Bench().connect().done({ kind: "setPolicy", policy: policy(5) });
  bench.refused({ kind: "setPolicy", policy: policy(6, {}, STRANGER.secret) });
  bench.refused({ kind: "setPolicy", policy: policy(5) });
  bench.refused({ kind: "setPolicy", policy: policy(4) });
  bench.refused({ kind: "setPolicy", policy: "{}" });
  bench.refused({ kind: "setPolicy", policy: policy(2 ** 32) });
  assertEquals(bench.device.policy?.version, 5);
  bench.done({ kind: "setPolicy", policy: policy(6) });
  assertEquals(bench.heard("status").at(-1)!.policyVersion, 6);
});

Deno.test("The plug is locked while it charges, and let go in standby only", () => {
  const bench = new Bench().connect().done({ kind: "start" });
  assert(bench.device.plugLocked);
  assertEquals(bench.refused({ kind: "unlock" }), "it is in charging");
  bench.done({ kind: "stop" });
  assert(bench.device.plugLocked);
  assert(!bench.done({ kind: "unlock" }).device.plugLocked);
});

Deno.test("A restart stops the charge, takes a while, and keeps what is known", () => {
  const bench = new Bench().connect().done({ kind: "setPolicy", policy: policy(1) });
  bench.done({ kind: "start" }).pass(1000).done({ kind: "restart" });
  assert(bench.device.rebooting && !bench.relay.relayClosed);
  assertEquals(bench.refused({ kind: "start" }), "it restarts");
  bench.lose().pass(2000);
  assert(!bench.device.rebooting);
  bench.connect().done({ kind: "start" });
  assertEquals(bench.device.policy?.version, 1);
});

Deno.test("A good image is installed from within a charge, and its version is told", () => {
  const { octets, head } = image();
  const bench = new Bench().connect().done({ kind: "start" }).pass(1000);
  const offer = { kind: "upgrade", size: octets.length, data: head } as const;
  assertEquals(bench.ask(offer).offset, head.length);
  assertEquals([bench.state, bench.relay.relayClosed], ["upgrading", false]);
  assert(!bench.device.operable);
  bench.refused({ kind: "start" });
  bench.refused({ kind: "restart" });
  bench.refused({ kind: "limit", limit: 1 });
  // A connection may be lost on the way: it goes on where it was.
  bench.ask({ kind: "upgrade", offset: head.length, data: octets.subarray(head.length, 500) });
  bench.lose().pass(1000).connect();
  assertEquals(bench.ask(offer).offset, 500);
  assertEquals(
    bench.refused({ kind: "upgrade", data: image("3.0.0").head }),
    "it is being upgraded",
  );
  assertEquals(
    bench.refused({ kind: "upgrade", offset: 900, data: octets.subarray(900) }),
    "octets before it are missing",
  );
  assertEquals(install(bench, octets, 500).result, RESULT.done);
  assert(bench.device.rebooting);
  bench.lose().pass(2000);
  assertEquals([bench.device.rebooting, bench.state], [false, "offline"]);
  bench.told.length = 0;
  bench.connect();
  assertEquals([bench.state, bench.device.operable], ["standby", true]);
  assertEquals(bench.heard("register")[0]!.version, "2.0.0");
  assertEquals(bench.heard("status")[0]!.version, "2.0.0");
  bench.done({ kind: "start" });
});

Deno.test("A damaged image, one of a stranger, an older one, one for others: none is installed", () => {
  const { octets, head } = image();
  const bench = new Bench().connect();
  const stranger = image("2.0.0", "busbar-sim", STRANGER.secret);
  assertEquals(
    bench.refused({ kind: "upgrade", data: stranger.head }),
    "the image is not signed by the maker",
  );
  assertEquals(
    bench.refused({ kind: "upgrade", data: image("0.9.0").head }),
    "the image is older than what runs",
  );
  assertEquals(
    bench.refused({ kind: "upgrade", data: image("2.0.0", "other").head }),
    "the image is for other hardware",
  );
  assertEquals(
    bench.refused({ kind: "upgrade", data: head.subarray(0, 50) }),
    "the head of the image is not whole",
  );
  assertEquals(
    bench.refused({ kind: "upgrade", data: Uint8Array.of(1, 2) }),
    "what was offered is no image",
  );
  assertEquals(
    bench.refused({ kind: "upgrade", data: head, size: 5 }),
    "the image has another size than was told",
  );
  assertEquals(bench.refused({ kind: "upgrade", offset: 5, data: head }), "no image was offered");
  assertEquals(bench.state, "standby");
  const damaged = octets.with(octets.length - 1, 99);
  assertEquals(bench.ask({ kind: "upgrade", data: head }).result, RESULT.more);
  assertEquals(install(bench, damaged, head.length).text, "the image is damaged");
  assertEquals([bench.state, bench.device.firmware.version], ["standby", "1.0.0"]);
  assertEquals(bench.heard("fault").map(({ reason }) => reason), [0x0105, 0x0105]);
  assert(!bench.device.rebooting);
  const keyless = new Bench({ imageKey: undefined }).connect();
  assertEquals(
    keyless.refused({ kind: "upgrade", data: head }),
    "it has no key of the maker, and takes no image",
  );
});

Deno.test("An image that does not start is tried three times; then the old one runs again", () => {
  const { octets, head } = image();
  const bench = new Bench({ bootsBadly: true }).connect();
  bench.ask({ kind: "upgrade", data: head });
  assertEquals(install(bench, octets, head.length).result, RESULT.done);
  bench.lose().pass(7999);
  assert(bench.device.rebooting);
  bench.pass(1);
  assert(!bench.device.rebooting);
  bench.told.length = 0;
  bench.connect();
  assertEquals([bench.state, bench.heard("register")[0]!.version], ["standby", "1.0.0"]);
  assertEquals(bench.heard("fault").map(({ reason }) => reason), [0x0103, 0x0103]);
  bench.told.length = 0;
  assertEquals(bench.lose().connect().heard("fault"), [], "it is told once");
});

Deno.test("Where no image starts it is a fault that nobody can confirm away", () => {
  const { octets, head } = image();
  const bench = new Bench({ bootsBadly: "bricks" }).connect();
  bench.ask({ kind: "upgrade", data: head });
  install(bench, octets, head.length);
  bench.lose().pass(20_000).connect();
  assertEquals([bench.state, bench.device.faults[0]?.code], ["fault", PILE_FAULT.bricked]);
  bench.refused({ kind: "confirm" });
});

Deno.test("An upgrade whose image does not come on is given up; a fault ends it at once", () => {
  const { octets, head } = image();
  const bench = new Bench().connect();
  bench.ask({ kind: "upgrade", data: head });
  bench.pass(119_999);
  assertEquals(bench.state, "upgrading");
  bench.pass(1);
  assertEquals(bench.state, "standby");
  bench.ask({ kind: "upgrade", data: head });
  bench.fault(9, true);
  assertEquals(bench.state, "fault");
  assertEquals(install(bench, octets, head.length).text, "no image was offered");
  bench.fault(9, true, true).done({ kind: "confirm" });
  assert(bench.device.operable);
});

Deno.test("A relay that sticks on the way to an upgrade: a fault, and no upgrade", () => {
  const bench = new Bench().connect().done({ kind: "start" });
  bench.relay.stuck = true;
  assertEquals(bench.refused({ kind: "upgrade", data: image().head }), "its relay does not open");
  assertEquals([bench.state, bench.device.pile.hazard], ["fault", true]);
});

Deno.test("Every command in every state is answered, with a reason where it is refused", () => {
  const commands: Unsent[] = [
    { kind: "start" },
    { kind: "stop" },
    { kind: "limit", limit: 100 },
    { kind: "unlock" },
    { kind: "confirm" },
    { kind: "read" },
    { kind: "portQuery" },
    { kind: "portQuery", port: 2 },
    { kind: "restart" },
    { kind: "setPolicy", policy: policy(1) },
    { kind: "upgrade", data: image().head },
    { kind: "upgrade", offset: 0, data: image().head },
  ];
  const ways: Record<PileState | "rebooting", (bench: Bench) => unknown> = {
    offline: (bench) => bench.lose(),
    standby: () => {},
    charging: (bench) => bench.done({ kind: "start" }),
    fault: (bench) => bench.fault(1, true),
    upgrading: (bench) => bench.ask({ kind: "upgrade", data: image().head }),
    rebooting: (bench) => bench.done({ kind: "restart" }),
  };
  const got: Record<string, string> = {};
  for (const [state, way] of Object.entries(ways)) {
    got[state] = commands.map((command) => {
      const bench = new Bench().connect();
      way(bench);
      const { result, text } = bench.ask(command);
      assertEquals(result === RESULT.refused, text !== undefined);
      bench.pass(5000);
      return ["=", "!", "+"][result];
    }).join("");
  }
  assertEquals(got, {
    offline: "!==!!==!==!!",
    standby: "=======!==+!",
    charging: "!==!===!==+!",
    fault: "!==!!==!==!!",
    upgrading: "!=!!!==!!=++",
    rebooting: "!!!!!!!!!!!!",
  });
});

Deno.test("What has no ticket is not answered, and what is not for piles is counted", () => {
  const bench = new Bench().connect();
  bench.told.length = 0;
  bench.say({ kind: "heartbeat", time: 1 }).say({ kind: "tradeAck", trade: "none" });
  bench.say({ kind: "timeSync", time: EPOCH + 5000 });
  assertEquals([bench.told, bench.device.unexpected], [[], 0]);
  assertEquals(bench.pass(1000).heard("status")[0]!.time, EPOCH + 6000);
  bench.say({ kind: "register", hardware: "", version: "", power: 1 });
  assertEquals(bench.device.unexpected, 1);
});
