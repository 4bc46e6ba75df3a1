/**
 * HTTP/2 towards whoever connects: with TLS where a certificate is given, and only for those who
 * ask for `h2` then; else by prior knowledge. RFC 9113
 * @module
 */
import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { BugError, LinkDownError } from "../base/errors.ts";
import { fieldsOf, Http2Link, Http2Pipe, SESSION_OPTIONS, STREAMS_MAX } from "./http2.ts";
import type { Endpoint, HttpHeaders, HttpListener, HttpStream, TlsServer } from "./ports.ts";
import { bind, shownNames, textOf, tlsServer, unwanted } from "./tls.ts";

/** Connections at the same time; further ones are closed at once. */
const CONNECTIONS_MAX = 1024;
/** Streams that wait to be taken; further ones are refused. */
const WAITING_MAX = STREAMS_MAX;
/** How long a connection may take until its settings are there, in milliseconds. */
const HANDSHAKE_MAX = 10_000;
/** How long a connection may be without any stream, in milliseconds. */
const IDLE_MAX = 60_000;
/** Streams that a client may reset within {@linkcode RESETS_TIME}. CVE-2023-44487 */
const RESETS_MAX = 1000;
/** In milliseconds. */
const RESETS_TIME = 10_000;
/** Status codes of answers that have no body: Node ends them with their head. RFC 9110 */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** @throws OsError when the address cannot be bound, or the certificate and key do not fit. */
export async function listenHttp2(on: Endpoint, tls?: TlsServer): Promise<HttpListener> {
  const server = tls ? tlsServer(tls, { ALPNProtocols: ["h2"] }) : createServer();
  server.maxConnections = CONNECTIONS_MAX;
  const listener = new Http2Listener(server, tls);
  await bind(server, on, "http2.listen");
  return listener;
}

class Http2Listener implements HttpListener {
  readonly #server: Server;
  readonly #tls: TlsServer | undefined;
  /** All sockets, also those whose handshake has not ended. */
  readonly #sockets = new Set<Socket>();
  readonly #links = new Set<Http2Link>();
  readonly #waiting: ServerStream[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(server: Server, tls: TlsServer | undefined) {
    this.#server = server;
    this.#tls = tls;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      if (!tls) this.#take(socket, {});
    });
    server.on("secureConnection", (socket: TLSSocket) => this.#takeTls(socket));
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      tls?.refused?.(textOf(error));
      socket.destroy();
    });
  }

  get local(): Endpoint {
    const { address, port } = this.#server.address() as { address: string; port: number };
    return { host: address, port };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<HttpStream> {
    while (!this.#closed) {
      const next = this.#waiting.shift();
      if (!next) await new Promise<void>((resolve) => this.#wake = resolve);
      else if (!next.gone) yield next;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake?.();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const links = [...this.#links];
    for (const link of links) link.end();
    await Promise.all(links.map((link) => link.closed));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #takeTls(socket: TLSSocket): void {
    const tls = this.#tls!;
    const why = socket.alpnProtocol === "h2" ? unwanted(socket, tls) : "does not ask for HTTP/2";
    if (why === undefined) return this.#take(socket, shownNames(socket, tls));
    tls.refused?.(why);
    // What comes of a socket that is not wanted says nothing.
    socket.on("error", () => socket.destroy());
    socket.destroy();
  }

  #take(socket: Socket, peer: { readonly names?: readonly string[] }): void {
    if (this.#closed || socket.destroyed) return void socket.destroy();
    socket.setNoDelay(true);
    const conn = new ServerConn(socket, peer.names, (stream) => this.#queue(stream));
    this.#links.add(conn.link);
    conn.link.closed.then(() => this.#links.delete(conn.link));
  }

  #queue(stream: ServerStream): void {
    if (this.#closed || this.#waiting.length >= WAITING_MAX) return stream.refuse();
    this.#waiting.push(stream);
    this.#wake?.();
  }
}

/** Closes a connection that does not shake hands, lies idle, or resets stream after stream. */
class ServerConn {
  readonly link: Http2Link;
  readonly #session: ServerHttp2Session;
  #alarm: ReturnType<typeof setTimeout> | undefined;
  #streams = 0;
  #resets = 0;
  #since = performance.now();

  constructor(
    socket: Socket,
    names: readonly string[] | undefined,
    queue: (stream: ServerStream) => void,
  ) {
    const remote = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    this.#session = performServerHandshake(socket, SESSION_OPTIONS);
    this.link = new Http2Link(this.#session, socket);
    this.link.closed.then(() => clearTimeout(this.#alarm));
    this.#within(HANDSHAKE_MAX);
    this.#session.once("remoteSettings", () => {
      if (this.#streams === 0) this.#within(IDLE_MAX);
    });
    this.#session.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      this.link.answer();
      // What is wrong with a stream is told by whoever reads and writes it.
      stream.on("error", () => stream.destroy());
      if (stream.destroyed || stream.closed) return this.#reset();
      const pipe = new ServerStream(stream, this.link, headers, remote, names);
      this.#streams += 1;
      this.#within(undefined);
      stream.once("close", () => {
        this.#streams -= 1;
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR && !pipe.cancelled) this.#reset();
        if (this.#streams === 0) this.#within(IDLE_MAX);
      });
      queue(pipe);
    });
  }

  #within(time: number | undefined): void {
    clearTimeout(this.#alarm);
    if (time === undefined || this.#session.destroyed) return;
    this.#alarm = setTimeout(() => this.link.end(), time);
  }

  #reset(): void {
    const now = performance.now();
    if (now - this.#since > RESETS_TIME) [this.#resets, this.#since] = [0, now];
    this.#resets += 1;
    if (this.#resets > RESETS_MAX) this.link.end();
  }
}

class ServerStream extends Http2Pipe implements HttpStream {
  readonly method: string;
  readonly path: string;
  readonly headers: HttpHeaders;
  readonly names?: readonly string[];
  readonly #stream: ServerHttp2Stream;
  #refused = false;
  #bodiless: boolean;

  constructor(
    stream: ServerHttp2Stream,
    link: Http2Link,
    headers: IncomingHttpHeaders,
    readonly remote: Endpoint,
    names: readonly string[] | undefined,
  ) {
    super(stream, link);
    this.#stream = stream;
    this.method = headers[":method"] ?? "";
    this.#bodiless = this.method === "HEAD";
    this.path = headers[":path"] ?? "";
    this.headers = fieldsOf(headers);
    if (names) this.names = names;
  }

  override get cancelled(): boolean {
    return this.#refused || super.cancelled;
  }

  /** Whether the client has cancelled it, or is gone. */
  get gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  /** Tells the client that nothing was done about it, so that it may ask again. */
  refuse(): void {
    this.#refused = true;
    this.#stream.close(constants.NGHTTP2_REFUSED_STREAM);
  }

  respond(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#stream.headersSent) {
      throw new BugError("http2.respond.again", "Stream was answered before");
    }
    if (this.gone) throw new LinkDownError("http2.respond", "Stream was lost");
    if (BODILESS.has(status)) this.#bodiless = true;
    this.#stream.respond({ ...headers, ":status": status });
  }

  override async write(octets: Uint8Array): Promise<void> {
    this.#begun();
    if (!this.#bodiless) await super.write(octets);
  }

  override async finish(): Promise<void> {
    this.#begun();
    if (this.#bodiless) await this.left();
    else await super.finish();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    // Whoever has the whole answer is told by NO_ERROR that the rest of the request is not wanted.
    if (this.#bodiless || this.#stream.writableFinished) await super[Symbol.asyncDispose]();
    else this.cancel();
  }

  #begun(): void {
    if (this.gone || this.#stream.headersSent) return;
    throw new BugError("http2.respond.absent", "Stream was written to before it was answered");
  }
}
