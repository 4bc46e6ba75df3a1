/** The data plane's worker: one loop around the {@link Plane}. */
import type { HotContext } from "../../kernel/module.ts";
import type { ToPlane } from "./letters.ts";
import { Plane, type PlaneConfig } from "./plane.ts";

/** Sessions that /status shows; all are relayed and counted. */
const SHOWN_MAX = 100;

/** Runs until it is told to stop. It blocks its thread. */
export function run(ctx: HotContext, config: PlaneConfig): void {
  const { platform, counters, log, bell } = ctx;
  const clock = () => platform.now();
  using plane = new Plane(config, {
    streams: platform.streams,
    counters,
    log,
    bell,
    tell(message) {
      ctx.tell({ ...message });
      if (message.kind !== "telemetry") return;
      ctx.detail({ sessions: message.sessions.slice(0, SHOWN_MAX) });
    },
  }, clock());
  ctx.report("up");
  const receive = () => ctx.receive() as ToPlane | undefined;
  while (!ctx.stopped()) plane.turn(clock, receive);
}
