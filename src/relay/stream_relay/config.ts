import { isAddress, parseIpv4 } from "../../base/address.ts";
import { millis, seconds } from "../../base/time.ts";
import {
  choice,
  duration,
  flag,
  type Infer,
  integer,
  range,
  secret,
  secrets,
  section,
  size,
  text,
} from "../../kernel/schema.ts";

const TOKEN_MIN = 16;
/** Octets of the largest socket buffer that may be asked for. */
const BUFFER_MAX = 2 ** 30;

const ports = () => range(parsePort, "a port or a range, such as 2300-2320", "ports");

const AUTH = section({
  mode: choice(["none", "shared", "per_id"]).default("none").describe(
    "Whether the token of a register is checked: not at all, against one, or that of its id",
  ),
  token: secret().min(TOKEN_MIN, `must have at least ${TOKEN_MIN} characters`).optional().describe(
    "With mode shared: the token of everybody",
  ),
  tokens: secrets(TOKEN_MIN).optional().describe(
    "With mode per_id: the token of each, by role and id",
  ).meta({ example: { "server cam1": "${BUSBAR_CAM1}" } }),
  public: flag().default(false).describe(
    "With mode none: whether peers beyond loopback may register without the control port's token",
  ),
  tickets: choice(["optional", "required"]).default("optional").describe(
    "Whether a hello without the one-time ticket of its grant is sent away",
  ),
  grants: choice(["own", "both"]).default("own").describe(
    "Whose token a grant shows to each end; both as the former relay did",
  ),
});

const TCP = section({
  address: text().refine(isAddress, "must be a numeric address").default("0.0.0.0").describe(
    "Address of the data ports; whoever connects has to name a session that was granted",
  ),
  port_range: ports().prefault("2300-2320").describe("Data ports, each for one session at a time"),
  sndhwm: integer(1, 1_000_000).default(10_000).describe(
    "Buffers of 4 KiB that may wait inside for one receiver; the kernel grants up to 256",
  ),
  rcvhwm: integer(1, 1_000_000).default(10_000).describe(
    "Buffers of 4 KiB that are taken from one sender before others have their turn; up to 1024",
  ),
  sndbuf: size(0, BUFFER_MAX).prefault("2MiB").describe(
    "Send buffer, as the kernel counts; 0B: as it thinks",
  ),
  rcvbuf: size(0, BUFFER_MAX).prefault("2MiB").describe(
    "Receive buffer, as the kernel counts; 0B: as it thinks",
  ),
  linger: duration(seconds(0), seconds(600)).prefault("0s").describe(
    "How long a session that was cut may still deliver what was sent; 0s: reset. Never a clean end",
  ),
  pending_timeout: duration(seconds(2), seconds(86_400)).prefault("2m").describe(
    "How long the first of two ends may wait for the other",
  ),
  idle_timeout: duration(seconds(0), seconds(86_400)).prefault("5m").describe(
    "How long both directions may be silent; 0s: for ever",
  ),
  stall_timeout: duration(seconds(0), seconds(86_400)).prefault("5m").describe(
    "How long a receiver may take nothing of what waits for it; 0s: for ever",
  ),
});

const SRT = section({
  address: text().refine((written) => parseIpv4(written) !== undefined, "must be an IPv4 address")
    .default("0.0.0.0").describe("Address of the data ports"),
  port_range: ports().prefault("2350-2380").describe("Data ports of SRT"),
  latency: duration(millis(0), seconds(30)).prefault("120ms").describe(
    "Latency of each leg, at least; the longer one of both ends holds",
  ),
  maxbw: integer(0, 2 ** 31).default(0).describe("Most octets per second of a leg; 0: no limit"),
  ipttl: integer(1, 255).default(64).describe("Routers a datagram may pass"),
  mode: choice(["live", "reliable"]).default("live").describe(
    "Whether what comes too late is given up, or nothing is: then a stream of octets stays whole",
  ),
  passphrase: secret().min(10, "must have at least 10 characters")
    .max(79, "must have at most 79 characters").optional().describe(
      "Passphrase of all legs; absent: no encryption",
    ),
  key_length: choice(["16", "24", "32"]).default("16").describe("Octets of a key"),
  peer_idle: duration(seconds(1), seconds(600)).prefault("5s").describe(
    "Silence after which a peer is taken for gone",
  ),
  receive_buffer: size(65_536, BUFFER_MAX).prefault("8MiB").describe(
    "Receive buffer of each socket",
  ),
});

const TLS = section({
  certificate: text().describe("PEM file of the certificate and its chain")
    .meta({ example: "/etc/busbar/relay.pem" }),
  key: text().describe("PEM file of its key").meta({ example: "/etc/busbar/relay.key" }),
});

/** The relay. */
export const CONFIG = section({
  max_connections: integer(1, 65_535).default(10_000).describe("Most peers that are registered"),
  auth_timeout: duration(seconds(1), seconds(600)).prefault("30s").describe(
    "How long a first message may take, and how long a grant waits for its ends",
  ),
  shutdown_timeout: duration(seconds(0), seconds(8)).prefault("5s").describe(
    "How long sessions may go on after busbar was told to stop",
  ),
  requests: integer(1, 10_000).default(64).describe("Most requests of one client that may wait"),
  duplicates: choice(["refuse", "replace"]).default("refuse").describe(
    "Whether a second peer of the same role and id is refused, or takes the place of the first",
  ),
  broadcasts: choice(["own", "all"]).default("own").describe(
    "Whether peers are told of their own sessions only, or of everybody's as by the former relay",
  ),
  auth: AUTH.prefault({}).describe("Who may register"),
  tcp: TCP.prefault({}).describe("The TCP data plane"),
  srt: SRT.prefault({}).describe("The SRT data plane"),
  tls: TLS.optional().describe("TLS 1.3 on the TCP data ports"),
}).superRefine(({ auth, tcp, srt }, context) => {
  const add = (path: string[], message: string) =>
    context.addIssue({ code: "custom", path, message });
  if (auth.mode === "shared" && auth.token === undefined) {
    add(["auth", "token"], "is needed with mode shared");
  }
  if (auth.mode === "per_id" && auth.tokens === undefined) {
    add(["auth", "tokens"], "is needed with mode per_id");
  }
  for (const name of Object.keys(auth.tokens ?? {})) {
    if (!/^(server|client) \S/.test(name)) {
      add(["auth", "tokens", name], "must be a role and an id, such as `server cam1`");
    }
  }
  if (auth.public && auth.mode !== "none") {
    add(["auth", "public"], "is of no use but with mode none");
  }
  const [one, other] = [tcp.portRange, srt.portRange];
  if (one.first <= other.last && other.first <= one.last) {
    add(["srt", "port_range"], "must not share ports with tcp.port_range");
  }
});
/** The checked configuration. */
export type Config = Infer<typeof CONFIG>;

function parsePort(written: string): number | undefined {
  const port = /^\d{1,5}$/.test(written) ? Number(written) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
