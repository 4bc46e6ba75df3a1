/**
 * What libsrt 1.5.1 said to libsrt, recorded on loopback: every handshake is read and written
 * again, every payload decrypted, every report understood. All octets of a payload are the same.
 */
import {
  CONTROL,
  controlType,
  FLAG,
  HEADER,
  isControl,
  Keys,
  lossWords,
  readAck,
  readHandshake,
  readLosses,
  USER,
  WORD,
  word,
  writeHandshake,
} from "../../../../src/protocol/srt/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex } from "../../../hex.ts";

const PASSPHRASE = "correct-horse-battery";

interface Recorded {
  readonly direction: string;
  readonly octets: Uint8Array;
}

function recorded(name: string): Recorded[] {
  const url = new URL(`../../../vectors/srt/${name}.jsonl`, import.meta.url);
  return Deno.readTextFileSync(url).trim().split("\n").map((line) => {
    const { d, hex } = JSON.parse(line);
    return { direction: d, octets: fromHex(hex.replace(/../g, "$& ")) };
  });
}

function ofType(all: readonly Recorded[], type: number): Recorded[] {
  return all.filter(({ octets }) => isControl(octets) && controlType(octets) === type);
}

for (const name of ["clear", "aes128", "loss", "kmref", "badsecret", "unsecure", "unsecure2"]) {
  Deno.test(`Handshakes of ${name} are read, and written again octet by octet`, () => {
    const all = ofType(recorded(name), CONTROL.handshake);
    assert(all.length >= 4);
    for (const { octets } of all) {
      const read = readHandshake(octets);
      assert(read, "is a handshake");
      const { hs, hsKind, km, streamId } = read.extensions;
      const written = writeHandshake(
        read.handshake,
        {
          ...(hs ? { hs: { ...hs, kind: hsKind! } } : {}),
          ...(km ? { km: { kind: hsKind!, octets: km } } : {}),
          ...(streamId === "" ? {} : { streamId }),
        },
        word(octets, 8),
        word(octets, 12),
      );
      assertEquals(written, octets);
    }
  });
}

Deno.test("A conclusion says version, flags, latencies and the stream's name", () => {
  const [, , conclusion, answer] = ofType(recorded("aes128"), CONTROL.handshake);
  const { extensions } = readHandshake(conclusion!.octets)!;
  assertEquals(extensions.streamId, "abc");
  assertEquals(extensions.hs, {
    version: 0x010501,
    flags: 0xbf,
    receiverLatency: 120,
    senderLatency: 0,
  });
  const { hs } = readHandshake(answer!.octets)!.extensions;
  assertEquals([hs!.receiverLatency, hs!.senderLatency], [120, 120]);
  assert((hs!.flags & FLAG.nakReport) !== 0);
});

Deno.test("Refusals carry their reason", () => {
  const reasons = ["badsecret", "unsecure", "unsecure2"].map((name) =>
    readHandshake(recorded(name)[3]!.octets)!.handshake.type
  );
  assertEquals(reasons, [1010, 1011, 1011]);
});

Deno.test("Payloads of the recording are decrypted, across refreshes of the key", () => {
  for (const name of ["aes128", "kmref"]) {
    const all = recorded(name);
    const request = ofType(all, CONTROL.handshake).find(({ octets }) =>
      readHandshake(octets)!.extensions.km
    )!;
    const material = readHandshake(request.octets)!.extensions.km!;
    const keys = Keys.open(material, PASSPHRASE);
    assert(keys instanceof Keys, `${name}: ${keys}`);
    assertEquals(keys.material(), material, "the same keys make the same material");
    let payloads = 0;
    let refreshes = 0;
    for (const { octets } of all) {
      if (isControl(octets)) {
        if (controlType(octets) !== CONTROL.user) continue;
        if ((word(octets, 0) & 0xffff) !== USER.kmRequest) continue;
        assert(keys.renew(octets.subarray(HEADER)));
        refreshes += 1;
        continue;
      }
      const odd = (word(octets, 4) & WORD.keyMask) === WORD.oddKey;
      const payload = octets.slice(HEADER);
      assert(keys.crypt(payload, word(octets, 0), keys.receiving[odd ? "odd" : "even"]));
      assert(payload.every((octet) => octet === payload[0]), `${name}: payload ${payloads}`);
      payloads += 1;
    }
    assert(payloads >= 8 && (name === "aes128" || refreshes >= 2), `${name}: ${payloads}`);
  }
});

Deno.test("A wrong passphrase, and material that is none, are told apart", () => {
  const [, , conclusion] = ofType(recorded("aes128"), CONTROL.handshake);
  const material = readHandshake(conclusion!.octets)!.extensions.km!;
  assertEquals(Keys.open(material, "another horse"), "bad_secret");
  for (
    const [at, value] of [[0, 0x13], [1, 0], [3, 0], [8, 4], [9, 1], [14, 0], [15, 5]] as const
  ) {
    const wrong = material.slice();
    wrong[at] = value;
    assertEquals(Keys.open(wrong, PASSPHRASE), "bad_mode", `octet ${at}`);
  }
  for (let size = 0; size < material.length; size += 1) {
    assertEquals(Keys.open(material.slice(0, size), PASSPHRASE), "bad_mode", `${size} octets`);
  }
  const flipped = material.slice();
  flipped[40]! ^= 1;
  assertEquals(Keys.open(flipped, PASSPHRASE), "bad_secret");
});

Deno.test("ACKs and loss reports of the recording are understood", () => {
  const all = recorded("loss");
  const acks = ofType(all, CONTROL.ack).map(({ octets }) => readAck(octets)!);
  assert(acks.length > 0 && acks.every((ack) => ack !== undefined));
  assertEquals([acks[0]!.rtt, acks[0]!.rttVariance], [100_000, 50_000]);
  const naks = ofType(all, CONTROL.nak);
  assert(naks.length > 0);
  for (const { octets } of naks) {
    const ranges = readLosses(octets);
    assert(ranges && ranges.length > 0);
    const words = Array.from(
      { length: (octets.length - HEADER) / 4 },
      (_, at) => word(octets, HEADER + 4 * at),
    );
    assertEquals(lossWords(ranges), words);
  }
});
