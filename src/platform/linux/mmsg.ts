/**
 * Batches of frames that the kernel fills and empties with one call: `recvmmsg(2)`, `sendmmsg(2)`.
 *
 * Everything is allocated once. Beside the octets there are three arrays of C structures, the same
 * on x86-64 and ARM64 (LP64, <bits/types/struct_msghdr.h>, <sys/uio.h>, <netinet/in.h>):
 *
 * | struct | size | fields at |
 * |---|---|---|
 * | mmsghdr | 64 | msghdr 0, msg_len u32 56 |
 * | msghdr | 56 | name 0, namelen u32 8, iov 16, iovlen 24, control 32, controllen 40, flags 48 |
 * | iovec | 16 | base 0, len 8 |
 * | sockaddr_in | 16 | family u16 0, port BE 2, address BE 4 |
 *
 * @module
 */
import { BugError } from "../../base/errors.ts";
import type { FrameBatch } from "../hot.ts";

/** Octets of each structure. */
export const SIZE = { mmsghdr: 64, msghdr: 56, iovec: 16, sockaddrIn: 16 } as const;

const AF_INET = 2;
const MSG_LEN = 56 / 4;
const NAME_LEN = 8 / 4;
const CONTROL = 32 / 4;
const CONTROL_LEN = 40 / 4;
const FLAGS = 48 / 4;
const MSG_TRUNC = 0x20;
/** Addresses the kernel may put a frame's start at: fewer than this in front of it. */
const HEADROOM_MAX = 64;

/** A {@linkcode FrameBatch} that the kernel knows. */
export class LinuxBatch implements FrameBatch {
  readonly octets: Uint8Array<ArrayBuffer>;
  readonly start: Int32Array;
  readonly length: Int32Array;
  readonly source: Uint32Array;
  readonly port: Uint16Array;
  count = 0;
  /** The array of mmsghdr, for the system call. */
  readonly headers: Uint8Array<ArrayBuffer>;
  readonly #headerWords: Uint32Array;
  readonly #iovWords: Uint32Array;
  readonly #names: Uint8Array<ArrayBuffer>;
  readonly #nameView: DataView;
  readonly #base: number;
  readonly #nameBase: number;
  /** The iovec of each slot. */
  readonly #vectors: readonly Uint8Array<ArrayBuffer>[];
  readonly #headerViews: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  #armed = -1;

  /**
   * @param slots 1 or more.
   * @param slotSize Octets of a slot, a multiple of 8.
   * @param headroom Octets in front of a received frame, below 64.
   */
  constructor(readonly slots: number, readonly slotSize: number, readonly headroom: number) {
    if (slots < 1 || slotSize % 8 !== 0 || headroom >= HEADROOM_MAX || headroom >= slotSize) {
      throw new BugError("batch.shape", "Batch has an impossible shape", {
        slots,
        slotSize,
        headroom,
      });
    }
    this.octets = new Uint8Array(new ArrayBuffer(slots * slotSize));
    this.start = new Int32Array(slots);
    this.length = new Int32Array(slots);
    this.source = new Uint32Array(slots);
    this.port = new Uint16Array(slots);
    this.headers = new Uint8Array(new ArrayBuffer(slots * SIZE.mmsghdr));
    this.#headerWords = new Uint32Array(this.headers.buffer);
    const vectors = new Uint8Array(new ArrayBuffer(slots * SIZE.iovec));
    this.#iovWords = new Uint32Array(vectors.buffer);
    this.#names = new Uint8Array(new ArrayBuffer(slots * SIZE.sockaddrIn));
    this.#nameView = new DataView(this.#names.buffer);
    this.#vectors = Array.from(
      { length: slots },
      (_, slot) => vectors.subarray(slot * SIZE.iovec, (slot + 1) * SIZE.iovec),
    );
    this.#base = addressOf(this.octets);
    const vectorBase = addressOf(vectors);
    const nameBase = this.#nameBase = addressOf(this.#names);
    const view = new DataView(this.headers.buffer);
    for (let slot = 0; slot < slots; slot += 1) {
      const at = slot * SIZE.mmsghdr;
      view.setBigUint64(at, BigInt(nameBase + slot * SIZE.sockaddrIn), true);
      view.setBigUint64(at + 16, BigInt(vectorBase + slot * SIZE.iovec), true);
      view.setBigUint64(at + 24, 1n, true);
    }
  }

  /** Points the vector of a slot at its room behind the headroom, for `readv`. */
  aimRead(slot: number): Uint8Array<ArrayBuffer> {
    this.start[slot] = slot * this.slotSize + this.headroom;
    this.#point(slot, this.slotSize - this.headroom);
    return this.#vectors[slot]!;
  }

  /** Points the vector of a slot at its frame, for `writev`. */
  aimWrite(slot: number): Uint8Array<ArrayBuffer> {
    this.#point(slot, this.length[slot]!);
    return this.#vectors[slot]!;
  }

  /**
   * Points the header of one slot at its room behind the headroom, and at a place for what the
   * kernel tells beside a frame. For `recvmmsg` of one.
   */
  aimReceive(slot: number, controlAddress: number, controlSize: number): Uint8Array<ArrayBuffer> {
    this.start[slot] = slot * this.slotSize + this.headroom;
    this.#point(slot, this.slotSize - this.headroom);
    const word = slot * 16;
    this.#headerWords[word + NAME_LEN] = 0;
    this.#headerWords[word + CONTROL] = controlAddress;
    this.#headerWords[word + CONTROL + 1] = controlAddress / 0x1_0000_0000;
    this.#headerWords[word + CONTROL_LEN] = controlSize;
    return this.headersFrom(slot);
  }

  /** Octets of the frame that {@linkcode aimReceive} has got. */
  receivedLength(slot: number): number {
    return this.#headerWords[slot * 16 + MSG_LEN]!;
  }

  /** Makes every slot ready to receive a frame behind the headroom. */
  armReceive(withSource: boolean): void {
    const room = this.slotSize - this.headroom;
    for (let slot = 0; slot < this.slots; slot += 1) {
      this.start[slot] = slot * this.slotSize + this.headroom;
      this.#point(slot, room);
      this.#headerWords[slot * 16 + NAME_LEN] = withSource ? SIZE.sockaddrIn : 0;
    }
    this.#armed = withSource ? 1 : 0;
  }

  /** Readies for `recvmmsg` what the last call or a rewritten frame has changed. */
  rearm(withSource: boolean): void {
    if (this.#armed !== (withSource ? 1 : 0)) return this.armReceive(withSource);
    const room = this.slotSize - this.headroom;
    for (let slot = 0; slot < this.count; slot += 1) {
      this.start[slot] = slot * this.slotSize + this.headroom;
      this.#point(slot, room);
      this.#headerWords[slot * 16 + NAME_LEN] = withSource ? SIZE.sockaddrIn : 0;
    }
  }

  /** Takes over lengths, sources and ports after `recvmmsg` returned `count`. */
  receivedFrom(count: number): void {
    this.received(count, true);
    for (let slot = 0; slot < count; slot += 1) {
      this.port[slot] = this.#nameView.getUint16(slot * SIZE.sockaddrIn + 2);
    }
  }

  /** Takes over lengths and sources after `recvmmsg` returned `count`. */
  received(count: number, withSource: boolean): void {
    for (let slot = 0; slot < count; slot += 1) {
      const cut = (this.#headerWords[slot * 16 + FLAGS]! & MSG_TRUNC) !== 0;
      this.length[slot] = cut ? this.slotSize + 1 : this.#headerWords[slot * 16 + MSG_LEN]!;
      if (withSource) this.source[slot] = this.#nameView.getUint32(slot * SIZE.sockaddrIn + 4);
    }
    this.count = count;
  }

  /** Points the vectors at the frames as they are now, for `sendmmsg` on a connected socket. */
  armSend(from: number): void {
    for (let slot = from; slot < this.count; slot += 1) {
      this.#point(slot, this.length[slot]!);
      this.#headerWords[slot * 16] = 0; // No name: the socket is connected.
      this.#headerWords[slot * 16 + 1] = 0;
      this.#headerWords[slot * 16 + NAME_LEN] = 0;
      this.#headerWords[slot * 16 + CONTROL_LEN] = 0;
    }
  }

  /** The same for a socket that is not connected: every frame goes to one `sockaddr_in`. */
  armSendTo(from: number, to: Uint8Array): void {
    for (let slot = from; slot < this.count; slot += 1) {
      this.#point(slot, this.length[slot]!);
      this.#names.set(to, slot * SIZE.sockaddrIn);
      const address = this.#nameBase + slot * SIZE.sockaddrIn;
      this.#headerWords[slot * 16] = address;
      this.#headerWords[slot * 16 + 1] = address / 0x1_0000_0000;
      this.#headerWords[slot * 16 + NAME_LEN] = SIZE.sockaddrIn;
      this.#headerWords[slot * 16 + CONTROL_LEN] = 0;
    }
  }

  /** The same where each frame has an address and a port of its own. */
  armSendEach(from: number): void {
    for (let slot = from; slot < this.count; slot += 1) {
      this.#point(slot, this.length[slot]!);
      const at = slot * SIZE.sockaddrIn;
      this.#nameView.setUint16(at, AF_INET, true);
      this.#nameView.setUint16(at + 2, this.port[slot]!);
      this.#nameView.setUint32(at + 4, this.source[slot]!);
      const address = this.#nameBase + at;
      this.#headerWords[slot * 16] = address;
      this.#headerWords[slot * 16 + 1] = address / 0x1_0000_0000;
      this.#headerWords[slot * 16 + NAME_LEN] = SIZE.sockaddrIn;
      this.#headerWords[slot * 16 + CONTROL_LEN] = 0;
    }
  }

  /** The headers from that of a slot on. */
  headersFrom(slot: number): Uint8Array<ArrayBuffer> {
    return slot === 0 ? this.headers : this.#headerViews[slot] ??= this.headers.subarray(
      slot * SIZE.mmsghdr,
    );
  }

  #point(slot: number, length: number): void {
    const address = this.#base + this.start[slot]!;
    this.#iovWords[slot * 4] = address;
    this.#iovWords[slot * 4 + 1] = address / 0x1_0000_0000;
    this.#iovWords[slot * 4 + 2] = length;
  }
}

function addressOf(view: Uint8Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(view)));
}
