/**
 * Certificates and revocation lists (RFC 5280) with keys on the curves of SM2 and P-256 (GM/T 0015,
 * RFC 5480): read as far as trust depends on them. What is signed is taken as it came, never
 * written anew.
 * @module
 */
import type { Malformed } from "../base/errors.ts";
import { readDerSignature } from "../wire/der_signature.ts";
import { type Node, oidOf, readDer, TAG, timeOf } from "./asn1.ts";

/** Object identifiers. */
export const OID = {
  ecPublicKey: "1.2.840.10045.2.1",
  p256: "1.2.840.10045.3.1.7",
  sm2: "1.2.156.10197.1.301",
  sm2WithSm3: "1.2.156.10197.1.501",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  crlNumber: "2.5.29.20",
  subjectKeyId: "2.5.29.14",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** A curve. */
export type Curve = "sm2" | "p256";

/** A public key as it stands: 04 and both coordinates, or compressed. */
export interface SubjectKey {
  readonly curve: Curve;
  readonly point: Uint8Array;
}

/** A signature over `signed`: r and s, 64 octets. Undefined: in a form that is not DER. */
export interface Signed {
  readonly signed: Uint8Array;
  readonly curve: Curve;
  readonly signature: Uint8Array | undefined;
}

/** Bits of keyUsage. RFC 5280, 4.2.1.3 */
export const USAGE = {
  digitalSignature: 0x80,
  keyAgreement: 0x08,
  keyCertSign: 0x04,
  crlSign: 0x02,
} as const;

/** A certificate. */
export interface Certificate extends Signed {
  readonly octets: Uint8Array;
  /** The number in hexadecimal. */
  readonly serial: string;
  /** Names as octets, to be compared. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly commonName: string;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Undefined: on another curve, or no point. */
  readonly key: SubjectKey | undefined;
  readonly isAuthority: boolean;
  /** Authorities below it at most; undefined: any. */
  readonly pathLength: number | undefined;
  /** Bits of {@linkcode USAGE}; undefined: for everything. */
  readonly usage: number | undefined;
  /** Undefined: for every purpose. */
  readonly purposes: readonly string[] | undefined;
  /** DNS names and addresses. */
  readonly names: readonly string[];
  /** By which certificates below it name its key; undefined: it does not say. */
  readonly keyId: Uint8Array | undefined;
  /** Extensions that must be understood and are not. */
  readonly unknown: readonly string[];
}

/** A list of certificates that were revoked. */
export interface RevocationList extends Signed {
  readonly issuer: Uint8Array;
  readonly thisUpdate: number;
  /** Undefined: it says nothing of a next one. */
  readonly nextUpdate: number | undefined;
  /** When each was revoked, by its number. */
  readonly revoked: ReadonlyMap<string, number>;
  /** Extensions that must be understood and are not. */
  readonly unknown: readonly string[];
}

/** What is wrong, inside this file only. */
class Fault extends Error {}

function need<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Fault(what);
  return value;
}

function isA(node: Node | undefined, tag: number): node is Node {
  return node !== undefined && !node.context && node.tag === tag;
}

/** The children of a sequence. */
function sequence(node: Node | undefined, what: string): readonly Node[] {
  if (!isA(node, TAG.sequence)) throw new Fault(what);
  return node.children;
}

function guarded<Result>(kind: string, read: () => Result): Result | Malformed {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { kind: "malformed", code: `${kind}.${error.message}`, offset: 0 };
  }
}

/** Reads a certificate. @returns Malformed `x509.certificate.…` for what is none. */
export function readCertificate(octets: Uint8Array): Certificate | Malformed {
  return guarded("x509.certificate", () => {
    const whole = sequence(readDer(octets), "der");
    if (whole.length !== 3) throw new Fault("parts");
    const fields = [...sequence(whole[0], "tbs")];
    const [version] = fields;
    // Without extensions nobody can tell an authority from a device.
    if (!version?.context || version.tag !== 0 || version.children[0]?.content[0] !== 2) {
      throw new Fault("version");
    }
    const [, serial, algorithm, issuer, validity, subject, key, ...rest] = fields;
    if (!isA(serial, TAG.integer)) throw new Fault("serial");
    if (!isA(issuer, TAG.sequence) || !isA(subject, TAG.sequence)) throw new Fault("name");
    const [notBefore, notAfter] = sequence(validity, "validity");
    const extensions = extensionsOf(rest.find(({ context, tag }) => context && tag === 3));
    return {
      octets,
      ...signedOf(whole, algorithm),
      serial: serial.content.toHex(),
      issuer: issuer.whole,
      subject: subject.whole,
      commonName: commonNameOf(subject),
      notBefore: need(timeOf(notBefore), "validity"),
      notAfter: need(timeOf(notAfter), "validity"),
      key: subjectKeyOf(key),
      ...constraintsOf(extensions),
      unknown: unknownOf(extensions),
    };
  });
}

/** Reads a revocation list. @returns Malformed `x509.crl.…` for what is none. */
export function readRevocationList(octets: Uint8Array): RevocationList | Malformed {
  return guarded("x509.crl", () => {
    const whole = sequence(readDer(octets), "der");
    if (whole.length !== 3) throw new Fault("parts");
    const fields = [...sequence(whole[0], "tbs")];
    if (isA(fields[0], TAG.integer)) fields.shift();
    const [algorithm, issuer, thisUpdate, ...rest] = fields;
    if (!isA(issuer, TAG.sequence)) throw new Fault("name");
    const nextUpdate = timeOf(rest[0]);
    if (nextUpdate !== undefined) rest.shift();
    const revoked = new Map<string, number>();
    if (isA(rest[0], TAG.sequence)) {
      for (const entry of rest[0].children) {
        const [serial, date] = sequence(entry, "entry");
        if (!isA(serial, TAG.integer)) throw new Fault("serial");
        revoked.set(serial.content.toHex(), need(timeOf(date), "date"));
      }
    }
    const extensions = extensionsOf(rest.find(({ context, tag }) => context && tag === 0));
    const { unknown } = { unknown: unknownOf(extensions) };
    return {
      ...signedOf(whole, algorithm),
      issuer: issuer.whole,
      thisUpdate: need(timeOf(thisUpdate), "date"),
      nextUpdate,
      revoked,
      unknown,
    };
  });
}

const SIGNATURES: Readonly<Record<string, Curve>> = {
  [OID.sm2WithSm3]: "sm2",
  [OID.ecdsaWithSha256]: "p256",
};

/** What is signed, and how; the algorithm stands inside and outside, and has to be the same. */
function signedOf(whole: readonly Node[], inside: Node | undefined): Signed {
  const [signed, outside, signature] = whole as [Node, Node, Node];
  if (!inside || inside.whole.toHex() !== outside.whole.toHex()) throw new Fault("algorithm");
  const [name, parameters, ...more] = sequence(outside, "algorithm");
  const curve = SIGNATURES[oidOf(name) ?? ""];
  const plain = parameters === undefined || isA(parameters, TAG.null);
  if (!curve || !plain || more.length > 0) throw new Fault("algorithm");
  if (!isA(signature, TAG.bitString) || signature.content[0] !== 0) throw new Fault("signature");
  const raw = readDerSignature(signature.content.slice(1), 32);
  return { signed: signed.whole, curve, signature: raw instanceof Uint8Array ? raw : undefined };
}

/** SPKI, in both forms that are seen of SM2. RFC 5480, 2; GM/T 0015 */
function subjectKeyOf(node: Node | undefined): SubjectKey | undefined {
  const [algorithm, bits] = sequence(node, "key");
  const [name, curve] = sequence(algorithm, "key");
  const first = oidOf(name);
  const named = first === OID.ecPublicKey ? oidOf(curve) : first === OID.sm2 ? OID.sm2 : undefined;
  const known: Curve | undefined = named === OID.sm2
    ? "sm2"
    : named === OID.p256
    ? "p256"
    : undefined;
  if (!known || !isA(bits, TAG.bitString) || bits.content[0] !== 0) return undefined;
  return { curve: known, point: bits.content.slice(1) };
}

function commonNameOf(name: Node): string {
  for (const set of name.children) {
    for (const pair of set.children) {
      const [type, value] = pair.children;
      if (oidOf(type) === OID.commonName && value) return new TextDecoder().decode(value.content);
    }
  }
  return "";
}

interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

function extensionsOf(node: Node | undefined): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  if (!node) return found;
  for (const one of sequence(node.children[0], "extensions")) {
    const [name, ...rest] = sequence(one, "extension");
    const critical = isA(rest[0], TAG.boolean) && rest.shift()!.content[0] === 0xff;
    const [value] = rest;
    const oid = need(oidOf(name), "extension");
    if (!isA(value, TAG.octetString) || found.has(oid)) throw new Fault("extension");
    found.set(oid, { critical, value: value.content });
  }
  return found;
}

const KNOWN: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.extendedKeyUsage,
  OID.subjectKeyId,
  OID.authorityKeyId,
  OID.crlNumber,
]);

function unknownOf(extensions: ReadonlyMap<string, Extension>): string[] {
  return [...extensions].filter(([oid, { critical }]) => critical && !KNOWN.has(oid))
    .map(([oid]) => oid);
}

type Constraints = Pick<
  Certificate,
  "isAuthority" | "pathLength" | "usage" | "purposes" | "names" | "keyId"
>;

function constraintsOf(extensions: ReadonlyMap<string, Extension>): Constraints {
  const read = (oid: string): Node | undefined => {
    const extension = extensions.get(oid);
    return extension && need(readDer(extension.value), "extension");
  };
  const [authority, path] = read(OID.basicConstraints)?.children ?? [];
  const isAuthority = isA(authority, TAG.boolean) && authority.content[0] === 0xff;
  const usage = read(OID.keyUsage);
  if (usage && !isA(usage, TAG.bitString)) throw new Fault("usage");
  const purposes = read(OID.extendedKeyUsage)?.children.map((one) => need(oidOf(one), "purpose"));
  return {
    isAuthority,
    pathLength: isAuthority && isA(path, TAG.integer) ? path.content[0] : undefined,
    usage: usage ? usage.content[1] ?? 0 : undefined,
    purposes,
    keyId: read(OID.subjectKeyId)?.content,
    names: (read(OID.subjectAltName)?.children ?? []).flatMap(nameOf),
  };
}

/** A DNS name, or an IPv4 address. RFC 5280, 4.2.1.6 */
function nameOf({ context, tag, content }: Node): string[] {
  if (context && tag === 2) return [new TextDecoder().decode(content)];
  if (context && tag === 7 && content.length === 4) return [[...content].join(".")];
  return [];
}
