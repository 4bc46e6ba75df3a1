/**
 * The two ways of a frame. No call here waits, throws or allocates; whatever is not carried is
 * counted by its reason.
 * @module
 */
import type { Counters } from "../../base/counters.ts";
import type { Instant } from "../../base/time.ts";
import {
  FAULT,
  type FrameBatch,
  type GroupPort,
  type HotPlatform,
  type TapPort,
} from "../../platform/hot.ts";
import {
  DROP,
  type Drop,
  ETHERNET_HEADER,
  V2_HEADER,
  V2_TAG,
  VLAN_TAG,
} from "../../protocol/goose_tunnel/mod.ts";
import { TunnelCodec } from "./codec.ts";
import type { Config } from "./config.ts";
import { AGE_COUNTERS, AGE_LIMITS, COUNTER_OF_DROP } from "./counters.ts";
import type { Watch } from "./watch.ts";

/** Batches taken from one side before the other gets its turn. */
const ROUNDS_MAX = 8;
/** In front of a frame: the longest header, and a tag that the kernel had taken away. */
const HEADROOM = V2_HEADER + VLAN_TAG;
/** Two tags more than an untagged frame, as QinQ has. */
const TAGS = 2;

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
  /** Where the classes of age begin, one after the other. */
  readonly #ageAt: number;
  readonly #codec: TunnelCodec;
  /** Largest frame that is read from the TAP. */
  readonly #frameMax: number;
  readonly #allow: Config["allow"];
  #own = new Uint32Array(0);

  /** @param watch Undefined when streams are not watched. */
  constructor(
    readonly platform: HotPlatform,
    counters: Counters,
    config: Config,
    readonly watch: Watch | undefined,
  ) {
    const { mtu, batch: slots, allow } = config;
    this.#frameMax = ETHERNET_HEADER + VLAN_TAG * TAGS + mtu;
    const slotSize = Math.ceil((HEADROOM + this.#frameMax + V2_TAG) / 64) * 64;
    this.#codec = new TunnelCodec(platform, config);
    this.#allow = allow;
    this.#up = platform.batch(slots, slotSize, HEADROOM);
    this.#down = platform.batch(slots, slotSize, 0);
    this.#words = counters.words;
    this.#dropAt = new Int32Array(Object.keys(COUNTER_OF_DROP).length + 1);
    for (const [drop, name] of Object.entries(COUNTER_OF_DROP)) {
      this.#dropAt[Number(drop)] = counters.at(name);
    }
    this.#at = placesIn(counters);
    this.#ageAt = counters.at(AGE_COUNTERS[0]);
  }

  /** What the sequence numbers of format 2 say of the way: numbers that never came, and late ones. */
  get replay(): { readonly missing: number; readonly late: number } {
    return this.#codec.replay;
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
    // Reading the clock costs as much as a small system call: once for both.
    const now = this.platform.now();
    const micros = this.platform.epochMicros(now);
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const count = group.receive(batch);
      if (count < 0) {
        if (count !== -FAULT.again && count !== -FAULT.interrupted) this.groupFault = count;
        return false;
      }
      let delivered = 0;
      let octets = 0;
      for (let slot = 0; slot < count; slot += 1) {
        const length = this.#deliver(batch, slot, tap, now, micros);
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
    const now = this.platform.now();
    const micros = this.platform.epochMicros(now);
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
      // A slot that is not sent is used for the next frame.
      if (length > this.#frameMax) {
        this.#drop("drop_too_big", 1);
        continue;
      }
      const start = batch.start[slot]!;
      const tagged = batch.octets[start + 12] === 0x81 && batch.octets[start + 13] === 0;
      const twice = this.watch?.see("out", batch.octets, start, length, now, -1) === true;
      if (twice) {
        this.#drop("drop_duplicate", 1);
        continue;
      }
      const drop = this.#codec.encapsulate(batch, slot, micros);
      if (drop !== DROP.none) {
        words[this.#dropAt[drop]!]! += 1;
        words[this.#at.dropped]! += 1;
        continue;
      }
      if (tagged) words[this.#at.tap_received_tagged]! += 1;
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
  #deliver(
    batch: FrameBatch,
    slot: number,
    tap: TapPort | undefined,
    now: Instant,
    micros: number,
  ): number {
    const source = batch.source[slot]!;
    const own = this.#own;
    for (let index = 0; index < own.length; index += 1) {
      if (own[index] === source) return this.#drop("drop_own", 1);
    }
    if (this.#allow && !this.#isAllowed(source)) return this.#drop("drop_not_allowed", 1);
    if (batch.length[slot]! > batch.slotSize) return this.#drop("drop_truncated", 1);
    const drop = this.#codec.decapsulate(batch, slot, source);
    if (drop !== DROP.none) {
      const words = this.#words;
      words[this.#dropAt[drop]!]! += 1;
      words[this.#at.dropped]! += 1;
      if (isMalformed(drop)) words[this.#at.malformed]! += 1;
      return 0;
    }
    const start = batch.start[slot]!;
    const length = batch.length[slot]!;
    const age = micros - this.#codec.sentMicros;
    this.#countAge(age);
    if (this.tracer) this.tracer("in", batch.octets, start, length);
    if (this.watch?.see("in", batch.octets, start, length, now, age) === true) {
      return this.#drop("drop_duplicate", 1);
    }
    if (!tap) return this.#drop("drop_no_tap", 1);
    const written = tap.write(batch, slot);
    if (written >= 0) return length;
    if (written === -FAULT.invalid) return this.#drop("drop_runt", 1);
    if (written !== -FAULT.again && written !== -FAULT.noBuffers) this.tapFault = written;
    return this.#drop("drop_no_tap", 1);
  }

  #isAllowed(source: number): boolean {
    const allow = this.#allow!;
    for (let index = 0; index < allow.length; index += 1) {
      const { first, mask } = allow[index]!;
      if (((source & mask) >>> 0) === first) return true;
    }
    return false;
  }

  /** A negative age says that the clocks differ; it is not counted. */
  #countAge(age: number): void {
    if (age < 0) return;
    let place = 0;
    while (place < AGE_LIMITS.length && age > AGE_LIMITS[place]!) place += 1;
    this.#words[this.#ageAt + place]! += 1;
  }

  /** Counts frames that are not carried. Returns 0, the octets that were. */
  #drop(name: keyof Places, count: number): 0 {
    this.#words[this.#at[name]]! += count;
    this.#words[this.#at.dropped]! += count;
    return 0;
  }
}

/** Whether a datagram was none of ours, rather than one that is not carried. */
function isMalformed(drop: Drop): boolean {
  return drop === DROP.runt || (drop >= DROP.shortDatagram && drop < DROP.unsigned);
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
    drop_not_allowed: counters.at("drop_not_allowed"),
    drop_duplicate: counters.at("drop_duplicate"),
  };
}
