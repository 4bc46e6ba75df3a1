/** Numbers of GOOSE frames and of the tunnel. IEC 61850-8-1 annex C, IEEE 802.1Q. */

/** EtherTypes that a station bus carries. */
export const ETHER_TYPE = {
  /** C-VLAN tag. */
  vlan: 0x8100,
  /** S-VLAN tag, the outer one of two. */
  serviceVlan: 0x88a8,
  goose: 0x88b8,
  gseManagement: 0x88b9,
  sampledValues: 0x88ba,
} as const;

/** Octets of an Ethernet header without a tag: two addresses and the EtherType. */
export const ETHERNET_HEADER = 14;
/** Octets of a tag. */
export const VLAN_TAG = 4;
/** Octets of the header of wire format 1. */
export const V1_HEADER = 18;
/** The priority that a receiver of wire format 1 gives to a tagged frame. */
export const V1_PRIORITY = 4;
/**
 * Octets that have to be free in front of a frame for the header of wire format 1, which is that
 * much longer than an untagged Ethernet header.
 */
export const V1_HEADROOM = V1_HEADER - ETHERNET_HEADER;

/** Why a frame or a datagram was not carried. 0 says that it was. */
export const DROP = {
  none: 0,
  /** Shorter than an Ethernet header. */
  runt: 1,
  etherType: 2,
  gseManagement: 3,
  sampledValues: 4,
  /** More than one tag, or a service tag. */
  doubleTag: 5,
  /** Not to 01-0C-CD-01-00-00 … 01-FF. */
  destination: 6,
  /** Shorter than the header of the wire format. */
  shortDatagram: 7,
  /** No magic of a format that is accepted. */
  unknownFormat: 8,
  unknownVersion: 9,
  /** Without a tag of authenticity where there has to be one. */
  unsigned: 10,
  /** With a tag that is not that of the path's key. */
  forged: 11,
  /** Its sequence number was seen before, or is too old to tell. */
  replayed: 12,
  /** Our own, come back. */
  own: 13,
  /** Encrypted, which is not supported. */
  encrypted: 14,
  /** Its APPID is not among those that are carried. */
  appId: 15,
  /** Its VLAN identifier is not among those that are carried. */
  vlan: 16,
} as const;
/** One of {@linkcode DROP}. */
export type Drop = (typeof DROP)[keyof typeof DROP];
