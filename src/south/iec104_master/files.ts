/**
 * Files of an RTU over one connection: its directory, and one file at a time, such as a disturbance
 * record. What does not go on within a time has failed.
 * @module
 */
import { after, type Millis } from "../../base/time.ts";
import type { Clock } from "../../platform/clock.ts";
import {
  type Asdu,
  directoryRequest,
  epochOf,
  FILE_STATUS,
  type FileName,
  FileReading,
  type TimeZone,
} from "../../protocol/iec104/mod.ts";

/** Files of a directory at most. */
export const DIRECTORY_MAX = 10_000;

/** A line of an RTU's directory. */
export interface FileLine {
  readonly coa: number;
  readonly ioa: number;
  /** NOF, what the file is. */
  readonly file: number;
  /** Octets. */
  readonly length: number;
  readonly directory: boolean;
  /** It is being transferred. */
  readonly active: boolean;
  /** Epoch milliseconds of its creation; null when the RTU's time is invalid. */
  readonly at: number | null;
}

/** How a request for files ended. */
export type FilesEnd<Result> = { readonly result: Result } | { readonly failed: string };

type Work =
  | { readonly kind: "list"; readonly coa: number; readonly lines: FileLine[] }
  | { readonly kind: "fetch"; readonly reading: FileReading };

/** See the module. */
export class Files {
  #work: Work | undefined;
  #settle: ((end: FilesEnd<unknown>) => void) | undefined;
  #alarm: Disposable | undefined;

  /**
   * @param send Puts an ASDU onto the connection; false when it cannot.
   * @param within How long nothing may come until a transfer has failed.
   */
  constructor(
    readonly clock: Clock,
    readonly zone: TimeZone,
    readonly originator: number,
    readonly within: Millis,
    readonly send: (asdu: Asdu) => boolean,
  ) {}

  /** The directory of a station. */
  list(coa: number): Promise<FilesEnd<FileLine[]>> {
    const work: Work = { kind: "list", coa, lines: [] };
    return this.#begin(work, directoryRequest(coa, this.originator)) as Promise<
      FilesEnd<FileLine[]>
    >;
  }

  /** The octets of a file. */
  get(name: FileName, sizeMax: number): Promise<FilesEnd<Uint8Array>> {
    const reading = new FileReading(name, this.originator, sizeMax);
    return this.#begin({ kind: "fetch", reading }, reading.start()) as Promise<
      FilesEnd<Uint8Array>
    >;
  }

  /** Takes an ASDU of file transfer. @returns Whether somebody had asked for it. */
  take(received: Asdu): boolean {
    const work = this.#work;
    if (work?.kind === "list") return this.#listed(work, received);
    if (work?.kind !== "fetch" || !work.reading.concerns(received)) return false;
    const { send, end } = work.reading.take(received);
    if (!send.every((one) => this.send(one))) this.#end({ failed: "the connection takes nothing" });
    else if (!end) this.#patience();
    else if ("octets" in end) this.#end({ result: end.octets });
    else this.#end({ failed: end.refused });
    return true;
  }

  /** The connection has ended. */
  close(): void {
    this.#end({ failed: "the connection was lost" });
  }

  #begin(work: Work, first: Asdu): Promise<FilesEnd<unknown>> {
    if (this.#work) return Promise.resolve({ failed: "another transfer is under way" });
    if (!this.send(first)) return Promise.resolve({ failed: "the RTU is not connected" });
    this.#work = work;
    this.#patience();
    return new Promise((resolve) => this.#settle = resolve);
  }

  #patience(): void {
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = this.clock.alarm(after(this.clock.now(), this.within), () => {
      this.#end({ failed: "the RTU did not go on in time" });
    });
  }

  #listed(work: Extract<Work, { kind: "list" }>, received: Asdu): boolean {
    if (received.commonAddress !== work.coa) return false;
    if (received.negative) {
      this.#end({ failed: "the RTU has no directory" });
      return true;
    }
    for (const object of received.objects) {
      if (object.kind !== "directory") return false;
      const { address: ioa, file, length, status, time } = object;
      work.lines.push({
        ...{ coa: work.coa, ioa, file, length },
        directory: (status & FILE_STATUS.directory) !== 0,
        active: (status & FILE_STATUS.active) !== 0,
        at: (time && epochOf(time, this.zone)) ?? null,
      });
      const last = (status & FILE_STATUS.last) !== 0 || work.lines.length >= DIRECTORY_MAX;
      if (!last) continue;
      this.#end({ result: work.lines });
      return true;
    }
    this.#patience();
    return true;
  }

  #end(end: FilesEnd<unknown>): void {
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = this.#work = undefined;
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(end);
  }
}
