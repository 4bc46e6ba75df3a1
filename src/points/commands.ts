/**
 * The way from north to south: a command goes to the one owner of its point and comes back as an
 * outcome, within its deadline. Every command is in the audit before it is executed, and once more
 * with its outcome; one that is asked for twice under the same key is executed once.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { type PointDefinition, rawValue } from "./definition.ts";
import type { Journal } from "./journal.ts";
import type { AuditRow } from "./journal_store.ts";
import type { PointId, PointValue } from "./point.ts";

/** What is wanted: do it, or first take hold of it, or let go of it. */
export type CommandMode = "execute" | "select" | "cancel";

/** What a control centre, a cloud or an operator wants of a point. */
export interface Command {
  readonly point: PointId;
  /** In engineering units; the owner gets it as the device wants it. */
  readonly value: PointValue;
  /** Who asks: the north service and its peer. For the answer and for the audit. */
  readonly origin: string;
  /** `execute` when absent. */
  readonly mode?: CommandMode;
  /** Of the asker's protocol, such as QU and QL of IEC 60870-5. */
  readonly qualifier?: number;
  /**
   * Idempotency key: a command that comes again under it, from the same origin, gets the outcome of
   * the first and is not executed again. At most {@linkcode KEY_MAX} characters.
   */
  readonly key?: string;
}

/** How a command ended, for the asker to tell in its own protocol's terms. */
export type CommandOutcome =
  | { readonly kind: "done" }
  /** The owner, or the device behind it, said no; `why` is for people. */
  | { readonly kind: "refused"; readonly why: string }
  /** Nobody answered in time. It may still be executed: the asker must not assume either. */
  | { readonly kind: "timed_out" }
  /** No service owns the point now. */
  | { readonly kind: "no_owner" }
  /** It was under way when busbar ended: whether it was executed is not known. */
  | { readonly kind: "unknown" };

/** Executes the commands of the points it owns. It must settle soon after `signal` aborts. */
export type Executor = (command: Command, signal: AbortSignal) => Promise<CommandOutcome>;

/** As much of a clock as commands need. */
export interface CommandClock {
  now(): Instant;
  epoch(): number;
  alarm(at: Instant, callback: () => void): Disposable;
}

/** Most commands under way at once; one more is refused, so that a flood cannot pile up. */
export const COMMANDS_MAX = 1024;
/** Longest idempotency key. */
export const KEY_MAX = 128;
/** Keys that are remembered. */
export const KEYS_MAX = 4096;
/** How long they are, in milliseconds; also over a restart. */
export const KEY_SPAN_MS = 600_000;

interface Asked {
  readonly outcome: Promise<CommandOutcome>;
  readonly at: number;
  readonly what: string;
}

/** The owners of points, and the commands under way to them. */
export class Commands {
  readonly #owners = new Map<string, { match: (point: PointId) => boolean; execute: Executor }>();
  readonly #asked = new Map<string, Asked>();
  #underWay = 0;
  /** What the point table says of a point; set by the hub. */
  definition: (point: PointId) => PointDefinition | undefined = () => undefined;

  /** @param journal Where the audit is kept. */
  constructor(readonly clock: CommandClock, readonly journal?: Journal) {
    const since = clock.epoch() - KEY_SPAN_MS;
    for (const row of journal?.audited ?? []) {
      if (row.outcome === "") this.#finish({ ...row, outcome: "unknown", why: "busbar ended" });
      if (row.key === "" || row.at < since) continue;
      const what = `${row.point} ${row.value} ${row.mode}`;
      const outcome = Promise.resolve(outcomeOf(row));
      this.#asked.set(`${row.origin}\n${row.key}`, { outcome, at: row.at, what });
    }
  }

  /** Commands under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /**
   * Takes charge of the points that match. Disposing gives them up; commands under way go on.
   *
   * @param owner The id of the service; a second registration replaces the first.
   */
  own(owner: string, match: (point: PointId) => boolean, execute: Executor): Disposable {
    const entry = { match, execute };
    this.#owners.set(owner, entry);
    return {
      [Symbol.dispose]: () => {
        if (this.#owners.get(owner) === entry) this.#owners.delete(owner);
      },
    };
  }

  /** Sends a command to the owner of its point. It never rejects. */
  request(command: Command, deadline: Instant): Promise<CommandOutcome> {
    const { key, origin } = command;
    if (key === undefined) return this.#audited(command, deadline);
    if (key === "" || key.length > KEY_MAX) {
      return Promise.resolve(refused(`A key must have from 1 to ${KEY_MAX} characters`));
    }
    const at = this.clock.epoch();
    this.#forget(at);
    const id = `${origin}\n${key}`;
    const what = `${command.point} ${command.value} ${command.mode ?? "execute"}`;
    const known = this.#asked.get(id);
    if (known) {
      const same = known.what === what;
      return same ? known.outcome : Promise.resolve(refused("The key belongs to another command"));
    }
    if (this.#asked.size >= KEYS_MAX) return Promise.resolve(refused("Too many keys are in use"));
    const outcome = this.#audited(command, deadline);
    this.#asked.set(id, { outcome, at, what });
    return outcome;
  }

  #forget(now: number): void {
    for (const [id, { at }] of this.#asked) {
      // They were put in by time, so the first that is young ends the search.
      if (now - at < KEY_SPAN_MS && at <= now) return;
      this.#asked.delete(id);
    }
  }

  async #audited(command: Command, deadline: Instant): Promise<CommandOutcome> {
    const at = this.clock.epoch();
    const started = this.clock.now();
    const row = {
      at,
      key: command.key ?? "",
      origin: command.origin,
      point: command.point,
      value: String(command.value),
      mode: command.mode ?? "execute",
    };
    const id = this.journal?.audit({ ...row, outcome: "", why: "", took: 0 });
    const outcome = await this.#deliver(command, deadline);
    if (id !== undefined) {
      const why = outcome.kind === "refused" ? outcome.why : "";
      const took = this.clock.now() - started;
      this.#finish({ ...row, id, outcome: outcome.kind, why, took });
    }
    return outcome;
  }

  #finish({ id, ...row }: AuditRow): void {
    this.journal?.audit(row, id);
  }

  async #deliver(command: Command, deadline: Instant): Promise<CommandOutcome> {
    const owners = [...this.#owners].filter(([, { match }]) => match(command.point));
    const [owner, second] = owners;
    if (!owner) return { kind: "no_owner" };
    // Two owners mean that a command could be executed twice. That is worse than not at all.
    if (second) return refused(`Point has two owners, ${owner[0]} and ${second[0]}`);
    if (this.#underWay >= COMMANDS_MAX) return refused("Too many commands are under way");
    if (deadline <= this.clock.now()) return { kind: "timed_out" };
    const { promise, resolve } = Promise.withResolvers<CommandOutcome>();
    const late = new AbortController();
    using _alarm = this.clock.alarm(deadline, () => {
      late.abort();
      resolve({ kind: "timed_out" });
    });
    this.#underWay += 1;
    this.#execute(owner[1].execute, command, late.signal).then(resolve);
    return await promise;
  }

  async #execute(
    execute: Executor,
    command: Command,
    signal: AbortSignal,
  ): Promise<CommandOutcome> {
    try {
      // What is done must be known to have been asked for, whatever happens in between.
      if (!(await this.#claimed(signal))) return refused("The audit cannot be written");
      const definition = this.definition(command.point);
      const value = definition ? rawValue(definition, command.value) : command.value;
      return await execute({ ...command, value }, signal);
    } catch (error) {
      return refused(error instanceof Error ? error.message : String(error));
    } finally {
      this.#underWay -= 1;
    }
  }

  async #claimed(signal: AbortSignal): Promise<boolean> {
    if (!this.journal) return true;
    return await this.journal.flushed() && !signal.aborted;
  }
}

function outcomeOf({ outcome, why }: AuditRow): CommandOutcome {
  if (outcome === "refused") return refused(why);
  if (outcome === "done" || outcome === "timed_out" || outcome === "no_owner") {
    return { kind: outcome };
  }
  return { kind: "unknown" };
}

function refused(why: string): CommandOutcome {
  return { kind: "refused", why };
}
