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
 * | Supported | |
 * |---|---|
 * | format 1, both directions | yes |
 * | frames of EtherType 0x88B8, plain or behind one 0x8100 tag | yes |
 * | 0x88B9, 0x88BA, 0x88A8, two tags | dropped, each by its own reason |
 *
 * @module
 */
export * from "./constants.ts";
export { decapsulateV1, type Destinations, encapsulateV1, type Frames } from "./v1.ts";
