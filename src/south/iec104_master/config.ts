import { millis, seconds } from "../../base/time.ts";
import { parseSchedule } from "../../kernel/cron.ts";
import {
  choice,
  duration,
  flag,
  type Infer,
  integer,
  list,
  section,
  size,
  text,
  z,
} from "../../kernel/schema.ts";
import { MUTUAL_TLS } from "../../kernel/tls_config.ts";
import { timeZone, UTC } from "../../protocol/iec104/mod.ts";
import { parseLinks } from "./links.ts";

const CHANNELS_MAX = 8;
const ADDRESSES_MAX = 64;
const STATION = /^[\p{L}\p{N}_-]{1,64}$/u;

/** A channel's addresses, read. */
const channel = () =>
  text().transform((written, context) => {
    const links = parseLinks(written);
    if (typeof links !== "string") return links;
    context.issues.push({ code: "custom", message: links, input: written });
    return z.NEVER;
  }).meta({ kind: "HOST:PORT[:Mn]" });

const schedule = () =>
  text().superRefine((written, context) => {
    const found = parseSchedule(written);
    if (typeof found === "string") context.addIssue(`must be a cron pattern: ${found}`);
  }).meta({ kind: "cron pattern" });

const zone = () =>
  text().refine(
    (written) => timeZone(written) !== undefined,
    "must be a time zone such as UTC or Asia/Shanghai",
  ).meta({ kind: "time zone" });

/** One RTU. */
export const CONFIG = section({
  channels: list(channel(), CHANNELS_MAX).describe(
    "Ways to the RTU, the first one first; ADDRESS:PORT:M3 stands for four consecutive addresses",
  ).meta({ example: ["192.168.1.1:2404:M1", "192.168.2.1:2404"] }),
  station: text().regex(STATION, "must have letters, digits, _ and - only").optional().describe(
    "Its station in the point table, and the first word of its points; absent: the instance's name",
  ).meta({ example: "gz_01" }),
  common_addresses: list(integer(1, 65_534), ADDRESSES_MAX).default([1]).describe(
    "Common addresses that are interrogated; points of the first are named by their IOA alone",
  ),
  tls: MUTUAL_TLS.optional().describe("TLS towards the RTU, by IEC 62351-3; absent: plain TCP"),
  originator: integer(0, 255).default(0).describe("Originator address of what is sent"),
  cause_size: integer(1, 2).default(2).describe("Octets of the cause of transmission"),
  common_address_size: integer(1, 2).default(2).describe("Octets of the common address"),
  object_address_size: integer(1, 3).default(3).describe("Octets of object addresses"),
  k: integer(1, 32_767).default(12).describe("Most I frames that are not confirmed"),
  w: integer(1, 32_767).default(8).describe("I frames that are confirmed at the latest"),
  t0: duration(seconds(1), seconds(255)).prefault("30s").describe("Time for a connection"),
  t1: duration(seconds(1), seconds(255)).prefault("15s").describe("Time for a confirmation"),
  t2: duration(seconds(1), seconds(255)).prefault("10s").describe("Time until one is given"),
  t3: duration(seconds(1), seconds(172_800)).prefault("20s").describe(
    "Time until a silent RTU is tested",
  ),
  acknowledge: choice(["when_durable", "on_receipt"]).default("when_durable").describe(
    "When I frames are confirmed: when their events are durable, or as they come, and then those " +
      "that are not durable yet are lost with the process",
  ),
  retry: duration(millis(100), seconds(3600)).prefault("5s").describe(
    "Between two tries; after a connection that was lost the next address is tried at once",
  ),
  stale_after: duration(millis(0), seconds(86_400)).prefault("10s").describe(
    "How long the RTU may be away until its points are stale",
  ),
  time_zone: zone().default("UTC").describe(
    "Zone of the RTU's time tags; SU in a tag is summer time in it",
  ),
  clock_sync: choice(["never", "on_start"]).default("never").describe(
    "Whether the RTU's clock is set when data transfer starts",
  ),
  clock_sync_at: schedule().optional().describe("When it is set as well")
    .meta({ example: "0 3 * * *" }),
  interrogate_on_start: flag().default(true).describe(
    "Whether a general interrogation follows the start, and the RTU's end of initialization",
  ),
  interrogate_at: schedule().optional().describe("When one is made as well, in the RTU's zone")
    .meta({ example: "*/15 * * * *" }),
  interrogation_within: duration(seconds(1), seconds(3600)).prefault("60s").describe(
    "How long an interrogation may take; one that failed is tried once more",
  ),
  counters_on_start: flag().default(false).describe("The same for counter interrogation"),
  counters_freeze: choice(["never", "freeze", "freeze_reset"]).default("never").describe(
    "Whether the RTU is told to freeze its counters, or to reset them as well, before they are " +
      "interrogated by `counters_at`",
  ),
  counters_at: schedule().optional().describe("When the counters are interrogated as well")
    .meta({ example: "0 * * * *" }),
  confirm_within: duration(millis(100), seconds(255)).prefault("10s").describe(
    "How long the RTU may take to confirm a command or an interrogation",
  ),
  command_time_tag: flag().default(false).describe("Whether commands carry a time tag (58 to 64)"),
  command_end: choice(["termination", "confirmation"]).default("termination").describe(
    "What ends a command: the RTU's activation termination, or already its confirmation",
  ),
  file_max: size(1024, 16 * 1024 * 1024).prefault("4MiB").describe(
    "Longest file that is fetched from the RTU",
  ),
  virtual_rtu: integer(0, 65_535).optional().describe(
    "Number under which the states of the channels are points too: vpt.<number>.<point>",
  ).meta({ example: 10 }),
  virtual_point: integer(0, 65_535).default(21).describe("Point of the first channel there"),
}).superRefine(({ t1, t2, k, w }, context) => {
  if (t2 >= t1) context.addIssue({ code: "custom", path: ["t2"], message: "must be less than t1" });
  if (w > k) {
    const message = "must not be more than k, or the RTU waits for t2";
    context.addIssue({ code: "custom", path: ["w"], message });
  }
});
/** The checked configuration. */
export type Config = Infer<typeof CONFIG>;

/** The zone of an RTU. It was checked. */
export function zoneOf({ timeZone: name }: Pick<Config, "timeZone">) {
  return timeZone(name) ?? UTC;
}
