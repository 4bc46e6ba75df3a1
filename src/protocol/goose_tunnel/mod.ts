/**
 * The tunnel that carries GOOSE frames in UDP datagrams.
 *
 * **Wire format 1**, as deployed; one datagram is one frame, all numbers big-endian:
 *
 * | Offset | Size | Field |
 * |---|---|---|
 * | 0 | 6 | source address of the frame |
 * | 6 | 8 | time of sending, microseconds since 1970-01-01T00:00:00Z |
 * | 14 | 2 | 1 when the frame had an 802.1Q tag, else 0; a receiver takes any other value for 1 |
 * | 16 | 2 | VLAN identifier, 12 bits; 0 without a tag |
 * | 18 | n | what followed the EtherType, from APPID on, padding included |
 *
 * It does not carry the destination address, the priority, the DEI bit or a second tag. A receiver
 * restores the destination 01-0C-CD-01-00-01, priority 4 and EtherType 0x88B8. There is no magic
 * number, no checksum, no sequence and no authentication.
 *
 * **Wire format 2**; numbers big-endian, the frame from its destination address on without padding:
 *
 * | Offset | Size | Field |
 * |---|---|---|
 * | 0 | 2 | magic 0x47 0x42 |
 * | 2 | 1 | version, 2 |
 * | 3 | 1 | flags: bit 0 says that a tag follows the frame; others are 0 |
 * | 4 | 4 | 0, for later use; a receiver does not look at it |
 * | 8 | 8 | instance of the sender: random, another one at each start |
 * | 16 | 8 | sequence number of the sender, from 1 on, below 2^53 |
 * | 24 | 8 | time of sending, microseconds since 1970-01-01T00:00:00Z |
 * | 32 | n | the Ethernet frame: addresses, every tag, EtherType and the rest |
 * | 32 + n | 0 or 16 | HMAC-SHA-256 with the key of the path over all octets before, truncated |
 *
 * A source address cannot begin with 0x47, whose lowest bit marks a group, so no datagram of format
 * 1 is taken for one of format 2. Only frames of exactly the least length of Ethernet lose padding.
 *
 * **R-GOOSE**, the session PDU of IEC 61850-90-5 over UDP port 102, as we send it; numbers
 * big-endian:
 *
 * | Offset | Size | Field |
 * |---|---|---|
 * | 0 | 2 | 0x01 0x40: CLTP unit data |
 * | 2 | 2 | 0xA1: GOOSE; length of the session header, 23 |
 * | 4 | 2 | 0x80: common header; its length, 21 |
 * | 6 | 4 | length of what follows |
 * | 10 | 4 | SPDU number |
 * | 14 | 2 | version, 2 |
 * | 16 | 11 | key (time, minutes to the next, number), length of the vector: all 0 |
 * | 27 | 4 | length of the payload |
 * | 31 | 2 | 0x81: GOOSE; 1 when simulated |
 * | 33 | 4 | APPID; length of the APDU |
 * | 37 | n | the APDU |
 *
 * It carries neither Ethernet addresses nor tags, nor what stands behind the APDU. A receiver makes
 * an untagged frame from 02-00 and the sender's IPv4 address to 01-0C-CD-01-00-00 plus the lower
 * nine bits of the APPID.
 *
 * | Supported | |
 * |---|---|
 * | formats 1 and 2, both directions | yes |
 * | R-GOOSE version 2, both directions, the first APDU of each session PDU | yes |
 * | R-GOOSE signatures (made and checked), encryption, version 1, tunnelled frames, SV | no |
 * | replay window of 1,024 numbers for each of 128 senders | yes |
 * | format 1: frames of EtherType 0x88B8, plain or behind one 0x8100 tag | yes |
 * | format 1: 0x88B9, 0x88BA, 0x88A8, two tags | dropped, each by its own reason |
 * | format 2: any frame | yes; which ones is the caller's choice |
 *
 * @module
 */
export * from "./constants.ts";
export { ReplayWindows, SEEN, type Seen } from "./replay.ts";
export {
  decapsulateRGoose,
  encapsulateRGoose,
  isRGoose,
  RGOOSE_HEADER,
  RGOOSE_PORT,
} from "./rgoose.ts";
export { decapsulateV1, type Destinations, encapsulateV1, type Frames } from "./v1.ts";
export {
  decapsulateV2,
  encapsulateV2,
  isV2,
  V2_HEADER,
  V2_TAG,
  type V2Facts,
  type V2Sender,
} from "./v2.ts";
