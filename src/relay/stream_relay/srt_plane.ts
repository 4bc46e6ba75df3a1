/**
 * The data plane of SRT: a UDP port for each data port, hello lines or stream ids, and messages
 * from one leg of a session to the other. One thread; timers come from the connections' deadlines.
 * @module
 */
import type { Counters } from "../../base/counters.ts";
import type { Log } from "../../base/log.ts";
import { after, type Instant, type Millis, millis, seconds } from "../../base/time.ts";
import type { HotPlatform, Pollable } from "../../platform/hot.ts";
import type { StreamPoller } from "../../platform/streams.ts";
import { CODE, type Hello, refuse, Rendezvous } from "../../protocol/v4relay/mod.ts";
import { PacketPool, type Secret, SrtListener, UNLIMITED } from "../../protocol/srt/mod.ts";
import type { Ending, FromPlane, Reserve, ToPlane } from "./letters.ts";
import { helloOfStreamId, readFirst, SrtLeg } from "./srt_leg.ts";
import { SrtSession } from "./srt_session.ts";
import { type Attached, srtBatches, SrtSocket } from "./srt_socket.ts";

/** How often it is told who waits. */
const WAITING_EVERY = seconds(2);
const MEASURE_EVERY = seconds(1);
/** Longest sleep. */
const SLEEP_MAX = millis(100);
/** How long a leg whose other end has gone may still send what it has. */
const LAST_WORDS = seconds(2);
/** Connections of one port: a session has two. */
const LEGS_PER_PORT = 16;
const CHANGES_MAX = 256;
const BELL = 0xffff_ffff;

/** What the worker is given. */
export interface SrtPlaneConfig {
  readonly address: number;
  /** Ports to listen on; 0 for any that is free. */
  readonly ports: readonly number[];
  /** Data ports as peers know them. */
  readonly names: readonly number[];
  readonly latency: Millis;
  /** Octets a second of a leg; 0: no limit. */
  readonly maxbw: number;
  readonly ipttl: number;
  readonly reliable: boolean;
  readonly secret: Secret | undefined;
  readonly receiveBuffer: number;
  readonly peerIdle: Millis;
  readonly pendingTimeout: Millis;
  readonly ticketsNeeded: boolean;
}

/** What it works with. */
export interface SrtPlaneTools {
  readonly platform: HotPlatform;
  readonly counters: Counters;
  readonly log: Log;
  readonly bell: Pollable;
  readonly tell: (message: FromPlane) => void;
}

/** The data plane of SRT. */
export class SrtPlane implements Disposable {
  readonly sessions = new Map<string, SrtSession>();
  readonly #pool = new PacketPool();
  readonly #sockets: SrtSocket[] = [];
  readonly #poller: StreamPoller;
  readonly #meeting: Rendezvous;
  readonly #reserved = new Map<number, Reserve & { occupied: boolean }>();
  readonly #legs = new Map<number, SrtLeg>();
  /** Legs whose session is over, and until when they may send what they have. */
  readonly #leaving = new Map<SrtLeg, Instant>();
  #token = 0;
  #toldAt: Instant;
  #measuredAt: Instant;
  #draining = false;
  #drained = false;

  /** @throws OsError when a port cannot be bound. */
  constructor(readonly config: SrtPlaneConfig, readonly tools: SrtPlaneTools, now: Instant) {
    const { platform, bell, tell, log } = tools;
    this.#toldAt = this.#measuredAt = now;
    this.#meeting = new Rendezvous(config.ticketsNeeded);
    this.#poller = platform.streams.poller(CHANGES_MAX);
    const batches = srtBatches(platform);
    try {
      for (const [index, port] of config.ports.entries()) {
        const { address, ipttl: ttl, receiveBuffer } = config;
        const options = { address, port, ttl, receiveBuffer, sendBuffer: receiveBuffer };
        const datagrams = platform.openDatagrams(options);
        const listener = this.#listener(config.names[index]!, now);
        const socket: SrtSocket = new SrtSocket(
          datagrams,
          batches,
          this.#pool,
          listener,
          (made) => this.#begin(socket, config.names[index]!, made),
        );
        this.#sockets.push(socket);
        this.#poller.watch(datagrams, index);
        if (index === 0 && datagrams.receiveBuffer < receiveBuffer) {
          log.warn("srt.receive_buffer", "Receive buffer is smaller than asked for", {
            granted: datagrams.receiveBuffer,
            asked: receiveBuffer,
            remedy: "raise net.core.rmem_max, or give CAP_NET_ADMIN",
          });
        }
      }
      this.#poller.watch(bell, BELL);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    tell({ kind: "listening", ports: this.#sockets.map(({ datagrams }) => datagrams.port) });
  }

  /** Takes a message of the control plane. */
  hear(message: ToPlane, now: Instant): void {
    if (message.kind === "reserve") {
      this.#reserved.set(message.port, { ...message, occupied: false });
    } else if (message.kind === "withdraw") {
      const { port, sessionId } = message;
      if (this.#reserved.get(port)?.sessionId !== sessionId) return;
      this.#reserved.delete(port);
      const token = this.#meeting.withdrawn(port);
      if (token !== undefined) this.#close(this.#legs.get(token)!, now);
    } else if (message.kind === "kick") {
      const session = this.sessions.get(message.sessionId);
      if (session) this.#end(session, "kicked", now);
    } else if (!this.#draining) {
      this.#draining = true;
      this.#reserved.clear();
      for (const leg of [...this.#legs.values()]) if (!leg.session) this.#close(leg, now);
    }
  }

  /** Waits for something to do, and does it. */
  turn(clock: () => Instant, receive: () => ToPlane | undefined): void {
    let at = Math.min(this.#toldAt + WAITING_EVERY, this.#measuredAt + MEASURE_EVERY);
    for (const socket of this.#sockets) at = Math.min(at, socket.deadline);
    const left = Math.min(SLEEP_MAX, Math.max(0, Math.ceil(at - clock())));
    const changes = this.#poller.wait(left);
    const now = clock();
    for (let message = receive(); message; message = receive()) this.hear(message, now);
    for (let index = 0; index < changes; index += 1) {
      const token = this.#poller.token(index);
      if (token !== BELL) this.#sockets[token]?.receive(now);
    }
    for (const leg of this.#legs.values()) this.#look(leg, now);
    for (const session of this.sessions.values()) session.move(now);
    this.#leave(now);
    for (const socket of this.#sockets) {
      if (socket.attached.size > 0 || changes > 0) socket.work(now);
    }
    this.#measure(now);
    if (this.#draining && !this.#drained && this.sessions.size === 0) {
      this.#drained = true;
      this.tools.tell({ kind: "drained" });
    }
  }

  /** Cuts everything. */
  [Symbol.dispose](): void {
    const now = this.tools.platform.now();
    for (const session of [...this.sessions.values()]) this.#end(session, "stopped", now);
    for (const leg of [...this.#legs.values()]) this.#close(leg, now);
    for (const leg of this.#leaving.keys()) leg.connection.close(now);
    for (const socket of this.#sockets) {
      socket.work(now);
      socket[Symbol.dispose]();
    }
    this.#poller[Symbol.dispose]();
  }

  #listener(port: number, now: Instant): SrtListener {
    const { latency, maxbw, reliable, secret, peerIdle } = this.config;
    return new SrtListener({
      receiveLatency: latency,
      peerLatency: latency,
      delivery: reliable ? "reliable" : "arrival",
      bandwidth: maxbw > 0 ? { max: maxbw, input: 0, overhead: 25 } : UNLIMITED,
      peerIdle,
      pool: this.#pool,
      random: (size) => crypto.getRandomValues(new Uint8Array(size)),
      startedAt: now,
      connectionsMax: LEGS_PER_PORT,
      decide: () => {
        if (this.#draining) return { kind: "reject", code: 2503 };
        // Nobody has business on a port that no session was granted.
        if (!this.#reserved.has(port)) return { kind: "reject", code: 2404 };
        return { kind: "accept", secret };
      },
    });
  }

  #begin(socket: SrtSocket, port: number, { connection, address, port: from }: Attached): void {
    const now = this.tools.platform.now();
    const dotted = [address >>> 24, address >>> 16 & 255, address >>> 8 & 255, address & 255];
    const remote = `${dotted.join(".")}:${from}`;
    this.#token += 1;
    const leg = new SrtLeg(this.#token, connection, socket, port, remote, now);
    this.#legs.set(leg.token, leg);
    this.tools.counters.add("srt_connections");
    const hello = helloOfStreamId(connection.streamId, (sessionId, id) => {
      const reserved = this.#reserved.get(port);
      if (reserved?.sessionId !== sessionId) return undefined;
      return reserved.id.client === id
        ? "client"
        : reserved.id.server === id
        ? "server"
        : undefined;
    });
    if (hello) this.#hello(leg, hello, now);
  }

  /** What has become of a leg. */
  #look(leg: SrtLeg, now: Instant): void {
    const { connection, session } = leg;
    if (connection.closed) {
      if (session) this.#end(session, connection.closed === "idle" ? "idle" : "finished", now);
      else this.#close(leg, now);
      return;
    }
    if (leg.hello || session) return;
    const packet = connection.deliver(now);
    if (!packet) {
      if (now < leg.deadline) return;
      this.tools.counters.add("srt_hello_timeout");
      return this.#close(leg, now);
    }
    const first = readFirst(packet.payload);
    if (first.kind === "refused") {
      this.tools.counters.add("srt_hello_error");
      this.tools.log.info("relay.hello_error", "Connection said no hello", {
        port: leg.port,
        remote: leg.remote,
        why: first.why,
      });
      this.#pool.give(packet);
      return this.#close(leg, now);
    }
    // What stands behind the line in the same message belongs to the other end.
    const rest = packet.payload.slice(first.hello.size);
    if (rest.length === 0) this.#pool.give(packet);
    else {
      packet.length = rest.length;
      packet.payload.set(rest);
      leg.held = packet;
    }
    this.#hello(leg, first.hello, now);
  }

  #hello(leg: SrtLeg, hello: Hello, now: Instant): void {
    const { port, token } = leg;
    leg.hello = hello;
    leg.deadline = after(now, this.config.pendingTimeout);
    const meeting = this.#meeting.hello(port, token, hello, this.#reserved.get(port));
    if (meeting.kind === "away") {
      this.tools.counters.add(`srt_${meeting.why}`);
      this.tools.log.info(`relay.${meeting.why}`, "Connection was sent away", {
        port,
        remote: leg.remote,
        session: hello.sessionId,
        role: hello.role,
      });
      this.#say(leg, "V4ERR", refuse(CODE.conflict, meeting.why), now);
      return this.#close(leg, now);
    }
    if (meeting.kind === "waiting") {
      const former = meeting.replaced === undefined ? undefined : this.#legs.get(meeting.replaced);
      if (former) {
        this.#say(former, "V4ERR", refuse(CODE.conflict, "replaced"), now);
        this.#close(former, now);
      }
      this.tools.tell({ kind: "waiting", port, sessionId: hello.sessionId });
      return;
    }
    this.#pair(port, this.#legs.get(meeting.server)!, this.#legs.get(meeting.client)!, now);
  }

  #pair(port: number, server: SrtLeg, client: SrtLeg, now: Instant): void {
    const reserve = this.#reserved.get(port)!;
    const { sessionId, id } = reserve;
    const { reliable } = this.config;
    const session = new SrtSession(sessionId, port, id, server, client, now, reliable);
    reserve.occupied = true;
    server.session = client.session = session;
    for (const leg of [server, client]) this.#say(leg, "V4OK", { "session_id": sessionId }, now);
    this.sessions.set(sessionId, session);
    const { counters, tell, log } = this.tools;
    counters.add("srt_sessions_started");
    counters.set("srt_sessions", this.sessions.size);
    tell({ kind: "met", port, sessionId });
    log.info("relay.paired", "Session has begun", {
      session: sessionId,
      port,
      server: `${id.server} ${server.remote}`,
      client: `${id.client} ${client.remote}`,
    });
  }

  /** A word for who asked for one, in front of everything else. */
  #say(leg: SrtLeg, word: string, fields: object, now: Instant): void {
    if (!leg.hello?.ack) return;
    const { kind: _, ...told } = fields as { kind?: unknown };
    const line = new TextEncoder().encode(`${word} ${JSON.stringify(told)}\n`);
    const packet = this.#pool.take();
    packet.length = line.length;
    packet.payload.set(line);
    if (!leg.connection.send(packet, now)) this.#pool.give(packet);
  }

  #end(session: SrtSession, how: Ending, now: Instant): void {
    const { sessionId, port, server, client } = session;
    if (!this.sessions.delete(sessionId)) return;
    session.move(now);
    this.#count(session);
    const { counters, tell, log } = this.tools;
    counters.add("srt_sessions_ended");
    counters.set("srt_sessions", this.sessions.size);
    for (const leg of [server, client]) {
      leg.session = undefined;
      leg.leftAt = now;
      this.#legs.delete(leg.token);
      const words = how === "finished" ? LAST_WORDS + leg.connection.options.sendLatency : 0;
      this.#leaving.set(leg, after(now, millis(words)));
    }
    if (this.#reserved.get(port)?.sessionId === sessionId) this.#reserved.delete(port);
    tell({ kind: "ended", port, sessionId, how });
    log.info("relay.session_stop", `Session has ended: ${how}`, {
      session: sessionId,
      port,
      up: session.octetsUp,
      down: session.octetsDown,
      dropped: session.dropped,
    });
  }

  /** Closes legs that have said what they had to say. */
  #leave(now: Instant): void {
    for (const [leg, until] of this.#leaving) {
      const { connection, socket } = leg;
      if (connection.sender.size > 0) leg.leftAt = now;
      // What the peer holds until it is due it would lose with the connection.
      const due = leg.leftAt + connection.options.sendLatency;
      if (!connection.closed && now < until && (connection.sender.size > 0 || now < due)) continue;
      connection.close(now);
      socket.work(now);
      if (leg.held) this.#pool.give(leg.held);
      leg.held = undefined;
      socket.detach(connection);
      this.#leaving.delete(leg);
    }
  }

  #close(leg: SrtLeg, now: Instant): void {
    if (!this.#legs.delete(leg.token)) return;
    this.#meeting.gone(leg.port, leg.token);
    const words = leg.connection.sender.size > 0 ? LAST_WORDS : 0;
    this.#leaving.set(leg, after(now, millis(words)));
  }

  #count(session: SrtSession): void {
    const { up, down } = session.uncounted();
    this.tools.counters.add("srt_octets_in", up);
    this.tools.counters.add("srt_octets_out", down);
  }

  #measure(now: Instant): void {
    if (now - this.#toldAt >= WAITING_EVERY) {
      this.#toldAt = now;
      for (const leg of [...this.#legs.values()]) {
        if (!leg.hello || leg.session) continue;
        const { port, hello } = leg;
        if (now < leg.deadline) {
          this.tools.tell({ kind: "waiting", port, sessionId: hello.sessionId });
        } else this.#close(leg, now);
      }
    }
    if (now - this.#measuredAt < MEASURE_EVERY) return;
    this.#measuredAt = now;
    const { counters, tell } = this.tools;
    const sum = (of: (socket: SrtSocket) => number) =>
      this.#sockets.reduce((all, socket) => all + of(socket), 0);
    counters.set("srt_received", sum(({ stats }) => stats.received));
    counters.set("srt_sent", sum(({ stats }) => stats.sent));
    counters.set("srt_stray", sum(({ stats }) => stats.stray + stats.spoofed));
    counters.set("srt_rejected", sum(({ listener }) => listener?.stats.rejected ?? 0));
    counters.set("srt_bad_cookies", sum(({ listener }) => listener?.stats.badCookies ?? 0));
    const sessions = [...this.sessions.values()].map((session) => {
      this.#count(session);
      return session.view(now);
    });
    tell({ kind: "telemetry", sessions });
  }
}
