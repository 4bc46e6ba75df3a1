/**
 * The settings of the kernel itself: the control port, the log, the points. Everything else in the
 * YAML belongs to a module.
 * @module
 */
import { millis, seconds } from "../base/time.ts";
import {
  choice,
  duration,
  endpoint,
  flag,
  type Infer,
  integer,
  secret,
  section,
  size,
  text,
} from "./schema.ts";

/** `control:` in the YAML. */
export const CONTROL = section({
  listen: endpoint().prefault("127.0.0.1:5555").describe(
    "Address and port of the control port: HTTP and JSON lines. Beyond loopback it needs a token",
  ),
  token: secret().optional().describe(
    "Shared secret of at least 16 characters, as `${NAME}` from the environment; needed to " +
      "change anything, and to read unless public_read",
  ),
  public_read: flag().default(false).describe(
    "Whether /status and /metrics may be read without the token",
  ),
  tls: section({
    certificate: text().describe("PEM file of the certificate and its chain")
      .meta({ example: "/etc/busbar/control.pem" }),
    key: text().describe("PEM file of its key").meta({ example: "/etc/busbar/control.key" }),
  }).optional().describe("TLS 1.3 on the control port"),
  max_connections: integer(8, 65_535).default(16_384).describe("Most connections at once"),
  idle_timeout: duration(seconds(1), seconds(86_400)).prefault("60s").describe(
    "How long an HTTP connection may be idle, and how long a first line may take",
  ),
});
export type ControlConfig = Infer<typeof CONTROL>;

/** `log:` in the YAML. */
export const LOG = section({
  level: choice(["debug", "info", "warn", "error"]).default("info").describe(
    "Least level that is written",
  ),
  format: choice(["auto", "json", "text"]).default("auto").describe(
    "Form on stdout; auto is text on a terminal and JSON lines elsewhere",
  ),
  file: text().optional().describe("File to write as well, always as JSON lines")
    .meta({ example: "/var/log/busbar/busbar.log" }),
  rotate_size: size(65_536, 2 ** 40).prefault("10MiB").describe(
    "Size at which the file is rotated",
  ),
  rotate_age: duration(seconds(60), millis(365 * 86_400_000)).prefault("7d").describe(
    "Age at which the file is rotated",
  ),
  keep: integer(0, 1000).default(5).describe("Rotated files that are kept, gzip-compressed"),
});
export type LogConfig = Infer<typeof LOG>;

const YEAR = millis(365 * 86_400_000);

/** `points:` in the YAML. */
export const POINTS = section({
  folder: text().optional().describe(
    "Folder of the point table and of the journal; without one nothing of them outlives busbar",
  ).meta({ example: "/var/lib/busbar" }),
  survives: choice(["power_loss", "process", "nothing"]).default("power_loss").describe(
    "What a committed event outlives: power_loss waits for the disk at each commit, process does " +
      "not and may lose the last moments with the power; with nothing the journal is in memory " +
      "only, and goes with the process",
  ),
  journal_size: size(1024 * 1024, 2 ** 40).prefault("256MiB").describe(
    "Most octets of events; the oldest go first, and readers that had not had them are told",
  ),
  journal_age: duration(seconds(60), millis(10 * YEAR)).prefault("30d").describe(
    "Oldest event that is kept",
  ),
  journal_pending: integer(1000, 10_000_000).default(100_000).describe(
    "Most events that wait for the disk; with more, devices are not told that theirs are safe",
  ),
  commit_within: duration(millis(0), seconds(10)).prefault("2ms").describe(
    "How long an event waits for others to be committed with",
  ),
  checkpoint_every: duration(seconds(10), seconds(86_400)).prefault("10m").describe(
    "How often the last values of all points are written down",
  ),
  audit_commands: integer(100, 10_000_000).default(100_000).describe(
    "Commands that the audit keeps",
  ),
});
export type PointsConfig = Infer<typeof POINTS>;
