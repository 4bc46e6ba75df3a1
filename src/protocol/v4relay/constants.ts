/** Numbers and words of the relay's control protocol, version 4. */

/** Codes of `error`, `pair_error` and a refused `register_ack`. */
export const CODE = {
  internal: 500,
  authFailed: 501,
  badRequest: 502,
  conflict: 503,
  unavailable: 504,
  noPort: 505,
} as const;
export type Code = (typeof CODE)[keyof typeof CODE];

/** Which end of a session. */
export type Role = "server" | "client";
/** Which pool of data ports. `zmq` is a name from history: these are TCP ports. */
export type PoolName = "zmq" | "srt";

/** Longest identifier or token, in UTF-16 units. */
export const TEXT_MAX = 256;
/** Hexadecimal digits of a session's name. */
export const SESSION_DIGITS = 16;
/** Hexadecimal digits of a one-time ticket. */
export const TICKET_DIGITS = 32;
