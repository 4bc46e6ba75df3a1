/**
 * Interfaces by `ioctl(2)`. `struct ifreq` is 40 octets on LP64 (<net/if.h>): the name at 0 (16
 * octets, NUL-terminated), then a union at 16: flags u16, index, MTU or queue length i32, or a
 * sockaddr (family u16 at 16, IPv4 address at 20, MAC at 18).
 * @module
 */
import { OsError } from "../../base/errors.ts";
import type { InterfaceState } from "../hot.ts";
import { ERRNO } from "./errno.ts";
import { Fd } from "./fd.ts";
import { checked, errno, failure, libc } from "./libc.ts";

/** Request numbers, <linux/sockios.h> and <linux/if_tun.h>; the same on x86-64 and ARM64. */
export const REQUEST = {
  SIOCGIFFLAGS: 0x8913,
  SIOCSIFFLAGS: 0x8914,
  SIOCGIFADDR: 0x8915,
  SIOCSIFADDR: 0x8916,
  SIOCSIFNETMASK: 0x891c,
  SIOCGIFMTU: 0x8921,
  SIOCSIFMTU: 0x8922,
  SIOCGIFHWADDR: 0x8927,
  SIOCGIFINDEX: 0x8933,
  SIOCSIFTXQLEN: 0x8943,
  TUNSETIFF: 0x400454ca,
  TUNGETIFF: 0x800454d2,
} as const;

/** Interface flags, <linux/if.h>. */
export const IFF = { UP: 0x1, RUNNING: 0x40, MULTICAST: 0x1000 } as const;

/** Octets of a name with its NUL. <linux/if.h> IFNAMSIZ */
export const IFNAMSIZ = 16;
const IFREQ_SIZE = 40;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;

/** One `struct ifreq`, for one interface. */
export class Ifreq {
  readonly octets = new Uint8Array(new ArrayBuffer(IFREQ_SIZE));
  readonly view = new DataView(this.octets.buffer);

  /** @throws OsError (ENAMETOOLONG) when the name does not fit. */
  constructor(name: string) {
    const text = new TextEncoder().encode(name);
    if (text.length === 0 || text.length >= IFNAMSIZ) {
      throw new OsError("os.ifname", `Interface name has to be 1 to 15 octets: ${name}`, {
        syscall: "ioctl",
        errno: "ENAMETOOLONG",
      });
    }
    this.octets.set(text);
  }

  /** The name as the kernel has it now. */
  get name(): string {
    const end = this.octets.indexOf(0);
    return new TextDecoder().decode(this.octets.subarray(0, end));
  }

  /** Makes the union an IPv4 address. */
  setAddress(address: number): void {
    this.octets.fill(0, 16);
    this.view.setUint16(16, AF_INET, true);
    this.view.setUint32(20, address);
  }
}

/** Asks and sets the properties of interfaces, over a socket of its own. */
export class Interfaces implements Disposable {
  readonly #socket: Fd;

  /** @throws OsError when no socket can be had. */
  constructor() {
    const number = libc().socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
    this.#socket = new Fd(checked(number, "socket", "Cannot open a socket"));
  }

  /** What is known of an interface; undefined when there is none of that name. */
  state(name: string): InterfaceState | undefined {
    const request = new Ifreq(name);
    if (!this.#ask(REQUEST.SIOCGIFINDEX, request)) return undefined;
    const index = request.view.getInt32(16, true);
    if (!this.#ask(REQUEST.SIOCGIFFLAGS, request)) return undefined;
    const flags = request.view.getUint16(16, true);
    if (!this.#ask(REQUEST.SIOCGIFMTU, request)) return undefined;
    const mtu = request.view.getInt32(16, true);
    if (!this.#ask(REQUEST.SIOCGIFHWADDR, request)) return undefined;
    const octets = [...request.octets.subarray(18, 24)];
    const mac = octets.map((octet) => octet.toString(16).padStart(2, "0")).join(":");
    const address = this.#ask(REQUEST.SIOCGIFADDR, request) ? request.view.getUint32(20) : 0;
    const up = (flags & IFF.UP) !== 0;
    return { index, mac, mtu, up, carrier: (flags & IFF.RUNNING) !== 0, address };
  }

  /** Sets the first IPv4 address and its prefix. @throws OsError */
  setAddress(name: string, address: number, prefix: number): void {
    const request = new Ifreq(name);
    request.setAddress(address);
    this.#tell(REQUEST.SIOCSIFADDR, request, `Cannot set the address of ${name}`);
    request.setAddress(prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0);
    this.#tell(REQUEST.SIOCSIFNETMASK, request, `Cannot set the netmask of ${name}`);
  }

  /** @throws OsError */
  setMtu(name: string, mtu: number): void {
    const request = new Ifreq(name);
    request.view.setInt32(16, mtu, true);
    this.#tell(REQUEST.SIOCSIFMTU, request, `Cannot set the MTU of ${name} to ${mtu}`);
  }

  /** @throws OsError */
  setQueueLength(name: string, frames: number): void {
    const request = new Ifreq(name);
    request.view.setInt32(16, frames, true);
    this.#tell(REQUEST.SIOCSIFTXQLEN, request, `Cannot set the queue length of ${name}`);
  }

  /** Brings an interface up. @throws OsError */
  bringUp(name: string): void {
    const request = new Ifreq(name);
    this.#tell(REQUEST.SIOCGIFFLAGS, request, `Cannot read the flags of ${name}`);
    const flags = request.view.getUint16(16, true);
    request.view.setUint16(16, flags | IFF.UP | IFF.MULTICAST, true);
    this.#tell(REQUEST.SIOCSIFFLAGS, request, `Cannot bring ${name} up`);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  /** Returns whether the interface answered; ENODEV and EADDRNOTAVAIL are answers too. */
  #ask(request: number, about: Ifreq): boolean {
    if (libc().ioctl(this.#socket.number, BigInt(request), about.octets) >= 0) return true;
    const number = errno();
    if (number === ERRNO.ENODEV || number === ERRNO.EADDRNOTAVAIL) return false;
    throw failure("ioctl", `Cannot read about ${about.name}`, number);
  }

  #tell(request: number, about: Ifreq, what: string): void {
    checked(libc().ioctl(this.#socket.number, BigInt(request), about.octets), "ioctl", what);
  }
}
