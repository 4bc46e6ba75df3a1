/**
 * What leaves on one started connection, and in which order: answers first, then scans and events.
 * An event leaves its group's cursor when the control centre has confirmed the frame it was in.
 * @module
 */
import { type Cursor, CURSOR_BATCH_MAX } from "../../points/journal_cursor.ts";
import type { PointId, Points, Sample } from "../../points/points.ts";
import {
  type Asdu,
  CAUSE,
  type Iec104Link,
  type Profile,
  type TimeZone,
} from "../../protocol/iec104/mod.ts";
import type { Instant } from "../../base/time.ts";
import type { Forwarded, ForwardingTable } from "./forwarding.ts";
import { objectFor, Packer } from "./mapping.ts";

/** Answers that wait at most; who asks more without reading is cut off. */
export const ANSWERS_MAX = 1024;
/** Scans that wait at most. */
export const SCANS_MAX = 16;
/** With at most so many events before an interrogation they are sent first, in their order. */
export const EVENTS_FIRST_MAX = 1000;

/** A state of points that is being sent. */
export interface Scan {
  readonly entries: readonly Forwarded[];
  readonly cause: number;
  readonly end: Asdu | undefined;
  /** Where values are; absent: in the image. */
  readonly value?: (point: PointId) => Sample | undefined;
}

interface RunningScan {
  readonly asdus: Asdu[];
  /** Events up to here are sent before it. */
  readonly behind: number;
}

/** See the module. */
export class Sender {
  readonly #answers: Asdu[] = [];
  readonly #scans: Scan[] = [];
  #scan: RunningScan | undefined;
  /** Of each frame that is on its way: the number of its last event, or 0. */
  readonly #frames: number[] = [];
  /** Packed, and not sent yet. */
  #ready: { asdu: Asdu; sequence: number }[] = [];
  /** Events up to here have been packed. */
  #packed: number;
  /** What was told last of points with a dead-band. */
  readonly #told = new Map<PointId, { readonly value: number; readonly quality: number }>();

  constructor(
    readonly link: Iec104Link,
    readonly cursor: Cursor,
    readonly points: Points,
    readonly profile: Profile,
    readonly zone: TimeZone,
    readonly table: () => ForwardingTable,
    /** Told how many events were lost before they could be sent. */
    readonly lost: (count: number) => void,
  ) {
    this.#packed = cursor.position;
  }

  /** Number of the last event that was taken up. */
  get position(): number {
    return this.#packed;
  }

  /** Data transfer starts: with what the control centre has not confirmed. */
  begin(): void {
    // Started again before it had stopped, it goes on.
    if (this.#frames.length > 0) return;
    this.#packed = this.cursor.position;
    this.#ready = [];
    // What was not confirmed is told again, so it does not count as told.
    this.#told.clear();
  }

  /** @returns False when too many wait. */
  answer(asdu: Asdu): boolean {
    if (this.#answers.length >= ANSWERS_MAX) return false;
    this.#answers.push(asdu);
    return true;
  }

  /** @returns False when too many wait. */
  scan(scan: Scan): boolean {
    if (this.#scans.length >= SCANS_MAX) return false;
    this.#scans.push(scan);
    return true;
  }

  /** Fills the window. @returns What was sent: ASDUs, and events in them. */
  pump(now: Instant): { asdus: number; events: number } {
    const done = { asdus: 0, events: 0 };
    while (this.link.room > 0) {
      const next = this.#next();
      if (!next) break;
      if (!this.link.send(next.asdu, now)) break;
      this.#frames.push(next.sequence);
      done.asdus += 1;
      if (next.sequence > 0) done.events += next.asdu.objects.length;
    }
    this.#confirmIdle();
    return done;
  }

  /** The control centre has the oldest `count` frames. @returns Number of its last event. */
  confirmed(count: number): void {
    let last = 0;
    for (const sequence of this.#frames.splice(0, count)) last = Math.max(last, sequence);
    if (last > 0) this.cursor.confirm(last);
    this.#confirmIdle();
  }

  #next(): { asdu: Asdu; sequence: number } | undefined {
    const answer = this.#answers.shift();
    if (answer) return { asdu: answer, sequence: 0 };
    if (!this.#scan) this.#beginScan();
    const scan = this.#scan;
    if (scan && this.#ready.length === 0 && this.#packed >= scan.behind) {
      const asdu = scan.asdus.shift();
      if (scan.asdus.length === 0) this.#scan = undefined;
      if (asdu) return { asdu, sequence: 0 };
    }
    if (this.#ready.length === 0) this.#pack(scan?.behind ?? Infinity);
    const ready = this.#ready.shift();
    if (ready) return ready;
    // What was before the scan is forwarded to nobody: then it need not wait for more.
    return scan && this.#packed >= scan.behind ? this.#next() : undefined;
  }

  /** The state as it is now; what happened before is sent first, unless that is too much. */
  #beginScan(): void {
    const scan = this.#scans.shift();
    if (!scan) return;
    const packer = new Packer(this.profile, scan.cause);
    for (const entry of scan.entries) {
      const sample = scan.value?.(entry.point) ?? this.points.last(entry.point);
      if (!sample) continue;
      const object = objectFor(entry, entry.stateType, sample, this.zone);
      packer.add(entry.stateType, entry.commonAddress, object, 0);
    }
    const asdus = packer.take().map(({ asdu }) => asdu);
    if (scan.end) asdus.push(scan.end);
    const { newest } = this.cursor.journal.status;
    const backlog = newest - this.#packed;
    this.#scan = { asdus, behind: backlog <= EVENTS_FIRST_MAX ? newest : this.#packed };
  }

  /** Takes up the next events, as far as they are durable. */
  #pack(until: number): void {
    while (this.#ready.length === 0) {
      const most = Math.min(CURSOR_BATCH_MAX, until - this.#packed);
      if (most <= 0) return;
      const { first, samples } = this.cursor.read(most, this.#packed);
      this.#tellLost();
      if (samples.length === 0) return;
      const packer = new Packer(this.profile, CAUSE.spontaneous);
      const table = this.table();
      for (const [index, sample] of samples.entries()) {
        const entry = table.input(sample.point);
        if (!entry || !this.#isNews(entry, sample)) continue;
        const object = objectFor(entry, entry.eventType, sample, this.zone);
        packer.add(entry.eventType, entry.commonAddress, object, first + index);
      }
      this.#packed = first + samples.length - 1;
      this.#ready = packer.take();
    }
  }

  /** Whether a value has left the dead-band around the one that was told last. */
  #isNews(entry: Forwarded, { point, value: raw, quality }: Sample): boolean {
    if (entry.deadBand === 0 || typeof raw !== "number") return true;
    const value = raw * entry.scale + entry.offset;
    const last = this.#told.get(point);
    const near = last?.quality === quality && Math.abs(value - last.value) < entry.deadBand;
    if (!near) this.#told.set(point, { value, quality });
    return !near;
  }

  #tellLost(): void {
    const count = this.cursor.takeLost();
    if (count > 0) this.lost(count);
  }

  /** Events that are forwarded to nobody are done with when nothing before them is on its way. */
  #confirmIdle(): void {
    const waiting = this.#ready.length > 0 || this.#frames.some((sequence) => sequence > 0);
    if (!waiting && this.#packed <= this.cursor.journal.committed) {
      this.cursor.confirm(this.#packed);
    }
  }
}
