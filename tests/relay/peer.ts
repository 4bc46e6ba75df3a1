/**
 * A peer of the stream relay as scripts know it: a socket, JSON that is written as it is given, and
 * a hello line. It knows nothing of busbar's code.
 * @module
 */
import { concat } from "../../src/base/octets.ts";

/** Any message. */
export interface Message {
  readonly type: string;
  // deno-lint-ignore no-explicit-any -- tests know what they wait for
  readonly payload: any;
}

/** Broadcasts, which come by the clock. */
const BROADCASTS = new Set(["status", "port_state", "telemetry"]);
const WAIT_MS = 20_000;

/** A control connection. */
export class Peer implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #messages: Message[] = [];
  #wake: () => void = () => {};
  /** Resolves when the relay has closed the connection. */
  readonly closed: Promise<void>;
  #over = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    this.closed = this.#read();
  }

  static async connect(port: number): Promise<Peer> {
    return new Peer(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Connects and registers. @throws Error when it is refused. */
  static async register(
    port: number,
    role: "server" | "client",
    id: string,
    more: Record<string, unknown> = {},
  ): Promise<Peer> {
    const peer = await Peer.connect(port);
    await peer.send("register", { role, id, token: `${id}-token`, "max_conn": 100, ...more });
    const { payload } = await peer.next("register_ack");
    if (payload.status !== "ok") {
      peer[Symbol.dispose]();
      throw new Error(payload.error);
    }
    return peer;
  }

  async send(type: string, payload: unknown): Promise<void> {
    await this.raw(`${JSON.stringify({ type, payload })}\n`);
  }

  async raw(text: string | Uint8Array): Promise<void> {
    const octets = typeof text === "string" ? new TextEncoder().encode(text) : text;
    for (let at = 0; at < octets.length;) at += await this.#conn.write(octets.subarray(at));
  }

  /** The next message of a type; others before it are left out, and broadcasts among them. */
  async next(type: string): Promise<Message> {
    const end = performance.now() + WAIT_MS;
    for (;;) {
      const at = this.#messages.findIndex((message) => message.type === type);
      if (at >= 0) return this.#messages.splice(0, at + 1).at(-1)!;
      if (this.#over) throw new Error(`Connection was closed before ${type}`);
      if (performance.now() > end) throw new Error(`No ${type} came`);
      await this.#more();
    }
  }

  /** Everything that is no broadcast, up to now. */
  get heard(): readonly Message[] {
    return this.#messages.filter(({ type }) => !BROADCASTS.has(type));
  }

  /** Everything, up to now. */
  get all(): readonly Message[] {
    return this.#messages;
  }

  [Symbol.dispose](): void {
    if (!this.#over) this.#conn.close();
    this.#over = true;
  }

  async #more(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, 1000);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(65_536);
    let rest = "";
    try {
      for (;;) {
        const count = await this.#conn.read(chunk);
        if (count === null) break;
        const lines = (rest + decoder.decode(chunk.subarray(0, count), { stream: true }))
          .split("\n");
        rest = lines.pop()!;
        for (const line of lines) this.#messages.push(JSON.parse(line) as Message);
        this.#wake();
      }
    } catch (error) {
      if (
        !(error instanceof Deno.errors.ConnectionReset ||
          error instanceof Deno.errors.BadResource ||
          error instanceof Deno.errors.Interrupted)
      ) throw error;
    }
    this[Symbol.dispose]();
    this.#wake();
  }
}

/** What a grant tells. */
export interface Grant {
  readonly "request_id": string;
  readonly "session_id": string;
  readonly "server_id": string;
  readonly "client_id": string;
  readonly "server_token"?: string;
  readonly "client_token"?: string;
  readonly ticket: string;
  readonly "zmq_port": number;
  readonly "srt_port": number;
}

/** Connects to a data port and says hello. */
export async function greet(
  grant: Grant,
  role: "server" | "client",
  more: Record<string, unknown> = {},
): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: grant.zmq_port });
  await writeAll(conn, helloLine(grant, role, more));
  return conn;
}

/** The line by which an end says who it is. */
export function helloLine(
  grant: Grant,
  role: "server" | "client",
  more: Record<string, unknown> = {},
): Uint8Array {
  const id = role === "server" ? grant.server_id : grant.client_id;
  const line = JSON.stringify({ role, "session_id": grant.session_id, id, ...more });
  return new TextEncoder().encode(`V4HELLO ${line}\n`);
}

/** Writes all of it. */
export async function writeAll(conn: Deno.Conn, octets: Uint8Array): Promise<void> {
  for (let at = 0; at < octets.length;) at += await conn.write(octets.subarray(at));
}

/** Reads exactly so many octets. @throws Error when the end comes before. */
export async function readExactly(conn: Deno.Conn, count: number): Promise<Uint8Array> {
  const octets = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const got = await conn.read(octets.subarray(at));
    if (got === null) throw new Error(`The end came after ${at} of ${count} octets`);
    at += got;
  }
  return octets;
}

/** How a connection ends: what came before, and whether it was a clean end. */
export async function readToEnd(
  conn: Deno.Conn,
): Promise<{ readonly octets: Uint8Array; readonly how: "end" | "reset" }> {
  const parts: Uint8Array[] = [];
  const chunk = new Uint8Array(65_536);
  try {
    for (;;) {
      const count = await conn.read(chunk);
      if (count === null) return { octets: concat(parts), how: "end" };
      parts.push(chunk.slice(0, count));
    }
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) {
      return { octets: concat(parts), how: "reset" };
    }
    throw error;
  }
}

/** A session whose two ends have met. */
export async function meet(
  server: Peer,
  client: Peer,
  requestId = "r1",
): Promise<
  { readonly grant: Grant; readonly server: Deno.TcpConn; readonly client: Deno.TcpConn }
> {
  await client.send("pair_request", { "request_id": requestId, "need_zmq": true });
  const grant = (await client.next("pair_grant")).payload as Grant;
  const other = (await server.next("pair_grant")).payload as Grant;
  const ends = {
    server: await greet(other, "server"),
    client: await greet(grant, "client"),
  };
  return { grant, ...ends };
}
