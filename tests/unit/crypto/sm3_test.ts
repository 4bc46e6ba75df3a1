import { createHash } from "node:crypto";
import fc from "fast-check";
import { hkdf, kdf2HmacSm3, kdf2Sm3 } from "../../../src/crypto/kdf.ts";
import { HmacSm3, hmacSm3, Sm3, sm3 } from "../../../src/crypto/sm3.ts";
import { assertEquals } from "../../assert.ts";
import sm from "sm-crypto";
import { OpenSsl } from "../../crypto/openssl.ts";
import { needs } from "../../needs.ts";

const text = (words: string) => new TextEncoder().encode(words);
const from = (first: number, length: number) =>
  Uint8Array.from({ length }, (_, index) => first + index);

Deno.test("SM3 gives the known answers of GB/T 32905, annex A", () => {
  assertEquals(
    sm3(text("abc")).toHex(),
    "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
  );
  assertEquals(
    sm3(text("abcd".repeat(16))).toHex(),
    "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
  );
});

Deno.test("SM3 is what the runtime's own is, at every length and in every piece", () => {
  const octets = Uint8Array.from({ length: 300 }, (_, index) => index * 37);
  for (let length = 0; length <= 300; length += 1) {
    const part = octets.subarray(0, length);
    assertEquals(sm3(part).toHex(), createHash("sm3").update(part).digest("hex"), `${length}`);
  }
  const pieces = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 });
  fc.assert(fc.property(pieces, (parts) => {
    const other = createHash("sm3");
    for (const part of parts) other.update(part);
    assertEquals(sm3(...parts).toHex(), other.digest("hex"));
  }));
});

Deno.test("A hash goes on from a copy, and begins anew", () => {
  const hash = new Sm3().update(text("ab"));
  const other = new Sm3().copy(hash);
  assertEquals(other.update(text("c")).digest(), sm3(text("abc")));
  assertEquals(hash.update(text("d")).digest(), sm3(text("abd")));
  assertEquals(hash.reset().update(text("abc")).digest(), sm3(text("abc")));
});

Deno.test("HMAC-SM3 gives its known answer, again and again, with keys of any length", () => {
  const words = text("The quick brown fox jumps over the lazy dog");
  const wanted = "bd4a34077888162b210645b8ebf74b9af357303789357a27c7fc457244ebd398";
  assertEquals(hmacSm3(text("key"), words).toHex(), wanted);
  const mac = new HmacSm3(text("key"));
  const target = new Uint8Array(34);
  for (const split of [0, 1, 20, 43]) {
    mac.update(words, 0, split).update(words, split).finish(target, 1);
    assertEquals(target.subarray(1, 33).toHex(), wanted);
  }
  for (const length of [0, 63, 64, 65, 200]) {
    const key = from(1, length);
    const block = new Uint8Array(64);
    block.set(length > 64 ? sm3(key) : key);
    const inner = sm3(block.map((octet) => octet ^ 0x36), words);
    assertEquals(hmacSm3(key, words), sm3(block.map((octet) => octet ^ 0x5c), inner));
  }
});

Deno.test("Key derivation gives the known answers", () => {
  const secret = from(0, 32);
  const salt = from(0x10, 16);
  const info = text("sm4-key@evse");
  assertEquals(
    hkdf("sha256", { secret, salt, info }, 48).toHex(),
    "bbd353a5ecf6670c7888145bb25091a6f026fb17a4b031d2d2fdca27deeeba2b" +
      "ab3b7c7ba864997f0194dbd3ef393234",
  );
  assertEquals(
    hkdf("sm3", { secret, salt, info }, 48).toHex(),
    "303bc6f4e1e7e180b42c826857e95c8921a5e6465d30194f7a696e79a2d72168" +
      "08c7d2dedf41244481ce5ac44911078c",
  );
  assertEquals(hkdf("sm3", { secret, salt, info }, 28).length, 28);
  const long = "1710be221a22a954723d14e4c24eb0fadf0a09188f178e9c6c0c6497d30c850cb9dfad918b0b4586" +
    "9a458617de98d11f";
  assertEquals(kdf2HmacSm3(secret, from(0xa0, 16), 48).toHex(), long);
  assertEquals(kdf2HmacSm3(secret, from(0xa0, 16), 16).toHex(), long.slice(0, 32));
  assertEquals(
    kdf2HmacSm3(secret, text("pile-0001"), 32).toHex(),
    "803f90870e834c547909607ece871e274cb072e650d369653b02364776129f7b",
  );
  assertEquals(
    kdf2Sm3(secret, 48).toHex(),
    "ebb615adb10c260cc178306ff5ae75d0c2e03c0518fdeb4dc00c4c344effa26c" +
      "05407c91e90430ebd1da8affac54c13e",
  );
  assertEquals(
    kdf2Sm3(secret, 32, text("pile-0001")).toHex(),
    "d555c86430d6f808a13332e1a8294cf1b382fa21435c58646ec1bbe41d69b3be",
  );
  assertEquals(
    kdf2HmacSm3(secret, salt, 32, text("n")).toHex() === kdf2HmacSm3(secret, salt, 32).toHex(),
    false,
  );
});

Deno.test({
  name: "10,000 messages have the digests that sm-crypto and OpenSSL give them",
  ...needs("libcrypto"),
  fn() {
    using openssl = new OpenSsl();
    for (let turn = 0; turn < 10_000; turn += 1) {
      const message = crypto.getRandomValues(new Uint8Array(turn % 331));
      const digest = sm3(message).toHex();
      assertEquals(openssl.digest("sm3", message, 32).toHex(), digest);
      assertEquals(sm.sm3([...message]), digest);
    }
  },
});
