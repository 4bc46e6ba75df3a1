/** The one list of what is compiled in. To remove a module: its folder, and its line here. */
import type { ModuleDef } from "../kernel/module.ts";
import gooseBridge from "../relay/goose_bridge/mod.ts";

export const MODULES: readonly ModuleDef[] = [gooseBridge];
