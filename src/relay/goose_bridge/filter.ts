/** Which frames from the station are carried as whole frames, and why the others are not. */
import { DROP, type Drop, ETHER_TYPE, type Frames } from "../../protocol/goose_tunnel/mod.ts";
import type { Config } from "./config.ts";

/** Says of each frame whether it is carried. */
export class StationFilter {
  readonly #anyDestination: boolean;
  readonly #management: boolean;
  readonly #samples: boolean;

  constructor({ destinations, gseManagement, sampledValues }: Config) {
    this.#anyDestination = destinations === "any";
    this.#management = gseManagement;
    this.#samples = sampledValues;
  }

  /** `DROP.none`, or why the frame in a slot is not carried. */
  check({ octets, start, length }: Frames, slot: number): Drop {
    const at = start[slot]!;
    const last = at + length[slot]!;
    let place = at + 12;
    if (last < at + 14) return DROP.runt;
    let type = (octets[place]! << 8) | octets[place + 1]!;
    for (let tags = 0; type === ETHER_TYPE.vlan || type === ETHER_TYPE.serviceVlan; tags += 1) {
      if (tags === 2) return DROP.doubleTag;
      place += 4;
      if (place + 2 > last) return DROP.runt;
      type = (octets[place]! << 8) | octets[place + 1]!;
    }
    switch (type) {
      case ETHER_TYPE.goose:
        return this.#anyDestination || isGooseGroup(octets, at) ? DROP.none : DROP.destination;
      case ETHER_TYPE.gseManagement:
        return this.#management ? DROP.none : DROP.gseManagement;
      case ETHER_TYPE.sampledValues:
        return this.#samples ? DROP.none : DROP.sampledValues;
      default:
        return DROP.etherType;
    }
  }
}

/** 01-0C-CD-01-00-00 … 01-FF. IEC 61850-8-1 annex C */
function isGooseGroup(octets: Uint8Array, at: number): boolean {
  return octets[at] === 0x01 && octets[at + 1] === 0x0c && octets[at + 2] === 0xcd &&
    octets[at + 3] === 0x01 && (octets[at + 4]! & 0xfe) === 0;
}
