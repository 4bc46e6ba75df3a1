/**
 * IEC 60870-5-104 controlling station: collects from RTUs over redundant channels, and gives them
 * commands. An RTU's I frames are confirmed when their events are durable, and not before.
 * @module
 */
import { defineModule } from "../../kernel/module.ts";
import { CONFIG } from "./config.ts";
import { COUNTERS } from "./counters.ts";
import { run } from "./service.ts";

export default defineModule({
  name: "iec104_master",
  summary: "Collects from RTUs by IEC 60870-5-104, and gives them commands",
  plane: "south",
  many: true,
  config: CONFIG,
  counters: COUNTERS,
  claims: () => [],
  isolate: "main",
  frames: true,
  run,
});
