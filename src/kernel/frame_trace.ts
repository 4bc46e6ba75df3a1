/** Frames of a control-plane service as lines of the log, while tracing is on. */
import { after, type Instant, seconds } from "../base/time.ts";
import type { Context } from "./module.ts";

/** Most frames of a connection that are traced in a second; the rest is counted on the next line. */
export const LINES_PER_SECOND = 50;

/** Frames of one connection. Bounded, so that a trace cannot drown the log. */
export class FrameTrace {
  #left = LINES_PER_SECOND;
  #skipped = 0;
  #renewAt = 0 as Instant;

  /**
   * @param peer What is at the other end, for people.
   * @param tell One line of a frame; with `objects` all that it says.
   */
  constructor(
    readonly ctx: Pick<Context, "log" | "clock" | "trace">,
    readonly code: string,
    readonly peer: string,
    readonly tell: (frame: Uint8Array, objects: boolean) => string,
  ) {}

  /** Takes a frame; a function that can be given away. */
  readonly take = (way: "in" | "out", frame: Uint8Array): void => {
    const depth = this.ctx.trace();
    if (depth === 0) return;
    const now = this.ctx.clock.now();
    if (now >= this.#renewAt) {
      this.#left = LINES_PER_SECOND;
      this.#renewAt = after(now, seconds(1));
    }
    if (this.#left === 0) {
      this.#skipped += 1;
      return;
    }
    this.#left -= 1;
    const line = `${way === "in" ? "<-" : "->"} ${this.tell(frame, depth >= 2)}`;
    this.ctx.log.trace(this.code, line, {
      peer: this.peer,
      ...(depth >= 3 ? { octets: frame.toHex() } : {}),
      ...(this.#skipped > 0 ? { skipped: this.#skipped } : {}),
    });
    this.#skipped = 0;
  };
}
