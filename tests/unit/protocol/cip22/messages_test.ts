import fc from "fast-check";
import {
  type Message,
  type MessageKind,
  readMessage,
  TYPE,
  typeOf,
  writeMessage,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

/**
 * Each kind: its type, and its elements as name, tag, form and size; `?` is one that may lack.
 * Forms: t text of so many octets at most, o octets, u number, n number that a double can hold, b
 * big number, f flag.
 */
const KINDS: Readonly<Record<MessageKind, readonly [type: number, elements: string]>> = {
  challengeRequest: [0x02, "pile=01t64 cipher?=15u1"],
  challenge: [
    0x03,
    "challenge=03o32 policyHash=04o32 expiry=14u4 sessionId=09o16 publicKey?=08o65",
  ],
  authResp: [0x04, "pile=01t64 sequence=02b8 policyHash=04o32 signature=05o64 publicKey?=08o65"],
  authResult: [0x05, "result=0au1 check?=16o4 time=06n8"],
  heartbeat: [0x06, "time=06n8"],
  register: [0x0a, "hardware=24t255 version=13t255 power=0eu4"],
  timeSync: [0x0b, "time=06n8"],
  status: [
    0x15,
    "port?=0cu1 state=0du1 closed=25f1 power=0eu4 energy=0fn8 limit?=18u4 reason?=0bu2 " +
    "hazard?=17f1 policyVersion?=22u4 version?=13t255 time=06n8",
  ],
  fault: [0x09, "port?=0cu1 reason=0bu2 hazard=17f1 cleared=21f1 text?=23t255 time=06n8"],
  battTelem: [0x08, "bikeId=10t255 time=06n8 data=1bo digest=11o32 signature?=05o"],
  tradeRecord: [
    0x0c,
    "trade=1ct96 port?=0cu1 bikeId?=10t255 begin=1dn8 end=1en8 energy=0fn8 cost=1fn8 " +
    "policyVersion=22u4",
  ],
  tradeAck: [0x0d, "trade=1ct96"],
  setPolicy: [0x07, "ticket=20u4 policy=12t49152"],
  start: [0x10, "ticket=20u4 port?=0cu1 limit?=18u4"],
  stop: [0x11, "ticket=20u4 port?=0cu1"],
  limit: [0x12, "ticket=20u4 port?=0cu1 limit=18u4"],
  unlock: [0x13, "ticket=20u4 port?=0cu1"],
  confirm: [0x16, "ticket=20u4 port?=0cu1"],
  read: [0x01, "ticket=20u4"],
  portQuery: [0x0e, "ticket=20u4 port?=0cu1"],
  restart: [0x0f, "ticket=20u4"],
  upgrade: [0x14, "ticket=20u4 size?=1au4 offset?=19u4 data=1bo"],
  answer: [0x80, "ticket=20u4 result=0au1 text?=23t255 offset?=19u4"],
};
const NAMES = Object.keys(KINDS) as MessageKind[];
const ASKED = NAMES.filter((kind) => kind !== "answer");

interface Element {
  readonly name: string;
  readonly tag: number;
  readonly form: string;
  readonly size: number;
  readonly optional: boolean;
}

function elementsOf(kind: MessageKind): Element[] {
  return KINDS[kind][1].split(" ").map((text) => {
    const [, name, optional, tag, form, size] = /^(\w+?)(\??)=(..)(.)(\d*)$/.exec(text)!;
    return {
      name: name!,
      tag: parseInt(tag!, 16),
      form: form!,
      size: Number(size || -1),
      optional: optional === "?",
    };
  });
}

const encoded = (text: string) => new TextEncoder().encode(text);

function anyValue({ form, size }: Element): fc.Arbitrary<unknown> {
  switch (form) {
    case "t":
      return fc.string({ unit: "binary", maxLength: 80 }).filter((text) =>
        encoded(text).length <= size
      );
    case "o":
      return fc.uint8Array(size < 0 ? { maxLength: 200 } : { minLength: size, maxLength: size });
    case "u":
      return fc.nat(2 ** Math.min(31, size * 8) - 1).map((n) => size === 4 ? 2 * n + 1 : n);
    case "n":
      return fc.maxSafeNat();
    case "b":
      return fc.bigInt(0n, (1n << 64n) - 1n);
    default:
      return fc.boolean();
  }
}

function anyMessage(kind: MessageKind): fc.Arbitrary<Message> {
  const elements = elementsOf(kind);
  const all = Object.fromEntries(elements.map((one) => [one.name, anyValue(one)]));
  const requiredKeys = elements.filter(({ optional }) => !optional).map(({ name }) => name);
  const to = kind === "answer" ? fc.constantFrom(...ASKED) : fc.constant(undefined);
  return fc.tuple(fc.record(all, { requiredKeys }), to).map(([body, asked]) =>
    ({ kind, ...asked && { to: asked }, ...body }) as unknown as Message
  );
}

const put = ({ tag }: Pick<Element, "tag">, value: Uint8Array) =>
  Uint8Array.of(tag, value.length >> 8, value.length, ...value);
const join = (parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** Octets that each element takes. */
function goodOctets({ form, size }: Element): Uint8Array {
  if (form === "t") return encoded("grün");
  return new Uint8Array(size < 0 ? 5 : size).fill(form === "n" ? 0 : 1);
}

/** What may not stand in an element. */
function badOctets({ form, size }: Element): Uint8Array[] {
  const filled = (length: number, octet = 1) => new Uint8Array(length).fill(octet);
  if (form === "t") {
    const wrong = ["ff", "c3", "61c328", "c080", "eda080", "f4908080"];
    return [filled(size + 1, 0x61), ...wrong.map((hex) => Uint8Array.fromHex(hex))];
  }
  if (size < 0) return [];
  const sizes = [filled(size - 1), filled(size + 1)];
  if (form === "f") return [...sizes, Uint8Array.of(2), Uint8Array.of(255)];
  if (form === "n") return [...sizes, Uint8Array.fromHex("0020000000000000"), filled(8, 255)];
  return sizes;
}

/** A message of all elements as octets, one element each. */
const parts = (kind: MessageKind) => elementsOf(kind).map((one) => put(one, goodOctets(one)));
const typeFor = (kind: MessageKind) => kind === "answer" ? 0x90 : KINDS[kind][0];
const at = (all: readonly Uint8Array[], index: number) => join(all.slice(0, index)).length;

/** The same payload within more octets: offsets count from its own start. */
function within(payload: Uint8Array): Uint8Array {
  return Uint8Array.of(0xc1, 2, 32, ...payload, 9, 9).subarray(3, 3 + payload.length);
}

function refused(kind: MessageKind, payload: Uint8Array, name: string, offset: number): void {
  const wanted = { kind: "malformed", code: `cip22.message.${name}`, offset } as const;
  assertEquals(readMessage(typeFor(kind), within(payload)), wanted, `${name} of ${kind}`);
}

Deno.test("What is written is read again, of every kind", () => {
  for (const kind of NAMES) {
    fc.assert(
      fc.property(anyMessage(kind), (message) => {
        assertEquals(readMessage(typeOf(message), within(writeMessage(message))), message);
      }),
      { numRuns: 25 },
    );
  }
});

Deno.test("An element that is missing or comes twice is named, with its place", () => {
  for (const kind of NAMES) {
    const whole = parts(kind);
    assert(!("code" in readMessage(typeFor(kind), join(whole))!));
    for (const [index, { name, optional }] of elementsOf(kind).entries()) {
      const without = join(whole.toSpliced(index, 1));
      if (optional) {
        const message = readMessage(typeFor(kind), without);
        assert(message && !("code" in message) && !(name in message), name);
      } else refused(kind, without, name, without.length);
      const twice = [...whole, whole[index]!];
      refused(kind, join(twice), name, at(twice, whole.length));
      const ahead = [whole[index]!, ...whole];
      refused(kind, join(ahead), name, at(ahead, index + 1));
    }
  }
});

Deno.test("An element that holds no value of its kind is named, with its place", () => {
  for (const kind of NAMES) {
    for (const [index, one] of elementsOf(kind).entries()) {
      for (const wrong of badOctets(one)) {
        const all = parts(kind).with(index, put(one, wrong));
        refused(kind, join(all), one.name, at(all, index));
      }
    }
  }
});

Deno.test("Elements that a kind does not know are passed over, and the order does not matter", () => {
  for (const kind of NAMES) {
    const own = new Set(elementsOf(kind).map(({ tag }) => tag));
    const whole = parts(kind);
    const wanted = readMessage(typeFor(kind), join(whole));
    for (let tag = 0; tag < 256; tag += 1) {
      if (own.has(tag)) continue;
      const stranger = put({ tag }, Uint8Array.of(1, 2, 3));
      const all = whole.flatMap((part) => [stranger, part]).concat(stranger);
      assertEquals(readMessage(typeFor(kind), join(all)), wanted);
    }
    assertEquals(readMessage(typeFor(kind), join(whole.toReversed())), wanted);
  }
});

Deno.test("Types have these numbers, answers the highest bit besides, and others mean nothing", () => {
  for (const [kind, [type]] of Object.entries(KINDS)) {
    assertEquals(TYPE[kind as MessageKind], type, kind);
  }
  assertEquals(Object.keys(TYPE).toSorted(), NAMES.toSorted());
  const known = new Set(ASKED.map((kind) => KINDS[kind][0]));
  const answer = join(parts("answer"));
  for (let type = 0; type < 256; type += 1) {
    const message = readMessage(type, answer);
    assertEquals(message !== undefined, known.has(type & 0x7f), `type ${type}`);
    if (type >= 0x80 && message) {
      assert(message.kind === "answer");
      assertEquals(KINDS[message.to][0], type & 0x7f);
      assertEquals(typeOf(message), type);
    }
  }
});

const T = 1_767_225_600_000; // 0000019b76daa800
const VECTORS: readonly (readonly [string, Message])[] = [
  ["02 010002 7031 150001 01", { kind: "challengeRequest", pile: "p1", cipher: 1 }],
  [
    `03 030020 ${"0a".repeat(32)} 040020 ${"0b".repeat(32)} 140004 00007530 090010 ` +
    `${"0c".repeat(16)} 080041 ${"04".repeat(65)}`,
    {
      kind: "challenge",
      challenge: new Uint8Array(32).fill(10),
      policyHash: new Uint8Array(32).fill(11),
      expiry: 30_000,
      sessionId: new Uint8Array(16).fill(12),
      publicKey: new Uint8Array(65).fill(4),
    },
  ],
  [
    `04 010002 7031 020008 0000000066cf4fe9 040020 ${"0b".repeat(32)} 050040 ${"0d".repeat(64)}`,
    {
      kind: "authResp",
      pile: "p1",
      sequence: 1_724_862_441n,
      policyHash: new Uint8Array(32).fill(11),
      signature: new Uint8Array(64).fill(13),
    },
  ],
  [
    "05 0a0001 00 160004 4911078c 060008 0000019b76daa800",
    { kind: "authResult", result: 0, check: Uint8Array.of(0x49, 0x11, 7, 0x8c), time: T },
  ],
  ["06 060008 0000019b76daa800", { kind: "heartbeat", time: T }],
  [
    "0a 240005 4e32303520 130003 322e30 0e0004 00001b58",
    { kind: "register", hardware: "N205 ", version: "2.0", power: 7000 },
  ],
  ["0b 060008 0000019b76daa800", { kind: "timeSync", time: T }],
  [
    "15 0c0001 02 0d0001 02 250001 01 0e0004 00000d48 0f0008 00000000000030d4 060008 " +
    "0000019b76daa800",
    {
      kind: "status",
      port: 2,
      state: 2,
      closed: true,
      power: 3400,
      energy: 12_500,
      time: T,
    },
  ],
  [
    "09 0b0002 0103 170001 01 210001 00 230003 e783ad 060008 0000019b76daa800",
    { kind: "fault", reason: 259, hazard: true, cleared: false, text: "热", time: T },
  ],
  [
    `08 100002 6231 060008 0000019b76daa800 1b0002 7b7d 110020 ${"0e".repeat(32)}`,
    {
      kind: "battTelem",
      bikeId: "b1",
      time: T,
      data: Uint8Array.of(0x7b, 0x7d),
      digest: new Uint8Array(32).fill(14),
    },
  ],
  [
    "0c 1c0002 7431 0c0001 01 1d0008 0000019b76daa800 1e0008 0000019b76daa801 0f0008 " +
    "0000000000000001 1f0008 0000000000000002 220004 00000003",
    {
      kind: "tradeRecord",
      trade: "t1",
      port: 1,
      begin: T,
      end: T + 1,
      energy: 1,
      cost: 2,
      policyVersion: 3,
    },
  ],
  ["0d 1c0002 7431", { kind: "tradeAck", trade: "t1" }],
  ["07 200004 00000001 120002 7b7d", { kind: "setPolicy", ticket: 1, policy: "{}" }],
  [
    "10 200004 fffffffe 0c0001 01 180004 00000dac",
    { kind: "start", ticket: 0xffff_fffe, port: 1, limit: 3500 },
  ],
  ["11 200004 00000002 0c0001 01", { kind: "stop", ticket: 2, port: 1 }],
  ["12 200004 00000003 180004 00000000", { kind: "limit", ticket: 3, limit: 0 }],
  ["13 200004 00000004 0c0001 ff", { kind: "unlock", ticket: 4, port: 255 }],
  ["16 200004 00000005", { kind: "confirm", ticket: 5 }],
  ["01 200004 00000006", { kind: "read", ticket: 6 }],
  ["0e 200004 00000007 0c0001 00", { kind: "portQuery", ticket: 7, port: 0 }],
  ["0f 200004 00000008", { kind: "restart", ticket: 8 }],
  [
    "14 200004 00000009 1a0004 00010000 190004 00000200 1b0001 5a",
    { kind: "upgrade", ticket: 9, size: 65_536, offset: 512, data: Uint8Array.of(0x5a) },
  ],
  [
    "94 200004 00000009 0a0001 02 190004 00000201",
    { kind: "answer", to: "upgrade", ticket: 9, result: 2, offset: 513 },
  ],
  [
    "90 200004 fffffffe 0a0001 01 230002 6e6f",
    { kind: "answer", to: "start", ticket: 0xffff_fffe, result: 1, text: "no" },
  ],
];

Deno.test("The octets of each kind are the known ones", () => {
  assertEquals(new Set(VECTORS.map(([, { kind }]) => kind)).size, NAMES.length);
  for (const [known, message] of VECTORS) {
    const octets = Uint8Array.of(typeOf(message), ...writeMessage(message));
    assertEquals(octets.toHex(), known.replaceAll(" ", ""), message.kind);
    assertEquals(readMessage(octets[0]!, octets.subarray(1)), message);
  }
});

Deno.test("A mark of the order of octets stays in a text, for texts are signed", () => {
  const message: Message = { kind: "setPolicy", ticket: 1, policy: "\ufeff{}" };
  assertEquals(readMessage(TYPE.setPolicy, writeMessage(message)), message);
});

Deno.test("A message that is cut anywhere is malformed there, or lacks what was cut off", () => {
  for (const [, message] of VECTORS) {
    const octets = writeMessage(message);
    const type = typeOf(message);
    for (let length = 0; length < octets.length; length += 1) {
      const read = readMessage(type, octets.subarray(0, length))!;
      if (read.kind === "malformed") assert(read.offset <= length);
      else assertEquals(writeMessage(read), octets.slice(0, length));
    }
  }
});

Deno.test("Any octets are a message that is written the same way again, or none", () => {
  const type = fc.oneof(fc.nat(255), fc.constantFrom(...NAMES.map(typeFor)));
  const element = fc.tuple(fc.nat(0x28), fc.nat(70)).chain(([tag, size]) =>
    fc.uint8Array({ minLength: size, maxLength: size }).map((value) => put({ tag }, value))
  );
  const payload = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.array(element).map(join));
  fc.assert(
    fc.property(type, payload, (number, octets) => {
      const read = readMessage(number, octets);
      if (read === undefined) return;
      if (read.kind === "malformed") assert(read.offset >= 0 && read.offset <= octets.length);
      else {
        assertEquals(typeOf(read), number);
        assertEquals(readMessage(number, writeMessage(read)), read);
      }
    }),
    { numRuns: 3000 },
  );
});
