/** A UDP socket that hears everybody; see {@linkcode DatagramPort}. */
import type { DatagramOptions, DatagramPort, FrameBatch } from "../hot.ts";
import { Fd } from "./fd.ts";
import { address, buffer, call, get, set, socket } from "./group.ts";
import { errno, libc } from "./libc.ts";
import type { LinuxBatch } from "./mmsg.ts";

const MSG_DONTWAIT = 0x40;

/** One socket. */
export class Datagrams implements DatagramPort {
  readonly receiveBuffer: number;
  readonly port: number;
  readonly #socket: Fd;

  private constructor(socket: Fd) {
    this.#socket = socket;
    this.receiveBuffer = get(socket, "SO_RCVBUF");
    const name = new Uint8Array(16);
    const size = new Uint8Array(Int32Array.of(name.length).buffer);
    const result = libc().getsockname(socket.number, name, size);
    call("getsockname", result, "Cannot read the address of a socket");
    this.port = name[2]! << 8 | name[3]!;
  }

  /** @throws OsError naming the call that failed; nothing is left open then. */
  static open(options: DatagramOptions): Datagrams {
    using undo = new DisposableStack();
    const one = undo.use(socket());
    buffer(one, "RCV", options.receiveBuffer);
    buffer(one, "SND", options.sendBuffer);
    set(one, "IP_TTL", options.ttl);
    const on = address(options.address, options.port);
    call("bind", libc().bind(one.number, on, on.length), `Cannot bind to UDP port ${options.port}`);
    undo.move();
    return new Datagrams(one);
  }

  get fd(): number {
    return this.#socket.number;
  }

  receive(batch: FrameBatch): number {
    const linux = batch as LinuxBatch;
    linux.rearm(true);
    const { slots, headers } = linux;
    const count = libc().recvmmsg(this.#socket.number, headers, slots, MSG_DONTWAIT, null);
    if (count < 0) {
      linux.count = 0;
      return -errno();
    }
    linux.receivedFrom(count);
    return count;
  }

  send(batch: FrameBatch, from: number): number {
    const linux = batch as LinuxBatch;
    linux.armSendEach(from);
    const headers = linux.headersFrom(from);
    const count = libc().sendmmsg(this.#socket.number, headers, linux.count - from, MSG_DONTWAIT);
    return count < 0 ? -errno() : count;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
