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

/** TCP, as services see it. */
export interface Net {
  /** @throws LinkDownError when the peer cannot be reached, or `signal` aborts first. */
  dial(to: Endpoint, signal: AbortSignal): Promise<ByteConn>;
  /** @throws OsError when the address cannot be bound (`EADDRINUSE`, `EADDRNOTAVAIL`, …). */
  listen(on: Endpoint): Promise<Listener>;
}
