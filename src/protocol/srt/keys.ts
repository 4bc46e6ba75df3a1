/**
 * Keys of a connection: AES in counter mode, and the key material by which they travel, wrapped by
 * a key that both ends make of the passphrase. §6
 *
 * | Octets of key material | |
 * |---|---|
 * | 0 | version 1, type 2: `0x12` |
 * | 1–2 | `0x2029` |
 * | 3 | which keys: 1 even, 2 odd, 3 both |
 * | 4–7 | 0 |
 * | 8–11 | cipher 2 (CTR), authentication 0, stream encapsulation 2, 0 |
 * | 12–15 | 0, 0, length of the salt / 4, length of a key / 4 |
 * | 16–31 | salt |
 * | 32– | keys, even first, wrapped: 8 octets more. RFC 3394 |
 *
 * @module
 */
import { createCipheriv, createDecipheriv, pbkdf2Sync } from "node:crypto";

/** Octets of a key. */
export type KeyLength = 16 | 24 | 32;
/** Which of two keys. */
export type Parity = "even" | "odd";

/** States of the encryption, where a peer answers without key material. */
export const KM_STATE = { unsecured: 0, noSecret: 3, badSecret: 4, badMode: 5 } as const;

const SALT_SIZE = 16;
const HEAD = 16;
const WRAP_MORE = 8;
const ITERATIONS = 2048;
const WRAP_IV = new Uint8Array(8).fill(0xa6);
const CIPHER_CTR = 2;

/** The keys of one direction. */
export interface KeyPair {
  even: Uint8Array | undefined;
  odd: Uint8Array | undefined;
}

/** Key material that was opened. */
export interface OpenedKeys extends KeyPair {
  readonly salt: Uint8Array;
  readonly length: KeyLength;
}

/** What both directions of a connection share, and the keys of each. */
export class Keys {
  /** What we send with. */
  readonly sending: KeyPair = { even: undefined, odd: undefined };
  /** What the peer sends with. */
  readonly receiving: KeyPair = { even: undefined, odd: undefined };
  active: Parity = "even";
  readonly #kek: Uint8Array;
  readonly #counter = new Uint8Array(16);

  private constructor(
    readonly passphrase: string,
    readonly salt: Uint8Array,
    readonly length: KeyLength,
  ) {
    this.#kek = kekOf(passphrase, salt, length);
  }

  /** The initiator's: salt and first key are made here. */
  static make(passphrase: string, length: KeyLength, random: (size: number) => Uint8Array): Keys {
    const keys = new Keys(passphrase, random(SALT_SIZE), length);
    const first = random(length);
    keys.sending.even = first;
    keys.receiving.even = first;
    return keys;
  }

  /** The responder's, out of the initiator's key material; or why it cannot be. */
  static open(material: Uint8Array, passphrase: string): Keys | "bad_secret" | "bad_mode" {
    const opened = openMaterial(material, passphrase);
    if (typeof opened === "string") return opened;
    const keys = new Keys(passphrase, opened.salt, opened.length);
    for (const pair of [keys.sending, keys.receiving]) {
      pair.even = opened.even;
      pair.odd = opened.odd;
    }
    keys.active = opened.even ? "even" : "odd";
    return keys;
  }

  /** Takes the peer's new keys. Returns false for what cannot be opened. */
  renew(material: Uint8Array): boolean {
    const opened = openMaterial(material, this.passphrase);
    if (typeof opened === "string" || opened.length !== this.length) return false;
    if (opened.even) this.receiving.even = opened.even;
    if (opened.odd) this.receiving.odd = opened.odd;
    return true;
  }

  /** Key material of what we send with. */
  material(): Uint8Array {
    const { even, odd } = this.sending;
    const both = [even, odd].filter((key) => key !== undefined);
    const plain = new Uint8Array(this.length * both.length);
    for (const [index, key] of both.entries()) plain.set(key, index * this.length);
    const name = `aes${this.length * 8}-wrap`;
    const wrap = createCipheriv(name, this.#kek, WRAP_IV);
    const wrapped = new Uint8Array(wrap.update(plain));
    const octets = new Uint8Array(HEAD + SALT_SIZE + wrapped.length);
    const which = (even ? 1 : 0) | (odd ? 2 : 0);
    octets.set([0x12, 0x20, 0x29, which, 0, 0, 0, 0, CIPHER_CTR, 0, 2, 0, 0, 0]);
    octets[14] = SALT_SIZE / 4;
    octets[15] = this.length / 4;
    octets.set(this.salt, HEAD);
    octets.set(wrapped, HEAD + SALT_SIZE);
    return octets;
  }

  /**
   * Encrypts or decrypts a payload in place: in counter mode both are the same. §6.1
   * Returns false when that key is not there.
   */
  crypt(payload: Uint8Array, sequence: number, key: Uint8Array | undefined): boolean {
    if (!key) return false;
    const counter = this.#counter;
    counter.set(this.salt.subarray(0, 14));
    counter[10]! ^= sequence >>> 24;
    counter[11]! ^= sequence >>> 16;
    counter[12]! ^= sequence >>> 8;
    counter[13]! ^= sequence;
    payload.set(createCipheriv(`aes-${this.length * 8}-ctr`, key, counter).update(payload));
    return true;
  }
}

function openMaterial(
  material: Uint8Array,
  passphrase: string,
): OpenedKeys | "bad_secret" | "bad_mode" {
  if (material.length < HEAD + SALT_SIZE + WRAP_MORE) return "bad_mode";
  const which = material[3]!;
  const length = material[15]! * 4;
  const sound = material[0] === 0x12 && material[1] === 0x20 && material[2] === 0x29 &&
    which >= 1 && which <= 3 && material[8] === CIPHER_CTR && material[9] === 0 &&
    material[14] === SALT_SIZE / 4 && (length === 16 || length === 24 || length === 32);
  if (!sound) return "bad_mode";
  const count = which === 3 ? 2 : 1;
  const wrapped = material.subarray(HEAD + SALT_SIZE);
  if (wrapped.length !== WRAP_MORE + count * length) return "bad_mode";
  const salt = material.slice(HEAD, HEAD + SALT_SIZE);
  const kek = kekOf(passphrase, salt, length);
  let plain: Uint8Array;
  try {
    const unwrap = createDecipheriv(`aes${length * 8}-wrap`, kek, WRAP_IV);
    plain = new Uint8Array(unwrap.update(wrapped));
  } catch {
    return "bad_secret"; // The integrity check of RFC 3394: it was wrapped by another key.
  }
  if (plain.length !== count * length) return "bad_secret";
  const first = plain.slice(0, length);
  return {
    salt,
    length,
    even: which === 2 ? undefined : first,
    odd: which === 3 ? plain.slice(length) : which === 2 ? first : undefined,
  };
}

/** The key that wraps keys. §6.1.4 */
function kekOf(passphrase: string, salt: Uint8Array, length: KeyLength): Uint8Array {
  return new Uint8Array(pbkdf2Sync(passphrase, salt.subarray(8), ITERATIONS, length, "sha1"));
}
