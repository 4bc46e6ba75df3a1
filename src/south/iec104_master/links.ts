/**
 * The addresses of a channel: `192.168.1.1:2404:M3` is 192.168.1.1 to 192.168.1.4, each on port
 * 2404; `:Mn` stands for n more addresses behind the first.
 * @module
 */
import { formatIpv4, isIpv6, parseIpv4 } from "../../base/address.ts";
import type { Endpoint } from "../../platform/ports.ts";

/** Most addresses of one list. */
export const LINKS_MAX = 16;
const PORT_DEFAULT = 2404;
const FORM = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?(?::M(\d{1,2}))?$/i;
const HOST_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;

/** Reads one list. @returns The endpoints, or what is wrong with it. */
export function parseLinks(text: string): readonly Endpoint[] | string {
  const match = FORM.exec(text);
  if (!match) return "must be HOST:PORT, or ADDRESS:PORT:Mn for n more consecutive addresses";
  const [, ipv6, other] = match;
  const host = ipv6 ?? other!;
  const port = Number(match[3] ?? PORT_DEFAULT);
  const more = Number(match[4] ?? 0);
  if (port < 1 || port > 65_535) return "must have a port from 1 to 65535";
  if (more >= LINKS_MAX) return `must have at most ${LINKS_MAX} addresses`;
  if (ipv6 !== undefined && !isIpv6(ipv6)) return `must have an address, and ${ipv6} is none`;
  const first = parseIpv4(host);
  if (first === undefined) {
    if (match[4] !== undefined) return "must have an IPv4 address in front of :M";
    const numeric = /^[\d.]+$/.test(host);
    if (ipv6 === undefined && (numeric || !HOST_NAME.test(host))) {
      return `must have an address or a name, and ${host} is none`;
    }
    return [{ host, port }];
  }
  // An overflow would reach into another network: nobody means that.
  if ((first & 0xff) + more > 254) return `runs beyond the last address of its network (${host})`;
  return Array.from(
    { length: more + 1 },
    (_, index) => ({ host: formatIpv4(first + index), port }),
  );
}
