/**
 * Keys of simulated piles. Each follows from a seed and a number, so that a register can be written
 * before the piles run, and by another process. Whoever knows the seed knows the keys: they are for
 * tests, and may never stand in the register of a gateway that is in service.
 * @module
 */
import { BugError } from "../base/errors.ts";
import { hkdf } from "../crypto/kdf.ts";
import { secp256k1 } from "../crypto/noble_curves.ts";
import type { Providers } from "../crypto/providers.ts";
import { signSecp256k1 } from "../crypto/sm2_curve.ts";
import type { Cipher, PileKey } from "../protocol/cip22/mod.ts";

const SALT = new TextEncoder().encode("busbar sim piles: for tests only");
const SIZE = 32;
/** Numbers beyond the order of the curve are passed over; there are next to none. */
const TRIES = 16;

/** A key that can sign. */
export interface SimKey extends PileKey {
  sign(octets: Uint8Array): Uint8Array;
}

/** What makes keys. */
export interface KeySource {
  readonly seed: number;
  readonly signer: PileKey["signer"];
  readonly providers: Pick<Providers, "get">;
}

/** The cipher that goes with a signer where none is chosen. */
export function cipherFor(signer: PileKey["signer"]): Cipher {
  return signer === "sm2" ? "sm4-gcm" : "aes-gcm";
}

/**
 * The key of a number: HKDF with SHA-256 of the seed, with the signer and the number as its info.
 * @param other Any other text gives another key of the same number.
 */
export function simKey({ seed, signer, providers }: KeySource, index: number, other = ""): SimKey {
  const secret = new TextEncoder().encode(String(seed));
  for (let turn = 0; turn < TRIES; turn += 1) {
    const info = new TextEncoder().encode([signer, index, turn, other].join(" "));
    const key = keyOf(signer, hkdf("sha256", { secret, salt: SALT, info }, SIZE), providers);
    if (key) return key;
  }
  throw new BugError("sim.key", "No key follows from the seed");
}

/** The register that the gateway reads. */
export function registerCsv(
  names: readonly string[],
  source: KeySource,
  cipher: Cipher,
): string {
  const rows = names.map((name, at) => {
    const { signer, point } = simKey(source, at + 1);
    return [name, signer, point.toHex(), cipher].join(",");
  });
  return ["pile,signer,public_key,cipher", ...rows, ""].join("\n");
}

function keyOf(
  signer: PileKey["signer"],
  secret: Uint8Array,
  providers: KeySource["providers"],
): SimKey | undefined {
  if (signer === "sm2") {
    const key = providers.get("sm2").read(secret);
    return key && { signer, point: key.publicKey.octets(), sign: (octets) => key.sign(octets) };
  }
  if (!secp256k1.utils.isValidSecretKey(secret)) return undefined;
  const point = secp256k1.getPublicKey(secret, true);
  return { signer, point, sign: (octets) => signSecp256k1(secret, octets) };
}
