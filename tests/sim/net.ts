/** TCP in memory: listeners that tests dial, with peers that may stop reading. */
import { LinkDownError, OsError } from "../../src/base/errors.ts";
import type { AcceptedConn, ByteConn, Endpoint, Listener, Net } from "../../src/platform/ports.ts";

/** One end of a connection. Closing it ends both directions at once. */
export class SimConn implements ByteConn {
  peer!: SimConn;
  closed = false;
  readonly #inbox: Uint8Array[] = [];
  #waiting: (() => void) | undefined;
  /** While true, what the other end writes is not taken. */
  #stopped = false;
  readonly #writers: (() => void)[] = [];

  async read(): Promise<Uint8Array | undefined> {
    while (this.#inbox.length === 0) {
      if (this.closed || this.peer.closed) return undefined;
      await new Promise<void>((resolve) => this.#waiting = resolve);
    }
    return this.#inbox.shift();
  }

  async write(octets: Uint8Array): Promise<void> {
    while (this.peer.#stopped && !this.closed && !this.peer.closed) {
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    }
    if (this.closed || this.peer.closed) throw new LinkDownError("sim.closed", "Closed");
    this.peer.#inbox.push(octets.slice());
    this.peer.#wake();
  }

  /** Takes nothing more; whoever writes waits. */
  stopReading(): void {
    this.#stopped = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    for (const end of [this, this.peer]) {
      end.#wake();
      for (const writer of end.#writers.splice(0)) writer();
    }
    return Promise.resolve();
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }
}

/** A network where every address leads to the same host, unless it is away. */
export class SimNet implements Net {
  /** Addresses that cannot be reached. */
  readonly away = new Set<string>();
  /** Every try of a connection, as `host:port`. */
  readonly tries: string[] = [];
  readonly #listeners = new Map<number, (accepted: AcceptedConn) => void>();
  #next = 40_000;

  dial(to: Endpoint): Promise<SimConn> {
    this.tries.push(`${to.host}:${to.port}`);
    const accept = this.away.has(to.host) ? undefined : this.#listeners.get(to.port);
    if (!accept) return Promise.reject(new LinkDownError("sim.refused", "Refused"));
    const [near, far] = [new SimConn(), new SimConn()];
    [near.peer, far.peer] = [far, near];
    accept({ conn: far, remote: { host: "127.0.0.1", port: this.#next++ } });
    return Promise.resolve(near);
  }

  listen(on: Endpoint): Promise<Listener> {
    const port = on.port === 0 ? this.#next++ : on.port;
    if (this.#listeners.has(port)) {
      return Promise.reject(new OsError("tcp.listen", "Taken", { errno: "EADDRINUSE" }));
    }
    const queue: AcceptedConn[] = [];
    let wake: (() => void) | undefined;
    let open = true;
    this.#listeners.set(port, (accepted) => {
      queue.push(accepted);
      wake?.();
    });
    const listeners = this.#listeners;
    return Promise.resolve({
      local: { host: on.host, port },
      async *[Symbol.asyncIterator]() {
        while (open) {
          const next = queue.shift();
          if (next) yield next;
          else await new Promise<void>((resolve) => wake = resolve);
        }
      },
      [Symbol.asyncDispose]() {
        open = false;
        listeners.delete(port);
        wake?.();
        return Promise.resolve();
      },
    });
  }
}
