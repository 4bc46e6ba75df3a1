/**
 * TLS 1.3 towards whoever connects. The runtime's own listener takes TLS 1.2 as well and cannot be
 * told otherwise, so this is Node's. RFC 8446
 * @module
 */
import { createServer, type Server, type TLSSocket } from "node:tls";
import { LinkDownError, OsError } from "../base/errors.ts";
import type { ByteConn } from "./drive.ts";
import type { AcceptedConn, Endpoint, Listener, TlsIdentity } from "./ports.ts";

/** Handshakes that wait to be taken. */
const WAITING_MAX = 512;
/** How long a handshake may take, in milliseconds. */
const HANDSHAKE_MAX = 10_000;

/** @throws OsError when the address cannot be bound, or the certificate and key do not fit. */
export async function listenTls(on: Endpoint, identity: TlsIdentity): Promise<Listener> {
  let server: Server;
  try {
    server = createServer({
      cert: identity.certificate,
      key: identity.key,
      minVersion: "TLSv1.3",
      allowHalfOpen: true,
      handshakeTimeout: HANDSHAKE_MAX,
    });
  } catch (error) {
    throw fault("EINVAL", `Certificate and key cannot be used: ${textOf(error)}`, error);
  }
  const listener = new TlsListener(server);
  const bound = Promise.withResolvers<void>();
  server.once("error", bound.reject);
  server.listen(on.port, on.host, WAITING_MAX, () => bound.resolve());
  try {
    await bound.promise;
  } catch (error) {
    const errno = (error as { code?: string }).code ?? "EIO";
    throw fault(errno, `Cannot listen on ${on.host}:${on.port} (${errno})`, error);
  }
  return listener;
}

class TlsListener implements Listener {
  readonly #server: Server;
  readonly #waiting: AcceptedConn[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(server: Server) {
    this.#server = server;
    server.on("secureConnection", (socket: TLSSocket) => this.#take(socket));
    // A handshake that fails is the peer's business.
    server.on("tlsClientError", (_error: Error, socket: TLSSocket) => socket.destroy());
  }

  get local(): Endpoint {
    const { address, port } = this.#server.address() as { address: string; port: number };
    return { host: address, port };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AcceptedConn> {
    while (!this.#closed) {
      const next = this.#waiting.shift();
      if (next) yield next;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) this.#server.close();
    this.#closed = true;
    this.#wake?.();
    return Promise.resolve();
  }

  #take(socket: TLSSocket): void {
    if (this.#closed || this.#waiting.length >= WAITING_MAX) return void socket.destroy();
    socket.setNoDelay(true);
    this.#waiting.push({
      conn: new TlsConn(socket),
      remote: { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
    });
    this.#wake?.();
  }
}

class TlsConn implements ByteConn {
  readonly #socket: TLSSocket;
  readonly #chunks: AsyncIterator<Uint8Array>;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("error", () => socket.destroy());
    // The end of what the peer sends is not the end of the connection.
    this.#chunks = socket.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  }

  async read(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      return done ? undefined : value;
    } catch (error) {
      throw lost("tcp.read", error);
    }
  }

  write(octets: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#socket.destroyed) reject(lost("tcp.write", new Error("closed")));
    else {
      this.#socket.once("close", resolve);
      this.#socket.write(octets, (error) => {
        this.#socket.off("close", resolve);
        if (error) reject(lost("tcp.write", error));
        else resolve();
      });
    }
    return promise;
  }

  finish(): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }
}

function lost(code: string, cause: unknown): LinkDownError {
  return new LinkDownError(code, "Connection was lost", { cause: textOf(cause) }, { cause });
}

function fault(errno: string, message: string, cause: unknown): OsError {
  return new OsError("tls.listen", message, { syscall: "listen", errno }, { cause });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
