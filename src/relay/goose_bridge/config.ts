import { isAddress, isMulticast, parseIpv4 } from "../../base/address.ts";
import { seconds } from "../../base/time.ts";
import { UNTAGGED } from "./filter.ts";
import { RGOOSE_PORT } from "../../protocol/goose_tunnel/mod.ts";
import {
  choice,
  duration,
  endpoint,
  flag,
  type Infer,
  integer,
  list,
  network,
  range,
  secret,
  section,
  size,
  text,
} from "../../kernel/schema.ts";

/** UDP port of formats 1 and 2. */
const GOOSE_PORT = 61_850;
const INTERFACE = /^[^\s/:]{1,15}$/;

/** One path: a TAP on the station's side, a multicast group on the network's side. */
export const CONFIG = section({
  tap: text().regex(INTERFACE, "must be an interface name of 1 to 15 characters").describe(
    "TAP interface towards the IEC 61850 applications; made if it is not there",
  ).optional().meta({ example: "goose0", sample: true }),
  interface: text().regex(INTERFACE, "must be an interface name of 1 to 15 characters").optional()
    .describe(
      "Instead of a TAP, a port of the station bus that is there already; needs CAP_NET_RAW",
    )
    .meta({ example: "eth1" }),
  address: text().refine(
    isCidr,
    "must be an IPv4 address with its prefix, such as 192.168.100.1/24",
  )
    .optional().describe("Address of the TAP; GOOSE itself needs none")
    .meta({ example: "192.168.100.1/24" }),
  mtu: integer(576, 9000).default(1500).describe(
    "MTU of the TAP; a frame whose datagram does not fit the network's MTU is dropped and counted",
  ),
  queue_length: integer(100, 100_000).default(10_000).describe(
    "Frames that wait in the kernel on the TAP; 1000 loses frames in bursts of 80,000/s",
  ),
  group: text().refine(isRoutable, "must be a multicast group outside of 224.0.0.0/24").optional()
    .describe("Multicast group of the path; instead of it `peers` where there is no multicast")
    .meta({ example: "224.0.1.100", sample: true }),
  peers: list(endpoint(), 32).optional().describe(
    "The other ends, each sent a datagram of its own, where the network carries no multicast",
  ).meta({ example: ["10.0.0.2:61850"] }),
  allow: list(network(), 64).optional().describe(
    "Senders that are listened to; absent: all. Addresses can be forged: see key",
  ).meta({ example: ["10.0.0.0/24"] }),
  format: choice(["v1", "v2", "rgoose"]).default("v1").describe(
    "Wire format that is sent: v1 as deployed; v2 with the whole frame, sequence and key; " +
      "rgoose by IEC 61850-90-5, unsigned",
  ),
  accept: choice(["format", "any"]).default("format").describe(
    "Which formats are taken: that of format only, or any",
  ),
  key: secret().min(16, "must have at least 16 characters").optional().describe(
    "Key of the path for v2: datagrams are signed, and unsigned or forged ones refused",
  ),
  gse_management: flag().default(false).describe("Whether EtherType 0x88B9 is carried; needs v2"),
  sampled_values: flag().default(false).describe("Whether EtherType 0x88BA is carried; needs v2"),
  app_ids: list(range(parseAppId, "an APPID or a range, such as 0x0001-0x3fff", "APPIDs"), 64)
    .optional().describe("Which APPIDs are carried, either way; absent: all")
    .meta({ example: ["0x0001-0x3fff", "0x8001"] }),
  vlans: list(range(parseVlan, "a VLAN of 0 to 4095, a range, or untagged", "VLANs"), 64)
    .optional().describe("Which VLANs are carried, either way, by the outer tag; absent: all")
    .meta({ example: [5, "100-199", "untagged"] }),
  destination_ranges: list(
    range(
      parseMac,
      "a MAC address or a range, such as 01:0c:cd:01:00:00-01:0c:cd:01:00:3f",
      "MACs",
    ),
    64,
  ).optional().describe("Which destinations are carried, either way, instead of destinations")
    .meta({ example: ["01:0c:cd:01:00:00-01:0c:cd:01:00:3f"] }),
  port: integer(1, 65_535).optional().describe("UDP port; absent: 61850, and 102 for rgoose")
    .meta({ example: 61_850 }),
  via: text().refine(
    (via) => isAddress(via) || INTERFACE.test(via),
    "must be an interface or an address",
  )
    .optional().describe(
      "Interface to join and to send on, by name or local address; absent: the default route's",
    ).meta({ example: "eth0" }),
  ttl: integer(0, 255).default(10).describe("Routers a datagram may pass"),
  dscp: integer(0, 63).default(46).describe("Differentiated services code point; 46 is expedited"),
  loop: flag().default(false).describe(
    "Whether other programs on this host that joined the group hear this path, and it hears itself",
  ),
  destinations: choice(["goose", "any"]).default("goose").describe(
    "Which frames are taken from the TAP: to 01-0C-CD-01-00-00 … 01-FF, or to any address",
  ),
  receive_buffer: size(65_536, 2 ** 30).prefault("4MiB").describe("Receive buffer of the socket"),
  send_buffer: size(65_536, 2 ** 30).prefault("4MiB").describe("Send buffer of the socket"),
  igmp_keepalive: flag().default(true).describe(
    "Whether IGMP reports of our own are sent, beside the kernel's; needs CAP_NET_RAW",
  ),
  igmp_version: integer(2, 3).default(2).describe("Version of these reports"),
  igmp_keepalive_interval: duration(seconds(10), seconds(119)).prefault("90s").describe(
    "How often they are sent; below the 120s in which a transit gateway asks",
  ),
  igmp_monitor_interval: duration(seconds(10), seconds(3600)).prefault("2m").describe(
    "How often it is checked that the kernel still has the group",
  ),
  igmp_reregister_threshold: integer(1, 10).default(2).describe(
    "Checks in a row that have to miss it before it is joined anew",
  ),
  igmp_querier_intervals: integer(0, 100).default(3).describe(
    "Intervals of 130s without an IGMP query after which that is told; 0 never",
  ),
  supervise: flag().default(false).describe(
    "Whether streams are watched: lost and repeated messages, silence, restarts, confRev",
  ),
  points: choice(["none", "alarms", "values"]).default("none").describe(
    "Whether streams are points: their alarms, or their values too, with supervise",
  ),
  streams: integer(1, 4096).default(256).describe("Most streams that are watched, each way"),
  discard_duplicates: flag().default(false).describe(
    "Whether a message that has come already, by stNum and sqNum, is dropped; needs supervise",
  ),
  realtime: integer(0, 99).default(0).describe(
    "Real-time priority of the path's thread; 0: none. Needs CAP_SYS_NICE or LimitRTPRIO",
  ),
  batch: integer(1, 512).default(64).describe("Most frames per system call"),
}).superRefine(
  (
    {
      tap,
      interface: station,
      via,
      group,
      peers,
      key,
      format,
      accept,
      discardDuplicates,
      points,
      supervise,
      gseManagement,
      sampledValues,
    },
    context,
  ) => {
    const add = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (tap === undefined && station === undefined) {
      add("tap", "must be an interface name of 1 to 15 characters");
    }
    if (tap !== undefined && station !== undefined) add("interface", "cannot stand beside tap");
    if (station !== undefined && station === via) {
      add("interface", "cannot be the network's side too: frames would go round");
    }
    if (group === undefined && peers === undefined) add("group", "must be a multicast group");
    if (group !== undefined && peers !== undefined) add("peers", "cannot stand beside group");
    if (key !== undefined && format !== "v2") add("key", `is of no use with format ${format}`);
    if (format !== "v2" && (gseManagement || sampledValues)) {
      add(gseManagement ? "gse_management" : "sampled_values", "needs format v2");
    }
    if (key !== undefined && accept === "any") {
      add("accept", "cannot be any with a key: datagrams of format 1 are never signed");
    }
    if (discardDuplicates && !supervise) add("discard_duplicates", "needs supervise");
    if (points === "values" && !supervise) add("points", "cannot be values without supervise");
  },
).transform((config) => ({
  ...config,
  port: config.port ?? (config.format === "rgoose" ? RGOOSE_PORT : GOOSE_PORT),
}));
export type Config = Infer<typeof CONFIG>;

function isCidr(written: string): boolean {
  const match = /^([^/]+)\/(\d{1,2})$/.exec(written);
  return match !== null && parseIpv4(match[1]!) !== undefined && Number(match[2]) <= 32;
}

/** 224.0.0.0/24 never leaves its link. RFC 5771 §4 */
function isRoutable(written: string): boolean {
  return isMulticast(written) && parseIpv4(written)! >>> 8 !== 0xe00000;
}

function parseAppId(written: string): number | undefined {
  const known = /^(0x[0-9a-f]{1,4}|\d{1,5})$/i.test(written) && Number(written) <= 0xffff;
  return known ? Number(written) : undefined;
}

function parseVlan(written: string): number | undefined {
  if (written === "untagged") return UNTAGGED;
  return /^\d{1,4}$/.test(written) && Number(written) <= 4095 ? Number(written) : undefined;
}

/** A MAC address as a number of 48 bits. */
function parseMac(written: string): number | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(written)) return undefined;
  return parseInt(written.replaceAll(":", ""), 16);
}
