/**
 * APDUs out of a stream of octets (IEC 60870-5-104, 5.1). TCP loses nothing, so a wrong octet means
 * a wrong peer: nothing is searched for, the connection ends.
 * @module
 */
import type { Malformed } from "../../base/errors.ts";
import { APCI_SIZE, APDU_MAX, LENGTH_MAX, LENGTH_MIN, START, UNNUMBERED } from "./constants.ts";

/** The control field of an APDU. */
export type ControlField =
  | { readonly kind: "i"; readonly sendNumber: number; readonly receiveNumber: number }
  | { readonly kind: "s"; readonly receiveNumber: number }
  | { readonly kind: "u"; readonly function: number };

const FUNCTIONS: ReadonlySet<number> = new Set(Object.values(UNNUMBERED));

function malformed(code: string, offset: number): Malformed {
  return { kind: "malformed", code: `iec104.apci.${code}`, offset };
}

/** Why six octets cannot begin an APDU; undefined when they can. */
export function apciFault(octets: Uint8Array, at: number): Malformed | undefined {
  if (octets[at] !== START) return malformed("start", 0);
  const length = octets[at + 1]!;
  if (length < LENGTH_MIN || length > LENGTH_MAX) return malformed("length", 1);
  const first = octets[at + 2]!;
  if ((first & 1) === 0) return length === LENGTH_MIN ? malformed("empty", 1) : undefined;
  if (length !== LENGTH_MIN) return malformed("length", 1);
  if (first === 1 || FUNCTIONS.has(first)) return undefined;
  return malformed("function", 2);
}

/** Whether bits that shall be zero are not. Such frames are taken, and counted. */
export function hasStrayBits(octets: Uint8Array, at: number): boolean {
  const first = octets[at + 2]!;
  if ((first & 1) === 0) return (octets[at + 4]! & 1) !== 0;
  if (first === 1) return octets[at + 3] !== 0 || (octets[at + 4]! & 1) !== 0;
  return octets[at + 3] !== 0 || octets[at + 4] !== 0 || octets[at + 5] !== 0;
}

/** N(S) of an I frame. */
export function sendNumberAt(octets: Uint8Array, at: number): number {
  return octets[at + 2]! >> 1 | octets[at + 3]! << 7;
}

/** N(R) of an I or S frame. */
export function receiveNumberAt(octets: Uint8Array, at: number): number {
  return octets[at + 4]! >> 1 | octets[at + 5]! << 7;
}

/** Reads a control field that {@linkcode apciFault} found nothing wrong with. */
export function controlFieldAt(octets: Uint8Array, at: number): ControlField {
  const first = octets[at + 2]!;
  if ((first & 1) === 0) {
    const sendNumber = sendNumberAt(octets, at);
    return { kind: "i", sendNumber, receiveNumber: receiveNumberAt(octets, at) };
  }
  if (first === 1) return { kind: "s", receiveNumber: receiveNumberAt(octets, at) };
  return { kind: "u", function: first };
}

/** Writes the six octets before an ASDU of `size` octets. */
export function writeI(
  octets: Uint8Array,
  at: number,
  sendNumber: number,
  receiveNumber: number,
  size: number,
): void {
  octets[at] = START;
  octets[at + 1] = LENGTH_MIN + size;
  octets[at + 2] = sendNumber << 1 & 0xff;
  octets[at + 3] = sendNumber >> 7;
  octets[at + 4] = receiveNumber << 1 & 0xff;
  octets[at + 5] = receiveNumber >> 7;
}

/** Writes an S frame. */
export function writeS(octets: Uint8Array, at: number, receiveNumber: number): void {
  octets[at] = START;
  octets[at + 1] = LENGTH_MIN;
  octets[at + 2] = 1;
  octets[at + 3] = 0;
  octets[at + 4] = receiveNumber << 1 & 0xff;
  octets[at + 5] = receiveNumber >> 7;
}

/** Writes a U frame of one of {@linkcode UNNUMBERED}. */
export function writeU(octets: Uint8Array, at: number, func: number): void {
  octets[at] = START;
  octets[at + 1] = LENGTH_MIN;
  octets[at + 2] = func;
  octets[at + 3] = 0;
  octets[at + 4] = 0;
  octets[at + 5] = 0;
}

/**
 * Cuts a stream into APDUs. Call `feed`, then `next` until it says otherwise than `apdu`; the APDU
 * is `octets` from `start` to `end`, valid until the next call.
 */
export class ApduReader {
  readonly #kept = new Uint8Array(APDU_MAX);
  #keptSize = 0;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  octets: Uint8Array = this.#kept;
  start = 0;
  end = 0;

  /** Whether an APDU has begun that is not whole. */
  get partial(): boolean {
    return this.#keptSize > 0;
  }

  /** Takes the next chunk. It is borrowed until `next` has said `more`. */
  feed(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Goes to the next APDU. After something malformed the stream cannot be read any further. */
  next(): "apdu" | "more" | Malformed {
    return this.#keptSize > 0 ? this.#complete() : this.#direct();
  }

  #direct(): "apdu" | "more" | Malformed {
    const chunk = this.#chunk;
    const at = this.#at;
    const left = chunk.length - at;
    if (left >= APCI_SIZE) {
      const fault = apciFault(chunk, at);
      if (fault) return fault;
      const end = at + 2 + chunk[at + 1]!;
      if (end <= chunk.length) {
        this.octets = chunk;
        this.start = at;
        this.end = this.#at = end;
        return "apdu";
      }
    }
    if (left > 0) {
      this.#kept.set(chunk.subarray(at));
      this.#keptSize = left;
      this.#at = chunk.length;
      return this.#early() ?? "more";
    }
    return "more";
  }

  #complete(): "apdu" | "more" | Malformed {
    this.#take(APCI_SIZE);
    if (this.#keptSize < APCI_SIZE) return this.#early() ?? "more";
    const fault = apciFault(this.#kept, 0);
    if (fault) return fault;
    const size = 2 + this.#kept[1]!;
    this.#take(size);
    if (this.#keptSize < size) return "more";
    this.octets = this.#kept;
    this.start = 0;
    this.end = size;
    this.#keptSize = 0;
    return "apdu";
  }

  /** A wrong beginning is told at once: nobody has to wait for six octets. */
  #early(): Malformed | undefined {
    if (this.#kept[0] !== START) return malformed("start", 0);
    const length = this.#kept[1]!;
    const wrong = this.#keptSize > 1 && (length < LENGTH_MIN || length > LENGTH_MAX);
    return wrong ? malformed("length", 1) : undefined;
  }

  /** Keeps octets of the chunk until there are `size`. */
  #take(size: number): void {
    const missing = Math.min(size - this.#keptSize, this.#chunk.length - this.#at);
    if (missing <= 0) return;
    this.#kept.set(this.#chunk.subarray(this.#at, this.#at + missing), this.#keptSize);
    this.#keptSize += missing;
    this.#at += missing;
  }
}
