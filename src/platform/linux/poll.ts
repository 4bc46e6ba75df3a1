/** `poll(2)` over a few descriptors. `struct pollfd` is 8 octets: fd i32 0, events 4, revents 6. */
import { BugError } from "../../base/errors.ts";
import type { Pollable, Poller } from "../hot.ts";
import { ERRNO } from "./errno.ts";
import { errno, failure, libc } from "./libc.ts";

const POLLIN = 0x1;
/** Most descriptors of one poller. */
export const POLL_MAX = 16;
/** Longest wait, so that orders in shared memory are seen in time. */
export const WAIT_MS_MAX = 100;

/** A {@linkcode Poller} for a thread of its own: it blocks. */
export class LinuxPoller implements Poller {
  readonly #watched: Pollable[] = [];
  readonly #octets = new Uint8Array(new ArrayBuffer(POLL_MAX * 8));
  readonly #words = new Int32Array(this.#octets.buffer);

  watch(what: Pollable): void {
    if (this.#watched.length >= POLL_MAX) {
      throw new BugError("poll.full", "Too many descriptors to wait for", { max: POLL_MAX });
    }
    this.#watched.push(what);
  }

  unwatch(what: Pollable): void {
    const at = this.#watched.indexOf(what);
    if (at >= 0) this.#watched.splice(at, 1);
  }

  wait(ms: number): number {
    const count = this.#watched.length;
    for (let at = 0; at < count; at += 1) {
      this.#words[at * 2] = this.#watched[at]!.fd;
      this.#words[at * 2 + 1] = POLLIN;
    }
    // The count is a nfds_t, 64 bits; a number is taken as well as a BigInt.
    const ready = libc().poll(this.#octets, count as never, Math.min(ms, WAIT_MS_MAX));
    if (ready >= 0) return ready;
    const why = errno();
    if (why !== ERRNO.EINTR) throw failure("poll", "Cannot wait for input", why);
    for (let at = 0; at < count; at += 1) this.#words[at * 2 + 1] = 0;
    return 0;
  }

  ready(what: Pollable): boolean {
    const at = this.#watched.indexOf(what);
    return at >= 0 && this.#words[at * 2 + 1]! >>> 16 !== 0;
  }
}
