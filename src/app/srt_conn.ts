/** An SRT connection as something to read from and to write to, a message at a time. */
import { LinkDownError } from "../base/errors.ts";
import { millis } from "../base/time.ts";
import { pause, SystemClock } from "../platform/clock.ts";
import type { ByteConn } from "../platform/ports.ts";
import { openEnd, type StreamEnd } from "./srt_ends.ts";

const STEP = millis(1);
/** Messages that wait to be read; beyond it the oldest goes, as on a live stream. */
const INBOX_MAX = 8192;

/** A connection that was called. */
export class SrtConn implements ByteConn {
  readonly #end: StreamEnd;
  readonly #clock = new SystemClock();
  readonly #stop = new AbortController();
  readonly #inbox: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  #fault: unknown;

  private constructor(end: StreamEnd) {
    this.#end = end;
    void this.#run();
  }

  /**
   * Calls `host:port`.
   * @throws LinkDownError when it is refused, or nobody answers.
   */
  static async call(host: string, port: number, signal: AbortSignal): Promise<SrtConn> {
    const name = host.includes(":") ? `[${host}]` : host;
    const conn = new SrtConn(await openEnd(`srt://${name}:${port}`, "source"));
    while (!conn.#end.ready && conn.#fault === undefined && !signal.aborted) {
      await pause(conn.#clock, STEP, signal);
    }
    if (conn.#end.ready) return conn;
    await conn[Symbol.asyncDispose]();
    throw conn.#fault ?? new LinkDownError("srt.call", "The call was given up");
  }

  /** The next message; undefined at the end. */
  async read(): Promise<Uint8Array | undefined> {
    while (this.#inbox.length === 0) {
      if (this.#stop.signal.aborted || this.#end.ended) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#inbox.shift();
  }

  /** Sends one message, at most one payload. @throws LinkDownError */
  async write(message: Uint8Array): Promise<void> {
    while (!this.#end.write(message, this.#clock.now())) {
      if (this.#end.ended || this.#stop.signal.aborted) {
        throw new LinkDownError("srt.write", "Connection was lost");
      }
      await pause(this.#clock, STEP, this.#stop.signal);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      this.#end.close(this.#clock.now());
      this.#wake?.();
    }
    return Promise.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const now = this.#clock.now();
      try {
        this.#end.work(now);
      } catch (error) {
        this.#fault = error;
        return;
      }
      for (let one = this.#end.read(now); one; one = this.#end.read(now)) {
        if (this.#inbox.length >= INBOX_MAX) this.#inbox.shift();
        this.#inbox.push(one.slice());
      }
      if (this.#inbox.length > 0 || this.#end.ended) this.#wake?.();
      await pause(this.#clock, STEP, signal);
    }
  }
}
