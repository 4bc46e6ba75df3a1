/** Numbers of GOOSE. IEC 61850-8-1:2011 clause 18 and annexes A and C. */

// The tunnel, whose hot loop must stay small, has the numbers of Ethernet already.
export { ETHER_TYPE, ETHERNET_HEADER, VLAN_TAG } from "../goose_tunnel/constants.ts";

/** Octets from APPID to Reserved2. Annex C */
export const GOOSE_HEADER = 8;
/** Bit of Reserved1 that says the message is simulated. Annex C */
export const SIMULATION_BIT = 0x8000;
/** Tag of the goosePdu. */
export const PDU_TAG = 0x61;

/** Most octets of a message from APPID to its end that is decoded or encoded. */
export const TOTAL_MAX = 1500;
/** Deepest nesting of structures and arrays. */
export const DEPTH_MAX = 8;
/** Most values in one message, nested ones included. */
export const ENTRIES_MAX = 512;
/** Octets of an object reference. IEC 61850-7-2 */
export const REFERENCE_MAX = 129;

/** Tags of the fields of a goosePdu. Annex A */
export const FIELD = {
  gocbRef: 0x80,
  timeAllowedToLive: 0x81,
  datSet: 0x82,
  goId: 0x83,
  t: 0x84,
  stNum: 0x85,
  sqNum: 0x86,
  simulation: 0x87,
  confRev: 0x88,
  ndsCom: 0x89,
  entries: 0x8a,
  allData: 0xab,
} as const;

/** Tags of values. ISO 9506-2, as IEC 61850-8-1 uses it. */
export const DATA = {
  array: 0xa1,
  structure: 0xa2,
  bool: 0x83,
  bits: 0x84,
  int: 0x85,
  uint: 0x86,
  float: 0x87,
  real: 0x88,
  octets: 0x89,
  string: 0x8a,
  generalized_time: 0x8b,
  binary_time: 0x8c,
  bcd: 0x8d,
  boolean_array: 0x8e,
  object_id: 0x8f,
  utf8: 0x90,
  utc_time: 0x91,
} as const;

/** Largest stNum and sqNum. */
export const SEQUENCE_MAX = 0xffff_ffff;
