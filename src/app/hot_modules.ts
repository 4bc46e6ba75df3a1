/** What runs in a worker, by the name of its module. Imports services only, never schemas. */
import type { HotRun } from "../kernel/module.ts";
import { run as gooseBridge } from "../relay/goose_bridge/service.ts";

/** The run function of each module whose `isolate` is `worker`. */
export const HOT_MODULES: ReadonlyMap<string, HotRun<never>> = new Map([
  ["goose_bridge", gooseBridge],
]);
