/**
 * Stream relay: clients and servers dial in, are paired by the control port, and meet on a data
 * port, where their octets are relayed by the kernel.
 *
 * The control plane runs on the main thread, the data plane in a worker of its own; they send one
 * another letters (`letters.ts`) and share nothing else.
 * @module
 */
import { type Claim, defineModule } from "../../kernel/module.ts";
import { CONFIG } from "./config.ts";
import { COUNTERS } from "./counters.ts";
import { run } from "./service.ts";

export default defineModule({
  name: "stream_relay",
  summary: "Pairs clients with servers and relays TCP and SRT between them",
  plane: "relay",
  many: false,
  config: CONFIG,
  counters: COUNTERS,
  claims: ({ tcp, srt }) => [...claimsOf("tcp", tcp), ...claimsOf("udp", srt)],
  isolate: "main",
  run,
});

function claimsOf(
  transport: "tcp" | "udp",
  { address, portRange: { first, last } }: {
    readonly address: string;
    readonly portRange: { readonly first: number; readonly last: number };
  },
): Claim[] {
  return Array.from({ length: last - first + 1 }, (_, index): Claim => ({
    kind: "listen",
    transport,
    address,
    port: first + index,
  }));
}
