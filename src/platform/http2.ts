/**
 * What both ends of HTTP/2 have in common: a connection whose peer may not read, and a stream on it
 * as a {@linkcode ByteConn}. The frames are Node's. RFC 9113
 * @module
 */
import type { Http2Session, Http2Stream, IncomingHttpHeaders, Settings } from "node:http2";
import type { Socket } from "node:net";
import { addAbortSignal } from "node:stream";
import { BugError, LinkDownError } from "../base/errors.ts";
import type { ByteConn } from "./drive.ts";
import type { HttpHeaders } from "./ports.ts";

/** Streams that a peer may have open on a connection at the same time. */
export const STREAMS_MAX = 2048;
/** Octets that a peer may send on a stream ahead of who reads it. */
const STREAM_WINDOW = 65_535;
/** Octets of the fields of a message, and how many fields there may be. */
const HEADERS_MAX = 16 * 1024;
const HEADER_COUNT_MAX = 64;
/** Octets that wait for the socket of a connection before its writers have to wait. */
const UNSENT_MAX = 256 * 1024;
/** Octets that leave in one piece, so that a long write does not hold up those of other streams. */
const PIECE = 16 * 1024;
/** What the answer to a PING, to SETTINGS or to a stream costs at the most likely, in octets. */
const ANSWER_COST = 64;
/** Octets of such answers that a peer may leave unread. */
const UNREAD_MAX = 1024 * 1024;
/** How long the last frames of a connection may take to leave, in milliseconds. */
const LINGER = 1_000;

const SETTINGS: Settings = {
  enablePush: false,
  initialWindowSize: STREAM_WINDOW,
  maxConcurrentStreams: STREAMS_MAX,
  maxHeaderListSize: HEADERS_MAX,
};

/** The limits, as Node's sessions take them. */
export const SESSION_OPTIONS = {
  settings: SETTINGS,
  maxHeaderListPairs: HEADER_COUNT_MAX,
} as const;

/** One connection, whichever side has opened it. */
export class Http2Link {
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>;
  readonly #session: Http2Session;
  readonly #socket: Socket;
  readonly #pipes = new Set<Http2Pipe>();
  readonly #waiting: (() => void)[] = [];
  /** Octets written in this turn of the event loop; the socket gets them at its end. */
  #turn = 0;
  /** Octets that answer the peer's frames, since the socket was last empty. */
  #unread = 0;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(session: Http2Session, socket: Socket) {
    this.#session = session;
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.once("close", () => clearTimeout(this.#linger));
    socket.on("drain", () => this.#wake());
    // Whatever it was, the session ends, and its streams tell that they were lost.
    session.on("error", () => this.end());
    socket.on("error", () => this.end());
    // A GOAWAY makes Node close the session within nghttp2's own call, which aborts the process
    // when streams still have something to send.
    (session as { close: () => void }).close = () => setTimeout(() => this.end(), 0);
    session.on("ping", () => this.answer());
    session.on("remoteSettings", () => this.answer());
  }

  /**
   * Counts a frame that has to be answered. Node's flood detection sees the frames of one read
   * only: a peer that never reads could have us queue its answers for ever.
   */
  answer(): void {
    this.#unread = this.#socket.writableLength === 0 ? 0 : this.#unread + ANSWER_COST;
    if (this.#unread > UNREAD_MAX) this.end();
  }

  /**
   * Waits until the socket has room. Node's streams obey the window of the peer only: a peer with
   * wide windows that does not read its socket is not waited for.
   */
  async room(count: number, stream: Http2Stream): Promise<void> {
    while (this.#turn + this.#socket.writableLength >= UNSENT_MAX && !stream.closed) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#turn === 0) {
      setImmediate(() => {
        this.#turn = 0;
        this.#wake();
      });
    }
    this.#turn += count;
  }

  /** Tells the peer with GOAWAY, cancels all streams and closes the socket. */
  end(): void {
    if (this.#linger !== undefined || this.#socket.destroyed) return;
    // The session waits for a peer that takes nothing, or that does not close its side.
    this.#linger = setTimeout(() => this.#socket.destroy(), LINGER);
    // Or else each would end with NO_ERROR, as if there had been no more to come.
    for (const pipe of this.#pipes) pipe.cancel();
    this.#session.destroy();
  }

  /** Has a stream cancelled when the connection is ended before it. */
  keep(pipe: Http2Pipe, stream: Http2Stream): void {
    this.#pipes.add(pipe);
    stream.once("close", () => {
      this.#pipes.delete(pipe);
      this.#wake();
    });
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** One stream of a connection. */
export class Http2Pipe implements ByteConn {
  readonly #stream: Http2Stream;
  readonly #link: Http2Link;
  #cancelled = false;
  /** Whether the peer has said all it has to say; not so when the stream was cut off. */
  #complete: boolean;
  #listening = false;
  #wake: () => void = () => {};

  constructor(stream: Http2Stream, link: Http2Link) {
    this.#stream = stream;
    this.#link = link;
    link.keep(this, stream);
    // What came together with the request has been taken before anybody could listen.
    this.#complete = !stream.closed && stream.state.remoteClose === 1;
    // Node ends a stream's body in the same way whether END_STREAM came or the stream was lost;
    // only by now can they be told apart.
    const push = stream.push;
    stream.push = (chunk, encoding) => {
      if (chunk === null && !stream.closed) this.#complete = true;
      return push.call(stream, chunk, encoding);
    };
    const wake = () => this.#wake();
    stream.on("close", wake);
    stream.on("end", wake);
    stream.on("error", wake);
  }

  /** Whether it was this side that has reset it. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Whether all that the peer had to say has come. */
  get complete(): boolean {
    return this.#complete;
  }

  async read(): Promise<Uint8Array | undefined> {
    const stream = this.#stream;
    if (!this.#listening) stream.on("readable", () => this.#wake());
    this.#listening = true;
    for (;;) {
      const chunk: Uint8Array | null = stream.read();
      // A plain view: `slice` of a Buffer would share what the caller means to copy.
      if (chunk) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (this.#complete && stream.readableLength === 0) return undefined;
      if (stream.closed || stream.destroyed) throw this.#lost("http2.read");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length; at += PIECE) {
      const piece = octets.subarray(at, at + PIECE);
      await this.#link.room(piece.length, this.#stream);
      await this.#settle("http2.write", (done) => {
        if (this.#stream.writableEnded) {
          throw new BugError("http2.write.ended", "Stream was written to after its end");
        }
        this.#stream.write(piece, done);
      });
    }
  }

  async finish(): Promise<void> {
    if (this.#stream.writableFinished) return;
    await this.#settle("http2.finish", (done) => {
      this.#stream.once("finish", done);
      this.#stream.end();
    });
    await this.left();
  }

  /** Waits for END_STREAM to leave: Node tells the end before, and a reset would overtake it. */
  protected left(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#stream.destroyed) this.#stream.destroy();
    return Promise.resolve();
  }

  /**
   * Resets the stream. Node's own `close(CANCEL)` first sends END_STREAM, and so makes half a
   * message look whole; only an aborted signal is CANCEL and nothing else.
   */
  cancel(): void {
    if (this.#stream.destroyed) return;
    this.#cancelled = true;
    addAbortSignal(AbortSignal.abort(), this.#stream);
  }

  /** Does something that calls back, unless the stream ends before. */
  async #settle(code: string, act: (done: (error?: Error | null) => void) => void): Promise<void> {
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) throw this.#lost(code);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const gone = () => reject(this.#lost(code));
    stream.once("close", gone);
    try {
      act((error) => error ? reject(this.#lost(code, error)) : resolve());
      await promise;
    } finally {
      stream.off("close", gone);
    }
  }

  #lost(code: string, cause?: Error): LinkDownError {
    const why = cause?.message ?? `stream ended with code ${this.#stream.rstCode}`;
    return new LinkDownError(code, "Stream was lost", { cause: why }, { cause });
  }
}

/** The fields of a message, without those that are HTTP/2's own. */
export function fieldsOf(headers: IncomingHttpHeaders): HttpHeaders {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    fields.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return fields;
}
