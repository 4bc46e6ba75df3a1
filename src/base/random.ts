/** A source of numbers from 0 (included) to 1 (excluded). Injected, so that a test can seed it. */
export type Random = () => number;

/** A whole number from 0 to `below - 1`. */
export function pick(random: Random, below: number): number {
  return Math.floor(random() * below);
}
