import { AesGcm } from "../../../../src/app/aes_gcm.ts";
import { LinkDownError } from "../../../../src/base/errors.ts";
import { Sm4Gcm } from "../../../../src/crypto/aead.ts";
import { makeEphemeral } from "../../../../src/crypto/ecdh.ts";
import type { HttpAnswer, HttpConn } from "../../../../src/platform/ports.ts";
import {
  agreedOctets,
  type Cipher,
  CIPHERS,
  FrameReader,
  type Message,
  openSession,
  readChallengeJson,
  readMessage,
  type Session,
  signedOctets,
  typeOf,
  writeFrame,
  writeMessage,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { Bench, type TestPile } from "./bench.ts";

const HTTP = { http: "127.0.0.1:6123" };
const random = (octets: Uint8Array) =>
  void crypto.getRandomValues(octets as Uint8Array<ArrayBuffer>);
const signal = new AbortController().signal;

async function connect(bench: Bench): Promise<HttpConn> {
  return await bench.net.dialHttp2({ host: "127.0.0.1", port: 6123 });
}

/** Asks, and gives the whole answer. */
async function ask(bench: Bench, conn: HttpConn, path: string, body = "", method = "POST") {
  const request = { method, path, body: new TextEncoder().encode(body) };
  const opening = conn.open(request, signal);
  await bench.advance(10);
  const answer = await opening;
  let text = "";
  for (let part = await answer.read(); part; part = await answer.read()) {
    text += new TextDecoder().decode(part);
  }
  return { status: answer.status, text: text.trim() };
}

/** A session of one pile on a stream of its own, answered by hand. */
class Stream {
  readonly #reader = new FrameReader({ crc: "itu" });
  session: Session | undefined;

  constructor(readonly bench: Bench, readonly answer: HttpAnswer) {}

  async next(): Promise<Message> {
    for (;;) {
      const frame = this.#reader.next(this.bench.clock.now());
      if (!frame) {
        const part = await this.answer.read();
        if (!part) throw new LinkDownError("test.end", "It has ended");
        this.#reader.feed(part, this.bench.clock.now());
        continue;
      }
      const payload = this.session ? this.session.opener.open(frame) : frame.payload;
      if (typeof payload === "string") throw new Error(payload);
      return readMessage(frame.type, payload) as Message;
    }
  }

  async tell(message: Message): Promise<void> {
    const payload = writeMessage(message);
    const type = typeOf(message);
    await this.answer.write(
      this.session ? this.session.sealer.seal(type, payload) : writeFrame(type, payload),
    );
    await this.bench.advance(10);
  }
}

/** Gets a challenge at `/auth/challenge`, and answers it on a stream. */
async function open(bench: Bench, conn: HttpConn, pile: TestPile): Promise<Stream> {
  const { cipher, name } = pile;
  const { status, text } = await ask(bench, conn, "/auth/challenge", JSON.stringify({ cipher }));
  assertEquals(status, 200);
  const challenge = readChallengeJson(text);
  assert(!("fault" in challenge), text);
  const headers = { "cip-22-version": "2.0", "cip-22-session": challenge.sessionId.toHex() };
  const opening = conn.open({ method: "POST", path: "/session", headers }, signal);
  await bench.advance(10);
  const stream = new Stream(bench, await opening);
  assertEquals(stream.answer.status, 200);
  const { sessionId, policyHash, publicKey } = challenge;
  const own = makeEphemeral(CIPHERS[cipher].curve, random);
  const secret = own.agree(publicKey!)!;
  const fields = { pile: name, sequence: pile.sequence += 1n, policyHash };
  const agreed = agreedOctets(sessionId, publicKey!, own.point);
  const signature = pile.key.sign(signedOctets(challenge.challenge, fields, agreed));
  await stream.tell({ kind: "authResp", ...fields, signature, publicKey: own.point });
  const result = await stream.next();
  assert(result.kind === "authResult" && result.result === 0, JSON.stringify(result));
  const aead = (one: Cipher, key: Uint8Array) =>
    one === "sm4-gcm" ? new Sm4Gcm(key) : new AesGcm(key);
  stream.session = openSession({ cipher, secret, sessionId }, "pile", aead);
  assertEquals(stream.session.check, result.check);
  return stream;
}

Deno.test("Piles share a connection, each with its own stream; one that is cancelled leaves the other", async () => {
  await using bench = new Bench();
  const [one, two] = [bench.pile("P1"), bench.pile("P2", "secp256k1")];
  await bench.start(HTTP);
  await using conn = await connect(bench);
  const first = await open(bench, conn, one);
  const second = await open(bench, conn, two);
  assertEquals([bench.value("piles.P1.online"), bench.value("piles.P2.online")], [true, true]);
  const time = bench.clock.epoch();
  const standby = { kind: "status", state: 1, closed: false, power: 0, energy: 0, time } as const;
  for (const stream of [first, second]) await stream.tell(standby);
  await first.answer[Symbol.asyncDispose]();
  await bench.advance(10);
  assertEquals([bench.value("piles.P1.online"), bench.value("piles.P2.online")], [false, true]);
  const started = bench.command("piles.P2.charge", true);
  await bench.advance(10);
  assertEquals((await second.next()).kind, "read");
  const message = await second.next();
  assert(message.kind === "start");
  await second.tell({ kind: "answer", to: "start", ticket: message.ticket, result: 0 });
  assertEquals(await started, "done");
  await second.answer[Symbol.asyncDispose]();
});

Deno.test("A challenge that was given by HTTP is good for one stream, and for a while", async () => {
  await using bench = new Bench();
  const pile = bench.pile("P1");
  await bench.start(HTTP);
  await using conn = await connect(bench);
  const { text } = await ask(bench, conn, "/auth/challenge", "{}", "GET");
  const challenge = readChallengeJson(text);
  assert(!("fault" in challenge), text);
  const headers = { "cip-22-session": challenge.sessionId.toHex() };
  for (const status of [200, 409]) {
    const opening = conn.open({ method: "POST", path: "/session", headers }, signal);
    await bench.advance(10);
    const answer = await opening;
    assertEquals(answer.status, status);
    await answer[Symbol.asyncDispose]();
  }
  const later = readChallengeJson((await ask(bench, conn, "/auth/challenge")).text);
  assert(!("fault" in later));
  await bench.advance(30_000);
  const opening = conn.open({
    method: "POST",
    path: "/session",
    headers: { "cip-22-session": later.sessionId.toHex() },
  }, signal);
  await bench.advance(10);
  const stream = new Stream(bench, await opening);
  const fields = { pile: "P1", sequence: 900n, policyHash: later.policyHash };
  const signature = pile.key.sign(signedOctets(later.challenge, fields));
  await stream.tell({ kind: "authResp", ...fields, signature });
  assertEquals(await stream.next(), {
    kind: "authResult",
    result: 2,
    time: bench.clock.epoch() - 10,
  });
});

Deno.test("What is no challenge and no session is answered with what is wrong", async () => {
  await using bench = new Bench();
  await bench.start(HTTP);
  await using conn = await connect(bench);
  const tried = async (...request: [path: string, body?: string, method?: string]) =>
    (await ask(bench, conn, ...request)).status;
  assertEquals(await tried("/"), 404);
  assertEquals(await tried("/auth/challenge", "no JSON"), 400);
  assertEquals(await tried("/auth/challenge", "x".repeat(5000)), 413);
  assertEquals(await tried("/auth/challenge", "", "DELETE"), 405);
  assertEquals(await tried("/session", "", "GET"), 405);
  assertEquals(await tried("/auth/challenge?x=1"), 200);
});
