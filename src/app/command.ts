/**
 * The shape of a subcommand. Each is one file in `commands/` and one entry in the table of
 * `commands.ts`; help, did-you-mean and shell completion are made from these declarations.
 * @module
 */

/** A flag of a command. Every one has a long name; `value` names what it takes, if anything. */
export interface Option {
  /** Without dashes: `config_path`. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /**
   * Placeholder of the value, such as `FILE`. Absent: a switch. In brackets, such as `[SPAN]`: a
   * switch that may be given a value too, by `--watch=5s` only.
   */
  readonly value?: string;
  /** Words the value may be; used for checking and for completion. */
  readonly choices?: readonly string[];
  /** What shell completion offers for the value. */
  readonly complete?: "file" | "folder" | "interface";
  readonly summary: string;
  /** Whether it may be given more than once. */
  readonly many?: boolean;
  /** Whether `--no-<name>` exists too. */
  readonly negatable?: boolean;
}

/** A positional argument. */
export interface Argument {
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean;
  /** Takes all that are left. */
  readonly many?: boolean;
  readonly choices?: readonly string[];
}

/** What a command was called with, already checked against its declaration. */
export interface Invocation {
  /** A value by option name: text, or true/false for a switch, or texts where `many`. */
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly args: readonly string[];
  readonly terminal: Terminal;
  /** Aborts on SIGINT and SIGTERM. A command that lasts ends then, with exit code 0. */
  readonly signal: AbortSignal;
}

/** Where a command writes, and what it may know about it. */
export interface Terminal {
  /** Writes one line to stdout. */
  out(line: string): void;
  /** Writes one line to stderr. */
  err(line: string): void;
  /** Writes octets to stdout as they are. */
  raw(octets: Uint8Array): void;
  /** Whether stdout is a terminal. */
  readonly interactive: boolean;
  /** Whether colour is welcome: a terminal, and `NO_COLOR` is not set. */
  readonly colour: boolean;
  /** Columns of the terminal; 80 when there is none. */
  readonly columns: number;
  env(name: string): string | undefined;
}

/** One subcommand. */
export interface Command {
  /** The words that call it: `status`, `config sample`. */
  readonly name: string;
  readonly summary: string;
  /** Paragraphs below the usage line in its help. */
  readonly details?: string;
  readonly options: readonly Option[];
  readonly args: readonly Argument[];
  /** Lines such as `busbar goose send --tap goose0`, shown in the help. */
  readonly examples?: readonly string[];
  /** @returns The exit code: 0 done; 1 failed or a check failed; 2 configuration or usage. */
  run(call: Invocation): Promise<number>;
}

/** Exit codes of every command. */
export const EXIT = { ok: 0, failed: 1, config: 2, bug: 70 } as const;
