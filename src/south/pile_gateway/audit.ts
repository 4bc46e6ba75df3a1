/**
 * What is done beside commands goes into the audit too: policies that an operator gives, images
 * that piles take, piles that are believed, and those that are not.
 * @module
 */
import { after, type Instant, seconds } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";

/** Rows in a minute of what anybody who connects can cause; the rest is counted and logged. */
export const REFUSALS_PER_MINUTE = 60;

/** See the module. */
export class Audit {
  #left = REFUSALS_PER_MINUTE;
  #renewAt = 0 as Instant;

  constructor(readonly ctx: Context) {}

  /** A pile was believed, or not. */
  auth(client: string, pile: string, sequence: bigint, refused?: string): void {
    if (refused !== undefined && !this.#hasRoom()) return;
    this.#put(client, `${this.ctx.id}.auth`, `${pile} ${sequence}`, refused);
  }

  /** An operator has given a policy. */
  policy(client: string, version: number | undefined, refused?: string): void {
    this.#put(client, `${this.ctx.id}.policy`, `${version ?? ""}`, refused);
  }

  /** The end of an upgrade. */
  image(pile: string, octets: number, refused?: string): void {
    this.#put(this.ctx.id, `${this.ctx.id}.image`, `${pile} ${octets}`, refused);
  }

  #put(origin: string, point: string, value: string, why: string | undefined): void {
    this.ctx.points.journal?.audit({
      at: this.ctx.clock.epoch(),
      key: "",
      origin: origin.replace(/:\d+$/, ""),
      point,
      value,
      mode: "execute",
      outcome: why === undefined ? "done" : "refused",
      why: why ?? "",
      took: 0,
    });
  }

  #hasRoom(): boolean {
    const now = this.ctx.clock.now();
    if (now >= this.#renewAt) {
      this.#left = REFUSALS_PER_MINUTE;
      this.#renewAt = after(now, seconds(60));
    }
    this.#left -= 1;
    return this.#left >= 0;
  }
}
