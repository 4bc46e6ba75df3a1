/**
 * The families of errors, by whose fault it is and by who has to act. Callers match on the class
 * and on `code`, never on the text.
 * @module
 */

/**
 * Root of every error this program throws on purpose. `code` is stable and dotted
 * (`<area>.<thing>.<what>`): tests, logs and /status match on it and never on the message.
 */
export class AppError extends Error {
  override readonly name: string = "AppError";

  /**
   * @param code Stable and dotted, lower-case.
   * @param message What was attempted or found, sentence case, no full stop.
   * @param detail Values that belong to the message; never a secret.
   */
  constructor(
    readonly code: string,
    message: string,
    readonly detail: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** The message followed by the code, as it is shown in logs and in /status. */
  override toString(): string {
    return `${this.message} [${this.code}]`;
  }
}

/** The operator must change the YAML. Restarting cannot help, so the supervisor does not. */
export class ConfigError extends AppError {
  override readonly name = "ConfigError";
}

/** The peer broke the protocol. Ends the link, never the service. */
export class ProtocolError extends AppError {
  override readonly name = "ProtocolError";
}

/** The peer or the way to it is gone. Expected; the service dials again. */
export class LinkDownError extends AppError {
  override readonly name = "LinkDownError";
}

/** A system call failed. `detail` has `syscall` and `errno` (its name, such as `EPERM`). */
export class OsError extends AppError {
  override readonly name = "OsError";
}

/** Our own code is wrong. Always logged with its stack. */
export class BugError extends AppError {
  override readonly name = "BugError";
}

/** Octets that are not what the standard allows. A value, not an exception: peers send garbage. */
export interface Malformed {
  readonly kind: "malformed";
  readonly code: string;
  /** Offset of the first offending octet. */
  readonly offset: number;
}

/** An error in the shape that survives `postMessage` and JSON, which drop classes and fields. */
export interface ErrorImage {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly stack?: string;
}

const FAMILIES: Readonly<
  Record<string, new (...args: ConstructorParameters<typeof AppError>) => AppError>
> = {
  ConfigError,
  ProtocolError,
  LinkDownError,
  OsError,
  BugError,
};

/** The image of anything that was thrown. What is not an `AppError` is a bug of ours. */
export function imageOf(error: unknown): ErrorImage {
  if (error instanceof AppError) {
    const { name, code, message, detail } = error;
    return error instanceof BugError
      ? { name, code, message, detail, ...stackOf(error) }
      : { name, code, message, detail };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { name: "BugError", code: "bug.unexpected", message, detail: {}, ...stackOf(error) };
}

/** The error that an image stands for, of the same family. */
export function revive(image: ErrorImage): AppError {
  const Family = FAMILIES[image.name] ?? BugError;
  const error = new Family(image.code, image.message, image.detail);
  if (image.stack !== undefined) error.stack = image.stack;
  return error;
}

/** One line for people: message and code, whatever was thrown. */
export function describe(error: unknown): string {
  const { message, code } = imageOf(error);
  return `${message} [${code}]`;
}

function stackOf(error: unknown): { stack?: string } {
  return error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {};
}
