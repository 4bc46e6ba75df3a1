/**
 * What a pile has sold: the meter readings of a charge, and records of charges, which are kept
 * until the gateway says that it has them.
 * @module
 */
import type { MessageOf } from "./messages.ts";
import { costOf, type MeterReading, type Policy } from "./policy.ts";

/** Records that a pile keeps; beyond that the oldest is given up. */
export const TRADES_MAX = 256;
/** Readings of one charge. When there are more, every second one between the ends is left out. */
const READINGS_MAX = 512;

/** What is sent of a charge. */
export type TradeRecord = MessageOf<"tradeRecord">;

/**
 * One charge. It is sold by the policy that was in force when it began: nobody's price changes
 * while he charges.
 */
export class Charge {
  #readings: MeterReading[];
  #wattHours = 0;

  /** @param begin Epoch milliseconds; no other charge of this pile has the same. */
  constructor(readonly begin: number, readonly policy: Policy | undefined) {
    this.#readings = [{ epochMs: begin, wattHours: 0 }];
  }

  /** Since it began, with the part of a watt-hour. */
  get wattHours(): number {
    return this.#wattHours;
  }

  /** Energy has flowed. */
  add(wattHours: number): void {
    this.#wattHours += wattHours;
  }

  /** Reads the meter when the power changes: between two readings it is taken as steady. */
  read(epoch: number): void {
    const last = this.#readings.at(-1)!;
    // The clock may have been set back meanwhile.
    const epochMs = Math.max(last.epochMs, Math.round(epoch));
    this.#readings.push({ epochMs, wattHours: Math.floor(this.#wattHours) });
    if (this.#readings.length <= READINGS_MAX) return;
    const end = this.#readings.length - 1;
    this.#readings = this.#readings.filter((_, at) => at % 2 === 0 || at === end);
  }

  /** It has ended. */
  end(pile: string, epoch: number): TradeRecord {
    this.read(epoch);
    const { epochMs: end, wattHours: energy } = this.#readings.at(-1)!;
    const sold = this.policy && costOf(this.policy, this.#readings);
    return {
      kind: "tradeRecord",
      trade: `${pile}-${this.begin}`,
      begin: this.begin,
      end,
      energy,
      cost: sold && "cost" in sold ? Number(sold.cost) : 0,
      policyVersion: this.policy?.version ?? 0,
    };
  }
}

/** Records that the gateway may not have. */
export class TradeBook {
  readonly #kept = new Map<string, TradeRecord>();
  #dropped = 0;

  constructor(readonly most = TRADES_MAX) {}

  /** Records that were given up, because nobody took them for too long. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Those that are kept, oldest first. */
  get records(): readonly TradeRecord[] {
    return [...this.#kept.values()];
  }

  /** Keeps one. */
  add(record: TradeRecord): void {
    this.#kept.set(record.trade, record);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.most) return;
      this.#kept.delete(oldest);
      this.#dropped += 1;
    }
  }

  /** The gateway has it. @returns False for one that is not kept. */
  taken(trade: string): boolean {
    return this.#kept.delete(trade);
  }
}
