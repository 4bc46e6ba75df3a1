/** Outputs of the log, made from its settings: stdout, and a file that rotates. */
import type { LogLine } from "../base/log.ts";
import type { LogOutput } from "../kernel/log.ts";
import { type Hide, jsonLine, textLine } from "../kernel/log_line.ts";
import type { LogConfig } from "../kernel/settings.ts";
import { LineWriter, RotatingFile, STDOUT_TARGET } from "../platform/line_writer.ts";
import type { Terminal } from "./command.ts";

/** How an output fares, for /status. */
export type OutputStatus = {
  readonly lost: number;
  readonly fault: string | undefined;
};

class Output implements LogOutput {
  constructor(
    readonly writer: LineWriter,
    readonly form: (line: LogLine, hide: Hide) => string,
  ) {}

  write(line: LogLine, hide: Hide): void {
    this.writer.write(this.form(line, hide));
  }
}

/** The outputs that are open now. stdout stays; the file follows the settings. */
export class LogOutputs {
  readonly #terminal: Terminal;
  readonly #epoch: () => number;
  readonly #stdout = new LineWriter(STDOUT_TARGET);
  #file: { readonly writer: LineWriter; readonly target: RotatingFile } | undefined;

  constructor(terminal: Terminal, epoch: () => number) {
    this.#terminal = terminal;
    this.#epoch = epoch;
  }

  /** The outputs that settings ask for. A file that was open before is finished and closed. */
  open(settings: LogConfig): readonly LogOutput[] {
    const { interactive, colour } = this.#terminal;
    const text = settings.format === "text" || (settings.format === "auto" && interactive);
    const form = text ? (line: LogLine, hide: Hide) => textLine(line, hide, colour) : jsonLine;
    const before = this.#file;
    this.#file = undefined;
    if (before) void before.writer.flushed().then(() => before.target[Symbol.asyncDispose]());
    const stdout = new Output(this.#stdout, form);
    if (settings.file === undefined) return [stdout];
    const target = new RotatingFile({
      path: settings.file,
      size: settings.rotateSize,
      age: settings.rotateAge,
      keep: settings.keep,
      epoch: this.#epoch,
    });
    this.#file = { writer: new LineWriter(target), target };
    return [stdout, new Output(this.#file.writer, jsonLine)];
  }

  /** How the outputs fare, by name. */
  status(): Readonly<Record<string, OutputStatus>> {
    const of = ({ lost, fault }: LineWriter) => ({ lost, fault });
    const file = this.#file ? { file: of(this.#file.writer) } : {};
    return { stdout: of(this.#stdout), ...file };
  }

  /** Resolves when everything was written. */
  async flushed(): Promise<void> {
    await Promise.all([this.#stdout.flushed(), this.#file?.writer.flushed()]);
  }
}
