/** `busbar decode srt <hex>`: what an SRT packet means, offline. */
import {
  CONTROL,
  controlName,
  controlType,
  destination,
  FLAG,
  HANDSHAKE,
  type Handshake,
  type HandshakePacket,
  HEADER,
  isControl,
  readAck,
  readHandshake,
  readLosses,
  REJECT_WORDS,
  USER,
  word,
} from "../../protocol/srt/mod.ts";
import { formatIpv4 } from "../../base/address.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { hexOctets, hexText } from "../hex_octets.ts";

const NAME = "decode srt";
const PREVIEW = 16;

/** The command. */
export const decodeSrtCommand: Command = {
  name: NAME,
  summary: "Show an SRT packet as a tree",
  details:
    "Takes the octets of one UDP datagram. Payloads stay as they are: what is encrypted is " +
    "not opened.\n\nExit code 1 when they are no SRT packet.",
  options: [{ name: "json", summary: "One JSON object" }],
  args: [{ name: "hex", summary: "The octets in hexadecimal", many: true }],
  examples: ["busbar decode srt 80 01 00 00 00 00 00 00 00 00 00 10 4a 5b 6c 7d"],
  run: (call) => Promise.resolve(decode(call)),
};

type Facts = Record<string, string | number | boolean>;

function decode(call: Invocation): number {
  const given = new Arguments(NAME, call);
  const octets = hexOctets(given);
  const facts = factsOf(octets);
  if (given.flag("json")) call.terminal.out(JSON.stringify(facts));
  else {
    const { packet, ...rest } = facts;
    call.terminal.out(String(packet));
    const width = Math.max(0, ...Object.keys(rest).map((name) => name.length));
    for (const [name, value] of Object.entries(rest)) {
      call.terminal.out(`  ${name.padEnd(width)}  ${value}`);
    }
  }
  return facts.malformed === undefined ? EXIT.ok : EXIT.failed;
}

function factsOf(octets: Uint8Array): Facts {
  if (octets.length < HEADER) {
    return { packet: "none", malformed: `${octets.length} octets, and ${HEADER} are the least` };
  }
  const ends = { "stamp_us": word(octets, 8), destination: hex32(destination(octets)) };
  if (!isControl(octets)) return { packet: "data", ...dataFacts(octets), ...ends };
  const type = controlType(octets);
  return { packet: controlName(type), ...ends, ...controlFacts(type, octets) };
}

function dataFacts(octets: Uint8Array): Facts {
  const second = word(octets, 4);
  const payload = octets.subarray(HEADER);
  const more = payload.length > PREVIEW ? " …" : "";
  return {
    sequence: word(octets, 0) & 0x7fff_ffff,
    position: ["middle", "last", "first", "solo"][second >>> 30]!,
    in_order: (second & 0x2000_0000) !== 0,
    key: ["none", "even", "odd", "both"][second >>> 27 & 3]!,
    retransmitted: (second & 0x0400_0000) !== 0,
    message: second & 0x03ff_ffff,
    octets: payload.length,
    payload: hexText(payload.subarray(0, PREVIEW)) + more,
  };
}

function controlFacts(type: number, octets: Uint8Array): Facts {
  const second = word(octets, 4);
  if (type === CONTROL.handshake) {
    const read = readHandshake(octets);
    return read ? handshakeFacts(read) : { malformed: "no handshake" };
  }
  if (type === CONTROL.ack) {
    const ack = readAck(octets);
    if (!ack) return { malformed: "no ACK" };
    const { next, rtt, rttVariance, room, rate, capacity, octetRate } = ack;
    const facts = { number: second, next };
    if (rtt === undefined) return { ...facts, light: true };
    const told = { "rtt_us": rtt, "rtt_variance_us": rttVariance, room, rate, capacity };
    return { ...facts, ...told, octet_rate: octetRate };
  }
  if (type === CONTROL.nak) {
    const losses = readLosses(octets);
    if (!losses) return { malformed: "no loss list" };
    return { lost: losses.map(([one, last]) => one === last ? one : `${one}-${last}`).join(" ") };
  }
  if (type === CONTROL.ackack) return { number: second };
  if (type === CONTROL.dropRequest && octets.length >= HEADER + 8) {
    const range = `${word(octets, HEADER)}-${word(octets, HEADER + 4)}`;
    return { message: second, dropped: range };
  }
  if (type === CONTROL.user) {
    const subtype = word(octets, 0) & 0xffff;
    const name = Object.entries(USER).find(([, number]) => number === subtype)?.[0];
    return { subtype: name ?? subtype, contents: hexText(octets.subarray(HEADER)) };
  }
  return {};
}

function handshakeFacts({ handshake, extensions }: HandshakePacket): Facts {
  const { hs, hsKind, km, streamId, congestion, filter, group } = extensions;
  const facts: Facts = {
    type: typeText(handshake),
    version: handshake.version,
    encryption: ["none", "", "AES-128", "AES-192", "AES-256"][handshake.encryption] ||
      handshake.encryption,
    extension: `0x${handshake.extension.toString(16)}`,
    sequence: handshake.sequence,
    mtu: handshake.mtu,
    window: handshake.window,
    "socket_id": hex32(handshake.socketId),
    cookie: hex32(handshake.cookie >>> 0),
    peer: formatIpv4(handshake.peer),
  };
  if (hs) {
    const flags = Object.entries(FLAG).filter(([, bit]) => hs.flags & bit).map(([name]) => name);
    facts[`hs_${hsKind}`] = flags.join(" ");
    facts.srt_version = [16, 8, 0].map((shift) => hs.version >> shift & 0xff).join(".");
    facts.receiver_latency_ms = hs.receiverLatency;
    facts.sender_latency_ms = hs.senderLatency;
  }
  if (km) facts.key_material = `${km.length} octets`;
  if (streamId) facts.stream_id = streamId;
  if (congestion) facts.congestion = congestion;
  if (filter) facts.filter = filter;
  if (group) facts.group = true;
  return facts;
}

function typeText({ type }: Handshake): string {
  const name = Object.entries(HANDSHAKE).find(([, number]) => number === type)?.[0];
  return name ?? `refused: ${type} ${REJECT_WORDS[type] ?? ""}`.trim();
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
