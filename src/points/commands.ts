/**
 * The way from north to south: a command goes to the one owner of its point and comes back as an
 * outcome, within its deadline.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { PointId, PointValue } from "./point.ts";

/** What a control centre, a cloud or an operator wants of a point. */
export interface Command {
  readonly point: PointId;
  readonly value: PointValue;
  /** Who asks: the north service and its peer. For the answer and for the audit. */
  readonly origin: string;
}

/** How a command ended, for the asker to tell in its own protocol's terms. */
export type CommandOutcome =
  | { readonly kind: "done" }
  /** The owner, or the device behind it, said no; `why` is for people. */
  | { readonly kind: "refused"; readonly why: string }
  /** Nobody answered in time. It may still be executed: the asker must not assume either. */
  | { readonly kind: "timed_out" }
  /** No service owns the point now. */
  | { readonly kind: "no_owner" };

/** Executes the commands of the points it owns. It must settle soon after `signal` aborts. */
export type Executor = (command: Command, signal: AbortSignal) => Promise<CommandOutcome>;

/** As much of a clock as a deadline needs. */
export interface DeadlineClock {
  now(): Instant;
  alarm(at: Instant, callback: () => void): Disposable;
}

/** Most commands under way at once; one more is refused, so that a flood cannot pile up. */
export const COMMANDS_MAX = 1024;

/** The owners of points, and the commands under way to them. */
export class Commands {
  readonly #owners = new Map<string, { match: (point: PointId) => boolean; execute: Executor }>();
  #underWay = 0;

  constructor(readonly clock: DeadlineClock) {}

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
  async request(command: Command, deadline: Instant): Promise<CommandOutcome> {
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
      return await execute(command, signal);
    } catch (error) {
      return refused(error instanceof Error ? error.message : String(error));
    } finally {
      this.#underWay -= 1;
    }
  }
}

function refused(why: string): CommandOutcome {
  return { kind: "refused", why };
}
