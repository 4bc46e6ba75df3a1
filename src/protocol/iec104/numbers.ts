/** Numbers as octets, low octet first (IEC 60870-5-101, 7.2.6). */
import { BugError } from "../../base/errors.ts";

/** A whole number in its range. @throws BugError */
export function whole(value: number, min: number, max: number, what: string): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new BugError("iec104.element.range", `${what} must be from ${min} to ${max}`, { value });
  }
  return value;
}

/** Unsigned, 16 bits, low octet first. */
export function u16(octets: Uint8Array, at: number): number {
  return octets[at]! | octets[at + 1]! << 8;
}

/** Unsigned, 24 bits. */
export function u24(octets: Uint8Array, at: number): number {
  return octets[at]! | octets[at + 1]! << 8 | octets[at + 2]! << 16;
}

/** Signed, 16 bits. */
export function i16(octets: Uint8Array, at: number): number {
  return (octets[at]! | octets[at + 1]! << 8) << 16 >> 16;
}

/** Signed, 32 bits. */
export function i32(octets: Uint8Array, at: number): number {
  return octets[at]! | octets[at + 1]! << 8 | octets[at + 2]! << 16 | octets[at + 3]! << 24;
}

const SCRATCH = new DataView(new ArrayBuffer(4));

/** R32-IEEE STD 754. */
export function f32(octets: Uint8Array, at: number): number {
  SCRATCH.setInt32(0, i32(octets, at));
  return SCRATCH.getFloat32(0);
}

/** Writes 16 bits. @throws BugError */
export function put16(octets: Uint8Array, at: number, value: number, what: string): void {
  whole(value, 0, 0xffff, what);
  octets[at] = value & 0xff;
  octets[at + 1] = value >> 8;
}

/** Writes 24 bits. @throws BugError */
export function put24(octets: Uint8Array, at: number, value: number, what: string): void {
  whole(value, 0, 0xff_ffff, what);
  octets[at] = value & 0xff;
  octets[at + 1] = value >> 8 & 0xff;
  octets[at + 2] = value >> 16;
}

/** Writes a signed number of 16 bits. @throws BugError */
export function putI16(octets: Uint8Array, at: number, value: number): void {
  whole(value, -32_768, 32_767, "A value of 16 bits");
  octets[at] = value & 0xff;
  octets[at + 1] = value >> 8 & 0xff;
}

/** Writes the lowest 32 bits of a number. */
export function put32(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value & 0xff;
  octets[at + 1] = value >> 8 & 0xff;
  octets[at + 2] = value >> 16 & 0xff;
  octets[at + 3] = value >>> 24;
}

/** Writes a signed number of 32 bits. @throws BugError */
export function putI32(octets: Uint8Array, at: number, value: number): void {
  put32(octets, at, whole(value, -(2 ** 31), 2 ** 31 - 1, "A counter"));
}

/** Writes a number as R32. */
export function putF32(octets: Uint8Array, at: number, value: number): void {
  SCRATCH.setFloat32(0, value);
  put32(octets, at, SCRATCH.getInt32(0));
}

/** A number of 8 bits. @throws BugError */
export function octet(value: number, what: string): number {
  return whole(value, 0, 0xff, what);
}
