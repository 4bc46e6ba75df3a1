/**
 * Spans and instants. Two branded numbers, so that a time-out and a reading of the clock cannot be
 * taken for one another or for a bare count.
 * @module
 */

/** A span of time in milliseconds. In YAML it is written with its unit: `15s`, `250ms`, `1h`. */
export type Millis = number & { readonly __unit: "ms" };

/** A reading of the monotonic clock in milliseconds. Only differences have a meaning. */
export type Instant = number & { readonly __clock: "monotonic" };

/** Makes a span out of a count of milliseconds. */
export function millis(count: number): Millis {
  return count as Millis;
}

/** Makes a span out of a count of seconds. */
export function seconds(count: number): Millis {
  return (count * 1000) as Millis;
}

/** The instant `span` after `at`. */
export function after(at: Instant, span: Millis): Instant {
  return (at + span) as Instant;
}

/** The span from `start` to `end`; negative when `end` comes first. */
export function since(start: Instant, end: Instant): Millis {
  return (end - start) as Millis;
}

const SPAN_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads a span with its unit: `250ms`, `15s`, `1.5h`, `1m30s`. A bare number is refused, for nobody
 * knows its unit.
 *
 * @returns The span, or undefined when `text` is not one.
 */
export function parseSpan(text: string): Millis | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(count) * SPAN_UNIT[unit!]!;
  }
  return millis(total);
}

/** Writes a span in its largest fitting units: `90s` is `1m30s`, `0` is `0s`. */
export function formatSpan(span: Millis): string {
  let rest = Math.round(span);
  if (rest === 0) return "0s";
  let text = rest < 0 ? "-" : "";
  rest = Math.abs(rest);
  for (
    const [unit, size] of [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const
  ) {
    if (rest >= size) {
      text += `${Math.floor(rest / size)}${unit}`;
      rest %= size;
    }
  }
  return rest > 0 ? `${text}${rest}ms` : text;
}
