/** Addresses as text and as numbers. Nothing here resolves a name. */

/** The 32 bits of a dotted IPv4 address as an unsigned number; undefined when it is not one. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** The dotted form of 32 bits. */
export function formatIpv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
}

/** Whether `text` is a numeric IPv4 or IPv6 address. */
export function isAddress(text: string): boolean {
  return parseIpv4(text) !== undefined || isIpv6(text);
}

/** Whether `text` is a numeric IPv6 address. RFC 4291 §2.2 */
export function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === "") continue;
    const parts = half.split(":");
    for (const [place, part] of parts.entries()) {
      const last = index === halves.length - 1 && place === parts.length - 1;
      if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups += 1;
      else if (last && parseIpv4(part) !== undefined) groups += 2;
      else return false;
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}

/** The 16 octets of an IPv6 address; undefined when it is none. */
export function parseIpv6(text: string): Uint8Array | undefined {
  if (!isIpv6(text)) return undefined;
  const groups = (half: string) =>
    half === "" ? [] : half.split(":").flatMap((part) => {
      const dotted = parseIpv4(part);
      return dotted === undefined ? [parseInt(part, 16)] : [dotted >>> 16, dotted & 0xffff];
    });
  const [front, back] = text.split("::").map(groups) as [number[], number[] | undefined];
  const zeros = back ? new Array<number>(8 - front.length - back.length).fill(0) : [];
  const all = [...front, ...zeros, ...(back ?? [])];
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 255]));
}

/** The text of 16 octets: groups without leading zeros, the longest run of zeros as `::`. RFC 5952 */
export function formatIpv6(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, at) => octets[at * 2]! << 8 | octets[at * 2 + 1]!);
  const text = groups.map((group) => group.toString(16)).join(":");
  const runs = text.match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? [];
  const longest = runs.toSorted((one, other) => other.length - one.length)[0];
  return longest === undefined ? text : text.replace(longest, ":").replace(/^:(?!:)|:$/g, "::")
    .replace(/:{3,}/, "::");
}

/** Whether an address never leaves this machine: 127.0.0.0/8 or ::1. */
export function isLoopback(text: string): boolean {
  const v4 = parseIpv4(text);
  return v4 !== undefined ? v4 >>> 24 === 127 : /^(0*:)*:?0*1$/.test(text) && isIpv6(text);
}

/** Whether an IPv4 address is a multicast group (224.0.0.0/4). RFC 5771 */
export function isMulticast(text: string): boolean {
  const v4 = parseIpv4(text);
  return v4 !== undefined && v4 >>> 28 === 14;
}
