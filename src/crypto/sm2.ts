/**
 * SM2: signatures, key exchange and encryption of GB/T 32918-2016, on the curve of its part 5. The
 * curve's arithmetic is noble's; what is secret is blinded there, and scalars are computed modulo
 * the order with big numbers.
 * @module
 */
import { concat } from "../base/octets.ts";
import { BugError } from "../base/errors.ts";
import { kdf2Sm3 } from "./kdf.ts";
import { CURVE, type CurvePoint, NOBLE, Point, type Sm2Arithmetic } from "./sm2_curve.ts";
import { HmacSm3, Sm3, sm3 } from "./sm3.ts";

/** Octets of a number of the curve. */
export const SM2_SIZE = 32;
/** The user id where none is agreed on. GM/T 0009 */
export const SM2_ID: Uint8Array = new TextEncoder().encode("1234567812345678");

const { n } = CURVE;

/** Fills octets with numbers that nobody can guess. */
export type RandomFill = (octets: Uint8Array) => void;
const systemRandom: RandomFill = (octets) => {
  crypto.getRandomValues(octets as Uint8Array<ArrayBuffer>);
};

function mod(value: bigint, by = n): bigint {
  const rest = value % by;
  return rest < 0n ? rest + by : rest;
}

/** The inverse modulo the order, by Fermat. */
function inverse(value: bigint): bigint {
  let [result, base] = [1n, mod(value)];
  for (let left = n - 2n; left > 0n; left >>= 1n) {
    if (left & 1n) result = result * base % n;
    base = base * base % n;
  }
  return result;
}

function numberOf(octets: Uint8Array): bigint {
  return octets.length === 0 ? 0n : BigInt(`0x${octets.toHex()}`);
}

function octetsOf(value: bigint): Uint8Array {
  return Uint8Array.fromHex(value.toString(16).padStart(2 * SM2_SIZE, "0"));
}

const PARAMETERS = [CURVE.a, CURVE.b, CURVE.Gx, CURVE.Gy].map(octetsOf);

/** A public key: a point of the curve that is not infinity. */
export class Sm2PublicKey {
  readonly #octets: Uint8Array;
  /** ZA of the usual user id. */
  #identity: Uint8Array | undefined;

  private constructor(readonly point: CurvePoint, readonly arithmetic: Sm2Arithmetic) {
    this.#octets = point.toBytes(false);
  }

  /**
   * Reads a point: 04 and both coordinates, 02 or 03 and the first, or both coordinates alone.
   * @returns Undefined for what is no point of the curve.
   */
  static read(octets: Uint8Array, arithmetic = NOBLE): Sm2PublicKey | undefined {
    const [first] = octets;
    const plain = octets.length === 2 * SM2_SIZE;
    const whole = octets.length === 2 * SM2_SIZE + 1 && first === 4;
    const short = octets.length === SM2_SIZE + 1 && (first === 2 || first === 3);
    if (!plain && !whole && !short) return undefined;
    try {
      const point = Point.fromBytes(plain ? Uint8Array.of(4, ...octets) : octets);
      point.assertValidity();
      return new Sm2PublicKey(point, arithmetic);
    } catch (error) {
      if (error instanceof Error) return undefined; // Off the curve, or out of range.
      throw error;
    }
  }

  /** The point of a secret number. */
  static of(secret: bigint, arithmetic = NOBLE): Sm2PublicKey {
    return new Sm2PublicKey(Point.BASE.multiply(secret), arithmetic);
  }

  /** 04 and both coordinates, or 02 or 03 and the first. */
  octets(compressed = false): Uint8Array {
    return compressed ? this.point.toBytes(true) : this.#octets.slice();
  }

  /** ZA: the hash of the user id, the curve and the key. GB/T 32918.2, 5.5 */
  identity(id: Uint8Array = SM2_ID): Uint8Array {
    if (id === SM2_ID) return this.#identity ??= this.#identityOf(id);
    return this.#identityOf(id);
  }

  #identityOf(id: Uint8Array): Uint8Array {
    if (id.length * 8 > 0xffff) throw new BugError("crypto.sm2.id", "A user id is too long");
    const bits = Uint8Array.of(id.length * 8 >> 8, id.length * 8);
    return sm3(bits, id, ...PARAMETERS, this.#octets.subarray(1));
  }

  /** The hash of a message that is signed. GB/T 32918.2, 6.1 */
  digest(message: Uint8Array, id: Uint8Array = SM2_ID): Uint8Array {
    return sm3(this.identity(id), message);
  }

  /** Whether r and s, 64 octets, sign a digest. It never throws. */
  verifyDigest(digest: Uint8Array, signature: Uint8Array): boolean {
    if (signature.length !== 2 * SM2_SIZE || digest.length !== SM2_SIZE) return false;
    const r = numberOf(signature.subarray(0, SM2_SIZE));
    const s = numberOf(signature.subarray(SM2_SIZE));
    if (r < 1n || r >= n || s < 1n || s >= n) return false;
    const t = mod(r + s);
    if (t === 0n) return false;
    return this.arithmetic.sumHasX(s, t, this.point, mod(r - numberOf(digest)));
  }

  /** Whether r and s, 64 octets, sign a message. It never throws. */
  verify(message: Uint8Array, signature: Uint8Array, id: Uint8Array = SM2_ID): boolean {
    return this.verifyDigest(this.digest(message, id), signature);
  }
}

/** A private key. */
export class Sm2PrivateKey {
  readonly #secret: bigint;
  readonly #factor: bigint;
  readonly #mac: HmacSm3;
  readonly publicKey: Sm2PublicKey;

  private constructor(secret: bigint, readonly arithmetic: Sm2Arithmetic) {
    this.#secret = secret;
    this.#factor = inverse(1n + secret);
    this.#mac = new HmacSm3(octetsOf(secret));
    this.publicKey = Sm2PublicKey.of(secret, arithmetic);
  }

  /** Reads 32 octets, a number from 1 to n - 2. @returns Undefined for another one. */
  static read(octets: Uint8Array, arithmetic = NOBLE): Sm2PrivateKey | undefined {
    const secret = octets.length === SM2_SIZE ? numberOf(octets) : 0n;
    return secret >= 1n && secret <= n - 2n ? new Sm2PrivateKey(secret, arithmetic) : undefined;
  }

  /** Makes a new one. */
  static make(random: RandomFill = systemRandom, arithmetic = NOBLE): Sm2PrivateKey {
    const octets = new Uint8Array(SM2_SIZE);
    for (;;) {
      random(octets);
      const key = Sm2PrivateKey.read(octets, arithmetic);
      octets.fill(0);
      if (key) return key;
    }
  }

  /** The number, as 32 octets. */
  octets(): Uint8Array {
    return octetsOf(this.#secret);
  }

  /**
   * Signs a digest. The number that must never come twice is HMAC-SM3, under the key, of the digest
   * and of random octets: a poor source of random alone does not give the key away (the idea of RFC
   * 6979, 3.6).
   * @returns r and s, 64 octets.
   */
  signDigest(digest: Uint8Array, random: RandomFill = systemRandom): Uint8Array {
    const e = numberOf(digest);
    for (const k of this.#numbers(digest, random)) {
      const signature = this.signWith(e, k);
      if (signature) return signature;
    }
    throw new BugError("crypto.sm2.sign", "No signature was found");
  }

  /** Signs a message. @returns r and s, 64 octets. */
  sign(
    message: Uint8Array,
    id: Uint8Array = SM2_ID,
    random: RandomFill = systemRandom,
  ): Uint8Array {
    return this.signDigest(this.publicKey.digest(message, id), random);
  }

  /**
   * GB/T 32918.2, 6.1, with a number that is given: for known answers.
   * @returns Undefined when another number is needed.
   */
  signWith(e: bigint, k: bigint): Uint8Array | undefined {
    const r = mod(e + this.arithmetic.baseX(k));
    if (r === 0n || r + k === n) return undefined;
    // (1 + d)^-1 (k - rd) is (1 + d)^-1 (k + r) - r, which has the secret in one place only.
    const s = mod(this.#factor * (k + r) - r);
    if (s === 0n) return undefined;
    const signature = new Uint8Array(2 * SM2_SIZE);
    signature.set(octetsOf(r));
    signature.set(octetsOf(s), SM2_SIZE);
    return signature;
  }

  /** The first coordinate of what both sides reach: plain ECDH, as RFC 8998 has it. */
  agree(other: Sm2PublicKey): Uint8Array {
    return octetsOf(other.point.multiply(this.#secret).toAffine().x);
  }

  /**
   * The key exchange of GB/T 32918.3, 6.1, without confirmation.
   * @param own What this side has made for this exchange, `other` what the other has.
   */
  exchange(
    own: Sm2PrivateKey,
    other: { readonly key: Sm2PublicKey; readonly ephemeral: Sm2PublicKey },
    ids: { readonly initiator: Uint8Array; readonly responder: Uint8Array },
    role: "initiator" | "responder",
    length: number,
  ): Uint8Array {
    const shortened = ({ point }: Sm2PublicKey) => HALF + (point.toAffine().x & (HALF - 1n));
    const t = mod(this.#secret + shortened(own.publicKey) * own.#secret);
    const sum = other.key.point.add(other.ephemeral.point.multiply(shortened(other.ephemeral)));
    if (sum.is0() || t === 0n) {
      throw new BugError("crypto.sm2.exchange", "The keys do not go together");
    }
    const { x, y } = sum.multiply(t).toAffine();
    const mine = this.publicKey;
    const [first, second] = role === "initiator" ? [mine, other.key] : [other.key, mine];
    const info = [first.identity(ids.initiator), second.identity(ids.responder)] as const;
    return kdf2Sm3(concat([octetsOf(x), octetsOf(y), ...info]), length);
  }

  /** Opens what {@linkcode sm2Encrypt} has made. @returns Undefined when it was not made for this key. */
  decrypt(sealed: Uint8Array, order: "C1C3C2" | "C1C2C3" = "C1C3C2"): Uint8Array | undefined {
    const pointSize = 2 * SM2_SIZE + 1;
    if (sealed.length < pointSize + SM2_SIZE) return undefined;
    const point = Sm2PublicKey.read(sealed.subarray(0, pointSize));
    if (!point) return undefined;
    const rest = sealed.subarray(pointSize);
    const [check, hidden] = order === "C1C3C2"
      ? [rest.subarray(0, SM2_SIZE), rest.subarray(SM2_SIZE)]
      : [rest.subarray(rest.length - SM2_SIZE), rest.subarray(0, rest.length - SM2_SIZE)];
    const { x, y } = point.point.multiply(this.#secret).toAffine();
    const text = masked(hidden, octetsOf(x), octetsOf(y));
    const wanted = sm3(octetsOf(x), text, octetsOf(y));
    let difference = 0;
    for (const [index, octet] of wanted.entries()) difference |= octet ^ check[index]!;
    if (difference === 0) return text;
    text.fill(0);
    return undefined;
  }

  /** Numbers for a signature, as many as are asked for. */
  *#numbers(digest: Uint8Array, random: RandomFill): Generator<bigint> {
    const extra = new Uint8Array(SM2_SIZE);
    random(extra);
    const value = new Uint8Array(SM2_SIZE);
    for (let turn = 0;; turn += 1) {
      this.#mac.update(extra).update(digest).update(Uint8Array.of(turn >> 8, turn)).finish(value);
      const k = numberOf(value);
      value.fill(0);
      if (k >= 1n && k < n) yield k;
    }
  }
}

/** 2^w of the key exchange, w = 127. */
const HALF = 1n << 127n;

function masked(text: Uint8Array, x: Uint8Array, y: Uint8Array): Uint8Array {
  const mask = kdf2Sm3(concat([x, y]), text.length);
  return text.map((octet, index) => octet ^ mask[index]!);
}

/**
 * Encrypts for a key: GB/T 32918.4, 6.1. For short texts such as keys.
 * @param order C1C3C2 is that of the standard since 2012, C1C2C3 the one before.
 */
export function sm2Encrypt(
  key: Sm2PublicKey,
  text: Uint8Array,
  order: "C1C3C2" | "C1C2C3" = "C1C3C2",
  random: RandomFill = systemRandom,
): Uint8Array {
  for (;;) {
    const once = Sm2PrivateKey.make(random);
    const { x, y } = key.point.multiply(numberOf(once.octets())).toAffine();
    const [left, right] = [octetsOf(x), octetsOf(y)];
    const hidden = masked(text, left, right);
    // A mask of nothing but zeros would show the text; a short one may be so by chance.
    const shows = text.length > 0 && hidden.every((octet, index) => octet === text[index]);
    if (shows) continue;
    using hash = new Sm3().update(left).update(text).update(right);
    const check = hash.digest();
    const parts = order === "C1C3C2" ? [check, hidden] : [hidden, check];
    return concat([once.publicKey.octets(), ...parts]);
  }
}
