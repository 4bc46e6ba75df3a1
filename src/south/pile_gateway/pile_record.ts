/** What the gateway knows of one pile, whether it is there or not. */
import {
  type Message,
  type MessageOf,
  NEW_PILE,
  type Pile,
  type PileEvent,
  type PileStep,
  pileStep,
} from "../../protocol/cip22/mod.ts";
import { stateOf } from "./mapping.ts";
import type { Enrolled } from "./register.ts";

/** Commands to one pile at once. */
export const TICKETS_MAX = 16;

/** What a pile's session can do for others. */
export interface PileSession {
  /** `address:port` of the pile. */
  readonly remote: string;
  /** Whether commands may be given. */
  readonly isSealed: boolean;
  /** Tells the pile something; false when it cannot be told now. */
  tell(message: Message): boolean;
  /** Ends it. */
  close(why: string): void;
}

/** Told the answer to a command, or that there will be none. */
type Answered = (answer: MessageOf<"answer"> | "lost") => void;

/** See the module. */
export class PileRecord {
  /** State as the pile told it, and as it goes on by the table while it is away. */
  mirror: Pile = NEW_PILE;
  session: PileSession | undefined;
  /** The greatest number that was accepted. */
  sequence = 0n;
  hardware = "";
  version = "";
  policyVersion = 0;
  /** The version that it was given last, whether it took it or not. */
  policyGiven: number | undefined;
  power = 0;
  energy = 0;
  fault = 0;
  /** Epoch milliseconds of the last message; 0: never. */
  heardAt = 0;
  /** Its image is being sent. */
  upgrading = false;
  /** Ends the time that it is taken to go on charging without us. */
  grace: Disposable | undefined;
  readonly #tickets = new Map<number, Answered>();
  #lastTicket = 0;

  constructor(public enrolled: Enrolled) {}

  /** Its name. */
  get name(): string {
    return this.enrolled.pile;
  }

  /** Lets something happen to it, by the table. */
  step(event: PileEvent): PileStep {
    const step = pileStep(this.mirror, event);
    this.mirror = step.pile;
    return step;
  }

  /** Why the table refuses an event now; undefined when it does not. */
  refuses(event: PileEvent): string | undefined {
    return pileStep(this.mirror, event).refused;
  }

  /** Takes what the pile says of itself; that is what counts. */
  status({ state, closed, power, energy, hazard, reason, policyVersion, version }: MessageOf<
    "status"
  >): void {
    const known = stateOf(state);
    if (known && known !== "offline") {
      const behind = known === "charging" || known === "fault" ? known : "standby";
      this.mirror = { ...this.mirror, state: known, behind, closed, hazard: hazard ?? false };
    }
    this.power = power;
    this.energy = energy;
    this.fault = reason ?? 0;
    // One that has started anew may have none any more.
    this.policyVersion = policyVersion ?? 0;
    if (version !== undefined) this.version = version;
  }

  /** A number for a command, with whom its answer is for; undefined when there are too many. */
  ticket(answered: Answered): number | undefined {
    if (this.#tickets.size >= TICKETS_MAX) return undefined;
    this.#lastTicket = this.#lastTicket % 0xffff_ffff + 1;
    this.#tickets.set(this.#lastTicket, answered);
    return this.#lastTicket;
  }

  /** An answer came. @returns Whether somebody waited for it. */
  answered(answer: MessageOf<"answer">): boolean {
    const waiting = this.#tickets.get(answer.ticket);
    waiting?.(answer);
    return waiting !== undefined;
  }

  /** Its connection has ended: what was not answered never will be. */
  lost(): void {
    for (const answered of this.#tickets.values()) answered("lost");
  }

  /** Nobody waits any more. */
  forget(ticket: number): void {
    this.#tickets.delete(ticket);
  }
}
