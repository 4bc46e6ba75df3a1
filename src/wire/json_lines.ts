/** JSON objects, one a line, out of octets as they come. */

/** Most octets of a line. */
export const LINE_MAX = 64 * 1024;

/** What a line was: an object, or why it is none. */
export type JsonLine =
  | { readonly kind: "object"; readonly value: Record<string, unknown> }
  | { readonly kind: "malformed"; readonly message: string }
  /** Longer than {@linkcode LINE_MAX}: nothing behind it can be read. */
  | { readonly kind: "too_long" };

const LF = 10;
const CR = 13;

/** Splits octets into lines and reads each. Empty lines are skipped. */
export class JsonLineReader {
  #buffer = new Uint8Array(0);

  feed(octets: Uint8Array): void {
    const joined = new Uint8Array(this.#buffer.length + octets.length);
    joined.set(this.#buffer);
    joined.set(octets, this.#buffer.length);
    this.#buffer = joined;
  }

  /** The next line; undefined when more octets are needed. */
  next(): JsonLine | undefined {
    for (;;) {
      const end = this.#buffer.indexOf(LF);
      if (end > LINE_MAX || (end < 0 && this.#buffer.length > LINE_MAX)) {
        this.#buffer = new Uint8Array(0);
        return { kind: "too_long" };
      }
      if (end < 0) return undefined;
      const stop = end > 0 && this.#buffer[end - 1] === CR ? end - 1 : end;
      const line = this.#buffer.subarray(0, stop);
      this.#buffer = this.#buffer.subarray(end + 1);
      if (line.length > 0) return read(line);
    }
  }
}

function read(line: Uint8Array): JsonLine {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { kind: "object", value: value as Record<string, unknown> };
    }
    return { kind: "malformed", message: "Line is not a JSON object" };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    return { kind: "malformed", message: "Line is not JSON" };
  }
}
