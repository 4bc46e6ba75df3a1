import { makeBls, signBls } from "../../../../src/crypto/bls.ts";
import { seconds } from "../../../../src/base/time.ts";
import {
  CHAIN_START,
  chainDigest,
  type Frame,
  FrameReader,
  type Message,
  type MessageOf,
  type Policy,
  readMessage,
  readUnsignedPolicy,
  signedOctets,
  signPolicy,
  TYPE,
  writeFrame,
  writeImage,
  writeMessage,
  writeVersionLine,
} from "../../../../src/protocol/cip22/mod.ts";
import { PIECE } from "../../../../src/south/pile_gateway/commands.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { policyFields, signing } from "../../../sim/piles.ts";
import { Bench, PORT, type TestPile } from "./bench.ts";

const SIGNER = signing("sm2");

function policy(version: number): string {
  const read = readUnsignedPolicy(JSON.stringify(policyFields(version)));
  assert("policy" in read, JSON.stringify(read));
  return signPolicy(read.policy as Policy, "sm2", (octets) => SIGNER.sign(octets));
}

const KEYS = { "policy_key": SIGNER.publicKey, policy: "/policy.json" };

function reports(pile: TestPile, policyVersion: number) {
  pile.status({ policyVersion });
  return pile.bench.advance(10);
}

Deno.test("A pile that has not the policy is given it, once; a later one is given to all", async () => {
  await using bench = new Bench();
  const [one, two] = [bench.pile("P1"), bench.pile("P2", "secp256k1")];
  bench.files.set("/policy.json", policy(3));
  await bench.start(KEYS);
  for (const pile of [one, two]) await pile.connect();
  await reports(one, 0);
  await reports(one, 0);
  await reports(two, 3);
  assertEquals([one.kinds, two.kinds], [["setPolicy"], []]);
  assertEquals(
    (one.heard.find(({ kind }) => kind === "setPolicy") as MessageOf<"setPolicy">).policy,
    policyOf(bench),
  );
  const refused = await bench.order("/piles/policy", policy(3));
  assertEquals([refused.status, (refused.body as { error: string }).error], [
    422,
    "version is 3; it has to be above 3",
  ]);
  const later = policy(4);
  const taken = await bench.order("/piles/policy", JSON.parse(later));
  assertEquals([taken.status, taken.body], [200, { version: 4 }]);
  await bench.advance(10);
  assertEquals([one.kinds.length, two.kinds], [2, ["setPolicy"]]);
  assertEquals(JSON.parse(policyOf(bench)), JSON.parse(later));
  assertEquals(bench.counters.get("policies_sent"), 3);
});

function policyOf(bench: Bench): string {
  return bench.files.get("/policy.json") as string;
}

Deno.test("A pile that has lost its policy, or refused it, is given it with its next session", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  bench.files.set("/policy.json", policy(3));
  await bench.start(KEYS);
  await pile.connect();
  pile.answer = () => ({ result: 1, text: "not now" });
  await reports(pile, 0);
  await reports(pile, 0);
  assertEquals(pile.kinds, ["setPolicy"]);
  pile.answer = () => ({ result: 0 });
  await pile.close();
  await pile.connect();
  await reports(pile, 0);
  await reports(pile, 3);
  assertEquals(pile.kinds, ["setPolicy", "setPolicy"]);
  await pile.close();
  await pile.connect();
  pile.status();
  await bench.advance(10);
  assertEquals(pile.kinds, ["setPolicy", "setPolicy", "setPolicy"]);
});

Deno.test("A policy that another one has signed, or nobody, is not taken", async () => {
  await using bench = new Bench();
  await bench.start(KEYS);
  assertEquals(bench.logs("pile.policy.none").length, 1);
  const document = JSON.parse(policy(5));
  document.policy.version = 6;
  for (const body of [document, {}, "nonsense"]) {
    assertEquals((await bench.order("/piles/policy", body)).status, 422);
  }
  assertEquals(bench.files.has("/policy.json"), false);
});

Deno.test("An image is given piece by piece, as the pile asks for it; its key has to fit", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  const payload = Uint8Array.from({ length: 3 * PIECE }, (_, index) => index * 7 & 0xff);
  const sign = (octets: Uint8Array) => SIGNER.sign(octets);
  const image = writeImage({ version: "2.1.0", hardware: "pile-a", payload }, "sm2", sign);
  await bench.start({ "policy_key": SIGNER.publicKey, image: "/image" });
  await pile.connect();
  await reports(pile, 0);
  assertEquals(await bench.command("piles.P1.upgrade", true), "refused: Cannot read /image");
  const other = signing("sm2");
  const foreign = writeImage({ version: "2.1.0", hardware: "pile-a", payload }, "sm2", other.sign);
  bench.files.set("/image", foreign);
  assertEquals(
    await bench.command("piles.P1.upgrade", true),
    "refused: /image is not signed by image_key",
  );
  bench.files.set("/image", image);
  const head = image.length - payload.length;
  let received = 0;
  const pieces: Uint8Array[] = [];
  pile.answer = (message: Message) => {
    if (message.kind !== "upgrade") return { result: 0 };
    if (message.offset === undefined) {
      assertEquals([message.size, message.data.length], [image.length, head]);
    } else assertEquals(message.offset, received);
    received += message.data.length;
    pieces.push(message.data);
    return received < image.length ? { result: 2, offset: received } : { result: 0 };
  };
  assertEquals(await bench.command("piles.P1.upgrade", true), "done");
  assertEquals(pieces.map(({ length }) => length), [head, PIECE, PIECE, PIECE]);
  assertEquals(pieces.map((piece) => piece.toHex()).join(""), image.toHex());
});

Deno.test("Telemetry is chained for each bike, over a restart too; what does not follow is refused", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  let before = CHAIN_START;
  const report = (time: number, bike = "bike-1") => {
    const data = Uint8Array.of(time);
    before = chainDigest(before, { bike, time: BigInt(time), data });
    pile.tell({ kind: "battTelem", bikeId: bike, time, data, digest: before });
    return bench.advance(10);
  };
  await report(1);
  await report(2);
  const good = before;
  await report(2);
  before = good;
  before = new Uint8Array(32);
  await report(3);
  await report(4, "no word.");
  assertEquals(bench.counters.get("telemetry"), 2);
  assertEquals(bench.counters.get("telemetry_refused"), 3);
  assertEquals(bench.value("piles.bike.bike-1.chain"), `2 ${good.toHex()}`);
});

Deno.test("Signed telemetry is tried in batches; of many, only what is wrong is refused", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  const bikes = [1, 2, 3].map((number) => ({ name: `b${number}`, key: makeBls() }));
  const rows = bikes.map(({ name, key }) => `${name},bls,${key.publicKey.toHex()}`);
  bench.files.set("/bikes.csv", ["bike,signer,public_key", ...rows].join("\n"));
  await bench.start({ bikes: "/bikes.csv" });
  await pile.connect();
  for (const [index, { name, key }] of bikes.entries()) {
    const data = Uint8Array.of(index);
    const digest = chainDigest(CHAIN_START, { bike: name, time: 5n, data });
    const signer = index === 1 ? makeBls() : key;
    const signature = signBls(signer.secret, digest);
    pile.tell({ kind: "battTelem", bikeId: name, time: 5, data, digest, signature });
  }
  await bench.advance(100);
  assertEquals(bench.counters.get("telemetry"), 0, "they are gathered");
  await bench.advance(200);
  assertEquals(bench.counters.get("telemetry"), 2);
  assertEquals(bench.logs("pile.telemetry"), [{ bike: "b2", why: "its signature is wrong" }]);
});

/** A pile of version 1.2: its answer is JSON, and it agrees on no keys. */
async function oldPile(
  bench: Bench,
  pile: TestPile,
  version: string,
  text: (fields: {
    challenge: MessageOf<"challenge">;
  }) => string,
) {
  const conn = await bench.net.dial({ host: "127.0.0.1", port: PORT });
  const reader = new FrameReader({ crc: "itu" });
  const next = async (): Promise<Frame> => {
    for (;;) {
      const frame = reader.next(bench.clock.now());
      if (frame) return frame;
      reader.feed((await conn.read())!, bench.clock.now());
    }
  };
  await conn.write(writeVersionLine(version));
  await conn.write(
    writeFrame(TYPE.challengeRequest, writeMessage({ kind: "challengeRequest", pile: pile.name })),
  );
  await bench.advance(10);
  const { type, payload } = await next();
  const challenge = readMessage(type, payload) as MessageOf<"challenge">;
  await conn.write(writeFrame(TYPE.authResp, new TextEncoder().encode(text({ challenge }))));
  await bench.advance(10);
  const frame = await next();
  return { conn, result: readMessage(frame.type, frame.payload) as MessageOf<"authResult"> };
}

Deno.test("A pile of version 1.2 is believed by its JSON, tells, and is not commanded", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  const { conn, result } = await oldPile(bench, pile, "1.2", ({ challenge }) => {
    const fields = { pile: "P1", sequence: 7n, policyHash: challenge.policyHash };
    return JSON.stringify({
      type: "AUTH_RESP",
      seq: 7,
      "device_id": "P1",
      sig: `0x${pile.key.sign(signedOctets(challenge.challenge, fields)).toHex()}`,
      "policy_hash": `0x${challenge.policyHash.toHex()}`,
      "tx_hash": "0xabc",
      colour: "ignored",
    });
  });
  assertEquals([result.result, result.check], [0, undefined]);
  assertEquals(bench.value("piles.P1.online"), true);
  const status = { kind: "status", state: 1, closed: false, power: 5, energy: 6 } as const;
  const payload = writeMessage({ ...status, time: bench.clock.epoch() });
  await conn.write(writeFrame(TYPE.status, payload));
  await bench.advance(10);
  assertEquals(bench.value("piles.P1.power"), 5);
  assertEquals(
    await bench.command("piles.P1.charge", true),
    "refused: Pile is not connected, or agrees on no keys",
  );
  await conn[Symbol.asyncDispose]();
});

Deno.test("JSON that lacks a field is refused with its name in the log", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  const { result } = await oldPile(bench, pile, "2.0", () => '{"type":"AUTH_RESP","seq":1}');
  assertEquals(result.result, 1);
  const [{ why }] = bench.logs("pile.refused") as [{ why: string }];
  assert(/device_id|envelope.id/.test(why), why);
});

Deno.test("Keys are renewed within a session, and a session whose keys are not is closed", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start({ "keys_within": "1h" });
  await pile.connect();
  for (let turn = 0; turn < 340; turn += 1) {
    await bench.clock.advance(seconds(10));
    pile.tell({ kind: "heartbeat", time: 1 });
  }
  await bench.advance(10);
  assertEquals(pile.events.filter(({ kind }) => kind === "opened").length, 2);
  assertEquals(bench.counters.get("renewals"), 1);
  assertEquals(await bench.command("piles.P1.unlock", true), "done");
});

Deno.test("Connections beyond the most are closed at once, also those of strangers", async () => {
  await using bench = new Bench();
  const [one, two] = [bench.pile("P1"), bench.pile("P2")];
  await bench.start({ "max_sessions": 2, "max_strangers": 1 });
  await one.connect();
  const stranger = await bench.net.dial({ host: "127.0.0.1", port: PORT });
  await bench.advance(10);
  await two.connect();
  assertEquals(bench.counters.get("refused_connections"), 1);
  await bench.advance(16_000);
  assertEquals(await stranger.read(), undefined, "it was not believed in time");
  await two.connect();
  assertEquals(bench.value("piles.P2.online"), true);
});

Deno.test("Octets of any kind end a connection, or are passed over, and nothing else", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start();
  await pile.connect();
  for (let turn = 0; turn < 50; turn += 1) {
    const conn = await bench.net.dial({ host: "127.0.0.1", port: PORT });
    const octets = new Uint8Array(64 * turn);
    for (let at = 0; at < octets.length; at += 1) octets[at] = (at * 31 + turn * 17) & 0xff;
    if (turn > 0 && turn % 3 === 0) octets.set([0xc1, 2, 0x20, 0, 0, 3, 4, 1, 2, 3]);
    await conn.write(octets);
    await bench.advance(5);
  }
  await bench.advance(16_000);
  assertEquals((bench.status.pile_gateway as { sessions: number }).sessions, 1);
});
