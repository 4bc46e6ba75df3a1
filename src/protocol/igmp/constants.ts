/** Numbers of IGMP. RFC 2236 §2, RFC 3376 §4. */

/** Types of messages. */
export const TYPE = {
  query: 0x11,
  reportV1: 0x12,
  reportV2: 0x16,
  leaveV2: 0x17,
  reportV3: 0x22,
} as const;

/** Types of records in a report of version 3. RFC 3376 §4.2.12 */
export const RECORD = {
  /** Member, from any source; the state as it is. */
  isExclude: 2,
  /** Becomes a member, from any source. */
  toExclude: 4,
} as const;

/** 224.0.0.22, where reports of version 3 go. RFC 3376 §4.2.14 */
export const REPORT_V3_TARGET = 0xe000_0016;
/** Octets of a message of version 1 or 2. */
export const MESSAGE_SIZE = 8;
/** Octets of a report of version 3 with one record without sources. */
export const REPORT_V3_SIZE = 16;
/** IP option Router Alert: every router looks at the datagram. RFC 2113 §2.1 */
export const ROUTER_ALERT: readonly number[] = [0x94, 0x04, 0x00, 0x00];
/** The protocol number in an IP header. */
export const PROTOCOL = 2;
