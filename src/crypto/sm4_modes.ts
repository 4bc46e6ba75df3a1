/**
 * SM4 without authentication: ECB, CBC and CTR (GB/T 17964), for formats that ask for them. Whoever
 * has the choice takes {@linkcode Sm4Gcm}. In place, over whole blocks; the target may be the
 * source.
 * @module
 */
import { BugError } from "../base/errors.ts";
import { type Sm4, SM4_BLOCK } from "./sm4.ts";

function checkBlocks(source: Uint8Array, target: Uint8Array): void {
  if (source.length % SM4_BLOCK !== 0) {
    throw new BugError("crypto.sm4.blocks", "Only whole blocks of 16 octets can be taken", {
      length: source.length,
    });
  }
  if (target.length < source.length) {
    throw new BugError("crypto.sm4.room", "The target is shorter than the source");
  }
}

/** Each block by itself. @throws BugError for what is not whole blocks. */
export function sm4Ecb(
  cipher: Sm4,
  way: "encrypt" | "decrypt",
  source: Uint8Array,
  target = source,
): void {
  checkBlocks(source, target);
  cipher.blocks(way, source, 0, target, 0, source.length / SM4_BLOCK);
}

/**
 * Each block with the one before.
 * @param start 16 octets; afterwards the block to go on with.
 * @throws BugError for what is not whole blocks.
 */
export function sm4Cbc(
  cipher: Sm4,
  way: "encrypt" | "decrypt",
  start: Uint8Array,
  source: Uint8Array,
  target = source,
): void {
  checkBlocks(source, target);
  if (way === "encrypt") {
    cipher.chain(start, source, target);
    return;
  }
  const taken = new Uint8Array(SM4_BLOCK);
  for (let at = 0; at < source.length; at += SM4_BLOCK) {
    taken.set(source.subarray(at, at + SM4_BLOCK));
    cipher.decrypt(source, at, target, at);
    for (let index = 0; index < SM4_BLOCK; index += 1) target[at + index]! ^= start[index]!;
    start.set(taken);
  }
}

/**
 * A stream of key octets, of any length.
 * @param counter 16 octets, a number of 128 bits; afterwards the one to go on with.
 */
export function sm4Ctr(
  cipher: Sm4,
  counter: Uint8Array,
  source: Uint8Array,
  target = source,
): void {
  if (target.length < source.length) {
    throw new BugError("crypto.sm4.room", "The target is shorter than the source");
  }
  for (let at = 0; at < source.length;) {
    // The last word wraps by itself; what it carries goes into the words before.
    const last = (counter[12]! << 24 | counter[13]! << 16 | counter[14]! << 8 | counter[15]!) >>> 0;
    const until = 2 ** 32 - last;
    const end = Math.min(source.length, at + until * SM4_BLOCK);
    cipher.stream(counter, source, at, end, target, at);
    if (Math.ceil((end - at) / SM4_BLOCK) === until) {
      for (let index = 11; index >= 0; index -= 1) {
        counter[index]! += 1;
        if (counter[index] !== 0) break;
      }
    }
    at = end;
  }
}

/** Fills a text up to whole blocks. PKCS #7, 10.3 */
export function padBlocks(text: Uint8Array): Uint8Array {
  const count = SM4_BLOCK - text.length % SM4_BLOCK;
  const padded = new Uint8Array(text.length + count).fill(count);
  padded.set(text);
  return padded;
}

/** Takes the filling off; undefined when it is none. Only for texts that are authentic. */
export function unpadBlocks(padded: Uint8Array): Uint8Array | undefined {
  const count = padded.at(-1) ?? 0;
  if (count < 1 || count > SM4_BLOCK || count > padded.length) return undefined;
  for (const octet of padded.subarray(padded.length - count)) {
    if (octet !== count) return undefined;
  }
  return padded.subarray(0, padded.length - count);
}
