/**
 * The settings of the kernel itself: the control port and the log. Everything else in the YAML
 * belongs to a module.
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
