/**
 * An authority in a folder: `ca.key`, `ca.pem` with the authorities above behind it, `crl.pem`, and
 * `issued.json`, the list of what it has issued and revoked.
 * @module
 */
import { ConfigError, describe, OsError } from "../base/errors.ts";
import { fromPem, toPem } from "../crypto/asn1.ts";
import { type Certificate, type Curve, readCertificate } from "../crypto/x509.ts";
import {
  issueCertificate,
  issueRevocationList,
  makeSigner,
  privateKeyOfPem,
  type Signer,
  writePrivateKey,
} from "../crypto/x509_issue.ts";

const DAY_MS = 86_400_000;
/** Clocks of devices are not all the same. */
const BEFORE_MS = 3_600_000;
const SERIAL_SIZE = 16;
/** A list that is not renewed in time is not believed any more. */
const LIST_DAYS = 90;
const PRIVATE = 0o600;

/** A certificate that was issued. */
export interface Issued {
  readonly serial: string;
  readonly name: string;
  readonly until: number;
  /** Epoch milliseconds, or null. */
  revoked: number | null;
}

interface Register {
  /** Number of the last revocation list. */
  list: number;
  issued: Issued[];
}

/** What a new certificate is for. */
export interface NewCertificate {
  readonly name: string;
  readonly curve: Curve;
  readonly days: number;
  readonly alternative: readonly string[];
}

/** See the module. */
export class PkiFolder {
  private constructor(
    readonly path: string,
    readonly signer: Signer,
    /** Its own certificate, and those of the authorities above. */
    readonly chain: readonly Certificate[],
    readonly register: Register,
  ) {}

  /** Its own certificate. */
  get certificate(): Certificate {
    return this.chain[0]!;
  }

  /** Makes one whose certificate is its own. @throws ConfigError when there is one already. */
  static async make(path: string, name: string, curve: Curve, days: number): Promise<PkiFolder> {
    const signer = makeSigner(curve);
    const now = Date.now();
    const octets = issueCertificate({
      commonName: name,
      key: signer.publicKey,
      notBefore: now - BEFORE_MS,
      notAfter: now + days * DAY_MS,
      serial: newSerial(),
      authority: { pathLength: undefined },
    }, { signer });
    return await PkiFolder.#begin(path, signer, [octets]);
  }

  static async #begin(
    path: string,
    signer: Signer,
    chain: readonly Uint8Array[],
  ): Promise<PkiFolder> {
    await guard(path, () => Deno.mkdir(path, { recursive: true, mode: 0o700 }));
    if (await exists(`${path}/ca.key`)) {
      throw new ConfigError("pki.exists", `${path} has an authority already: take another folder`);
    }
    const pem = chain.map((octets) => toPem("CERTIFICATE", octets)).join("");
    await write(`${path}/ca.key`, toPem("PRIVATE KEY", writePrivateKey(signer)), PRIVATE);
    await write(`${path}/ca.pem`, pem);
    const certificates = chain.map((octets) => certificateOf(octets, path));
    const folder = new PkiFolder(path, signer, certificates, { list: 0, issued: [] });
    await folder.#save();
    return folder;
  }

  /** @throws ConfigError, OsError when there is none. */
  static async open(path: string): Promise<PkiFolder> {
    const read = (name: string) => guard(path, () => Deno.readTextFile(`${path}/${name}`));
    if (!await exists(`${path}/ca.key`)) {
      throw new ConfigError("pki.none", `${path} has no authority: busbar pki init makes one`);
    }
    const signer = privateKeyOfPem(await read("ca.key"));
    const chain = fromPem("CERTIFICATE", await read("ca.pem"));
    if (!signer || chain.length === 0) {
      throw new ConfigError("pki.key", `${path}: ca.key or ca.pem is damaged`);
    }
    const register = await exists(`${path}/issued.json`)
      ? JSON.parse(await read("issued.json")) as Register
      : { list: 0, issued: [] };
    const certificates = chain.map((octets) => certificateOf(octets, path));
    return new PkiFolder(path, signer, certificates, register);
  }

  /** Issues a device's certificate with a new key. @returns Both as PEM, the chain behind it. */
  async issue(wanted: NewCertificate): Promise<{ certificate: string; key: string }> {
    const { signer, octets } = await this.#issue(wanted, false);
    const chain = [octets, ...this.chain.map((one) => one.octets)];
    return {
      certificate: chain.map((one) => toPem("CERTIFICATE", one)).join(""),
      key: toPem("PRIVATE KEY", writePrivateKey(signer)),
    };
  }

  /** Makes an authority below this one, in a folder of its own. */
  async authority(wanted: NewCertificate): Promise<PkiFolder> {
    const path = `${this.path}/${wanted.name}`;
    const { signer, octets } = await this.#issue(wanted, true);
    return await PkiFolder.#begin(path, signer, [octets, ...this.chain.map((one) => one.octets)]);
  }

  async #issue(
    { name, curve, days, alternative }: NewCertificate,
    authority: boolean,
  ): Promise<{ signer: Signer; octets: Uint8Array }> {
    const signer = makeSigner(curve);
    const now = Date.now();
    const serial = newSerial();
    const notAfter = Math.min(now + days * DAY_MS, this.certificate.notAfter);
    const octets = issueCertificate({
      commonName: name,
      key: signer.publicKey,
      notBefore: now - BEFORE_MS,
      notAfter,
      serial,
      authority: authority ? { pathLength: 0 } : undefined,
      names: alternative,
    }, { signer: this.signer, certificate: this.certificate });
    this.register.issued.push({ serial: serial.toHex(), name, until: notAfter, revoked: null });
    await this.#save();
    return { signer, octets };
  }

  /** Revokes certificates by name or number. @returns Those that were not revoked before. */
  async revoke(name: string): Promise<readonly Issued[]> {
    const found = this.register.issued.filter((one) =>
      (one.name === name || one.serial === name.toLowerCase()) && one.revoked === null
    );
    for (const one of found) one.revoked = Date.now();
    await this.#save();
    return found;
  }

  /** Writes the register and the revocation list. */
  async #save(): Promise<void> {
    const { register, signer, certificate, path } = this;
    register.list += 1;
    const now = Date.now();
    const list = issueRevocationList({
      number: register.list,
      thisUpdate: now - BEFORE_MS,
      nextUpdate: now + LIST_DAYS * DAY_MS,
      revoked: register.issued.filter(({ revoked }) => revoked !== null).map((
        { serial, revoked },
      ) => ({ serial: Uint8Array.fromHex(serial), at: revoked! })),
    }, { signer, certificate });
    await write(`${path}/issued.json`, `${JSON.stringify(register, undefined, 2)}\n`);
    await write(`${path}/crl.pem`, toPem("X509 CRL", list));
  }
}

/** Replaces a file as a whole. @throws OsError */
export async function write(path: string, text: string, mode = 0o644): Promise<void> {
  await guard(path, async () => {
    await Deno.writeTextFile(`${path}.part`, text, { mode });
    await Deno.rename(`${path}.part`, path);
  });
}

function newSerial(): Uint8Array {
  const octets = crypto.getRandomValues(new Uint8Array(SERIAL_SIZE));
  // Positive, and with as many octets each time.
  octets[0] = octets[0]! & 0x7f | 0x40;
  return octets;
}

function certificateOf(octets: Uint8Array, path: string): Certificate {
  const certificate = readCertificate(octets);
  if ("code" in certificate) {
    throw new ConfigError("pki.certificate", `${path}/ca.pem: ${certificate.code}`);
  }
  return certificate;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new OsError("os.file", `${path}: ${describe(error)}`, { path }, { cause: error });
  }
}

async function guard<Result>(path: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw new OsError("os.file", `${path}: ${describe(error)}`, { path }, { cause: error });
  }
}
