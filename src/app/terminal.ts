/**
 * The terminal of this process: the one place where a command's lines meet stdout and stderr.
 *
 * A reader that goes away (`busbar status | head -1`) is not an error: what is left to write is
 * dropped, and the caller is told once, so that a command that lasts can end.
 * @module
 */
import { OsError } from "../base/errors.ts";
import type { Terminal } from "./command.ts";

const COLUMNS_DEFAULT = 80;
/** Narrower than this, a table would be unreadable whatever we do. */
const COLUMNS_MIN = 20;

/** What the terminal needs of a stream. */
export interface Sink {
  /** @returns How many octets were taken. */
  writeSync(octets: Uint8Array): number;
  isTerminal(): boolean;
}

/** What the terminal needs of the process. */
export interface Surroundings {
  readonly stdout: Sink;
  readonly stderr: Sink;
  env(name: string): string | undefined;
  /** Columns of the terminal; undefined when no stream is one. */
  columns(): number | undefined;
}

/** This process. */
export const PROCESS: Surroundings = {
  stdout: Deno.stdout,
  stderr: Deno.stderr,
  env: (name) => Deno.env.get(name),
  columns: () => {
    try {
      return Deno.consoleSize().columns;
    } catch (error) {
      if (error instanceof Error) return undefined; // No stream of ours is a terminal.
      throw error;
    }
  },
};

/**
 * Makes the terminal of a command.
 *
 * @param gone Called once when whoever reads stdout has gone.
 */
export function createTerminal(
  surroundings: Surroundings = PROCESS,
  gone: () => void = () => {},
): Terminal {
  const { stdout, stderr, env } = surroundings;
  const encoder = new TextEncoder();
  const interactive = stdout.isTerminal();
  const plain = (env("NO_COLOR") ?? "") !== "" || env("TERM") === "dumb";
  let lost = false;
  const raw = (octets: Uint8Array) => {
    if (lost) return;
    lost = !writeAll(stdout, octets);
    if (lost) gone();
  };
  return {
    out: (line) => raw(encoder.encode(`${line}\n`)),
    // With nobody to read what went wrong there is nobody to tell either.
    err: (line) => void writeAll(stderr, encoder.encode(`${line}\n`)),
    raw,
    interactive,
    colour: interactive && !plain,
    get columns() {
      const asked = surroundings.columns() ?? Number(env("COLUMNS") ?? NaN);
      return Number.isInteger(asked) && asked > 0 ? Math.max(COLUMNS_MIN, asked) : COLUMNS_DEFAULT;
    },
    env,
  };
}

/** @returns False when the reader has gone. */
function writeAll(sink: Sink, octets: Uint8Array): boolean {
  for (let at = 0; at < octets.length;) {
    try {
      at += sink.writeSync(octets.subarray(at));
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) return false;
      // A stream that somebody else has made non-blocking is full for the moment.
      if (error instanceof Deno.errors.WouldBlock || error instanceof Deno.errors.Interrupted) {
        waitAMoment();
        continue;
      }
      throw new OsError("terminal.write", "Cannot write the output", {
        errno: (error as { code?: string }).code,
      }, { cause: error });
    }
  }
  return true;
}

const MOMENT_MS = 5;
const parking = new Int32Array(new SharedArrayBuffer(4));

function waitAMoment(): void {
  Atomics.wait(parking, 0, 0, MOMENT_MS);
}
