/** Frames as lines of the log, while tracing is on. Slow on purpose, and bounded. */
import type { HotContext } from "../../kernel/module.ts";
import type { Tracer } from "./forward.ts";

/** Most traced frames per second; the rest is counted on the next line. */
const LINES_PER_SECOND = 20;
const OCTETS_MAX = 64;

/** A tracer at the level that is set now. */
export function traceFrames(ctx: HotContext): Tracer {
  let left = LINES_PER_SECOND;
  let skipped = 0;
  const level = ctx.trace();
  return (way, octets, start, length) => {
    if (left === 0) {
      skipped += 1;
      return;
    }
    left -= 1;
    const frame = octets.subarray(start, start + length);
    ctx.log.trace("goose.frame", way === "out" ? "From the TAP" : "From the network", {
      to: mac(frame, 0),
      from: mac(frame, 6),
      length,
      ...(level >= 2 ? { header: hex(frame.subarray(12, 26)) } : {}),
      ...(level >= 3 ? { octets: hex(frame.subarray(0, OCTETS_MAX)) } : {}),
      ...(skipped > 0 ? { skipped } : {}),
    });
    skipped = 0;
  };
}

function mac(frame: Uint8Array, at: number): string {
  return hex(frame.subarray(at, at + 6)).replaceAll(" ", ":");
}

function hex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(" ");
}
