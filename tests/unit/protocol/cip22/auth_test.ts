import type { Instant } from "../../../../src/base/time.ts";
import {
  type AuthResponse,
  CHALLENGE_WITHIN,
  checkAuth,
  makeChallenge,
  signedOctets,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { type Signing, signing } from "../../../sim/piles.ts";

const POLICY = new Uint8Array(32).fill(9);
const NOW = 1000 as Instant;
const random = (octets: Uint8Array) =>
  void crypto.getRandomValues(octets as Uint8Array<ArrayBuffer>);

const SIGNERS = [signing("sm2"), signing("secp256k1")] as const;

function answer(signing: Signing, challenge: Uint8Array, more: Partial<AuthResponse> = {}) {
  const fields = { pile: "pile-0001", sequence: 8n, policyHash: POLICY, ...more };
  return { signature: signing.sign(signedOctets(challenge, fields)), ...fields };
}

for (const signing of SIGNERS) {
  const { signer } = signing.key;
  const tried = (
    response: (challenge: Uint8Array) => AuthResponse,
    { last = 7n, now = NOW as number, key = signing.key } = {},
  ) => {
    const challenge = makeChallenge(POLICY, NOW, random);
    return checkAuth(challenge, response(challenge.octets), key, last, now as Instant);
  };

  Deno.test(`A pile that signs with ${signer} is believed once, in time, with a number that rises`, () => {
    const good = (challenge: Uint8Array) => answer(signing, challenge);
    assertEquals(tried(good), undefined);
    assertEquals(tried(good, { now: NOW + CHALLENGE_WITHIN - 1 }), undefined);
    assertEquals(tried(good, { now: NOW + CHALLENGE_WITHIN }), "expired");
    for (const last of [8n, 9n, (1n << 64n) - 1n]) assertEquals(tried(good, { last }), "sequence");
    const large = (challenge: Uint8Array) => answer(signing, challenge, { sequence: 1n << 64n });
    assertEquals(tried(large), "sequence");
    const challenge = makeChallenge(POLICY, NOW, random);
    const response = answer(signing, challenge.octets);
    assertEquals(checkAuth(challenge, response, signing.key, 7n, NOW), undefined);
    assertEquals(checkAuth(challenge, response, signing.key, 7n, NOW), "used", "replayed");
    const other = makeChallenge(POLICY, NOW, random);
    assertEquals(
      checkAuth(other, response, signing.key, 7n, NOW),
      "signature",
      "another challenge",
    );
    assertEquals(checkAuth(other, answer(signing, other.octets), signing.key, 7n, NOW), "used");
  });

  Deno.test(`What is not signed with ${signer} rightly, by the right pile, is not believed`, () => {
    const policyHash = new Uint8Array(32);
    assertEquals(tried((challenge) => answer(signing, challenge, { policyHash })), "policy");
    const changed = (change: Partial<AuthResponse>) =>
      tried((challenge) => ({ ...answer(signing, challenge), ...change }));
    assertEquals(changed({ pile: "pile-0002" }), "signature");
    assertEquals(changed({ sequence: 9n }), "signature");
    for (const length of [0, 63, 65]) {
      assertEquals(changed({ signature: new Uint8Array(length) }), "signature");
    }
    assertEquals(changed({ signature: new Uint8Array(64) }), "signature");
    for (let bit = 0; bit < 512; bit += 37) {
      const wrong = (challenge: Uint8Array) => {
        const response = answer(signing, challenge);
        response.signature[bit >> 3]! ^= 1 << (bit & 7);
        return response;
      };
      assertEquals(tried(wrong), "signature");
    }
    const [stranger] = SIGNERS.filter((one) => one !== signing);
    assertEquals(tried((challenge) => answer(stranger!, challenge)), "signature");
    const nobody = { ...signing.key, point: new Uint8Array(33) };
    assertEquals(tried((challenge) => answer(signing, challenge), { key: nobody }), "signature");
  });
}

Deno.test("On secp256k1 the higher s is refused: each signature has one form", () => {
  const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const [, signing] = SIGNERS as [Signing, Signing];
  const challenge = makeChallenge(POLICY, NOW, random);
  const response = answer(signing, challenge.octets);
  const s = BigInt(`0x${response.signature.subarray(32).toHex()}`);
  assert(s <= n / 2n);
  const high = response.signature.slice();
  high.set(Uint8Array.fromHex((n - s).toString(16).padStart(64, "0")), 32);
  const wrong = { ...response, signature: high };
  assertEquals(checkAuth(challenge, wrong, signing.key, 7n, NOW), "signature");
});

Deno.test("What is signed is the challenge, the name, the policy and the number, in this order", () => {
  const octets = signedOctets(Uint8Array.of(1, 2), {
    pile: "ab",
    policyHash: Uint8Array.of(3),
    sequence: 258n,
  });
  assertEquals(octets.toHex(), "0102616203" + "0000000000000102");
});
