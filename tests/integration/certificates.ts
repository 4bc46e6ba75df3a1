/** Certificates for tests, made by the system's openssl. */

async function openssl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("openssl", { args }).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  if (code !== 0) throw new Error(`openssl ${args[0]}: ${text(stderr)}`);
  return text(stdout);
}

const KEYS = {
  ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
  rsa: ["-newkey", "rsa:2048", "-nodes"],
} as const;

/** An authority; its files are `<name>.pem` and `<name>.key` of a folder. */
export class Authority {
  /** One that was made before. */
  constructor(
    readonly folder: string,
    readonly name: string,
    readonly keys: readonly string[] = KEYS.ec,
  ) {}

  static async make(
    folder: string,
    name: string,
    kind: keyof typeof KEYS = "ec",
  ): Promise<Authority> {
    const path = `${folder}/${name}`;
    await openssl(
      ...["req", "-x509", ...KEYS[kind], "-days", "2", "-subj", `/CN=${name} authority`],
      ...["-keyout", `${path}.key`, "-out", `${path}.pem`],
      ...["-addext", "basicConstraints=critical,CA:TRUE"],
      ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    );
    return new Authority(folder, name, KEYS[kind]);
  }

  /** Makes `<authority>-<role>.pem` and its key. */
  async issue(role: string, commonName: string, alternative: string): Promise<void> {
    const own = `${this.folder}/${this.name}-${role}`;
    const request = ["-keyout", `${own}.key`, "-out", `${own}.csr`, "-subj", `/CN=${commonName}`];
    await openssl("req", ...this.keys, ...request);
    Deno.writeTextFileSync(
      `${own}.ext`,
      `subjectAltName=${alternative}\nkeyUsage=digitalSignature\n` +
        "extendedKeyUsage=serverAuth,clientAuth\n",
    );
    const authority = `${this.folder}/${this.name}`;
    await openssl(
      ...["x509", "-req", "-in", `${own}.csr`, "-days", "2", "-CAcreateserial"],
      ...["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`],
      ...["-extfile", `${own}.ext`, "-out", `${own}.pem`],
    );
  }

  /** The SHA-256 fingerprint of a certificate, as openssl writes it. */
  static async fingerprint(path: string): Promise<string> {
    const text = await openssl("x509", "-in", path, "-noout", "-fingerprint", "-sha256");
    return text.trim().split("=")[1]!;
  }
}
