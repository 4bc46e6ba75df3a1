/**
 * Watches over the streams of a station bus: which messages are missing, which come twice, and
 * which stream has fallen silent. A stream is a source address, an APPID and a gocbRef. Pure: time
 * is an argument. Nothing is allocated for a message of a stream that is known.
 * @module
 */
import { type Instant, type Millis, since } from "../../base/time.ts";
import type { GooseScan } from "./scan.ts";
import { SEQUENCE_MAX } from "./constants.ts";

/** Numbers back that count as out of order; farther back the publisher has started anew. */
const REORDER_MAX = 64;
/** A late message is out of order only so long after the last; then it is a new start. */
const REORDER_SPAN = 1000;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** One stream. */
export interface Stream {
  /** `01:0c:…`, lower-case. */
  readonly source: string;
  readonly appId: number;
  readonly reference: string;
  /** The octets that make the key: source, APPID, gocbRef. */
  readonly key: Uint8Array;
  readonly firstAt: Instant;
  lastAt: Instant;
  stNum: number;
  sqNum: number;
  confRev: number;
  timeAllowedToLive: number;
  simulation: boolean;
  ndsCom: boolean;
  /** VLAN identifier; -1 without a tag. */
  vlan: number;
  /** Microseconds that the last message was on its way, and the longest; -1 while not known. */
  age: number;
  ageMax: number;
  /** Nothing came within timeAllowedToLive. */
  expired: boolean;
  frames: number;
  changes: number;
  lost: number;
  lostChanges: number;
  /** Of both, what {@linkcode Supervision.tellLost} has not told. */
  untold: number;
  duplicates: number;
  reordered: number;
  restarts: number;
  expirations: number;
  confRevChanges: number;
}

/** What a message is, seen from the one before; also the name of its counter. */
export const KIND = {
  first: 0,
  change: 1,
  repeat: 2,
  duplicate: 3,
  reordered: 4,
  restart: 5,
  /** There is no room for its stream. */
  unwatched: 6,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** What {@linkcode Supervision} tells as it happens; rare. */
export interface SupervisionEvent {
  readonly kind: "expired" | "returned" | "confRev" | "restart" | "simulation" | "ndsCom" | "lost";
  readonly stream: Stream;
  /** Messages that are missing, or how long it was silent in milliseconds. */
  readonly amount: number;
}

/** The streams of one path in one direction. */
export class Supervision {
  readonly #streams = new Map<number, Stream[]>();
  #count = 0;
  #deadline = Infinity;
  #untold = false;
  /** Messages that are missing, and changes of state that were never seen, of all streams. */
  lost = 0;
  /** Messages of streams that there was no room for. */
  unwatched = 0;
  /** Streams that were forgotten to make room. */
  evicted = 0;
  /** The stream of the message that {@linkcode see} took last; undefined when it is unwatched. */
  last: Stream | undefined;

  /**
   * @param streamsMax Most streams that are watched.
   * @param tell Gets what happens; called from {@linkcode see}, {@linkcode expire} and
   * {@linkcode tellLost}.
   */
  constructor(readonly streamsMax: number, readonly tell: (event: SupervisionEvent) => void) {}

  /** Every stream. */
  *streams(): Generator<Stream> {
    for (const bucket of this.#streams.values()) yield* bucket;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** When {@linkcode expire} may have something to do; infinite when no stream is alive. */
  get deadline(): Instant {
    return this.#deadline as Instant;
  }

  /** Takes the message that `scan` has just read out of `octets`. */
  see(scan: GooseScan, octets: Uint8Array, at: number, now: Instant): Kind {
    const hash = hashOf(scan, octets, at);
    const bucket = this.#streams.get(hash);
    const stream = bucket && find(bucket, scan, octets, at);
    this.last = stream;
    if (!stream) return this.#begin(hash, scan, octets, at, now);
    const silent = since(stream.lastAt, now);
    const kind = this.#step(stream, scan, silent);
    stream.frames += 1;
    if (kind === KIND.reordered) return kind;
    if (stream.expired) {
      stream.expired = false;
      this.tell({ kind: "returned", stream, amount: silent });
    }
    this.#flags(stream, scan);
    stream.lastAt = now;
    stream.stNum = scan.stNum;
    stream.sqNum = scan.sqNum;
    stream.timeAllowedToLive = scan.timeAllowedToLive;
    stream.vlan = scan.vlan;
    const due = now + scan.timeAllowedToLive;
    if (due < this.#deadline) this.#deadline = due;
    return kind;
  }

  /** Marks the streams that have fallen silent. */
  expire(now: Instant): void {
    if (now < this.#deadline) return;
    let next = Infinity;
    for (const stream of this.streams()) {
      if (stream.expired) continue;
      const due = stream.lastAt + stream.timeAllowedToLive;
      if (due > now) {
        next = Math.min(next, due);
        continue;
      }
      stream.expired = true;
      stream.expirations += 1;
      this.tell({ kind: "expired", stream, amount: since(stream.lastAt, now) });
    }
    this.#deadline = next;
  }

  /** Tells what each stream has lost since it was told last; a storm of gaps is one event. */
  tellLost(): void {
    if (!this.#untold) return;
    this.#untold = false;
    for (const stream of this.streams()) {
      if (stream.untold === 0) continue;
      const amount = stream.untold;
      stream.untold = 0;
      this.tell({ kind: "lost", stream, amount });
    }
  }

  /** What the numbers say, and the counters of it. */
  #step(stream: Stream, scan: GooseScan, silent: Millis): Kind {
    const { stNum, sqNum } = scan;
    if (stNum === stream.stNum) {
      if (sqNum === stream.sqNum) {
        stream.duplicates += 1;
        return KIND.duplicate;
      }
      if (sqNum > stream.sqNum) {
        this.#lost(stream, sqNum - stream.sqNum - 1, 0);
        return KIND.repeat;
      }
      if (stream.sqNum === SEQUENCE_MAX && sqNum <= 1) return KIND.repeat;
      return this.#back(stream, stream.sqNum - sqNum, silent);
    }
    const wrapped = stream.stNum === SEQUENCE_MAX && stNum === 1;
    if (stNum < stream.stNum && !wrapped) {
      const fresh = stNum === 1 && sqNum <= 1;
      return this.#back(stream, fresh ? Infinity : stream.stNum - stNum, silent);
    }
    stream.changes += 1;
    this.#lost(stream, sqNum, wrapped ? 0 : stNum - stream.stNum - 1);
    return KIND.change;
  }

  #back(stream: Stream, by: number, silent: Millis): Kind {
    // Whoever was silent for longer than it may be has started anew rather than been overtaken.
    const late = silent <= Math.min(REORDER_SPAN, stream.timeAllowedToLive);
    if (by <= REORDER_MAX && late) {
      stream.reordered += 1;
      return KIND.reordered;
    }
    stream.restarts += 1;
    this.tell({ kind: "restart", stream, amount: 0 });
    return KIND.restart;
  }

  #lost(stream: Stream, messages: number, changes: number): void {
    if (messages === 0 && changes === 0) return;
    stream.lost += messages;
    stream.lostChanges += changes;
    stream.untold += messages + changes;
    this.lost += messages + changes;
    this.#untold = true;
  }

  #flags(stream: Stream, scan: GooseScan): void {
    if (scan.confRev !== stream.confRev) {
      stream.confRev = scan.confRev;
      stream.confRevChanges += 1;
      this.tell({ kind: "confRev", stream, amount: scan.confRev });
    }
    if (scan.simulation !== stream.simulation) {
      stream.simulation = scan.simulation;
      this.tell({ kind: "simulation", stream, amount: scan.simulation ? 1 : 0 });
    }
    if (scan.ndsCom !== stream.ndsCom) {
      stream.ndsCom = scan.ndsCom;
      this.tell({ kind: "ndsCom", stream, amount: scan.ndsCom ? 1 : 0 });
    }
  }

  #begin(hash: number, scan: GooseScan, octets: Uint8Array, at: number, now: Instant): Kind {
    if (this.#count >= this.streamsMax && !this.#evict()) {
      this.unwatched += 1;
      return KIND.unwatched;
    }
    const source = octets.subarray(at + 6, at + 12);
    const reference = octets.subarray(
      scan.referenceAt,
      scan.referenceAt + scan.referenceLength,
    );
    const key = new Uint8Array(8 + reference.length);
    key.set(source);
    key[6] = scan.appId >> 8;
    key[7] = scan.appId;
    key.set(reference, 8);
    const stream: Stream = {
      source: Array.from(source, (octet) => octet.toString(16).padStart(2, "0")).join(":"),
      appId: scan.appId,
      // Every octet is a character; what is no ASCII is shown as such.
      reference: String.fromCharCode(...reference).replace(/[^\x20-\x7e]/g, "?"),
      key,
      firstAt: now,
      lastAt: now,
      stNum: scan.stNum,
      sqNum: scan.sqNum,
      confRev: scan.confRev,
      timeAllowedToLive: scan.timeAllowedToLive,
      simulation: scan.simulation,
      ndsCom: scan.ndsCom,
      vlan: scan.vlan,
      age: -1,
      ageMax: -1,
      expired: false,
      frames: 1,
      changes: 0,
      lost: 0,
      lostChanges: 0,
      untold: 0,
      duplicates: 0,
      reordered: 0,
      restarts: 0,
      expirations: 0,
      confRevChanges: 0,
    };
    const bucket = this.#streams.get(hash);
    if (bucket) bucket.push(stream);
    else this.#streams.set(hash, [stream]);
    this.#count += 1;
    this.last = stream;
    this.#deadline = Math.min(this.#deadline, now + scan.timeAllowedToLive);
    if (scan.simulation) this.tell({ kind: "simulation", stream, amount: 1 });
    if (scan.ndsCom) this.tell({ kind: "ndsCom", stream, amount: 1 });
    return KIND.first;
  }

  /** Forgets the stream that has been silent for longest, if there is one that is silent. */
  #evict(): boolean {
    let oldest: Stream | undefined;
    let place: number | undefined;
    for (const [hash, bucket] of this.#streams) {
      for (const stream of bucket) {
        if (!stream.expired || (oldest && oldest.lastAt <= stream.lastAt)) continue;
        oldest = stream;
        place = hash;
      }
    }
    if (!oldest || place === undefined) return false;
    const rest = this.#streams.get(place)!.filter((stream) => stream !== oldest);
    if (rest.length > 0) this.#streams.set(place, rest);
    else this.#streams.delete(place);
    this.#count -= 1;
    this.evicted += 1;
    return true;
  }
}

/** FNV-1a over the key, cut to 30 bits so that it stays a small integer. */
function hashOf(scan: GooseScan, octets: Uint8Array, at: number): number {
  let hash = FNV_OFFSET;
  for (let index = at + 6; index < at + 12; index += 1) {
    hash = Math.imul(hash ^ octets[index]!, FNV_PRIME);
  }
  hash = Math.imul(hash ^ scan.appId, FNV_PRIME);
  const end = scan.referenceAt + scan.referenceLength;
  for (let index = scan.referenceAt; index < end; index += 1) {
    hash = Math.imul(hash ^ octets[index]!, FNV_PRIME);
  }
  return hash & 0x3fff_ffff;
}

function find(
  bucket: readonly Stream[],
  scan: GooseScan,
  octets: Uint8Array,
  at: number,
): Stream | undefined {
  for (let index = 0; index < bucket.length; index += 1) {
    const stream = bucket[index]!;
    if (stream.appId === scan.appId && sameKey(stream.key, scan, octets, at)) return stream;
  }
  return undefined;
}

function sameKey(key: Uint8Array, scan: GooseScan, octets: Uint8Array, at: number): boolean {
  if (key.length !== 8 + scan.referenceLength) return false;
  for (let index = 0; index < 6; index += 1) {
    if (key[index] !== octets[at + 6 + index]) return false;
  }
  for (let index = 0; index < scan.referenceLength; index += 1) {
    if (key[8 + index] !== octets[scan.referenceAt + index]) return false;
  }
  return true;
}
