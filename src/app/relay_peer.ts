/**
 * A peer of a stream relay, for the tools: registers on the control port, hears grants, and opens
 * data connections. It speaks to the former relay as well.
 * @module
 */
import { AppError, LinkDownError, ProtocolError } from "../base/errors.ts";
import { SYSTEM_NET } from "../platform/net.ts";
import type { ByteConn, Endpoint } from "../platform/ports.ts";
import { type Role, writeHello } from "../protocol/v4relay/mod.ts";
import { SrtConn } from "./srt_conn.ts";
import { JsonLineReader } from "../wire/json_lines.ts";

/** Who registers. */
export interface Identity {
  readonly role: Role;
  readonly id: string;
  readonly token: string;
  readonly maxConn: number;
}

/** What a grant tells. */
export interface RelayGrant {
  readonly requestId: string;
  readonly sessionId: string;
  readonly serverId: string;
  readonly clientId: string;
  readonly ticket: string | undefined;
  readonly zmqPort: number | undefined;
  readonly srtPort: number | undefined;
}

/** Over what a session's octets go. */
export type Transport = "zmq" | "srt";

/** A message that came. */
export interface RelayMessage {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** A control connection. */
export class RelayPeer implements AsyncDisposable {
  readonly #reader = new JsonLineReader();

  private constructor(readonly control: Endpoint, readonly conn: ByteConn) {}

  /** @throws LinkDownError when nothing answers; AppError when the relay refuses. */
  static async register(
    control: Endpoint,
    { role, id, token, maxConn }: Identity,
    signal: AbortSignal,
  ): Promise<RelayPeer> {
    const peer = new RelayPeer(control, await SYSTEM_NET.dial(control, signal));
    try {
      await peer.send("register", { role, id, token, "max_conn": maxConn });
      const { payload } = await peer.until("register_ack");
      if (payload.status !== "ok") {
        throw new AppError("relay.refused", `The relay refuses ${role} ${id}: ${payload.error}`);
      }
      return peer;
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  async send(type: string, payload: Readonly<Record<string, unknown>>): Promise<void> {
    await this.conn.write(new TextEncoder().encode(`${JSON.stringify({ type, payload })}\n`));
  }

  /** Asks for a session and waits for it. @throws AppError when there is none. */
  async pair(
    requestId: string,
    serverId: string | undefined,
    transport: Transport = "zmq",
  ): Promise<RelayGrant> {
    await this.send("pair_request", {
      "request_id": requestId,
      ...(serverId === undefined ? {} : { "server_id": serverId }),
      "need_zmq": transport === "zmq",
      "need_srt": transport === "srt",
    });
    for (;;) {
      const { type, payload } = await this.next();
      if (type === "pair_grant" && payload.request_id === requestId) return grantOf(payload);
      if (type === "pair_error" || type === "error") {
        throw new AppError("relay.pair", `The relay grants no session: ${payload.error}`);
      }
    }
  }

  /** The next message of a type; others are left out. */
  async until(type: string): Promise<RelayMessage> {
    for (;;) {
      const message = await this.next();
      if (message.type === type) return message;
    }
  }

  /** The next message. Pings are answered. @throws LinkDownError at the end. */
  async next(): Promise<RelayMessage> {
    for (;;) {
      const line = this.#reader.next();
      if (line === undefined) {
        const octets = await this.conn.read();
        if (!octets) throw new LinkDownError("relay.closed", "The relay has closed the connection");
        this.#reader.feed(octets);
        continue;
      }
      if (line.kind !== "object") {
        throw new ProtocolError("relay.message", "What answers is no relay");
      }
      const { type, payload } = line.value as { type?: unknown; payload?: unknown };
      const message = {
        type: String(type),
        payload: (payload ?? {}) as RelayMessage["payload"],
      };
      if (message.type !== "ping") return message;
      await this.send("pong", message.payload);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.conn[Symbol.asyncDispose]();
  }
}

/** Reads the payload of a `pair_grant`. */
export function grantOf(payload: RelayMessage["payload"]): RelayGrant {
  const text = (name: string) => typeof payload[name] === "string" ? payload[name] : "";
  const { zmq_port: zmqPort, srt_port: srtPort, ticket } = payload;
  const port = (value: unknown) => typeof value === "number" && value > 0 ? value : undefined;
  return {
    requestId: text("request_id"),
    sessionId: text("session_id"),
    serverId: text("server_id"),
    clientId: text("client_id"),
    ticket: typeof ticket === "string" ? ticket : undefined,
    zmqPort: port(zmqPort),
    srtPort: port(srtPort),
  };
}

/**
 * Connects to the data port of a grant and says hello; over TCP where it has a port of both.
 * @throws LinkDownError
 */
export async function openData(
  host: string,
  grant: RelayGrant,
  role: Role,
  signal: AbortSignal,
): Promise<ByteConn> {
  const { zmqPort, srtPort } = grant;
  if (zmqPort === undefined && srtPort === undefined) {
    throw new ProtocolError("relay.grant", "Grant has no port");
  }
  const conn = zmqPort !== undefined
    ? await SYSTEM_NET.dial({ host, port: zmqPort }, signal)
    : await SrtConn.call(host, srtPort!, signal);
  const id = role === "server" ? grant.serverId : grant.clientId;
  const ticket = grant.ticket === undefined ? {} : { ticket: grant.ticket };
  await conn.write(writeHello({ role, sessionId: grant.sessionId, id, ...ticket }));
  return conn;
}

/** Closes something when a signal aborts, until it is disposed. */
export function closeOn(signal: AbortSignal, what: AsyncDisposable): Disposable {
  const close = () => void what[Symbol.asyncDispose]();
  signal.addEventListener("abort", close, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}
