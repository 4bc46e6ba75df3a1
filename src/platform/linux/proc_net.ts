/**
 * What the kernel tells of the network in `/proc/net`. Read through `/proc/thread-self`, so that it
 * is about the namespace of the thread that asks.
 * @module
 */

const FOLDER = "/proc/thread-self/net";

/** Frames that an interface dropped on their way to its reader (a TAP's queue was full). */
export function dropsOfInterface(name: string): number {
  return parseDev(read("dev"), name);
}

/** The interface of the default route with the least metric; undefined when there is none. */
export function defaultRouteInterface(): string | undefined {
  return parseRoute(read("route"));
}

/** Datagrams dropped on the socket with this inode, its receive buffer being full. */
export function dropsOfSocket(inode: number): number {
  return parseUdp(read("udp"), inode);
}

/** The `drop` column of the transmit half of a line of `dev`; 0 when there is no such line. */
export function parseDev(text: string, name: string): number {
  for (const line of text.split("\n")) {
    const [label, rest] = line.split(":");
    if (label?.trim() !== name || rest === undefined) continue;
    return Number(rest.trim().split(/\s+/)[11] ?? 0);
  }
  return 0;
}

/** Destination and mask 0 say default; the seventh column is the metric. */
export function parseRoute(text: string): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  for (const line of text.split("\n").slice(1)) {
    const [name, destination, , flags, , , metric, mask] = line.split(/\s+/);
    if (destination !== "00000000" || mask !== "00000000") continue;
    const up = (parseInt(flags ?? "0", 16) & 1) === 1;
    if (up && Number(metric) < least) [best, least] = [name, Number(metric)];
  }
  return best;
}

/** The last column of the line whose tenth column is the inode. */
export function parseUdp(text: string, inode: number): number {
  for (const line of text.split("\n").slice(1)) {
    const columns = line.trim().split(/\s+/);
    if (Number(columns[9]) === inode) return Number(columns.at(-1));
  }
  return 0;
}

function read(file: string): string {
  try {
    return Deno.readTextFileSync(`${FOLDER}/${file}`);
  } catch (error) {
    // A container may hide it. What is read here is shown, never relied on.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return "";
    }
    throw error;
  }
}
