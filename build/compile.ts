/**
 * The compile route: `deno compile`, which needs a base binary: the file that `DENORT_BIN` names,
 * or the one that Deno downloads.
 * @module
 */
import type { Program } from "./pack.ts";
import { DENO_VERSION, type Target } from "./targets.ts";

/** How long the server of the base binaries may take to answer whether it has one. */
const PROBE_MS_MAX = 4_000;
/** How long download and compilation may take. */
const COMPILE_MS_MAX = 300_000;

/**
 * Whether the base binary can be had, quickly.
 * @returns The reason when it cannot.
 */
export async function whyNot(target: Target): Promise<string | undefined> {
  const given = Deno.env.get("DENORT_BIN");
  if (given) {
    try {
      return (await Deno.stat(given)).isFile ? undefined : `DENORT_BIN is not a file: ${given}`;
    } catch (error) {
      return `DENORT_BIN cannot be read: ${(error as Error).message}`;
    }
  }
  const url = `https://dl.deno.land/release/v${DENO_VERSION}/denort-${target.triple}.zip`;
  try {
    const signal = AbortSignal.timeout(PROBE_MS_MAX);
    const { ok, status } = await fetch(url, { method: "HEAD", signal });
    return ok ? undefined : `the server of base binaries answers ${status}`;
  } catch {
    return "the server of base binaries cannot be reached";
  }
}

/** Writes the executable file of a target. @returns Its size in octets. */
export async function compile(program: Program, target: Target, out: string): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: compileArgs(program, target, out),
    cwd: new URL("..", import.meta.url).pathname,
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).spawn();
  const alarm = setTimeout(() => child.kill("SIGKILL"), COMPILE_MS_MAX);
  const { success } = await child.status;
  clearTimeout(alarm);
  if (!success) throw new Error(`deno compile failed for ${target.triple}`);
  return (await Deno.stat(out)).size;
}

/** Arguments of `deno compile`. */
export function compileArgs(program: Program, target: Target, out: string): string[] {
  const include = ["--include", program.worker];
  return [
    "compile",
    "-A",
    "--quiet",
    // As in head.sh.
    "--v8-flags=--max-semi-space-size=4,--gc-memory-reducer-start-delay-ms=5000,--memory-reducer-delay-ms=2000",
    ...include,
    "--target",
    target.triple,
    "-o",
    out,
    program.main,
  ];
}
