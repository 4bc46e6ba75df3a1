/**
 * A simulated control centre: it connects, interrogates, takes everything, and checks what can be
 * checked: numbers that count up by one, with times that do not run back.
 * @module
 */
import { AppError, LinkDownError } from "../base/errors.ts";
import { millis } from "../base/time.ts";
import { pause, SystemClock } from "../platform/clock.ts";
import { LinkDriver } from "../platform/drive.ts";
import { SYSTEM_NET } from "../platform/net.ts";
import type { Endpoint } from "../platform/ports.ts";
import {
  type Asdu,
  asdu,
  CAUSE,
  epochOf,
  Iec104Link,
  type InformationObject,
  objectText,
  TYPE,
  typeName,
  UTC,
} from "../protocol/iec104/mod.ts";

const RETRY = millis(500);

/** What it has found. */
export interface SimScadaReport {
  connections: number;
  events: number;
  /** Points that have told anything. */
  points: number;
  interrogations: number;
  /** Of numbers that count up: those that were left out. */
  missing: number;
  /** Numbers that came again; of other points, events with a time before the last one's. */
  repeated: number;
  /** Events with a new number and a time before that of the number before. */
  disordered: number;
}

/** See the module. */
export class SimScada {
  readonly report: SimScadaReport = {
    connections: 0,
    events: 0,
    points: 0,
    interrogations: 0,
    missing: 0,
    repeated: 0,
    disordered: 0,
  };
  readonly #clock = new SystemClock();
  readonly #numbers = new Map<string, number>();
  readonly #times = new Map<string, number>();

  /** @param told What happens, line by line; absent: nothing is told of single events. */
  constructor(
    readonly to: Endpoint,
    readonly commonAddress: number,
    readonly told: (line: string) => void,
    readonly event: ((line: string) => void) | undefined,
  ) {}

  /** Runs until `signal` aborts, and connects again whenever it has to. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#connection(signal);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (!(error instanceof LinkDownError && error.code === "tcp.dial")) {
          this.told("The connection was lost");
        }
      }
      await pause(this.#clock, RETRY, signal);
    }
  }

  async #connection(signal: AbortSignal): Promise<void> {
    await using conn = await SYSTEM_NET.dial(this.to, signal);
    const link = new Iec104Link({ role: "controlling" }, this.#clock.now());
    const driver = new LinkDriver(link, conn, this.#clock, signal);
    this.report.connections += 1;
    this.told(`Connected to ${this.to.host}:${this.to.port}`);
    link.start(this.#clock.now());
    for await (const event of driver) {
      if (event.kind === "asdu") this.#take(event.asdu);
      else if (event.kind === "started") {
        link.send(
          asdu({
            type: TYPE.C_IC_NA_1,
            cause: CAUSE.activation,
            commonAddress: this.commonAddress,
            objects: [{ kind: "interrogation", address: 0, qualifier: 20 }],
          }),
          this.#clock.now(),
        );
        driver.wake();
      } else if (event.kind === "closed") {
        this.told(`Ended: ${event.why}, ${event.detail}`);
        return;
      }
    }
  }

  #take({ type, cause, commonAddress, negative, objects }: Asdu): void {
    if (type === TYPE.C_IC_NA_1) {
      if (negative) this.told("The interrogation was refused");
      else if (cause === CAUSE.activationTermination) this.report.interrogations += 1;
      return;
    }
    for (const object of objects) {
      const point = `${commonAddress} ${object.address}`;
      if (this.event) {
        this.event(`${typeName(type)} ${point} ${objectText(type, object)} COT ${cause}`);
      }
      if (cause === CAUSE.spontaneous) this.#check(point, object);
    }
  }

  #check(point: string, object: InformationObject): void {
    const { report } = this;
    report.events += 1;
    const number = object.kind === "counter"
      ? object.reading
      : object.kind === "bitstring"
      ? object.bits
      : undefined;
    const before = this.#numbers.get(point);
    if (number !== undefined) {
      if (before !== undefined && number <= before) report.repeated += 1;
      else if (before !== undefined) report.missing += number - before - 1;
      this.#numbers.set(point, Math.max(number, before ?? number));
    }
    const at = object.time && epochOf(object.time, UTC);
    const last = this.#times.get(point);
    if (at !== undefined) {
      const back = last !== undefined && at < last;
      // Without a number, an event that is repeated and one that is late look the same.
      if (back && number === undefined) report.repeated += 1;
      else if (back && (before === undefined || number! > before)) report.disordered += 1;
      this.#times.set(point, Math.max(at, last ?? at));
    }
    if (last === undefined) report.points += 1;
    if (at === undefined && last === undefined) this.#times.set(point, 0);
  }
}
