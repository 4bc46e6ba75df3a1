/**
 * A pool of data ports. Each is idle, reserved for a session until a deadline, occupied by one that
 * runs, or blocked by the operator. Pure: time is an argument.
 * @module
 */
import type { Instant } from "../../base/time.ts";

/** What a port is used for. */
export type PortState = "idle" | "reserved" | "occupied" | "blocked";

/** One port. */
interface Port {
  state: PortState;
  sessionId: string;
  deadline: Instant;
}

/** As the broadcast `port_state` has it. */
export interface PoolCounts {
  readonly total: number;
  readonly idle: number;
  readonly reserved: number;
  readonly occupied: number;
  readonly blocked: number;
  readonly idlePorts: readonly number[];
}

/** The ports from `first` to `last`, both included. */
export class PortPool {
  readonly #ports: Port[];

  constructor(readonly first: number, readonly last: number) {
    this.#ports = Array.from({ length: last - first + 1 }, () => ({
      state: "idle" as const,
      sessionId: "",
      deadline: 0 as Instant,
    }));
  }

  /** Takes the lowest port that is idle; undefined when there is none. */
  reserve(sessionId: string, deadline: Instant): number | undefined {
    const index = this.#ports.findIndex(({ state }) => state === "idle");
    if (index < 0) return undefined;
    this.#ports[index] = { state: "reserved", sessionId, deadline };
    return this.first + index;
  }

  /** State of a port, and its session; undefined outside of the pool. */
  at(port: number): { readonly state: PortState; readonly sessionId: string } | undefined {
    return this.#ports[port - this.first];
  }

  /** A reservation lives longer. Returns false when it is none of that session. */
  refresh(port: number, sessionId: string, deadline: Instant): boolean {
    const found = this.#of(port, sessionId, "reserved");
    if (found) found.deadline = deadline;
    return found !== undefined;
  }

  /** Both ends are there. Returns false when the port was not reserved for that session. */
  occupy(port: number, sessionId: string): boolean {
    const found = this.#of(port, sessionId, "reserved");
    if (found) found.state = "occupied";
    return found !== undefined;
  }

  /** The session is over, or will not come. Returns false when the port is another's. */
  release(port: number, sessionId: string): boolean {
    const found = this.#of(port, sessionId, "reserved") ?? this.#of(port, sessionId, "occupied");
    if (found) this.#free(found);
    return found !== undefined;
  }

  /** Takes an idle port out of use, or gives it back. Returns false in any other state. */
  block(port: number, blocked: boolean): boolean {
    const found = this.#ports[port - this.first];
    if (found?.state !== (blocked ? "idle" : "blocked")) return false;
    found.state = blocked ? "blocked" : "idle";
    return true;
  }

  /** Frees what was reserved for too long. Returns the sessions that lost their port. */
  expire(now: Instant): string[] {
    const late = this.#ports.filter(({ state, deadline }) =>
      state === "reserved" && deadline <= now
    );
    const sessions = late.map(({ sessionId }) => sessionId);
    for (const port of late) this.#free(port);
    return sessions;
  }

  /** When {@linkcode expire} has something to do; undefined while nothing is reserved. */
  get deadline(): Instant | undefined {
    let first: Instant | undefined;
    for (const { state, deadline } of this.#ports) {
      if (state === "reserved" && (first === undefined || deadline < first)) first = deadline;
    }
    return first;
  }

  counts(): PoolCounts {
    const of = (wanted: PortState) => this.#ports.filter(({ state }) => state === wanted).length;
    return {
      total: this.#ports.length,
      idle: of("idle"),
      reserved: of("reserved"),
      occupied: of("occupied"),
      blocked: of("blocked"),
      idlePorts: this.#ports.flatMap(({ state }, index) =>
        state === "idle" ? [this.first + index] : []
      ),
    };
  }

  #of(port: number, sessionId: string, state: PortState): Port | undefined {
    const found = this.#ports[port - this.first];
    return found?.state === state && found.sessionId === sessionId ? found : undefined;
  }

  #free(port: Port): void {
    port.state = "idle";
    port.sessionId = "";
  }
}
