/** `busbar pile key|sign-policy|sign-image|image`: keys, and what is signed with them; offline. */
import { ConfigError, describe, OsError } from "../../base/errors.ts";
import { Sm2PrivateKey } from "../../crypto/sm2.ts";
import { makeSecp256k1, signSecp256k1 } from "../../crypto/sm2_curve.ts";
import { SYSTEM_FILES } from "../../platform/files.ts";
import {
  IMAGE_MAX,
  IMAGE_TEXT_MAX,
  type ImageHead,
  isPayloadOf,
  isVersion,
  type PileKey,
  readImageHead,
  readUnsignedPolicy,
  signPolicy,
  verifyImage,
  writeImage,
} from "../../protocol/cip22/mod.ts";
import { keyOf } from "../../south/pile_gateway/register.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import { systemProviders } from "../crypto_candidates.ts";
import { table } from "../table.ts";

type SignerName = PileKey["signer"];
type Sign = (octets: Uint8Array) => Uint8Array;

const KEY_SIZE = 32;
const KEY_MODE = 0o600;
/** Octets of a file with a key; one that has more is none. */
const KEY_FILE_MAX = 4096;

const SIGNER: Option = {
  name: "signer",
  value: "NAME",
  choices: ["sm2", "secp256k1"],
  summary: "What the key is of (default sm2)",
};
const KEY: Option = {
  name: "key",
  value: "FILE",
  complete: "file",
  summary: "The private key, as `busbar pile key` makes it",
};

function signerOf(given: Arguments): SignerName {
  return (given.text("signer") ?? "sm2") as SignerName;
}

const keyCommand: Command = {
  name: "pile key",
  summary: "Makes a private key, and prints its public key",
  details: "FILE has 32 octets in hexadecimal, and is readable by its owner only; one that is " +
    "there already is never overwritten. The public key is for policy_key, image_key or the " +
    "register of piles. In service a key that many trust belongs in a device made for that.",
  options: [SIGNER],
  args: [{ name: "file", summary: "Where the private key goes" }],
  examples: ["busbar pile key policy.key", "busbar pile key pile.key --signer secp256k1"],
  async run(call) {
    const given = new Arguments("pile key", call);
    const { secret, point } = makeKey(signerOf(given));
    try {
      await writeNew(call.args[0] ?? "", `${secret.toHex()}\n`);
    } finally {
      secret.fill(0);
    }
    call.terminal.out(point.toHex());
    return EXIT.ok;
  },
};

function makeKey(signer: SignerName): { secret: Uint8Array; point: Uint8Array } {
  if (signer === "secp256k1") return makeSecp256k1();
  const key = Sm2PrivateKey.make();
  return { secret: key.octets(), point: key.publicKey.octets() };
}

/** @throws ConfigError when it is there, OsError when it cannot be written. */
async function writeNew(path: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(path, text, { createNew: true, mode: KEY_MODE });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new ConfigError("pile.key", `${path} is there already: name another file`);
    }
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): OsError {
  const what = `Cannot write ${path}: ${describe(error)}`;
  return new OsError("os.file", what, { path }, { cause: error });
}

/** What signs with the key of `--key`. @throws ConfigError when it is no key of that signer. */
async function signWith(given: Arguments): Promise<Sign> {
  const path = given.required("key");
  const signer = signerOf(given);
  const text = (new TextDecoder().decode(await SYSTEM_FILES.octets(path, KEY_FILE_MAX))).trim();
  const digits = new RegExp(`^[0-9a-f]{${2 * KEY_SIZE}}$`, "i");
  if (!digits.test(text)) {
    throw new ConfigError("pile.key", `${path} has no ${KEY_SIZE} octets in hexadecimal`);
  }
  const secret = Uint8Array.fromHex(text);
  const sign = signer === "sm2" ? sm2Sign(secret) : secp256k1Sign(secret);
  if (!sign) throw new ConfigError("pile.key", `${path} has no private key of ${signer}`);
  return sign;
}

function sm2Sign(secret: Uint8Array): Sign | undefined {
  const key = systemProviders().get("sm2").read(secret);
  secret.fill(0);
  return key && ((octets) => key.sign(octets));
}

function secp256k1Sign(secret: Uint8Array): Sign | undefined {
  try {
    signSecp256k1(secret, new Uint8Array(0));
  } catch (error) {
    if (error instanceof Error) return undefined; // 0, or not below the order.
    throw error;
  }
  return (octets) => signSecp256k1(secret, octets);
}

const signPolicyCommand: Command = {
  name: "pile sign-policy",
  summary: "Signs a tariff policy, and prints the document that piles are given",
  details: "FILE is the policy alone, as JSON. `busbar pile policy` gives what is printed to the " +
    "gateway.\n\nExit code 2 when something in the policy, or the key, cannot be taken.",
  options: [KEY, SIGNER],
  args: [{ name: "file", summary: "The policy" }],
  examples: ["busbar pile sign-policy spring.json --key policy.key > spring.signed.json"],
  async run(call) {
    const given = new Arguments("pile sign-policy", call);
    const sign = await signWith(given);
    const [file = ""] = call.args;
    const read = readUnsignedPolicy(await SYSTEM_FILES.read(file));
    if ("fault" in read) throw new ConfigError("pile.policy", `${file}: ${read.fault}`);
    call.terminal.out(signPolicy(read.policy, signerOf(given), sign));
    return EXIT.ok;
  },
};

const signImageCommand: Command = {
  name: "pile sign-image",
  summary: "Makes a signed firmware image for piles",
  details: "OUT is what pile_gateway.image names; one that is there is replaced.\n\n" +
    "Exit code 2 when no image can be made of that.",
  options: [
    KEY,
    SIGNER,
    { name: "version", value: "VERSION", summary: "Of the firmware: semantic, such as 1.4.0" },
    { name: "hardware", value: "NAME", summary: "What it is for, as piles register with it" },
  ],
  args: [
    { name: "payload", summary: "What the pile installs" },
    { name: "out", summary: "The image" },
  ],
  examples: [
    "busbar pile sign-image fw.bin pile.bbfw --key policy.key --version 1.4.0 --hardware ac7",
  ],
  run: signImage,
};

async function signImage(call: Invocation): Promise<number> {
  const given = new Arguments("pile sign-image", call);
  const [path = "", out = ""] = call.args;
  const version = given.required("version");
  const hardware = given.required("hardware");
  checkNames(given, version, hardware);
  const signer = signerOf(given);
  const sign = await signWith(given);
  const payload = await SYSTEM_FILES.octets(path, IMAGE_MAX);
  if (payload.length === 0) throw new ConfigError("pile.image", `${path} is empty`);
  const image = imageOf(() => writeImage({ version, hardware, payload }, signer, sign));
  await replace(out, image);
  const size = `${payload.length} octets for ${hardware}`;
  call.terminal.out(`${out} was made: version ${version}, ${size}, signed with ${signer}`);
  return EXIT.ok;
}

function checkNames(given: Arguments, version: string, hardware: string): void {
  const octets = (text: string) => new TextEncoder().encode(text).length;
  if (!isVersion(version) || octets(version) > IMAGE_TEXT_MAX) {
    given.fail(`--version must be a semantic version such as 1.4.0, not "${version}"`);
  }
  if (octets(hardware) > IMAGE_TEXT_MAX || !/^[^\p{C}]+$/u.test(hardware)) {
    given.fail(`--hardware must be a text of 1 to ${IMAGE_TEXT_MAX} octets, not "${hardware}"`);
  }
}

function imageOf(make: () => Uint8Array): Uint8Array {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) throw new ConfigError("pile.image", error.message);
    throw error;
  }
}

/** Replaces a file as a whole. @throws OsError */
async function replace(path: string, octets: Uint8Array): Promise<void> {
  try {
    await Deno.writeFile(`${path}.part`, octets);
    await Deno.rename(`${path}.part`, path);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

const imageCommand: Command = {
  name: "pile image",
  summary: "Shows the head of a firmware image, and whether it holds",
  details: "Exit code 1 when it is no image, its digests are not those of its payload, or its " +
    "signature is not of the key.",
  options: [
    { name: "public_key", value: "HEX", summary: "Whose signature it has to have" },
    { name: "json", summary: "As one JSON object" },
  ],
  args: [{ name: "file", summary: "The image" }],
  examples: ["busbar pile image pile.bbfw --public-key 04…"],
  run: showImage,
};

async function showImage(call: Invocation): Promise<number> {
  const given = new Arguments("pile image", call);
  const [file = ""] = call.args;
  const octets = await SYSTEM_FILES.octets(file, IMAGE_MAX);
  const head = readImageHead(octets);
  if (head.kind === "malformed") {
    call.terminal.err(`${file} is no image: ${head.code} at octet ${head.offset}`);
    return EXIT.failed;
  }
  const digests = isPayloadOf(head, octets.subarray(head.size));
  const signature = isSigned(given, head);
  if (call.options.json) call.terminal.out(JSON.stringify(fieldsOf(head, digests, signature)));
  else {
    const rows = Object.entries(fieldsOf(head, digests, signature))
      .map(([name, value]) => [name, VERDICTS.get(value) ?? String(value)]);
    for (const line of table([{ title: "FIELD" }, { title: "VALUE" }], rows)) {
      call.terminal.out(line);
    }
  }
  return digests && signature !== false ? EXIT.ok : EXIT.failed;
}

const VERDICTS: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [true, "good"],
  [false, "WRONG"],
  [null, "not tried: give --public-key"],
]);

function fieldsOf(head: ImageHead, digests: boolean, signature: boolean | null) {
  return {
    version: head.version,
    hardware: head.hardware,
    octets: head.payloadSize,
    sha256: head.sha256.toHex(),
    sm3: head.sm3.toHex(),
    signer: head.signer,
    digests,
    signature,
  };
}

/** Null: nobody said whose it has to be. */
function isSigned(given: Arguments, head: ImageHead): boolean | null {
  const hex = given.text("public_key");
  if (hex === undefined) return null;
  const key = keyOf(head.signer, hex);
  return typeof key === "string" ? given.fail(`--${key}`) : verifyImage(head, key as PileKey);
}

/** All of them. */
export const pileSignCommands: readonly Command[] = [
  keyCommand,
  signPolicyCommand,
  signImageCommand,
  imageCommand,
];
