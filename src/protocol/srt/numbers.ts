/** Numbers that wrap: sequence (31 bits), message (26 bits, never 0), time stamps (32 bits). */

const SEQUENCE_MASK = 0x7fff_ffff;
const MESSAGE_MAX = 0x3ff_ffff;

/** How far `to` is behind `from` in the order of sending; negative when it is before it. */
export function distance(from: number, to: number): number {
  return ((to - from) << 1) >> 1;
}

/** A sequence number so many further on. */
export function advance(sequence: number, by: number): number {
  return (sequence + by) & SEQUENCE_MASK;
}

/** The next message number. */
export function nextMessage(message: number): number {
  return message >= MESSAGE_MAX ? 1 : message + 1;
}

/**
 * Microseconds since a peer's start, out of 32 bits that wrap every 71 min 35 s.
 * @param expected About what it should be by our own clock; half a wrap off does no harm.
 */
export function unwrap(stamp: number, expected: number): number {
  const whole = Math.floor(expected);
  return whole + ((stamp - whole % 0x1_0000_0000) | 0);
}
