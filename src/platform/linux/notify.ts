/**
 * Messages to the service manager: `READY=1`, `WATCHDOG=1` and others as datagrams to the unix
 * socket that `$NOTIFY_SOCKET` names. sd_notify(3)
 * @module
 */
import { OsError } from "../../base/errors.ts";
import { Fd } from "./fd.ts";
import { checked, libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
/** `struct sockaddr_un`: family at 0 (2 octets, machine order), path at 2 (108). sys/un.h */
const PATH_AT = 2;
const PATH_MAX = 108;

const CLOCK_MONOTONIC = 1;

/** Microseconds of the clock that the service manager compares with. clock_gettime(2) */
export function monotonicMicros(): number {
  const time = new BigInt64Array(2);
  checked(libc().clock_gettime(CLOCK_MONOTONIC, time), "clock_gettime", "Cannot read the clock");
  return Number(time[0]! * 1_000_000n + time[1]! / 1000n);
}

/** Tells the service manager something. */
export class Notifier implements Disposable {
  readonly #fd: Fd;
  readonly #address: Uint8Array<ArrayBuffer>;

  /**
   * @param path `$NOTIFY_SOCKET`: absolute, or an abstract name that begins with `@`.
   * @throws OsError when there can be no such socket.
   */
  constructor(path: string) {
    const name = new TextEncoder().encode(path);
    if (!/^[/@]/.test(path) || name.length >= PATH_MAX) {
      throw new OsError("notify.path", "NOTIFY_SOCKET is not the path of a socket", {
        errno: "EINVAL",
      });
    }
    this.#address = new Uint8Array(PATH_AT + name.length + (path.startsWith("@") ? 0 : 1));
    this.#address[0] = AF_UNIX;
    this.#address.set(name, PATH_AT);
    if (path.startsWith("@")) this.#address[PATH_AT] = 0;
    const made = libc().socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    this.#fd = new Fd(checked(made, "socket", "Cannot open a socket to the service manager"));
  }

  /**
   * Sends assignments such as `READY=1` in one datagram.
   * @throws OsError when the service manager does not take it.
   */
  send(...assignments: readonly string[]): void {
    const text = new TextEncoder().encode(assignments.join("\n"));
    const sent = libc().sendto(
      this.#fd.number,
      text,
      BigInt(text.length),
      0,
      this.#address,
      this.#address.length,
    );
    checked(sent, "sendto", "Cannot tell the service manager");
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}
