import { seconds } from "../../base/time.ts";
import { duration, type Infer, section, text } from "../../kernel/schema.ts";

const SERVICE = /^goose_bridge(\.[a-z0-9_]+)?$/;
const DOMAIN = /^tgw-mcast-domain-[0-9a-f]+$/;

const path = () => text().regex(SERVICE, "must be a path, such as goose_bridge.path0");
const domain = () =>
  text().regex(DOMAIN, "must be a multicast domain, such as tgw-mcast-domain-0a1b").optional();

/** What is watched, and where it is written. */
export const CONFIG = section({
  primary: path().default("goose_bridge.path0").describe("The path that is called primary"),
  backup: path().default("goose_bridge.path1").describe("The path that is called backup"),
  stats_file: text().regex(/^\//, "must be an absolute path").optional().describe(
    "File that the statistics are written to, whole each time; absent: only /status has them",
  ).meta({ example: "/var/lib/goose-bridge/dual-path-stats.json" }),
  stats_interval: duration(seconds(1), seconds(86_400)).prefault("60s").describe(
    "How often it is written",
  ),
  primary_domain: domain().describe(
    "Multicast domain of the transit gateway that the primary path's group has to be in",
  ).meta({ example: "tgw-mcast-domain-0123456789abcdef0" }),
  backup_domain: domain().describe("The same for the backup path")
    .meta({ example: "tgw-mcast-domain-0123456789abcdef1" }),
  network_interface: text().regex(/^eni-[0-9a-f]+$/, "must be an interface, such as eni-0a1b")
    .optional().describe("Interface of this host that has to be a member; absent: anybody's counts")
    .meta({ example: "eni-0123456789abcdef0" }),
  check_interval: duration(seconds(10), seconds(3600)).prefault("2m").describe(
    "How often the transit gateway is asked",
  ),
  check_timeout: duration(seconds(1), seconds(300)).prefault("30s").describe(
    "How long an answer may take; then the last known one stands",
  ),
  aws: text().default("aws").describe("The program that asks: name or path of the AWS CLI"),
});
/** The checked configuration. */
export type Config = Infer<typeof CONFIG>;
