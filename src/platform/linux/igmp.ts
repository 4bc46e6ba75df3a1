/** Which multicast groups this host is a member of, as the kernel tells in `/proc/net/igmp`. */
import { formatIpv4 } from "../../base/address.ts";

/** The namespace of the thread that asks, not that of the process. */
const FILE = "/proc/thread-self/net/igmp";

/** A group on an interface. */
export interface Membership {
  readonly interface: string;
  readonly index: number;
  /** The version of IGMP that the interface speaks now: `V1`, `V2` or `V3`. */
  readonly version: string;
  readonly group: string;
  /** How many sockets have joined. */
  readonly users: number;
}

/** All memberships; none where the kernel does not tell. */
export function memberships(): Membership[] {
  try {
    return parseIgmp(Deno.readTextFileSync(FILE));
  } catch (error) {
    // A container may hide it: what cannot be proved is not claimed.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return [];
    }
    throw error;
  }
}

/**
 * Reads the table: a line for each interface, below it one for each group, indented. A group is a
 * word of the machine in hexadecimal: 224.0.1.100 is `640100E0`, as both targets are little-endian.
 */
export function parseIgmp(text: string): Membership[] {
  const found: Membership[] = [];
  let block: { interface: string; index: number; version: string } | undefined;
  for (const line of text.split("\n").slice(1)) {
    const device = /^(\d+)\s+(\S+)\s*:\s*\d+\s+(\S+)/.exec(line);
    if (device) {
      block = { index: Number(device[1]), interface: device[2]!, version: device[3]! };
      continue;
    }
    const group = /^\s+([0-9A-F]{8})\s+(\d+)\s/i.exec(line);
    if (!group || !block) continue;
    const octets = group[1]!.match(/../g)!.toReversed().join("");
    found.push({ ...block, group: formatIpv4(parseInt(octets, 16)), users: Number(group[2]) });
  }
  return found;
}
