/**
 * Who is measured: busbar as it is built, and the same loop in C. Both stand in the same two
 * namespaces at the same time, each with TAPs and groups of its own, two paths each.
 * @module
 */
import { Busbar } from "../e2e/harness.ts";
import type { Namespace, Pair } from "../netns.ts";
import { spawnReady, tool } from "./tools.ts";

/** Which of the two hosts. */
export type Side = "a" | "b";

/** A bridge that runs at both ends. */
export interface Contender {
  /** `busbar`, `c`, or one of those of `others.ts`. */
  readonly name: string;
  /** TAP of the path that is driven; the other path idles. */
  readonly tap: string;
  readonly pids: Readonly<Record<Side, readonly number[]>>;
}

const NUMBERS: Readonly<Record<Side, number>> = { a: 1, b: 2 };

/**
 * Starts the C reference at both ends. Its processes go with the namespaces.
 * @param name As whom it is shown: in place of busbar it tells how far equal programs are apart.
 */
export async function startReference(
  pair: Pair,
  name: Contender["name"] = "c",
): Promise<Contender> {
  const [prefix, net] = name === "c" ? ["cref", 110] : ["goose", 100];
  const end = async (side: Side): Promise<number[]> => {
    const pids: number[] = [];
    for (const path of [0, 1]) {
      const command = [tool("goose_reference"), `${prefix}${path}`].concat(
        [`192.168.${net + path}.${NUMBERS[side]}/24`, `224.0.1.${net + path}`, "61850", "eth0"],
      );
      pids.push((await spawnReady(pair[side], command)).pid);
    }
    return pids;
  };
  return { name, tap: `${prefix}0`, pids: { a: await end("a"), b: await end("b") } };
}

/** Keys for every path of busbar, to measure what they cost: `deno task bench --path '{…}'`. */
export const extra: { path: Readonly<Record<string, unknown>> } = { path: {} };

/** The modules section of a host with both paths. */
export function bothPaths(side: Side, via: readonly string[] = ["eth0", "eth0"]) {
  const path = (index: number) => ({
    tap: `goose${index}`,
    address: `192.168.10${index}.${NUMBERS[side]}/24`,
    group: `224.0.1.10${index}`,
    port: 61850,
    via: via[index]!,
    ...extra.path,
  });
  return { "goose_bridge": { path0: path(0), path1: path(1) } };
}

/** Starts busbar at one end and waits until both paths are up. */
export async function startEnd(
  namespace: Namespace,
  side: Side,
  env: Record<string, string> = {},
): Promise<Busbar> {
  const busbar = await Busbar.start(namespace, bothPaths(side), { env });
  await busbar.untilUp("goose_bridge.path0", "goose_bridge.path1");
  return busbar;
}

/** busbar at both ends, as a contender. */
export function asContender(a: Busbar, b: Busbar): Contender {
  return { name: "busbar", tap: "goose0", pids: { a: [a.pid], b: [b.pid] } };
}
