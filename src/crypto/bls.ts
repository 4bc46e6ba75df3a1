/**
 * BLS signatures on BLS12-381 that can be verified many at once, by noble
 * (draft-irtf-cfrg-bls-signature-05, 3.2, message augmentation: keys of 48 octets, signatures of
 * 96).
 *
 * Each signature is over the public key and the message. So nobody can choose a key that makes an
 * aggregate good for what another has not signed, and keys need no proof of possession.
 *
 * The arithmetic is noble's, of big numbers, and is not in constant time: sign where the gateway's
 * time cannot be measured closely. The gateway itself only verifies.
 * @module
 */
import { concat } from "../base/octets.ts";
import { bls12_381 } from "./noble_curves.ts";

/** Octets of a public key, compressed. */
export const BLS_PUBLIC_SIZE = 48;
/** Octets of a signature or of an aggregate, compressed. */
export const BLS_SIGNATURE_SIZE = 96;

const DOMAIN = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_AUG_";
const scheme = bls12_381.longSignatures;
type Signature = ReturnType<typeof scheme.sign>;
type PublicKey = ReturnType<typeof scheme.getPublicKey>;

/** A message with who is said to have signed it. */
export interface BlsSigned {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** Makes a key. */
export function makeBls(): { readonly secret: Uint8Array; readonly publicKey: Uint8Array } {
  const { secretKey, publicKey } = scheme.keygen();
  return { secret: secretKey, publicKey: publicKey.toBytes() };
}

/** The public key of a secret one. */
export function blsPublicKey(secret: Uint8Array): Uint8Array {
  return scheme.getPublicKey(secret).toBytes();
}

/** Signs a message. */
export function signBls(secret: Uint8Array, message: Uint8Array): Uint8Array {
  const hashed = hash(scheme.getPublicKey(secret).toBytes(), message);
  return scheme.sign(hashed, secret).toBytes();
}

/** Adds signatures to one. @throws Error For octets that are no signature. */
export function aggregateBls(signatures: readonly Uint8Array[]): Uint8Array {
  return scheme.aggregateSignatures(signatures.map((octets) => scheme.Signature.fromBytes(octets)))
    .toBytes();
}

/** Whether an aggregate is of these messages by these keys, all of them and no others. */
export function verifyBlsAggregate(
  signed: readonly Omit<BlsSigned, "signature">[],
  aggregate: Uint8Array,
): boolean {
  const signature = readSignature(aggregate);
  const items: Item[] = [];
  for (const { publicKey, message } of signed) {
    const key = readKey(publicKey);
    if (!key) return false;
    items.push({ publicKey: key, message: hash(publicKey, message) });
  }
  return signature !== undefined && items.length > 0 && scheme.verifyBatch(signature, items);
}

/**
 * Tries many signatures by their sum, which costs about half of trying each; when that is wrong, by
 * halves, so that a few wrong ones among many are found with few tries.
 *
 * When the sum is right, each of the keys has signed its message: that is what the scheme tells. It
 * does not tell that each single signature would hold alone, for errors of two that were made on
 * purpose may cancel each other.
 * @returns The places of those that are not believed, rising.
 */
export function refuseBls(all: readonly BlsSigned[]): number[] {
  const refused: number[] = [];
  const read: Read[] = [];
  for (const [at, one] of all.entries()) {
    const publicKey = readKey(one.publicKey);
    const signature = readSignature(one.signature);
    if (!publicKey || !signature) refused.push(at);
    else read.push({ at, publicKey, signature, message: hash(one.publicKey, one.message) });
  }
  bisect(read, refused);
  return refused.sort((one, other) => one - other);
}

interface Item {
  readonly publicKey: PublicKey;
  readonly message: Signature;
}

interface Read extends Item {
  readonly at: number;
  readonly signature: Signature;
}

function bisect(all: readonly Read[], refused: number[]): void {
  if (all.length === 0) return;
  const sum = scheme.aggregateSignatures(all.map(({ signature }) => signature));
  if (!sum.is0() && scheme.verifyBatch(sum, [...all])) return;
  if (all.length === 1) {
    refused.push(all[0]!.at);
    return;
  }
  const middle = all.length >> 1;
  bisect(all.slice(0, middle), refused);
  bisect(all.slice(middle), refused);
}

function hash(publicKey: Uint8Array, message: Uint8Array): Signature {
  return scheme.hash(concat([publicKey, message]), DOMAIN);
}

/** Undefined for what is no point, is not of the right order, or is zero. */
function readKey(octets: Uint8Array): PublicKey | undefined {
  return octets.length === BLS_PUBLIC_SIZE
    ? valid(() => bls12_381.G1.Point.fromBytes(octets))
    : undefined;
}

function readSignature(octets: Uint8Array): Signature | undefined {
  return octets.length === BLS_SIGNATURE_SIZE
    ? valid(() => scheme.Signature.fromBytes(octets))
    : undefined;
}

function valid<T extends { assertValidity(): void; is0(): boolean }>(
  read: () => T,
): T | undefined {
  try {
    const point = read();
    point.assertValidity();
    return point.is0() ? undefined : point;
  } catch {
    // Noble throws for octets that are no point: for us they are a signature that does not hold.
    return undefined;
  }
}
