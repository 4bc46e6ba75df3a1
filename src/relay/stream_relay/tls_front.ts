/**
 * TLS in front of the data plane: ends TLS 1.3 on each data port and carries the octets to the port
 * of loopback behind it. Payload enters this process here, which costs speed; without TLS it does
 * not.
 * @module
 */
import { AppError } from "../../base/errors.ts";
import { seconds } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import type {
  AcceptedConn,
  ByteConn,
  Endpoint,
  Listener,
  TlsIdentity,
} from "../../platform/ports.ts";
import { pause } from "../../platform/clock.ts";
import type { Config } from "./config.ts";

/** Connections of one port at once; a session has two. */
const CONNECTIONS_MAX = 34;
/** How long the port behind may take. */
const DIAL_MAX = seconds(2);

/** One listener for each data port. */
export class TlsFront implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #listeners: Listener[] = [];
  readonly #open = new Set<ByteConn>();
  readonly #serving: Promise<void>[] = [];

  private constructor(readonly ctx: Context) {}

  /** @throws OsError when a port cannot be bound, or certificate and key do not fit. */
  static async open(
    ctx: Context,
    config: Config,
    identity: TlsIdentity,
    behind: readonly number[],
  ): Promise<TlsFront> {
    const front = new TlsFront(ctx);
    const { address, portRange: { first } } = config.tcp;
    try {
      for (const [index, port] of behind.entries()) {
        const listener = await ctx.net.listen({ host: address, port: first + index }, identity);
        front.#listeners.push(listener);
        front.#serving.push(front.#serve(listener, { host: "127.0.0.1", port }));
      }
    } catch (error) {
      await front[Symbol.asyncDispose]();
      throw error;
    }
    return front;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#listeners.map((listener) => listener[Symbol.asyncDispose]()));
    await Promise.all([...this.#open].map((conn) => conn[Symbol.asyncDispose]()));
    await Promise.all(this.#serving);
  }

  async #serve(listener: Listener, to: Endpoint): Promise<void> {
    let open = 0;
    for await (const accepted of listener) {
      if (open >= CONNECTIONS_MAX || this.#stop.signal.aborted) {
        this.ctx.counters.add("connections_refused");
        await accepted.conn[Symbol.asyncDispose]();
        continue;
      }
      open += 1;
      void this.#carry(accepted, to).finally(() => open -= 1);
    }
  }

  async #carry({ conn, remote }: AcceptedConn, to: Endpoint): Promise<void> {
    const { net, clock, log } = this.ctx;
    this.#open.add(conn);
    const late = new AbortController();
    const over = new AbortController();
    void pause(clock, DIAL_MAX, over.signal).then(() => late.abort());
    let inner: ByteConn | undefined;
    try {
      inner = await net.dial(to, late.signal);
      over.abort();
      this.#open.add(inner);
      await Promise.all([pump(conn, inner), pump(inner, conn)]);
    } catch (error) {
      // A connection that breaks is the peer's business; the other half goes with it.
      if (!(error instanceof AppError)) throw error;
      log.debug("relay.tls", "Connection was lost", { remote: `${remote.host}:${remote.port}` });
    } finally {
      over.abort();
      for (const one of [conn, inner]) {
        if (!one) continue;
        this.#open.delete(one);
        await one[Symbol.asyncDispose]();
      }
    }
  }
}

async function pump(from: ByteConn, to: ByteConn): Promise<void> {
  for (let octets = await from.read(); octets; octets = await from.read()) await to.write(octets);
  await to.finish?.();
}
