/** `busbar decode goose <hex>`: what octets mean, offline. */
import type { Malformed } from "../../base/errors.ts";
import type { JsonObject } from "../../kernel/registry.ts";
import {
  type Data,
  decodeEthernet,
  decodeGoose,
  decodePdu,
  ETHER_TYPE,
  type EthernetFrame,
  formatTime,
  formatValue,
  GOOSE_HEADER,
  type GooseMessage,
  type GoosePdu,
  PDU_TAG,
  shown,
  timeFlags,
} from "../../protocol/goose/mod.ts";
import { V1_HEADER } from "../../protocol/goose_tunnel/mod.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation } from "../command.ts";
import { hex16 } from "../goose_frames.ts";
import { hexOctets, hexText } from "../hex_octets.ts";

const NAME = "decode goose";
/** As what octets can be read. */
const FORMS = ["frame", "tunnel", "message", "pdu"] as const;
type Form = (typeof FORMS)[number];

/** The command. */
export const decodeGooseCommand: Command = {
  name: NAME,
  summary: "Show a GOOSE frame as a tree",
  details: "Takes the octets of an Ethernet frame (frame), of a datagram of the bridge (tunnel), " +
    "from APPID on (message), or of a goosePdu (pdu), and finds out which. Blanks, colons and 0x " +
    "between them do not matter.\n\nExit code 1 when they are malformed.",
  options: [
    { name: "as", value: "FORM", choices: FORMS, summary: "What the octets are, if not guessed" },
    { name: "json", summary: "One JSON object" },
  ],
  args: [{ name: "hex", summary: "The octets in hexadecimal", many: true }],
  examples: ["busbar decode goose 01 0c cd 01 00 01 ...", "busbar decode goose --as pdu 6181..."],
  run: (call) => Promise.resolve(decode(call)),
};

function decode(call: Invocation): number {
  const given = new Arguments(NAME, call);
  const octets = hexOctets(given);
  const form = (given.text("as") as Form | undefined) ?? guess(octets);
  const read = READERS[form](octets);
  const { terminal } = call;
  const wrong = read.malformed;
  if (given.flag("json") === true) {
    terminal.out(JSON.stringify({ form, ...jsonOf(read) }));
  } else {
    for (const line of treeOf(read)) terminal.out(line);
    if (wrong !== undefined) {
      const found = octets[wrong.offset];
      const is = found === undefined
        ? "the end"
        : hexText(octets.subarray(wrong.offset).slice(0, 8));
      terminal.out(`Malformed: ${wrong.code} at octet ${wrong.offset} (${is})`);
    }
  }
  return wrong === undefined ? EXIT.ok : EXIT.failed;
}

/** What was read, from the outside in, as far as it went. */
interface Read {
  readonly frame?: EthernetFrame;
  readonly tunnel?: Tunnel;
  readonly message?: GooseMessage;
  readonly pdu?: GoosePdu;
  /** With an offset into all octets. */
  readonly malformed?: Malformed;
}

interface Tunnel {
  readonly source: string;
  readonly sentMicros: number;
  readonly tagged: boolean;
  readonly vlan: number;
}

/** The form that fits, judged by what each begins with; a frame if none does. */
function guess(octets: Uint8Array): Form {
  if (!("kind" in decodePdu(octets, 0, octets.length))) return "pdu";
  const frame = decodeEthernet(octets);
  if (frame.kind === "ethernet" && frame.etherType === ETHER_TYPE.goose) return "frame";
  if (octets[GOOSE_HEADER] === PDU_TAG) return "message";
  if (octets[V1_HEADER + GOOSE_HEADER] === PDU_TAG) return "tunnel";
  return octets[0] === PDU_TAG ? "pdu" : "frame";
}

const READERS: Readonly<Record<Form, (octets: Uint8Array) => Read>> = {
  frame: (octets) => {
    const frame = decodeEthernet(octets);
    if (frame.kind === "malformed") return { malformed: frame };
    if (frame.etherType !== ETHER_TYPE.goose) {
      const offset = frame.headerSize - 2;
      return { frame, malformed: { kind: "malformed", code: "ethernet.type", offset } };
    }
    return { frame, ...messageOf(frame.payload, frame.headerSize) };
  },
  tunnel: (octets) => {
    if (octets.length < V1_HEADER) {
      const offset = octets.length;
      return { malformed: { kind: "malformed", code: "tunnel.short", offset } };
    }
    const view = new DataView(octets.buffer);
    const tunnel: Tunnel = {
      source: hexText(octets.subarray(0, 6)).replaceAll(" ", ":"),
      sentMicros: Number(view.getBigUint64(6)),
      tagged: view.getUint16(14) !== 0,
      vlan: view.getUint16(16) & 0xfff,
    };
    return { tunnel, ...messageOf(octets.subarray(V1_HEADER), V1_HEADER) };
  },
  message: (octets) => messageOf(octets, 0),
  pdu: (octets) => {
    const pdu = decodePdu(octets, 0, octets.length);
    return "kind" in pdu ? { malformed: pdu } : { pdu };
  },
};

function messageOf(octets: Uint8Array, at: number): Read {
  const message = decodeGoose(octets);
  if (message.kind === "goose") return { message, pdu: message.pdu };
  return { malformed: { ...message, offset: message.offset + at } };
}

function treeOf({ frame, tunnel, message, pdu }: Read): string[] {
  const lines: string[] = [];
  if (frame !== undefined) {
    lines.push("Ethernet", `  destination  ${frame.destination}`, `  source       ${frame.source}`);
    for (const { tpid, vlan, priority, dropEligible } of frame.tags) {
      const dei = dropEligible ? ", drop eligible" : "";
      lines.push(`  tag          ${hex16(tpid)} VLAN ${vlan}, priority ${priority}${dei}`);
    }
    lines.push(`  EtherType    ${hex16(frame.etherType)}`);
  }
  if (tunnel !== undefined) {
    lines.push(
      "Tunnel, wire format 1",
      `  source       ${tunnel.source}`,
      `  sent         ${timeOf(tunnel.sentMicros)}`,
      `  tag          ${tunnel.tagged ? `VLAN ${tunnel.vlan}` : "none"}`,
    );
  }
  if (message !== undefined) {
    lines.push(
      "GOOSE",
      `  APPID        ${hex16(message.appId)}`,
      `  length       ${message.length}`,
      `  reserved 1   ${hex16(message.reserved1)}${message.simulation ? " (simulation)" : ""}`,
      `  reserved 2   ${hex16(message.reserved2)}`,
    );
    if (message.extension > 0) lines.push(`  extension    ${message.extension} octets`);
    if (message.trailing > 0) lines.push(`  behind it    ${message.trailing} octets`);
  }
  return pdu === undefined ? lines : [...lines, ...pduTree(pdu)];
}

function pduTree(pdu: GoosePdu): string[] {
  const flags = timeFlags(pdu.t).map((flag) => `, ${flag}`).join("");
  const differs = pdu.entries === pdu.allData.length ? "" : ` (allData has ${pdu.allData.length})`;
  return [
    "goosePdu",
    `  gocbRef            ${shown(pdu.gocbRef)}`,
    `  timeAllowedtoLive  ${pdu.timeAllowedToLive} ms`,
    `  datSet             ${shown(pdu.datSet)}`,
    ...(pdu.goId === undefined ? [] : [`  goID               ${shown(pdu.goId)}`]),
    `  t                  ${formatTime(pdu.t)} quality 0x${hexText([pdu.t.quality])}${flags}`,
    `  stNum              ${pdu.stNum}`,
    `  sqNum              ${pdu.sqNum}`,
    `  simulation         ${pdu.simulation}`,
    `  confRev            ${pdu.confRev}`,
    `  ndsCom             ${pdu.ndsCom}`,
    `  numDatSetEntries   ${pdu.entries}${differs}`,
    "  allData",
    ...pdu.allData.flatMap((data) => dataTree(data, "    ")),
  ];
}

function dataTree(data: Data, indent: string): string[] {
  if (data.kind !== "structure" && data.kind !== "array") return [`${indent}${formatValue(data)}`];
  return [`${indent}${data.kind}`, ...data.items.flatMap((item) => dataTree(item, `${indent}  `))];
}

function jsonOf({ frame, tunnel, message, pdu, malformed }: Read): JsonObject {
  const image: Record<string, JsonObject[string]> = {};
  if (frame !== undefined) {
    image.ethernet = {
      destination: frame.destination,
      source: frame.source,
      tags: frame.tags.map(({ tpid, vlan, priority, dropEligible }) => ({
        tpid,
        vlan,
        priority,
        drop_eligible: dropEligible,
      })),
      ethertype: frame.etherType,
    };
  }
  if (tunnel !== undefined) {
    const { source, sentMicros, tagged, vlan } = tunnel;
    image.tunnel = { source, sent: timeOf(sentMicros), tagged, vlan };
  }
  if (message !== undefined) {
    const { appId, length, reserved1, reserved2, extension, trailing } = message;
    image.goose = { appid: appId, length, reserved1, reserved2, extension, trailing };
  }
  if (pdu !== undefined) image.pdu = pduJson(pdu);
  if (malformed !== undefined) {
    image.malformed = { code: malformed.code, offset: malformed.offset };
  }
  return image;
}

function pduJson(pdu: GoosePdu): JsonObject {
  return {
    gocbref: pdu.gocbRef,
    time_allowed_to_live_ms: pdu.timeAllowedToLive,
    datset: pdu.datSet,
    goid: pdu.goId ?? null,
    t: formatTime(pdu.t),
    t_quality: pdu.t.quality,
    stnum: pdu.stNum,
    sqnum: pdu.sqNum,
    simulation: pdu.simulation,
    confrev: pdu.confRev,
    nds_com: pdu.ndsCom,
    entries: pdu.entries,
    values: pdu.allData.map(formatValue),
  };
}

/** A time beyond what a date can be is shown as the number it is. */
function timeOf(micros: number): string {
  const date = new Date(micros / 1000);
  return Number.isNaN(date.getTime()) ? `${micros} us` : date.toISOString();
}
