/**
 * SRT in live mode: both ends as pure links. draft-sharabayko-srt-01, and what deployed
 * implementations do where they differ from it.
 *
 * | Supported | |
 * |---|---|
 * | handshake version 5, caller and listener; version 4 is answered | yes |
 * | stream id, latency of both ends, rejection codes | yes |
 * | TSBPD with drift, too-late drop; forwarding on arrival; a reliable mode | yes |
 * | ACK, light ACK, ACKACK, NAK at once and periodic, drop request | yes |
 * | pacing by maxbw, inputbw, oheadbw, or what comes in | yes |
 * | AES-CTR with 128, 192, 256 bits, key refresh | yes |
 * | rendezvous, groups, packet filter, AES-GCM, file mode, messages of several packets | no |
 *
 * @module
 */
export * from "./caller.ts";
export * from "./connection.ts";
export * from "./constants.ts";
export * from "./endpoint.ts";
export * from "./handshake.ts";
export * from "./keys.ts";
export * from "./listener.ts";
export * from "./numbers.ts";
export * from "./packet.ts";
export * from "./sending.ts";
