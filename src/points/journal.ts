/**
 * The journal: every event gets a number, one after the other without a gap, and is durable before
 * anybody is told that it is. Readers have named cursors that are durable too.
 *
 * Commits are made in groups: what is appended while one is under way, or shortly before, goes into
 * the next. Numbers are given at once; `whenCommitted` says when an event may be acknowledged.
 * @module
 */
import { BugError, describe } from "../base/errors.ts";
import { after, type Instant, type Millis, millis } from "../base/time.ts";
import { decodeEvents, EventEncoder } from "./event_codec.ts";
import type {
  AuditRow,
  CommitBatch,
  EventRow,
  JournalReader,
  JournalState,
  JournalWriter,
} from "./journal_store.ts";
import { Cursor } from "./journal_cursor.ts";
import type { PointId, Sample } from "./point.ts";

/** Bounds and habits of a journal. */
export interface JournalOptions {
  /** Most octets of events. The oldest go first, whether they were read or not. */
  readonly octetsMax: number;
  /** Oldest event that is kept. */
  readonly ageMax: Millis;
  /** Most events that wait for a commit; what comes then is refused. */
  readonly pendingMax: number;
  /** How long an event waits for others to be committed with. */
  readonly commitWithin: Millis;
  /** Commands in the audit. */
  readonly auditMax: number;
  /** Newest events that are kept in memory as well, for readers that keep up. */
  readonly recentMax: number;
}

/** As much of a clock as the journal needs. */
export interface JournalClock {
  now(): Instant;
  epoch(): number;
  alarm(at: Instant, callback: () => void): Disposable;
}

/** Where a journal comes from. */
export interface JournalParts {
  readonly writer: JournalWriter;
  readonly reader: JournalReader;
  readonly state: JournalState;
  readonly clock: JournalClock;
}

/** Events of a row at most: a reader that is behind decodes a whole one. */
export const ROW_EVENTS_MAX = 4096;
/** Most cursors. */
export const CURSORS_MAX = 1000;
/** Until a commit that failed is tried again. */
export const RETRY_AFTER = millis(1000);

/** Events as they were read. */
export interface JournalRead {
  /** Number of the first of them. */
  readonly first: number;
  readonly samples: readonly Sample[];
  /** Events before them that were dropped. */
  readonly lost: number;
}

/** How a journal fares, for /status. */
export interface JournalStatus {
  readonly newest: number;
  readonly committed: number;
  readonly oldest: number;
  readonly octets: number;
  readonly pending: number;
  /** Events that were refused because too many waited. */
  readonly refused: number;
  /** Why nothing is durable now; undefined when all is well. */
  readonly failing: string | undefined;
}

interface Waiting {
  readonly sequence: number;
  readonly resolve: () => void;
}

/** See the module. */
export class Journal implements AsyncDisposable {
  readonly options: JournalOptions;
  readonly #parts: JournalParts;
  /** By their numbers, which count from 1. */
  readonly #points: (PointId | undefined)[] = [];
  readonly #names = new Map<PointId, number>();
  readonly #cursors = new Map<string, Cursor>();
  readonly #encoder = new EventEncoder();
  readonly #recent: (Sample | undefined)[];
  #recentFrom: number;

  #newest: number;
  #committed: number;
  #oldest: number;
  #octets: number;
  #refused = 0;
  #failing: string | undefined;

  // What the next commit has.
  #rows: EventRow[] = [];
  #rowFirst = 0;
  #newNames: [number, string][] = [];
  #audit: AuditRow[] = [];
  #auditId: number;
  #image: CommitBatch["image"];
  #forgotten = new Set<string>();
  #touched = new Set<Cursor>();

  #alarm: Disposable | undefined;
  #committing = false;
  #closed = false;
  #waiting: Waiting[] = [];
  /** Who waits for the commit that is under way, and for the one after it. */
  #thisFlush: ((durable: boolean) => void)[] = [];
  #nextFlush: ((durable: boolean) => void)[] = [];
  #decoded: { row: EventRow; samples: readonly Sample[] } | undefined;

  constructor(parts: JournalParts, options: JournalOptions) {
    this.#parts = parts;
    this.options = options;
    const { state } = parts;
    for (const [id, point] of state.names) this.#remember(id, point as PointId);
    this.#newest = this.#committed = state.newest;
    this.#oldest = state.oldest;
    this.#octets = state.octets;
    this.#auditId = state.audit.at(-1)?.id ?? 0;
    this.#recent = new Array(options.recentMax);
    this.#recentFrom = this.#newest + 1;
    for (const row of state.cursors) {
      this.#cursors.set(row.name, new Cursor(this, row.name, row));
    }
  }

  /** How it fares. */
  get status(): JournalStatus {
    return {
      newest: this.#newest,
      committed: this.#committed,
      oldest: this.#oldest,
      octets: this.#octets,
      pending: this.#newest - this.#committed,
      refused: this.#refused,
      failing: this.#failing,
    };
  }

  /** Number of the newest event that is durable. */
  get committed(): number {
    return this.#committed;
  }

  /** Number of the oldest event that is there. */
  get oldest(): number {
    return this.#oldest;
  }

  /** How many events `append` takes now. */
  get room(): number {
    return this.#closed ? 0 : this.options.pendingMax - (this.#newest - this.#committed);
  }

  /**
   * Gives each sample the next number.
   * @returns The number of the last; undefined when there is no room, and none of them was taken:
   * who has them must keep them, and not acknowledge them.
   */
  append(samples: readonly Sample[]): number | undefined {
    if (samples.length === 0) return this.#newest;
    if (samples.length > this.room) {
      this.#refused += samples.length;
      return undefined;
    }
    const { recentMax } = this.options;
    for (const sample of samples) {
      const sequence = this.#newest + 1;
      if (this.#encoder.count === 0) this.#rowFirst = sequence;
      this.#encoder.add(this.#nameOf(sample.point), sample);
      this.#newest = sequence;
      this.#recent[sequence % recentMax] = sample;
      if (this.#encoder.count >= ROW_EVENTS_MAX) this.#sealRow();
    }
    this.#recentFrom = Math.max(this.#recentFrom, this.#newest - recentMax + 1);
    // A full row is worth a commit; fewer wait for more.
    this.#schedule(this.#rows.length > 0 ? millis(0) : this.options.commitWithin);
    return this.#newest;
  }

  /** Resolves when the event of that number, and all before it, are durable. */
  whenCommitted(sequence: number): Promise<void> {
    if (sequence <= this.#committed) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ sequence, resolve }));
  }

  /**
   * The cursor of that name; a new one begins behind the newest event, or where `from` says.
   * @throws BugError when there are {@linkcode CURSORS_MAX} already.
   */
  cursor(name: string, from: "newest" | "oldest" = "newest"): Cursor {
    const known = this.#cursors.get(name);
    if (known) return known;
    if (this.#cursors.size >= CURSORS_MAX) {
      throw new BugError("points.cursors.full", "Too many cursors", { name, max: CURSORS_MAX });
    }
    const position = from === "newest" ? this.#newest : this.#oldest - 1;
    const cursor = new Cursor(this, name, { position, lost: 0, told: 0 });
    this.#cursors.set(name, cursor);
    this.#forgotten.delete(name);
    this.touched(cursor);
    return cursor;
  }

  /** Every cursor, for /status. */
  cursors(): Iterable<Cursor> {
    return this.#cursors.values();
  }

  /** Forgets a cursor whose reader was removed from the configuration. */
  forget(name: string): void {
    if (!this.#cursors.delete(name)) return;
    this.#forgotten.add(name);
    this.#schedule(this.options.commitWithin);
  }

  /** For cursors: one has moved, and wants to be durable. */
  touched(cursor: Cursor): void {
    this.#touched.add(cursor);
    this.#schedule(this.options.commitWithin);
  }

  /**
   * Committed events after a number, at most `most`. What is not in memory any more is read from
   * the disk. @throws OsError, AppError
   */
  read(sequence: number, most: number): JournalRead {
    const from = Math.max(sequence + 1, this.#oldest);
    const lost = from - sequence - 1;
    const last = Math.min(this.#committed, from + most - 1);
    if (from > last) return { first: from, samples: [], lost };
    if (from >= this.#recentFrom) {
      const samples: Sample[] = [];
      for (let at = from; at <= last; at += 1) {
        samples.push(this.#recent[at % this.options.recentMax]!);
      }
      return { first: from, samples, lost };
    }
    const { row, samples } = this.#rowAfter(from - 1);
    // Rows may have been dropped since the last commit told what the oldest is.
    const first = Math.max(from, row.first);
    const part = samples.slice(first - row.first, Math.min(last, row.last) - row.first + 1);
    return { first, samples: part, lost: lost + first - from };
  }

  /** Takes an image of all points as the place where the next start begins. */
  checkpoint(samples: Iterable<Sample>): void {
    const encoder = new EventEncoder();
    const parts: Uint8Array[] = [];
    for (const sample of samples) {
      encoder.add(this.#nameOf(sample.point), sample);
      if (encoder.count >= ROW_EVENTS_MAX) parts.push(encoder.take());
    }
    if (encoder.count > 0) parts.push(encoder.take());
    this.#image = { sequence: this.#newest, parts };
    this.#schedule(millis(0));
  }

  /** The image at the last checkpoint, and the events since, oldest first. */
  *restored(): Generator<readonly Sample[]> {
    const { image } = this.#parts.state;
    for (const part of image.parts) yield this.#decode(part);
    for (let at = Math.max(image.sequence, this.#oldest - 1); at < this.#committed;) {
      const { first, samples } = this.read(at, ROW_EVENTS_MAX);
      yield samples;
      at = first + samples.length - 1;
    }
  }

  /** Commands of the last while that the start found. */
  get audited(): readonly AuditRow[] {
    return this.#parts.state.audit;
  }

  /** The newest commands of the audit, newest first, as far as they are durable. */
  audits(most: number): AuditRow[] {
    return this.#parts.reader.audit(most);
  }

  /** Puts a command into the audit, or replaces one there. @returns Its number. */
  audit(row: Omit<AuditRow, "id">, id = this.#auditId + 1): number {
    this.#auditId = Math.max(this.#auditId, id);
    this.#audit.push({ ...row, id });
    this.#schedule(millis(0));
    return id;
  }

  /**
   * Resolves with true when all that was given before is durable, with false when that has failed
   * or was given up; then it is tried again without the caller.
   */
  flushed(): Promise<boolean> {
    if (this.#failing || this.#closed) return Promise.resolve(false);
    if (!this.#dirty && !this.#committing) return Promise.resolve(true);
    const flushed = new Promise<boolean>((resolve) => {
      (this.#dirty ? this.#nextFlush : this.#thisFlush).push(resolve);
    });
    this.#schedule(millis(0));
    return flushed;
  }

  /** Makes everything durable, unless that fails, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    await this.flushed();
    this.#closed = true;
    this.#alarm?.[Symbol.dispose]();
    this.#parts.reader.database[Symbol.dispose]();
    await this.#parts.writer[Symbol.asyncDispose]();
  }

  #nameOf(point: PointId): number {
    const known = this.#names.get(point);
    if (known !== undefined) return known;
    const id = this.#names.size + 1;
    this.#remember(id, point);
    this.#newNames.push([id, point]);
    return id;
  }

  #remember(id: number, point: PointId): void {
    this.#names.set(point, id);
    this.#points[id] = point;
  }

  #sealRow(): void {
    if (this.#encoder.count === 0) return;
    const last = this.#rowFirst + this.#encoder.count - 1;
    this.#rows.push({ first: this.#rowFirst, last, octets: this.#encoder.take() });
  }

  get #dirty(): boolean {
    return this.#encoder.count > 0 || this.#rows.length > 0 || this.#audit.length > 0 ||
      this.#touched.size > 0 || this.#forgotten.size > 0 || this.#image !== undefined;
  }

  #schedule(within: Millis): void {
    if (this.#committing || this.#closed || this.#failing) return;
    if (within > 0 && this.#alarm) return;
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = undefined;
    // At once still means behind what is being appended right now.
    if (within === 0) return void Promise.resolve().then(() => this.#commit());
    const { clock } = this.#parts;
    this.#alarm = clock.alarm(after(clock.now(), within), () => {
      this.#alarm = undefined;
      void this.#commit();
    });
  }

  /** Commits what there is, and goes on while there is more. Failures are tried again. */
  async #commit(): Promise<void> {
    if (this.#committing || this.#failing || this.#closed) return;
    this.#committing = true;
    while (this.#dirty && !this.#closed) {
      const batch = this.#takeBatch();
      if (!(await this.#write(batch))) return;
      this.#done(batch.rows.at(-1)?.last ?? this.#committed);
      // What was confirmed or appended in the meantime may wait for more of its kind.
      if (this.#rows.length === 0 && this.#audit.length === 0 && this.#nextFlush.length === 0) {
        break;
      }
    }
    this.#committing = false;
    if (this.#dirty) this.#schedule(this.options.commitWithin);
  }

  /** @returns False when it was closed before it could be written. */
  async #write(batch: CommitBatch): Promise<boolean> {
    const { writer, clock } = this.#parts;
    for (;;) {
      try {
        const { oldest, octets } = await writer.commit(batch);
        this.#failing = undefined;
        this.#oldest = Math.max(this.#oldest, oldest);
        this.#octets = octets;
        return true;
      } catch (error) {
        this.#failing = describe(error);
        this.#tell(false);
        await new Promise<void>((resolve) => {
          this.#alarm = clock.alarm(after(clock.now(), RETRY_AFTER), resolve);
        });
        this.#alarm = undefined;
        if (this.#closed) return false;
      }
    }
  }

  #takeBatch(): CommitBatch {
    this.#sealRow();
    const { octetsMax, ageMax, auditMax } = this.options;
    const at = this.#parts.clock.epoch();
    const batch: CommitBatch = {
      rows: this.#rows,
      at,
      names: this.#newNames,
      cursors: [...this.#touched].filter(({ name }) => !this.#forgotten.has(name)).map((
        { name, position, lost, told },
      ) => ({ name, position, lost, told })),
      forgotten: [...this.#forgotten],
      audit: this.#audit,
      image: this.#image,
      keep: { octets: octetsMax, before: at - ageMax, audit: auditMax },
    };
    this.#rows = [];
    this.#newNames = [];
    this.#audit = [];
    this.#image = undefined;
    this.#touched.clear();
    this.#forgotten.clear();
    this.#thisFlush = this.#nextFlush;
    this.#nextFlush = [];
    return batch;
  }

  #done(committed: number): void {
    this.#committed = committed;
    const still: Waiting[] = [];
    for (const one of this.#waiting) {
      if (one.sequence <= committed) one.resolve();
      else still.push(one);
    }
    this.#waiting = still;
    for (const tell of this.#thisFlush.splice(0)) tell(true);
    for (const cursor of this.#cursors.values()) cursor.progress();
  }

  #tell(durable: boolean): void {
    for (const tell of [...this.#thisFlush.splice(0), ...this.#nextFlush.splice(0)]) tell(durable);
  }

  #rowAfter(sequence: number): { row: EventRow; samples: readonly Sample[] } {
    const known = this.#decoded;
    if (known && known.row.first <= sequence + 1 && known.row.last > sequence) return known;
    const row = this.#parts.reader.after(sequence);
    if (!row) throw new BugError("points.journal.hole", "Events are missing", { sequence });
    return this.#decoded = { row, samples: this.#decode(row.octets) };
  }

  #decode(octets: Uint8Array): Sample[] {
    return decodeEvents(octets, (id) => this.#points[id]);
  }
}
