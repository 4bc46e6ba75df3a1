/**
 * A tariff policy, and its periods laid out over the week.
 * @module
 */

/** A part of a day, and what energy costs in it. */
export interface TariffPeriod {
  /** `HH:MM`. */
  readonly from: string;
  /** `HH:MM`, or `24:00`; it is not part of the period. */
  readonly to: string;
  /** 1 Monday to 7 Sunday; all of them when left out. */
  readonly days?: readonly number[];
  /** Thousandths of the currency's unit for a kilowatt-hour. */
  readonly energyPrice: number;
  /** The same, for the service. */
  readonly servicePrice: number;
}

/** A policy, as it was written: its texts are kept, and what was left out is. */
export interface Policy {
  readonly id: string;
  readonly version: number;
  readonly validFrom: string;
  readonly validUntil: string;
  readonly utcOffsetMinutes: number;
  readonly currency: string;
  readonly periods: readonly TariffPeriod[];
  readonly maxPowerW?: number;
  readonly offline: { readonly keepCharging: boolean; readonly graceS?: number };
}

/** A period on one day, in minutes from Monday 00:00. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly period: TariffPeriod;
  readonly index: number;
}

/** Minutes of a day. */
export const DAY_MINUTES = 24 * 60;
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/** Monday to Sunday. */
export const ALL_DAYS = [1, 2, 3, 4, 5, 6, 7];

/** Every period on each of its days, in their order. */
export function layOut(periods: readonly TariffPeriod[]): Stretch[] {
  const all = periods.flatMap((period, index) =>
    (period.days ?? ALL_DAYS).map((day): Stretch => {
      const start = (day - 1) * DAY_MINUTES;
      return {
        from: start + minuteOf(period.from),
        to: start + minuteOf(period.to),
        period,
        index,
      };
    })
  );
  return all.sort((one, other) => one.from - other.from);
}

/** The first minute of the week that has no period, or two of them. */
export function coverFault(periods: readonly TariffPeriod[]): string | undefined {
  let at = 0;
  let last = "";
  for (const { from, to, index } of layOut(periods)) {
    const name = `periods[${index}]`;
    if (from > at) return gap(at, from);
    if (from < at) return `${name} and ${last} both cover ${momentOf(from)}; shorten one of them`;
    [at, last] = [to, name];
  }
  return at < 7 * DAY_MINUTES ? gap(at, 7 * DAY_MINUTES) : undefined;
}

function gap(from: number, to: number): string {
  const end = to % DAY_MINUTES === 0 ? `${DAYS[to / DAY_MINUTES - 1]} 24:00` : momentOf(to);
  return `periods leave out ${momentOf(from)} to ${end}; add a period for that`;
}

function momentOf(minute: number): string {
  const two = (count: number) => String(count).padStart(2, "0");
  const rest = minute % DAY_MINUTES;
  return `${DAYS[Math.floor(minute / DAY_MINUTES)]} ${two(Math.floor(rest / 60))}:${
    two(rest % 60)
  }`;
}

/** Minutes since midnight of a time that was tried. */
export function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

/** What an instant looks like. */
export const ISO =
  /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** Epoch milliseconds; undefined for what is no instant, such as 30 February. */
export function instantOf(text: string): number | undefined {
  const [, date] = ISO.exec(text) ?? [];
  const at = Date.parse(text);
  if (date === undefined || Number.isNaN(at)) return undefined;
  // The runtime takes the 30th of February for the 2nd of March.
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date) ? at : undefined;
}
