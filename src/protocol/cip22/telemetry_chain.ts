/**
 * Digests of a bike's battery telemetry, each made over the one before it: what was once reported
 * can neither be changed, left out nor moved without all later digests being others.
 * @module
 */
import { sameOctets } from "../../base/octets.ts";
import { sha3, SHA3_SIZE } from "../../crypto/sha3.ts";

/** Before the first report of a bike. */
export const CHAIN_START: Uint8Array = new Uint8Array(SHA3_SIZE);
/** Octets of a bike's name. */
export const BIKE_MAX = 255;

/** One report. */
export interface BatteryReport {
  /** 1 to {@linkcode BIKE_MAX} octets of UTF-8. */
  readonly bike: string;
  /** Epoch milliseconds. */
  readonly time: bigint;
  readonly data: Uint8Array;
}

/** What became of a report. */
export type ChainResult =
  | { readonly kind: "linked"; readonly digest: Uint8Array }
  /** The digest is not the one of this report after the last one. */
  | { readonly kind: "digest" }
  /** It is not later than the last one. */
  | { readonly kind: "time" }
  /** The bike's name is empty or too long. */
  | { readonly kind: "bike" };

/**
 * The digest of a report: SHA3-256 over the digest before it, the bike (with its length in one
 * octet), the time (u64) and the data.
 * @throws RangeError For a bike's name that is empty or too long.
 */
export function chainDigest(before: Uint8Array, { bike, time, data }: BatteryReport): Uint8Array {
  const name = bikeOctets(bike);
  if (!name) throw new RangeError(`A bike's name has 1 to ${BIKE_MAX} octets`);
  const stamp = new Uint8Array(8);
  new DataView(stamp.buffer).setBigUint64(0, time);
  return sha3(before, Uint8Array.of(name.length), name, stamp, data);
}

/** The end of one bike's chain. */
export class TelemetryChain {
  #digest: Uint8Array;
  #time: bigint;

  /** Begins it, or goes on after a restart. */
  constructor(digest: Uint8Array = CHAIN_START, time = -1n) {
    this.#digest = digest;
    this.#time = time;
  }

  /** The digest of the last report. */
  get digest(): Uint8Array {
    return this.#digest;
  }

  /** The time of the last report; -1 before the first. */
  get time(): bigint {
    return this.#time;
  }

  /** Adds a report if it is the next one; otherwise nothing changes. */
  link(report: BatteryReport, digest: Uint8Array): ChainResult {
    if (!bikeOctets(report.bike)) return { kind: "bike" };
    if (report.time <= this.#time) return { kind: "time" };
    const expected = chainDigest(this.#digest, report);
    if (!sameOctets(expected, digest)) {
      return { kind: "digest" };
    }
    this.#digest = expected;
    this.#time = report.time;
    return { kind: "linked", digest: expected };
  }
}

function bikeOctets(bike: string): Uint8Array | undefined {
  const octets = new TextEncoder().encode(bike);
  return octets.length > 0 && octets.length <= BIKE_MAX ? octets : undefined;
}
