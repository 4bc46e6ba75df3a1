/**
 * A signature of two numbers in DER: SEQUENCE { INTEGER r, INTEGER s }, as X.509 and TLS carry it.
 * Strict: one form only for each signature. ITU-T X.690, 8.3, 10.1
 * @module
 */
import { type Malformed } from "../base/errors.ts";

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const LONGEST = 127;

/** Writes the two halves of `raw` as numbers. */
export function writeDerSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const numbers = [raw.subarray(0, half), raw.subarray(half)].flatMap((number) => {
    const first = number.findIndex((octet) => octet !== 0);
    const short = first < 0 ? Uint8Array.of(0) : number.subarray(first);
    const octets = short[0]! >= 0x80 ? [0, ...short] : [...short];
    return [INTEGER, octets.length, ...octets];
  });
  return Uint8Array.of(SEQUENCE, numbers.length, ...numbers);
}

/**
 * Reads a signature.
 * @param size Octets of each number.
 * @returns Both numbers, one after the other; Malformed `der.signature` for any other form.
 */
export function readDerSignature(octets: Uint8Array, size: number): Uint8Array | Malformed {
  const wrong = (offset: number): Malformed => ({
    kind: "malformed",
    code: "der.signature",
    offset,
  });
  if (octets[0] !== SEQUENCE || octets.length > LONGEST + 2) return wrong(0);
  if (octets[1] !== octets.length - 2) return wrong(1);
  const raw = new Uint8Array(2 * size);
  let at = 2;
  for (const place of [size, 2 * size]) {
    const length = octets[at + 1] ?? 0;
    const start = at + 2;
    const end = start + length;
    if (octets[at] !== INTEGER || length === 0 || end > octets.length) return wrong(at);
    const [first, second] = [octets[start]!, octets[start + 1] ?? 0];
    // Negative, or longer than it has to be.
    if (first >= 0x80 || (first === 0 && length > 1 && second < 0x80)) return wrong(start);
    const from = first === 0 && length > 1 ? start + 1 : start;
    if (end - from > size) return wrong(start);
    raw.set(octets.subarray(from, end), place - (end - from));
    at = end;
  }
  return at === octets.length ? raw : wrong(at);
}
