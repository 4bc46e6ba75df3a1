/** `busbar pki init|issue|revoke|list|verify`: a small authority for commissioning. */
import { ConfigError } from "../../base/errors.ts";
import { fromPem } from "../../crypto/asn1.ts";
import {
  type Certificate,
  type Curve,
  readCertificate,
  readRevocationList,
} from "../../crypto/x509.ts";
import { verifyChain } from "../../crypto/x509_chain.ts";
import { SYSTEM_FILES } from "../../platform/files.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import { systemProviders } from "../crypto_candidates.ts";
import { PkiFolder, write } from "../pki_folder.ts";
import { table } from "../table.ts";

const FOLDER_DEFAULT = "pki";
const ROOT_DAYS = 7300;
const AUTHORITY_DAYS = 3650;
const DEVICE_DAYS = 825;
const DAYS_MAX = 36_500;

const FOLDER: Option = {
  name: "folder",
  value: "PATH",
  summary: `Where the authority is (default ${FOLDER_DEFAULT})`,
};
const CURVE: Option = {
  name: "curve",
  value: "NAME",
  choices: ["sm2", "p256"],
  summary: "Of the key (default sm2)",
};

function folderOf(given: Arguments): string {
  return given.text("folder") ?? FOLDER_DEFAULT;
}

function curveOf(given: Arguments): Curve {
  return (given.text("curve") ?? "sm2") as Curve;
}

const initCommand: Command = {
  name: "pki init",
  summary: "Makes an authority: its key, its certificate, an empty revocation list",
  details: "For commissioning and tests. The key lies in the folder, readable by its owner only: " +
    "what is trusted in service should have its key in a device made for that.",
  options: [
    FOLDER,
    CURVE,
    { name: "days", value: "N", summary: `How long it is valid (default ${ROOT_DAYS})` },
  ],
  args: [{ name: "name", summary: "Its common name" }],
  examples: ['busbar pki init "Site authority"'],
  async run(call) {
    const given = new Arguments("pki init", call);
    const days = given.whole("days", 1, DAYS_MAX) ?? ROOT_DAYS;
    const path = folderOf(given);
    await PkiFolder.make(path, call.args[0] ?? "", curveOf(given), days);
    call.terminal.out(`${path}/ca.pem and ${path}/ca.key were made`);
    return EXIT.ok;
  },
};

const issueCommand: Command = {
  name: "pki issue",
  summary: "Issues a certificate with a new key",
  details:
    "Writes <name>.pem, with the authority's certificate behind it, and <name>.key into the " +
    "folder. With --authority it is an authority that issues certificates of " +
    "devices itself, in the folder <folder>/<name>.",
  options: [
    FOLDER,
    CURVE,
    {
      name: "days",
      value: "N",
      summary: `How long it is valid (default ${DEVICE_DAYS}, of an authority ${AUTHORITY_DAYS})`,
    },
    { name: "alternative", value: "NAMES", summary: "DNS names and addresses, between commas" },
    { name: "authority", summary: "For an authority below this one" },
  ],
  args: [{ name: "name", summary: "Its common name: a pile, an RTU, a gateway" }],
  examples: ["busbar pki issue pile-0001", "busbar pki issue rtu-7 --alternative 192.168.1.7"],
  async run(call) {
    const given = new Arguments("pki issue", call);
    const [name = ""] = call.args;
    if (!/^\w[\w.-]*$/.test(name)) {
      given.fail(`NAME must have letters, digits, ., _ and -: "${name}"`);
    }
    const folder = await PkiFolder.open(folderOf(given));
    const authority = given.flag("authority") === true;
    const wanted = {
      name,
      curve: curveOf(given),
      days: given.whole("days", 1, DAYS_MAX) ?? (authority ? AUTHORITY_DAYS : DEVICE_DAYS),
      alternative: (given.text("alternative") ?? "").split(",").filter((one) => one !== ""),
    };
    if (authority) {
      const below = await folder.authority(wanted);
      call.terminal.out(`${below.path}/ca.pem and ${below.path}/ca.key were made`);
      return EXIT.ok;
    }
    const { certificate, key } = await folder.issue(wanted);
    const path = `${folder.path}/${name}`;
    await write(`${path}.key`, key, 0o600);
    await write(`${path}.pem`, certificate);
    call.terminal.out(`${path}.pem and ${path}.key were made`);
    return EXIT.ok;
  },
};

const revokeCommand: Command = {
  name: "pki revoke",
  summary: "Revokes certificates by name or number, and renews the revocation list",
  details: "Exit code 1 when there is none that was not revoked before.",
  options: [FOLDER],
  args: [{ name: "name", summary: "Their common name, or a number in hexadecimal" }],
  examples: ["busbar pki revoke pile-0001"],
  async run(call) {
    const folder = await PkiFolder.open(folderOf(new Arguments("pki revoke", call)));
    const [name = ""] = call.args;
    const revoked = await folder.revoke(name);
    for (const one of revoked) call.terminal.out(`${one.name} ${one.serial} was revoked`);
    if (revoked.length === 0) call.terminal.err(`There is nothing of ${name} to revoke`);
    return revoked.length === 0 ? EXIT.failed : EXIT.ok;
  },
};

const listCommand: Command = {
  name: "pki list",
  summary: "Shows what the authority has issued",
  options: [FOLDER, { name: "json", summary: "JSON lines" }],
  args: [],
  async run(call) {
    const folder = await PkiFolder.open(folderOf(new Arguments("pki list", call)));
    const { terminal, options } = call;
    const { issued } = folder.register;
    if (options.json) { for (const one of issued) terminal.out(JSON.stringify(one)); }
    else {
      const heads = ["NAME", "NUMBER", "UNTIL", "REVOKED"].map((title) => ({ title }));
      const day = (epoch: number | null) =>
        epoch === null ? "" : new Date(epoch).toISOString().slice(0, 10);
      const rows = issued.map(({ name, serial, until, revoked }) => [
        name,
        serial,
        day(until),
        day(revoked),
      ]);
      for (const line of table(heads, rows, terminal.columns)) terminal.out(line);
    }
    return EXIT.ok;
  },
};

const verifyCommand: Command = {
  name: "pki verify",
  summary: "Tries a certificate against its authorities, the root and revocation lists",
  details: "FILE has the certificate and, behind it, those of its authorities. Prints the result " +
    "of the piles' specification and why: 0 trusted, -1 the authority's key cannot be read, -2 " +
    "no signature, -3 not signed by the authority, -4 the authority not by the root, -5 not " +
    "allowed.\n\nExit code 1 for everything but 0.",
  options: [
    { name: "root", value: "FILE", summary: "The root's certificate" },
    { name: "crl", value: "FILE", summary: "Revocation lists" },
    { name: "name", value: "NAME", summary: "What it has to be of" },
  ],
  args: [{ name: "file", summary: "PEM file" }],
  examples: ["busbar pki verify pile-0001.pem --root ca.pem --crl crl.pem --name pile-0001"],
  run: verify,
};

async function verify(call: Invocation): Promise<number> {
  const given = new Arguments("pki verify", call);
  const chain = await certificates(call.args[0] ?? "");
  const [root] = await certificates(given.required("root"));
  const [device, ...authorities] = chain;
  if (!device || !root?.key) {
    throw new ConfigError("pki.verify", "A certificate or the root is missing");
  }
  const crl = given.text("crl");
  const lists = crl === undefined
    ? []
    : fromPem("X509 CRL", await SYSTEM_FILES.read(crl)).map(readRevocationList);
  const readable = lists.flatMap((list) => "code" in list ? [] : [list]);
  if (readable.length < lists.length) throw new ConfigError("pki.crl", `${crl} cannot be read`);
  const { code, why } = verifyChain(device, {
    root: root.key,
    authorities: [...authorities, root],
    lists: readable,
    at: Date.now(),
    name: given.text("name"),
    sm2: systemProviders().get("sm2"),
  });
  call.terminal.out(`${code} ${why}`);
  return code === 0 ? EXIT.ok : EXIT.failed;
}

async function certificates(path: string): Promise<Certificate[]> {
  return fromPem("CERTIFICATE", await SYSTEM_FILES.read(path)).map((octets) => {
    const read = readCertificate(octets);
    if ("code" in read) throw new ConfigError("pki.certificate", `${path}: ${read.code}`);
    return read;
  });
}

/** All of them. */
export const pkiCommands: readonly Command[] = [
  initCommand,
  issueCommand,
  revokeCommand,
  listCommand,
  verifyCommand,
];
