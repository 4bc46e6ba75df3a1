/**
 * Key derivation: HKDF with SM3 or SHA-256 (RFC 5869), KDF2 with SM3 (ISO/IEC 18033-2; the KDF of
 * GB/T 32918.4), and the function that the charging piles' specification calls KDF2-HMAC-SM3.
 * @module
 */
import { concat } from "../base/octets.ts";
import { BugError } from "../base/errors.ts";
import { HmacSha256 } from "./sha256.ts";
import { HmacSm3, Sm3, SM3_SIZE } from "./sm3.ts";

/** Hashes that {@linkcode hkdf} can be made with. */
export type HkdfHash = "sm3" | "sha256";

/** Blocks that HKDF gives at most. RFC 5869, 2.3 */
const HKDF_BLOCKS_MAX = 255;

function mac(hash: HkdfHash, key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const target = new Uint8Array(32);
  if (hash === "sm3") {
    using one = new HmacSm3(key);
    for (const part of parts) one.update(part);
    one.finish(target);
    return target;
  }
  const whole = concat(parts);
  new HmacSha256(key).sign(whole, 0, whole.length, target, 0, 32);
  whole.fill(0);
  return target;
}

/** HKDF-Extract. RFC 5869, 2.2 */
export function hkdfExtract(hash: HkdfHash, salt: Uint8Array, secret: Uint8Array): Uint8Array {
  return mac(hash, salt, [secret]);
}

/** HKDF-Expand. RFC 5869, 2.3. @throws BugError when more is asked for than it gives. */
export function hkdfExpand(
  hash: HkdfHash,
  key: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  if (length > HKDF_BLOCKS_MAX * 32) {
    throw new BugError("crypto.hkdf", "HKDF does not give so much");
  }
  const target = new Uint8Array(length);
  let block: Uint8Array = new Uint8Array(0);
  for (let at = 0, counter = 1; at < length; at += 32, counter += 1) {
    block = mac(hash, key, [block, info, Uint8Array.of(counter)]);
    target.set(block.subarray(0, Math.min(32, length - at)), at);
  }
  block.fill(0);
  return target;
}

/** HKDF as a whole. @throws BugError as {@linkcode hkdfExpand}. */
export function hkdf(
  hash: HkdfHash,
  { secret, salt, info }: Readonly<Record<"secret" | "salt" | "info", Uint8Array>>,
  length: number,
): Uint8Array {
  const key = hkdfExtract(hash, salt, secret);
  const target = hkdfExpand(hash, key, info, length);
  key.fill(0);
  return target;
}

/** KDF2 with SM3: blocks SM3(Z ‖ counter ‖ info), from 1. ISO/IEC 18033-2, 6.2.3 */
export function kdf2Sm3(
  secret: Uint8Array,
  length: number,
  info: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const target = new Uint8Array(length);
  const block = new Uint8Array(SM3_SIZE);
  using seen = new Sm3().update(secret);
  using hash = new Sm3();
  for (let at = 0, counter = 1; at < length; at += SM3_SIZE, counter += 1) {
    hash.copy(seen).update(counterOctets(counter)).update(info).finish(block);
    target.set(block.subarray(0, Math.min(SM3_SIZE, length - at)), at);
  }
  block.fill(0);
  return target;
}

/**
 * What the piles' specification calls KDF2-HMAC-SM3, which is not ISO's KDF2: blocks
 * HMAC-SM3(secret, salt ‖ counter ‖ nonce), from 1.
 * @param salt The device's own number.
 * @param nonce Of the session; absent where there is none.
 */
export function kdf2HmacSm3(
  secret: Uint8Array,
  salt: Uint8Array,
  length: number,
  nonce: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const target = new Uint8Array(length);
  const block = new Uint8Array(SM3_SIZE);
  using hash = new HmacSm3(secret);
  for (let at = 0, counter = 1; at < length; at += SM3_SIZE, counter += 1) {
    hash.update(salt).update(counterOctets(counter)).update(nonce).finish(block);
    target.set(block.subarray(0, Math.min(SM3_SIZE, length - at)), at);
  }
  block.fill(0);
  return target;
}

function counterOctets(counter: number): Uint8Array {
  return Uint8Array.of(counter >>> 24, counter >>> 16, counter >>> 8, counter);
}
