/** How stNum and sqNum go on, and when a message is sent again. IEC 61850-8-1:2011 §18.1 */
import { type Millis, millis } from "../../base/time.ts";
import { SEQUENCE_MAX } from "./constants.ts";

/** The first message after a change comes `first` later, each next after twice as long. */
export interface Curve {
  readonly first: Millis;
  /** The interval of the stable state. */
  readonly last: Millis;
}

/**
 * The interval from a message to the next.
 *
 * @param sent How many messages went out since the change, at least 1.
 */
export function intervalAfter(sent: number, { first, last }: Curve): Millis {
  return millis(Math.min(last, first * 2 ** Math.min(sent - 1, 60)));
}

/** stNum of the next change: 0 is left out on overflow. */
export function nextStNum(stNum: number): number {
  return stNum >= SEQUENCE_MAX ? 1 : stNum + 1;
}

/** sqNum of the next message: 0 is for a change, so it overflows to 1. */
export function nextSqNum(sqNum: number): number {
  return sqNum >= SEQUENCE_MAX ? 1 : sqNum + 1;
}

/** Both numbers of a message. */
export interface Place {
  readonly stNum: number;
  readonly sqNum: number;
}

/** What a message is, seen from the one before. */
export interface Step {
  readonly kind: "change" | "repeat" | "duplicate" | "reordered" | "restart";
  /** Messages that are missing in between. */
  readonly lost: number;
  /** Changes that are missing in between, each of them at least one message. */
  readonly lostChanges: number;
}

/** A message that is older than the last by more than this begins a new count. */
const REORDER_MAX = 64;

/** Compares a message with the last one of its stream. */
export function stepOf(last: Place, next: Place): Step {
  const step = (kind: Step["kind"], lost = 0, lostChanges = 0): Step => ({
    kind,
    lost,
    lostChanges,
  });
  if (next.stNum === last.stNum) {
    if (next.sqNum === last.sqNum) return step("duplicate");
    if (next.sqNum > last.sqNum) return step("repeat", next.sqNum - last.sqNum - 1);
    if (next.sqNum === nextSqNum(last.sqNum)) return step("repeat");
    return step(last.sqNum - next.sqNum <= REORDER_MAX ? "reordered" : "restart");
  }
  // Publishers begin with stNum 1 when they start; sqNum is then 0 or 1.
  const wrapped = nextStNum(last.stNum) === next.stNum;
  if (next.stNum < last.stNum && !wrapped) {
    const fresh = next.stNum === 1 && next.sqNum <= 1;
    return step(!fresh && last.stNum - next.stNum <= REORDER_MAX ? "reordered" : "restart");
  }
  const changes = wrapped ? 0 : next.stNum - last.stNum - 1;
  return step("change", next.sqNum, changes);
}
