/** `busbar sim piles`: charging piles for a gateway, good ones and bad ones. */
import { ConfigError } from "../../base/errors.ts";
import { millis, seconds } from "../../base/time.ts";
import { pause, SystemClock } from "../../platform/clock.ts";
import { SYSTEM_FILES } from "../../platform/files.ts";
import { SYSTEM_NET } from "../../platform/net.ts";
import type { Endpoint, TlsClient } from "../../platform/ports.ts";
import { type Cipher, CIPHERS, type PileKey } from "../../protocol/cip22/mod.ts";
import { parseLinks } from "../../south/iec104_master/links.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { systemProviders } from "../crypto_candidates.ts";
import { type Behaviour, BEHAVIOURS } from "../sim_behaviour.ts";
import { cipherFor, type KeySource, registerCsv } from "../sim_pile_keys.ts";
import { PILES_MAX, SimPiles, type SimPilesReport, SPREAD } from "../sim_piles.ts";

const NAME = "sim piles";
const CONNECT_DEFAULT = "127.0.0.1:6122";
const COUNT_DEFAULT = 10;
const PREFIX_DEFAULT = "pile-";
const PREFIX = /^[A-Za-z0-9_-]{1,56}$/;
const PER_CONNECTION_DEFAULT = 50;
const PER_CONNECTION_MAX = 1000;
const DIGITS = 4;
const TOLD_EVERY = seconds(5);
const SIGNERS = ["sm2", "secp256k1"] as const;

/** `busbar sim piles`. */
export const simPilesCommand: Command = {
  name: NAME,
  summary: "Simulated charging piles (CIP-22) that connect to a gateway",
  details: "They are called <prefix>0001 and so on. They authenticate, report, obey commands, " +
    "count energy, keep trade records, and connect again for ever. What happens is told on " +
    "stderr, and a summary at the end. Exit code 1 when no pile was believed, or one was that " +
    "must not be.\n\n" +
    "Behaviours: happy; flaky breaks connections off within frames and sends garbage; forged " +
    "signs with another key; replay sends old proofs and frames again; stuck_relay has a relay " +
    "that sticks; upgrade has new firmware that does not start; mix has some of each.\n\n" +
    "The private keys follow from the seed and the number of the pile, by HKDF. Whoever knows " +
    "the seed has them all: they are for tests only. --register writes the register that the " +
    "gateway reads, and ends.",
  options: [
    {
      name: "connect",
      value: "HOST:PORT",
      summary: `Where the gateway is (default ${CONNECT_DEFAULT})`,
    },
    { name: "http", summary: "By HTTP/2 instead of a stream of frames" },
    {
      name: "per_connection",
      value: "N",
      summary: `With --http: piles on each connection (default ${PER_CONNECTION_DEFAULT})`,
    },
    {
      name: "count",
      value: "N",
      summary: `How many, at most ${PILES_MAX} (default ${COUNT_DEFAULT})`,
    },
    { name: "prefix", value: "TEXT", summary: `Of their names (default ${PREFIX_DEFAULT})` },
    { name: "signer", value: "NAME", choices: SIGNERS, summary: "Of their keys (default sm2)" },
    {
      name: "cipher",
      value: "NAME",
      choices: Object.keys(CIPHERS),
      summary: "Of their sessions (default sm4-gcm with sm2, else aes-gcm)",
    },
    { name: "seed", value: "N", summary: "Of keys and behaviour; else one by chance" },
    {
      name: "behaviour",
      value: "NAME",
      choices: [...BEHAVIOURS, "mix"],
      summary: "What they do (default happy)",
    },
    { name: "every", value: "SPAN", summary: "How often they report (default 1s)" },
    {
      name: "ramp",
      value: "SPAN",
      summary: `Over what time they connect first (default ${SPREAD}ms for each)`,
    },
    { name: "for", value: "SPAN", summary: "How long; else until Ctrl-C" },
    { name: "certificate", value: "FILE", complete: "file", summary: "With TLS: what all show" },
    { name: "key", value: "FILE", complete: "file", summary: "Key of the certificate" },
    {
      name: "authority",
      value: "FILE",
      complete: "file",
      summary: "Certificates that the gateway's is checked with",
    },
    {
      name: "policy_key",
      value: "HEX",
      summary: "Public key of policies and images, of the same --signer; else policies are not " +
        "checked, and images not taken",
    },
    { name: "register", value: "FILE", complete: "file", summary: "Writes the register, and ends" },
    { name: "json", summary: "The summary as one JSON object" },
  ],
  args: [],
  examples: [
    "busbar sim piles --count 100 --seed 1 --register piles.csv",
    "busbar sim piles --count 100 --seed 1 --connect 127.0.0.1:6122 --behaviour mix --for 1m",
  ],
  run,
};

async function run(call: Invocation): Promise<number> {
  const given = new Arguments(NAME, call);
  const seed = given.whole("seed", 0, 0xffff_ffff) ?? randomSeed();
  const signer = (given.text("signer") ?? "sm2") as PileKey["signer"];
  const cipher = (given.text("cipher") ?? cipherFor(signer)) as Cipher;
  const keys: KeySource = { seed, signer, providers: systemProviders() };
  const names = namesOf(given);
  call.terminal.err(`Seed ${seed}`);
  const register = given.text("register");
  if (register !== undefined) {
    await SYSTEM_FILES.replace(register, registerCsv(names, keys, cipher));
    call.terminal.err(`${names.length} piles in ${register}, with keys that are for tests only`);
    return EXIT.ok;
  }
  const clock = new SystemClock();
  const piles = new SimPiles({
    to: endpointOf(given),
    net: SYSTEM_NET,
    clock,
    tls: await tlsOf(given),
    perConnection: perConnectionOf(given),
    names,
    ramp: given.span("ramp") ?? millis(SPREAD * names.length),
    keys,
    cipher,
    behaviour: (given.text("behaviour") ?? "happy") as Behaviour | "mix",
    device: { reportEvery: given.span("every") ?? seconds(1), ...trustOf(given, signer) },
    told: (line) => call.terminal.err(line),
  });
  const span = given.span("for");
  const over = span === undefined
    ? call.signal
    : AbortSignal.any([call.signal, AbortSignal.timeout(span)]);
  await Promise.all([piles.run(over), tell(piles, clock, over, call)]);
  const { report } = piles;
  if (given.flag("json")) call.terminal.out(JSON.stringify({ seed, ...report }));
  else for (const line of summary(report)) call.terminal.out(line);
  return report.believed === 0 && report.authenticated > 0 ? EXIT.ok : EXIT.failed;
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

function namesOf(given: Arguments): string[] {
  const count = given.whole("count", 1, PILES_MAX) ?? COUNT_DEFAULT;
  const prefix = given.text("prefix") ?? PREFIX_DEFAULT;
  if (!PREFIX.test(prefix)) {
    given.fail(`--prefix must be 1 to 56 letters, digits, _ and -, not "${prefix}"`);
  }
  return Array.from(
    { length: count },
    (_, at) => `${prefix}${String(at + 1).padStart(DIGITS, "0")}`,
  );
}

function endpointOf(given: Arguments): Endpoint {
  const text = given.text("connect") ?? CONNECT_DEFAULT;
  const links = parseLinks(text);
  return typeof links === "string" ? given.fail(`"${text}" ${links}`) : links[0]!;
}

function perConnectionOf(given: Arguments): number | undefined {
  const count = given.whole("per_connection", 1, PER_CONNECTION_MAX);
  if (given.flag("http")) return count ?? PER_CONNECTION_DEFAULT;
  return count === undefined ? undefined : given.fail("--per_connection is for --http");
}

async function tlsOf(given: Arguments): Promise<TlsClient | undefined> {
  const names = ["certificate", "key", "authority"] as const;
  if (names.every((name) => given.text(name) === undefined)) return undefined;
  const paths = names.map((name) => given.required(name));
  const [certificate, key, authority] = await Promise.all(
    paths.map((path) => SYSTEM_FILES.read(path)),
  ) as [string, string, string];
  return { certificate, key, least: "1.3", server: { authority } };
}

function trustOf(
  given: Arguments,
  signer: PileKey["signer"],
): { readonly policyKey?: PileKey; readonly imageKey?: PileKey } {
  const hex = given.text("policy_key")?.replace(/^0x/i, "");
  if (hex === undefined) return {};
  if (!/^([0-9a-f]{2}){33,65}$/i.test(hex)) {
    throw new ConfigError("sim.policy_key", "The key of policies is no point in hexadecimal");
  }
  const key = { signer, point: Uint8Array.fromHex(hex) };
  return { policyKey: key, imageKey: key };
}

/** A line of state every few seconds. */
async function tell(
  piles: SimPiles,
  clock: SystemClock,
  signal: AbortSignal,
  call: Invocation,
): Promise<void> {
  for (;;) {
    await pause(clock, millis(TOLD_EVERY), signal);
    if (signal.aborted) return;
    const { piles: count, open, connected, refused, statuses, commands, latency } = piles.report;
    call.terminal.err(
      `${open} of ${count} open, ${connected} connected, ${refused} refused, ${statuses} ` +
        `statuses, ${commands} commands, authentication ${latency.p50} ms, p99 ${latency.p99} ms`,
    );
  }
}

function summary({ latency, ...counts }: SimPilesReport): string[] {
  const words = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return [
    ...Object.entries(counts).map(([name, count]) => `${words(name)}: ${count}`),
    `authentication: p50 ${latency.p50} ms, p99 ${latency.p99} ms of ${latency.count}`,
  ];
}
