/** `busbar crypto selftest|bench`: which implementation of each algorithm is used here, and why. */
import { type Algorithm, type Candidate, type Trial, workOf } from "../../crypto/providers.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { Arguments } from "../arguments.ts";
import { cryptoCandidates, systemProviders } from "../crypto_candidates.ts";
import { table } from "../table.ts";

const ALGORITHMS: readonly Algorithm[] = ["sm3", "sm4-ctr", "sm4-gcm", "aes-128-gcm", "sm2"];

/** See the module. */
export const cryptoSelftestCommand: Command = {
  name: "crypto selftest",
  summary: "Tries every implementation of SM2, SM3, SM4 and AES with known answers",
  details: "Shows which one is used on this machine, and why: of those that give the known " +
    "answers the fastest is. SPEED is in MB/s with 16 KiB, of SM2 in verifications a second. " +
    "CONSTANT says whether the time depends on neither key nor text, by the way it is made." +
    "\n\nExit code 1 when one gives a wrong answer.",
  options: [{ name: "json", summary: "JSON lines" }],
  args: [],
  examples: ["busbar crypto selftest"],
  run: (call) => Promise.resolve(selftest(call)),
};

function selftest({ terminal, options }: Invocation): number {
  const providers = systemProviders();
  const trials = ALGORITHMS.flatMap((algorithm) => providers.trials(algorithm));
  if (options.json) { for (const trial of trials) terminal.out(JSON.stringify(trial)); }
  else {
    const columns = ["ALGORITHM", "PROVIDER", "STATE", "SPEED", "CONSTANT", "WHY"].map((title) => ({
      title,
      align: title === "SPEED" ? "right" as const : "left" as const,
    }));
    for (const line of table(columns, trials.map(rowOf), terminal.columns)) terminal.out(line);
  }
  const wrong = trials.filter(({ state }) => state === "wrong");
  for (const { algorithm, provider, why } of wrong) {
    terminal.err(`${algorithm} by ${provider} must not be used: ${why}`);
  }
  return wrong.length === 0 ? EXIT.ok : EXIT.failed;
}

function rowOf({ algorithm, provider, state, speed, constantTime, why }: Trial): string[] {
  const measured = speed === 0 ? "" : String(speed);
  return [algorithm, provider, state, measured, constantTime ? "yes" : "no", why];
}

const SIZES = [64, 1024, 16 * 1024, 64 * 1024];
const SPAN_DEFAULT_MS = 200;
/** Calls between two looks at the clock. */
const CALLS = 8;

/** `busbar crypto bench`. */
export const cryptoBenchCommand: Command = {
  name: "crypto bench",
  summary: "Measures every implementation of SM3, SM4 and AES with texts of several sizes, and SM2",
  details: "In MB/s (10^6 octets); of SM2 verifications a second. The figures are those of this " +
    "machine at this moment: other work on it makes them smaller.",
  options: [
    { name: "json", summary: "JSON lines" },
    { name: "span", value: "SPAN", summary: "How long each is measured (default 200ms)" },
  ],
  args: [],
  examples: ["busbar crypto bench"],
  run: (call) => Promise.resolve(bench(call)),
};

function bench(call: Invocation): number {
  const { terminal, options } = call;
  const span = new Arguments("crypto bench", call).span("span") ?? SPAN_DEFAULT_MS;
  const rows: string[][] = [];
  for (const candidate of cryptoCandidates()) {
    if (!candidate.tool || call.signal.aborted) continue;
    const { algorithm, provider } = candidate;
    const sizes = algorithm === "sm2" ? [0] : SIZES;
    const speeds = sizes.map((size) => speedOf(candidate, size, span));
    if (options.json) {
      for (const [at, size] of sizes.entries()) {
        terminal.out(JSON.stringify({ algorithm, provider, size, speed: speeds[at] }));
      }
    } else rows.push([algorithm, provider, ...speeds.map(String)]);
  }
  if (options.json) return EXIT.ok;
  const titles = ["ALGORITHM", "PROVIDER", "64 B", "1 KiB", "16 KiB", "64 KiB"];
  const columns = titles.map((title, at) => ({
    title,
    align: at < 2 ? "left" as const : "right" as const,
  }));
  const full = rows.map((row) => [...row, "", "", ""].slice(0, titles.length));
  for (const line of table(columns, full, terminal.columns)) terminal.out(line);
  return EXIT.ok;
}

function speedOf(candidate: Candidate, size: number, span: number): number {
  const once = workOf(candidate, size);
  const run = (until: number): number => {
    const start = performance.now();
    let [count, past] = [0, 0];
    for (; past < until; past = performance.now() - start) {
      for (let turn = 0; turn < CALLS; turn += 1) once();
      count += CALLS;
    }
    return count / past;
  };
  run(span / 4);
  const perMs = run(span);
  return Math.round(size === 0 ? perMs * 1000 : perMs * size / 1000);
}
