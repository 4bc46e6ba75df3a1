/**
 * The relay's control plane: peers register on the control port, ask for one another, and are told
 * where to meet. What they say goes through the {@link Broker}; what it decides goes to the peers
 * and to the data plane in its worker.
 * @module
 */
import { seconds } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import type { ControlPeer, JsonObject } from "../../kernel/registry.ts";
import { pause } from "../../platform/clock.ts";
import {
  Broker,
  PortPool,
  readRequest,
  type Role,
  type Session,
} from "../../protocol/v4relay/mod.ts";
import { Broadcasts } from "./broadcasts.ts";
import type { Config } from "./config.ts";
import type { FromPlane, SessionView, ToPlane } from "./letters.ts";
import { DataPlane } from "./data_plane.ts";
import { Gate } from "./gate.ts";

/** How often time is looked at: broadcasts, retries and deadlines go by it. */
const TICK = seconds(1);
/** How often a peer that answers pings is asked. */
export const PING_EVERY = seconds(5);
/** Pings without any answer after which a peer is taken for gone. */
export const MISSED_MAX = 3;

/** A peer that has registered, or is about to. */
export interface Member {
  readonly peer: ControlPeer;
  readonly role: Role;
  readonly id: string;
  /** Broadcasts that it wants; undefined: all. */
  topics: ReadonlySet<string> | undefined;
  heartbeat: boolean;
  /** Pings since it was last heard. */
  missed: number;
}

/** Runs until it is told to stop, and then until sessions have ended or their time is up. */
export async function run(ctx: Context, config: Config): Promise<void> {
  await new Relay(ctx, config).run();
}

class Relay {
  readonly #broker: Broker;
  readonly #zmq: PortPool;
  readonly #srt: PortPool;
  readonly #members = new Map<number, Member>();
  /** Everybody that has said something, registered or not. */
  readonly #peers = new Map<number, ControlPeer>();
  readonly #broadcasts: Broadcasts;
  readonly #planes: Readonly<Record<"tcp" | "srt", DataPlane>>;
  /** Sessions of each data plane, as they were measured last. */
  readonly #sessions: Record<"tcp" | "srt", readonly SessionView[]> = { tcp: [], srt: [] };
  readonly #startedAt: number;
  #phase: "Starting" | "Running" | "Stopping" = "Starting";
  #pingedAt: number;
  /** Whether somebody may now find what was not there before. */
  #changed = false;

  constructor(readonly ctx: Context, readonly config: Config) {
    const { tcp, srt, auth, maxConnections, authTimeout, requests, duplicates } = config;
    this.#startedAt = ctx.clock.epoch();
    this.#pingedAt = ctx.clock.now();
    this.#zmq = new PortPool(tcp.portRange.first, tcp.portRange.last);
    this.#srt = new PortPool(srt.portRange.first, srt.portRange.last);
    this.#broker = new Broker({
      zmq: this.#zmq,
      srt: this.#srt,
      connectionsMax: maxConnections,
      requestsMax: requests,
      reservation: authTimeout,
      verify: new Gate(auth).verify,
      secret: auth.grants === "own",
      replace: duplicates === "replace",
      digits: randomDigits,
    });
    this.#broadcasts = new Broadcasts(ctx, config.broadcasts === "own");
    const plane = (part: "tcp" | "srt") =>
      new DataPlane(ctx, config, part, (letter) => this.#hearPlane(part, letter));
    this.#planes = { tcp: plane("tcp"), srt: plane("srt") };
  }

  async run(): Promise<void> {
    const { ctx, config } = this;
    const { control, signal } = ctx;
    const access = config.auth.mode === "none" && !config.auth.public ? "change" : "open";
    using _fields = control.status(() => this.#statusFields());
    using _patience = control.patience(config.authTimeout);
    using _register = control.message("register", access, (message, peer) => {
      this.#begin(peer);
      this.#hear(peer, message);
      return undefined;
    });
    // Whoever says anything else first is told so, and closed.
    using _stranger = control.message("*", "open", (_message, peer) => {
      this.#begin(peer);
      this.#broker.stranger(peer.id);
      this.#act();
      return undefined;
    });
    using _kick = control.route("POST", "/relay/kick", "change", ({ body }) => {
      const id = (body as { session_id?: unknown } | undefined)?.session_id;
      const runs = typeof id === "string" &&
        this.#broadcasts.sessions.some(({ session_id: sessionId }) => sessionId === id);
      if (!runs) return { status: 404, body: { error: "There is no such session" } };
      this.#kick(id);
      return { status: 200, body: { ok: true } };
    });
    try {
      const { tcp, srt } = this.#planes;
      await Promise.all([tcp.start(), srt.start()]);
      this.#phase = "Running";
      ctx.report("up");
      await Promise.race([tcp.ended, srt.ended, this.#tick(signal)]);
      await this.#stop();
    } finally {
      for (const peer of this.#peers.values()) peer.close("the relay has ended");
      const planes = Object.values(this.#planes);
      await Promise.all(planes.map((plane) => plane[Symbol.asyncDispose]()));
    }
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { clock } = this.ctx;
    for (let tick = 1; !signal.aborted; tick += 1) {
      await pause(clock, TICK, signal);
      if (signal.aborted) return;
      const now = clock.now();
      this.#broker.expire(now);
      if (this.#changed) this.#broker.wake(now);
      this.#changed = false;
      this.#act();
      this.#ping();
      this.#broadcasts.telemetry(this.#members.values());
      if (tick % 2 === 0) {
        this.#broadcasts.state(this.#members.values(), this.#broker.servers(), this.#portState());
      }
    }
  }

  /** Everybody is told; sessions have some more time. */
  async #stop(): Promise<void> {
    this.#phase = "Stopping";
    this.#broker.close();
    this.#act();
    const planes = Object.values(this.#planes);
    await Promise.all(planes.map((plane) => plane.drain(this.config.shutdownTimeout)));
  }

  #begin(peer: ControlPeer): void {
    if (this.#peers.has(peer.id)) return;
    this.#peers.set(peer.id, peer);
    peer.closed.addEventListener("abort", () => {
      this.#peers.delete(peer.id);
      this.#members.delete(peer.id);
      this.#broker.left(peer.id);
      this.#changed = true;
      this.#act();
    }, { once: true });
  }

  #hear(peer: ControlPeer, message: JsonObject): void {
    const { clock, log } = this.ctx;
    const member = this.#members.get(peer.id);
    if (member) member.missed = 0;
    const request = readRequest(message);
    switch (request?.kind) {
      case undefined:
        return;
      case "refused":
        this.#broker.refused(peer.id, request);
        break;
      case "register":
        this.#broker.register(peer.id, request);
        if (member === undefined && this.#broker.roleOf(peer.id) !== undefined) {
          const { role, id, heartbeat } = request;
          this.#members.set(peer.id, { peer, role, id, heartbeat, missed: 0, topics: undefined });
          peer.adopt((next) => this.#hear(peer, next));
          this.#changed ||= role === "server";
          this.ctx.counters.add("registered");
          log.info("relay.registered", "Peer has registered", { role, id, remote: peer.remote });
        }
        break;
      case "pair_request":
        this.#broker.pair(peer.id, request, clock.now());
        break;
      case "cancel":
        this.#broker.cancel(peer.id, request.requestId);
        break;
      case "ping":
        peer.send({ type: "pong", payload: { seq: request.seq } });
        if (member) member.heartbeat = true;
        break;
      case "pong":
        if (member) member.heartbeat = true;
        break;
      case "subscribe":
        if (member) member.topics = new Set(request.topics);
    }
    this.#act();
  }

  /** Does what the broker has decided. */
  #act(): void {
    const { counters, log } = this.ctx;
    for (let event = this.#broker.event(); event; event = this.#broker.event()) {
      if (event.kind === "send") {
        const { type, payload } = event.message;
        if (type === "pair_error") counters.add("pair_errors");
        if (type === "register_ack" && payload.status === "error") {
          counters.add("refused");
          const { remote } = this.#peers.get(event.to) ?? {};
          log.info("relay.refused", `Peer was refused: ${payload.error}`, { remote });
        }
        this.#peers.get(event.to)?.send(event.message as unknown as JsonObject);
      } else if (event.kind === "close") this.#peers.get(event.to)?.close("refused");
      else if (event.kind === "granted") {
        const { sessionId, serverId, clientId, ticket } = event.session;
        counters.add("grants");
        const id = { server: serverId, client: clientId };
        this.#tellPorts(event.session, (port) => ({
          ...{ kind: "reserve", port, sessionId, id, ticket },
        }));
      } else {
        const { sessionId } = event.session;
        counters.add("withdrawn");
        this.#changed = true;
        log.info("relay.reservation_expired", "Nobody came for a session", { session: sessionId });
        this.#tellPorts(event.session, (port) => ({ kind: "withdraw", port, sessionId }));
      }
    }
    counters.set("members", this.#members.size);
  }

  /** Sends a letter to each data plane that a session has a port of. */
  #tellPorts(session: Session, letter: (port: number) => ToPlane): void {
    const { zmqPort, srtPort } = session;
    if (zmqPort !== undefined) this.#planes.tcp.send(letter(zmqPort));
    if (srtPort !== undefined) this.#planes.srt.send(letter(srtPort));
  }

  #hearPlane(part: "tcp" | "srt", letter: FromPlane): void {
    if (letter.kind === "waiting") {
      this.#broker.refresh(letter.sessionId, this.ctx.clock.now());
    } else if (letter.kind === "met") {
      if (!this.#broker.met(letter.sessionId, letter.port)) this.#kick(letter.sessionId);
    } else if (letter.kind === "ended") {
      this.#broker.ended(letter.sessionId, letter.port);
      this.#changed = true;
    } else if (letter.kind === "telemetry") {
      this.#sessions[part] = letter.sessions;
      this.#broadcasts.sessions = [...this.#sessions.tcp, ...this.#sessions.srt];
    }
    this.#act();
  }

  /** Its reservation was taken back while it was on its way to the control plane. */
  #kick(sessionId: string): void {
    for (const plane of Object.values(this.#planes)) plane.send({ kind: "kick", sessionId });
  }

  #ping(): void {
    const now = this.ctx.clock.now();
    if (now - this.#pingedAt < PING_EVERY) return;
    this.#pingedAt = now;
    for (const member of this.#members.values()) {
      if (!member.heartbeat) continue;
      if (member.missed >= MISSED_MAX) {
        this.ctx.counters.add("offline");
        const { role, id } = member;
        this.ctx.log.warn("relay.offline", "Peer does not answer and is taken for gone", {
          role,
          id,
        });
        member.peer.close("offline");
      } else {
        member.missed += 1;
        member.peer.send({ type: "ping", payload: { seq: member.missed } });
      }
    }
  }

  #portState(): JsonObject {
    const of = (pool: PortPool) => {
      const { total, idle, reserved, occupied, blocked, idlePorts } = pool.counts();
      return { total, idle, reserved, occupied, blocked, "idle_ports": idlePorts };
    };
    return { zmq: of(this.#zmq), srt: of(this.#srt) };
  }

  #statusFields(): JsonObject {
    return {
      ...(this.#phase === "Running" ? {} : { status: this.#phase }),
      "started_at_unix_ms": this.#startedAt,
      "now_unix_ms": this.ctx.clock.epoch(),
      connections: this.#members.size,
      "broadcast_unix_ms": this.#broadcasts.at,
      "port_state": this.#portState(),
    };
  }
}

/** So many hexadecimal digits that nobody can guess. */
function randomDigits(count: number): string {
  const octets = crypto.getRandomValues(new Uint8Array(Math.ceil(count / 2)));
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("").slice(
    0,
    count,
  );
}
