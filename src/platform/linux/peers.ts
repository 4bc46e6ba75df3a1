/**
 * Unicast instead of a group, for networks without multicast: one socket that hears everybody and
 * sends every datagram to each peer.
 * @module
 */
import type { FrameBatch, GroupOptions, GroupPort } from "../hot.ts";
import { Fd } from "./fd.ts";
import { address, buffer, call, get, inodeOf, set, socket } from "./group.ts";
import { errno, libc } from "./libc.ts";
import type { LinuxBatch } from "./mmsg.ts";
import { dropsOfSocket } from "./proc_net.ts";

const MSG_DONTWAIT = 0x40;
const PRIORITY = 6;
const PMTUDISC_DO = 2;

/** A list of peers; see {@linkcode GroupPort}. */
export class Peers implements GroupPort {
  readonly receiveBuffer: number;
  readonly #socket: Fd;
  readonly #inode: number;
  readonly #peers: readonly Uint8Array<ArrayBuffer>[];

  private constructor(socket: Fd, peers: readonly Uint8Array<ArrayBuffer>[]) {
    this.#socket = socket;
    this.#peers = peers;
    this.#inode = inodeOf(socket.number);
    this.receiveBuffer = get(socket, "SO_RCVBUF");
  }

  /** @throws OsError naming the call that failed; nothing is left open then. */
  static open(options: GroupOptions): Peers {
    const { port, peers } = options;
    using undo = new DisposableStack();
    const one = undo.use(socket());
    buffer(one, "RCV", options.receiveBuffer);
    buffer(one, "SND", options.sendBuffer);
    set(one, "IP_TOS", options.dscp << 2);
    set(one, "SO_PRIORITY", PRIORITY);
    set(one, "IP_MTU_DISCOVER", PMTUDISC_DO);
    const from = address(0, port);
    call("bind", libc().bind(one.number, from, from.length), `Cannot bind to port ${port}`);
    undo.move();
    return new Peers(one, peers.map((peer) => address(peer.address, peer.port)));
  }

  missed = 0;

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
    linux.received(count, true);
    return count;
  }

  /** Sends to every peer. One that cannot be reached costs the others nothing. */
  send(batch: FrameBatch, from: number): number {
    const linux = batch as LinuxBatch;
    let best = 0;
    let sum = 0;
    let fault = 0;
    for (let index = 0; index < this.#peers.length; index += 1) {
      linux.armSendTo(from, this.#peers[index]!);
      const headers = linux.headersFrom(from);
      const count = libc().sendmmsg(this.#socket.number, headers, linux.count - from, MSG_DONTWAIT);
      if (count < 0) {
        fault = -errno();
        continue;
      }
      sum += count;
      if (count > best) best = count;
    }
    this.missed += best * this.#peers.length - sum;
    return best > 0 ? best : fault;
  }

  dropped(): number {
    return dropsOfSocket(this.#inode);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
