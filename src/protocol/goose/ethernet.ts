/** Ethernet headers with any number of tags up to two. IEEE 802.3, IEEE 802.1Q. */
import type { Malformed } from "../../base/errors.ts";
import { malformed } from "../../wire/ber.ts";
import { ETHER_TYPE, ETHERNET_HEADER, VLAN_TAG } from "./constants.ts";

/** One tag. */
export interface VlanTag {
  /** 0x8100, or 0x88A8 for a service tag. */
  readonly tpid: number;
  /** 0 to 7. */
  readonly priority: number;
  readonly dropEligible: boolean;
  /** 0 to 4095; 0 is priority only. */
  readonly vlan: number;
}

/** The parts of a frame. */
export interface EthernetFrame {
  readonly kind: "ethernet";
  /** `01:0c:cd:01:00:01`. */
  readonly destination: string;
  readonly source: string;
  /** Outermost first. */
  readonly tags: readonly VlanTag[];
  readonly etherType: number;
  /** What follows the EtherType: a view, not a copy. */
  readonly payload: Uint8Array;
  /** Octets in front of the payload. */
  readonly headerSize: number;
}

const TAGS_MAX = 2;
const MAC_SIZE = 6;

/** Splits a frame. @returns Malformed `ethernet.short` when the header is not complete. */
export function decodeEthernet(octets: Uint8Array): EthernetFrame | Malformed {
  if (octets.length < ETHERNET_HEADER) return malformed("ethernet.short", octets.length);
  const tags: VlanTag[] = [];
  let at = 2 * MAC_SIZE;
  let etherType = octets[at]! * 256 + octets[at + 1]!;
  while (isTag(etherType) && tags.length < TAGS_MAX) {
    if (octets.length < at + VLAN_TAG + 2) return malformed("ethernet.short", octets.length);
    const tci = octets[at + 2]! * 256 + octets[at + 3]!;
    tags.push({
      tpid: etherType,
      priority: tci >>> 13,
      dropEligible: (tci & 0x1000) !== 0,
      vlan: tci & 0xfff,
    });
    at += VLAN_TAG;
    etherType = octets[at]! * 256 + octets[at + 1]!;
  }
  return {
    kind: "ethernet",
    destination: formatMac(octets.subarray(0, MAC_SIZE)),
    source: formatMac(octets.subarray(MAC_SIZE, 2 * MAC_SIZE)),
    tags,
    etherType,
    payload: octets.subarray(at + 2),
    headerSize: at + 2,
  };
}

function isTag(etherType: number): boolean {
  return etherType === ETHER_TYPE.vlan || etherType === ETHER_TYPE.serviceVlan;
}

/** What a frame is made of. */
export interface EthernetContents {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly tags: readonly VlanTag[];
  readonly etherType: number;
}

/** Joins a frame. It is not padded: the interface does that. */
export function encodeEthernet(
  { destination, source, tags, etherType }: EthernetContents,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const header = ETHERNET_HEADER + tags.length * VLAN_TAG;
  const octets = new Uint8Array(header + payload.length);
  const view = new DataView(octets.buffer);
  octets.set(destination, 0);
  octets.set(source, MAC_SIZE);
  let at = 2 * MAC_SIZE;
  for (const { tpid, priority, dropEligible, vlan } of tags) {
    view.setUint16(at, tpid);
    view.setUint16(at + 2, (priority << 13) | (dropEligible ? 0x1000 : 0) | vlan);
    at += VLAN_TAG;
  }
  view.setUint16(at, etherType);
  octets.set(payload, header);
  return octets;
}

/** `01:0c:cd:01:00:01` from six octets. */
export function formatMac(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(":");
}

/** Six octets from `01:0c:cd:01:00:01` or `01-0C-CD-01-00-01`; undefined when it is not one. */
export function parseMac(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (octet) => parseInt(octet, 16));
}

/** Whether an address is in the range recommended for GOOSE. IEC 61850-8-1 annex C */
export function isGooseGroup(mac: string): boolean {
  return /^01:0c:cd:01:0[01]:/.test(mac);
}
