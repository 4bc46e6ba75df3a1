/** Octets given in hexadecimal on the command line. */
import type { Arguments } from "./arguments.ts";

/** Most octets that are read: the largest datagram there is. */
const OCTETS_MAX = 65_535;

/** The octets of a call's words; blanks, colons, dashes and 0x do not matter. @throws UsageError */
export function hexOctets(given: Arguments): Uint8Array<ArrayBuffer> {
  const digits = given.call.args.join("").replace(/0x|[\s:.,-]/gi, "");
  const readable = /^([0-9a-f]{2})+$/i.test(digits) && digits.length <= 2 * OCTETS_MAX;
  if (!readable) given.fail("The octets must be pairs of hexadecimal digits");
  return Uint8Array.from(digits.match(/../g)!, (pair) => parseInt(pair, 16));
}

/** `68 04 07`. */
export function hexText(octets: ArrayLike<number>): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(" ");
}
