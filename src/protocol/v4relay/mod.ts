/**
 * The control protocol of the stream relay, version 4: clients and servers register, a client asks
 * for a session, both are granted a data port, and meet there with a hello line each.
 *
 * | Supported | |
 * |---|---|
 * | register, pair_request with all fields and error strings of deployed clients | yes |
 * | cancel, ping, pong, subscribe, request_id in pair_error, one-time tickets | yes, beside them |
 * | pools of data ports: idle, reserved, occupied, blocked | yes |
 * | retries of a request every 5 s, 50 times, then 505 | yes |
 * | video test frame, out of a stream in pieces of any size | yes |
 * | V4HELLO line; a newer connection of the same role replaces an older one | yes |
 * | `qos` of a pair_request | ignored, as ever |
 *
 * Everything here is pure: no sockets, no clock.
 * @module
 */
export * from "./broker.ts";
export * from "./constants.ts";
export * from "./hello.ts";
export * from "./messages.ts";
export * from "./pool.ts";
export * from "./rendezvous.ts";
export * from "./video.ts";
