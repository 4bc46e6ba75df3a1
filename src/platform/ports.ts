/**
 * What services of the control plane may ask of the system. Each port has a twin in `tests/sim/`;
 * a service cannot tell which one it has. (The ports of the byte plane are in `hot.ts`.)
 * @module
 */
export type { Clock } from "./clock.ts";
export type { ByteConn } from "./drive.ts";
import type { ByteConn } from "./drive.ts";

/** Where a TCP connection leads to or comes from. */
export interface Endpoint {
  /** A numeric address or a name. */
  readonly host: string;
  readonly port: number;
}

/** A socket that accepts connections until it is disposed. */
export interface Listener extends AsyncDisposable, AsyncIterable<AcceptedConn> {
  /** The address it is bound to; tells the port when 0 was asked for. */
  readonly local: Endpoint;
}

/** One accepted connection. */
export interface AcceptedConn {
  readonly conn: ByteConn;
  readonly remote: Endpoint;
  /** Names in the certificate that the peer has shown; absent where it was not asked for one. */
  readonly names?: readonly string[];
}

/** Files, as services see them. */
export interface Files {
  /** A text file as a whole. @throws OsError */
  read(path: string): Promise<string>;
  /** The octets of a file as a whole. @throws OsError, also when it is longer than `most`. */
  octets(path: string, most: number): Promise<Uint8Array>;
  /**
   * Replaces a file as a whole: a reader sees the old text or the new one, never a part, and a disk
   * that is full leaves the old one.
   * @throws OsError
   */
  replace(path: string, text: string): Promise<void>;
}

/** What a program that has ended leaves. */
export interface ProgramResult {
  readonly code: number;
  /** What it wrote, cut at {@linkcode OUTPUT_MAX} octets each. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Most octets that are kept of what a program writes. */
export const OUTPUT_MAX = 1024 * 1024;

/** Other programs of this host. */
export interface Programs {
  /**
   * Runs a program without a shell until it ends.
   * @throws OsError when it is not there, or `signal` aborts first; then it has been killed.
   */
  run(program: string, args: readonly string[], signal: AbortSignal): Promise<ProgramResult>;
}

/** What this process has used. */
export interface Usage {
  /** Processor time of all its threads in milliseconds, ever. */
  cpu(): number;
  /** Resident memory in octets. */
  memory(): number;
}

/** A certificate and its key, as PEM texts. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly key: string;
}

/** The oldest version of TLS that is spoken. */
export type TlsVersion = "1.2" | "1.3";

/** Whom to believe. */
export interface TlsTrust {
  /** Certificates of the authorities, as PEM text. */
  readonly authority: string;
  /**
   * Common names, alternative names or SHA-256 fingerprints of which the peer must have one;
   * absent: a server must have the name or address that is dialled, a client any certificate of the
   * authority.
   */
  readonly peers?: readonly string[] | undefined;
}

/** How a listener speaks TLS. */
export interface TlsServer extends TlsIdentity {
  /** Absent: 1.3. */
  readonly least?: TlsVersion | undefined;
  /** Clients have to show a certificate; absent: they are not asked. */
  readonly clients?: TlsTrust | undefined;
  /** Told of each client whose handshake failed, and why. */
  readonly refused?: (why: string) => void;
}

/** How TLS is spoken to a server; both sides show who they are. */
export interface TlsClient extends TlsIdentity {
  readonly least: TlsVersion;
  readonly server: TlsTrust;
}

/** Fields of a message by their names in lower case; a name given twice has both, with a comma. */
export type HttpHeaders = ReadonlyMap<string, string>;

/**
 * One stream of HTTP/2 as its server sees it: a request, and what is said on it in both directions.
 * `read` gives the request's body and `write` the answer's; `finish` ends the answer. Disposing it
 * cancels what has not been finished, and leaves the other streams alone. One `read`, and one
 * `write` or `finish`, at a time.
 */
export interface HttpStream extends ByteConn {
  readonly method: string;
  /** With the query; empty for CONNECT. */
  readonly path: string;
  readonly headers: HttpHeaders;
  readonly remote: Endpoint;
  /** Names in the certificate that the client has shown; absent where it was not asked for one. */
  readonly names?: readonly string[];
  /**
   * Begins the answer, once and before anything is written. What is written to an answer without a
   * body, such as one to HEAD or of 204, is dropped.
   * @throws LinkDownError when the client has cancelled the stream or is gone.
   */
  respond(status: number, headers?: Readonly<Record<string, string>>): void;
  finish(): Promise<void>;
}

/** A socket that takes streams of HTTP/2, of however many connections, until it is disposed. */
export interface HttpListener extends AsyncDisposable, AsyncIterable<HttpStream> {
  /** The address it is bound to; tells the port when 0 was asked for. */
  readonly local: Endpoint;
}

/**
 * The answer to a request: `read` gives its body. Where the request was left open, `write` goes on
 * with the request's body and `finish` ends it. Disposing it cancels what has not been finished.
 */
export interface HttpAnswer extends ByteConn {
  readonly status: number;
  readonly headers: HttpHeaders;
  finish(): Promise<void>;
}

/** What a client asks for by HTTP/2. */
export interface HttpRequest {
  readonly method: string;
  /** With the query; begins with a slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The whole body, which may be empty; the request then ends with it. Absent: it is left open. A
   * server that answers only what is complete then never does.
   */
  readonly body?: Uint8Array;
}

/** A connection on which many requests may be under way at the same time. */
export interface HttpConn extends AsyncDisposable {
  /**
   * Opens a stream, and waits for the head of the answer.
   * @throws LinkDownError when the stream is refused or the connection lost, or `signal` aborts
   *   first; after that `signal` has no effect.
   */
  open(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
}

/** TCP, and HTTP/2 over it, as services see them. */
export interface Net {
  /** @throws LinkDownError when the peer cannot be reached, or `signal` aborts first. */
  dial(to: Endpoint, signal: AbortSignal, tls?: TlsClient): Promise<ByteConn>;
  /** @throws OsError when the address cannot be bound (`EADDRINUSE`, `EADDRNOTAVAIL`, …). */
  listen(on: Endpoint, tls?: TlsServer): Promise<Listener>;
  /**
   * Connects, and waits until the server has said that it speaks HTTP/2; without `tls` by prior
   * knowledge.
   * @throws LinkDownError when the server cannot be reached, speaks something else, or `signal`
   *   aborts first.
   */
  dialHttp2(to: Endpoint, signal: AbortSignal, tls?: TlsClient): Promise<HttpConn>;
  /** @throws OsError when the address cannot be bound (`EADDRINUSE`, `EADDRNOTAVAIL`, …). */
  listenHttp2(on: Endpoint, tls?: TlsServer): Promise<HttpListener>;
}
