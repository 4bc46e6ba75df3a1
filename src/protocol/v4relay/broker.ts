/**
 * Who is there, who wants whom, and which ports they get: the whole of the control plane, without
 * I/O. Peers are numbers that the owner gives; what they are to be told comes out as events. Time
 * is an argument, and so are random digits.
 * @module
 */
import { after, type Instant, type Millis, seconds } from "../../base/time.ts";
import { CODE, type Code, type Role, SESSION_DIGITS, TICKET_DIGITS } from "./constants.ts";
import { type PairRequest, type Refusal, refuse, type Register } from "./messages.ts";
import type { PortPool } from "./pool.ts";

/** How often a request that finds nobody is tried again. */
export const RETRY_EVERY = seconds(5);
/** How many times it is tried again before it is given up. */
export const RETRIES_MAX = 50;

/** What the broker works with. */
export interface BrokerOptions {
  readonly zmq: PortPool;
  readonly srt: PortPool;
  readonly connectionsMax: number;
  /** Requests of one client that may wait at once. */
  readonly requestsMax: number;
  /** How long a reservation waits for its two ends. */
  readonly reservation: Millis;
  /** Whether a token is that of its owner; compared in constant time. */
  readonly verify: (role: Role, id: string, token: string) => boolean;
  /** Whether each end is told its own token only, as it should be. */
  readonly secret: boolean;
  /** Whether a newcomer takes the place of a peer of the same role and name, or is refused. */
  readonly replace: boolean;
  /** So many random hexadecimal digits. */
  readonly digits: (count: number) => string;
}

/** A session from its grant to its end. */
export interface Session {
  readonly sessionId: string;
  readonly requestId: string;
  readonly serverId: string;
  readonly clientId: string;
  readonly ticket: Readonly<Record<Role, string>>;
  readonly zmqPort: number | undefined;
  readonly srtPort: number | undefined;
}

/** What the owner has to do. */
export type BrokerEvent =
  | { readonly kind: "send"; readonly to: number; readonly message: Message }
  /** The message is the last: close the connection behind it. */
  | { readonly kind: "close"; readonly to: number }
  /** Ports wait for the two ends of a session. */
  | { readonly kind: "granted"; readonly session: Session }
  /** Nobody came, or the client took it back. */
  | { readonly kind: "withdrawn"; readonly session: Session };

type Fields = Readonly<Record<string, unknown>>;
/** A message as it goes out. */
export interface Message {
  readonly type: string;
  readonly payload: Fields;
}

interface Member {
  readonly peer: number;
  readonly role: Role;
  readonly id: string;
  readonly token: string;
  readonly maxConn: number;
}

interface Waiting {
  readonly peer: number;
  readonly clientId: string;
  readonly request: PairRequest;
  tries: number;
  dueAt: Instant;
}

/** The control plane. */
export class Broker {
  readonly #members = new Map<number, Member>();
  readonly #byName = new Map<string, Member>();
  readonly #sessions = new Map<string, Session & { running: boolean }>();
  readonly #waiting: Waiting[] = [];
  readonly #events: BrokerEvent[] = [];
  #closing = false;

  constructor(readonly options: BrokerOptions) {}

  /** Peers that have registered. */
  get members(): number {
    return this.#members.size;
  }

  /** The next thing to do, oldest first. */
  event(): BrokerEvent | undefined {
    return this.#events.shift();
  }

  /** When {@linkcode expire} has something to do. */
  get deadline(): Instant | undefined {
    const { zmq, srt } = this.options;
    const all = [zmq.deadline, srt.deadline, ...this.#waiting.map(({ dueAt }) => dueAt)];
    const known = all.filter((at) => at !== undefined);
    return known.length === 0 ? undefined : Math.min(...known) as Instant;
  }

  /** Role of a peer; undefined before it has registered. */
  roleOf(peer: number): Role | undefined {
    return this.#members.get(peer)?.role;
  }

  /** A first message that is no `register`. */
  stranger(peer: number): void {
    this.#turnAway(peer, refuse(CODE.badRequest, "first message must be register"));
  }

  register(peer: number, message: Register): void {
    const { role, id, token } = message;
    const { connectionsMax, verify } = this.options;
    if (this.#members.has(peer)) {
      return this.#error(peer, refuse(CODE.conflict, "registered already"));
    }
    if (!verify(role, id, token)) {
      return this.#turnAway(peer, refuse(CODE.authFailed, "auth failed"));
    }
    if (this.#closing) return this.#turnAway(peer, refuse(CODE.unavailable, "shutting down"));
    if (this.#members.size >= connectionsMax) {
      return this.#turnAway(peer, refuse(CODE.unavailable, "max connections reached"));
    }
    const name = nameOf(role, id);
    const former = this.#byName.get(name);
    if (former && !this.options.replace) {
      return this.#turnAway(peer, refuse(CODE.conflict, `duplicate ${role} id`));
    }
    if (former) {
      this.#error(former.peer, refuse(CODE.conflict, "replaced by a newer connection"));
      this.#events.push({ kind: "close", to: former.peer });
      this.left(former.peer);
    }
    const member: Member = { peer, role, id, token, maxConn: message.maxConn };
    this.#members.set(peer, member);
    this.#byName.set(name, member);
    this.#send(peer, "register_ack", { status: "ok" });
  }

  /** A registration that cannot be read, or any other request that is none. */
  refused(peer: number, refusal: Refusal): void {
    if (this.#members.has(peer)) this.#error(peer, refusal);
    else this.#turnAway(peer, refusal);
  }

  pair(peer: number, request: PairRequest, now: Instant): void {
    const member = this.#members.get(peer);
    if (member?.role !== "client") {
      return this.#error(peer, refuse(CODE.badRequest, "only a client may ask for a pair"));
    }
    const named = request.requestId === ""
      ? { ...request, requestId: this.options.digits(SESSION_DIGITS) }
      : request;
    if (this.#closing) {
      return this.#pairError(peer, named, refuse(CODE.unavailable, "shutting down"));
    }
    const mine = this.#waiting.filter((waiting) => waiting.peer === peer);
    if (mine.length >= this.options.requestsMax) {
      return this.#pairError(peer, named, refuse(CODE.unavailable, "too many requests wait"));
    }
    const waiting: Waiting = {
      peer,
      clientId: member.id,
      request: named,
      tries: 0,
      dueAt: now,
    };
    if (this.#try(waiting, now)) return;
    this.#waiting.push(waiting);
  }

  /** The client no longer wants it: nothing waits for it any more, and what was granted goes. */
  cancel(peer: number, requestId: string): void {
    const member = this.#members.get(peer);
    if (!member || requestId === "") return;
    this.#forget((waiting) => waiting.peer === peer && waiting.request.requestId === requestId);
    for (const session of [...this.#sessions.values()]) {
      const its = session.clientId === member.id && session.requestId === requestId;
      if (its && !session.running) this.#withdraw(session);
    }
  }

  /** Everybody is told that it ends; nobody is taken and nothing granted any more. */
  close(): void {
    this.#closing = true;
    this.#waiting.length = 0;
    for (const peer of this.#members.keys()) {
      this.#error(peer, refuse(CODE.unavailable, "shutting down"));
    }
  }

  /** A connection has ended. Sessions that run go on; what only waited goes with it. */
  left(peer: number): void {
    const member = this.#members.get(peer);
    if (!member) return;
    this.#members.delete(peer);
    this.#byName.delete(nameOf(member.role, member.id));
    this.#forget((waiting) => waiting.peer === peer);
    for (const session of [...this.#sessions.values()]) {
      const id = member.role === "client" ? session.clientId : session.serverId;
      if (id === member.id && !session.running) this.#withdraw(session);
    }
  }

  /** One end of a session is at its port: the reservation lives longer. */
  refresh(sessionId: string, now: Instant): void {
    const session = this.#sessions.get(sessionId);
    if (!session || session.running) return;
    const until = after(now, this.options.reservation);
    if (session.zmqPort !== undefined) this.options.zmq.refresh(session.zmqPort, sessionId, until);
    if (session.srtPort !== undefined) this.options.srt.refresh(session.srtPort, sessionId, until);
  }

  /** Both ends have met on a port. Returns false when there is no such reservation. */
  met(sessionId: string, port: number): boolean {
    const session = this.#sessions.get(sessionId);
    if (!session) return false;
    const pool = session.zmqPort === port ? this.options.zmq : this.options.srt;
    if (!pool.occupy(port, sessionId)) return false;
    session.running = true;
    return true;
  }

  /** A port of a session is free again; the session ends with its last. */
  ended(sessionId: string, port: number): void {
    const session = this.#sessions.get(sessionId);
    if (!session) return;
    const { zmq, srt } = this.options;
    (session.zmqPort === port ? zmq : srt).release(port, sessionId);
    const held = [[zmq, session.zmqPort], [srt, session.srtPort]] as const;
    if (held.some(([pool, at]) => at !== undefined && pool.at(at)?.sessionId === sessionId)) return;
    this.#sessions.delete(sessionId);
  }

  session(sessionId: string): Session | undefined {
    return this.#sessions.get(sessionId);
  }

  /** Tries again what waits, and takes back reservations that nobody came for. */
  expire(now: Instant): void {
    const { zmq, srt } = this.options;
    const late = [
      ...zmq.expire(now).map((id) => [id, "zmqPort"] as const),
      ...srt.expire(now).map((id) => [id, "srtPort"] as const),
    ];
    for (const [sessionId] of late) {
      const session = this.#sessions.get(sessionId);
      if (!session) continue;
      // Where one of two ports is in use the session goes on with that.
      const other = [zmq, srt].some((pool, index) => {
        const port = index === 0 ? session.zmqPort : session.srtPort;
        return port !== undefined && pool.at(port)?.sessionId === sessionId;
      });
      if (!other) this.#withdraw(session);
    }
    for (const waiting of this.#waiting.filter(({ dueAt }) => dueAt <= now)) {
      if (this.#try(waiting, now)) this.#forget((one) => one === waiting);
    }
  }

  /** Something has become free: what waits is tried at once, beside its turns. */
  wake(now: Instant): void {
    for (const waiting of [...this.#waiting]) {
      const session = this.#grant(waiting, now);
      if ("kind" in session) continue;
      this.#announce(session, waiting.peer);
      this.#forget((one) => one === waiting);
    }
  }

  /** As the broadcast `status` has them: each server with its load. */
  servers(): readonly {
    readonly id: string;
    readonly ports: number[];
    readonly remaining: number;
  }[] {
    return [...this.#members.values()].filter(({ role }) => role === "server").map((server) => {
      const sessions = this.#of(server.id);
      const ports = sessions.flatMap(({ zmqPort, srtPort, sessionId }) => [
        ...(occupied(this.options.zmq, zmqPort, sessionId)),
        ...(occupied(this.options.srt, srtPort, sessionId)),
      ]);
      return { id: server.id, ports, remaining: Math.max(0, server.maxConn - sessions.length) };
    });
  }

  /** Asks for a session once. Returns false when it is to be tried again. */
  #try(waiting: Waiting, now: Instant): boolean {
    const { peer, request } = waiting;
    const session = this.#grant(waiting, now);
    if ("kind" in session) {
      if (session.code !== CODE.unavailable) {
        this.#pairError(peer, request, session);
        return true;
      }
      waiting.tries += 1;
      if (waiting.tries <= RETRIES_MAX) {
        waiting.dueAt = after(now, RETRY_EVERY);
        return false;
      }
      this.#pairError(peer, request, refuse(CODE.noPort, "no port available"));
      return true;
    }
    this.#announce(session, peer);
    return true;
  }

  #grant({ clientId, request }: Waiting, now: Instant): (Session & { running: boolean }) | Refusal {
    const { zmq, srt, reservation, digits } = this.options;
    const { serverId: wanted, needZmq, needSrt, requestId } = request;
    const online = [...this.#members.values()].filter(({ role, id }) =>
      role === "server" && (wanted === undefined || id === wanted)
    );
    if (online.length === 0) return refuse(CODE.unavailable, "no server online");
    const free = online.map((server) => ({
      server,
      remaining: server.maxConn - this.#of(server.id).length,
    })).filter(({ remaining }) => remaining > 0)
      .toSorted((one, other) =>
        other.remaining - one.remaining || (one.server.id < other.server.id ? -1 : 1)
      );
    const [first] = free;
    if (!first) return refuse(CODE.unavailable, "no capacity");
    const sessionId = digits(SESSION_DIGITS);
    const deadline = after(now, reservation);
    const zmqPort = needZmq ? zmq.reserve(sessionId, deadline) : undefined;
    if (needZmq && zmqPort === undefined) return refuse(CODE.unavailable, "no port");
    const srtPort = needSrt ? srt.reserve(sessionId, deadline) : undefined;
    if (needSrt && srtPort === undefined) {
      if (zmqPort !== undefined) zmq.release(zmqPort, sessionId);
      return refuse(CODE.unavailable, "no port");
    }
    const session = {
      ...{ sessionId, requestId, serverId: first.server.id, clientId, zmqPort, srtPort },
      ticket: { server: digits(TICKET_DIGITS), client: digits(TICKET_DIGITS) },
      running: false,
    };
    this.#sessions.set(sessionId, session);
    return session;
  }

  /** Tells both ends; each gets its own ticket, and its own token only where tokens are secret. */
  #announce(session: Session & { running: boolean }, client: number): void {
    const { sessionId, requestId, serverId, clientId, zmqPort, srtPort, ticket } = session;
    this.#events.push({ kind: "granted", session });
    const server = this.#byName.get(nameOf("server", serverId))!;
    const asker = this.#members.get(client)!;
    for (const [member, role] of [[asker, "client"], [server, "server"]] as const) {
      const token = (name: string, of: Member) =>
        this.options.secret && of !== member ? {} : { [name]: of.token };
      this.#send(member.peer, "pair_grant", {
        "request_id": requestId,
        "session_id": sessionId,
        "server_id": serverId,
        "client_id": clientId,
        ...token("server_token", server),
        ...token("client_token", asker),
        ticket: ticket[role],
        ...(zmqPort === undefined ? {} : { "zmq_port": zmqPort }),
        ...(srtPort === undefined ? {} : { "srt_port": srtPort }),
      });
    }
  }

  #withdraw(session: Session): void {
    const { sessionId, zmqPort, srtPort } = session;
    if (zmqPort !== undefined) this.options.zmq.release(zmqPort, sessionId);
    if (srtPort !== undefined) this.options.srt.release(srtPort, sessionId);
    this.#sessions.delete(sessionId);
    this.#events.push({ kind: "withdrawn", session });
  }

  #of(serverId: string): Session[] {
    return [...this.#sessions.values()].filter((session) => session.serverId === serverId);
  }

  #forget(which: (waiting: Waiting) => boolean): void {
    for (let index = this.#waiting.length - 1; index >= 0; index -= 1) {
      if (which(this.#waiting[index]!)) this.#waiting.splice(index, 1);
    }
  }

  #turnAway(peer: number, { code, error }: Refusal): void {
    this.#send(peer, "register_ack", { status: "error", code, error });
    this.#events.push({ kind: "close", to: peer });
  }

  #error(peer: number, { code, error }: { readonly code: Code; readonly error: string }): void {
    this.#send(peer, "error", { code, error });
  }

  #pairError(peer: number, { requestId }: PairRequest, { code, error }: Refusal): void {
    this.#send(peer, "pair_error", { "request_id": requestId, code, error });
  }

  #send(to: number, type: string, payload: Fields): void {
    this.#events.push({ kind: "send", to, message: { type, payload } });
  }
}

function nameOf(role: Role, id: string): string {
  return `${role} ${id}`;
}

function occupied(pool: PortPool, port: number | undefined, sessionId: string): number[] {
  const at = port === undefined ? undefined : pool.at(port);
  return at?.state === "occupied" && at.sessionId === sessionId ? [port!] : [];
}
