/** The journal's writer as it is seen from the main thread. */
import { BugError, revive } from "../base/errors.ts";
import type { Thread } from "../kernel/worker_host.ts";
import type { CommitBatch, CommitResult, JournalWriter } from "../points/journal_store.ts";
import type { FromJournal, JournalOrder, ToJournal } from "./journal_side.ts";

interface Pending {
  readonly resolve: (message: FromJournal) => void;
  readonly reject: (error: Error) => void;
}

/** Writes through a thread of its own; a thread that has crashed is started anew. */
export class ThreadedWriter implements JournalWriter {
  #thread: Thread | undefined;
  #pending: Pending | undefined;

  constructor(readonly order: JournalOrder, readonly start: (name: string) => Thread) {}

  /** @throws OsError, AppError from the thread; BugError when it has crashed. */
  async commit(batch: CommitBatch): Promise<CommitResult> {
    const answer = await this.#ask({ commit: batch });
    if (answer.kind === "done") return answer.result;
    if (answer.kind === "failed") throw revive(answer.error);
    throw new BugError("points.journal.closed", "The journal's thread has closed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#thread) return;
    await this.#ask({ close: true });
    this.#thread?.terminate();
    this.#thread = undefined;
  }

  #ask(message: ToJournal): Promise<FromJournal> {
    if (this.#pending) throw new BugError("points.journal.busy", "One commit at a time");
    const thread = this.#thread ??= this.#started();
    const { promise, resolve, reject } = Promise.withResolvers<FromJournal>();
    this.#pending = { resolve, reject };
    thread.postMessage(message);
    return promise;
  }

  #started(): Thread {
    const thread = this.start("journal");
    thread.onmessage = ({ data }) => {
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.resolve(data as FromJournal);
    };
    thread.onerror = (event) => {
      event.preventDefault(); // Else the whole process would end with the thread.
      this.#thread = undefined;
      const pending = this.#pending;
      this.#pending = undefined;
      thread.terminate();
      pending?.reject(new BugError("points.journal.crashed", `Thread crashed: ${event.message}`));
    };
    thread.postMessage(this.order);
    return thread;
  }
}
