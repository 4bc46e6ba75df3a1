/**
 * Time tags CP56Time2a, CP24Time2a and CP16Time2a (IEC 60870-5-101, 7.2.6.18 to 7.2.6.20), and the
 * time zones they are written in.
 * @module
 */

/** A binary time as its sender wrote it; nothing is judged. Of CP24 the fields from hour on are 0. */
export interface TimeTag {
  /** Milliseconds within the minute, 0 to 59,999 when valid. */
  readonly ms: number;
  readonly minute: number;
  /** 0 to 23 when valid. */
  readonly hour: number;
  /** Day of month, 1 to 31 when valid. */
  readonly day: number;
  /** 1 Monday to 7 Sunday, 0 not used. */
  readonly weekday: number;
  /** 1 to 12 when valid. */
  readonly month: number;
  /** Of the century, 0 to 99 when valid. */
  readonly year: number;
  /** IV. */
  readonly invalid: boolean;
  /** GEN: set by a station on the way, not by the source. */
  readonly substituted: boolean;
  /** SU: the hour is one of summer time. */
  readonly summer: boolean;
  /** RES2 of the hour, RES3 of the month, RES4 of the year, as 7 bits; nearly always 0. */
  readonly reserved: number;
}

/** Octets of CP16Time2a. */
export const CP16_SIZE = 2;
/** Octets of CP24Time2a. */
export const CP24_SIZE = 3;
/** Octets of CP56Time2a. */
export const CP56_SIZE = 7;

/** Reads CP24 (`size` 3) or CP56 (7) at an offset. Whatever the octets are, they are a tag. */
export function readTimeTag(octets: Uint8Array, at: number, size: 3 | 7): TimeTag {
  const minute = octets[at + 2]!;
  const long = size === CP56_SIZE;
  const hour = long ? octets[at + 3]! : 0;
  const day = long ? octets[at + 4]! : 0;
  const month = long ? octets[at + 5]! : 0;
  const year = long ? octets[at + 6]! : 0;
  return {
    ms: octets[at]! | octets[at + 1]! << 8,
    minute: minute & 0x3f,
    hour: hour & 0x1f,
    day: day & 0x1f,
    weekday: day >> 5,
    month: month & 0x0f,
    year: year & 0x7f,
    invalid: (minute & 0x80) !== 0,
    substituted: (minute & 0x40) !== 0,
    summer: (hour & 0x80) !== 0,
    reserved: (hour >> 5 & 3) << 5 | month >> 4 << 1 | year >> 7,
  };
}

/** Writes a tag as CP24 or CP56. What {@linkcode readTimeTag} gave becomes the same octets. */
export function writeTimeTag(octets: Uint8Array, at: number, size: 3 | 7, tag: TimeTag): void {
  octets[at] = tag.ms & 0xff;
  octets[at + 1] = tag.ms >> 8;
  octets[at + 2] = tag.minute & 0x3f | (tag.substituted ? 0x40 : 0) | (tag.invalid ? 0x80 : 0);
  if (size === CP24_SIZE) return;
  octets[at + 3] = tag.hour & 0x1f | (tag.reserved >> 5 & 3) << 5 | (tag.summer ? 0x80 : 0);
  octets[at + 4] = tag.day & 0x1f | tag.weekday << 5;
  octets[at + 5] = tag.month & 0x0f | (tag.reserved >> 1 & 0xf) << 4;
  octets[at + 6] = tag.year & 0x7f | (tag.reserved & 1) << 7;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** A zone of wall-clock time, for tags that are not in UTC. */
export interface TimeZone {
  /** What the wall clock is ahead of UTC at an instant, in milliseconds. */
  offset(epoch: number): number;
  /** Whether summer time holds at an instant. */
  summer(epoch: number): boolean;
}

/** UTC, which has no summer. */
export const UTC: TimeZone = { offset: () => 0, summer: () => false };

/** A zone of the IANA database. @returns undefined when there is none of that name. */
export function timeZone(name: string): TimeZone | undefined {
  if (/^utc$/i.test(name)) return UTC;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  return new NamedZone(format);
}

/** Since 2012 zones change at quarters of an hour only, so one answer serves all of it. */
const STEP_MS = 15 * MINUTE_MS;
const REMEMBERED_MAX = 4096;

class NamedZone implements TimeZone {
  readonly #known = new Map<number, number>();

  constructor(readonly format: Intl.DateTimeFormat) {}

  offset(epoch: number): number {
    const step = Math.floor(epoch / STEP_MS);
    const known = this.#known.get(step);
    if (known !== undefined) return known;
    const part: Record<string, number> = {};
    for (const { type, value } of this.format.formatToParts(step * STEP_MS)) {
      part[type] = Number(value);
    }
    const { year, month, day, hour, minute, second } = part;
    const wall = Date.UTC(year!, month! - 1, day, hour, minute, second);
    const offset = wall - step * STEP_MS;
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(step, offset);
    return offset;
  }

  summer(epoch: number): boolean {
    const year = new Date(epoch).getUTCFullYear();
    const winter = Math.min(
      this.offset(Date.UTC(year, 0, 1)),
      this.offset(Date.UTC(year, 6, 1)),
    );
    return this.offset(epoch) > winter;
  }
}

/**
 * The instant that a CP56 tag names, as epoch milliseconds; undefined when it names none (IV, or a
 * field beyond its range). A tag with SU is read as summer time, also where the zone has none. One
 * without SU in the summer of a zone is read as that zone's wall clock, for many devices never set
 * SU; in the hour that comes twice it is the second.
 */
export function epochOf(tag: TimeTag, zone: TimeZone): number | undefined {
  if (tag.invalid || tag.ms >= MINUTE_MS || tag.minute > 59 || tag.hour > 23) return undefined;
  if (tag.month < 1 || tag.month > 12 || tag.year > 99 || tag.day < 1) return undefined;
  const year = tag.year >= 70 ? 1900 + tag.year : 2000 + tag.year;
  const wall = Date.UTC(year, tag.month - 1, tag.day, tag.hour, tag.minute, 0, tag.ms);
  if (new Date(wall).getUTCDate() !== tag.day) return undefined; // 31 April
  const before = zone.offset(wall - 12 * HOUR_MS);
  const behind = zone.offset(wall + 12 * HOUR_MS);
  const early = wall - Math.max(before, behind);
  const late = wall - Math.min(before, behind);
  const holds = (epoch: number) => wall - epoch === zone.offset(epoch);
  // In the hour that comes twice both hold, in the one that is left out none does.
  const epoch = holds(early) && (tag.summer || !holds(late)) ? early : late;
  return tag.summer && !zone.summer(epoch) ? epoch - HOUR_MS : epoch;
}

/**
 * The instant of a CP24 tag, which has no hour, near the time it was received: at most 30 minutes
 * from it. @returns undefined when the tag names none.
 */
export function epochNear(tag: TimeTag, zone: TimeZone, received: number): number | undefined {
  if (tag.invalid || tag.ms >= MINUTE_MS || tag.minute > 59) return undefined;
  const offset = zone.offset(received);
  const hour = Math.floor((received + offset) / HOUR_MS) * HOUR_MS - offset;
  const epoch = hour + tag.minute * MINUTE_MS + tag.ms;
  if (epoch - received > HOUR_MS / 2) return epoch - HOUR_MS;
  return received - epoch > HOUR_MS / 2 ? epoch + HOUR_MS : epoch;
}

/** The tag of an instant. `flags` are what the station says of its clock. */
export function tagOf(
  epoch: number,
  zone: TimeZone,
  flags: { readonly invalid?: boolean; readonly substituted?: boolean } = {},
): TimeTag {
  const wall = new Date(epoch + zone.offset(epoch));
  return {
    ms: wall.getUTCSeconds() * 1000 + wall.getUTCMilliseconds(),
    minute: wall.getUTCMinutes(),
    hour: wall.getUTCHours(),
    day: wall.getUTCDate(),
    weekday: wall.getUTCDay() || 7,
    month: wall.getUTCMonth() + 1,
    year: wall.getUTCFullYear() % 100,
    invalid: flags.invalid ?? false,
    substituted: flags.substituted ?? false,
    summer: zone.summer(epoch),
    reserved: 0,
  };
}

/** A tag for people, field by field as it stands: `2026-11-20 21:06:03.040`, with its flags. */
export function tagText(tag: TimeTag, size: 3 | 7): string {
  const two = (count: number) => String(count).padStart(2, "0");
  const seconds = `${two(Math.floor(tag.ms / 1000))}.${String(tag.ms % 1000).padStart(3, "0")}`;
  const minute = `${two(tag.minute)}:${seconds}`;
  const year = tag.year >= 70 ? 1900 + tag.year : 2000 + tag.year;
  const text = size === CP24_SIZE
    ? minute
    : `${year}-${two(tag.month)}-${two(tag.day)} ${two(tag.hour)}:${minute}`;
  const flags = [
    ...(tag.invalid ? ["IV"] : []),
    ...(tag.substituted ? ["GEN"] : []),
    ...(tag.summer ? ["SU"] : []),
  ];
  return [text, ...flags].join(" ");
}
