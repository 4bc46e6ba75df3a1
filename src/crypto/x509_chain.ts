/**
 * A device's certificate, the authority's that issued it, and the root that is known: whether the
 * first can be believed. The results are those of the piles' specification, with a reason.
 * @module
 */
import { sameOctets } from "../base/octets.ts";
import { type Algorithms } from "./providers.ts";
import { verifyP256 } from "./sm2_curve.ts";
import { Sm2PublicKey } from "./sm2.ts";
import {
  type Certificate,
  OID,
  type RevocationList,
  type Signed,
  type SubjectKey,
  USAGE,
} from "./x509.ts";

/** What was found. */
export const CHAIN = {
  trusted: 0,
  /** The authority's key cannot be read. */
  authorityKey: -1,
  /** The device's certificate has no signature that can be read. */
  deviceSignature: -2,
  /** The device's certificate was not signed by the authority: a counterfeit. */
  deviceWrong: -3,
  /** The authority's certificate was not signed by the root: the chain is broken for all. */
  authorityWrong: -4,
  /** The signatures hold, but it may not be used: not yet, not any more, or not for this. */
  notAllowed: -5,
} as const;

/** A result and why. */
export interface ChainResult {
  readonly code: (typeof CHAIN)[keyof typeof CHAIN];
  readonly why: string;
}

/** What a chain is tried against. */
export interface ChainOptions {
  /** The root's key, which was there before. */
  readonly root: SubjectKey;
  /** Certificates of authorities below the root. */
  readonly authorities: readonly Certificate[];
  readonly lists: readonly RevocationList[];
  /** Epoch milliseconds of now. */
  readonly at: number;
  /** What the device is; undefined: whatever it is. */
  readonly name?: string | undefined;
  /** What it wants; undefined: anything. */
  readonly purpose?: "client" | "server" | undefined;
  /** Reads a key of SM2; absent: by TypeScript. */
  readonly sm2?: Algorithms["sm2"] | undefined;
}

/** Whether a key has signed something. */
export function isSignedBy(
  { signed, curve, signature }: Signed,
  key: SubjectKey,
  sm2: ChainOptions["sm2"],
): boolean {
  if (!signature || curve !== key.curve) return false;
  if (curve === "p256") return verifyP256(key.point, signed, signature);
  const read = sm2 ? sm2.readPublic(key.point) : Sm2PublicKey.read(key.point);
  return read?.verify(signed, signature) ?? false;
}

/** Tries a device's certificate. It never throws. */
export function verifyChain(device: Certificate, options: ChainOptions): ChainResult {
  const { authorities, root, lists, at, sm2 } = options;
  if (!device.signature) return result("deviceSignature", "its signature cannot be read");
  const issuers = authorities.filter(({ subject }) => sameOctets(subject, device.issuer));
  if (issuers.length === 0) return result("authorityWrong", "its authority is not known");
  const withKey = issuers.filter(({ key }) => key !== undefined);
  if (withKey.length === 0) return result("authorityKey", "the authority's key cannot be read");
  const authority = withKey.find(({ key }) => isSignedBy(device, key!, sm2));
  if (!authority) return result("deviceWrong", "the authority has not signed it");
  if (!isSignedBy(authority, root, sm2)) {
    return result("authorityWrong", "the root has not signed the authority's certificate");
  }
  const why = notAuthority(authority, at) ?? notValid(device, at, "it") ??
    revocation(authority, lists, root, at, sm2, "the authority") ??
    revocation(device, lists, authority.key!, at, sm2, "it") ?? notFor(device, options);
  return why === undefined ? result("trusted", "trusted") : result("notAllowed", why);
}

function result(code: keyof typeof CHAIN, why: string): ChainResult {
  return { code: CHAIN[code], why };
}

function notValid(
  { notBefore, notAfter, unknown }: Certificate,
  at: number,
  who: string,
): string | undefined {
  if (at < notBefore) return `${who} is not valid before ${new Date(notBefore).toISOString()}`;
  if (at > notAfter) return `${who} was valid until ${new Date(notAfter).toISOString()}`;
  return unknown.length > 0 ? `${who} has the unknown extension ${unknown[0]}` : undefined;
}

function notAuthority(authority: Certificate, at: number): string | undefined {
  if (!authority.isAuthority) return "the certificate that issued it is not an authority's";
  const { usage } = authority;
  if (usage !== undefined && (usage & USAGE.keyCertSign) === 0) {
    return "its authority may not sign certificates";
  }
  return notValid(authority, at, "its authority");
}

/** A list of the issuer is believed when the issuer's key has signed it, and it is not too old. */
function revocation(
  { serial, issuer }: Certificate,
  lists: readonly RevocationList[],
  key: SubjectKey,
  at: number,
  sm2: ChainOptions["sm2"],
  who: string,
): string | undefined {
  for (const list of lists) {
    if (!sameOctets(list.issuer, issuer) || !isSignedBy(list, key, sm2)) continue;
    const date = list.revoked.get(serial);
    if (date !== undefined) return `${who} was revoked on ${new Date(date).toISOString()}`;
    if (list.nextUpdate !== undefined && list.nextUpdate < at) {
      return `the revocation list for ${who} is too old`;
    }
    if (list.unknown.length > 0) return `the revocation list for ${who} cannot be understood`;
  }
  return undefined;
}

const PURPOSES = { client: OID.clientAuth, server: OID.serverAuth } as const;

function notFor(device: Certificate, { name, purpose }: ChainOptions): string | undefined {
  const { usage, purposes, names, commonName, key } = device;
  if (!key) return "its key cannot be read";
  if (usage !== undefined && (usage & USAGE.digitalSignature) === 0) return "it may not sign";
  if (purpose && purposes && !purposes.includes(PURPOSES[purpose])) {
    return `it is not for a ${purpose}`;
  }
  const own = names.length > 0 ? [...names, commonName] : [commonName];
  return name === undefined || own.includes(name)
    ? undefined
    : `it is of ${own[0]}, not of ${name}`;
}
