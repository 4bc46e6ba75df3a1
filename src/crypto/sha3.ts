/**
 * SHA3-256 (FIPS 202), by noble's implementation.
 * @module
 */
import { sha3_256 } from "@noble/hashes/sha3.js";

/** Octets of a digest. */
export const SHA3_SIZE = 32;

/** The digest of octets, which may come in pieces. */
export function sha3(...pieces: readonly Uint8Array[]): Uint8Array {
  const hash = sha3_256.create();
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
