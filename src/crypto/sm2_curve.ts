/**
 * The curve of SM2 (GB/T 32918.5, 2) by noble, what SM2 needs of its arithmetic, P-256 and
 * secp256k1.
 * @module
 */
import { normalizeZ, p256, secp256k1, weierstrass } from "./noble_curves.ts";

/** y² = x³ + ax + b modulo p; the base point has the order n. */
export const CURVE = {
  p: 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn,
  n: 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n,
  h: 1n,
  a: 0xfffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffcn,
  b: 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n,
  Gx: 0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7n,
  Gy: 0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0n,
} as const;

/** Points of it. */
export const Point = weierstrass(CURVE);
/** One of them. */
export type CurvePoint = InstanceType<typeof Point>;

/** The same points with Z = 1, by one division for all of them. */
export function affine(points: CurvePoint[]): CurvePoint[] {
  return normalizeZ(Point, points);
}

/** Both coordinates of a point. */
export interface Coordinates {
  readonly x: bigint;
  readonly y: bigint;
}

/** Signing, verifying and agreeing on keys, as far as the curve is concerned. */
export interface Sm2Arithmetic {
  /** k·G, for a secret k from 1 to n - 1. */
  base(k: bigint): Coordinates;
  /** First coordinate of k·point, for a secret k from 1 to n - 1. */
  productX(k: bigint, point: CurvePoint): bigint;
  /** First coordinate of k·G, for a secret k from 1 to n - 1. */
  baseX(k: bigint): bigint;
  /** Whether the first coordinate of s·G + t·key is `wanted` modulo n. Nothing here is secret. */
  sumHasX(s: bigint, t: bigint, key: CurvePoint, wanted: bigint): boolean;
}

/** By noble's formulas, which hold for any points. */
export const NOBLE: Sm2Arithmetic = {
  base: (k) => Point.BASE.multiply(k).toAffine(),
  productX: (k, point) => point.multiply(k).toAffine().x,
  baseX: (k) => Point.BASE.multiply(k).toAffine().x,
  sumHasX(s, t, key, wanted) {
    const sum = Point.BASE.multiplyUnsafe(s).add(key.multiplyUnsafe(t));
    return !sum.is0() && sum.toAffine().x % CURVE.n === wanted;
  },
};

/** Whether r and s, 64 octets, are an ECDSA signature on P-256 with SHA-256. It never throws. */
export function verifyP256(
  point: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return p256.verify(signature, message, point, { lowS: false });
  } catch (error) {
    if (error instanceof Error) return false; // No point of the curve.
    throw error;
  }
}

/** An ECDSA signature on P-256 with SHA-256: r and s, 64 octets. */
export function signP256(secret: Uint8Array, message: Uint8Array): Uint8Array {
  return p256.sign(message, secret, { lowS: false });
}

/** A new secret number of P-256, and the public point with both coordinates. */
export function makeP256(): { readonly secret: Uint8Array; readonly point: Uint8Array } {
  const secret = p256.utils.randomSecretKey();
  return { secret, point: p256.getPublicKey(secret, false) };
}

/** The public point of a secret number of P-256; undefined when it is none. */
export function pointOfP256(secret: Uint8Array): Uint8Array | undefined {
  return p256.utils.isValidSecretKey(secret) ? p256.getPublicKey(secret, false) : undefined;
}

/**
 * Whether r and s, 64 octets with the lower s, are an ECDSA signature on secp256k1 with SHA-256. It
 * never throws.
 */
export function verifySecp256k1(
  point: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return secp256k1.verify(signature, message, point);
  } catch (error) {
    if (error instanceof Error) return false; // No point of the curve.
    throw error;
  }
}

/** An ECDSA signature on secp256k1 with SHA-256: r and s, 64 octets. */
export function signSecp256k1(secret: Uint8Array, message: Uint8Array): Uint8Array {
  return secp256k1.sign(message, secret);
}

/** A new secret number of secp256k1, and its compressed point. */
export function makeSecp256k1(): { readonly secret: Uint8Array; readonly point: Uint8Array } {
  const secret = secp256k1.utils.randomSecretKey();
  return { secret, point: secp256k1.getPublicKey(secret, true) };
}
