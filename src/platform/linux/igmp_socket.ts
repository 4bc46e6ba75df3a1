/**
 * A raw socket for IGMP: it sends reports as the kernel's own are sent (TTL 1, Router Alert, class
 * 0xC0; RFC 3376 §4) and hears what routers and other hosts say on its interface.
 * @module
 */
import type { IgmpPort } from "../hot.ts";
import { Fd } from "./fd.ts";
import { address, call, set, setRaw } from "./group.ts";
import { cString, errno, libc } from "./libc.ts";

const AF_INET = 2;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
const IPPROTO_IGMP = 2;
const MSG_DONTWAIT = 0x40;
/** IP option Router Alert. RFC 2113 §2.1 */
const ROUTER_ALERT = [0x94, 0x04, 0x00, 0x00];
/** Class of service that IGMP is sent with. RFC 3376 §4 */
const TOS = 0xc0;
/** No message that is read here is longer. */
const DATAGRAM_MAX = 1500;

/** See {@linkcode IgmpPort}. */
export class IgmpSocket implements IgmpPort {
  readonly #fd: Fd;
  readonly #octets = new Uint8Array(new ArrayBuffer(DATAGRAM_MAX));

  private constructor(fd: Fd) {
    this.#fd = fd;
  }

  /** @throws OsError naming the call that failed; nothing is left open then. */
  static open({ name, index }: { readonly name: string; readonly index: number }): IgmpSocket {
    using undo = new DisposableStack();
    const made = libc().socket(AF_INET, SOCK_RAW_NONBLOCK_CLOEXEC, IPPROTO_IGMP);
    const fd = undo.use(new Fd(call("socket", made, "Cannot open a raw socket for IGMP")));
    // struct ip_mreqn: group 0, address 4, index i32 8.
    const membership = new Uint8Array(12);
    new DataView(membership.buffer).setInt32(8, index, true);
    setRaw(fd, "SO_BINDTODEVICE", cString(name), `Cannot bind to ${name}`);
    setRaw(fd, "IP_MULTICAST_IF", membership, "Cannot choose the interface");
    setRaw(fd, "IP_OPTIONS", Uint8Array.from(ROUTER_ALERT), "Cannot set Router Alert");
    set(fd, "IP_MULTICAST_TTL", 1);
    set(fd, "IP_MULTICAST_LOOP", 0);
    set(fd, "IP_TOS", TOS);
    undo.move();
    return new IgmpSocket(fd);
  }

  send(to: number, message: Uint8Array<ArrayBuffer>): number {
    const target = address(to, 0);
    const size = BigInt(message.length);
    const sent = libc().sendto(this.#fd.number, message, size, 0, target, target.length);
    return sent < 0 ? -errno() : Number(sent);
  }

  receive(): Uint8Array | undefined {
    const size = BigInt(DATAGRAM_MAX);
    const length = Number(libc().recv(this.#fd.number, this.#octets, size, MSG_DONTWAIT));
    return length < 0 ? undefined : this.#octets.subarray(0, length);
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}
