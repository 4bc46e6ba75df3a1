/** Which frames are carried, and why the others are not. */
import { DROP, type Drop, ETHER_TYPE, type Frames } from "../../protocol/goose_tunnel/mod.ts";
import type { Config } from "./config.ts";

/** What `untagged` is among the VLANs. */
export const UNTAGGED = -1;

/** Says of each frame whether it is carried. Ranges are pairs in one array: first, last. */
export class FrameFilter {
  /** Whether more than EtherType and the usual destinations is looked at. */
  readonly narrow: boolean;
  readonly #anyDestination: boolean;
  readonly #management: boolean;
  readonly #samples: boolean;
  readonly #appIds: Float64Array;
  readonly #vlans: Float64Array;
  readonly #destinations: Float64Array;

  constructor(config: Config) {
    this.#anyDestination = config.destinations === "any";
    this.#management = config.gseManagement;
    this.#samples = config.sampledValues;
    this.#appIds = pairsOf(config.appIds);
    this.#vlans = pairsOf(config.vlans);
    this.#destinations = pairsOf(config.destinationRanges);
    this.narrow = this.#appIds.length + this.#vlans.length + this.#destinations.length > 0;
  }

  /**
   * `DROP.none`, or why the frame in a slot is not carried.
   *
   * @param addressed False when its destination is none of the station's, but was put there by us.
   */
  check({ octets, start, length }: Frames, slot: number, addressed: boolean): Drop {
    const at = start[slot]!;
    const last = at + length[slot]!;
    let place = at + 12;
    if (last < at + 14) return DROP.runt;
    let type = (octets[place]! << 8) | octets[place + 1]!;
    let vlan = UNTAGGED;
    for (let tags = 0; type === ETHER_TYPE.vlan || type === ETHER_TYPE.serviceVlan; tags += 1) {
      if (tags === 2) return DROP.doubleTag;
      if (place + 6 > last) return DROP.runt;
      if (tags === 0) vlan = ((octets[place + 2]! & 0x0f) << 8) | octets[place + 3]!;
      place += 4;
      type = (octets[place]! << 8) | octets[place + 1]!;
    }
    if (type === ETHER_TYPE.gseManagement) {
      if (!this.#management) return DROP.gseManagement;
    } else if (type === ETHER_TYPE.sampledValues) {
      if (!this.#samples) return DROP.sampledValues;
    } else if (type !== ETHER_TYPE.goose) {
      return DROP.etherType;
    }
    if (addressed && !this.#isDestination(octets, at, type)) return DROP.destination;
    if (this.#vlans.length > 0 && !within(this.#vlans, vlan)) return DROP.vlan;
    if (this.#appIds.length === 0) return DROP.none;
    if (place + 4 > last) return DROP.runt;
    const appId = (octets[place + 2]! << 8) | octets[place + 3]!;
    return within(this.#appIds, appId) ? DROP.none : DROP.appId;
  }

  #isDestination(octets: Uint8Array, at: number, type: number): boolean {
    if (this.#destinations.length > 0) return within(this.#destinations, addressOf(octets, at));
    // Management and samples have ranges of their own, and are carried by choice only.
    return this.#anyDestination || type !== ETHER_TYPE.goose || isGooseGroup(octets, at);
  }
}

function pairsOf(
  ranges: readonly { readonly first: number; readonly last: number }[] | undefined,
): Float64Array {
  return Float64Array.from((ranges ?? []).flatMap(({ first, last }) => [first, last]));
}

function within(pairs: Float64Array, value: number): boolean {
  for (let index = 0; index < pairs.length; index += 2) {
    if (value >= pairs[index]! && value <= pairs[index + 1]!) return true;
  }
  return false;
}

/** The destination address as a number of 48 bits. */
function addressOf(octets: Uint8Array, at: number): number {
  const high = (octets[at]! << 8) | octets[at + 1]!;
  const low = (octets[at + 2]! << 24) | (octets[at + 3]! << 16) | (octets[at + 4]! << 8) |
    octets[at + 5]!;
  return high * 0x1_0000_0000 + (low >>> 0);
}

/** 01-0C-CD-01-00-00 … 01-FF. IEC 61850-8-1 annex C */
function isGooseGroup(octets: Uint8Array, at: number): boolean {
  return octets[at] === 0x01 && octets[at + 1] === 0x0c && octets[at + 2] === 0xcd &&
    octets[at + 3] === 0x01 && (octets[at + 4]! & 0xfe) === 0;
}
