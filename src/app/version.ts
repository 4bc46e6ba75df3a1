/** The version of this build; `deno.json` is the one place where it stands. */
import manifest from "../../deno.json" with { type: "json" };

/** Semantic version, such as `0.1.0`. */
export const VERSION: string = manifest.version;
