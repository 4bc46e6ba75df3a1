/** One connection on a data port, from its accept to its end. */
import { after, type Instant, seconds } from "../../base/time.ts";
import { STREAM_FAULT, type StreamSocket } from "../../platform/streams.ts";
import { type Hello, HELLO_MAX } from "../../protocol/v4relay/mod.ts";
import type { End } from "./flow.ts";
import type { StreamSession } from "./session.ts";

/** How long a hello line may take. */
export const HELLO_WITHIN = seconds(2);
const LF = 10;
/** What has been looked at; of this thread, and never kept. */
const scratch = new Uint8Array(HELLO_MAX);

/** A connection. */
export class Connection implements End {
  /** Its place in the plane's table. */
  token = -1;
  readable = false;
  writable = true;
  /** What it said; undefined while it has not. */
  hello: Hello | undefined;
  session: StreamSession | undefined;
  /** Until when the hello, or later the other end, has to come. */
  deadline: Instant;
  readonly remote: string;
  /** What has come of the line; its line feed has not. */
  #begun: Uint8Array<ArrayBuffer> | undefined;

  constructor(readonly socket: StreamSocket, readonly port: number, now: Instant) {
    this.deadline = after(now, HELLO_WITHIN);
    this.remote = socket.remote;
  }

  /**
   * Takes what has come of the hello line, and nothing behind it.
   *
   * @returns The line so far; undefined when nothing has come.
   */
  read():
    | { readonly kind: "line"; readonly octets: Uint8Array }
    | { readonly kind: "gone" }
    | undefined {
    const before = this.#begun ?? new Uint8Array(0);
    for (;;) {
      const count = this.socket.peek(scratch);
      if (count === -STREAM_FAULT.interrupted) continue;
      if (count === -STREAM_FAULT.again) {
        this.readable = false;
        return undefined;
      }
      if (count <= 0) return { kind: "gone" };
      const end = scratch.subarray(0, count).indexOf(LF);
      const most = HELLO_MAX - before.length;
      const size = Math.min(end < 0 ? count : end + 1, most);
      const taken = this.socket.take(scratch, size);
      if (taken <= 0) return { kind: "gone" };
      const line = new Uint8Array(before.length + taken);
      line.set(before);
      line.set(scratch.subarray(0, taken), before.length);
      this.#begun = line;
      return { kind: "line", octets: line };
    }
  }

  /** Sends a short line; a peer that does not even take that is not waited for. */
  say(line: string): void {
    this.socket.send(new TextEncoder().encode(line));
  }
}
