/**
 * The two ways of a frame. No call here waits, throws or allocates; whatever is not carried is
 * counted by its reason.
 * @module
 */
import type { Counters } from "../../base/counters.ts";
import {
  FAULT,
  type FrameBatch,
  type GroupPort,
  type HotPlatform,
  type TapPort,
} from "../../platform/hot.ts";
import {
  decapsulateV1,
  type Destinations,
  DROP,
  encapsulateV1,
  ETHERNET_HEADER,
  V1_HEADER,
  V1_HEADROOM,
  VLAN_TAG,
} from "../../protocol/goose_tunnel/mod.ts";
import { COUNTER_OF_DROP } from "./counters.ts";

/** Batches taken from one side before the other gets its turn. */
const ROUNDS_MAX = 8;
/** 2^32: a time in microseconds is written as two halves. */
const HALF = 0x1_0000_0000;

/** Told of each frame while tracing is on. */
export type Tracer = (way: "out" | "in", octets: Uint8Array, start: number, length: number) => void;

/** Carries frames between one TAP and one group. */
export class Forwarder {
  /** -errno of the last call that says that the TAP, or the network, needs mending; 0 for none. */
  tapFault = 0;
  groupFault = 0;
  tracer: Tracer | undefined;
  /** Frames that were received on either side. */
  carried = 0;
  readonly #up: FrameBatch;
  readonly #down: FrameBatch;
  readonly #words: Float64Array;
  readonly #dropAt: Int32Array;
  readonly #at: Places;
  #own = new Uint32Array(0);

  /** @param mtu Largest payload behind an Ethernet header. */
  constructor(
    readonly platform: HotPlatform,
    counters: Counters,
    readonly destinations: Destinations,
    mtu: number,
    slots: number,
  ) {
    const frame = ETHERNET_HEADER + VLAN_TAG * 2 + mtu;
    const slotSize = Math.ceil((V1_HEADROOM + V1_HEADER + frame) / 64) * 64;
    this.#up = platform.batch(slots, slotSize, V1_HEADROOM);
    this.#down = platform.batch(slots, slotSize, 0);
    this.#words = counters.words;
    this.#dropAt = new Int32Array(Object.keys(COUNTER_OF_DROP).length + 1);
    for (const [drop, name] of Object.entries(COUNTER_OF_DROP)) {
      this.#dropAt[Number(drop)] = counters.at(name);
    }
    this.#at = placesIn(counters);
  }

  /** Names the addresses whose datagrams are our own coming back; empty to take them all. */
  ignore(addresses: readonly number[]): void {
    this.#own = Uint32Array.from(addresses);
  }

  /** TAP to network, until the TAP is empty or it is the other side's turn. True when more waits. */
  outward(tap: TapPort, group: GroupPort | undefined): boolean {
    const batch = this.#up;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const more = this.#readFrames(tap, batch);
      if (batch.count > 0) {
        if (group) this.#sendFrames(group, batch);
        else this.#drop("drop_no_network", batch.count);
      }
      if (!more) return false;
    }
    return true;
  }

  /** Network to TAP, likewise. */
  inward(group: GroupPort, tap: TapPort | undefined): boolean {
    const batch = this.#down;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const count = group.receive(batch);
      if (count < 0) {
        if (count !== -FAULT.again && count !== -FAULT.interrupted) this.groupFault = count;
        return false;
      }
      let delivered = 0;
      let octets = 0;
      for (let slot = 0; slot < count; slot += 1) {
        const length = this.#deliver(batch, slot, tap);
        if (length > 0) {
          delivered += 1;
          octets += length;
        }
      }
      const words = this.#words;
      this.carried += count;
      words[this.#at.group_received]! += count;
      words[this.#at.frames_in]! += delivered;
      words[this.#at.octets_in]! += octets;
      if (count < batch.slots) return false;
    }
    return true;
  }

  /** Fills the batch with frames to carry. False when the TAP had no more. */
  #readFrames(tap: TapPort, batch: FrameBatch): boolean {
    const micros = this.platform.epochMicros();
    const high = Math.floor(micros / HALF);
    const low = micros % HALF;
    const words = this.#words;
    let slot = 0;
    let more = true;
    // Bounded by what is read, not by what is kept: a flood of other frames must let go as well.
    for (let reads = 0; reads < batch.slots; reads += 1) {
      const length = tap.read(batch, slot);
      if (length < 0) {
        if (length !== -FAULT.again && length !== -FAULT.interrupted) this.tapFault = length;
        more = false;
        break;
      }
      batch.length[slot] = length;
      words[this.#at.tap_received]! += 1;
      if (this.tracer) this.tracer("out", batch.octets, batch.start[slot]!, length);
      const drop = encapsulateV1(batch, slot, high, low, this.destinations);
      if (drop !== DROP.none) {
        words[this.#dropAt[drop]!]! += 1;
        words[this.#at.dropped]! += 1;
        continue; // The slot is used for the next frame.
      }
      if (batch.octets[batch.start[slot]! + 15] === 1) words[this.#at.tap_received_tagged]! += 1;
      slot += 1;
    }
    batch.count = slot;
    this.carried += slot;
    return more;
  }

  #sendFrames(group: GroupPort, batch: FrameBatch): void {
    const words = this.#words;
    for (let from = 0; from < batch.count;) {
      const sent = group.send(batch, from);
      if (sent >= 0) {
        for (let slot = from; slot < from + sent; slot += 1) {
          words[this.#at.octets_out]! += batch.length[slot]!;
        }
        words[this.#at.frames_out]! += sent;
        from += sent;
      } else if (sent === -FAULT.tooBig) {
        this.#drop("drop_too_big", 1);
        from += 1;
      } else if (sent === -FAULT.again || sent === -FAULT.noBuffers) {
        // To wait here would only make frames older than their time allowed to live.
        this.#drop("drop_network_busy", batch.count - from);
        return;
      } else if (sent !== -FAULT.interrupted) {
        this.groupFault = sent;
        this.#drop("drop_no_network", batch.count - from);
        return;
      }
    }
  }

  /** Carries one datagram into the TAP. Returns the octets of its frame; 0 when it was dropped. */
  #deliver(batch: FrameBatch, slot: number, tap: TapPort | undefined): number {
    const own = this.#own;
    for (let index = 0; index < own.length; index += 1) {
      if (own[index] === batch.source[slot]) return this.#drop("drop_own", 1);
    }
    if (batch.length[slot]! > batch.slotSize) return this.#drop("drop_truncated", 1);
    const drop = decapsulateV1(batch, slot);
    if (drop !== DROP.none) {
      const words = this.#words;
      words[this.#dropAt[drop]!]! += 1;
      words[this.#at.malformed]! += 1;
      words[this.#at.dropped]! += 1;
      return 0;
    }
    if (this.tracer) this.tracer("in", batch.octets, batch.start[slot]!, batch.length[slot]!);
    if (!tap) return this.#drop("drop_no_tap", 1);
    const written = tap.write(batch, slot);
    if (written >= 0) return batch.length[slot]!;
    if (written === -FAULT.invalid) return this.#drop("drop_runt", 1);
    if (written !== -FAULT.again && written !== -FAULT.noBuffers) this.tapFault = written;
    return this.#drop("drop_no_tap", 1);
  }

  /** Counts frames that are not carried. Returns 0, the octets that were. */
  #drop(name: keyof Places, count: number): 0 {
    this.#words[this.#at[name]]! += count;
    this.#words[this.#at.dropped]! += count;
    return 0;
  }
}

type Places = ReturnType<typeof placesIn>;

/** Where each counter stands. Written out, so that the object has a shape and no hash table. */
function placesIn(counters: Counters) {
  return {
    frames_in: counters.at("frames_in"),
    frames_out: counters.at("frames_out"),
    octets_in: counters.at("octets_in"),
    octets_out: counters.at("octets_out"),
    malformed: counters.at("malformed"),
    dropped: counters.at("dropped"),
    tap_received: counters.at("tap_received"),
    tap_received_tagged: counters.at("tap_received_tagged"),
    group_received: counters.at("group_received"),
    drop_own: counters.at("drop_own"),
    drop_runt: counters.at("drop_runt"),
    drop_truncated: counters.at("drop_truncated"),
    drop_too_big: counters.at("drop_too_big"),
    drop_no_network: counters.at("drop_no_network"),
    drop_network_busy: counters.at("drop_network_busy"),
    drop_no_tap: counters.at("drop_no_tap"),
  };
}
