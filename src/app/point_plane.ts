/**
 * The points as this node has them: the hub, its journal and its table on disk, and what is shown
 * of them.
 * @module
 */
import { describe, OsError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { after, type Millis, seconds } from "../base/time.ts";
import type { Series } from "../kernel/metrics.ts";
import type { JsonObject } from "../kernel/registry.ts";
import type { PointsConfig } from "../kernel/settings.ts";
import type { Thread } from "../kernel/worker_host.ts";
import type { Clock } from "../platform/clock.ts";
import { openSqlite } from "../platform/sqlite.ts";
import { Journal, type JournalOptions } from "../points/journal.ts";
import {
  JournalReader,
  JournalTables,
  type JournalWriter,
  prepareJournal,
} from "../points/journal_store.ts";
import { KEY_SPAN_MS } from "../points/commands.ts";
import { Points } from "../points/points.ts";
import { PointTable } from "../points/table.ts";
import { ThreadedWriter } from "./journal_thread.ts";

/** Names of the databases in the folder. */
export const TABLE_FILE = "points.sqlite";
/** The journal's. */
export const JOURNAL_FILE = "journal.sqlite";
/** Held by the busbar that runs. */
const LOCK_FILE = "busbar.lock";
/** How often the table is looked at for changes of others. */
const LOOK_EVERY = seconds(2);
/** Newest events in memory. */
const RECENT_MAX = 65_536;
/** Faults of the table that are logged at once. */
const FAULTS_LOGGED = 20;

/** What the plane needs. */
export interface PlaneOptions {
  readonly settings: PointsConfig;
  readonly clock: Clock;
  readonly log: Log;
  startThread(name: string): Thread;
}

/** Opens journal and table. @throws OsError, AppError when they cannot be used. */
export async function openPointPlane(options: PlaneOptions): Promise<PointPlane> {
  const { settings, clock } = options;
  const { folder } = settings;
  if (folder === undefined) return new PointPlane(options, new Points(clock), undefined);
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    const what = `Folder ${folder} of the points cannot be made: ${describe(error)}`;
    throw new OsError("os.file", what, { path: folder }, { cause: error });
  }
  const lock = lockFolder(folder);
  try {
    const journal = openJournal(options, `${folder}/${JOURNAL_FILE}`);
    const table = new PointTable(openSqlite(`${folder}/${TABLE_FILE}`));
    return new PointPlane(options, new Points(clock, journal), table, lock);
  } catch (error) {
    lock.close();
    throw error;
  }
}

/**
 * Takes the folder for this process; the kernel gives it up with the process. Two that write one
 * journal would give the same numbers to different events.
 */
function lockFolder(folder: string): Deno.FsFile {
  const path = `${folder}/${LOCK_FILE}`;
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { create: true, write: true });
  } catch (error) {
    const what = `Folder ${folder} of the points cannot be used: ${describe(error)}`;
    throw new OsError("os.file", what, { path }, { cause: error });
  }
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new OsError(
    "points.folder.taken",
    `Folder ${folder} of the points is another busbar's that runs: give this one its own folder`,
    { path },
  );
}

function openJournal({ settings, clock, startThread }: PlaneOptions, path: string): Journal {
  const { survives } = settings;
  if (survives === "nothing") return memoryJournal(settings, clock);
  {
    using database = openSqlite(path, { survives });
    prepareJournal(database);
  }
  const reader = new JournalReader(openSqlite(path, { readOnly: true }));
  const state = reader.state(clock.epoch() - KEY_SPAN_MS);
  const order = { journal: path, survives };
  const writer = new ThreadedWriter(order, startThread);
  return new Journal({ writer, reader, state, clock }, journalOptions(settings));
}

/** A journal that no disk is written for: it goes with the process. */
function memoryJournal(settings: PointsConfig, clock: Clock): Journal {
  const database = openSqlite(":memory:");
  const tables = new JournalTables(database);
  const reader = new JournalReader(database);
  const writer: JournalWriter = {
    commit: (batch) => Promise.resolve(tables.commit(batch)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return new Journal(
    { writer, reader, state: reader.state(0), clock },
    journalOptions(settings),
  );
}

/** The journal's options as they are configured. */
export function journalOptions(settings: PointsConfig): JournalOptions {
  return {
    octetsMax: settings.journalSize,
    ageMax: settings.journalAge,
    pendingMax: settings.journalPending,
    commitWithin: settings.commitWithin,
    auditMax: settings.auditCommands,
    recentMax: RECENT_MAX,
  };
}

/** See the module. */
export class PointPlane implements AsyncDisposable {
  #alarm: Disposable | undefined;
  #version = -1;
  #defined = 0;
  #faults = 0;
  #nextCheckpoint: number;
  #failing: string | undefined;
  #lost = 0;

  constructor(
    readonly options: PlaneOptions,
    readonly points: Points,
    readonly table: PointTable | undefined,
    readonly lock?: Deno.FsFile,
  ) {
    this.#nextCheckpoint = after(options.clock.now(), options.settings.checkpointEvery);
    this.#look();
    this.#arm(LOOK_EVERY);
  }

  /** For /status. */
  status(): JsonObject {
    const { points } = this;
    const { journal } = points;
    return {
      values: points.size,
      defined: this.#defined,
      "table_faults": this.#faults,
      refused: points.refused,
      commands: points.commands.underWay,
      ...(journal ? { journal: journalStatus(journal) } : {}),
    };
  }

  /** For /metrics. */
  series(): Series[] {
    const { points } = this;
    const { journal } = points;
    const one = (name: string, type: Series["type"], help: string, value: number): Series => ({
      name: `busbar_points_${name}`,
      type,
      help,
      labels: {},
      value,
    });
    const all = [
      one("values", "gauge", "Points that have a value", points.size),
      one("defined", "gauge", "Points of the table", this.#defined),
      one("refused_total", "counter", "Samples of points beyond the most", points.refused),
    ];
    if (!journal) return all;
    const { newest, committed, octets, pending, refused, failing } = journal.status;
    all.push(
      one("journal_events_total", "counter", "Number of the newest event", newest),
      one("journal_committed_total", "counter", "Number of the newest durable event", committed),
      one("journal_octets", "gauge", "Octets of the events on disk", octets),
      one("journal_pending", "gauge", "Events that wait for the disk", pending),
      one("journal_refused_total", "counter", "Events that found no room", refused),
      one("journal_failing", "gauge", "1 while nothing can be committed", failing ? 1 : 0),
    );
    for (const cursor of journal.cursors()) {
      const labels = { cursor: cursor.name };
      all.push(
        { ...one("cursor_pending", "gauge", "Events its reader lacks", cursor.pending), labels },
        { ...one("cursor_lost_total", "counter", "Events it never had", cursor.lost), labels },
      );
    }
    return all;
  }

  /** Writes the image down, and closes what is open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#alarm?.[Symbol.dispose]();
    this.points.checkpoint();
    await this.points.journal?.[Symbol.asyncDispose]();
    this.table?.database[Symbol.dispose]();
    this.lock?.close();
  }

  #arm(span: Millis): void {
    if (!this.table) return;
    const { clock, settings } = this.options;
    this.#alarm = clock.alarm(after(clock.now(), span), () => {
      this.#look();
      this.#watch();
      if (clock.now() >= this.#nextCheckpoint) {
        this.#nextCheckpoint = after(clock.now(), settings.checkpointEvery);
        this.points.checkpoint();
      }
      this.#arm(LOOK_EVERY);
    });
  }

  /** Takes the table in when somebody has changed it. */
  #look(): void {
    const { table } = this;
    const { log } = this.options;
    if (!table) return;
    try {
      const version = table.version();
      if (version === this.#version) return;
      const { definitions, faults } = table.load();
      this.#version = version;
      this.#defined = definitions.length;
      this.#faults = faults.length;
      this.points.define(definitions);
      log.info("points.table", "Point table was loaded", { points: definitions.length });
      for (const { row, column, message } of faults.slice(0, FAULTS_LOGGED)) {
        log.warn("points.table.row", `Row ${row} was left out: ${column} ${message}`);
      }
    } catch (error) {
      log.error("points.table.failed", "Point table cannot be read; the last one stays", { error });
    }
  }

  /** Says when the journal fails, when it works again, and what was lost. */
  #watch(): void {
    const { journal } = this.points;
    const { log } = this.options;
    if (!journal) return;
    const { failing } = journal.status;
    if (failing !== undefined && this.#failing === undefined) {
      log.error("points.journal.failing", "Events cannot be made durable", { why: failing });
    } else if (failing === undefined && this.#failing !== undefined) {
      log.info("points.journal.works", "Events are durable again");
    }
    this.#failing = failing;
    const lost = [...journal.cursors()].reduce((sum, cursor) => sum + cursor.lost, 0);
    if (lost > this.#lost) {
      log.warn("points.journal.lost", "Events were dropped before a reader had them", {
        count: lost - this.#lost,
        remedy: "raise points.journal_size, or see why the reader does not read",
      });
    }
    this.#lost = lost;
  }
}

function journalStatus(journal: Journal): JsonObject {
  const { newest, committed, oldest, octets, pending, refused, failing } = journal.status;
  return {
    newest,
    committed,
    oldest,
    octets,
    pending,
    refused,
    ...(failing === undefined ? {} : { failing }),
    cursors: Object.fromEntries(
      [...journal.cursors()].map(({ name, position, pending, lost }) => [
        name,
        { position, pending, lost },
      ]),
    ),
  };
}
