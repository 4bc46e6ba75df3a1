/**
 * What a process costs, as the kernel counts it.
 * @module
 */

/** Run time of one thread, in nanoseconds since it began. */
export interface ThreadTime {
  readonly name: string;
  readonly ns: number;
}

/** Run time of each thread of a process, by thread id. Empty when it is gone. */
export function threadTimes(pid: number): Map<number, ThreadTime> {
  const times = new Map<number, ThreadTime>();
  for (const { name: tid } of entries(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${tid}`;
    // The first number of schedstat is time on a processor, to the nanosecond.
    const [ns] = read(`${folder}/schedstat`).split(" ");
    if (ns) times.set(Number(tid), { name: read(`${folder}/comm`).trim(), ns: Number(ns) });
  }
  return times;
}

/** Run time of whole processes, in nanoseconds. */
export function processTime(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    for (const { ns } of threadTimes(pid).values()) sum += ns;
  }
  return sum;
}

/** What each thread ran since `before`, the busiest first. */
export function busiest(pid: number, before: ReadonlyMap<number, ThreadTime>): ThreadTime[] {
  return [...threadTimes(pid)]
    .map(([tid, { name, ns }]) => ({ name, ns: ns - (before.get(tid)?.ns ?? 0) }))
    .sort((one, other) => other.ns - one.ns);
}

/** Memory of a process in MiB. */
export interface Memory {
  /** Resident, pages shared with other processes included. */
  readonly rss: number;
  /** Resident and in no file: what it costs however many run. */
  readonly anonymous: number;
  /** Largest resident size so far. */
  readonly peak: number;
}

/** Memory of a process now. */
export function memoryOf(pid: number): Memory {
  const status = read(`/proc/${pid}/status`);
  const field = (name: string) =>
    Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, "m"))?.[1] ?? NaN) / 1024;
  return { rss: field("VmRSS"), anonymous: field("RssAnon"), peak: field("VmHWM") };
}

function entries(path: string): Iterable<Deno.DirEntry> {
  try {
    return [...Deno.readDirSync(path)];
  } catch {
    return []; // The process has ended.
  }
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // The thread has ended.
  }
}
