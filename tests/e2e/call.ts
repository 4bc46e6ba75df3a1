/** The executable at the command line, and waiting for what it brings about. */
import { executable } from "./harness.ts";

/** What a call left. */
export interface Called {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A function that calls the executable; `last` stands behind the words of each call. */
export function caller(...last: readonly string[]): (...words: string[]) => Promise<Called> {
  const [program, ...args] = executable();
  return async (...words) => {
    const { code, stdout, stderr } = await new Deno.Command(program!, {
      args: [...args, ...words, ...last],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (octets: Uint8Array) => new TextDecoder().decode(octets).trim();
    return { code, out: text(stdout), err: text(stderr) };
  };
}

/** Asks again until it is so. @throws Error after half a minute. */
export async function until(what: string, fits: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await fits())) {
    if (performance.now() > end) throw new Error(`Not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
