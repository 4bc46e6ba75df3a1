/**
 * Watches over the two paths of the GOOSE bridge: writes their statistics, and asks the transit
 * gateway whether it still has their groups.
 * @module
 */
import { describe, OsError } from "../../base/errors.ts";
import { type Millis, seconds } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import { pause } from "../../platform/clock.ts";
import type { Config } from "./config.ts";
import { type GatewayView, Rates, statistics } from "./statistics.ts";
import { askGateway } from "./transit_gateway.ts";

/** How often rates are measured. */
const RATES_EVERY = seconds(10);

/** Runs until it is told to stop; then writes the statistics once more. */
export async function run(ctx: Context, config: Config): Promise<void> {
  await new Monitor(ctx, config).run();
}

interface Gateway {
  view: GatewayView;
  /** Why the last question has no answer, or the group is missing; empty when all is well. */
  why: string;
}

class Monitor {
  readonly #startedAt: number;
  readonly #gateways = { primary: gateway(), backup: gateway() };
  readonly #rates = { primary: new Rates(), backup: new Rates() };
  #now = { primary: {}, backup: {} };
  #running = true;
  #fileFault = "";

  constructor(readonly ctx: Context, readonly config: Config) {
    this.#startedAt = ctx.clock.epoch();
  }

  async run(): Promise<void> {
    const { ctx, config } = this;
    using _status = ctx.control.status(() => ({ goose: this.#document() }));
    this.#measure();
    this.#report();
    await Promise.all([
      this.#every(RATES_EVERY, () => Promise.resolve(this.#measure())),
      config.statsFile === undefined
        ? undefined
        : this.#every(config.statsInterval, () => this.#write()),
      this.#watchGateway("primary", config.primary, config.primaryDomain),
      this.#watchGateway("backup", config.backup, config.backupDomain),
    ]);
    this.#running = false;
    await this.#write();
  }

  async #every(span: Millis, act: () => Promise<void>): Promise<void> {
    const { clock, signal } = this.ctx;
    while (!signal.aborted) {
      await pause(clock, span, signal);
      if (!signal.aborted) await act();
    }
  }

  #document() {
    const { ctx: { clock, neighbors }, config } = this;
    const view = (which: "primary" | "backup") => ({
      neighbor: neighbors.look(config[which]),
      gateway: this.#gateways[which].view,
    });
    return statistics({
      now: clock.epoch(),
      startedAt: this.#startedAt,
      running: this.#running,
      primary: view("primary"),
      backup: view("backup"),
      rates: this.#now,
    });
  }

  #measure(): void {
    const { ctx: { clock, neighbors }, config } = this;
    const now = clock.now();
    this.#now = {
      primary: this.#rates.primary.next(neighbors.look(config.primary), now),
      backup: this.#rates.backup.next(neighbors.look(config.backup), now),
    };
  }

  async #write(): Promise<void> {
    const { ctx, config: { statsFile } } = this;
    if (statsFile === undefined) return;
    const before = this.#fileFault;
    try {
      await ctx.files.replace(statsFile, `${JSON.stringify(this.#document(), null, 2)}\n`);
      ctx.counters.add("stats_written");
      this.#fileFault = "";
      if (before !== "") ctx.log.info("goose.stats.file", "Statistics are written again");
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      ctx.counters.add("stats_failures");
      this.#fileFault = `${describe(error)}: make room, or let busbar write there`;
      if (before === "") {
        ctx.log.warn("goose.stats.file", "Statistics cannot be written; the last ones stay", {
          file: statsFile,
          error,
        });
      }
    }
    this.#report();
  }

  async #watchGateway(
    which: "primary" | "backup",
    id: string,
    domain: string | undefined,
  ): Promise<void> {
    if (domain === undefined) return;
    const { ctx, config } = this;
    while (!ctx.signal.aborted) {
      const found = ctx.neighbors.look(id);
      const { group } = (found?.config ?? {}) as { group?: string };
      if (group === undefined) this.#gateways[which].why = `${id} has no group to ask for`;
      else await this.#ask(which, id, domain, group);
      this.#report();
      await pause(ctx.clock, config.checkInterval, ctx.signal);
    }
  }

  async #ask(which: "primary" | "backup", id: string, domain: string, group: string) {
    const { ctx, config } = this;
    const question = {
      program: config.aws,
      domain,
      group,
      networkInterface: config.networkInterface,
    };
    const { programs, clock, signal, counters, log } = ctx;
    const answer = await askGateway(question, programs, clock, config.checkTimeout, signal);
    if (signal.aborted) return;
    const known = this.#gateways[which];
    counters.add("tgw_checks");
    if (answer.kind === "unknown") {
      counters.add("tgw_failures");
      if (known.why === "") {
        log.warn(
          "goose.tgw.unknown",
          "Transit gateway gives no answer; the last known one stands",
          {
            group,
            why: answer.why,
          },
        );
      }
      known.why = `Transit gateway gives no answer for ${group}: ${answer.why}`;
      return;
    }
    const present = answer.kind === "present";
    const { missing } = known.view;
    known.view = {
      present,
      answeredAt: clock.epoch(),
      missing: present ? missing : missing + 1,
    };
    if (present) {
      known.why = "";
      return;
    }
    counters.add("tgw_missing");
    const asked = ctx.neighbors.nudge(id);
    log.warn("goose.tgw.missing", "Transit gateway does not have the group; it is reported anew", {
      group,
      domain,
      asked,
    });
    known.why = `Transit gateway does not have ${group} in ${domain}`;
  }

  #report(): void {
    const { primary, backup } = this.#gateways;
    const why = [this.#fileFault, primary.why, backup.why].filter((text) => text !== "");
    if (why.length === 0) this.ctx.report("up");
    else this.ctx.report("degraded", why.join("; "));
  }
}

function gateway(): Gateway {
  return { view: { missing: 0, present: undefined, answeredAt: 0 }, why: "" };
}
