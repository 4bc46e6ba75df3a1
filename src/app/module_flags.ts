/** A flag per module: `--goose-bridge` and `--no-goose-bridge`, which overrule the file for one run. */
import type { Invocation, Option } from "./command.ts";
import { MODULES } from "./modules.ts";

/** The flags of all modules. */
export const MODULE_OPTIONS: readonly Option[] = MODULES.map(({ name, summary }) => ({
  name,
  summary: `Whether this module runs, whatever the file says: ${summary}`,
  negatable: true,
}));

/** The modules that the command line turns on or off. */
export function moduleFlags(options: Invocation["options"]): Record<string, boolean> {
  const flags: Record<string, boolean> = {};
  for (const { name } of MODULES) {
    const value = options[name];
    if (typeof value === "boolean") flags[name] = value;
  }
  return flags;
}
