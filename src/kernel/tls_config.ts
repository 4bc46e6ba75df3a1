/**
 * TLS of a telecontrol connection as it is configured: both ends show a certificate (IEC 62351-3).
 * @module
 */
import { ConfigError } from "../base/errors.ts";
import type { Files, TlsIdentity, TlsTrust, TlsVersion } from "../platform/ports.ts";
import { choice, type Infer, list, section, text } from "./schema.ts";

const PEERS_MAX = 64;

const FIELDS = {
  certificate: text().describe("PEM file of our certificate and its chain")
    .meta({ example: "/etc/busbar/104.pem" }),
  key: text().describe("PEM file of its key").meta({ example: "/etc/busbar/104.key" }),
  authority: text().describe("PEM file of the authorities that peers have their certificates of")
    .meta({ example: "/etc/busbar/104-ca.pem" }),
  peers: list(text(), PEERS_MAX).optional().describe(
    "Names or SHA-256 fingerprints of certificates that are taken; absent: who is dialled must " +
      "have its name or address in it, and whoever connects any one of the authority",
  ).meta({ example: ["rtu-gz-01"] }),
};

/** The section. */
export const MUTUAL_TLS = section({
  ...FIELDS,
  least: choice(["1.2", "1.3"]).default("1.2").describe("Oldest version that is spoken"),
});
/** The same where nothing older than TLS 1.3 is spoken. */
export const MUTUAL_TLS_13 = section(FIELDS);
type MutualTls = Infer<typeof MUTUAL_TLS_13> & { readonly least?: TlsVersion };

/** What was configured, with the files read. */
export interface MutualIdentity extends TlsIdentity {
  readonly least: TlsVersion;
  readonly trust: TlsTrust;
}

/** Reads the files of a section. @throws OsError, ConfigError when one has no certificate. */
export async function readMutualTls(files: Files, config: MutualTls): Promise<MutualIdentity> {
  const read = async (name: "certificate" | "key" | "authority"): Promise<string> => {
    const pem = await files.read(config[name]);
    if (pem.includes("-----BEGIN ")) return pem;
    throw new ConfigError("tls.file", `tls.${name}: ${config[name]} is no PEM file`);
  };
  return {
    certificate: await read("certificate"),
    key: await read("key"),
    least: config.least ?? "1.3",
    trust: { authority: await read("authority"), peers: config.peers },
  };
}
