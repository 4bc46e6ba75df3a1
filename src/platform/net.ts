/** TCP of this machine, as the port that services see. */
import { LinkDownError, OsError } from "../base/errors.ts";
import type { ByteConn } from "./drive.ts";
import { dialHttp2 } from "./http2_client.ts";
import { listenHttp2 } from "./http2_server.ts";
import type { AcceptedConn, Endpoint, Listener, Net, TlsClient, TlsServer } from "./ports.ts";
import { dialTls, listenTls } from "./tls.ts";

/** Octets asked for in a first read; whoever fills that is given more. */
const READ_MIN = 2 * 1024;
const READ_MAX = 64 * 1024;

/** The {@linkcode Net} of the runtime. */
export const SYSTEM_NET: Net = {
  async dial(to: Endpoint, signal: AbortSignal, tls?: TlsClient): Promise<ByteConn> {
    if (tls) return await dialTls(to, signal, tls);
    try {
      const conn = await Deno.connect({ hostname: to.host, port: to.port, signal });
      // Telecontrol frames are small and must not wait for one another.
      conn.setNoDelay(true);
      return new TcpConn(conn);
    } catch (error) {
      throw new LinkDownError("tcp.dial", `Cannot connect to ${to.host}:${to.port}`, {
        cause: reason(error),
      }, { cause: error });
    }
  },

  listen(on: Endpoint, tls?: TlsServer): Promise<Listener> {
    if (tls) return listenTls(on, tls);
    try {
      return Promise.resolve(new TcpListener(Deno.listen({ hostname: on.host, port: on.port })));
    } catch (error) {
      const errno = error instanceof Deno.errors.AddrInUse
        ? "EADDRINUSE"
        : error instanceof Deno.errors.AddrNotAvailable
        ? "EADDRNOTAVAIL"
        : error instanceof Deno.errors.PermissionDenied
        ? "EACCES"
        : "EIO";
      return Promise.reject(
        new OsError("tcp.listen", `Cannot listen on ${on.host}:${on.port} (${errno})`, {
          syscall: "bind",
          errno,
        }, { cause: error }),
      );
    }
  },

  dialHttp2,
  listenHttp2,
};

class TcpConn implements ByteConn {
  readonly #conn: Deno.TcpConn;
  #size = READ_MIN;
  #closed = false;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  async read(): Promise<Uint8Array | undefined> {
    const chunk = new Uint8Array(this.#size);
    try {
      const count = await this.#conn.read(chunk);
      if (count === this.#size) this.#size = Math.min(READ_MAX, this.#size * 4);
      return count === null ? undefined : chunk.subarray(0, count);
    } catch (error) {
      throw new LinkDownError("tcp.read", "Connection was lost", { cause: reason(error) }, {
        cause: error,
      });
    }
  }

  async write(octets: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < octets.length;) {
        done += await this.#conn.write(octets.subarray(done));
      }
    } catch (error) {
      throw new LinkDownError("tcp.write", "Connection was lost", { cause: reason(error) }, {
        cause: error,
      });
    }
  }

  async finish(): Promise<void> {
    try {
      await this.#conn.closeWrite();
    } catch (error) {
      throw new LinkDownError("tcp.finish", "Connection was lost", { cause: reason(error) }, {
        cause: error,
      });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
    return Promise.resolve();
  }
}

class TcpListener implements Listener {
  readonly #listener: Deno.TcpListener;
  #closed = false;

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
  }

  get local(): Endpoint {
    const { hostname, port } = this.#listener.addr;
    return { host: hostname, port };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AcceptedConn> {
    while (!this.#closed) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (this.#closed) return;
        // A peer that went before it was accepted is no failure of the socket.
        if (error instanceof Deno.errors.ConnectionAborted) continue;
        throw new OsError("tcp.accept", "Cannot accept connections", { syscall: "accept" }, {
          cause: error,
        });
      }
      conn.setNoDelay(true);
      const { hostname, port } = conn.remoteAddr;
      yield { conn: new TcpConn(conn), remote: { host: hostname, port } };
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) this.#listener.close();
    this.#closed = true;
    return Promise.resolve();
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
