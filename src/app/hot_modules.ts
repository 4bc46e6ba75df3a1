/** What runs in a worker, by the name of its module. Imports services only, never schemas. */
import type { HotRun } from "../kernel/module.ts";
import { run as gooseBridge } from "../relay/goose_bridge/service.ts";
import { run as streamRelaySrt } from "../relay/stream_relay/srt_worker.ts";
import { run as streamRelayTcp } from "../relay/stream_relay/worker.ts";

/** The run function of each module whose `isolate` is `worker`, and `<module>.<part>` of others. */
export const HOT_MODULES: ReadonlyMap<string, HotRun<never>> = new Map<string, HotRun<never>>([
  ["goose_bridge", gooseBridge],
  ["stream_relay.tcp", streamRelayTcp],
  ["stream_relay.srt", streamRelaySrt],
]);
