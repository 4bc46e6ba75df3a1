/**
 * A publisher without I/O: tells the next message and when it is due. IEC 61850-8-1:2011 §18.1
 * @module
 */
import { after, type Instant, type Millis, millis } from "../../base/time.ts";
import { encodeGoose, type GoosePdu } from "./codec.ts";
import { type Data, type Form, type UtcTime, utcTimeOf } from "./data.ts";
import { type Curve, intervalAfter, nextSqNum, nextStNum } from "./sequence.ts";

/** When messages go out: so many a second, or along the curve of the standard. */
export type Pace =
  | { readonly kind: "rate"; readonly perSecond: number }
  | { readonly kind: "curve"; readonly curve: Curve };

/** When the values change by themselves. */
export type ChangeEvery =
  | { readonly kind: "messages"; readonly count: number }
  | { readonly kind: "span"; readonly span: Millis };

/** What is published. */
export interface PublisherOptions {
  readonly appId: number;
  readonly pdu: Pick<
    GoosePdu,
    "gocbRef" | "datSet" | "goId" | "confRev" | "simulation" | "ndsCom"
  >;
  readonly values: readonly Data[];
  readonly form: Form;
  readonly pace: Pace;
  readonly changeEvery: ChangeEvery | undefined;
  /** Absent: twice the time to the next message, at least {@linkcode TTL_MIN}. */
  readonly timeAllowedToLive: Millis | undefined;
  /** What it begins with; absent: 1 and 1, as after a start. */
  readonly first?: { readonly stNum: number; readonly sqNum: number } | undefined;
}

/** Less would expire on any host that is not a real-time one. */
export const TTL_MIN = millis(20);
const TTL_FACTOR = 2;

/** One stream. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #start: Instant;
  #values: readonly Data[];
  #t: UtcTime;
  // What a publisher begins with when it starts; 0 is for a change.
  #stNum = 1;
  #sqNum = 1;
  #sent = 0;
  #sinceChange = 0;
  #deadline: Instant;
  #changeAt: Instant | undefined;
  #changes = 0;

  /** The first message is due at once. */
  constructor(options: PublisherOptions, now: Instant, epochMs: number) {
    this.#options = options;
    this.#start = now;
    this.#deadline = now;
    this.#values = options.values;
    this.#stNum = options.first?.stNum ?? 1;
    this.#sqNum = options.first?.sqNum ?? 1;
    this.#t = utcTimeOf(epochMs);
    const { changeEvery } = options;
    if (changeEvery?.kind === "span") this.#changeAt = after(now, changeEvery.span);
  }

  /** When the next message is due. */
  get deadline(): Instant {
    const change = this.#changeAt;
    return change !== undefined && change < this.#deadline ? change : this.#deadline;
  }

  get stNum(): number {
    return this.#stNum;
  }

  /** How often the values have changed. */
  get changes(): number {
    return this.#changes;
  }

  /**
   * The message that is due, and goes on to the next.
   *
   * @returns Octets from APPID on; undefined when it does not fit a frame.
   */
  next(now: Instant, epochMs: number): Uint8Array<ArrayBuffer> | undefined {
    const { appId, pdu, form, changeEvery } = this.#options;
    const byCount = changeEvery?.kind === "messages" && this.#sent > 0 &&
      this.#sent % changeEvery.count === 0;
    const bySpan = this.#changeAt !== undefined && now >= this.#changeAt;
    if (byCount || bySpan) this.#change(now, epochMs);
    this.#sinceChange += 1;
    this.#sent += 1;
    const wait = this.#schedule(now);
    const timeAllowedToLive = this.#options.timeAllowedToLive ??
      Math.max(TTL_MIN, Math.ceil(wait * TTL_FACTOR));
    const numbers = { stNum: this.#stNum, sqNum: this.#sqNum, timeAllowedToLive };
    this.#sqNum = nextSqNum(this.#sqNum);
    const whole = { ...pdu, ...numbers, t: this.#t, allData: this.#values };
    return encodeGoose({ appId, pdu: whole }, form);
  }

  /** Forgets how far behind it is: the next message is due now. For a sender that was held up. */
  skip(now: Instant): void {
    this.#deadline = now;
  }

  #change(now: Instant, epochMs: number): void {
    this.#values = this.#values.map(changed);
    this.#stNum = nextStNum(this.#stNum);
    this.#sqNum = 0;
    this.#sinceChange = 0;
    this.#changes += 1;
    this.#t = utcTimeOf(epochMs);
    const { changeEvery, pace } = this.#options;
    if (changeEvery?.kind === "span") {
      this.#changeAt = after(this.#start, millis((this.#changes + 1) * changeEvery.span));
      if (this.#changeAt <= now) this.#changeAt = after(now, changeEvery.span);
    }
    // On the curve a change goes out at once, and the intervals begin anew.
    if (pace.kind === "curve") this.#deadline = now;
  }

  #schedule(now: Instant): Millis {
    const { pace } = this.#options;
    const wait = pace.kind === "rate"
      ? millis(1000 / pace.perSecond)
      : intervalAfter(this.#sinceChange, pace.curve);
    // From when it was due, not from when it went out, so that the rate is kept on average. A
    // change between two messages of a rate does not move the next.
    if (this.#deadline <= now) this.#deadline = after(this.#deadline, wait);
    return wait;
  }
}

/** Another value of the same kind and size. */
export function changed(data: Data): Data {
  switch (data.kind) {
    case "bool":
      return { kind: "bool", value: !data.value };
    case "int":
    case "uint": {
      const next = typeof data.value === "bigint" ? data.value - 1n : (data.value + 1) % 2 ** 31;
      return { kind: data.kind, value: next };
    }
    case "float":
    case "double":
      return { kind: data.kind, value: Math.fround(data.value + 1) };
    case "bits":
      // The next position of a switch; a quality stays, for turning it over would be nonsense.
      return data.bits.length === 2
        ? { kind: "bits", bits: data.bits === "10" ? "01" : "10" }
        : data;
    case "structure":
    case "array":
      return { kind: data.kind, items: data.items.map(changed) };
    default:
      return data;
  }
}
