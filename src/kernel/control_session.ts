/** One connection of the control port, with its deadlines. */
import { after, type Instant, type Millis, seconds } from "../base/time.ts";
import type { Clock } from "../platform/clock.ts";
import type { ByteConn } from "../platform/ports.ts";

/** How long a head, a body or a line may take from its first octet to its last. */
export const REQUEST_MAX = seconds(10);
/** How long the peer may take to accept an answer. */
export const WRITE_MAX = seconds(10);

/** What a session is made of. */
export interface SessionOptions {
  readonly conn: ByteConn;
  readonly clock: Clock;
  /** `address:port` of the peer. */
  readonly remote: string;
  readonly idleTimeout: Millis;
  /** Told when a deadline closed the connection. */
  timedOut(): void;
}

/** A connection that closes itself when its deadline passes. */
export class Session {
  readonly remote: string;
  /** When the connection began to wait for the peer; undefined while there is something to do. */
  idleSince: Instant | undefined;
  /** Whether it is never closed to make room for others. */
  kept = false;
  /** Resolves when it has been served; set by the port. */
  ended: Promise<void> = Promise.resolve();
  readonly #options: SessionOptions;
  readonly #closed = new AbortController();
  #alarm: Disposable | undefined;
  #limit: Disposable | undefined;
  #draining = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.remote = options.remote;
  }

  /** Aborts when the connection is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get idleTimeout(): Millis {
    return this.#options.idleTimeout;
  }

  /** Whether the port is closing: nothing new is begun. */
  get draining(): boolean {
    return this.#draining;
  }

  /** The next octets; undefined when the peer has closed, or we have. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.closed.aborted) return undefined;
    try {
      return await this.#options.conn.read();
    } catch (error) {
      if (this.closed.aborted) return undefined;
      throw error;
    }
  }

  /** Writes octets; the peer has {@linkcode WRITE_MAX} to take them. */
  async write(octets: Uint8Array): Promise<void> {
    this.within(WRITE_MAX);
    await this.#options.conn.write(octets);
    this.busy();
  }

  /**
   * Nothing is begun: the peer has so much time, and the connection may be closed for others.
   *
   * @param span Absent: the idle time-out.
   */
  idle(span = this.#options.idleTimeout): void {
    this.idleSince = this.#options.clock.now();
    this.within(span);
    if (this.#draining) this.close();
  }

  /** Something is to be done that has no deadline of its own. */
  busy(): void {
    this.idleSince = undefined;
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = undefined;
  }

  /** What is begun has to be done within `span`, or the connection is closed. */
  within(span: Millis): void {
    const { clock, timedOut } = this.#options;
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = clock.alarm(after(clock.now(), span), () => {
      timedOut();
      this.close();
    });
  }

  /** Whatever happens, the connection ends after `span`, unless {@linkcode unlimited}. */
  limited(span: Millis): void {
    const { clock, timedOut } = this.#options;
    this.#limit = clock.alarm(after(clock.now(), span), () => {
      timedOut();
      this.close();
    });
  }

  unlimited(): void {
    this.#limit?.[Symbol.dispose]();
    this.#limit = undefined;
  }

  /** Closes as soon as nothing is in flight. */
  drain(): void {
    this.#draining = true;
    if (this.idleSince !== undefined) this.close();
  }

  close(): void {
    this.busy();
    this.unlimited();
    if (this.closed.aborted) return;
    this.#closed.abort();
    void this.#options.conn[Symbol.asyncDispose]();
  }
}
