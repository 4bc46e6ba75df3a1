/**
 * IEC 60870-5-104 (edition 2 with amendment 1) as a pure link: both ends of a connection, and the
 * application layer of IEC 60870-5-101 that it carries. No socket, no timer, no clock.
 *
 * | What | Encode and decode |
 * |---|---|
 * | APCI: I, S, U; k, w, t1 to t3; STARTDT, STOPDT, TESTFR; both roles | yes; t0 is the dialler's |
 * | 1, 3, 5, 7, 9, 11, 13, 15, 20, 21: process information, SQ = 0 and 1 | yes |
 * | 2, 4, 6, 8, 10, 12, 14, 16 to 19: with CP24Time2a (of the 101 profile) | yes |
 * | 30 to 40: with CP56Time2a | yes |
 * | 41: security statistics | yes |
 * | 45 to 51, 58 to 64: commands and set points, without and with time | yes |
 * | 70, 100 to 107: end of initialization, interrogations, read, clock, test, reset, delay | yes |
 * | 110 to 113: parameters | yes |
 * | 120 to 127: file transfer, directory, log query | yes, as ASDUs |
 * | 81 to 95 (IEC 60870-5-7) and private types | as octets |
 * | cause of 1 and 2 octets, common address of 1 and 2, object address of 1 to 3 | yes |
 * | CP56, CP24, CP16 with IV, GEN, SU, day of week, every reserved bit; time zones | yes |
 *
 * SQ = 1 with time tags, which the standard does not define, is taken, for deployed stations send
 * it in answers to interrogations. Decoders are total. Lengths must match to the octet: too short
 * and too long are malformed.
 * @module
 */
export * from "./apci.ts";
export * from "./asdu.ts";
export * from "./constants.ts";
export * from "./describe.ts";
export { ELEMENTS } from "./elements.ts";
export * from "./file_transfer.ts";
export * from "./link.ts";
export * from "./objects.ts";
export * from "./time_tag.ts";
export * from "./types.ts";
