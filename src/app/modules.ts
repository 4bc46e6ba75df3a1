/** The one list of what is compiled in. To remove a module: its folder, and its line here. */
import type { ModuleDef } from "../kernel/module.ts";
import iec104Slave from "../north/iec104_slave/mod.ts";
import pileGateway from "../south/pile_gateway/mod.ts";
import iec104Master from "../south/iec104_master/mod.ts";
import gooseBridge from "../relay/goose_bridge/mod.ts";
import streamRelay from "../relay/stream_relay/mod.ts";
import gooseMonitor from "../service/goose_monitor/mod.ts";

/** Every module, in the order in which `--help` and the sample show them. */
export const MODULES: readonly ModuleDef[] = [
  gooseBridge,
  gooseMonitor,
  streamRelay,
  iec104Master,
  iec104Slave,
  pileGateway,
];
