/**
 * `${NAME}` in values: the only way in which the environment reaches the configuration. Pure.
 * @module
 */

/** A text with what stands in it replaced. */
export interface Substituted {
  readonly text: string;
  /** Whether anything was replaced. */
  readonly changed: boolean;
  /** Whether the text was nothing but one `${NAME}`. */
  readonly whole: boolean;
  /** Names that are not set and have no default. */
  readonly unset: readonly string[];
  /** `${` that is not followed by a name and `}`. */
  readonly broken: boolean;
}

const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g;

/**
 * Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`. An empty value counts as set
 * without a default, and as not set with one, as in a shell.
 */
export function substitute(
  written: string,
  env: (name: string) => string | undefined,
): Substituted {
  const unset: string[] = [];
  let changed = false;
  let broken = false;
  const text = written.replace(REFERENCE, (all, name?: string, fallback?: string) => {
    changed = true;
    if (all === "$${") return "${";
    if (name === undefined) {
      broken = true;
      return all;
    }
    const value = env(name);
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value === undefined) unset.push(name);
    return value ?? "";
  });
  const whole = /^\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}$/.test(written);
  return { text, changed, whole, unset, broken };
}

/** A text from the environment as the number or the truth value that a field wants, if it is one. */
export function retype(text: string, scalar: "number" | "boolean" | "text" | undefined): unknown {
  if (scalar === "number" && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (scalar === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}
