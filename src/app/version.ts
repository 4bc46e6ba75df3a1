/** The version of this build; `deno.json` is the one place where it stands. */
import manifest from "../../deno.json" with { type: "json" };

export const VERSION: string = manifest.version;
