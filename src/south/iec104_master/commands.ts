/** Commands to an RTU, followed to their end. Nothing is ever sent twice by itself. */
import type { Command, CommandOutcome } from "../../points/commands.ts";
import type { PointDefinition } from "../../points/definition.ts";
import type { Asdu } from "../../protocol/iec104/mod.ts";
import type { Context } from "../../kernel/module.ts";
import { type Config, zoneOf } from "./config.ts";
import type { ExchangeEnd } from "./exchanges.ts";
import { commandAsdu } from "./mapping.ts";
import type { Session } from "./session.ts";

/** Executes one command over the session that runs now. */
export async function execute(
  ctx: Context,
  config: Config,
  session: Session | undefined,
  definition: PointDefinition,
  command: Command,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  if (!ctx.authority.holds(ctx.id)) return refused("This node is not the one that may act");
  if (!session?.started) return refused("RTU is not connected");
  ctx.counters.add("commands");
  const mode = command.mode ?? "execute";
  const asduOf = (step: typeof mode): Asdu | string =>
    commandAsdu(definition, command, step, {
      originator: config.originator,
      at: config.commandTimeTag ? ctx.clock.epoch() : undefined,
      zone: zoneOf(config),
    });
  // The steps of one command: a selection that was not asked for by itself comes first.
  const steps = mode === "execute" && definition.selectFirst
    ? ["select", "execute"] as const
    : [mode];
  let outcome: CommandOutcome = { kind: "done" };
  for (const step of steps) {
    if (signal.aborted) return { kind: "timed_out" };
    const asdu = asduOf(step);
    if (typeof asdu === "string") return refused(asdu);
    // A selection ends with its confirmation.
    const ends = step === "execute" && config.commandEnd === "termination";
    outcome = outcomeOf(await session.request(asdu, ends ? config.confirmWithin : undefined));
    if (outcome.kind !== "done") break;
  }
  if (outcome.kind !== "done") ctx.counters.add("commands_failed");
  return outcome;
}

function outcomeOf(end: ExchangeEnd): CommandOutcome {
  if (end.kind === "done") return { kind: "done" };
  if (end.kind === "refused") return refused(`RTU: ${end.why}`);
  if (end.kind === "busy") return refused("Another command to it is under way");
  if (end.kind === "broken" && !end.sent) return refused("RTU is not connected");
  // Whether it was executed cannot be known: the asker must not assume either.
  return { kind: "timed_out" };
}

function refused(why: string): CommandOutcome {
  return { kind: "refused", why };
}
