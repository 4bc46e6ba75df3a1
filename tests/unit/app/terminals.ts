/** A terminal that keeps what a command writes. */
import type { Terminal } from "../../../src/app/command.ts";

/** What was written, and the terminal to hand over. */
export interface Screen {
  readonly terminal: Terminal;
  readonly out: string[];
  readonly err: string[];
}

/** Makes a terminal of 80 columns that is none. */
export function createScreen(
  env: Readonly<Record<string, string>> = {},
  more: Partial<Terminal> = {},
): Screen {
  const out: string[] = [];
  const err: string[] = [];
  const terminal: Terminal = {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    raw: (octets) => void out.push(new TextDecoder().decode(octets)),
    interactive: false,
    colour: false,
    columns: 80,
    env: (name) => env[name],
    ...more,
  };
  return { terminal, out, err };
}
