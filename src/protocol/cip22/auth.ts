/**
 * How a pile shows who it is: it signs a challenge that is good once and for a while, its own name,
 * the hash of the policy that it has, and a number that only rises.
 * @module
 */
import { concat, sameOctets } from "../../base/octets.ts";
import { after, type Instant, type Millis, seconds } from "../../base/time.ts";
import { Sm2PublicKey } from "../../crypto/sm2.ts";
import { verifySecp256k1 } from "../../crypto/sm2_curve.ts";

/** Octets of a challenge, and of a policy's hash. */
export const CHALLENGE_SIZE = 32;
const NOTHING = new Uint8Array(0);
/** How long a challenge is good. */
export const CHALLENGE_WITHIN = seconds(30);

/** The key of a pile, as it was enrolled. */
export interface PileKey {
  readonly signer: "secp256k1" | "sm2";
  readonly point: Uint8Array;
}

/** A challenge that was given; it belongs to one connection. */
export interface Challenge {
  readonly octets: Uint8Array;
  readonly policyHash: Uint8Array;
  readonly until: Instant;
  /** It has been answered, rightly or not. */
  used: boolean;
}

/** What a pile answers: AUTH_RESP. */
export interface AuthResponse {
  readonly pile: string;
  /** Strictly greater than the last one that was accepted. */
  readonly sequence: bigint;
  readonly policyHash: Uint8Array;
  /** r and s, 64 octets. */
  readonly signature: Uint8Array;
}

/** Why a pile is not believed. */
export type AuthFault = "used" | "expired" | "policy" | "sequence" | "signature";

/** Makes a challenge. @param random Fills octets with numbers that nobody can guess. */
export function makeChallenge(
  policyHash: Uint8Array,
  now: Instant,
  random: (octets: Uint8Array) => void,
  within: Millis = CHALLENGE_WITHIN,
): Challenge {
  const octets = new Uint8Array(CHALLENGE_SIZE);
  random(octets);
  return { octets, policyHash, until: after(now, within), used: false };
}

/**
 * What is signed: the challenge, the pile's name, the hash of its policy, the number (u64). Where
 * keys are agreed on with it, `agreed` follows: the session's id and both ephemeral keys, so that
 * nobody between can put his own there.
 */
export function signedOctets(
  challenge: Uint8Array,
  { pile, policyHash, sequence }: Omit<AuthResponse, "signature">,
  agreed: Uint8Array = NOTHING,
): Uint8Array {
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, BigInt.asUintN(64, sequence));
  return concat([challenge, new TextEncoder().encode(pile), policyHash, number, agreed]);
}

/**
 * Tries an answer. A challenge is good for one, whatever comes of it.
 * @param last The last number that was accepted of this pile.
 * @param agreed As in {@linkcode signedOctets}.
 * @param verify Where there is a faster way.
 * @returns Undefined when the pile is believed.
 */
export function checkAuth(
  challenge: Challenge,
  response: AuthResponse,
  key: PileKey,
  last: bigint,
  now: Instant,
  agreed: Uint8Array = NOTHING,
  verify: typeof verifySigned = verifySigned,
): AuthFault | undefined {
  if (challenge.used) return "used";
  challenge.used = true;
  if (now >= challenge.until) return "expired";
  if (!sameOctets(response.policyHash, challenge.policyHash)) return "policy";
  const { sequence, signature } = response;
  if (sequence <= last || sequence >= 1n << 64n) return "sequence";
  const signed = signedOctets(challenge.octets, response, agreed);
  return verify(key, signed, signature) ? undefined : "signature";
}

/** Whether a pile has signed octets. */
export function verifySigned(key: PileKey, signed: Uint8Array, signature: Uint8Array): boolean {
  return key.signer === "sm2"
    ? Sm2PublicKey.read(key.point)?.verify(signed, signature) ?? false
    : verifySecp256k1(key.point, signed, signature);
}
