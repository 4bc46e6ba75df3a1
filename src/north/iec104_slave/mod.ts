/**
 * IEC 60870-5-104 controlled station: forwards points to control centres, each with a durable
 * cursor of its own, and passes their commands to the owners of the points.
 * @module
 */
import { defineModule } from "../../kernel/module.ts";
import { CONFIG } from "./config.ts";
import { COUNTERS } from "./counters.ts";
import { run } from "./service.ts";

export default defineModule({
  name: "iec104_slave",
  summary: "Forwards points to control centres by IEC 60870-5-104, and takes their commands",
  plane: "north",
  many: true,
  config: CONFIG,
  counters: COUNTERS,
  claims: ({ listen: { host, port } }) => [
    { kind: "listen", transport: "tcp", address: host, port },
  ],
  isolate: "main",
  frames: true,
  run,
});
