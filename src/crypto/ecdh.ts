/**
 * A secret that two agree on by an ephemeral key each, on the curve of SM2 or on P-256: the first
 * coordinate of the product (NIST SP 800-56A, 5.7.1.2).
 * @module
 */
import { p256 } from "./noble_curves.ts";
import { CURVE, NOBLE, Point, type Sm2Arithmetic } from "./sm2_curve.ts";

/** The curves. */
export type EcdhCurve = "sm2" | "p256";
/** Octets of a point with both coordinates: 04 and each of them. */
export const POINT_SIZE = 65;
const SIZE = 32;

/** One side's key; it is used once. */
export interface Ephemeral {
  /** What the other side is told: {@linkcode POINT_SIZE} octets. */
  readonly point: Uint8Array;
  /** The common secret, 32 octets; undefined when what the other side told is no point. */
  agree(other: Uint8Array): Uint8Array | undefined;
}

/**
 * Makes a key.
 * @param random Fills octets with numbers that nobody can guess.
 * @param arithmetic Of SM2's curve.
 */
export function makeEphemeral(
  curve: EcdhCurve,
  random: (octets: Uint8Array) => void,
  arithmetic: Sm2Arithmetic = NOBLE,
): Ephemeral {
  return curve === "sm2" ? onSm2(random, arithmetic) : onP256(random);
}

function onSm2(random: (octets: Uint8Array) => void, arithmetic: Sm2Arithmetic): Ephemeral {
  let secret = 0n;
  const octets = new Uint8Array(SIZE);
  // Numbers beyond the order are not reduced, for that would prefer small ones.
  while (secret < 1n || secret >= CURVE.n) {
    random(octets);
    secret = BigInt(`0x${octets.toHex()}`);
  }
  octets.fill(0);
  const { x, y } = arithmetic.base(secret);
  return {
    point: Uint8Array.fromHex(`04${digitsOf(x)}${digitsOf(y)}`),
    agree: (other) =>
      agreed(other, () => {
        const point = Point.fromBytes(other);
        return Uint8Array.fromHex(digitsOf(arithmetic.productX(secret, point)));
      }),
  };
}

function digitsOf(value: bigint): string {
  return value.toString(16).padStart(2 * SIZE, "0");
}

function onP256(random: (octets: Uint8Array) => void): Ephemeral {
  const secret = new Uint8Array(SIZE);
  do random(secret); while (!p256.utils.isValidSecretKey(secret));
  return {
    point: p256.getPublicKey(secret, false),
    agree: (other) => agreed(other, () => p256.getSharedSecret(secret, other).slice(1)),
  };
}

function agreed(other: Uint8Array, product: () => Uint8Array): Uint8Array | undefined {
  if (other.length !== POINT_SIZE || other[0] !== 4) return undefined;
  try {
    return product();
  } catch (error) {
    if (error instanceof Error) return undefined; // Off the curve, or out of range.
    throw error;
  }
}
