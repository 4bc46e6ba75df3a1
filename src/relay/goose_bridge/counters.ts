/**
 * What a path counts beside the standard counters. `frames_out` are frames from the TAP that went
 * into the network, `frames_in` frames from the network that went into the TAP.
 * @module
 */
import { DROP } from "../../protocol/goose_tunnel/mod.ts";

/** Ages at arrival in microseconds that end a class. The transfer times of IEC 61850-5 are there. */
export const AGE_LIMITS = [100, 200, 600, 1000, 3000, 10_000, 20_000, 50_000, 100_000] as const;
/** The counter of each class, and of what is beyond the last. */
export const AGE_COUNTERS = [
  "age_within_100us",
  "age_within_200us",
  "age_within_600us",
  "age_within_1ms",
  "age_within_3ms",
  "age_within_10ms",
  "age_within_20ms",
  "age_within_50ms",
  "age_within_100ms",
  "age_beyond_100ms",
] as const;

/** Names of the counters, with what they mean in the module's README. */
export const COUNTERS = [
  "tap_received",
  "tap_received_tagged",
  "group_received",
  "drop_runt",
  "drop_ethertype",
  "drop_gse_management",
  "drop_sampled_values",
  "drop_double_tag",
  "drop_destination",
  "drop_app_id",
  "drop_vlan",
  "drop_short_datagram",
  "drop_own",
  "drop_not_allowed",
  "drop_unknown_format",
  "drop_unknown_version",
  "drop_encrypted",
  "drop_unsigned",
  "drop_forged",
  "drop_replayed",
  "drop_duplicate",
  "drop_truncated",
  "drop_too_big",
  "drop_no_network",
  "drop_network_busy",
  "drop_no_tap",
  "drop_tap_queue",
  "drop_socket_queue",
  "peer_missed",
  "igmp_reports",
  "igmp_queries",
  "igmp_malformed",
  "igmp_checks",
  "igmp_missing",
  "igmp_reregistered",
  "igmp_querier_missing",
  "missing",
  "late",
  ...AGE_COUNTERS,
  "last_activity",
  "igmp_last_report",
  "igmp_last_check",
  "points_published",
  "points_delayed",
  "streams",
  "streams_unwatched",
  "stream_undecodable",
  "stream_lost",
  "stream_duplicates",
  "stream_reordered",
  "stream_restarts",
  "stream_expirations",
  "stream_conf_rev_changes",
] as const;

/** Counter of each {@linkcode DROP}. */
export const COUNTER_OF_DROP: Readonly<Record<number, (typeof COUNTERS)[number]>> = {
  [DROP.runt]: "drop_runt",
  [DROP.etherType]: "drop_ethertype",
  [DROP.gseManagement]: "drop_gse_management",
  [DROP.sampledValues]: "drop_sampled_values",
  [DROP.doubleTag]: "drop_double_tag",
  [DROP.destination]: "drop_destination",
  [DROP.shortDatagram]: "drop_short_datagram",
  [DROP.unknownFormat]: "drop_unknown_format",
  [DROP.unknownVersion]: "drop_unknown_version",
  [DROP.unsigned]: "drop_unsigned",
  [DROP.forged]: "drop_forged",
  [DROP.replayed]: "drop_replayed",
  [DROP.own]: "drop_own",
  [DROP.encrypted]: "drop_encrypted",
  [DROP.appId]: "drop_app_id",
  [DROP.vlan]: "drop_vlan",
};
