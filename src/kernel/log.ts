/**
 * The log of the process: lines of all services, those of workers too, folded, filtered by level
 * and handed to the outputs.
 * @module
 */
import type { LineLevel, Log, LogFields, LogLevel, LogLine } from "../base/log.ts";
import { LOG_LEVELS } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import { LogFolder } from "./log_fold.ts";
import { type Hide, hider } from "./log_line.ts";

/** Where lines go. It takes every line at once and never throws; what it cannot write it counts. */
export interface LogOutput {
  write(line: LogLine, hide: Hide): void;
}

/** A {@linkcode Log} that hands its lines to `pass`. */
export function logTo(id: string, epoch: () => number, pass: (line: LogLine) => void): Log {
  const at = (level: LineLevel) => (code: string, message: string, fields: LogFields = {}) =>
    pass({ at: epoch(), level, id, code, message, fields });
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
  };
}

/** All lines of the process come together here. */
export class LogHub {
  #outputs: readonly LogOutput[] = [];
  #least = LOG_LEVELS.indexOf("info");
  #hide: Hide = hider([]);
  #alarm: Disposable | undefined;
  readonly #folder = new LogFolder((line) => this.#write(line));

  constructor(readonly clock: Clock) {}

  /** Sets level, outputs and secrets, for all lines from now on. */
  configure(level: LogLevel, outputs: readonly LogOutput[], secrets: readonly string[]): void {
    this.#least = LOG_LEVELS.indexOf(level);
    this.#outputs = outputs;
    this.#hide = hider(secrets);
  }

  /** The log of one service. */
  of(id: string): Log {
    return logTo(id, () => this.clock.epoch(), (line) => this.add(line));
  }

  /** Takes a line, as of a worker. */
  add(line: LogLine): void {
    if (line.level !== "trace" && LOG_LEVELS.indexOf(line.level) < this.#least) return;
    this.#folder.add(line, this.clock.now());
    this.#arm();
  }

  /** Writes what is held back. */
  flush(): void {
    this.#alarm?.[Symbol.dispose]();
    this.#alarm = undefined;
    this.#folder.flushAll();
  }

  #arm(): void {
    const deadline = this.#folder.deadline;
    if (this.#alarm || deadline === undefined) return;
    this.#alarm = this.clock.alarm(deadline, () => {
      this.#alarm = undefined;
      this.#folder.flush(this.clock.now());
      this.#arm();
    });
  }

  #write(line: LogLine): void {
    for (const output of this.#outputs) output.write(line, this.#hide);
  }
}
