/**
 * One end of a 104 connection, controlling or controlled: numbers, windows, timers, start and stop
 * of data transfer (IEC 60870-5-104, 5.1 to 5.3, 5.5). One link lives as long as its TCP
 * connection.
 *
 * Nothing waits inside: `send` takes an ASDU only when the window has room, and `confirmed` says
 * how many of the oldest the peer has. What was not confirmed when the link ends is the owner's to
 * send again on the next connection.
 * @module
 */
import { BugError, type Malformed } from "../../base/errors.ts";
import type { Link } from "../../base/link.ts";
import { after, type Instant, type Millis, seconds } from "../../base/time.ts";
import { ApduReader, hasStrayBits, receiveNumberAt, sendNumberAt } from "./apci.ts";
import { writeI, writeS, writeU } from "./apci.ts";
import { type Asdu, decodeAsdu, encodeAsdu } from "./asdu.ts";
import {
  APCI_SIZE,
  APDU_MAX,
  NUMBER_MODULO,
  type Profile,
  PROFILE_104,
  UNNUMBERED,
} from "./constants.ts";

/** Parameters of a connection. They are not negotiated; both ends have to be told the same. */
export interface LinkOptions {
  /** The controlling station starts and stops data transfer, the controlled one confirms. */
  readonly role: "controlling" | "controlled";
  readonly profile: Profile;
  /** Most I frames sent and not confirmed, 1 to 32,767. */
  readonly k: number;
  /** I frames received after which an S frame is sent at the latest, 1 to 32,767. */
  readonly w: number;
  /** Until the peer must have confirmed an I frame, or answered a U frame. */
  readonly t1: Millis;
  /** Until received I frames are confirmed at the latest; less than t1. */
  readonly t2: Millis;
  /** Without any frame, until the peer is tested. */
  readonly t3: Millis;
  /** From the first octet of an APDU to its last. A peer that takes longer is cut off. */
  readonly fragmentTimeout: Millis;
  /**
   * `on_receipt`: as soon as the standard wants it. `on_release`: only what `release` has given
   * free, so that nothing is confirmed before it is kept safe.
   */
  readonly acknowledge: "on_receipt" | "on_release";
  /** Controlled: whether STARTDT is confirmed at once, or when `confirmStart` is called. */
  readonly confirmStart: "at_once" | "on_request";
}

/** The defaults of the standard (104, 9.6). */
export const LINK_DEFAULTS = {
  profile: PROFILE_104,
  k: 12,
  w: 8,
  t1: seconds(15),
  t2: seconds(10),
  t3: seconds(20),
  fragmentTimeout: seconds(5),
  acknowledge: "on_receipt",
  confirmStart: "at_once",
} as const;

/** `stopping` is, of a controlled station, the unconfirmed stopped state. */
export type LinkState = "stopped" | "starting" | "started" | "stopping" | "closed";

/** Why a link ended. */
export type LinkEnd =
  | "t1_frame"
  | "t1_start"
  | "t1_stop"
  | "t1_test"
  | "fragment_timeout"
  | "send_number"
  | "receive_number"
  | "not_started"
  | "role"
  | "malformed";

/** What the owner has to know. */
export type LinkEvent =
  | { readonly kind: "asdu"; readonly asdu: Asdu }
  /** An I frame whose ASDU cannot be read; it counts as received. `octets` is the ASDU. */
  | { readonly kind: "malformed"; readonly malformed: Malformed; readonly octets: Uint8Array }
  /** The peer has the oldest `count` ASDUs that were not confirmed yet. */
  | { readonly kind: "confirmed"; readonly count: number }
  /** Controlled: the peer wants to start, and waits. Only with `confirmStart: "on_request"`. */
  | { readonly kind: "start_requested" }
  | { readonly kind: "started" }
  | { readonly kind: "stopped" }
  /** Close the connection: nothing will come any more. */
  | { readonly kind: "closed"; readonly why: LinkEnd; readonly detail: string };

/** What is counted of a link. */
export interface LinkCounts {
  sent: number;
  received: number;
  /** Frames with bits set that shall be zero. */
  stray: number;
  /** U frames that confirm what was not asked. */
  unexpected: number;
  tests: number;
}

const OUT_INITIAL = 4096;
const CON = {
  [UNNUMBERED.startCon]: "start",
  [UNNUMBERED.stopCon]: "stop",
  [UNNUMBERED.testCon]: "test",
} as const;

/** See the module. @throws BugError for parameters out of range. */
export class Iec104Link implements Link<LinkEvent> {
  readonly options: LinkOptions;
  readonly counts: LinkCounts = { sent: 0, received: 0, stray: 0, unexpected: 0, tests: 0 };
  /** Told of each APDU as it is taken or put, for traces. The octets are borrowed. */
  observer: ((way: "in" | "out", apdu: Uint8Array) => void) | undefined;
  readonly #reader = new ApduReader();
  readonly #events: LinkEvent[] = [];
  #eventsTaken = 0;
  #state: LinkState = "stopped";

  // Numbers are counted without end; modulo 2^15 only where they stand in a frame.
  /** V(S). */
  #sent = 0;
  #confirmed = 0;
  /** V(R). */
  #received = 0;
  #released = 0;
  #acknowledged = 0;

  /** When each unconfirmed I frame was sent, by its number modulo k. */
  readonly #sentAt: Float64Array;
  /** Until when each act must be answered: start, stop, test. */
  readonly #actDue = { start: Infinity, stop: Infinity, test: Infinity };
  #acknowledgeDue = Infinity;
  /** t2 has passed, but nothing was released. */
  #overdue = false;
  #testDue: number;
  #fragmentDue = Infinity;

  #out = new Uint8Array(OUT_INITIAL);
  #outSize = 0;

  constructor(options: Partial<LinkOptions> & Pick<LinkOptions, "role">, now: Instant) {
    this.options = { ...LINK_DEFAULTS, ...options };
    const { k, w, t3 } = this.options;
    for (const count of [k, w]) {
      if (!Number.isInteger(count) || count < 1 || count >= NUMBER_MODULO) {
        throw new BugError("iec104.link.window", "k and w must be from 1 to 32767", { k, w });
      }
    }
    this.#sentAt = new Float64Array(k);
    this.#testDue = after(now, t3);
  }

  /** Where start and stop of data transfer stand. */
  get state(): LinkState {
    return this.#state;
  }

  /** How many ASDUs `send` takes now. */
  get room(): number {
    return this.#state === "started" ? this.options.k - (this.#sent - this.#confirmed) : 0;
  }

  /** I frames that the peer has not confirmed. */
  get unconfirmed(): number {
    return this.#sent - this.#confirmed;
  }

  /** ASDUs received that `release` has not been called for. */
  get unreleased(): number {
    return this.#received - this.#released;
  }

  get deadline(): Instant | undefined {
    const { start, stop, test } = this.#actDue;
    const due = Math.min(
      this.#frameDue,
      start,
      stop,
      test,
      this.#acknowledgeDue,
      this.#testDue,
      this.#fragmentDue,
    );
    return due === Infinity ? undefined : due as Instant;
  }

  /** Controlling: asks for data transfer. Does nothing unless stopped. */
  start(now: Instant): void {
    this.#mustBe("controlling");
    if (this.#state !== "stopped") return;
    this.#state = "starting";
    this.#act("start", UNNUMBERED.startAct, now);
  }

  /** Controlling: confirms what it has, and asks to end data transfer. Does nothing unless started. */
  stop(now: Instant): void {
    this.#mustBe("controlling");
    if (this.#state !== "started") return;
    if (this.#released > this.#acknowledged) this.#sendS();
    this.#state = "stopping";
    this.#act("stop", UNNUMBERED.stopAct, now);
  }

  /** Controlled: confirms the start that was asked for with `start_requested`. */
  confirmStart(): void {
    this.#mustBe("controlled");
    if (this.#state !== "starting") return;
    this.#confirmStart();
  }

  /** Tests the connection now, in any state. */
  test(now: Instant): void {
    if (this.#state === "closed" || this.#actDue.test !== Infinity) return;
    this.counts.tests += 1;
    this.#act("test", UNNUMBERED.testAct, now);
  }

  /**
   * Sends an ASDU as an I frame. @returns False when there is no room; then nothing has happened.
   * @throws BugError for an ASDU that cannot be written.
   */
  send(asdu: Asdu, now: Instant): boolean {
    if (this.room <= 0) return false;
    const at = this.#reserve(APDU_MAX);
    const size = encodeAsdu(asdu, this.options.profile, this.#out, at + APCI_SIZE);
    writeI(this.#out, at, this.#sent % NUMBER_MODULO, this.#released % NUMBER_MODULO, size);
    this.#put(at, APCI_SIZE + size);
    this.#sentAt[this.#sent % this.options.k] = now;
    this.#sent += 1;
    this.counts.sent += 1;
    this.#hasAcknowledged(now);
    return true;
  }

  /**
   * Gives the oldest `count` received ASDUs free for confirmation; malformed ones are counted too.
   * With `acknowledge: "on_receipt"` there is nothing to release.
   * @throws BugError when that is more than there are.
   */
  release(count: number, now: Instant): void {
    if (count < 0 || count > this.unreleased) {
      throw new BugError("iec104.link.release", "More was released than received", { count });
    }
    if (this.#state === "closed" || count === 0) return;
    this.#released += count;
    this.#maybeAcknowledge(now);
  }

  receive(chunk: Uint8Array, now: Instant): void {
    if (this.#state === "closed") return;
    const reader = this.#reader;
    reader.feed(chunk);
    let whole = false;
    for (;;) {
      const got = reader.next();
      if (got === "more") break;
      if (got !== "apdu") return this.#end("malformed", got.code);
      whole = true;
      this.#frame(reader.octets, reader.start, reader.end, now);
      if (this.#closed) return;
    }
    if (!reader.partial) this.#fragmentDue = Infinity;
    else if (whole || this.#fragmentDue === Infinity) {
      this.#fragmentDue = after(now, this.options.fragmentTimeout);
    }
  }

  expire(now: Instant): void {
    const due = this.#actDue;
    if (this.#frameDue <= now) return this.#end("t1_frame", `${this.unconfirmed} unconfirmed`);
    if (due.start <= now) return this.#end("t1_start", "STARTDT was not confirmed");
    if (due.stop <= now) return this.#end("t1_stop", "STOPDT was not confirmed");
    if (due.test <= now) return this.#end("t1_test", "TESTFR was not confirmed");
    if (this.#fragmentDue <= now) return this.#end("fragment_timeout", "An APDU never ended");
    if (this.#acknowledgeDue <= now) {
      this.#acknowledgeDue = Infinity;
      if (this.#released > this.#acknowledged) this.#acknowledge(now);
      else this.#overdue = true;
    }
    if (this.#testDue <= now) {
      this.#testDue = after(now, this.options.t3);
      this.test(now);
    }
  }

  transmit(): Uint8Array | undefined {
    if (this.#outSize === 0) return undefined;
    const octets = this.#out.slice(0, this.#outSize);
    this.#outSize = 0;
    return octets;
  }

  event(): LinkEvent | undefined {
    const event = this.#events[this.#eventsTaken];
    if (event === undefined) return undefined;
    this.#eventsTaken += 1;
    if (this.#eventsTaken === this.#events.length) {
      this.#events.length = 0;
      this.#eventsTaken = 0;
    }
    return event;
  }

  get #closed(): boolean {
    return this.#state === "closed";
  }

  /** t1 of the oldest unconfirmed I frame. */
  get #frameDue(): number {
    if (this.#sent === this.#confirmed) return Infinity;
    return this.#sentAt[this.#confirmed % this.options.k]! + this.options.t1;
  }

  #mustBe(role: LinkOptions["role"]): void {
    if (this.options.role !== role) {
      throw new BugError("iec104.link.role", `Only a ${role} station does that`);
    }
  }

  #frame(octets: Uint8Array, start: number, end: number, now: Instant): void {
    this.#testDue = after(now, this.options.t3);
    this.observer?.("in", octets.subarray(start, end));
    if (hasStrayBits(octets, start)) this.counts.stray += 1;
    const first = octets[start + 2]!;
    if ((first & 1) === 0) this.#information(octets, start, end, now);
    else if (first === 1) this.#supervisory(octets, start);
    else this.#unnumbered(first, now);
  }

  #information(octets: Uint8Array, start: number, end: number, now: Instant): void {
    const { role, profile, acknowledge } = this.options;
    const may = this.#state === "started" || (this.#state === "stopping" && role === "controlling");
    if (!may) return this.#end("not_started", `I frame in state ${this.#state}`);
    const number = sendNumberAt(octets, start);
    const expected = this.#received % NUMBER_MODULO;
    if (number !== expected) {
      return this.#end("send_number", `N(S) is ${number} in place of ${expected}`);
    }
    if (!this.#confirm(receiveNumberAt(octets, start))) return;
    this.#received += 1;
    this.counts.received += 1;
    const asdu = decodeAsdu(octets, profile, start + APCI_SIZE, end);
    if ("kind" in asdu) {
      const body = octets.slice(start + APCI_SIZE, end);
      this.#events.push({ kind: "malformed", malformed: asdu, octets: body });
    } else this.#events.push({ kind: "asdu", asdu });
    if (this.#acknowledgeDue === Infinity && !this.#overdue) {
      this.#acknowledgeDue = after(now, this.options.t2);
    }
    if (acknowledge === "on_receipt") {
      this.#released = this.#received;
      this.#maybeAcknowledge(now);
    }
  }

  #supervisory(octets: Uint8Array, start: number): void {
    if (this.#state !== "started" && this.#state !== "stopping") {
      return this.#end("not_started", `S frame in state ${this.#state}`);
    }
    this.#confirm(receiveNumberAt(octets, start));
  }

  /** Takes N(R). @returns False when it cannot be, and the link has ended. */
  #confirm(number: number): boolean {
    const already = this.#confirmed % NUMBER_MODULO;
    const count = (number - already + NUMBER_MODULO) % NUMBER_MODULO;
    if (count > this.#sent - this.#confirmed) {
      const most = this.#sent % NUMBER_MODULO;
      this.#end("receive_number", `N(R) is ${number}, not from ${already} to ${most}`);
      return false;
    }
    if (count === 0) return true;
    this.#confirmed += count;
    this.#events.push({ kind: "confirmed", count });
    if (this.#state === "stopping" && this.options.role === "controlled") this.#maybeStopped();
    return true;
  }

  #unnumbered(func: number, now: Instant): void {
    switch (func) {
      case UNNUMBERED.testAct:
        return this.#sendU(UNNUMBERED.testCon);
      case UNNUMBERED.startAct:
        return this.#startAct();
      case UNNUMBERED.stopAct:
        return this.#stopAct(now);
      default:
        return this.#con(CON[func as keyof typeof CON]);
    }
  }

  #startAct(): void {
    if (this.options.role === "controlling") return this.#end("role", "STARTDT of the peer");
    if (this.#state === "started") return this.#sendU(UNNUMBERED.startCon);
    if (this.#state === "starting") return;
    if (this.#state === "stopping" || this.options.confirmStart === "at_once") {
      return this.#confirmStart();
    }
    this.#state = "starting";
    this.#events.push({ kind: "start_requested" });
  }

  #confirmStart(): void {
    this.#sendU(UNNUMBERED.startCon);
    this.#state = "started";
    this.#events.push({ kind: "started" });
  }

  #stopAct(now: Instant): void {
    if (this.options.role === "controlling") return this.#end("role", "STOPDT of the peer");
    // What it sends from now on is not allowed, so what it has sent is confirmed as received.
    if (this.#state === "started" && this.#released > this.#acknowledged) this.#acknowledge(now);
    if (this.#state === "started" || this.#state === "stopping") {
      this.#state = "stopping";
      this.#maybeStopped();
    } else {
      this.#state = "stopped";
      this.#sendU(UNNUMBERED.stopCon);
    }
  }

  #maybeStopped(): void {
    if (this.#sent !== this.#confirmed) return;
    this.#state = "stopped";
    this.#sendU(UNNUMBERED.stopCon);
    this.#events.push({ kind: "stopped" });
  }

  #con(what: "start" | "stop" | "test"): void {
    if (this.#actDue[what] === Infinity) {
      this.counts.unexpected += 1;
      return;
    }
    this.#actDue[what] = Infinity;
    if (what === "start") {
      this.#state = "started";
      this.#events.push({ kind: "started" });
    } else if (what === "stop") {
      this.#state = "stopped";
      this.#events.push({ kind: "stopped" });
    }
  }

  #act(what: "start" | "stop" | "test", func: number, now: Instant): void {
    this.#actDue[what] = after(now, this.options.t1);
    this.#sendU(func);
  }

  #maybeAcknowledge(now: Instant): void {
    const count = this.#released - this.#acknowledged;
    // While stopping, the peer waits for every one of them.
    const due = this.#overdue || this.#state === "stopping" || count >= this.options.w;
    if (count > 0 && due) this.#acknowledge(now);
  }

  #acknowledge(now: Instant): void {
    this.#sendS();
    this.#hasAcknowledged(now);
  }

  /** N(R) was sent with all that was released. */
  #hasAcknowledged(now: Instant): void {
    if (this.#acknowledged === this.#released) return;
    this.#acknowledged = this.#released;
    this.#overdue = false;
    this.#acknowledgeDue = this.#received > this.#acknowledged
      ? after(now, this.options.t2)
      : Infinity;
  }

  #sendS(): void {
    const at = this.#reserve(APCI_SIZE);
    writeS(this.#out, at, this.#released % NUMBER_MODULO);
    this.#put(at, APCI_SIZE);
  }

  #sendU(func: number): void {
    const at = this.#reserve(APCI_SIZE);
    writeU(this.#out, at, func);
    this.#put(at, APCI_SIZE);
  }

  /** Makes room behind what waits. Bounded: k I frames, and answers to what was received. */
  #reserve(size: number): number {
    const needed = this.#outSize + size;
    if (needed > this.#out.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#out.length));
      larger.set(this.#out.subarray(0, this.#outSize));
      this.#out = larger;
    }
    return this.#outSize;
  }

  /** An APDU has been written behind what waits. */
  #put(at: number, size: number): void {
    this.#outSize = at + size;
    this.observer?.("out", this.#out.subarray(at, at + size));
  }

  #end(why: LinkEnd, detail: string): void {
    this.#state = "closed";
    this.#actDue.start = this.#actDue.stop = this.#actDue.test = Infinity;
    this.#acknowledgeDue = this.#testDue = this.#fragmentDue = Infinity;
    this.#confirmed = this.#sent;
    this.#outSize = 0;
    this.#events.push({ kind: "closed", why, detail });
  }
}
