/** The SRT data plane's worker: one loop around the {@link SrtPlane}. */
import type { HotContext } from "../../kernel/module.ts";
import type { ToPlane } from "./letters.ts";
import { SrtPlane, type SrtPlaneConfig } from "./srt_plane.ts";

/** Sessions that /status shows; all are relayed and counted. */
const SHOWN_MAX = 100;

/** Runs until it is told to stop. It blocks its thread. */
export function run(ctx: HotContext, config: SrtPlaneConfig): void {
  const { platform, counters, log, bell } = ctx;
  const clock = () => platform.now();
  using plane = new SrtPlane(config, {
    platform,
    counters,
    log,
    bell,
    tell(message) {
      ctx.tell({ ...message });
      if (message.kind !== "telemetry") return;
      ctx.detail({ "srt_sessions": message.sessions.slice(0, SHOWN_MAX) });
    },
  }, clock());
  ctx.report("up");
  const receive = () => ctx.receive() as ToPlane | undefined;
  while (!ctx.stopped()) plane.turn(clock, receive);
}
