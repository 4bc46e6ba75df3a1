/**
 * Monitor of the GOOSE bridge: statistics of both paths in one document, and the check that a
 * transit gateway has their groups. It touches no frame.
 * @module
 */
import { defineModule } from "../../kernel/module.ts";
import { CONFIG } from "./config.ts";
import { run } from "./service.ts";

export default defineModule({
  name: "goose_monitor",
  summary: "Statistics of the GOOSE bridge's paths in a file, and the transit gateway's view",
  plane: "service",
  many: false,
  config: CONFIG,
  counters: ["stats_written", "stats_failures", "tgw_checks", "tgw_missing", "tgw_failures"],
  claims: () => [],
  isolate: "main",
  run,
});
