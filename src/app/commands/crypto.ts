/** `busbar crypto selftest`: which implementation of each algorithm is used here, and why. */
import { type Algorithm, type Trial } from "../../crypto/providers.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { systemProviders } from "../crypto_candidates.ts";
import { table } from "../table.ts";

const ALGORITHMS: readonly Algorithm[] = ["sm3", "sm4-ctr", "sm4-gcm", "aes-128-gcm", "sm2"];

/** See the module. */
export const cryptoSelftestCommand: Command = {
  name: "crypto selftest",
  summary: "Tries every implementation of SM2, SM3, SM4 and AES with known answers",
  details:
    "Shows which one is used on this machine, and why: of those that give the known answers " +
    "the fastest is. SPEED is in MB/s with 16 KiB, of SM2 in verifications a second. CONSTANT says whether the time depends on " +
    "neither key nor text, by the way it is made.\n\nExit code 1 when one gives a wrong answer.",
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
