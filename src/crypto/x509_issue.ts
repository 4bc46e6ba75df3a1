/**
 * Certificates, revocation lists and private keys, written: a small authority for commissioning.
 * RFC 5280, RFC 5208, RFC 5915, with SM2 as GM/T 0015 has it.
 * @module
 */
import { writeDerSignature } from "../wire/der_signature.ts";
import { der, fromPem, type Node, oidOf, readDer, TAG } from "./asn1.ts";
import { makeP256, pointOfP256, signP256 } from "./sm2_curve.ts";
import { Sm2PrivateKey } from "./sm2.ts";
import { sm3 } from "./sm3.ts";
import { type Certificate, type Curve, OID, type SubjectKey, USAGE } from "./x509.ts";

/** A private key, and what signs with it. */
export interface Signer {
  readonly curve: Curve;
  readonly publicKey: SubjectKey;
  /** The number, 32 octets. */
  secret(): Uint8Array;
  /** r and s, 64 octets. */
  sign(message: Uint8Array): Uint8Array;
}

/** Makes a private key. */
export function makeSigner(curve: Curve): Signer {
  return curve === "sm2"
    ? signerOf(curve, Sm2PrivateKey.make().octets())!
    : signerOf(curve, makeP256().secret)!;
}

/** The signer of a number; undefined when it is none of the curve. */
export function signerOf(curve: Curve, secret: Uint8Array): Signer | undefined {
  if (curve === "sm2") {
    const key = Sm2PrivateKey.read(secret);
    return key && {
      curve,
      publicKey: { curve, point: key.publicKey.octets() },
      secret: () => key.octets(),
      sign: (message) => key.sign(message),
    };
  }
  const point = pointOfP256(secret);
  return point && {
    curve,
    publicKey: { curve, point },
    secret: () => secret.slice(),
    sign: (message) => signP256(secret, message),
  };
}

function curveOid(curve: Curve): Uint8Array {
  return der.sequence(der.oid(OID.ecPublicKey), der.oid(curve === "sm2" ? OID.sm2 : OID.p256));
}

function algorithm(curve: Curve): Uint8Array {
  return der.sequence(der.oid(curve === "sm2" ? OID.sm2WithSm3 : OID.ecdsaWithSha256));
}

/** A private key as PKCS #8. */
export function writePrivateKey(signer: Signer): Uint8Array {
  const { point } = signer.publicKey;
  const inner = der.sequence(
    der.integer(Uint8Array.of(1)),
    der.octetString(signer.secret()),
    der.context(1, der.bitString(point)),
  );
  const zero = der.integer(Uint8Array.of(0));
  return der.sequence(zero, curveOid(signer.curve), der.octetString(inner));
}

/**
 * Reads a private key: PKCS #8, or an EC key by itself.
 * @returns Undefined for what is none on these curves.
 */
export function readPrivateKey(octets: Uint8Array): Signer | undefined {
  const children = readDer(octets)?.children ?? [];
  const [version, second, third] = children;
  if (version?.content[0] === 1) return ecKey(children, undefined);
  const named = second?.children.map(oidOf) ?? [];
  const curve = curveNamed(named[1]) ?? curveNamed(named[0]);
  if (third?.tag !== TAG.octetString) return undefined;
  return ecKey(readDer(third.content)?.children ?? [], curve);
}

function ecKey(children: readonly Node[], outer: Curve | undefined): Signer | undefined {
  const [, secret, ...rest] = children;
  const parameters = rest.find(({ context, tag }) => context && tag === 0)?.children[0];
  const curve = outer ?? curveNamed(oidOf(parameters));
  if (!curve || secret?.tag !== TAG.octetString) return undefined;
  const padded = new Uint8Array(32);
  if (secret.content.length > 32) return undefined;
  padded.set(secret.content, 32 - secret.content.length);
  return signerOf(curve, padded);
}

function curveNamed(oid: string | undefined): Curve | undefined {
  return oid === OID.sm2 ? "sm2" : oid === OID.p256 ? "p256" : undefined;
}

/** Reads the first private key of a PEM text. */
export function privateKeyOfPem(text: string): Signer | undefined {
  const [octets] = [...fromPem("PRIVATE KEY", text), ...fromPem("EC PRIVATE KEY", text)];
  return octets && readPrivateKey(octets);
}

/** What a certificate is to say. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organization?: string | undefined;
  readonly key: SubjectKey;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** 1 to 20 octets that nobody can guess. */
  readonly serial: Uint8Array;
  /** Authorities below it at most; absent: it is a device. */
  readonly authority?: { readonly pathLength: number | undefined } | undefined;
  /** DNS names and IPv4 addresses. */
  readonly names?: readonly string[] | undefined;
}

/** Who signs: an authority, or for a root the key of the request itself. */
export interface Issuer {
  readonly signer: Signer;
  /** Absent: the certificate is its own authority's. */
  readonly certificate?: Certificate | undefined;
}

/** Makes a certificate. */
export function issueCertificate(request: CertificateRequest, issuer: Issuer): Uint8Array {
  const { curve } = issuer.signer;
  const subject = nameOctets(request);
  const signed = der.sequence(
    der.context(0, der.integer(Uint8Array.of(2))),
    der.integer(request.serial),
    algorithm(curve),
    issuer.certificate?.subject ?? subject,
    der.sequence(der.time(request.notBefore), der.time(request.notAfter)),
    subject,
    der.sequence(curveOid(request.key.curve), der.bitString(request.key.point)),
    der.context(3, der.sequence(...extensions(request, issuer))),
  );
  return sign(signed, issuer.signer);
}

function sign(signed: Uint8Array, signer: Signer): Uint8Array {
  const signature = writeDerSignature(signer.sign(signed));
  return der.sequence(signed, algorithm(signer.curve), der.bitString(signature));
}

const ORGANIZATION = "2.5.4.10";

function nameOctets({ commonName, organization }: CertificateRequest): Uint8Array {
  const pair = (oid: string, text: string) => der.set(der.sequence(der.oid(oid), der.utf8(text)));
  const first = organization === undefined ? [] : [pair(ORGANIZATION, organization)];
  return der.sequence(...first, pair(OID.commonName, commonName));
}

function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(oid), ...flag, der.octetString(value));
}

/** The key's number: the first 20 octets of its hash. RFC 7093, 2 */
function keyId({ point }: SubjectKey): Uint8Array {
  return sm3(point).slice(0, 20);
}

function extensions(
  { key, authority, names }: CertificateRequest,
  issuer: Issuer,
): Uint8Array[] {
  const usage = authority ? USAGE.keyCertSign | USAGE.crlSign : USAGE.digitalSignature;
  const unused = authority ? 1 : 7;
  const all = [
    extension(OID.keyUsage, true, der.bitString(Uint8Array.of(usage), unused)),
    extension(OID.subjectKeyId, false, der.octetString(keyId(key))),
  ];
  if (authority) {
    const { pathLength } = authority;
    const path = pathLength === undefined ? [] : [der.integer(Uint8Array.of(pathLength))];
    all.push(extension(OID.basicConstraints, true, der.sequence(der.boolean(true), ...path)));
  } else {
    const purposes = der.sequence(der.oid(OID.serverAuth), der.oid(OID.clientAuth));
    all.push(extension(OID.extendedKeyUsage, false, purposes));
  }
  if (issuer.certificate) {
    const id = der.implicit(0, issuer.certificate.keyId ?? keyId(issuer.signer.publicKey));
    all.push(extension(OID.authorityKeyId, false, der.sequence(id)));
  }
  if (names && names.length > 0) {
    all.push(extension(OID.subjectAltName, false, der.sequence(...names.map(alternative))));
  }
  return all;
}

function alternative(name: string): Uint8Array {
  const parts = /^\d+\.\d+\.\d+\.\d+$/.test(name) ? name.split(".").map(Number) : [];
  return parts.length === 4 && parts.every((part) => part < 256)
    ? der.implicit(7, Uint8Array.from(parts))
    : der.implicit(2, new TextEncoder().encode(name));
}

/** What a revocation list is to say. */
export interface RevocationRequest {
  readonly number: number;
  /** Epoch milliseconds. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  readonly revoked: readonly { readonly serial: Uint8Array; readonly at: number }[];
}

/** Makes a revocation list. */
export function issueRevocationList(
  { number, thisUpdate, nextUpdate, revoked }: RevocationRequest,
  { signer, certificate }: Required<Issuer> & { readonly certificate: Certificate },
): Uint8Array {
  const entries = revoked.map(({ serial, at }) => der.sequence(der.integer(serial), der.time(at)));
  const count = Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
  const id = der.sequence(der.implicit(0, certificate.keyId ?? keyId(signer.publicKey)));
  const signed = der.sequence(
    der.integer(Uint8Array.of(1)),
    algorithm(signer.curve),
    certificate.subject,
    der.time(thisUpdate),
    der.time(nextUpdate),
    ...entries.length > 0 ? [der.sequence(...entries)] : [],
    der.context(
      0,
      der.sequence(
        extension(OID.authorityKeyId, false, id),
        extension(OID.crlNumber, false, der.integer(count)),
      ),
    ),
  );
  return sign(signed, signer);
}
