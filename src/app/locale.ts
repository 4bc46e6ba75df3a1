/** The language of the few commands that have two: Chinese where the environment says so. */

/** The languages there are. */
export type Language = "en" | "zh";

/**
 * The language the environment asks for. LC_ALL wins over LC_MESSAGES, and that over LANG; an empty
 * value counts as not set. POSIX.1-2017 XBD 8.2
 */
export function languageOf(env: (name: string) => string | undefined): Language {
  for (const name of ["LC_ALL", "LC_MESSAGES", "LANG"]) {
    const value = env(name);
    if (value !== undefined && value !== "") return /^zh/i.test(value) ? "zh" : "en";
  }
  return "en";
}
