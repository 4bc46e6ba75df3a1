/**
 * The wire format of a path: puts frames into datagrams and takes them out again, whichever format
 * they have, and refuses what is forged, replayed, or our own.
 * @module
 */
import type { Authenticator } from "../../base/authenticator.ts";
import { HmacSha256 } from "../../crypto/sha256.ts";
import {
  decapsulateRGoose,
  decapsulateV1,
  decapsulateV2,
  type Destinations,
  DROP,
  type Drop,
  encapsulateRGoose,
  encapsulateV1,
  encapsulateV2,
  type Frames,
  isRGoose,
  isV2,
  ReplayWindows,
  SEEN,
  V1_HEADER,
  type V2Facts,
  type V2Sender,
} from "../../protocol/goose_tunnel/mod.ts";
import type { HotPlatform } from "../../platform/hot.ts";
import type { Config } from "./config.ts";
import { FrameFilter } from "./filter.ts";

/** 2^32: a time in microseconds is written as two halves. */
const HALF = 0x1_0000_0000;

/** Both directions of one path. */
export class TunnelCodec {
  /** When the datagram that was taken last was sent, by its sender's clock; infinite: unknown. */
  sentMicros = 0;
  readonly replay = new ReplayWindows();
  readonly #v1: boolean;
  readonly #v2: boolean;
  /** Whether format 1 is all that is spoken, and nothing is filtered: the usual case. */
  readonly #plain: boolean;
  readonly #takesV1: boolean;
  readonly #takesV2: boolean;
  readonly #takesRGoose: boolean;
  readonly #destinations: Destinations;
  readonly #filter: FrameFilter;
  readonly #key: Authenticator | undefined;
  readonly #sender: V2Sender;
  readonly #hearsItself: boolean;
  readonly #facts: V2Facts = { senderHigh: 0, senderLow: 0, sequence: 0, sentMicros: 0 };
  #sequence = 0;

  constructor(platform: HotPlatform, config: Config) {
    const { format, accept, key, destinations, loop } = config;
    this.#v1 = format === "v1";
    this.#v2 = format === "v2";
    this.#takesV1 = format === "v1" || accept === "any";
    this.#takesV2 = format === "v2" || accept === "any";
    this.#takesRGoose = format === "rgoose" || accept === "any";
    this.#destinations = config.destinationRanges ? "any" : destinations;
    this.#filter = new FrameFilter(config);
    this.#plain = this.#v1 && accept === "format" && !this.#filter.narrow;
    this.#key = key === undefined ? undefined : authenticator(platform, key);
    const [senderHigh, senderLow] = platform.randomWords();
    this.#sender = { senderHigh, senderLow, key: this.#key };
    this.#hearsItself = loop;
  }

  /** Turns the frame in a slot into a datagram, or says why it is not carried. */
  encapsulate(frames: Frames, slot: number, micros: number): Drop {
    if (!this.#v1 || this.#filter.narrow) {
      const drop = this.#filter.check(frames, slot, true);
      if (drop !== DROP.none) return drop;
    }
    if (this.#v1) {
      const high = Math.floor(micros / HALF);
      return encapsulateV1(frames, slot, high, micros % HALF, this.#destinations);
    }
    this.#sequence += 1;
    return this.#v2
      ? encapsulateV2(frames, slot, this.#sender, this.#sequence, micros)
      : encapsulateRGoose(frames, slot, this.#sequence);
  }

  /**
   * Turns the datagram in a slot into its frame, or says why it is refused.
   *
   * @param source IPv4 address of the sender.
   */
  decapsulate(frames: Frames, slot: number, source: number): Drop {
    if (this.#plain) return this.#takeV1(frames, slot);
    if (this.#takesV2 && isV2(frames, slot)) {
      const drop = this.#takeV2(frames, slot);
      // Whoever has the key may still send only what the station is to get.
      return drop === DROP.none ? this.#filter.check(frames, slot, true) : drop;
    }
    const drop = this.#takesRGoose && isRGoose(frames, slot)
      ? this.#takeRGoose(frames, slot, source)
      : this.#takeV1(frames, slot);
    if (drop !== DROP.none || !this.#filter.narrow) return drop;
    return this.#filter.check(frames, slot, false);
  }

  #takeV1(frames: Frames, slot: number): Drop {
    if (!this.#takesV1) {
      return frames.length[slot]! < V1_HEADER ? DROP.shortDatagram : DROP.unknownFormat;
    }
    const at = frames.start[slot]!;
    const { octets } = frames;
    this.sentMicros = get32(octets, at + 6) * HALF + get32(octets, at + 10);
    return decapsulateV1(frames, slot);
  }

  #takeRGoose(frames: Frames, slot: number, source: number): Drop {
    this.sentMicros = Infinity;
    return decapsulateRGoose(frames, slot, source);
  }

  #takeV2(frames: Frames, slot: number): Drop {
    const facts = this.#facts;
    const drop = decapsulateV2(frames, slot, this.#key, facts);
    if (drop !== DROP.none) return drop;
    const { senderHigh, senderLow } = facts;
    const own = senderHigh === this.#sender.senderHigh && senderLow === this.#sender.senderLow;
    if (own && !this.#hearsItself) return DROP.own;
    this.sentMicros = facts.sentMicros;
    const seen = this.replay.see(senderHigh, senderLow, facts.sequence);
    return seen === SEEN.replayed || seen === SEEN.old ? DROP.replayed : DROP.none;
  }
}

/** The system's own where there is one, which is faster. */
function authenticator(platform: HotPlatform, key: string): Authenticator {
  const octets = new TextEncoder().encode(key);
  return platform.authenticator(octets) ?? new HmacSha256(octets);
}

function get32(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) |
    octets[at + 3]!) >>> 0;
}
