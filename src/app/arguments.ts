/** Values of options as numbers, spans and the like; what cannot be read is told in one line. */
import { type Millis, parseSpan } from "../base/time.ts";
import type { Invocation } from "./command.ts";
import { UsageError } from "./usage.ts";

/** Reads the options of one call. */
export class Arguments {
  constructor(readonly command: string, readonly call: Invocation) {}

  /** Whether a switch was given; undefined when nothing was said. */
  flag(name: string): boolean | undefined {
    const value = this.call.options[name];
    return typeof value === "boolean" ? value : undefined;
  }

  /** The text of an option; undefined when it was not given. */
  text(name: string): string | undefined {
    const value = this.call.options[name];
    return typeof value === "string" ? value : undefined;
  }

  /** The text of an option that must be there. @throws UsageError */
  required(name: string): string {
    return this.text(name) ?? this.fail(`--${name} is missing`);
  }

  /** A whole number, decimal or 0x, within bounds. @throws UsageError */
  whole(name: string, least: number, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^(\d{1,15}|0x[0-9a-f]{1,12})$/i.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    return this.fail(`--${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  }

  /** A number above 0, at most `most`. @throws UsageError */
  positive(name: string, most: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
    if (value > 0 && value <= most) return value;
    return this.fail(`--${name} must be a number above 0, at most ${most}, not "${text}"`);
  }

  /** A span with its unit, longer than nothing. @throws UsageError */
  span(name: string): Millis | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const span = parseSpan(text);
    if (span !== undefined && span > 0) return span;
    return this.fail(`--${name} must be a time with its unit, such as 250ms or 10s, not "${text}"`);
  }

  /** Says what is wrong with the call. */
  fail(message: string): never {
    throw new UsageError(
      message.replace(/--[a-z_]+/g, (form) => form.replaceAll("_", "-")),
      this.command,
    );
  }
}
