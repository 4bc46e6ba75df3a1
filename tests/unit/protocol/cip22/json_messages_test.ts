import fc from "fast-check";
import {
  challengeJson,
  convert,
  ENVELOPE_MAX,
  type ExtensionMap,
  extensionMap,
  type JsonAuth,
  readChallengeJson,
  readJsonAuth,
  readJsonEvent,
  writeJsonAuth,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const fill = (size: number, octet: number) => new Uint8Array(size).fill(octet);
const POINT = Uint8Array.of(4, ...fill(64, 9));
const AUTH = {
  type: "AUTH_RESP",
  seq: 7,
  "device_id": "pile-1",
  sig: `0x${"ab".repeat(64)}`,
  "policy_hash": "cd".repeat(32),
};
const RESPONSE = {
  pile: "pile-1",
  sequence: 7n,
  policyHash: fill(32, 0xcd),
  signature: fill(64, 0xab),
};
const SESSION = { "public_key": POINT.toHex(), signer: "sm2", cipher: "sm4-gcm" };
const EXTENSIONS = known();

function known(): ExtensionMap {
  const extensions = extensionMap(new Map([["meter", { type: "number" }]]));
  assert(!("fault" in extensions), "a fault");
  return extensions;
}

function good<T extends object>(result: T): Exclude<T, { readonly fault: string }> {
  assert(!("fault" in result), JSON.stringify(result));
  return result as Exclude<T, { readonly fault: string }>;
}

function fault(result: object): unknown {
  assert("fault" in result, "no fault");
  return result.fault;
}

const auth = (fields: object, version?: string) =>
  readJsonAuth(JSON.stringify(fields), version, EXTENSIONS);
const event = (fields: object, version?: string) =>
  readJsonEvent(JSON.stringify(fields), version, EXTENSIONS);
const carry = (fields: object, from: string | undefined, to: "1.2" | "2.0") =>
  convert(JSON.stringify(fields), from, to, EXTENSIONS);
const modern = (extensions: object, more: object = {}) => ({
  ...AUTH,
  envelope: { id: "t" },
  extensions,
  ...more,
});

Deno.test("AUTH_RESP is read in each version, and has a session in 2.0 only", () => {
  assertEquals<unknown>(auth({ ...AUTH, tx_hash: "t", meta_tags: ["a"] }, "1.2"), {
    response: RESPONSE,
    tags: ["a"],
    id: "t",
    warnings: [],
  });
  assertEquals<unknown>(auth({ ...AUTH, extensions: { session: SESSION } }, "1.2"), {
    response: RESPONSE,
    tags: [],
    warnings: [],
  });
  assertEquals<unknown>(auth(modern({ session: SESSION }, { new: 1 })), {
    response: RESPONSE,
    signer: "sm2",
    publicKey: POINT,
    cipher: "sm4-gcm",
    tags: [],
    id: "t",
    warnings: ["the field new is unknown"],
  });
});

Deno.test("AUTH_RESP with a field that is wrong is refused, and the field named", () => {
  const cases: readonly (readonly [object, string])[] = [
    [{ type: "STATUS" }, 'type is "STATUS"; it has to be "AUTH_RESP"'],
    [{ sig: "0xab" }, 'sig is "0xab"; it has to be 64 octets in hexadecimal'],
    [{ sig: "g".repeat(128) }, `sig is "${"g".repeat(39)}; it has to be 64 octets in hexadecimal`],
    [{ "policy_hash": "00" }, 'policy_hash is "00"; it has to be 32 octets in hexadecimal'],
  ];
  for (const [odd, expected] of cases) assertEquals(fault(auth({ ...AUTH, ...odd })), expected);
  const session = { ...SESSION, signer: "bls" };
  const expected = 'extensions.session: /signer is "bls"; it has to be one of "sm2", "secp256k1"';
  for (const version of ["2.0", "1.3"]) {
    assertEquals(fault(auth(modern({ session }), version)), expected);
  }
  const { device_id: _, ...nameless } = AUTH;
  assertEquals(fault(auth(nameless, "1.3")), 'device_id is ""; it has to be a text');
});

Deno.test("AUTH_RESP is read as it was written", () => {
  const sized = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
  const text = fc.string({ minLength: 1, maxLength: 20 });
  const auths = fc.record({
    response: fc.record({
      pile: text,
      sequence: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      policyHash: sized(32),
      signature: sized(64),
    }, { noNullPrototype: true }),
    tags: fc.array(text),
    id: text,
  }, { noNullPrototype: true });
  const signers = fc.constantFrom("sm2" as const, "secp256k1" as const);
  fc.assert(fc.property(auths, signers, fc.boolean(), (plain, signer, sealed) => {
    const session: Partial<JsonAuth> = { signer, publicKey: POINT };
    const full: JsonAuth = { ...plain, ...session, ...sealed && { cipher: "aes-gcm" } };
    const old = good(writeJsonAuth(full, "1.2"));
    assertEquals(old.lost, ["extensions.session"]);
    assertEquals<unknown>(readJsonAuth(old.text, "1.2", EXTENSIONS), { ...plain, warnings: [] });
    const { text, lost } = good(writeJsonAuth(full, "2.0"));
    assertEquals(lost, []);
    assertEquals<unknown>(readJsonAuth(text, "2.0", EXTENSIONS), { ...full, warnings: [] });
  }));
});

Deno.test("AUTH_RESP that nobody could read is not written", () => {
  const full: JsonAuth = { response: RESPONSE, tags: [], id: "t" };
  const write = (odd: Partial<JsonAuth>) => fault(writeJsonAuth({ ...full, ...odd }, "2.0"));
  assertEquals(
    write({ response: { ...RESPONSE, signature: fill(63, 0) } }),
    `sig is "0x${"0".repeat(37)}; it has to be 64 octets in hexadecimal`,
  );
  assertEquals(
    write({ response: { ...RESPONSE, pile: "" } }),
    'device_id is ""; it has to be a text',
  );
  const lack = (field: string) => `extensions.session: /${field} is missing; it has to be there`;
  assertEquals(write({ signer: "sm2" }), lack("public_key"));
  assertEquals(write({ publicKey: POINT }), lack("signer"));
  assertEquals(write({ cipher: "aes-gcm" }), lack("public_key"));
  const { id: _, ...without } = full;
  assertEquals(
    fault(writeJsonAuth(without, "1.2")),
    "tx_hash is empty; version 1.2 requires it",
  );
});

Deno.test("Events are read from the extension of their name", () => {
  const head = {
    device: "pile-1",
    sequence: 7n,
    signature: RESPONSE.signature,
    policyHash: RESPONSE.policyHash,
    tags: ["a"],
    id: "t",
    warnings: [],
  };
  const digest = "0x" + "ee".repeat(32);
  const battery = { "bike_id": "bike-1", "time_ms": 5, data: "AQID", digest };
  assertEquals<unknown>(event(modern({ battery, tags: ["a"] }, { type: "BATT_TELEM" })), {
    ...head,
    kind: "battery",
    report: { bike: "bike-1", time: 5n, data: Uint8Array.of(1, 2, 3) },
    digest: fill(32, 0xee),
  });
  const status = { state: "charging", "power_w": 3500, "energy_wh": 12 };
  assertEquals<unknown>(event(modern({ status, tags: ["a"] }, { type: "STATUS" }), "2.0"), {
    ...head,
    kind: "status",
    state: "charging",
    power: 3500,
    energy: 12,
  });
  const wrong = { code: 3, hazard: true };
  assertEquals<unknown>(event(modern({ fault: wrong, tags: ["a"] }, { type: "FAULT" })), {
    ...head,
    kind: "fault",
    ...wrong,
  });
  const said = event(modern({ fault: { ...wrong, text: "hot" } }, { type: "FAULT", sig: "ab" }));
  assert(!("fault" in said) && said.kind === "fault", "no fault event");
  assertEquals([said.text, said.signature], ["hot", fill(1, 0xab)]);
});

Deno.test("Events of an unknown version need what they tell only", () => {
  const status = { state: "standby", "power_w": 0, "energy_wh": 0 };
  const least = { type: "STATUS", "device_id": "p", extensions: { status } };
  assertEquals<unknown>(event(least, "3.0"), {
    device: "p",
    sequence: 0n,
    tags: [],
    warnings: ["version 3.0 is read as well as it can be"],
    kind: "status",
    state: "standby",
    power: 0,
    energy: 0,
  });
  assertEquals(
    fault(event({ ...least, extensions: { status: { ...status, state: "x" } } }, "3.0")),
    'extensions.status: /state is "x"; it has to be one of "offline", "standby", "charging", ' +
      '"fault", "upgrading"',
  );
});

Deno.test("Events that are none are refused", () => {
  assertEquals(
    fault(event(modern({}))),
    'type is "AUTH_RESP"; it has to be one of BATT_TELEM, STATUS, FAULT',
  );
  assertEquals(
    fault(event({ ...AUTH, type: "STATUS" }, "1.2")),
    "version 1.2 carries no extensions, so no STATUS",
  );
  assertEquals(
    fault(event(modern({}, { type: "FAULT" }))),
    "extensions.fault is missing; FAULT requires it",
  );
  assertEquals(
    fault(event(modern({}, { type: "FAULT", sig: "x" }))),
    'sig is "x"; it has to be octets in hexadecimal',
  );
  const battery = {
    "bike_id": "车".repeat(86),
    "time_ms": 5,
    data: "",
    digest: "ee".repeat(32),
  };
  const text = fault(event(modern({ battery }, { type: "BATT_TELEM" })));
  assert(`${text}`.endsWith("it has to be at most 255 octets"), `${text}`);
});

Deno.test("From 1.2 to 2.0 and back everything is kept that 1.2 can carry", () => {
  const text = fc.string({ minLength: 1, maxLength: 20 });
  const messages = fc.record({
    type: text,
    seq: fc.oneof(
      fc.nat(),
      fc.bigInt({ min: 1n << 53n, max: (1n << 64n) - 1n }).map((seq) => `${seq}`),
    ),
    "device_id": text,
    sig: text,
    "policy_hash": text,
    tx_hash: text,
    meta_tags: fc.array(text),
  }, {
    requiredKeys: ["type", "seq", "device_id", "sig", "policy_hash", "tx_hash"],
  });
  fc.assert(fc.property(messages, fc.jsonValue(), (message, more) => {
    const up = good(carry({ ...message, more }, "1.2", "2.0"));
    assertEquals(up.lost, []);
    assertEquals(JSON.parse(up.text).more, JSON.parse(JSON.stringify(more)));
    const down = good(convert(up.text, "2.0", "1.2", EXTENSIONS));
    assertEquals(JSON.parse(down.text), JSON.parse(JSON.stringify(message)));
    assertEquals([...down.lost], ["more"]);
    assertEquals(down.warnings[0], "the field more is unknown");
  }));
});

Deno.test("What a version cannot carry is named", () => {
  const fields = modern({ meter: 1, tags: ["a"] }, { new: 1, envelope: { id: "t", at: 5 } });
  const down = good(carry(fields, "2.0", "1.2"));
  assertEquals(JSON.parse(down.text), { ...AUTH, tx_hash: "t", meta_tags: ["a"] });
  assertEquals(down.lost, ["extensions.meter", "new", "envelope.at"]);
  assertEquals(down.warnings, ["the field new is unknown"]);
  const old = { ...AUTH, "tx_hash": "t", envelope: {}, extensions: { meter: 1 } };
  assertEquals(good(carry(old, "1.2", "2.0")).lost, ["envelope", "extensions"]);
  const both = { ...modern({ tags: ["b"] }), "tx_hash": "u", "meta_tags": ["a"] };
  const lenient = good(carry(both, "1.3", "2.0"));
  assertEquals(lenient.lost, ["envelope.id", "extensions.tags"]);
  assertEquals(JSON.parse(lenient.text), {
    ...AUTH,
    envelope: { id: "u" },
    extensions: { tags: ["a"] },
  });
});

Deno.test("What the new version requires has to be there, and fit it", () => {
  const required = (name: string, to: string) => `${name} is empty; version ${to} requires it`;
  assertEquals(fault(carry(AUTH, "1.2", "2.0")), required("envelope.id", "2.0"));
  assertEquals(fault(carry(AUTH, "1.3", "1.2")), required("tx_hash", "1.2"));
  const { seq: _, ...unnumbered } = { ...AUTH, "tx_hash": "t" };
  const numbered = "it has to be a number of 64 bits without sign";
  assertEquals(fault(carry(unnumbered, "1.3", "1.2")), `seq is missing; ${numbered}`);
  for (const seq of [-1, null, [0], "x"]) {
    assertEquals(
      fault(carry({ ...unnumbered, seq }, "1.3", "1.2")),
      `seq is ${JSON.stringify(seq)}; ${numbered}`,
    );
  }
  assertEquals(good(carry({ ...unnumbered, seq: 0 }, "1.3", "1.2")).lost, []);
  const { sig: __, ...unsigned } = { ...AUTH, "tx_hash": "t" };
  assertEquals(fault(carry(unsigned, "1.3", "2.0")), 'sig is ""; it has to be a text');
  assertEquals(
    fault(carry(modern({ other: 1 }), "1.3", "2.0")),
    "extensions.other: no extension of this name is known",
  );
  const long = { ...AUTH, "tx_hash": "t", more: "" };
  long.more = "x".repeat(ENVELOPE_MAX - JSON.stringify(long).length);
  assertEquals(
    fault(carry(long, "1.2", "2.0")),
    `the message is longer than ${ENVELOPE_MAX} characters`,
  );
});

Deno.test("A number that was rounded on the way is told", () => {
  const text = JSON.stringify(modern({ meter: 1 }, { new: [{ deep: 2 }] }));
  const large = text.replace('"meter":1', '"meter":12345678901234567890').replace(
    '"deep":2',
    '"deep":1e400',
  );
  assertEquals(good(convert(large, "2.0", "2.0", EXTENSIONS)).warnings, [
    "the field new is unknown",
    "extensions.meter has a number that is too large to be carried exactly",
    "new has a number that is too large to be carried exactly",
  ]);
});

Deno.test("A challenge is read as it was written, or its wrong field is named", () => {
  const full = {
    challenge: fill(32, 1),
    policyHash: fill(32, 2),
    expiresMs: 30_000,
    sessionId: fill(16, 3),
    publicKey: POINT,
  };
  const { publicKey: _, ...least } = full;
  for (const challenge of [full, least]) {
    assertEquals<unknown>(readChallengeJson(challengeJson(challenge)), challenge);
  }
  const written = JSON.parse(challengeJson(full));
  assertEquals(Object.keys(written), [
    "challenge",
    "policy_hash",
    "expires_ms",
    "session_id",
    "public_key",
  ]);
  const cases: readonly (readonly [string, unknown])[] = [
    ["challenge", "00"],
    ["policy_hash", null],
    ["expires_ms", 0],
    ["expires_ms", "1"],
    ["expires_ms", 2 ** 32],
    ["session_id", undefined],
    ["public_key", "02".repeat(65)],
    ["public_key", "04"],
  ];
  for (const [field, value] of cases) {
    const text = fault(readChallengeJson(JSON.stringify({ ...written, [field]: value })));
    assert(`${text}`.startsWith(`${field} is `), `${text}`);
  }
  assertEquals(fault(readChallengeJson("[]")), "the challenge is no JSON object");
});

Deno.test("Whatever a message is, nothing is thrown", () => {
  const versions = fc.constantFrom(undefined, "1.2", "2.0", "1.3");
  const names = ["type", "seq", "device_id", "sig", "policy_hash", "envelope", "extensions"];
  const some = fc.oneof(fc.jsonValue(), fc.constantFrom("BATT_TELEM", "FAULT", "00", "", 0));
  const odd = fc.dictionary(fc.constantFrom(...names, "tx_hash", "meta_tags"), some);
  const half = fc.tuple(odd, fc.jsonValue()).map(([fields, value]) => ({
    ...modern({ session: value, battery: value }),
    ...fields,
  }));
  const texts = fc.oneof(
    fc.json(),
    odd.map((fields) => JSON.stringify(fields)),
    fc.string(),
    half.map((fields) => JSON.stringify(fields)),
  );
  fc.assert(
    fc.property(texts, versions, (text, version) => {
      readJsonAuth(text, version, EXTENSIONS);
      readJsonEvent(text, version, EXTENSIONS);
      readChallengeJson(text);
      convert(text, version, "1.2", EXTENSIONS);
      convert(text, version, "2.0", EXTENSIONS);
    }),
    { numRuns: 400 },
  );
  const deep = "[".repeat(32_000) + "]".repeat(32_000);
  for (const field of ["type", "seq", "challenge", "extra"]) {
    const text = JSON.stringify({ ...AUTH, tx_hash: "t", [field]: 0 })
      .replace(`"${field}":0`, `"${field}":${deep}`);
    readJsonAuth(text, "1.3", EXTENSIONS);
    readChallengeJson(text);
    convert(text, "1.3", "2.0", EXTENSIONS);
  }
});
