/** TAP interfaces: Ethernet as a descriptor. <linux/if_tun.h> */
import { parseIpv4 } from "../../base/address.ts";
import { OsError } from "../../base/errors.ts";
import type { FrameBatch, TapOptions, TapPort } from "../hot.ts";
import { ERRNO } from "./errno.ts";
import { Fd } from "./fd.ts";
import { Ifreq, Interfaces, REQUEST } from "./ioctl.ts";
import { checked, cString, errno, failure, libc } from "./libc.ts";
import type { LinuxBatch } from "./mmsg.ts";
import { dropsOfInterface } from "./proc_net.ts";

const DEVICE = "/dev/net/tun";
const O_RDWR_NONBLOCK_CLOEXEC = 0x2 | 0x800 | 0x80000;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;

/** An open TAP; see {@linkcode TapPort}. */
export class Tap implements TapPort {
  readonly #fd: Fd;
  readonly #interfaces: Interfaces;

  private constructor(
    readonly name: string,
    readonly adopted: boolean,
    fd: Fd,
    interfaces: Interfaces,
  ) {
    this.#fd = fd;
    this.#interfaces = interfaces;
  }

  /**
   * Makes the TAP, or adopts a persistent one of that name; then sets address, MTU and queue
   * length, and brings it up. On any failure nothing is left behind.
   *
   * @throws OsError EACCES/EPERM without privilege, ENOENT without the device, EBUSY when another
   * process has it, EINVAL when the name belongs to something that is not a TAP.
   */
  static open(options: TapOptions): Tap {
    const { name } = options;
    using undo = new DisposableStack();
    const interfaces = undo.use(new Interfaces());
    const existed = interfaces.state(name) !== undefined;
    const number = libc().open(cString(DEVICE), O_RDWR_NONBLOCK_CLOEXEC, 0);
    const fd = undo.use(new Fd(checked(number, "open", `Cannot open ${DEVICE}`)));
    const request = new Ifreq(name);
    request.view.setUint16(16, IFF_TAP | IFF_NO_PI, true);
    if (libc().ioctl(fd.number, BigInt(REQUEST.TUNSETIFF), request.octets) < 0) {
      const why = errno();
      const what = why === ERRNO.EBUSY
        ? `Cannot use TAP ${name}: another process has it`
        : why === ERRNO.EINVAL && existed
        ? `Cannot use ${name}: it is an interface of another kind`
        : `Cannot make TAP ${name}`;
      throw failure("ioctl", what, why);
    }
    configure(interfaces, options);
    undo.move();
    return new Tap(name, existed, fd, interfaces);
  }

  get fd(): number {
    return this.#fd.number;
  }

  read(batch: FrameBatch, slot: number): number {
    const length = libc().readv(this.#fd.number, (batch as LinuxBatch).aimRead(slot), 1);
    return length < 0 ? -errno() : length;
  }

  write(batch: FrameBatch, slot: number): number {
    const written = libc().writev(this.#fd.number, (batch as LinuxBatch).aimWrite(slot), 1);
    return written < 0 ? -errno() : written;
  }

  bringUp(): void {
    this.#interfaces.bringUp(this.name);
  }

  dropped(): number {
    return dropsOfInterface(this.name);
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
    this.#interfaces[Symbol.dispose]();
  }
}

function configure(interfaces: Interfaces, options: TapOptions): void {
  const { name, address, mtu, queueLength } = options;
  interfaces.setMtu(name, mtu);
  interfaces.setQueueLength(name, queueLength);
  if (address !== undefined) {
    const [host, prefix] = address.split("/") as [string, string];
    const wanted = parseIpv4(host)!;
    // Setting the address it has already would take its routes away for a moment.
    if (interfaces.state(name)?.address !== wanted) {
      interfaces.setAddress(name, wanted, Number(prefix));
    }
  }
  interfaces.bringUp(name);
}

/** Whether an error of {@linkcode Tap.open} can only be mended by privilege. */
export function needsPrivilege(error: unknown): boolean {
  return error instanceof OsError && ["EACCES", "EPERM"].includes(String(error.detail.errno));
}
