/** What code may say about itself. Where it goes, and in which form, is decided by the kernel. */

/** How much a line matters, least first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
/** A line may also be a traced frame: written whatever the level is, and never folded. */
export type LineLevel = LogLevel | "trace";

/** Values beside a message. Never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * A log of one service. `code` is stable and dotted; the same code more than once a second becomes
 * one line with a `count`, so a caller need not fold anything itself.
 */
export interface Log {
  /** A frame while tracing is on. The caller bounds how many a second. */
  trace(code: string, message: string, fields?: LogFields): void;
  debug(code: string, message: string, fields?: LogFields): void;
  info(code: string, message: string, fields?: LogFields): void;
  warn(code: string, message: string, fields?: LogFields): void;
  /** @param fields `error` may hold anything thrown; a bug is written with its stack. */
  error(code: string, message: string, fields?: LogFields): void;
}

/** One line, in the shape in which it crosses threads and is written. */
export interface LogLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly level: LineLevel;
  /** The service: `<module>`, `<module>.<instance>`, or `kernel`. */
  readonly id: string;
  readonly code: string;
  readonly message: string;
  readonly fields: LogFields;
}
