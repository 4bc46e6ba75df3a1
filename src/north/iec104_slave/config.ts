import { isLoopback } from "../../base/address.ts";
import { millis, seconds } from "../../base/time.ts";
import {
  choice,
  duration,
  endpoint,
  flag,
  type Infer,
  integer,
  list,
  network,
  section,
  text,
} from "../../kernel/schema.ts";
import { MUTUAL_TLS } from "../../kernel/tls_config.ts";
import { timeZone, UTC } from "../../protocol/iec104/mod.ts";

const GROUPS_MAX = 32;
const CLIENTS_MAX = 64;
const NAME = /^[a-z0-9_-]{1,32}$/;

const GROUP = section({
  name: text().regex(NAME, "must have a-z, 0-9, _ and - only").describe("Its name, for its cursor"),
  clients: list(network(), CLIENTS_MAX).optional().describe(
    "Addresses of the control centre's hosts; absent: whoever belongs to no other group",
  ),
  forward: text().optional().describe("CSV file as below, of its own; absent: the listener's"),
});

/** One listener for control centres. */
export const CONFIG = section({
  listen: endpoint().prefault("127.0.0.1:2404").describe("Address and port"),
  tls: MUTUAL_TLS.optional().describe(
    "TLS with control centres, by IEC 62351-3; absent: plain TCP",
  ),
  mode: choice(["single", "groups", "each"]).default("single").describe(
    "With single there is one connection, and further ones are closed at once; with groups each " +
      "redundancy group has its own events and one connection that is started; with each every " +
      "connection is a group of its own",
  ),
  switch_hold: duration(millis(0), seconds(10)).prefault("1s").describe(
    "Shortest time that a connection of a group carries data before another may take over; one " +
      "that asks sooner waits for its STARTDT con",
  ),
  groups: list(GROUP, GROUPS_MAX).optional().describe("With mode groups: them")
    .meta({ example: [{ name: "occ", clients: ["10.91.2.0/24"] }, { name: "others" }] }),
  allow: list(network(), CLIENTS_MAX).optional().describe("Who may connect; absent: everybody")
    .meta({ example: ["10.91.2.0/24"] }),
  max_connections: integer(1, 256).default(16).describe("Most connections at once"),
  stations: list(text(), 1024).optional().describe(
    "Stations of the point table that are forwarded; absent: all",
  ).meta({ example: ["gz_01"] }),
  forward: text().optional().describe(
    "CSV file with what is forwarded and how; absent: every point under its own CA and IOA",
  ).meta({ example: "/etc/busbar/forward.csv" }),
  cause_size: integer(1, 2).default(2).describe("Octets of the cause of transmission"),
  common_address_size: integer(1, 2).default(2).describe("Octets of the common address"),
  object_address_size: integer(1, 3).default(3).describe("Octets of object addresses"),
  k: integer(1, 32_767).default(12).describe("Most I frames that are not confirmed"),
  w: integer(1, 32_767).default(8).describe("I frames that are confirmed at the latest"),
  t1: duration(seconds(1), seconds(255)).prefault("15s").describe("Time for a confirmation"),
  t2: duration(seconds(1), seconds(255)).prefault("10s").describe("Time until one is given"),
  t3: duration(seconds(1), seconds(172_800)).prefault("20s").describe(
    "Time until a silent client is tested",
  ),
  time_zone: text().refine(
    (written) => timeZone(written) !== undefined,
    "must be a time zone such as UTC or Asia/Shanghai",
  ).default("UTC").describe("Zone of the time tags that are sent; summer time sets SU"),
  clock_sync: choice(["ignore", "refuse"]).default("ignore").describe(
    "What becomes of a clock synchronization: confirmed without effect, or refused",
  ),
  commands: flag().default(false).describe(
    "Whether commands are taken; beyond loopback it needs allow, or groups with clients",
  ),
  select_within: duration(seconds(1), seconds(255)).prefault("10s").describe(
    "How long a selection holds",
  ),
  command_within: duration(seconds(1), seconds(255)).prefault("20s").describe(
    "How long a command may take",
  ),
  command_age: duration(millis(100), seconds(3600)).prefault("10s").describe(
    "How far the time tag of a command may be from now, either way",
  ),
  background_scan: duration(seconds(1), seconds(86_400)).optional().describe(
    "How often the state of all points is sent as background scan; absent: never",
  ).meta({ example: "10m" }),
  cyclic: duration(seconds(1), seconds(86_400)).optional().describe(
    "How often measurements are sent as cyclic data; absent: never",
  ).meta({ example: "30s" }),
  overflow_address: integer(0, 16_777_215).optional().describe(
    "Object address of a single point that tells of events that were lost, in the first CA",
  ).meta({ example: 65_000 }),
}).superRefine(({ mode, groups, t1, t2, k, w, commands, listen, allow }, context) => {
  const fault = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (mode === "groups" && !groups) fault("groups", "are needed with mode groups");
  if (mode !== "groups" && groups) fault("groups", `mean nothing with mode ${mode}`);
  if (groups && new Set(groups.map(({ name }) => name)).size < groups.length) {
    fault("groups", "must have names of their own");
  }
  if ((groups ?? []).filter(({ clients }) => !clients).length > 1) {
    fault("groups", "may have one without clients only");
  }
  const known = allow !== undefined || groups?.every(({ clients }) => clients !== undefined);
  if (commands && !known && !isLoopback(listen.host)) {
    fault("allow", "is needed to take commands beyond loopback: the protocol itself asks nobody");
  }
  if (t2 >= t1) fault("t2", "must be less than t1");
  if (w > k) fault("w", "must not be more than k");
});
/** The checked configuration. */
export type Config = Infer<typeof CONFIG>;

/** The zone of the tags. It was checked. */
export function zoneOf({ timeZone: name }: Pick<Config, "timeZone">) {
  return timeZone(name) ?? UTC;
}
