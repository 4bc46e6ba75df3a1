/**
 * A session that both sides have agreed on: what seals and opens its frames. Commands come one
 * after the other or not at all; what piles tell may come late, and once.
 * @module
 */
import type { Aead } from "../../crypto/aead.ts";
import type { HkdfHash } from "../../crypto/kdf.ts";
import { concat, sameOctets } from "../../base/octets.ts";
import type { CrcKind } from "./frame.ts";
import { Opener, Sealer, sessionKeys } from "./session_keys.ts";

/** How frames are sealed: the national algorithms, or those of the rest of the world. */
export type Cipher = "sm4-gcm" | "aes-gcm";

/** Its number in an element, the hash of its keys, the curve on which they are agreed. */
export const CIPHERS = {
  "sm4-gcm": { number: 1, hash: "sm3", curve: "sm2" },
  "aes-gcm": { number: 2, hash: "sha256", curve: "p256" },
} as const satisfies Record<
  Cipher,
  { readonly number: number; readonly hash: HkdfHash; readonly curve: "sm2" | "p256" }
>;

/** The cipher of a number; undefined when there is none. */
export function cipherOf(number: number): Cipher | undefined {
  return (Object.keys(CIPHERS) as Cipher[]).find((name) => CIPHERS[name].number === number);
}

/** Makes the cipher of a key of 16 octets. */
export type AeadMaker = (cipher: Cipher, key: Uint8Array) => Aead;

/** Both directions of a session. */
export interface Session {
  readonly sealer: Sealer;
  readonly opener: Opener;
  /** Tells a wrong key; both sides have the same. */
  readonly check: Uint8Array;
}

/** What a session is made of. */
export interface Agreed {
  readonly cipher: Cipher;
  /** The first coordinate of what both ephemeral keys make. */
  readonly secret: Uint8Array;
  readonly sessionId: Uint8Array;
}

/** Makes a session. The secret is overwritten. */
export function openSession(
  { cipher, secret, sessionId }: Agreed,
  role: "pile" | "gateway",
  aead: AeadMaker,
  crc: CrcKind = "itu",
): Session {
  const { up, down, base, check } = sessionKeys(CIPHERS[cipher].hash, secret, sessionId);
  secret.fill(0);
  const [out, into] = role === "pile" ? [up, down] : [down, up];
  const session = {
    sealer: new Sealer(aead(cipher, out), base, crc),
    opener: new Opener(aead(cipher, into), base, role === "pile"),
    check,
  };
  up.fill(0);
  down.fill(0);
  return session;
}

/** Forgets the keys. */
export function closeSession({ sealer, opener }: Session): void {
  sealer.aead[Symbol.dispose]();
  opener.aead[Symbol.dispose]();
}

/** What is signed beside the answer itself where keys are agreed on. */
export function agreedOctets(
  sessionId: Uint8Array,
  gateway: Uint8Array,
  pile: Uint8Array,
): Uint8Array {
  return concat([sessionId, gateway, pile]);
}

/** Whether both sides have the same keys. */
export function sameKeys(session: Session, check: Uint8Array | undefined): boolean {
  return check !== undefined && sameOctets(session.check, check);
}
