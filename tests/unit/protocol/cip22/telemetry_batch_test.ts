import { makeBls, signBls } from "../../../../src/crypto/bls.ts";
import { Sm2PrivateKey } from "../../../../src/crypto/sm2.ts";
import { makeSecp256k1, signSecp256k1 } from "../../../../src/crypto/sm2_curve.ts";
import { BATCH_MAX, refuseDigests, type SignedDigest } from "../../../../src/protocol/cip22/mod.ts";
import { assertEquals } from "../../../assert.ts";

const sm2 = Sm2PrivateKey.make();
const pair = makeSecp256k1();
const bls = makeBls();

function signed(at: number): SignedDigest {
  const digest = new Uint8Array(32).fill(at);
  if (at % 10 === 1) {
    const key = { signer: "sm2", point: sm2.publicKey.octets() } as const;
    return { key, digest, signature: sm2.sign(digest) };
  }
  if (at % 10 === 2) {
    const key = { signer: "secp256k1", point: pair.point } as const;
    return { key, digest, signature: signSecp256k1(pair.secret, digest) };
  }
  const key = { signer: "bls", point: bls.publicKey } as const;
  return { key, digest, signature: signBls(bls.secret, digest) };
}

Deno.test("Digests of all signers are tried together, and the wrong ones are told by their places", () => {
  const all = Array.from({ length: BATCH_MAX + 12 }, (_, at) => signed(at));
  assertEquals(refuseDigests(all), []);
  const wrong = [1, 2, 5, BATCH_MAX + 11];
  const hurt = all.map((one, at) =>
    wrong.includes(at) ? { ...one, digest: new Uint8Array(32).fill(200 + at) } : one
  );
  assertEquals(refuseDigests(hurt), wrong);
  const swapped = all.map((one, at) => at === 3 ? { ...one, signature: all[4]!.signature } : one);
  assertEquals(refuseDigests(swapped), [3]);
});
