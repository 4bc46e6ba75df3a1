/**
 * The control port: HTTP and JSON lines on one TCP port. The first octet that is no space decides:
 * `{` begins JSON lines, everything else is HTTP. What can be asked is in the registry.
 *
 * Nobody can hold up anybody else: each connection has its own time-outs, heads and bodies are
 * bounded, and when there are too many connections the one that has been idle for longest goes.
 * @module
 */
import { describe, OsError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Millis } from "../base/time.ts";
import type { Clock } from "../platform/clock.ts";
import { pause } from "../platform/clock.ts";
import type { AcceptedConn, Endpoint, Listener, Net, TlsIdentity } from "../platform/ports.ts";
import { seconds } from "../base/time.ts";
import { ControlAccess } from "./control_access.ts";
import { serveHttp } from "./control_http.ts";
import { serveLines } from "./control_lines.ts";
import type { Registry } from "./control_registry.ts";
import { Session } from "./control_session.ts";

/** How long answers in flight may take when the port closes. */
const DRAIN_MAX = seconds(1);
const SPACE = new Set([9, 10, 13, 32]);
const BRACE = 0x7b;
/** The first octet of a TLS handshake. RFC 8446 §5.1 */
const TLS_HANDSHAKE = 0x16;

/** What a control port is made of. */
export interface ControlPortOptions {
  readonly listen: Endpoint;
  /** Undefined: plain text. */
  readonly tls?: TlsIdentity | undefined;
  readonly token: string | undefined;
  /** Whether reading needs no token even when there is one. */
  readonly publicRead: boolean;
  readonly maxConnections: number;
  /** How long an HTTP connection may be idle, and how long a first octet may take. */
  readonly idleTimeout: Millis;
  readonly registry: Registry;
  readonly net: Net;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the port itself counts. */
export interface ControlCounters {
  accepted: number;
  requests: number;
  lines: number;
  /** Heads, bodies and lines that could not be read. */
  malformed: number;
  /** Wrong or missing tokens. */
  denied: number;
  /** Connections closed because they were too slow or idle. */
  timeouts: number;
  /** Connections closed to make room for others. */
  evicted: number;
}

/** An open control port. */
export class ControlPort implements AsyncDisposable {
  readonly local: Endpoint;
  readonly counters: ControlCounters = {
    accepted: 0,
    requests: 0,
    lines: 0,
    malformed: 0,
    denied: 0,
    timeouts: 0,
    evicted: 0,
  };
  readonly #options: ControlPortOptions;
  readonly #listener: Listener;
  readonly #sessions = new Set<Session>();
  readonly #access: ControlAccess;
  readonly #accepting: Promise<void>;
  #closing = false;

  private constructor(options: ControlPortOptions, listener: Listener) {
    this.#options = options;
    this.#listener = listener;
    this.local = listener.local;
    this.#access = new ControlAccess(options.token, options.publicRead);
    this.#accepting = this.#accept();
  }

  /** @throws OsError with a remedy when the address cannot be bound. */
  static async open(options: ControlPortOptions): Promise<ControlPort> {
    try {
      return new ControlPort(options, await options.net.listen(options.listen, options.tls));
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      throw new OsError(error.code, `${error.message}: ${remedy(error)}`, error.detail, {
        cause: error,
      });
    }
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Takes no more connections, lets answers in flight be finished for a second, and closes all. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    await this.#listener[Symbol.asyncDispose]();
    for (const session of this.#sessions) session.drain();
    const drained = new AbortController();
    void Promise.all([...this.#sessions].map(({ ended }) => ended)).then(() => drained.abort());
    await pause(this.#options.clock, DRAIN_MAX, drained.signal);
    for (const session of this.#sessions) session.close();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const { log } = this.#options;
    try {
      for await (const accepted of this.#listener) this.#begin(accepted);
    } catch (error) {
      // The port stays what it is; connections that are open go on. /status shows no more than
      // that.
      if (!this.#closing) log.error("control.accept", "Control port takes no more", { error });
    }
  }

  #begin({ conn, remote }: AcceptedConn): void {
    const { clock, idleTimeout, maxConnections } = this.#options;
    this.counters.accepted += 1;
    if (this.#sessions.size >= maxConnections && !this.#evict()) {
      this.counters.evicted += 1;
      void conn[Symbol.asyncDispose]();
      return;
    }
    const host = remote.host.includes(":") ? `[${remote.host}]` : remote.host;
    const session = new Session({
      conn,
      clock,
      remote: `${host}:${remote.port}`,
      idleTimeout,
      timedOut: () => this.counters.timeouts += 1,
    });
    this.#sessions.add(session);
    session.ended = this.#serve(session).finally(() => {
      session.close();
      this.#sessions.delete(session);
    });
  }

  /**
   * Makes room: closes the session that has waited for longest; the oldest if none waits. Returns
   * false when all are to be kept.
   */
  #evict(): boolean {
    let chosen: Session | undefined;
    let oldest: Session | undefined;
    for (const session of this.#sessions) {
      if (session.kept) continue;
      oldest ??= session;
      if (session.idleSince === undefined) continue;
      if (chosen === undefined || session.idleSince < chosen.idleSince!) chosen = session;
    }
    chosen ??= oldest;
    if (!chosen) return false;
    this.counters.evicted += 1;
    chosen.close();
    this.#sessions.delete(chosen);
    return true;
  }

  async #serve(session: Session): Promise<void> {
    const { registry, log, clock } = this.#options;
    try {
      const first = await firstOctets(session, registry.shortest(session.idleTimeout));
      if (!first) return;
      const context = { registry, log, clock, access: this.#access, counters: this.counters };
      if (first[0] === TLS_HANDSHAKE) {
        this.counters.malformed += 1;
        log.debug("control.tls", "Closed a TLS handshake: the control port speaks plain text");
      } else if (first[0] === BRACE) await serveLines(session, first, context);
      else await serveHttp(session, first, context);
    } catch (error) {
      // A connection that breaks is the peer's business, and a bug here must not take the port
      // along.
      if (!session.closed.aborted) {
        log.debug("control.lost", `Connection was lost: ${describe(error)}`, {
          remote: session.remote,
        });
      }
    }
  }
}

function remedy({ detail }: OsError): string {
  switch (detail.errno) {
    case "EADDRINUSE":
      return "another program listens there; is busbar running already? Try `busbar status`, or " +
        "set `control.listen` to another port";
    case "EINVAL":
      return "set `control.tls` to a certificate and its key, as PEM";
    case "EADDRNOTAVAIL":
      return "this host has no such address; set `control.listen` to one that it has";
    default:
      return "set `control.listen` to an address and port that may be used";
  }
}

/** What all connections share. */
export interface ControlContext {
  readonly registry: Registry;
  readonly log: Log;
  readonly clock: Clock;
  readonly access: ControlAccess;
  readonly counters: ControlCounters;
}

/** The first octets, without the spaces in front of them. */
async function firstOctets(session: Session, within: Millis): Promise<Uint8Array | undefined> {
  session.idle(within);
  for (;;) {
    const octets = await session.read();
    if (!octets) return undefined;
    const begin = octets.findIndex((octet) => !SPACE.has(octet));
    if (begin >= 0) return octets.subarray(begin);
  }
}
