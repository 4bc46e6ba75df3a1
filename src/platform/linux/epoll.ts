/**
 * `epoll(7)`, edge-triggered: each change is told once, and no descriptor has to be armed again.
 *
 * `struct epoll_event` is a word of bits and 64 bits of the caller's; packed into 12 octets on
 * x86-64, 16 elsewhere. <linux/eventpoll.h>
 * @module
 */
import type { Pollable } from "../hot.ts";
import type { StreamPoller } from "../streams.ts";
import { ERRNO } from "./errno.ts";
import { Fd } from "./fd.ts";
import { call } from "./group.ts";
import { errno, failure, libc } from "./libc.ts";
import { WAIT_MS_MAX } from "./poll.ts";

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 0x1;
const EPOLLOUT = 0x4;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 1 << 31;
const [STRIDE, DATA_AT] = Deno.build.arch === "x86_64" ? [12, 4] : [16, 8];

/** A {@linkcode StreamPoller} of the kernel's. Closing a descriptor takes it out. */
export class LinuxStreamPoller implements StreamPoller {
  readonly #fd: Fd;
  readonly #most: number;
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #one = new Uint8Array(STRIDE);
  readonly #oneView = new DataView(this.#one.buffer);

  private constructor(fd: Fd, most: number) {
    this.#fd = fd;
    this.#most = most;
    this.#events = new Uint8Array(most * STRIDE);
    this.#view = new DataView(this.#events.buffer);
  }

  /** @throws OsError when there are no more descriptors. */
  static open(most: number): LinuxStreamPoller {
    const fd = call("epoll_create1", libc().epoll_create1(EPOLL_CLOEXEC), "Cannot open an epoll");
    return new LinuxStreamPoller(new Fd(fd), most);
  }

  watch(what: Pollable, token: number): void {
    this.#oneView.setInt32(0, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, true);
    this.#oneView.setUint32(DATA_AT, token, true);
    const result = libc().epoll_ctl(this.#fd.number, EPOLL_CTL_ADD, what.fd, this.#one);
    call("epoll_ctl", result, "Cannot watch a descriptor");
  }

  wait(ms: number): number {
    const wait = Math.min(ms, WAIT_MS_MAX);
    const count = libc().epoll_wait(this.#fd.number, this.#events, this.#most, wait);
    if (count >= 0) return count;
    const why = errno();
    if (why !== ERRNO.EINTR) throw failure("epoll_wait", "Cannot wait for input", why);
    return 0;
  }

  token(index: number): number {
    return this.#view.getUint32(index * STRIDE + DATA_AT, true);
  }

  changes(index: number): number {
    return this.#view.getUint32(index * STRIDE, true);
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}
