/**
 * Packet sockets: Ethernet frames of an interface, for commissioning tools. `packet(7)`.
 *
 * A socket that is bound to an EtherType loses the tag of what it receives, so the receiver is
 * bound to all of them and a filter keeps out what is of no interest. The kernel strips the outer
 * tag and tells it beside the frame (PACKET_AUXDATA); it is put back here.
 *
 * | struct (LP64, x86-64 and ARM64) | size | fields at |
 * |---|---|---|
 * | sockaddr_ll | 20 | family u16 0, protocol BE u16 2, ifindex i32 4, pkttype u8 10 |
 * | packet_mreq | 16 | ifindex i32 0, type u16 4, alen u16 6, address 8 |
 * | sock_fprog | 16 | len u16 0, pointer 8 |
 * | cmsghdr | 16 | len u64 0, level i32 8, type i32 12 |
 * | tpacket_auxdata | 20 | status u32 0, vlan_tci u16 16, vlan_tpid u16 18 |
 * | timespec | 16 | seconds i64 0, nanoseconds i64 8 |
 *
 * @module
 */
import { OsError } from "../../base/errors.ts";
import type { Pollable } from "../hot.ts";
import { ERRNO } from "./errno.ts";
import { Fd } from "./fd.ts";
import { Interfaces } from "./ioctl.ts";
import { checked, errno, failure, libc } from "./libc.ts";
import { INSTRUCTION_SIZE, nothingFilter, stationFilter } from "./packet_filter.ts";

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SOL_PACKET = 263;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPNS = 35;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_STATISTICS = 6;
const PACKET_AUXDATA = 8;
const PACKET_IGNORE_OUTGOING = 23;
const MR_PROMISC = 1;
const PKT_OUTGOING = 4;
const STATUS_VLAN = 0x10;
const STATUS_TPID = 0x40;
const TPID_DEFAULT = 0x8100;
const MSG_DONTWAIT = 0x40;

/** Frames per system call. */
const SLOTS = 64;
/** Room for a tag in front of a frame. */
const HEADROOM = 8;
/** A jumbo frame and the headroom. */
const SLOT_SIZE = 9216;
const ADDRESS_SIZE = 24;
const CONTROL_SIZE = 96;
const HEADER_SIZE = 64;
const VECTOR_SIZE = 16;
const RECEIVE_BUFFER = 8 * 2 ** 20;

/** What to listen to. */
export interface PacketOptions {
  readonly interface: string;
  /** `station`: GOOSE and its relatives; `all`: every frame. */
  readonly filter: "station" | "all";
  /** Whether frames to other addresses are wanted; the interface is promiscuous meanwhile. */
  readonly promiscuous: boolean;
  /** Whether what this host sends is wanted too. */
  readonly outgoing: boolean;
}

/**
 * A packet socket that hears what is asked for and nothing else.
 *
 * @param timed Whether the kernel tells when it got each frame.
 * @throws OsError EPERM without NET_RAW; ENODEV when there is no such interface.
 */
export function openPacketSocket(options: PacketOptions, timed: boolean): Fd {
  const { interface: name, filter, promiscuous, outgoing } = options;
  using undo = new DisposableStack();
  const index = indexOf(name);
  // Protocol 0 hears nothing: the filter has to be there before the first frame.
  const fd = undo.use(socket());
  if (filter === "station") attach(fd, stationFilter());
  set(fd, SOL_PACKET, PACKET_AUXDATA, int(1), "Cannot ask for tags");
  if (timed) set(fd, SOL_SOCKET, SO_TIMESTAMPNS, int(1), "Cannot ask for times");
  // Beyond the system's maximum where we may, else as far as it goes.
  if (!trySet(fd, SOL_SOCKET, SO_RCVBUFFORCE, int(RECEIVE_BUFFER))) {
    trySet(fd, SOL_SOCKET, SO_RCVBUF, int(RECEIVE_BUFFER));
  }
  // A kernel before 4.20 does not know it; such frames are left out below as well.
  if (!outgoing) trySet(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, int(1));
  bind(fd, index, ETH_P_ALL, name);
  if (promiscuous) {
    const request = new Uint8Array(16);
    const view = new DataView(request.buffer);
    view.setInt32(0, index, true);
    view.setUint16(4, MR_PROMISC, true);
    const what = `Cannot make ${name} promiscuous`;
    set(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, what);
  }
  undo.move();
  return fd;
}

/** Receives frames. */
export class PacketReceiver implements Pollable, Disposable {
  readonly #fd: Fd;
  readonly #octets = new Uint8Array(new ArrayBuffer(SLOTS * SLOT_SIZE));
  readonly #vectors = new Uint8Array(new ArrayBuffer(SLOTS * VECTOR_SIZE));
  readonly #names = new Uint8Array(new ArrayBuffer(SLOTS * ADDRESS_SIZE));
  readonly #control = new Uint8Array(new ArrayBuffer(SLOTS * CONTROL_SIZE));
  readonly #headers = new Uint8Array(new ArrayBuffer(SLOTS * HEADER_SIZE));
  readonly #headerView = new DataView(this.#headers.buffer);
  readonly #controlView = new DataView(this.#control.buffer);
  readonly #outgoing: boolean;
  #dropped = 0;

  private constructor(fd: Fd, outgoing: boolean) {
    this.#fd = fd;
    this.#outgoing = outgoing;
    const [octets, vectors, names, control] = [
      this.#octets,
      this.#vectors,
      this.#names,
      this.#control,
    ].map(addressOf) as [bigint, bigint, bigint, bigint];
    const vectorView = new DataView(this.#vectors.buffer);
    for (let slot = 0; slot < SLOTS; slot += 1) {
      vectorView.setBigUint64(
        slot * VECTOR_SIZE,
        octets + BigInt(slot * SLOT_SIZE + HEADROOM),
        true,
      );
      vectorView.setBigUint64(slot * VECTOR_SIZE + 8, BigInt(SLOT_SIZE - HEADROOM), true);
      const at = slot * HEADER_SIZE;
      this.#headerView.setBigUint64(at, names + BigInt(slot * ADDRESS_SIZE), true);
      this.#headerView.setBigUint64(at + 16, vectors + BigInt(slot * VECTOR_SIZE), true);
      this.#headerView.setBigUint64(at + 24, 1n, true);
      this.#headerView.setBigUint64(at + 32, control + BigInt(slot * CONTROL_SIZE), true);
    }
  }

  /** @throws OsError EPERM without NET_RAW; ENODEV when there is no such interface. */
  static open(options: PacketOptions): PacketReceiver {
    return new PacketReceiver(openPacketSocket(options, true), options.outgoing);
  }

  get fd(): number {
    return this.#fd.number;
  }

  /**
   * Hands over the frames that wait, at most 64.
   *
   * @param take Gets a frame with all its tags, valid during the call, and when the kernel got it,
   * in milliseconds since the Unix epoch.
   * @returns How many were received; 0 when none waits.
   * @throws OsError ENETDOWN when the interface was taken down, ENODEV when it is no more.
   */
  receive(take: (frame: Uint8Array, epochMs: number) => void): number {
    for (let slot = 0; slot < SLOTS; slot += 1) {
      const at = slot * HEADER_SIZE;
      this.#headerView.setUint32(at + 8, ADDRESS_SIZE, true);
      this.#headerView.setBigUint64(at + 40, BigInt(CONTROL_SIZE), true);
    }
    const count = libc().recvmmsg(this.#fd.number, this.#headers, SLOTS, MSG_DONTWAIT, null);
    if (count < 0) {
      const why = errno();
      if (why === ERRNO.EAGAIN || why === ERRNO.EINTR) return 0;
      throw failure("recvmmsg", "Cannot receive from the interface", why);
    }
    for (let slot = 0; slot < count; slot += 1) {
      if (!this.#outgoing && this.#names[slot * ADDRESS_SIZE + 10] === PKT_OUTGOING) continue;
      this.#hand(slot, take);
    }
    return count;
  }

  /** Frames that the kernel dropped because we were too slow, since opening. */
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

  #hand(slot: number, take: (frame: Uint8Array, epochMs: number) => void): void {
    const length = this.#headerView.getUint32(slot * HEADER_SIZE + 56, true);
    const start = slot * SLOT_SIZE + HEADROOM;
    const end = Math.min(start + length, (slot + 1) * SLOT_SIZE);
    const { tag, epochMs } = this.#ancillary(slot);
    if (tag === undefined || length < 12) return take(this.#octets.subarray(start, end), epochMs);
    this.#octets.copyWithin(start - 4, start, start + 12);
    this.#octets.set([tag.tpid >>> 8, tag.tpid & 255, tag.tci >>> 8, tag.tci & 255], start + 8);
    take(this.#octets.subarray(start - 4, end), epochMs);
  }

  /** What the kernel tells beside a frame: the tag it stripped, and the time. */
  #ancillary(slot: number): { tag: { tpid: number; tci: number } | undefined; epochMs: number } {
    const view = this.#controlView;
    const used = Number(this.#headerView.getBigUint64(slot * HEADER_SIZE + 40, true));
    let tag: { tpid: number; tci: number } | undefined;
    let epochMs = 0;
    for (let at = slot * CONTROL_SIZE; at + 16 <= slot * CONTROL_SIZE + used;) {
      const length = Number(view.getBigUint64(at, true));
      if (length < 16) break;
      const level = view.getInt32(at + 8, true);
      const type = view.getInt32(at + 12, true);
      if (level === SOL_PACKET && type === PACKET_AUXDATA) {
        const status = view.getUint32(at + 16, true);
        const tpid = (status & STATUS_TPID) !== 0 ? view.getUint16(at + 34, true) : TPID_DEFAULT;
        if ((status & STATUS_VLAN) !== 0) tag = { tpid, tci: view.getUint16(at + 32, true) };
      } else if (level === SOL_SOCKET && type === SO_TIMESTAMPNS) {
        const seconds = Number(view.getBigInt64(at + 16, true));
        epochMs = seconds * 1000 + Number(view.getBigInt64(at + 24, true)) / 1e6;
      }
      at += Math.ceil(length / 8) * 8;
    }
    return { tag, epochMs: epochMs === 0 ? Date.now() : epochMs };
  }
}

/** Sends frames as they are, tags included. */
export class PacketSender implements Disposable {
  readonly #fd: Fd;

  private constructor(fd: Fd, readonly name: string, readonly mac: string) {
    this.#fd = fd;
  }

  /** @throws OsError EPERM without NET_RAW; ENODEV when there is no such interface. */
  static open(name: string): PacketSender {
    using undo = new DisposableStack();
    using interfaces = new Interfaces();
    const state = interfaces.state(name);
    if (state === undefined) throw noInterface(name);
    const fd = undo.use(socket());
    attach(fd, nothingFilter());
    bind(fd, state.index, 0, name);
    undo.move();
    return new PacketSender(fd, name, state.mac);
  }

  /**
   * Sends one frame.
   *
   * @returns False when there is no room now: try again later.
   * @throws OsError ENETDOWN when the interface is down, EMSGSIZE when the frame is beyond its MTU.
   */
  send(frame: Uint8Array<ArrayBuffer>): boolean {
    if (libc().write(this.#fd.number, frame, frame.length as never) >= 0) return true;
    const why = errno();
    if (why === ERRNO.EAGAIN || why === ERRNO.ENOBUFS || why === ERRNO.EINTR) return false;
    const reason = why === ERRNO.ENETDOWN
      ? "the interface is down"
      : why === ERRNO.EMSGSIZE
      ? "the frame is longer than its MTU allows"
      : "the interface does not take it";
    throw failure("write", `Cannot send on ${this.name}: ${reason}`, why);
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

function indexOf(name: string): number {
  using interfaces = new Interfaces();
  const state = interfaces.state(name);
  if (state === undefined) throw noInterface(name);
  return state.index;
}

function noInterface(name: string): OsError {
  return new OsError("os.interface.none", `There is no interface ${name}`, {
    syscall: "ioctl",
    errno: "ENODEV",
  });
}

function socket(): Fd {
  const number = libc().socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0);
  if (number >= 0) return new Fd(number);
  const why = errno();
  const remedy = why === ERRNO.EPERM ? ": run as root, or with the capability NET_RAW" : "";
  throw failure("socket", `Cannot open a packet socket${remedy}`, why);
}

function bind(fd: Fd, index: number, protocol: number, name: string): void {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol);
  view.setInt32(4, index, true);
  const result = libc().bind(fd.number, address, address.length);
  checked(result, "bind", `Cannot bind to ${name}`);
}

function attach(fd: Fd, program: Uint8Array<ArrayBuffer>): void {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint16(0, program.length / INSTRUCTION_SIZE, true);
  view.setBigUint64(8, addressOf(program), true);
  set(fd, SOL_SOCKET, SO_ATTACH_FILTER, header, "Cannot attach the filter");
}

function set(
  fd: Fd,
  level: number,
  option: number,
  value: Uint8Array<ArrayBuffer>,
  what: string,
): void {
  const result = libc().setsockopt(fd.number, level, option, value, value.length);
  checked(result, "setsockopt", what);
}

function trySet(fd: Fd, level: number, option: number, value: Uint8Array<ArrayBuffer>): boolean {
  return libc().setsockopt(fd.number, level, option, value, value.length) >= 0;
}

function int(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Int32Array([value]).buffer);
}

function addressOf(view: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(view));
}
