/**
 * TLS 1.3, or 1.2 where it has to be, towards whoever connects and whom is connected to. The
 * runtime's own listener asks nobody for a certificate and its versions cannot be chosen, so this
 * is Node's. There is no renegotiation, no compression, and no suite without forward secrecy: the
 * library beneath has none. RFC 8446, RFC 5246; IEC 62351-3 for telecontrol
 * @module
 */
import type { Server as TcpServer } from "node:net";
import {
  checkServerIdentity,
  connect,
  createServer,
  type PeerCertificate,
  type Server,
  type TlsOptions,
  type TLSSocket,
} from "node:tls";
import { LinkDownError, OsError } from "../base/errors.ts";
import type { ByteConn } from "./drive.ts";
import type {
  AcceptedConn,
  Endpoint,
  Listener,
  TlsClient,
  TlsServer,
  TlsTrust,
  TlsVersion,
} from "./ports.ts";

/** Handshakes that wait to be taken. */
const WAITING_MAX = 512;
/** How long a handshake may take, in milliseconds. */
const HANDSHAKE_MAX = 10_000;

const VERSIONS = { "1.2": "TLSv1.2", "1.3": "TLSv1.3" } as const satisfies Record<
  TlsVersion,
  string
>;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Connects, and shows a certificate where the server asks for one.
 * @throws LinkDownError when the server cannot be reached, is not believed, or `signal` aborts.
 */
export async function dialTls(
  to: Endpoint,
  signal: AbortSignal,
  client: TlsClient,
): Promise<ByteConn> {
  return new TlsConn(await connectTls(to, signal, client));
}

/**
 * The socket of {@linkcode dialTls} itself, for what else speaks by TLS.
 * @param protocols Names of ALPN to offer; what was agreed is the socket's `alpnProtocol`. RFC 7301
 * @throws LinkDownError when the server cannot be reached, is not believed, or `signal` aborts.
 */
export async function connectTls(
  to: Endpoint,
  signal: AbortSignal,
  { certificate, key, least, server }: TlsClient,
  protocols: readonly string[] = [],
): Promise<TLSSocket> {
  const done = Promise.withResolvers<void>();
  const gone = () => done.reject(new Error("ended before it was established"));
  let socket: TLSSocket | undefined;
  try {
    signal.throwIfAborted();
    socket = connect({
      host: to.host,
      port: to.port,
      cert: certificate,
      key,
      ca: authorities(server),
      minVersion: VERSIONS[least],
      ...(protocols.length > 0 ? { ALPNProtocols: [...protocols] } : {}),
      checkServerIdentity: (host, shown) => {
        const { peers } = server;
        if (!peers) return checkServerIdentity(host, shown);
        if (isOneOf(shown, peers)) return undefined;
        return new Error(`certificate of ${nameOf(shown)} is none of the peers`);
      },
    }, () => done.resolve());
    socket.once("error", done.reject);
    socket.once("close", gone);
    signal.addEventListener("abort", gone, { once: true });
    await done.promise;
    socket.setNoDelay(true);
    return socket;
  } catch (error) {
    socket?.on("error", () => {}); // What comes after the first error says nothing new.
    socket?.destroy();
    const why = textOf(error);
    const what = `Cannot connect to ${to.host}:${to.port} by TLS: ${why}`;
    throw new LinkDownError("tls.dial", what, { cause: why }, { cause: error });
  } finally {
    socket?.off("close", gone);
    signal.removeEventListener("abort", gone);
  }
}

/** Each certificate of a PEM text by itself. */
function authorities({ authority }: TlsTrust): string[] {
  return authority.match(PEM) ?? [];
}

/** Whether a certificate has one of the names or fingerprints. */
function isOneOf(shown: PeerCertificate, peers: readonly string[]): boolean {
  const fingerprint = plainHex(shown.fingerprint256);
  const names = new Set(namesOf(shown).map((name) => name.toLowerCase()));
  return peers.some((peer) => names.has(peer.toLowerCase()) || plainHex(peer) === fingerprint);
}

/** The common name and the alternative names of a certificate. */
function namesOf(shown: PeerCertificate): string[] {
  const alternative = (shown.subjectaltname ?? "").split(", ").map((one) =>
    one.slice(one.indexOf(":") + 1)
  );
  return [nameOf(shown), ...alternative].filter((name) => name !== "");
}

function plainHex(text: string): string {
  return text.replaceAll(":", "").toLowerCase();
}

function nameOf({ subject }: PeerCertificate): string {
  return String(subject?.CN ?? "");
}

/** @throws OsError when the address cannot be bound, or the certificate and key do not fit. */
export async function listenTls(on: Endpoint, options: TlsServer): Promise<Listener> {
  const server = tlsServer(options, { allowHalfOpen: true });
  const listener = new TlsListener(server, options);
  await bind(server, on, "tls.listen");
  return listener;
}

/**
 * A server that is not bound, with the versions and the trust of `options`; who it takes is still
 * to be asked by {@linkcode unwanted}.
 * @throws OsError when the certificate and key do not fit.
 */
export function tlsServer(options: TlsServer, more: TlsOptions): Server {
  const { certificate, key, clients, least = "1.3" } = options;
  try {
    return createServer({
      cert: certificate,
      key,
      minVersion: VERSIONS[least],
      ...(clients ? { requestCert: true, rejectUnauthorized: true, ca: authorities(clients) } : {}),
      handshakeTimeout: HANDSHAKE_MAX,
      ...more,
    });
  } catch (error) {
    const what = `Certificate and key cannot be used: ${textOf(error)}`;
    throw fault("tls.listen", "EINVAL", what, error);
  }
}

/** Binds a server of Node. @throws OsError with `code` when the address cannot be bound. */
export async function bind(server: TcpServer, on: Endpoint, code: string): Promise<void> {
  const bound = Promise.withResolvers<void>();
  server.once("error", bound.reject);
  server.listen(on.port, on.host, WAITING_MAX, () => bound.resolve());
  try {
    await bound.promise;
  } catch (error) {
    const errno = (error as { code?: string }).code ?? "EIO";
    throw fault(code, errno, `Cannot listen on ${on.host}:${on.port} (${errno})`, error);
  }
}

/** Why a client of the right authority is not taken all the same; undefined when it is. */
export function unwanted(socket: TLSSocket, { clients }: TlsServer): string | undefined {
  if (!clients?.peers) return undefined;
  const certificate = socket.getPeerCertificate();
  if (isOneOf(certificate, clients.peers)) return undefined;
  return `certificate of ${nameOf(certificate)} is none of the peers`;
}

/** The names of a client that was asked for its certificate. */
export function shownNames(
  socket: TLSSocket,
  { clients }: TlsServer,
): { readonly names?: readonly string[] } {
  return clients ? { names: namesOf(socket.getPeerCertificate()) } : {};
}

class TlsListener implements Listener {
  readonly #server: Server;
  readonly #options: TlsServer;
  readonly #waiting: AcceptedConn[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(server: Server, options: TlsServer) {
    this.#server = server;
    this.#options = options;
    server.on("secureConnection", (socket: TLSSocket) => this.#take(socket));
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      options.refused?.(textOf(error));
      socket.destroy();
    });
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
    const why = unwanted(socket, this.#options);
    if (why !== undefined) {
      this.#options.refused?.(why);
      return void socket.destroy();
    }
    socket.setNoDelay(true);
    this.#waiting.push({
      conn: new TlsConn(socket),
      remote: { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
      ...shownNames(socket, this.#options),
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

function fault(code: string, errno: string, message: string, cause: unknown): OsError {
  return new OsError(code, message, { syscall: "listen", errno }, { cause });
}

/** What anything that was thrown says. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
