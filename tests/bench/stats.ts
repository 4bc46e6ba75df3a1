/**
 * Middle and spread of a few numbers.
 * @module
 */

/** The middle one, or the mean of the middle two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Medians of two series, their ratio, and the median of the ratios of each round. */
export interface Comparison {
  readonly busbar: number;
  readonly c: number;
  readonly range: { readonly busbar: readonly number[]; readonly c: readonly number[] };
  readonly ratioOfMedians: number;
  readonly medianOfRatios: number;
}

/** Compares two series measured in the same rounds. */
export function compare(busbar: readonly number[], c: readonly number[]): Comparison {
  const ratios = busbar.map((value, round) => value / c[round]!);
  const range = (values: readonly number[]) => [Math.min(...values), Math.max(...values)];
  return {
    busbar: median(busbar),
    c: median(c),
    range: { busbar: range(busbar), c: range(c) },
    ratioOfMedians: median(busbar) / median(c),
    medianOfRatios: median(ratios),
  };
}
