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
}

/** Files, as services see them. */
export interface Files {
  /** A text file as a whole. @throws OsError */
  read(path: string): Promise<string>;
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

/** TCP, as services see it. */
export interface Net {
  /** @throws LinkDownError when the peer cannot be reached, or `signal` aborts first. */
  dial(to: Endpoint, signal: AbortSignal, tls?: TlsClient): Promise<ByteConn>;
  /** @throws OsError when the address cannot be bound (`EADDRINUSE`, `EADDRNOTAVAIL`, …). */
  listen(on: Endpoint, tls?: TlsServer): Promise<Listener>;
}
