/**
 * The data plane: listens on every data port, reads hello lines, lets the two ends of a session
 * meet, and keeps their octets flowing. One thread, no copying, nothing that blocks.
 *
 * Of a connection only its hello line is read, to the octet: what comes behind it stays in the
 * kernel until the other end is there, so a sender that is early simply waits.
 * @module
 */
import type { Counters } from "../../base/counters.ts";
import type { Log } from "../../base/log.ts";
import { after, type Instant, type Millis, millis, seconds } from "../../base/time.ts";
import type { Pollable } from "../../platform/hot.ts";
import {
  READY,
  STREAM_FAULT,
  type StreamListener,
  type StreamPoller,
  type Streams,
} from "../../platform/streams.ts";
import { CODE, type Hello, readHello, Rendezvous } from "../../protocol/v4relay/mod.ts";
import { Connection } from "./connection.ts";
import { type Flow, MOVED, PipePool } from "./flow.ts";
import type { Ending, FromPlane, Reserve, ToPlane } from "./letters.ts";
import { StreamSession } from "./session.ts";

/** How often it is told who waits. */
export const WAITING_EVERY = seconds(2);
/** How often sessions are measured. */
export const MEASURE_EVERY = seconds(1);
/** Connections of one port that have not said hello; then the oldest goes. */
export const HELLOS_PER_PORT = 32;
/** Connections taken from one port in one turn. */
const ACCEPTS_PER_TURN = 64;
/** Connections that wait in the kernel for us. */
const BACKLOG = 512;
/** Buffers of the largest pipe that the kernel grants without asking. pipe(7) */
const PIPE_PAGES_MAX = 256;
/**
 * Buffers of the longest turn. What one sender has sent goes through in one piece then, which costs
 * half of what it does in turns of 1 MiB: source, relay and sink share the processor's caches.
 */
const TURN_PAGES_MAX = 1024;
/** Octets of a round of turns, so that no flow waits for long when there are many. */
const ROUND_OCTETS = 64 * 1024 * 1024;
const PAGE = 4096;
/** Changes told at once. */
const CHANGES_MAX = 1024;
/** How long to wait when descriptors have run out. */
const SHORTAGE_PAUSE = millis(100);
/** Longest sleep. */
const SLEEP_MAX = millis(100);
const BELL = 0xffff_ffff;
const FIRST_LISTENER = 0x8000_0000;

/** What the worker is given. */
export interface PlaneConfig {
  readonly address: string;
  /** Ports to listen on; 0 for any that is free. */
  readonly ports: readonly number[];
  /** Data ports as peers know them, in the same order. */
  readonly names: readonly number[];
  readonly sndhwm: number;
  readonly rcvhwm: number;
  readonly sndbuf: number;
  readonly rcvbuf: number;
  readonly linger: Millis;
  /** How long the first of two ends may wait. */
  readonly pendingTimeout: Millis;
  /** 0: for ever. */
  readonly idleTimeout: Millis;
  /** How long a receiver may take nothing of what waits for it. 0: for ever. */
  readonly stallTimeout: Millis;
  readonly ticketsNeeded: boolean;
}

/** What it works with. */
export interface PlaneTools {
  readonly streams: Streams;
  readonly counters: Counters;
  readonly log: Log;
  readonly bell: Pollable;
  readonly tell: (message: FromPlane) => void;
}

interface Turn {
  readonly session: StreamSession;
  readonly flow: Flow;
}

/** The data plane of TCP. */
export class Plane implements Disposable {
  readonly sessions = new Map<string, StreamSession>();
  readonly #listeners: StreamListener[] = [];
  readonly #poller: StreamPoller;
  readonly #pool: PipePool;
  readonly #turnMost: number;
  #turnOctets: number;
  readonly #meeting: Rendezvous;
  readonly #reserved = new Map<number, Reserve & { occupied: boolean }>();
  readonly #connections: (Connection | undefined)[] = [];
  readonly #freeTokens: number[] = [];
  /** Those that have not said hello, oldest first, of all ports and by port; those that wait. */
  readonly #hellos = new Set<Connection>();
  readonly #hellosOf = new Map<number, Set<Connection>>();
  readonly #waiting = new Set<Connection>();
  #runnable: Turn[] = [];
  /** Flows that found no pipe. */
  #starved: Turn[] = [];
  /** Listeners with connections that could not be taken. */
  readonly #owed = new Set<number>();
  #retryAt: Instant | undefined;
  #toldAt: Instant;
  #measuredAt: Instant;
  #draining = false;
  #drained = false;

  /** @throws OsError when a port cannot be bound. */
  constructor(readonly config: PlaneConfig, readonly tools: PlaneTools, now: Instant) {
    const { streams, bell, tell } = tools;
    const { address, ports, sndbuf, rcvbuf, sndhwm, rcvhwm } = config;
    this.#pool = new PipePool(streams, Math.min(sndhwm, PIPE_PAGES_MAX));
    this.#turnMost = Math.min(rcvhwm, TURN_PAGES_MAX) * PAGE;
    this.#turnOctets = this.#turnMost;
    this.#meeting = new Rendezvous(config.ticketsNeeded);
    this.#poller = streams.poller(CHANGES_MAX);
    this.#toldAt = now;
    this.#measuredAt = now;
    try {
      for (const port of ports) {
        const listener = streams.listen({
          ...{ address, port, backlog: BACKLOG, sendBuffer: sndbuf, receiveBuffer: rcvbuf },
        });
        this.#listeners.push(listener);
        this.#poller.watch(listener, FIRST_LISTENER + this.#listeners.length - 1);
      }
      this.#poller.watch(bell, BELL);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    tell({ kind: "listening", ports: this.#listeners.map(({ port }) => port) });
  }

  /** Takes a message of the control plane. */
  hear(message: ToPlane): void {
    if (message.kind === "reserve") {
      this.#reserved.set(message.port, { ...message, occupied: false });
    } else if (message.kind === "withdraw") {
      const { port, sessionId } = message;
      if (this.#reserved.get(port)?.sessionId !== sessionId) return;
      this.#reserved.delete(port);
      const token = this.#meeting.withdrawn(port);
      if (token !== undefined) this.#refuse(this.#connections[token]!, CODE.noPort, "withdrawn");
    } else if (message.kind === "kick") {
      const session = this.sessions.get(message.sessionId);
      if (session) this.#end(session, "kicked");
    } else this.#drain();
  }

  /** Waits for something to do, and does it. */
  turn(clock: () => Instant, receive: () => ToPlane | undefined): void {
    const sleep = this.#runnable.length > 0 ? 0 : SLEEP_MAX;
    const changes = this.#poller.wait(sleep);
    const now = clock();
    for (let message = receive(); message; message = receive()) this.hear(message);
    for (let index = 0; index < changes; index += 1) {
      this.#change(this.#poller.token(index), this.#poller.changes(index), now);
    }
    const runnable = this.#runnable;
    this.#turnOctets = Math.min(this.#turnMost, ROUND_OCTETS / Math.max(1, runnable.length));
    this.#runnable = [];
    for (const { session, flow } of runnable) {
      flow.queued = false;
      this.#move(session, flow, now);
    }
    this.#expire(now);
  }

  /** Cuts everything. */
  [Symbol.dispose](): void {
    for (const session of [...this.sessions.values()]) this.#end(session, "stopped");
    for (const connection of this.#connections) connection?.socket[Symbol.dispose]();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    this.#pool[Symbol.dispose]();
    this.#poller[Symbol.dispose]();
  }

  #change(token: number, changes: number, now: Instant): void {
    if (token === BELL) return;
    if (token >= FIRST_LISTENER) return this.#accept(token - FIRST_LISTENER, now);
    const connection = this.#connections[token];
    if (!connection) return;
    if ((changes & (READY.input | READY.peerClosed | READY.hangup)) !== 0) {
      connection.readable = true;
    }
    if ((changes & READY.output) !== 0) connection.writable = true;
    const { session } = connection;
    if (session) {
      // A broken socket says so to whoever reads or writes it; where nobody does, this is the word.
      if ((changes & READY.error) !== 0) return this.#end(session, "reset");
      this.#move(session, session.up, now);
      if (!session.finished) this.#move(session, session.down, now);
    } else if (connection.hello) this.#lookAtWaiting(connection, changes);
    else if (connection.readable) this.#read(connection, now);
  }

  #accept(index: number, now: Instant): void {
    const listener = this.#listeners[index];
    if (!listener || this.#draining) return;
    this.#owed.delete(index);
    for (let times = 0; times < ACCEPTS_PER_TURN; times += 1) {
      const socket = listener.accept();
      if (typeof socket !== "number") {
        this.#begin(new Connection(socket, this.config.names[index]!, now));
        continue;
      }
      if (socket === -STREAM_FAULT.again) return;
      const passing = socket === -STREAM_FAULT.aborted || socket === -STREAM_FAULT.interrupted;
      if (!passing) {
        this.#shortage(now);
        break;
      }
    }
    // The poller tells of each change once: what was left is owed.
    this.#owed.add(index);
    this.#retryAt ??= now;
  }

  #begin(connection: Connection): void {
    const { counters } = this.tools;
    counters.add("connections");
    const token = this.#freeTokens.pop() ?? this.#connections.length;
    connection.token = token;
    this.#connections[token] = connection;
    const same = this.#hellosOf.get(connection.port) ?? new Set();
    this.#hellosOf.set(connection.port, same);
    if (same.size >= HELLOS_PER_PORT) {
      counters.add("flooded");
      this.#close(same.values().next().value!);
    }
    same.add(connection);
    this.#hellos.add(connection);
    this.#poller.watch(connection.socket, token);
  }

  #read(connection: Connection, now: Instant): void {
    const line = connection.read();
    if (line === undefined) return;
    if (line.kind === "gone") return this.#close(connection);
    const result = readHello(line.octets);
    if (result.kind === "more") return;
    if (result.kind === "refused") {
      this.tools.counters.add("hello_error");
      this.tools.log.info("relay.hello_error", "Connection said no hello", {
        port: connection.port,
        remote: connection.remote,
        why: result.why,
      });
      return this.#close(connection);
    }
    this.#hello(connection, result, now);
  }

  #hello(connection: Connection, hello: Hello, now: Instant): void {
    const { port, token } = connection;
    this.#greeted(connection);
    connection.hello = hello;
    connection.deadline = after(now, this.config.pendingTimeout);
    const meeting = this.#meeting.hello(port, token, hello, this.#reserved.get(port));
    if (meeting.kind === "away") {
      this.tools.counters.add(meeting.why);
      this.tools.log.info(`relay.${meeting.why}`, "Connection was sent away", {
        port,
        remote: connection.remote,
        session: hello.sessionId,
        role: hello.role,
      });
      return this.#refuse(connection, CODE.conflict, meeting.why);
    }
    if (meeting.kind === "waiting") {
      if (meeting.replaced !== undefined) {
        this.tools.counters.add("replaced");
        this.#refuse(this.#connections[meeting.replaced]!, CODE.conflict, "replaced");
      }
      this.#waiting.add(connection);
      this.tools.tell({ kind: "waiting", port, sessionId: hello.sessionId });
      return;
    }
    this.#pair(port, meeting.server, meeting.client, now);
  }

  #pair(port: number, serverToken: number, clientToken: number, now: Instant): void {
    const { counters, log, tell } = this.tools;
    const reserve = this.#reserved.get(port)!;
    const [server, client] = [serverToken, clientToken].map((token) => this.#connections[token]!);
    const { sessionId, id } = reserve;
    const session = new StreamSession(sessionId, port, id, server!, client!, now);
    reserve.occupied = true;
    this.sessions.set(sessionId, session);
    counters.add("sessions_started");
    counters.set("sessions", this.sessions.size);
    for (const one of [server!, client!]) {
      this.#waiting.delete(one);
      one.session = session;
      one.readable = true;
      one.writable = true;
      if (one.hello!.ack) one.say(`V4OK ${JSON.stringify({ session_id: sessionId })}\n`);
    }
    tell({ kind: "met", port, sessionId });
    log.info("relay.paired", "Session has begun", {
      session: sessionId,
      port,
      server: `${id.server} ${server!.remote}`,
      client: `${id.client} ${client!.remote}`,
    });
    this.#move(session, session.up, now);
    if (!session.finished) this.#move(session, session.down, now);
  }

  /** One that waits may have gone, or have said all it has to say. */
  #lookAtWaiting(connection: Connection, changes: number): void {
    const broken = (changes & (READY.error | READY.hangup)) !== 0;
    const ended = (changes & READY.peerClosed) !== 0 && connection.socket.unread() === 0;
    if (!broken && !ended) return;
    this.tools.counters.add("pending_gone");
    this.#close(connection);
  }

  #move(session: StreamSession, flow: Flow, now: Instant): void {
    if (flow.finished || flow.queued) return;
    const moved = session.move(flow, this.#pool, this.#turnOctets, now);
    if (moved === MOVED.broken) return this.#end(session, "reset");
    if (session.finished) return this.#end(session, "finished");
    if (moved === MOVED.rest) return;
    flow.queued = true;
    (moved === MOVED.starved ? this.#starved : this.#runnable).push({ session, flow });
    if (moved === MOVED.starved) this.#shortage(now);
  }

  #end(session: StreamSession, how: Ending): void {
    const { sessionId, port, up, down, server, client } = session;
    if (!this.sessions.delete(sessionId)) return;
    const { counters, log, tell } = this.tools;
    counters.add("sessions_ended");
    if (how !== "finished" && how !== "stopped") counters.add(`sessions_${how}`);
    this.#count(session);
    counters.set("sessions", this.sessions.size);
    session.drop();
    // Marks both as done, so that a turn that is still queued finds nothing to do.
    up.finished = down.finished = true;
    for (const end of [server, client] as Connection[]) this.#closeEnd(end, how);
    if (this.#reserved.get(port)?.sessionId === sessionId) this.#reserved.delete(port);
    tell({ kind: "ended", port, sessionId, how });
    log.info("relay.session_stop", `Session has ended: ${how}`, {
      session: sessionId,
      port,
      up: up.octets,
      down: down.octets,
      ms: Math.round(session.movedAt - session.startedAt),
    });
  }

  /** A clean end is never a reset; what was cut may keep the kernel busy for `linger` more. */
  #closeEnd(connection: Connection, how: Ending): void {
    const { linger } = this.config;
    if (how !== "finished" && linger === 0) connection.socket.reset();
    else if (how !== "finished") connection.socket.giveUpAfter(linger);
    this.#close(connection);
  }

  /** Sends a connection away, with a word where it asked for one. */
  #refuse(connection: Connection, code: number, error: string): void {
    if (connection.hello?.ack) {
      connection.say(`V4ERR ${JSON.stringify({ code, error: `${code} ${error}` })}\n`);
    }
    this.#close(connection);
  }

  #close(connection: Connection): void {
    const { token, port, socket } = connection;
    if (this.#connections[token] !== connection) return;
    this.#greeted(connection);
    if (this.#waiting.delete(connection)) this.#meeting.gone(port, token);
    socket[Symbol.dispose]();
    this.#connections[token] = undefined;
    this.#freeTokens.push(token);
  }

  /** It has said hello, or will not any more. */
  #greeted(connection: Connection): void {
    if (this.#hellos.delete(connection)) this.#hellosOf.get(connection.port)!.delete(connection);
  }

  #shortage(now: Instant): void {
    this.#retryAt = after(now, SHORTAGE_PAUSE);
    this.tools.counters.add("descriptors_short");
    this.tools.log.warn("relay.descriptors", "No more descriptors; raise LimitNOFILE", {
      limit: this.tools.streams.descriptorsMax,
      sessions: this.sessions.size,
    });
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (const connection of [...this.#hellos, ...this.#waiting]) {
      this.#refuse(connection, CODE.unavailable, "shutting down");
    }
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
    this.#reserved.clear();
  }

  #expire(now: Instant): void {
    if (this.#retryAt !== undefined && now >= this.#retryAt) {
      this.#retryAt = undefined;
      this.#runnable.push(...this.#starved.splice(0));
      for (const index of [...this.#owed]) this.#accept(index, now);
    }
    for (const connection of this.#hellos) {
      if (now < connection.deadline) break;
      this.tools.counters.add("hello_timeout");
      this.#close(connection);
    }
    if (now - this.#toldAt >= WAITING_EVERY) this.#tellWaiting(now);
    if (now - this.#measuredAt >= MEASURE_EVERY) this.#measure(now);
    if (this.#draining && !this.#drained && this.sessions.size === 0) {
      this.#drained = true;
      this.tools.tell({ kind: "drained" });
    }
  }

  #tellWaiting(now: Instant): void {
    this.#toldAt = now;
    for (const connection of this.#waiting) {
      if (now >= connection.deadline) {
        this.tools.counters.add("pending_timeout");
        this.#refuse(connection, CODE.noPort, "the other end did not come");
      } else {
        const { port, hello } = connection;
        this.tools.tell({ kind: "waiting", port, sessionId: hello!.sessionId });
      }
    }
  }

  /** What clients sent is in, what servers sent is out. */
  #count(session: StreamSession): void {
    const { up, down } = session.uncounted();
    this.tools.counters.add("octets_in", up);
    this.tools.counters.add("octets_out", down);
  }

  #measure(now: Instant): void {
    this.#measuredAt = now;
    const { idleTimeout, stallTimeout } = this.config;
    for (const session of [...this.sessions.values()]) {
      const silent = now - session.movedAt;
      const limit = session.waiting ? stallTimeout : idleTimeout;
      if (limit > 0 && silent > limit) this.#end(session, session.waiting ? "stalled" : "idle");
    }
    const sessions = [...this.sessions.values()].map((session) => {
      this.#count(session);
      return session.view(now);
    });
    this.tools.tell({ kind: "telemetry", sessions });
  }
}
