/**
 * TCP by system calls, for a worker: sockets that never block, and `splice(2)` through pipes, so
 * that payload octets never enter this process.
 * @module
 */
import { OsError } from "../../base/errors.ts";
import { formatIpv6, parseIpv4, parseIpv6 } from "../../base/address.ts";
import type {
  ListenOptions,
  StreamInfo,
  StreamListener,
  StreamPipe,
  Streams,
  StreamSocket,
} from "../streams.ts";
import { LinuxStreamPoller } from "./epoll.ts";
import { Fd } from "./fd.ts";
import { buffer, call, set } from "./group.ts";
import { errno, libc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOCK_STREAM_ASYNC = 1 | SOCK_NONBLOCK | SOCK_CLOEXEC;
const MSG_PEEK = 0x2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const FIONREAD = 0x541b;
const O_NONBLOCK_CLOEXEC = SOCK_NONBLOCK | SOCK_CLOEXEC;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
const RLIMIT_NOFILE = 7;
const PAGE = 4096;
/** A silent connection is asked after so many seconds, so often, so many times. tcp(7) */
const KEEPALIVE = { idle: 30, interval: 10, count: 3 } as const;
/** Offsets in `struct tcp_info`, <linux/tcp.h>: 8 octets, then words of 32 bits. */
const INFO = { lost: 32, rtt: 68, totalRetrans: 100, segsOut: 136, notSent: 144, size: 152 };

// Scratch of this thread: none of it outlives the call that fills it.
const addressOctets = new Uint8Array(28);
const addressSize = new Int32Array(1);
const addressSizeOctets = new Uint8Array(addressSize.buffer);
const infoOctets = new Uint8Array(INFO.size);
const infoView = new DataView(infoOctets.buffer);
const infoSize = new Int32Array(1);
const infoSizeOctets = new Uint8Array(infoSize.buffer);
const word = new Int32Array(2);
const wordOctets = new Uint8Array(word.buffer);

/** TCP of this host. */
export const LINUX_STREAMS: Streams = {
  listen: (options) => Listener.open(options),
  pipe: (pages) => Pipe.open(pages),
  poller: (most) => LinuxStreamPoller.open(most),
  get descriptorsMax() {
    const limit = new BigUint64Array(2);
    const result = libc().getrlimit(RLIMIT_NOFILE, new Uint8Array(limit.buffer));
    call("getrlimit", result, "Cannot read the limit of descriptors");
    return Number(limit[0]);
  },
};

class Listener implements StreamListener {
  readonly #fd: Fd;
  readonly port: number;

  private constructor(fd: Fd) {
    this.#fd = fd;
    addressSize[0] = addressOctets.length;
    const result = libc().getsockname(fd.number, addressOctets, addressSizeOctets);
    call("getsockname", result, "Cannot read the address of a socket");
    this.port = addressOctets[2]! << 8 | addressOctets[3]!;
  }

  static open({ address, port, backlog, sendBuffer, receiveBuffer }: ListenOptions): Listener {
    const where = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    const name = sockaddr(address, port);
    using undo = new DisposableStack();
    const family = name[0]!;
    const fd = undo.use(
      new Fd(call("socket", libc().socket(family, SOCK_STREAM_ASYNC, 0), "Cannot open a socket")),
    );
    set(fd, "SO_REUSEADDR", 1);
    set(fd, "TCP_NODELAY", 1);
    set(fd, "SO_KEEPALIVE", 1);
    set(fd, "TCP_KEEPIDLE", KEEPALIVE.idle);
    set(fd, "TCP_KEEPINTVL", KEEPALIVE.interval);
    set(fd, "TCP_KEEPCNT", KEEPALIVE.count);
    // The kernel doubles what it is asked for, and tells it doubled: so it grants what was meant.
    if (sendBuffer > 0) buffer(fd, "SND", sendBuffer / 2);
    if (receiveBuffer > 0) buffer(fd, "RCV", receiveBuffer / 2);
    call("bind", libc().bind(fd.number, name, name.length), `Cannot bind to ${where}`);
    call("listen", libc().listen(fd.number, backlog), `Cannot listen on ${where}`);
    undo.move();
    return new Listener(fd);
  }

  get fd(): number {
    return this.#fd.number;
  }

  accept(): StreamSocket | number {
    addressSize[0] = addressOctets.length;
    const flags = O_NONBLOCK_CLOEXEC;
    const fd = libc().accept4(this.#fd.number, addressOctets, addressSizeOctets, flags);
    // Options of the listening socket are inherited by what it accepts.
    return fd < 0 ? -errno() : new Socket(new Fd(fd), remoteOf(addressOctets));
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

class Socket implements StreamSocket {
  readonly #fd: Fd;

  constructor(fd: Fd, readonly remote: string) {
    this.#fd = fd;
  }

  get fd(): number {
    return this.#fd.number;
  }

  peek(into: Uint8Array<ArrayBuffer>): number {
    const flags = MSG_PEEK | MSG_DONTWAIT;
    const count = Number(libc().recv(this.#fd.number, into, into.length as never, flags));
    return count < 0 ? -errno() : count;
  }

  take(into: Uint8Array<ArrayBuffer>, count: number): number {
    const most = Math.min(count, into.length) as never;
    const taken = Number(libc().recv(this.#fd.number, into, most, MSG_DONTWAIT));
    return taken < 0 ? -errno() : taken;
  }

  send(octets: Uint8Array<ArrayBuffer>): number {
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const none = new Uint8Array(0);
    const size = octets.length as never;
    const sent = Number(libc().sendto(this.#fd.number, octets, size, flags, none, 0));
    return sent < 0 ? -errno() : sent;
  }

  unread(): number {
    word[0] = 0;
    libc().ioctl(this.#fd.number, FIONREAD as never, wordOctets);
    return word[0]!;
  }

  finish(): void {
    // A peer that is gone already (ENOTCONN) needs no end.
    libc().shutdown(this.#fd.number, SHUT_WR);
  }

  reset(): void {
    // struct linger: on, seconds. On with none is RST. socket(7)
    word[0] = 1;
    word[1] = 0;
    libc().setsockopt(this.#fd.number, SOL_SOCKET, SO_LINGER, wordOctets, 8);
    this.#fd[Symbol.dispose]();
  }

  giveUpAfter(ms: number): void {
    set(this.#fd, "TCP_USER_TIMEOUT", ms);
  }

  info(into: StreamInfo): boolean {
    infoSize[0] = infoOctets.length;
    const { number } = this.#fd;
    const result = libc().getsockopt(number, IPPROTO_TCP, TCP_INFO, infoOctets, infoSizeOctets);
    if (result < 0 || infoSize[0]! < INFO.segsOut + 4) return false;
    into.lost = infoView.getUint32(INFO.lost, true);
    into.rtt = infoView.getUint32(INFO.rtt, true);
    into.retransmitted = infoView.getUint32(INFO.totalRetrans, true);
    into.segmentsOut = infoView.getUint32(INFO.segsOut, true);
    into.unsent = infoView.getUint32(INFO.notSent, true);
    return true;
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

class Pipe implements StreamPipe {
  readonly capacity: number;
  readonly #output: Fd;
  readonly #input: Fd;

  private constructor(output: Fd, input: Fd, pages: number) {
    this.#output = output;
    this.#input = input;
    // Beyond /proc/sys/fs/pipe-max-size only root may; then it stays what it is.
    libc().fcntl(input.number, F_SETPIPE_SZ, pages * PAGE);
    this.capacity = libc().fcntl(input.number, F_GETPIPE_SZ, 0);
  }

  static open(pages: number): Pipe {
    call("pipe2", libc().pipe2(wordOctets, O_NONBLOCK_CLOEXEC), "Cannot open a pipe");
    const [output, input] = [word[0]!, word[1]!];
    return new Pipe(new Fd(output), new Fd(input), pages);
  }

  fill(from: StreamSocket, most: number): number {
    const count = libc().splice(from.fd, null, this.#input.number, null, most, SPLICE_FLAGS);
    return count < 0 ? -errno() : count;
  }

  drain(to: StreamSocket, most: number): number {
    const count = libc().splice(this.#output.number, null, to.fd, null, most, SPLICE_FLAGS);
    return count < 0 ? -errno() : count;
  }

  [Symbol.dispose](): void {
    this.#output[Symbol.dispose]();
    this.#input[Symbol.dispose]();
  }
}

/** `sockaddr_in` or `sockaddr_in6`. @throws OsError for what is no address. */
function sockaddr(address: string, port: number): Uint8Array<ArrayBuffer> {
  const number = parseIpv4(address);
  const octets = new Uint8Array(number === undefined ? 28 : 16);
  const view = new DataView(octets.buffer);
  view.setUint16(0, number === undefined ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  if (number !== undefined) {
    view.setUint32(4, number);
    return octets;
  }
  const wide = parseIpv6(address);
  if (!wide) {
    throw new OsError("os.address", `${address} is no numeric address`, {
      syscall: "bind",
      errno: "EINVAL",
    });
  }
  octets.set(wide, 8);
  return octets;
}

function remoteOf(name: Uint8Array): string {
  const port = name[2]! << 8 | name[3]!;
  return name[0] === AF_INET
    ? `${name.subarray(4, 8).join(".")}:${port}`
    : `[${formatIpv6(name.subarray(8, 24))}]:${port}`;
}
