import { isLoopback } from "../../base/address.ts";
import { millis, seconds } from "../../base/time.ts";
import {
  choice,
  duration,
  endpoint,
  flag,
  type Infer,
  integer,
  section,
  text,
} from "../../kernel/schema.ts";
import { MUTUAL_TLS_13 } from "../../kernel/tls_config.ts";

/** A point in place of a key: the base point of SM2's curve. */
const KEY = "0232c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7";
const STATION = /^[\p{L}\p{N}_-]{1,64}$/u;

/** The gateway of a site's charging piles. */
export const CONFIG = section({
  listen: endpoint().prefault("127.0.0.1:6122").describe("Where piles connect with CIP-22 frames"),
  http: endpoint().optional().describe("Where they connect by HTTP/2; absent: nowhere")
    .meta({ example: "127.0.0.1:6123" }),
  tls: MUTUAL_TLS_13.optional().describe(
    "TLS 1.3 with piles on both ports; absent: none, which is for loopback",
  ),
  allow_plain: flag().default(false).describe(
    "Whether piles may connect beyond loopback without TLS; commands are sealed all the same, " +
      "but a pile cannot tell this gateway from another one",
  ),
  names: choice(["any", "pile"]).default("any").describe(
    "With TLS: whether a pile's certificate has to bear the pile's own name",
  ),
  piles: text().describe("CSV file of the piles: pile, signer, public_key, cipher")
    .meta({ example: "/etc/busbar/piles.csv" }),
  bikes: text().optional().describe(
    "CSV file of the bikes whose telemetry is signed: bike, signer, public_key; absent: " +
      "telemetry needs no signature",
  ).meta({ example: "/etc/busbar/bikes.csv" }),
  station: text().regex(STATION, "must have letters, digits, _ and - only").default("piles")
    .describe("First word of the piles' points, and their station in the point table"),
  policy: text().optional().describe(
    "File of the signed tariff policy that piles are given; one that an operator gives replaces it",
  ).meta({ example: "/var/lib/busbar/policy.json" }),
  policy_signer: choice(["sm2", "secp256k1"]).default("sm2").describe(
    "Signature of policies and of firmware images",
  ),
  policy_key: text().regex(/^(0x)?([0-9a-fA-F]{2}){33,65}$/, "must be a point in hexadecimal")
    .optional().describe("Public key of whoever signs policies; absent: no policy is taken")
    .meta({ example: KEY }),
  image: text().optional().describe("Firmware image that the command `upgrade` installs")
    .meta({ example: "/var/lib/busbar/pile.bbfw" }),
  image_key: text().regex(/^(0x)?([0-9a-fA-F]{2}){33,65}$/, "must be a point in hexadecimal")
    .optional().describe("Public key of whoever signs images; absent: that of policies")
    .meta({ example: KEY }),
  extensions: text().optional().describe(
    "File with JSON Schemas, by name, of extensions that messages of version 2.0 may carry",
  ).meta({ example: "/etc/busbar/extensions.json" }),
  crc8: choice(["auto", "itu", "plain"]).default("auto").describe(
    "Check of frames; with auto either is taken, and the link stays with the one it saw",
  ),
  heartbeat: duration(seconds(1), seconds(600)).prefault("10s").describe(
    "How often piles say that they are there",
  ),
  missed: integer(1, 20).default(3).describe(
    "Heartbeats without a word after which a pile is away",
  ),
  challenge_within: duration(seconds(1), seconds(300)).prefault("30s").describe(
    "How long a challenge is good",
  ),
  auth_within: duration(seconds(1), seconds(300)).prefault("15s").describe(
    "How long a connection may take until its pile is believed",
  ),
  keys_within: duration(seconds(60), seconds(86_400)).prefault("1h").describe(
    "How long the keys of a session may be used; a connection that agrees on no new ones is closed",
  ),
  grace: duration(millis(0), seconds(86_400)).prefault("60s").describe(
    "How long a pile that cannot be reached is taken to go on charging",
  ),
  command_within: duration(seconds(1), seconds(600)).prefault("20s").describe(
    "How long a pile may take to answer a command",
  ),
  max_sessions: integer(1, 20_000).default(2000).describe("Most connections and streams at once"),
  max_strangers: integer(1, 10_000).default(1000).describe(
    "How many of them may be without a pile that is believed",
  ),
}).superRefine(({ listen, http, tls, allowPlain, names, policy, policyKey }, context) => {
  const fault = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  const beyond = [listen, http].some((one) => one && !isLoopback(one.host));
  if (beyond && !tls && !allowPlain) {
    fault("tls", "is needed beyond loopback; allow_plain: true does without");
  }
  if (names === "pile" && !tls) fault("names", "means nothing without tls");
  if (policy && !policyKey) fault("policy_key", "is needed with policy");
});
/** The checked configuration. */
export type Config = Infer<typeof CONFIG>;
