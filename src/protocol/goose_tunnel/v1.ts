/**
 * Wire format 1: an 18-octet header and what followed the EtherType. See `mod.ts` for the table.
 *
 * Both directions work in place, for the new header ends where the old one ended: only header
 * octets are written, the payload is not touched. Nothing is allocated.
 * @module
 */
import { DROP, type Drop, ETHER_TYPE, V1_HEADER, V1_PRIORITY } from "./constants.ts";

/** Frames that lie side by side in one array, as the platform's batches do. */
export interface Frames {
  readonly octets: Uint8Array;
  readonly start: Int32Array;
  readonly length: Int32Array;
}

/** Which destinations are carried: the recommended GOOSE range, or any. IEC 61850-8-1 annex C */
export type Destinations = "goose" | "any";

/**
 * Turns the Ethernet frame in a slot into a datagram. There have to be `V1_HEADROOM` octets in
 * front of it.
 *
 * @param high Microseconds since the Unix epoch, divided by 2^32.
 * @param low The lower 32 bits of the same.
 * @returns `DROP.none`, or why the frame is not carried; it is left as it was then.
 */
export function encapsulateV1(
  frames: Frames,
  slot: number,
  high: number,
  low: number,
  destinations: Destinations,
): Drop {
  const { octets } = frames;
  const at = frames.start[slot]!;
  const length = frames.length[slot]!;
  if (length < 14) return DROP.runt;
  let etherType = (octets[at + 12]! << 8) | octets[at + 13]!;
  let header = 14;
  let vlan = 0;
  if (etherType === ETHER_TYPE.vlan) {
    if (length < 18) return DROP.runt;
    vlan = ((octets[at + 14]! & 0x0f) << 8) | octets[at + 15]!;
    etherType = (octets[at + 16]! << 8) | octets[at + 17]!;
    header = 18;
    if (etherType === ETHER_TYPE.vlan) return DROP.doubleTag;
  }
  if (etherType !== ETHER_TYPE.goose) return reasonOf(etherType);
  if (destinations === "goose" && !isGooseGroup(octets, at)) return DROP.destination;
  const to = at + header - V1_HEADER;
  // Towards lower addresses, so an ascending copy never reads what it has written.
  for (let octet = 0; octet < 6; octet += 1) octets[to + octet] = octets[at + 6 + octet]!;
  octets[to + 6] = high >>> 24;
  octets[to + 7] = high >>> 16;
  octets[to + 8] = high >>> 8;
  octets[to + 9] = high;
  octets[to + 10] = low >>> 24;
  octets[to + 11] = low >>> 16;
  octets[to + 12] = low >>> 8;
  octets[to + 13] = low;
  octets[to + 14] = 0;
  octets[to + 15] = header === 18 ? 1 : 0;
  octets[to + 16] = vlan >>> 8;
  octets[to + 17] = vlan;
  frames.start[slot] = to;
  frames.length[slot] = length - header + V1_HEADER;
  return DROP.none;
}

/**
 * Turns the datagram in a slot back into an Ethernet frame: to 01-0C-CD-01-00-01, tagged with
 * priority 4 when it had a tag.
 *
 * @returns `DROP.none`, or why it is no datagram of format 1; it is left as it was then.
 */
export function decapsulateV1(frames: Frames, slot: number): Drop {
  const { octets } = frames;
  const at = frames.start[slot]!;
  const length = frames.length[slot]!;
  if (length < V1_HEADER) return DROP.shortDatagram;
  const tagged = (octets[at + 14]! | octets[at + 15]!) !== 0;
  const header = tagged ? 18 : 14;
  const to = at + V1_HEADER - header;
  const tci = (V1_PRIORITY << 5) | (octets[at + 16]! & 0x0f);
  const vlanLow = octets[at + 17]!;
  // Towards higher addresses, so a descending copy never reads what it has written.
  for (let octet = 5; octet >= 0; octet -= 1) octets[to + 6 + octet] = octets[at + octet]!;
  octets[to] = 0x01;
  octets[to + 1] = 0x0c;
  octets[to + 2] = 0xcd;
  octets[to + 3] = 0x01;
  octets[to + 4] = 0x00;
  octets[to + 5] = 0x01;
  let next = to + 12;
  if (tagged) {
    octets[next] = 0x81;
    octets[next + 1] = 0x00;
    octets[next + 2] = tci;
    octets[next + 3] = vlanLow;
    next += 4;
  }
  octets[next] = 0x88;
  octets[next + 1] = 0xb8;
  frames.start[slot] = to;
  frames.length[slot] = length - V1_HEADER + header;
  return DROP.none;
}

function isGooseGroup(octets: Uint8Array, at: number): boolean {
  return octets[at] === 0x01 && octets[at + 1] === 0x0c && octets[at + 2] === 0xcd &&
    octets[at + 3] === 0x01 && (octets[at + 4]! & 0xfe) === 0;
}

function reasonOf(etherType: number): Drop {
  switch (etherType) {
    case ETHER_TYPE.gseManagement:
      return DROP.gseManagement;
    case ETHER_TYPE.sampledValues:
      return DROP.sampledValues;
    case ETHER_TYPE.serviceVlan:
      return DROP.doubleTag;
    default:
      return DROP.etherType;
  }
}
