/** The thread that writes the journal, so that a slow disk delays nobody else. */
import { type ErrorImage, imageOf } from "../base/errors.ts";
import { openSqlite } from "../platform/sqlite.ts";
import { type CommitBatch, type CommitResult, JournalTables } from "../points/journal_store.ts";

/** The first message to the thread. */
export interface JournalOrder {
  /** Path of the database. */
  readonly journal: string;
  readonly survives: "power_loss" | "process";
}

/** The messages after it, one at a time. */
export type ToJournal = { readonly commit: CommitBatch } | { readonly close: true };
/** The answer to each of them. */
export type FromJournal =
  | { readonly kind: "done"; readonly result: CommitResult }
  | { readonly kind: "failed"; readonly error: ErrorImage }
  | { readonly kind: "closed" };

/** Serves one journal until it is closed. A database that cannot be opened is tried at each call. */
export function serveJournal({ journal, survives }: JournalOrder, port: MessagePort): void {
  let open: { database: ReturnType<typeof openSqlite>; tables: JournalTables } | undefined;
  const commit = (batch: CommitBatch): FromJournal => {
    try {
      if (!open) {
        const database = openSqlite(journal, { survives });
        open = { database, tables: new JournalTables(database) };
      }
      return { kind: "done", result: open.tables.commit(batch) };
    } catch (error) {
      return { kind: "failed", error: imageOf(error) };
    }
  };
  port.onmessage = ({ data }: MessageEvent<ToJournal>) => {
    if ("commit" in data) {
      port.postMessage(commit(data.commit));
      return;
    }
    open?.database[Symbol.dispose]();
    port.postMessage({ kind: "closed" } satisfies FromJournal);
    port.onmessage = null;
  };
}
