/**
 * Lines to stdout and to a file, in the background and in order. The queue is bounded: a reader
 * that is slow or a disk that is full costs lines, which are counted, and never holds anybody up.
 * @module
 */
import { concat } from "../base/octets.ts";
import type { Millis } from "../base/time.ts";

/** Most octets that wait to be written. */
export const QUEUE_OCTETS_MAX = 4 * 1024 * 1024;
const JOIN_OCTETS = 64 * 1024;

/** Where octets go in the end. */
export interface LineTarget {
  /** Writes all of it. Rejects when it cannot. */
  write(octets: Uint8Array): Promise<void>;
}

/** A queue of lines in front of a target. */
export class LineWriter {
  #queue: Uint8Array[] = [];
  #queued = 0;
  #busy: Promise<void> | undefined;
  readonly #encoder = new TextEncoder();
  /** Lines that were not written: no room in the queue, or the target refused them. */
  lost = 0;
  /** Why the target refused last; undefined when all went well since. */
  fault: string | undefined;

  constructor(readonly target: LineTarget) {}

  /** Queues one line, given without its line feed. */
  write(line: string): void {
    const octets = this.#encoder.encode(`${line}\n`);
    if (this.#queued + octets.length > QUEUE_OCTETS_MAX) {
      this.lost += 1;
      return;
    }
    this.#queue.push(octets);
    this.#queued += octets.length;
    this.#busy ??= this.#drain().finally(() => this.#busy = undefined);
  }

  /** Resolves when everything queued was written, or has been lost. */
  async flushed(): Promise<void> {
    while (this.#busy) await this.#busy;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const lines = this.#take();
      try {
        await this.target.write(lines.length === 1 ? lines[0]! : concat(lines));
        this.fault = undefined;
      } catch (error) {
        // The log cannot be logged; /status shows both.
        this.lost += lines.length;
        this.fault = error instanceof Error ? error.message : String(error);
      }
    }
  }

  /** The oldest lines, about as much as one write should be. */
  #take(): Uint8Array[] {
    let count = 0;
    let size = 0;
    while (count < this.#queue.length && size < JOIN_OCTETS) size += this.#queue[count++]!.length;
    this.#queued -= size;
    return this.#queue.splice(0, count);
  }
}

/** stdout of this process. */
export const STDOUT_TARGET: LineTarget = {
  async write(octets) {
    for (let at = 0; at < octets.length;) at += await Deno.stdout.write(octets.subarray(at));
  },
};

/** How a file is rotated. */
export interface RotationOptions {
  readonly path: string;
  /** Octets at which a new file is begun. */
  readonly size: number;
  /** Age at which a new file is begun. */
  readonly age: Millis;
  /** How many old ones are kept, compressed. */
  readonly keep: number;
  /** Epoch milliseconds. */
  epoch(): number;
}

/**
 * A file that begins anew when it is large or old. The old one is renamed to
 * `<path>.<time>` and compressed to `<path>.<time>.gz`; only the newest `keep` stay.
 */
export class RotatingFile implements LineTarget, AsyncDisposable {
  #file: Deno.FsFile | undefined;
  #size = 0;
  #born = 0;

  constructor(readonly options: RotationOptions) {}

  async write(octets: Uint8Array): Promise<void> {
    const { size, age, epoch } = this.options;
    this.#file ??= await this.#open();
    const full = this.#size > 0 && this.#size + octets.length > size;
    if (full || (this.#size > 0 && epoch() - this.#born >= age)) await this.#rotate();
    const file = this.#file ??= await this.#open();
    try {
      for (let at = 0; at < octets.length;) {
        const written = await file.write(octets.subarray(at));
        at += written;
        this.#size += written;
      }
    } catch (error) {
      // A file that was removed or a disk that came back is found by opening anew.
      this.#close();
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  async #open(): Promise<Deno.FsFile> {
    const { path, epoch } = this.options;
    const file = await Deno.open(path, { append: true, create: true, mode: 0o640 });
    const { size, birthtime } = await file.stat();
    this.#size = size;
    this.#born = size === 0 ? epoch() : birthtime?.getTime() ?? epoch();
    return file;
  }

  #close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #rotate(): Promise<void> {
    const { path, keep, epoch } = this.options;
    this.#close();
    const stamp = new Date(epoch()).toISOString().replace(/[-:]/g, "");
    const old = `${path}.${stamp}`;
    await Deno.rename(path, old);
    if (keep > 0) await compress(old);
    else await Deno.remove(old);
    await this.#prune();
  }

  /** Removes the oldest ones; their names sort by time. */
  async #prune(): Promise<void> {
    const { path, keep } = this.options;
    const slash = path.lastIndexOf("/");
    const folder = slash < 0 ? "." : path.slice(0, slash + 1);
    const prefix = `${path.slice(slash + 1)}.`;
    const old: string[] = [];
    for await (const { name } of Deno.readDir(folder)) {
      if (name.startsWith(prefix) && /^\d{8}T\d{6}\.\d{3}Z\.gz$/.test(name.slice(prefix.length))) {
        old.push(name);
      }
    }
    old.sort();
    for (const name of old.slice(0, Math.max(0, old.length - keep))) {
      await Deno.remove(slash < 0 ? name : `${folder}${name}`);
    }
  }
}

/** Compresses a file; a crash in between leaves the whole old one. */
async function compress(path: string): Promise<void> {
  const draft = `${path}.gz.part`;
  const source = await Deno.open(path);
  const target = await Deno.open(draft, { write: true, create: true, truncate: true, mode: 0o640 });
  await source.readable.pipeThrough(new CompressionStream("gzip")).pipeTo(target.writable);
  await Deno.rename(draft, `${path}.gz`);
  await Deno.remove(path);
}
