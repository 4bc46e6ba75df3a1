/**
 * Signatures of telemetry digests, tried many at once where the signer can be.
 * @module
 */
import { type BlsSigned, refuseBls } from "../../crypto/bls.ts";
import { type PileKey, verifySigned } from "./auth.ts";

/** Most BLS signatures that are tried by one sum: a sum holds up everything else while it is made. */
export const BATCH_MAX = 32;

/** A key that telemetry is signed with. */
export type TelemetryKey = PileKey | { readonly signer: "bls"; readonly point: Uint8Array };

/** A digest of telemetry, and what is said to be its signature. */
export interface SignedDigest {
  readonly key: TelemetryKey;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

/** Tries all. @returns The places of those that are not believed, rising. */
export function refuseDigests(all: readonly SignedDigest[]): number[] {
  const refused: number[] = [];
  const sums: { readonly at: number; readonly signed: BlsSigned }[] = [];
  for (const [at, { key, digest: message, signature }] of all.entries()) {
    if (key.signer === "bls") {
      sums.push({ at, signed: { publicKey: key.point, message, signature } });
    } else if (!verifySigned(key, message, signature)) refused.push(at);
  }
  for (let from = 0; from < sums.length; from += BATCH_MAX) {
    const batch = sums.slice(from, from + BATCH_MAX);
    for (const at of refuseBls(batch.map(({ signed }) => signed))) refused.push(batch[at]!.at);
  }
  return refused.sort((one, other) => one - other);
}
