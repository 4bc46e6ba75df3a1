/** HTTP/2 towards a server: by TLS and ALPN, or by prior knowledge. RFC 9113 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { BugError, LinkDownError } from "../base/errors.ts";
import { fieldsOf, Http2Link, Http2Pipe, SESSION_OPTIONS } from "./http2.ts";
import type {
  Endpoint,
  HttpAnswer,
  HttpConn,
  HttpHeaders,
  HttpRequest,
  TlsClient,
} from "./ports.ts";
import { connectTls, textOf } from "./tls.ts";

/**
 * Connects, and waits for the server's settings.
 * @throws LinkDownError when the server cannot be reached, does not speak HTTP/2, or `signal`
 *   aborts.
 */
export async function dialHttp2(
  to: Endpoint,
  signal: AbortSignal,
  tls?: TlsClient,
): Promise<HttpConn> {
  const socket = tls
    ? await connectTls(to, signal, tls, ["h2"])
    : connectTcp({ host: to.host, port: to.port });
  const done = Promise.withResolvers<void>();
  const gone = () => done.reject(new Error("ended before it was established"));
  // With the settings of TLS 1.3 the server has also looked at the certificate.
  try {
    socket.once("error", done.reject);
    socket.once("close", gone);
    signal.addEventListener("abort", gone, { once: true });
    signal.throwIfAborted();
    if (tls && (socket as { alpnProtocol?: unknown }).alpnProtocol !== "h2") {
      throw new Error("server does not speak HTTP/2");
    }
    const session = connect(`${tls ? "https" : "http"}://${authorityOf(to)}`, {
      ...SESSION_OPTIONS,
      createConnection: () => socket,
    });
    session.once("error", done.reject);
    session.once("remoteSettings", () => done.resolve());
    const conn = new Http2ClientConn(session, socket);
    await done.promise;
    return conn;
  } catch (error) {
    socket.on("error", () => {}); // What comes after the first error says nothing new.
    socket.destroy();
    const why = textOf(error);
    const what = `Cannot connect to ${to.host}:${to.port} by HTTP/2: ${why}`;
    throw new LinkDownError("http2.dial", what, { cause: why }, { cause: error });
  } finally {
    socket.off("close", gone);
    signal.removeEventListener("abort", gone);
  }
}

function authorityOf({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

class Http2ClientConn implements HttpConn {
  readonly #session: ClientHttp2Session;
  readonly #link: Http2Link;

  constructor(session: ClientHttp2Session, socket: Socket) {
    this.#session = session;
    this.#link = new Http2Link(session, socket);
    socket.setNoDelay(true);
  }

  async open(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    // The server would close the connection for it, with all its streams.
    if (!request.path.startsWith("/")) {
      throw new BugError("http2.open.path", "Path of a request does not begin with a slash");
    }
    let answer: Answer | undefined;
    const done = Promise.withResolvers<void>();
    const gone = () => done.reject(new Error("ended before it was answered"));
    signal.addEventListener("abort", gone, { once: true });
    try {
      signal.throwIfAborted();
      const { method, path, headers, body } = request;
      const fields = { ...headers, ":method": method, ":path": path };
      const stream = this.#session.request(fields, { endStream: false });
      answer = new Answer(stream, this.#link);
      stream.once("error", done.reject);
      stream.once("close", gone);
      stream.once("response", (head) => {
        answer!.begin(head);
        done.resolve();
      });
      if (body) stream.end(body);
      await done.promise;
      return answer;
    } catch (error) {
      answer?.cancel();
      const why = textOf(error);
      const what = `Request was not answered: ${why}`;
      throw new LinkDownError("http2.open", what, { cause: why }, { cause: error });
    } finally {
      signal.removeEventListener("abort", gone);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link.end();
    await this.#link.closed;
  }
}

class Answer extends Http2Pipe implements HttpAnswer {
  status = 0;
  headers: HttpHeaders = new Map();
  readonly #stream: ClientHttp2Stream;

  constructor(stream: ClientHttp2Stream, link: Http2Link) {
    super(stream, link);
    this.#stream = stream;
  }

  /** Takes the head of the answer. */
  begin(head: IncomingHttpHeaders & { readonly ":status"?: number | undefined }): void {
    this.status = head[":status"] ?? 0;
    this.headers = fieldsOf(head);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.complete && this.#stream.writableFinished) await super[Symbol.asyncDispose]();
    else this.cancel();
  }
}
