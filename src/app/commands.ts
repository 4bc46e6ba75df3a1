/**
 * The one table of subcommands. What is not in it does not exist: help, did-you-mean and shell
 * completion are made from it.
 * @module
 */
import type { Command } from "./command.ts";
import { pileConvertCommand } from "./commands/pile_convert.ts";
import { completionCommand } from "./commands/completion.ts";
import { decodeIec104Command } from "./commands/decode_iec104.ts";
import { decodeCip22Command } from "./commands/decode_cip22.ts";
import { decodeSrtCommand } from "./commands/decode_srt.ts";
import {
  pointAuditCommand,
  pointListCommand,
  pointSetCommand,
  pointWatchCommand,
} from "./commands/points.ts";
import { pointExportCommand, pointImportCommand } from "./commands/points_table.ts";
import { cryptoBenchCommand, cryptoSelftestCommand } from "./commands/crypto.ts";
import { pileCommands } from "./commands/pile.ts";
import { pkiCommands } from "./commands/pki.ts";
import { demoFepCommand } from "./commands/demo.ts";
import { simRtuCommand, simScadaCommand } from "./commands/sim.ts";
import { simPilesCommand } from "./commands/sim_piles.ts";
import { fepCommands } from "./commands/fep.ts";
import { decodeRelayCommand } from "./commands/decode_relay.ts";
import { decodeGooseCommand } from "./commands/decode.ts";
import { configImportCommand } from "./commands/config_import.ts";
import { configCommands } from "./commands/config.ts";
import { runCommand } from "./commands/run.ts";
import { serviceCommands } from "./commands/service.ts";
import { gooseCaptureCommand } from "./commands/goose_capture.ts";
import { gooseListenCommand } from "./commands/goose_listen.ts";
import { gooseStatusCommands } from "./goose_witnesses.ts";
import { reloadCommand, statusCommand, traceCommand } from "./commands/status.ts";
import { relayChaosCommand } from "./commands/relay_chaos.ts";
import { relayProbeClientCommand, relayProbeServerCommand } from "./commands/relay_probe.ts";
import { relayKickCommand, relaySessionsCommand } from "./commands/relay_sessions.ts";
import { srtTransmitCommand } from "./commands/srt_transmit.ts";
import { gooseStreamsCommand } from "./commands/goose_streams.ts";
import { gooseSendCommand } from "./commands/goose_send.ts";

/** Every subcommand, in the order in which help shows them. */
export const COMMANDS: readonly Command[] = [
  runCommand,
  ...configCommands,
  configImportCommand,
  statusCommand,
  reloadCommand,
  traceCommand,
  ...serviceCommands,
  pointListCommand,
  pointWatchCommand,
  pointSetCommand,
  pointAuditCommand,
  pointImportCommand,
  pointExportCommand,
  ...fepCommands,
  ...pileCommands,
  pileConvertCommand,
  simRtuCommand,
  simScadaCommand,
  simPilesCommand,
  demoFepCommand,
  ...gooseStatusCommands,
  gooseStreamsCommand,
  gooseSendCommand,
  gooseListenCommand,
  gooseCaptureCommand,
  relaySessionsCommand,
  relayKickCommand,
  relayProbeServerCommand,
  relayProbeClientCommand,
  relayChaosCommand,
  srtTransmitCommand,
  ...pkiCommands,
  cryptoSelftestCommand,
  cryptoBenchCommand,
  decodeGooseCommand,
  decodeIec104Command,
  decodeRelayCommand,
  decodeSrtCommand,
  decodeCip22Command,
  completionCommand(() => COMMANDS),
];
