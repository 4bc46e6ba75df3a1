/**
 * The line before the first frame of a stream that tells the version, `CIP-22-VERSION: 2.0`, which
 * is a header of the same name where HTTP carries the session.
 * @module
 */
import type { Malformed } from "../../base/errors.ts";
import { MAGIC } from "./frame.ts";

/** Name of the header, and what stands before the colon of the line. */
export const VERSION_HEADER = "CIP-22-VERSION";
/** Octets of a line with its end; a longer one is none. */
export const VERSION_LINE_MAX = 64;

/** What a stream begins with. */
export type VersionLine =
  /** It cannot be told yet. */
  | { readonly kind: "more" }
  /** A frame: there is no line. */
  | { readonly kind: "frames" }
  /** A line of so many octets, with what it says. */
  | { readonly kind: "line"; readonly version: string; readonly size: number };

/**
 * Looks at the first octets of a stream. The line may end with CR LF, and spaces may stand around
 * the version; the name is taken in any case, as in HTTP.
 * @returns Malformed `cip22.version.line` for what is neither a line nor a frame.
 */
export function readVersionLine(octets: Uint8Array): VersionLine | Malformed {
  if (octets.length === 0) return { kind: "more" };
  if (octets[0] === MAGIC[0]) return { kind: "frames" };
  const end = octets.subarray(0, VERSION_LINE_MAX).indexOf(LINE_FEED);
  const text = new TextDecoder("latin1").decode(
    octets.subarray(0, end < 0 ? VERSION_LINE_MAX : end),
  );
  if (end >= 0) {
    const found = LINE.exec(text);
    return found ? { kind: "line", version: found[1]!, size: end + 1 } : MALFORMED;
  }
  const begun = `${VERSION_HEADER}:`.startsWith(
    text.slice(0, VERSION_HEADER.length + 1).toUpperCase(),
  );
  return begun && octets.length < VERSION_LINE_MAX ? { kind: "more" } : MALFORMED;
}

/** Writes the line. */
export function writeVersionLine(version: string): Uint8Array {
  return new TextEncoder().encode(`${VERSION_HEADER}: ${version}\n`);
}

const LINE_FEED = 0x0a;
const LINE = /^CIP-22-VERSION:[ \t]*([0-9]{1,3}\.[0-9]{1,3})[ \t]*\r?$/i;
const MALFORMED: Malformed = { kind: "malformed", code: "cip22.version.line", offset: 0 };
