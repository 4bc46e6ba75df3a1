/** Keys and policies for tests of charging piles. */
import { Sm2PrivateKey } from "../../src/crypto/sm2.ts";
import { makeSecp256k1, signSecp256k1 } from "../../src/crypto/sm2_curve.ts";
import type { PileKey } from "../../src/protocol/cip22/mod.ts";

/** A key as registers have it, and what signs with it. */
export interface Signing {
  readonly key: PileKey;
  /** The point in hexadecimal digits. */
  readonly publicKey: string;
  sign(octets: Uint8Array): Uint8Array;
}

/** Makes a key. */
export function signing(signer: PileKey["signer"]): Signing {
  if (signer === "sm2") {
    const own = Sm2PrivateKey.make();
    const key = { signer, point: own.publicKey.octets() };
    return { key, publicKey: key.point.toHex(), sign: (octets) => own.sign(octets) };
  }
  const { secret, point } = makeSecp256k1();
  const sign = (octets: Uint8Array) => signSecp256k1(secret, octets);
  return { key: { signer, point }, publicKey: point.toHex(), sign };
}

/** A policy as an operator writes it: one price for the whole week. */
export function policyFields(version: number, change: Readonly<Record<string, unknown>> = {}) {
  return {
    id: "site",
    version,
    "valid_from": "2025-01-01T00:00:00Z",
    "valid_until": "2099-01-01T00:00:00Z",
    "utc_offset_minutes": 480,
    currency: "CNY",
    periods: [{ from: "00:00", to: "24:00", "energy_price": 700, "service_price": 300 }],
    offline: { "keep_charging": false, "grace_s": 60 },
    ...change,
  };
}
