/** Frames as lines of the log, while tracing is on. Slow on purpose, and bounded. */
import { after, type Instant, seconds } from "../../base/time.ts";
import type { HotContext } from "../../kernel/module.ts";
import type { Tracer } from "./forward.ts";

/** Most traced frames per second; the rest is counted on the next line. */
const LINES_PER_SECOND = 20;
const OCTETS_MAX = 64;

/** Traces the frames of one path. It outlives the looks of the path, so that it can count on. */
export class FrameTrace {
  #level = 0;
  #left = 0;
  #skipped = 0;
  #renewAt = 0 as Instant;

  constructor(readonly ctx: HotContext) {}

  /** Takes over the level that is set now. Returns what to tell of each frame, if any. */
  renew(now: Instant): Tracer | undefined {
    this.#level = this.ctx.trace();
    if (this.#level === 0) {
      this.#skipped = 0;
      return undefined;
    }
    // A path that is not whole looks more often than once a second.
    if (now >= this.#renewAt) {
      this.#left = LINES_PER_SECOND;
      this.#renewAt = after(now, seconds(1));
    }
    return this.#trace;
  }

  readonly #trace: Tracer = (way, octets, start, length) => {
    if (this.#left === 0) {
      this.#skipped += 1;
      return;
    }
    this.#left -= 1;
    const frame = octets.subarray(start, start + length);
    this.ctx.log.trace("goose.frame", way === "out" ? "From the TAP" : "From the network", {
      to: mac(frame, 0),
      from: mac(frame, 6),
      length,
      ...(this.#level >= 2 ? { header: hex(frame.subarray(12, 26)) } : {}),
      ...(this.#level >= 3 ? { octets: hex(frame.subarray(0, OCTETS_MAX)) } : {}),
      ...(this.#skipped > 0 ? { skipped: this.#skipped } : {}),
    });
    this.#skipped = 0;
  };
}

function mac(frame: Uint8Array, at: number): string {
  return hex(frame.subarray(at, at + 6)).replaceAll(" ", ":");
}

function hex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(" ");
}
