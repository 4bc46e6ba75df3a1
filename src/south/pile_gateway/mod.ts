/**
 * CIP-22 gateway of charging piles: believes them by their signatures, gives them policies and
 * sealed commands, and makes points of what they tell.
 * @module
 */
import { defineModule } from "../../kernel/module.ts";
import { CONFIG } from "./config.ts";
import { COUNTERS } from "./counters.ts";
import { run } from "./service.ts";

export default defineModule({
  name: "pile_gateway",
  summary: "Charging piles by CIP-22: sessions, policies, sealed commands, their state as points",
  plane: "south",
  many: false,
  config: CONFIG,
  counters: COUNTERS,
  claims: ({ listen, http }) =>
    [listen, ...http ? [http] : []].map(({ host, port }) => ({
      kind: "listen",
      transport: "tcp",
      address: host,
      port,
    })),
  isolate: "main",
  frames: true,
  run,
});
