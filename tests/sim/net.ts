/** TCP in memory: listeners that tests dial, with peers that may stop reading. */
import { BugError, LinkDownError, OsError } from "../../src/base/errors.ts";
import type {
  AcceptedConn,
  ByteConn,
  Endpoint,
  HttpAnswer,
  HttpConn,
  HttpHeaders,
  HttpListener,
  HttpRequest,
  HttpStream,
  Listener,
  Net,
} from "../../src/platform/ports.ts";

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

/** Octets of a stream of HTTP/2 that are taken ahead of who reads it. */
const STREAM_WINDOW = 64 * 1024;

/** One end of a stream of HTTP/2 in memory, with back-pressure. */
class SimPipe implements ByteConn {
  peer!: SimPipe;
  reset = false;
  readonly #inbox: Uint8Array[] = [];
  #size = 0;
  protected ended = false;
  #waiting: (() => void)[] = [];

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#inbox.shift();
      this.#size -= chunk?.length ?? 0;
      if (chunk) {
        this.wake();
        return chunk;
      }
      if (this.peer.ended) return undefined;
      await this.#wait();
    }
  }

  async write(octets: Uint8Array): Promise<void> {
    while (this.peer.#size >= STREAM_WINDOW) await this.#wait();
    if (this.reset) throw gone();
    this.peer.#inbox.push(octets.slice());
    this.peer.#size += octets.length;
    this.wake();
  }

  finish(): Promise<void> {
    if (this.reset) return Promise.reject(gone());
    this.ended = true;
    this.wake();
    return Promise.resolve();
  }

  /** Whether this end needs the stream no more. */
  protected get over(): boolean {
    return this.ended && this.peer.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.over) this.cancel();
    return Promise.resolve();
  }

  cancel(): void {
    this.reset = this.peer.reset = true;
    this.wake();
  }

  wake(): void {
    for (const end of [this, this.peer]) {
      for (const resolve of end.#waiting.splice(0)) resolve();
    }
  }

  async #wait(): Promise<void> {
    if (this.reset) throw gone();
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

class SimStream extends SimPipe implements HttpStream {
  readonly method: string;
  readonly path: string;
  readonly headers: HttpHeaders;
  readonly #answer: SimAnswer;

  constructor(request: HttpRequest, readonly remote: Endpoint, answer: SimAnswer) {
    super();
    this.method = request.method;
    this.path = request.path;
    this.headers = new Map(Object.entries(request.headers ?? {}));
    this.#answer = answer;
    [this.peer, answer.peer] = [answer, this];
  }

  respond(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (this.reset) throw gone();
    if (this.#answer.status !== 0) throw new BugError("sim.again", "Answered before");
    this.#answer.status = status;
    this.#answer.headers = new Map(Object.entries(headers));
    this.#answer.begun.resolve();
  }

  override write(octets: Uint8Array): Promise<void> {
    return this.#begun()
      ? super.write(octets)
      : Promise.reject(new BugError("sim.absent", "Early"));
  }

  override finish(): Promise<void> {
    return this.#begun() ? super.finish() : Promise.reject(new BugError("sim.absent", "Early"));
  }

  override cancel(): void {
    super.cancel();
    this.#answer.begun.reject(gone());
  }

  /** Who has the whole answer does not mind that the rest of the request is not wanted. */
  protected override get over(): boolean {
    return this.ended;
  }

  #begun(): boolean {
    return this.reset || this.#answer.status !== 0;
  }
}

class SimAnswer extends SimPipe implements HttpAnswer {
  status = 0;
  headers: HttpHeaders = new Map();
  readonly begun = Promise.withResolvers<void>();

  constructor() {
    super();
    this.begun.promise.catch(() => {}); // Whoever opened it may have gone before.
  }
}

/** The client's end of a connection of HTTP/2 in memory. */
class SimHttpConn implements HttpConn {
  readonly #streams: SimStream[] = [];
  #closed = false;

  constructor(readonly remote: Endpoint, readonly accept: (stream: SimStream) => boolean) {}

  async open(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const answer = new SimAnswer();
    const stream = new SimStream(request, this.remote, answer);
    if (signal.aborted || this.#closed || !this.accept(stream)) throw gone();
    this.#streams.push(stream);
    const abort = () => void stream.cancel();
    signal.addEventListener("abort", abort, { once: true });
    try {
      if (request.body) {
        await answer.write(request.body);
        await answer.finish();
      }
      await answer.begun.promise;
      return answer;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Cancels all its streams. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const stream of this.#streams.splice(0)) stream.cancel();
    return Promise.resolve();
  }
}

function gone(): LinkDownError {
  return new LinkDownError("sim.lost", "Stream was lost");
}

/** What a listener of either kind has in common: a queue that is iterated until it is disposed. */
class SimQueue<Item> implements AsyncDisposable {
  readonly #queue: Item[] = [];
  #wake: (() => void) | undefined;
  #open = true;

  constructor(readonly local: Endpoint, readonly close: () => void | Promise<void>) {}

  push(item: Item): boolean {
    if (this.#open) this.#queue.push(item);
    this.#wake?.();
    return this.#open;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    while (this.#open) {
      const next = this.#queue.shift();
      if (next) yield next;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open = false;
    this.#wake?.();
    await this.close();
  }
}

/** A network where every address leads to the same host, unless it is away. */
export class SimNet implements Net {
  /** Addresses that cannot be reached. */
  readonly away = new Set<string>();
  /** Every try of a connection, as `host:port`. */
  readonly tries: string[] = [];
  readonly #listeners = new Map<number, (accepted: AcceptedConn) => void>();
  readonly #http = new Map<number, (remote: Endpoint) => HttpConn>();
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

  // deno-lint-ignore require-await -- A port that is taken rejects, as with the system.
  async listen(on: Endpoint): Promise<Listener> {
    const port = this.#port(on);
    const listener = new SimQueue<AcceptedConn>(
      { host: on.host, port },
      () => void this.#listeners.delete(port),
    );
    this.#listeners.set(port, (accepted) => listener.push(accepted));
    return listener;
  }

  dialHttp2(to: Endpoint): Promise<HttpConn> {
    this.tries.push(`${to.host}:${to.port}`);
    const accept = this.away.has(to.host) ? undefined : this.#http.get(to.port);
    if (!accept) return Promise.reject(new LinkDownError("sim.refused", "Refused"));
    return Promise.resolve(accept({ host: "127.0.0.1", port: this.#next++ }));
  }

  // deno-lint-ignore require-await -- As above.
  async listenHttp2(on: Endpoint): Promise<HttpListener> {
    const port = this.#port(on);
    const conns: SimHttpConn[] = [];
    const listener = new SimQueue<HttpStream>({ host: on.host, port }, async () => {
      this.#http.delete(port);
      for (const conn of conns.splice(0)) await conn[Symbol.asyncDispose]();
    });
    this.#http.set(port, (remote) => {
      const conn = new SimHttpConn(remote, (stream) => listener.push(stream));
      conns.push(conn);
      return conn;
    });
    return listener;
  }

  /** @throws OsError when it is taken. */
  #port(on: Endpoint): number {
    const port = on.port === 0 ? this.#next++ : on.port;
    if (!this.#listeners.has(port) && !this.#http.has(port)) return port;
    throw new OsError("tcp.listen", "Taken", { errno: "EADDRINUSE" });
  }
}
