/**
 * GOOSE, IEC 61850-8-1:2011 (edition 2): messages of publishers to whoever listens, over Ethernet.
 *
 * | Supported | |
 * |---|---|
 * | Ethernet header, up to two tags (0x8100, 0x88A8) | both ways |
 * | goosePdu, every field; unknown fields are skipped by their length | both ways |
 * | all types of Data, nested; the rare ones (real, bcd, object identifier) as octets | both ways |
 * | numbers of any width that editions 1 and 2 write; the fixed-length form of A.3 | both ways |
 * | simulation (test in edition 1), in the header and in the goosePdu | both ways |
 * | retransmission curve, succession of stNum and sqNum | yes |
 * | security extension of IEC 62351-6, trailer of PRP | measured, not read |
 * | field `security` of the goosePdu | skipped |
 * | R-GOOSE | the session is in `goose_tunnel` |
 * | GSE management, sampled values | no |
 *
 * Limits of the decoder: 1500 octets, 8 levels, 512 values. It never throws.
 * @module
 */
export * from "./codec.ts";
export * from "./constants.ts";
export * from "./data.ts";
export * from "./ethernet.ts";
export * from "./notation.ts";
export * from "./publisher.ts";
export * from "./sequence.ts";
