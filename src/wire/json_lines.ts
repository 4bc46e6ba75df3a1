/**
 * JSON objects out of octets as they come: one a line, or one behind another with any space
 * between, and over several lines too. What is no object ends at the next line feed.
 * @module
 */

/** Most octets of an object. */
export const LINE_MAX = 64 * 1024;

/** What was found: an object, or why it is none. */
export type JsonLine =
  | { readonly kind: "object"; readonly value: Record<string, unknown> }
  | { readonly kind: "malformed"; readonly message: string }
  /** Longer than {@linkcode LINE_MAX}: nothing behind it can be read. */
  | { readonly kind: "too_long" };

const LF = 10;
const SPACE = 32;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Splits octets into objects and reads each. Space between them is skipped. */
export class JsonLineReader {
  #buffer = new Uint8Array(0);
  /** How far the object that has begun was looked through, and what was found on the way. */
  #at = 0;
  #depth = 0;
  #inText = false;
  #escaped = false;

  feed(octets: Uint8Array): void {
    if (this.#buffer.length === 0) {
      this.#buffer = octets.slice();
      return;
    }
    const joined = new Uint8Array(this.#buffer.length + octets.length);
    joined.set(this.#buffer);
    joined.set(octets, this.#buffer.length);
    this.#buffer = joined;
  }

  /** The next object; undefined when more octets are needed. */
  next(): JsonLine | undefined {
    if (this.#depth === 0) this.#skipSpace();
    if (this.#buffer.length === 0) return undefined;
    const end = this.#buffer[0] === OPEN ? this.#endOfObject() : this.#buffer.indexOf(LF) + 1;
    if (end > LINE_MAX || (end <= 0 && this.#buffer.length > LINE_MAX)) {
      this.#take(this.#buffer.length);
      return { kind: "too_long" };
    }
    return end <= 0 ? undefined : read(this.#take(end));
  }

  #skipSpace(): void {
    let first = 0;
    while (first < this.#buffer.length && this.#buffer[first]! <= SPACE) first += 1;
    if (first > 0) this.#buffer = this.#buffer.subarray(first);
  }

  /** One behind the brace that ends the object; 0 when it has not come. */
  #endOfObject(): number {
    const octets = this.#buffer;
    for (; this.#at < octets.length; this.#at += 1) {
      const octet = octets[this.#at];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inText) {
        if (octet === BACKSLASH) this.#escaped = true;
        // A text of JSON never goes over the end of a line: it was not ended, and nothing else is.
        else if (octet === LF) return this.#at + 1;
        else if (octet === QUOTE) this.#inText = false;
      } else if (octet === QUOTE) this.#inText = true;
      else if (octet === OPEN) this.#depth += 1;
      else if (octet === CLOSE) {
        this.#depth -= 1;
        if (this.#depth === 0) return this.#at + 1;
      }
    }
    return 0;
  }

  #take(count: number): Uint8Array {
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    this.#at = 0;
    this.#depth = 0;
    this.#inText = false;
    this.#escaped = false;
    return taken;
  }
}

function read(octets: Uint8Array): JsonLine {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { kind: "object", value: value as Record<string, unknown> };
    }
    return { kind: "malformed", message: "Line is not a JSON object" };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    return { kind: "malformed", message: "Line is not JSON" };
  }
}
