/**
 * A UDP multicast group, as two sockets: one bound to the group that receives, one connected to it
 * that sends.
 *
 * The receiving socket is bound to the group's address and has `IP_MULTICAST_ALL` off, so that it
 * hears this group and no other, whatever else on this host has joined. (A socket bound to the
 * wildcard hears every group that anybody has joined on the same port.) `ip(7)`, <linux/in.h>.
 * @module
 */
import { parseIpv4 } from "../../base/address.ts";
import type { FrameBatch, GroupOptions, GroupPort } from "../hot.ts";
import { Fd } from "./fd.ts";
import { type CallName, checked, errno, libc } from "./libc.ts";
import { type LinuxBatch, SIZE } from "./mmsg.ts";
import { dropsOfSocket } from "./proc_net.ts";

const AF_INET = 2;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0x800 | 0x80000;
const SOL_SOCKET = 1;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const MSG_DONTWAIT = 0x40;

/** Socket options: [level, number]. <asm-generic/socket.h>, <linux/in.h> */
export const OPTION = {
  SO_REUSEADDR: [SOL_SOCKET, 2],
  SO_KEEPALIVE: [SOL_SOCKET, 9],
  SO_SNDBUF: [SOL_SOCKET, 7],
  SO_RCVBUF: [SOL_SOCKET, 8],
  SO_PRIORITY: [SOL_SOCKET, 12],
  SO_SNDBUFFORCE: [SOL_SOCKET, 32],
  SO_RCVBUFFORCE: [SOL_SOCKET, 33],
  SO_BINDTODEVICE: [SOL_SOCKET, 25],
  IP_TOS: [IPPROTO_IP, 1],
  IP_TTL: [IPPROTO_IP, 2],
  IP_OPTIONS: [IPPROTO_IP, 4],
  IP_MTU_DISCOVER: [IPPROTO_IP, 10],
  IP_MULTICAST_IF: [IPPROTO_IP, 32],
  IP_MULTICAST_TTL: [IPPROTO_IP, 33],
  IP_MULTICAST_LOOP: [IPPROTO_IP, 34],
  IP_ADD_MEMBERSHIP: [IPPROTO_IP, 35],
  IP_MULTICAST_ALL: [IPPROTO_IP, 49],
  TCP_NODELAY: [IPPROTO_TCP, 1],
  TCP_KEEPIDLE: [IPPROTO_TCP, 4],
  TCP_KEEPINTVL: [IPPROTO_TCP, 5],
  TCP_KEEPCNT: [IPPROTO_TCP, 6],
  TCP_USER_TIMEOUT: [IPPROTO_TCP, 18],
} as const;
type OptionName = keyof typeof OPTION;

/** `IP_PMTUDISC_DO`: DF is set, and what does not fit is refused with EMSGSIZE. */
const PMTUDISC_DO = 2;
/** 802.1p class 6 where the qdisc or the VLAN maps it. */
const PRIORITY = 6;

/** A joined group; see {@linkcode GroupPort}. */
export class Group implements GroupPort {
  readonly missed = 0;
  readonly #receiver: Fd;
  readonly #sender: Fd;
  readonly #inode: number;

  private constructor(receiver: Fd, sender: Fd, readonly receiveBuffer: number) {
    this.#receiver = receiver;
    this.#sender = sender;
    this.#inode = inodeOf(receiver.number);
  }

  /** @throws OsError naming the call that failed; nothing is left open then. */
  static open(options: GroupOptions): Group {
    const { port, via } = options;
    const group = options.group!;
    const where = `${group}:${port}`;
    using undo = new DisposableStack();
    const receiver = undo.use(socket());
    set(receiver, "SO_REUSEADDR", 1);
    buffer(receiver, "RCV", options.receiveBuffer);
    const to = address(parseIpv4(group)!, port);
    call("bind", libc().bind(receiver.number, to, to.length), `Cannot bind to ${where}`);
    set(receiver, "IP_MULTICAST_ALL", 0);
    // struct ip_mreqn: group 0, address 4, index i32 8.
    const membership = new Uint8Array(12);
    const view = new DataView(membership.buffer);
    view.setUint32(0, parseIpv4(group)!);
    view.setInt32(8, via, true);
    setRaw(receiver, "IP_ADD_MEMBERSHIP", membership, `Cannot join ${group}`);

    const sender = undo.use(socket());
    set(sender, "SO_REUSEADDR", 1);
    buffer(sender, "SND", options.sendBuffer);
    setRaw(sender, "IP_MULTICAST_IF", membership.fill(0, 0, 4), "Cannot choose the interface");
    set(sender, "IP_MULTICAST_TTL", options.ttl);
    set(sender, "IP_MULTICAST_LOOP", options.loop ? 1 : 0);
    set(sender, "IP_TOS", options.dscp << 2);
    set(sender, "SO_PRIORITY", PRIORITY);
    set(sender, "IP_MTU_DISCOVER", PMTUDISC_DO);
    // The port as its source too, as peers and packet filters know it.
    const from = address(0, port);
    call("bind", libc().bind(sender.number, from, from.length), `Cannot bind to port ${port}`);
    call("connect", libc().connect(sender.number, to, to.length), `Cannot send to ${where}`);
    undo.move();
    return new Group(receiver, sender, get(receiver, "SO_RCVBUF"));
  }

  get fd(): number {
    return this.#receiver.number;
  }

  receive(batch: FrameBatch): number {
    const linux = batch as LinuxBatch;
    linux.rearm(true);
    const { slots, headers } = linux;
    const count = libc().recvmmsg(this.#receiver.number, headers, slots, MSG_DONTWAIT, null);
    if (count < 0) {
      linux.count = 0;
      return -errno();
    }
    linux.received(count, true);
    return count;
  }

  send(batch: FrameBatch, from: number): number {
    const linux = batch as LinuxBatch;
    linux.armSend(from);
    const headers = linux.headersFrom(from);
    const count = libc().sendmmsg(this.#sender.number, headers, linux.count - from, MSG_DONTWAIT);
    return count < 0 ? -errno() : count;
  }

  dropped(): number {
    return dropsOfSocket(this.#inode);
  }

  [Symbol.dispose](): void {
    this.#receiver[Symbol.dispose]();
    this.#sender[Symbol.dispose]();
  }
}

/** A UDP socket that does not block. */
export function socket(): Fd {
  return new Fd(
    call("socket", libc().socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0), "Cannot open a socket"),
  );
}

/** A `sockaddr_in`. */
export function address(host: number, port: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(SIZE.sockaddrIn);
  const view = new DataView(octets.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  view.setUint32(4, host);
  return octets;
}

/** Sets an option that is a number. @throws OsError */
export function set(on: Fd, name: OptionName, value: number): void {
  setRaw(on, name, new Uint8Array(new Int32Array([value]).buffer), `Cannot set ${name}`);
}

/** Sets an option. @throws OsError */
export function setRaw(
  on: Fd,
  name: OptionName,
  value: Uint8Array<ArrayBuffer>,
  what: string,
): void {
  const [level, number] = OPTION[name];
  call("setsockopt", libc().setsockopt(on.number, level, number, value, value.length), what);
}

/** Reads an option that is a number. @throws OsError */
export function get(of: Fd, name: OptionName): number {
  const [level, number] = OPTION[name];
  const value = new Int32Array(1);
  const size = new Int32Array([4]);
  const octets = new Uint8Array(value.buffer);
  const result = libc().getsockopt(of.number, level, number, octets, new Uint8Array(size.buffer));
  call("getsockopt", result, `Cannot read ${name}`);
  return value[0]!;
}

/** Beyond the system's maximum where we may, else as far as it goes. The kernel doubles it. */
export function buffer(on: Fd, kind: "RCV" | "SND", octets: number): void {
  const [level, number] = OPTION[`SO_${kind}BUFFORCE`];
  const value = new Uint8Array(new Int32Array([octets]).buffer);
  if (libc().setsockopt(on.number, level, number, value, 4) < 0) set(on, `SO_${kind}BUF`, octets);
}

/** Checks a result. @throws OsError */
export function call(name: CallName, result: number, what: string): number {
  return checked(result, name, what);
}

/** The inode of a socket, by which /proc/net/udp knows it. */
export function inodeOf(fd: number): number {
  const target = Deno.readLinkSync(`/proc/self/fd/${fd}`); // socket:[12345]
  return Number(/\d+/.exec(target)?.[0] ?? 0);
}
