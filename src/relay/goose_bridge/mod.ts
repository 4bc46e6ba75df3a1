/**
 * GOOSE bridge: carries IEC 61850 GOOSE frames between a TAP interface and a UDP multicast group,
 * so that unmodified applications work across a routed or cloud network.
 *
 * One instance is one path, with a worker, a TAP and sockets of its own: nothing is shared, so one
 * path can fail without the other noticing.
 * @module
 */
import { defineModule } from "../../kernel/module.ts";
import { CONFIG } from "./config.ts";
import { COUNTERS } from "./counters.ts";

export default defineModule({
  name: "goose_bridge",
  summary: "IEC 61850 GOOSE between TAP interfaces and UDP multicast, on independent paths",
  plane: "relay",
  many: true,
  config: CONFIG,
  counters: COUNTERS,
  claims: ({ tap, interface: station, group, port }) => [
    { kind: "interface", name: tap ?? station! },
    { kind: "listen", transport: "udp", address: group ?? "0.0.0.0", port },
  ],
  isolate: "worker",
});
