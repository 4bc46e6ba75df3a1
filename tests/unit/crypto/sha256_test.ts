import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { HmacSha256, Sha256 } from "../../../src/crypto/sha256.ts";
import { systemAuthenticator } from "../../../src/platform/linux/libcrypto.ts";
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";

const hex = (octets: Uint8Array) =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");

function sha256(octets: Uint8Array): string {
  const target = new Uint8Array(32);
  new Sha256().digest(octets, 0, octets.length, target, 0);
  return hex(target);
}

Deno.test("SHA-256 gives the known answers of FIPS 180-4", () => {
  const text = (words: string) => new TextEncoder().encode(words);
  assertEquals(
    sha256(text("")),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
  assertEquals(
    sha256(text("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  assertEquals(
    sha256(text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  );
});

Deno.test("HMAC-SHA-256 gives the known answer of RFC 4231 case 2", () => {
  const mac = new HmacSha256(new TextEncoder().encode("Jefe"));
  const data = new TextEncoder().encode("what do ya want for nothing?");
  const target = new Uint8Array(32);
  mac.sign(data, 0, data.length, target, 0, 32);
  assertEquals(hex(target), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
});

Deno.test("SHA-256 and HMAC agree with the platform, at every length and place", () => {
  const sample = fc.record({
    octets: fc.uint8Array({ maxLength: 300 }),
    from: fc.nat({ max: 20 }),
    key: fc.uint8Array({ maxLength: 150 }),
    size: fc.integer({ min: 1, max: 32 }),
  });
  fc.assert(
    fc.property(sample, ({ octets, from, key, size }) => {
      const at = Math.min(from, octets.length);
      const part = octets.subarray(at);
      assertEquals(sha256(part), createHash("sha256").update(part).digest("hex"));
      const mac = new HmacSha256(key);
      const tagged = new Uint8Array(octets.length + size);
      tagged.set(octets);
      mac.sign(tagged, at, octets.length, tagged, octets.length, size);
      const expected = createHmac("sha256", key).update(part).digest("hex").slice(0, size * 2);
      assertEquals(hex(tagged.subarray(octets.length)), expected);
      assert(mac.verify(tagged, at, octets.length, octets.length, size));
      tagged[octets.length + size - 1]! ^= 1;
      assert(!mac.verify(tagged, at, octets.length, octets.length, size));
    }),
    { numRuns: 500 },
  );
});

Deno.test({
  name: "The system's HMAC gives what ours gives, at every length and place",
  ...needs("libcrypto"),
  fn() {
    const sample = fc.record({
      octets: fc.uint8Array({ maxLength: 300 }),
      from: fc.nat({ max: 20 }),
      key: fc.uint8Array({ maxLength: 150 }),
    });
    fc.assert(
      fc.property(sample, ({ octets, from, key }) => {
        const at = Math.min(from, octets.length);
        const ours = new HmacSha256(key);
        const system = systemAuthenticator(key)!;
        const tagged = new Uint8Array(octets.length + 16);
        tagged.set(octets);
        // Twice: the second call goes on from the state that was kept.
        for (let turn = 0; turn < 2; turn += 1) {
          system.sign(tagged, at, octets.length, tagged, octets.length, 16);
          assert(ours.verify(tagged, at, octets.length, octets.length, 16));
          assert(system.verify(tagged, at, octets.length, octets.length, 16));
          tagged[octets.length + 15]! ^= 1;
          assert(!system.verify(tagged, at, octets.length, octets.length, 16));
        }
      }),
      { numRuns: 500 },
    );
  },
});
