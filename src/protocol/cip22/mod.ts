/**
 * CIP-22, the charging piles' protocol: frames, elements, sealed frames. Pure.
 *
 * | What | Supported |
 * |---|---|
 * | frames, with CRC-8/I-432-1 or the plain one, told apart; resynchronization | yes |
 * | elements (tag, length, value) and their numbers, which are ours | yes |
 * | keys of a session, sealed frames, window against replay | yes |
 * | challenge and answer, signed with SM2 or on secp256k1 | yes |
 * | heartbeats, and tries without end to connect | yes |
 * | the state machine: every event in every state | yes |
 * | battery telemetry, digests chained for each bike, their signatures tried together | yes |
 * | messages in JSON of versions 1.2, 2.0 and others, the line of the version | yes |
 * | tariff policies: signed, hashed, what was charged by them | yes |
 * | firmware images in chunks; two slots, their record, the way back | yes |
 * | messages in elements | yes |
 * | both ends of a conversation: authentication, sealed commands, new keys | yes |
 * @module
 */
export * from "./auth.ts";
export * from "./boot_slots.ts";
export * from "./envelope.ts";
export * from "./extensions.ts";
export * from "./frame.ts";
export * from "./image.ts";
export * from "./json_messages.ts";
export * from "./keeper.ts";
export * from "./pile_state.ts";
export * from "./policy.ts";
export * from "./session_keys.ts";
export * from "./telemetry_batch.ts";
export * from "./telemetry_chain.ts";
export * from "./tlv.ts";
export * from "./version_line.ts";
export * from "./channel.ts";
export * from "./gateway_link.ts";
export * from "./messages.ts";
export * from "./pile_link.ts";
export * from "./session.ts";
export * from "./pile_body.ts";
export * from "./pile_device.ts";
export * from "./pile_firmware.ts";
export * from "./pile_trades.ts";
