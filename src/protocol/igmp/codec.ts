/** Octets of IGMP messages, with and without the IP header in front of them. */
import type { Malformed } from "../../base/errors.ts";
import { MESSAGE_SIZE, PROTOCOL, RECORD, REPORT_V3_SIZE, TYPE } from "./constants.ts";

/** A message that was received. Addresses are numbers, the first octet highest. */
export interface IgmpMessage {
  readonly kind: "query" | "report" | "leave";
  readonly version: 1 | 2 | 3;
  readonly source: number;
  /** 0 in a general query, and in a report of version 3, whose groups are not read. */
  readonly group: number;
  /** Of a query: within what time members answer, in tenths of a second. */
  readonly maxResponse: number;
}

/** The one's complement of the one's complement sum over 16-bit words. RFC 1071 */
export function checksum(octets: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at += 2) {
    sum += (octets[at]! << 8) | (at + 1 < end ? octets[at + 1]! : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** A membership report of version 2; it is sent to the group itself. RFC 2236 §2 */
export function encodeReportV2(group: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(MESSAGE_SIZE);
  octets[0] = TYPE.reportV2;
  return finish(octets, group, 4);
}

/** A report of version 3 that says: member, from any source. RFC 3376 §4.2 */
export function encodeReportV3(group: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(REPORT_V3_SIZE);
  octets[0] = TYPE.reportV3;
  octets[7] = 1;
  octets[8] = RECORD.isExclude;
  return finish(octets, group, 12);
}

function finish(octets: Uint8Array<ArrayBuffer>, group: number, groupAt: number) {
  const view = new DataView(octets.buffer);
  view.setUint32(groupAt, group);
  view.setUint16(2, checksum(octets, 0, octets.length));
  return octets;
}

/** Reads an IP datagram as a raw socket gives it, header first. Total: whatever it is, it returns. */
export function decodeIgmp(octets: Uint8Array): IgmpMessage | Malformed {
  const bad = (code: string, offset: number): Malformed => ({ kind: "malformed", code, offset });
  const header = (octets[0]! & 0x0f) * 4;
  if (octets.length < 20 || octets[0]! >>> 4 !== 4 || header < 20) return bad("igmp.ip.header", 0);
  if (octets[9] !== PROTOCOL) return bad("igmp.ip.protocol", 9);
  const size = octets.length - header;
  if (size < MESSAGE_SIZE) return bad("igmp.length", header);
  if (checksum(octets, header, octets.length) !== 0) return bad("igmp.checksum", header + 2);
  const word = (at: number) =>
    ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) | octets[at + 3]!) >>>
    0;
  const source = word(12);
  const code = octets[header + 1]!;
  const said = { source, group: word(header + 4), maxResponse: 0 };
  switch (octets[header]) {
    case TYPE.query: {
      const version = size > MESSAGE_SIZE ? 3 : code === 0 ? 1 : 2;
      return { kind: "query", version, ...said, maxResponse: version === 1 ? 100 : code };
    }
    case TYPE.reportV1:
      return { kind: "report", version: 1, ...said };
    case TYPE.reportV2:
      return { kind: "report", version: 2, ...said };
    case TYPE.leaveV2:
      return { kind: "leave", version: 2, ...said };
    case TYPE.reportV3:
      return { kind: "report", version: 3, ...said, group: 0 };
    default:
      return bad("igmp.type", header);
  }
}
