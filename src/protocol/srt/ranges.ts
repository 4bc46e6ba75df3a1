/** Sequence numbers as a list of ranges, ascending: what is missing, or what is to be sent again. */
import { advance, distance } from "./numbers.ts";

interface Range {
  first: number;
  last: number;
}

/** A list of ranges. Numbers are compared by their distance, so it may stand across the wrap. */
export class Ranges {
  readonly #ranges: Range[] = [];
  #count = 0;

  /** How many numbers there are. */
  get size(): number {
    return this.#count;
  }

  /** The lowest; undefined when there is none. */
  get first(): number | undefined {
    return this.#ranges[0]?.first;
  }

  /** Puts numbers in, those that are there already too. */
  add(first: number, last: number): void {
    const ranges = this.#ranges;
    let at = ranges.length;
    while (at > 0 && distance(ranges[at - 1]!.first, first) < 0) at -= 1;
    // Joined with the one before, and with all behind that it touches.
    const before = ranges[at - 1];
    let low = first;
    let high = last;
    let from = at;
    if (before && distance(before.last, first) <= 1) {
      low = before.first;
      if (distance(high, before.last) > 0) high = before.last;
      from = at - 1;
    }
    let to = at;
    while (to < ranges.length && distance(high, ranges[to]!.first) <= 1) {
      if (distance(high, ranges[to]!.last) > 0) high = ranges[to]!.last;
      to += 1;
    }
    for (let index = from; index < to; index += 1) this.#count -= sizeOf(ranges[index]!);
    const joined = { first: low, last: high };
    ranges.splice(from, to - from, joined);
    this.#count += sizeOf(joined);
  }

  /** Takes one number out. Returns whether it was there. */
  remove(sequence: number): boolean {
    for (let at = 0; at < this.#ranges.length; at += 1) {
      const range = this.#ranges[at]!;
      if (distance(range.first, sequence) < 0) return false;
      if (distance(sequence, range.last) < 0) continue;
      this.#count -= 1;
      if (range.first === range.last) this.#ranges.splice(at, 1);
      else if (sequence === range.first) range.first = advance(sequence, 1);
      else if (sequence === range.last) range.last = advance(sequence, -1);
      else {
        const behind = { first: advance(sequence, 1), last: range.last };
        range.last = advance(sequence, -1);
        this.#ranges.splice(at + 1, 0, behind);
      }
      return true;
    }
    return false;
  }

  /** Takes out everything before a number. Returns how many that were. */
  removeBefore(sequence: number): number {
    const before = this.#count;
    while (this.#ranges.length > 0) {
      const range = this.#ranges[0]!;
      if (distance(range.first, sequence) <= 0) break;
      this.#count -= sizeOf(range);
      if (distance(range.last, sequence) > 0) {
        this.#ranges.shift();
        continue;
      }
      range.first = sequence;
      this.#count += sizeOf(range);
      break;
    }
    return before - this.#count;
  }

  /** Every range, lowest first. */
  *[Symbol.iterator](): Generator<readonly [first: number, last: number]> {
    for (const { first, last } of this.#ranges) yield [first, last];
  }
}

function sizeOf({ first, last }: Range): number {
  return distance(first, last) + 1;
}
