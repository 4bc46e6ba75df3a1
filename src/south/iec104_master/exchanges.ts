/**
 * Requests that a controlled station confirms and ends: interrogations, commands, clock, test,
 * reset, parameters. Which answer belongs to which request, and how long each may take.
 * @module
 */
import { after, type Instant, type Millis } from "../../base/time.ts";
import {
  type Asdu,
  CAUSE,
  causeText,
  COUNTER_FREEZE,
  type InformationObject,
} from "../../protocol/iec104/mod.ts";

/** How a request ended. */
export type ExchangeEnd =
  | { readonly kind: "done" }
  /** The station said no; `cause` tells why when it is one of 44 to 47. */
  | { readonly kind: "refused"; readonly why: string }
  /** Nothing came in time: no confirmation, or no termination after it. */
  | { readonly kind: "silent"; readonly confirmed: boolean }
  /** The connection ended first. `sent`: the request may have come to the station. */
  | { readonly kind: "broken"; readonly sent: boolean }
  /** Not sent: another one to the same object is under way, or too many are. */
  | { readonly kind: "busy" };

/** What a request waits for. */
export interface ExchangeOptions {
  readonly confirmWithin: Millis;
  /** From the confirmation on; undefined: the confirmation is the end of it. */
  readonly endWithin?: Millis | undefined;
}

interface Exchange {
  readonly key: string;
  readonly request: Asdu;
  readonly options: ExchangeOptions;
  readonly settle: (end: ExchangeEnd) => void;
  confirmed: boolean;
  due: number;
}

/** Most requests under way at once. */
export const EXCHANGES_MAX = 64;

const CON: ReadonlySet<number> = new Set([CAUSE.activationCon, CAUSE.deactivationCon]);
const UNKNOWN: ReadonlySet<number> = new Set([
  CAUSE.unknownType,
  CAUSE.unknownCause,
  CAUSE.unknownCommonAddress,
  CAUSE.unknownObjectAddress,
]);

/** The requests of one connection. */
export class Exchanges {
  readonly #underWay = new Map<string, Exchange>();

  /** When the next of them is overdue. */
  get deadline(): number {
    let least = Infinity;
    for (const { due } of this.#underWay.values()) least = Math.min(least, due);
    return least;
  }

  /**
   * Notes a request that is sent now. @returns Undefined when one to the same object is under way,
   * for its answers could not be told apart, or when there are too many.
   */
  begin(request: Asdu, options: ExchangeOptions, now: Instant): Promise<ExchangeEnd> | undefined {
    const key = keyOf(request);
    if (this.#underWay.has(key) || this.#underWay.size >= EXCHANGES_MAX) return undefined;
    return new Promise((settle) => {
      const due = after(now, options.confirmWithin);
      this.#underWay.set(key, { key, request, options, settle, confirmed: false, due });
    });
  }

  /** Takes an ASDU. @returns Whether it was an answer to a request. */
  take(answer: Asdu, now: Instant): boolean {
    const exchange = this.#find(answer);
    if (!exchange) return false;
    const { cause, negative } = answer;
    if (UNKNOWN.has(cause)) return this.#end(exchange, { kind: "refused", why: causeText(cause) });
    if (CON.has(cause)) {
      if (negative) return this.#end(exchange, { kind: "refused", why: "negative confirmation" });
      const { endWithin } = exchange.options;
      if (endWithin === undefined) return this.#end(exchange, { kind: "done" });
      exchange.confirmed = true;
      exchange.due = after(now, endWithin);
      return true;
    }
    if (cause === CAUSE.activationTermination) {
      // Some stations end what they never confirmed.
      return this.#end(exchange, { kind: "done" });
    }
    return false;
  }

  /** Ends those that are overdue. */
  expire(now: Instant): void {
    for (const exchange of [...this.#underWay.values()]) {
      if (exchange.due > now) continue;
      this.#end(exchange, { kind: "silent", confirmed: exchange.confirmed });
    }
  }

  /** The connection has ended. @param unsent Requests that never left. */
  close(unsent: readonly Asdu[]): void {
    for (const exchange of [...this.#underWay.values()]) {
      this.#end(exchange, { kind: "broken", sent: !unsent.includes(exchange.request) });
    }
  }

  #find(answer: Asdu): Exchange | undefined {
    const exchange = this.#underWay.get(keyOf(answer));
    if (exchange) return exchange;
    // A request to every station is answered by each under its own address.
    for (const one of this.#underWay.values()) {
      const { type, commonAddress } = one.request;
      const broadcast = commonAddress === 0xffff || commonAddress === 0xff;
      if (broadcast && type === answer.type) return one;
    }
    return undefined;
  }

  #end(exchange: Exchange, end: ExchangeEnd): true {
    this.#underWay.delete(exchange.key);
    exchange.settle(end);
    return true;
  }
}

/**
 * A request and its answers have type, common address and object address in common. What freezes
 * counters is told from what reads them: its termination may come when they are being read.
 */
function keyOf({ type, commonAddress, objects }: Asdu): string {
  const [object] = objects as readonly (InformationObject | undefined)[];
  const freezes = object?.kind === "counter_interrogation" && object.freeze !== COUNTER_FREEZE.read;
  return `${type} ${commonAddress} ${object?.address ?? 0}${freezes ? " freeze" : ""}`;
}
