/** A node on this machine: the real clock, network, files and threads around it. */
import type { SystemClock } from "../platform/clock.ts";
import { SYSTEM_FILES } from "../platform/files.ts";
import { SYSTEM_NET } from "../platform/net.ts";
import { SYSTEM_PROGRAMS } from "../platform/programs.ts";
import { SYSTEM_USAGE } from "../platform/usage.ts";
import { SINGLE_NODE } from "../points/authority.ts";
import { systemCryptography } from "./crypto_candidates.ts";
import { Node, type NodeOptions } from "./node.ts";
import { openPointPlane } from "./point_plane.ts";
import { SYSTEM_THREADS } from "./threads.ts";

/** A node that runs. Its points are closed with it; the node itself has been stopped by then. */
export interface SystemNode extends AsyncDisposable {
  readonly node: Node;
}

/**
 * Opens the points, then the control port, and starts every service.
 * @throws OsError, AppError when the points or the control port cannot be opened.
 */
export async function startSystemNode(
  { clock, ...options }:
    & Pick<NodeOptions, "config" | "log" | "outputs" | "read">
    & { readonly clock: SystemClock },
): Promise<SystemNode> {
  const plane = await openPointPlane({
    settings: options.config.points,
    clock,
    log: options.log.of("points"),
    startThread: (name) => SYSTEM_THREADS.start(name),
  });
  try {
    const node = await Node.start({
      ...options,
      plane,
      memory: () => Deno.memoryUsage().rss,
      around: {
        clock,
        random: Math.random,
        net: SYSTEM_NET,
        files: SYSTEM_FILES,
        programs: SYSTEM_PROGRAMS,
        usage: SYSTEM_USAGE,
        crypto: systemCryptography(),
        points: plane.points,
        authority: SINGLE_NODE,
        threads: SYSTEM_THREADS,
      },
    });
    return { node, [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose]() };
  } catch (error) {
    await plane[Symbol.asyncDispose]();
    throw error;
  }
}
