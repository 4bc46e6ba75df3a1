/**
 * Battery telemetry of bikes: its digests are chained for each bike, its signatures tried together.
 * The end of every chain is a point, so that it outlives a restart.
 * @module
 */
import { after, millis } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import { type PointId, QUALITY, type Sample } from "../../points/points.ts";
import {
  BATCH_MAX,
  type MessageOf,
  refuseDigests,
  TelemetryChain,
  type TelemetryKey,
} from "../../protocol/cip22/mod.ts";

/** Bikes whose chain is kept; of more the one that was heard last longest ago is forgotten. */
export const BIKES_MAX = 20_000;
/** Reports that wait for their signatures to be tried. */
export const PENDING_MAX = 1024;
/** How long they may wait. */
const GATHER = millis(200);
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** See the module. */
export class Telemetry implements Disposable {
  readonly #chains = new Map<string, TelemetryChain>();
  #pending: MessageOf<"battTelem">[] = [];
  #alarm: Disposable | undefined;

  /** @param keys Undefined: reports need no signature. */
  constructor(
    readonly ctx: Context,
    readonly station: string,
    readonly keys: ReadonlyMap<string, TelemetryKey> | undefined,
  ) {}

  /** Takes a report. */
  take(report: MessageOf<"battTelem">): void {
    if (!NAME.test(report.bikeId)) return this.#refuse(report, "its bike's name is no word");
    if (!this.keys) return this.#link(report);
    if (!this.keys.has(report.bikeId)) return this.#refuse(report, "its bike is in no register");
    if (!report.signature) return this.#refuse(report, "it is not signed");
    if (this.#pending.length >= PENDING_MAX) return this.#refuse(report, "too many wait");
    this.#pending.push(report);
    const { clock } = this.ctx;
    if (this.#pending.length >= BATCH_MAX) this.#try();
    else {
      this.#alarm ??= clock.alarm(after(clock.now(), GATHER), () => this.#try());
    }
  }

  [Symbol.dispose](): void {
    this.#alarm?.[Symbol.dispose]();
  }

  #try(): void {
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = undefined;
    const pending = this.#pending;
    this.#pending = [];
    const refused = new Set(refuseDigests(pending.map(({ bikeId, digest, signature }) => ({
      key: this.keys!.get(bikeId)!,
      digest,
      signature: signature!,
    }))));
    for (const [at, report] of pending.entries()) {
      if (refused.has(at)) this.#refuse(report, "its signature is wrong");
      else this.#link(report);
    }
  }

  #link(report: MessageOf<"battTelem">): void {
    const { ctx, station } = this;
    const { bikeId: bike, data, digest, time } = report;
    const chain = this.#chainOf(bike);
    const result = chain.link({ bike, time: BigInt(time), data }, digest);
    if (result.kind !== "linked") {
      return this.#refuse(report, `its ${result.kind} does not follow the last report`);
    }
    ctx.counters.add("telemetry");
    const sample = (name: string, value: string | number): Sample => ({
      point: `${station}.bike.${bike}.${name}` as PointId,
      value,
      quality: QUALITY.good,
      at: time,
    });
    ctx.points.publish([
      sample("chain", `${time} ${digest.toHex()}`),
      { ...sample("data", data.toBase64()), event: true },
    ]);
  }

  #chainOf(bike: string): TelemetryChain {
    const known = this.#chains.get(bike);
    if (known) {
      this.#chains.delete(bike);
      this.#chains.set(bike, known); // The one heard last stands last.
      return known;
    }
    const [oldest] = this.#chains.keys();
    if (this.#chains.size >= BIKES_MAX && oldest !== undefined) this.#chains.delete(oldest);
    const last = this.ctx.points.last(`${this.station}.bike.${bike}.chain` as PointId);
    const [time, digest] = String(last?.value ?? "").split(" ");
    const chain = digest === undefined
      ? new TelemetryChain()
      : new TelemetryChain(Uint8Array.fromHex(digest), BigInt(time!));
    this.#chains.set(bike, chain);
    return chain;
  }

  #refuse({ bikeId }: MessageOf<"battTelem">, why: string): void {
    this.ctx.counters.add("telemetry_refused");
    this.ctx.log.warn("pile.telemetry", "Telemetry was not taken", { bike: bikeId, why });
  }
}
