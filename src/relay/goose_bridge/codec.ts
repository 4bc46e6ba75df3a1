/**
 * The wire format of a path: puts frames into datagrams and takes them out again, whichever format
 * they have, and refuses what is forged, replayed, or our own.
 * @module
 */
import { HmacSha256 } from "../../crypto/sha256.ts";
import {
  decapsulateV1,
  decapsulateV2,
  type Destinations,
  DROP,
  type Drop,
  encapsulateV1,
  encapsulateV2,
  type Frames,
  isV2,
  ReplayWindows,
  SEEN,
  V1_HEADER,
  type V2Facts,
  type V2Sender,
} from "../../protocol/goose_tunnel/mod.ts";
import type { HotPlatform } from "../../platform/hot.ts";
import type { Config } from "./config.ts";
import { StationFilter } from "./filter.ts";

/** 2^32: a time in microseconds is written as two halves. */
const HALF = 0x1_0000_0000;

/** Both directions of one path. */
export class TunnelCodec {
  /** When the datagram that was taken last was sent, by its sender's clock. */
  sentMicros = 0;
  readonly replay = new ReplayWindows();
  readonly #whole: boolean;
  readonly #takesV1: boolean;
  readonly #takesV2: boolean;
  readonly #destinations: Destinations;
  readonly #filter: StationFilter;
  readonly #key: HmacSha256 | undefined;
  readonly #sender: V2Sender;
  readonly #hearsItself: boolean;
  readonly #facts: V2Facts = { senderHigh: 0, senderLow: 0, sequence: 0, sentMicros: 0 };
  #sequence = 0;

  constructor(platform: HotPlatform, config: Config) {
    const { format, accept, key, destinations, loop } = config;
    this.#whole = format === "v2";
    this.#takesV1 = format === "v1" || accept === "any";
    this.#takesV2 = format === "v2" || accept === "any";
    this.#destinations = destinations;
    this.#filter = new StationFilter(config);
    this.#key = key === undefined ? undefined : new HmacSha256(new TextEncoder().encode(key));
    const [senderHigh, senderLow] = platform.randomWords();
    this.#sender = { senderHigh, senderLow, key: this.#key };
    this.#hearsItself = loop;
  }

  /** Turns the frame in a slot into a datagram, or says why it is not carried. */
  encapsulate(frames: Frames, slot: number, micros: number): Drop {
    if (!this.#whole) {
      const high = Math.floor(micros / HALF);
      return encapsulateV1(frames, slot, high, micros % HALF, this.#destinations);
    }
    const drop = this.#filter.check(frames, slot);
    if (drop !== DROP.none) return drop;
    return encapsulateV2(frames, slot, this.#sender, this.#sequence += 1, micros);
  }

  /** Turns the datagram in a slot into its frame, or says why it is refused. */
  decapsulate(frames: Frames, slot: number): Drop {
    if (this.#takesV2 && isV2(frames, slot)) return this.#takeV2(frames, slot);
    if (!this.#takesV1) {
      return frames.length[slot]! < V1_HEADER ? DROP.shortDatagram : DROP.unknownFormat;
    }
    const at = frames.start[slot]!;
    const { octets } = frames;
    this.sentMicros = get32(octets, at + 6) * HALF + get32(octets, at + 10);
    return decapsulateV1(frames, slot);
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

function get32(octets: Uint8Array, at: number): number {
  return ((octets[at]! << 24) | (octets[at + 1]! << 16) | (octets[at + 2]! << 8) |
    octets[at + 3]!) >>> 0;
}
