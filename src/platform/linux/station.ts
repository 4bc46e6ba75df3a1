/**
 * A port of the station bus: an interface that is there already, physical or one end of a pair.
 * Frames come with the tag that the kernel has stripped; what is written leaves by the interface,
 * and is not heard again.
 * @module
 */
import { OsError } from "../../base/errors.ts";
import type { FrameBatch, TapPort } from "../hot.ts";
import type { Fd } from "./fd.ts";
import { Interfaces } from "./ioctl.ts";
import { checked, errno, libc } from "./libc.ts";
import type { LinuxBatch } from "./mmsg.ts";
import { openPacketSocket } from "./packet.ts";

const MSG_DONTWAIT = 0x40;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
/** struct cmsghdr (16 octets) and tpacket_auxdata (20), filled up to 8. linux/if_packet.h */
const CONTROL_SIZE = 40;
const STATUS = 16 / 4;
const TCI_AT = 32;
const TPID_AT = 34;
const STATUS_VLAN = 0x10;
const STATUS_TPID = 0x40;
const TPID_DEFAULT = 0x8100;
const ADDRESSES = 12;
const TAG = 4;

/** See {@linkcode TapPort}; it is never made and never removed. */
export class Station implements TapPort {
  readonly adopted = true;
  readonly #fd: Fd;
  readonly #control = new Uint8Array(new ArrayBuffer(CONTROL_SIZE));
  readonly #controlWords = new Uint32Array(this.#control.buffer);
  readonly #controlAddress: number;
  #dropped = 0;

  private constructor(readonly name: string, fd: Fd) {
    this.#fd = fd;
    const pointer = Deno.UnsafePointer.of(this.#control);
    this.#controlAddress = Number(Deno.UnsafePointer.value(pointer));
  }

  /** @throws OsError EPERM without NET_RAW; ENODEV; ENETDOWN when the interface is down. */
  static open(name: string): Station {
    using interfaces = new Interfaces();
    const state = interfaces.state(name);
    if (!state) {
      throw new OsError("os.station.none", `There is no interface ${name}`, { errno: "ENODEV" });
    }
    if (!state.up) {
      throw new OsError("os.station.down", `Interface ${name} is down`, { errno: "ENETDOWN" });
    }
    const options = {
      interface: name,
      filter: "station",
      promiscuous: true,
      outgoing: false,
    } as const;
    return new Station(name, openPacketSocket(options, false));
  }

  get fd(): number {
    return this.#fd.number;
  }

  read(batch: FrameBatch, slot: number): number {
    const linux = batch as LinuxBatch;
    const header = linux.aimReceive(slot, this.#controlAddress, CONTROL_SIZE);
    this.#controlWords[STATUS] = 0;
    const count = libc().recvmmsg(this.#fd.number, header, 1, MSG_DONTWAIT, null);
    if (count < 0) return -errno();
    const length = linux.receivedLength(slot);
    const status = this.#controlWords[STATUS]!;
    return (status & STATUS_VLAN) === 0 ? length : this.#restoreTag(linux, slot, length, status);
  }

  write(batch: FrameBatch, slot: number): number {
    const written = libc().writev(this.#fd.number, (batch as LinuxBatch).aimWrite(slot), 1);
    return written < 0 ? -errno() : written;
  }

  /** @throws OsError always: the interface is its owner's to bring up. */
  bringUp(): void {
    throw new OsError("os.station.down", `Interface ${this.name} is down`, { errno: "ENETDOWN" });
  }

  dropped(): number {
    const counts = new Uint8Array(8);
    const size = new Uint8Array(new Int32Array([counts.length]).buffer);
    checked(
      libc().getsockopt(this.#fd.number, SOL_PACKET, PACKET_STATISTICS, counts, size),
      "getsockopt",
      "Cannot read the statistics of the socket",
    );
    // Reading sets the kernel's count to 0.
    this.#dropped += new DataView(counts.buffer).getUint32(4, true);
    return this.#dropped;
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }

  /** Puts the tag back that the kernel has stripped: the addresses move four octets to the front. */
  #restoreTag(batch: LinuxBatch, slot: number, length: number, status: number): number {
    const { octets } = batch;
    const start = batch.start[slot]! - TAG;
    octets.copyWithin(start, start + TAG, start + TAG + ADDRESSES);
    const control = this.#control;
    const tpid = (status & STATUS_TPID) === 0
      ? TPID_DEFAULT
      : control[TPID_AT]! | (control[TPID_AT + 1]! << 8);
    octets[start + ADDRESSES] = tpid >>> 8;
    octets[start + ADDRESSES + 1] = tpid;
    octets[start + ADDRESSES + 2] = control[TCI_AT + 1]!;
    octets[start + ADDRESSES + 3] = control[TCI_AT]!;
    batch.start[slot] = start;
    return length + TAG;
  }
}
