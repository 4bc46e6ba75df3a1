/**
 * CIP-22, the charging piles' protocol: frames, elements, sealed frames. Pure.
 *
 * | What | Supported |
 * |---|---|
 * | frames, with CRC-8/I-432-1 or the plain one, told apart; resynchronization | yes |
 * | elements (tag, length, value) and their numbers, which are ours | yes |
 * | keys of a session, sealed frames, window against replay | yes |
 * | messages, versions 1.2 and 2.0, sessions, state machine | not yet |
 * @module
 */
export * from "./frame.ts";
export * from "./session_keys.ts";
export * from "./tlv.ts";
