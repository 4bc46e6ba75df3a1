/**
 * The tariff policy: what energy costs at which time, and what a pile may do without a gateway.
 * Gateways hand it out, signed; for a new price no pile needs new firmware.
 *
 * A document is JSON: `{"policy": {…}, "signer": "sm2" | "secp256k1", "signature": "128 digits"}`.
 * Signed, and hashed for AUTH_RESP, is the policy as canonical JSON (RFC 8785), as it was written:
 * what was left out is not filled in.
 *
 * | Field of the policy | What |
 * |---|---|
 * | `id`, `version` | a name; a number that rises with each change |
 * | `valid_from`, `valid_until` | ISO 8601 with a zone; the end is not part of it |
 * | `utc_offset_minutes` | of the clock that the periods are told in |
 * | `currency` | ISO 4217 |
 * | `periods` | `from`, `to`, `days`, `energy_price`, `service_price`: the whole week, once |
 * | `max_power_w` | optional |
 * | `offline` | `keep_charging`, and `grace_s`, which is 60 when left out |
 *
 * Days are 1 Monday to 7 Sunday, all of them when left out. Prices are in thousandths of the
 * currency's unit for a kilowatt-hour.
 * @module
 */
import { BugError } from "../../base/errors.ts";
import { type Millis, seconds } from "../../base/time.ts";
import { DIGEST_SIZE, Sha256 } from "../../crypto/sha256.ts";
import { type PileKey, verifySigned } from "./auth.ts";

/** Longest document in octets. */
export const POLICY_MAX = 32 * 1024;
/** Most periods of one policy. */
export const PERIODS_MAX = 64;
/** Stands for the hash where there is no policy. */
export const NO_POLICY_HASH: Uint8Array = new Uint8Array(DIGEST_SIZE);

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

/** A policy with its canonical octets and their SHA-256, or why it is none: where, what, remedy. */
export type PolicyRead =
  | { readonly policy: Policy; readonly hash: Uint8Array; readonly octets: Uint8Array }
  | { readonly fault: string };

/** What a meter has counted so far. */
export interface MeterReading {
  readonly epochMs: number;
  readonly wattHours: number;
}

/** Reads a document. @param key Whose signature has to hold; without one it is not tried. */
export function readPolicy(text: string, key: PileKey | undefined): PolicyRead {
  const reader = new Reader();
  const document = reader.document(reader.json(text));
  const { policy, signer, signature } = document;
  if (reader.fault !== undefined) return { fault: reader.fault };
  const read = hashed(policy);
  if (key === undefined) return read;
  if (key.signer !== signer) {
    return { fault: `signer is "${signer}"; the key is one of ${key.signer}: sign it with that` };
  }
  return verifySigned(key, read.octets, Uint8Array.fromHex(signature))
    ? read
    : { fault: "signature does not hold with this key; sign the policy as it is now" };
}

/** Reads a policy alone, before it is signed. */
export function readUnsignedPolicy(text: string): PolicyRead {
  const reader = new Reader();
  const policy = reader.policy(reader.json(text));
  return reader.fault === undefined ? hashed(policy) : { fault: reader.fault };
}

/**
 * Makes the document of a policy.
 * @param sign Signs the canonical octets: r and s, 64 octets.
 * @throws RangeError For a signature of another size.
 */
export function signPolicy(
  policy: Policy,
  signer: PileKey["signer"],
  sign: (octets: Uint8Array) => Uint8Array,
): string {
  const signature = sign(canonicalPolicy(policy));
  if (signature.length !== SIGNATURE_SIZE) throw new RangeError("A signature has 64 octets");
  return JSON.stringify({ policy: plain(policy), signer, signature: signature.toHex() });
}

/** What is signed: canonical JSON, RFC 8785, in UTF-8. */
export function canonicalPolicy(policy: Policy): Uint8Array {
  return new TextEncoder().encode(canonical(plain(policy)));
}

/** The hash of AUTH_RESP: SHA-256 of the canonical octets. */
export function policyHash(policy: Policy): Uint8Array {
  return hashed(policy).hash;
}

/** Whether a policy may take the place of another: with the same id it has to be a later version. */
export function supersedes(old: Policy, next: Policy): boolean {
  return old.id !== next.id || next.version > old.version;
}

/** Whether a policy holds at an instant. */
export function isValidAt(policy: Policy, epochMs: number): boolean {
  const [from, until] = [instantOf(policy.validFrom), instantOf(policy.validUntil)];
  return from !== undefined && until !== undefined && from <= epochMs && epochMs < until;
}

/** How long a pile goes on without a gateway. */
export function graceOf({ offline }: Policy): Millis {
  return seconds(offline.graceS ?? GRACE_S);
}

/** The period of an instant, whether the policy holds at it or not. */
export function tariffAt(policy: Policy, epochMs: number): TariffPeriod {
  const { rest } = weekTime(policy, epochMs);
  const found = weekOf(policy).find(({ to }) => rest < to * MINUTE);
  if (!found) throw new BugError("cip22.policy.week", "A policy was made that leaves a gap");
  return found.period;
}

/**
 * What was charged between the first reading and the last, in thousandths of the currency's unit.
 * Between two readings the power is taken to be steady. It is exact, and rounded once, half up.
 */
export function costOf(
  policy: Policy,
  readings: readonly MeterReading[],
): { readonly cost: bigint } | { readonly fault: string } {
  // Numerators by their denominators: most readings are equally far apart.
  const parts = new Map<bigint, bigint>();
  for (const [index, reading] of readings.entries()) {
    const before = readings[index - 1];
    const fault = readingFault(reading, before, `readings[${index}]`);
    if (fault !== undefined) return { fault };
    if (!before || reading.wattHours === before.wattHours) continue;
    const span = BigInt(reading.epochMs - before.epochMs);
    const price = span === 0n
      ? BigInt(priceOf(tariffAt(policy, reading.epochMs)))
      : priceUntil(policy, reading.epochMs) - priceUntil(policy, before.epochMs);
    const under = span === 0n ? 1n : span;
    const energy = BigInt(reading.wattHours) - BigInt(before.wattHours);
    parts.set(under, (parts.get(under) ?? 0n) + energy * price);
  }
  const [over, under] = sumOf([...parts].map(([down, up]) => [up, down]));
  const whole = under * WATTS_PER_KILOWATT;
  return { cost: (2n * over + whole) / (2n * whole) };
}

const SIGNATURE_SIZE = 64;
const GRACE_S = 60;
const GRACE_MAX_S = 86_400;
const PRICE_MAX = 1_000_000_000;
const POWER_MAX_W = 10_000_000;
const WATTS_PER_KILOWATT = 1000n;
const MINUTE = 60_000;
const DAY_MINUTES = 24 * 60;
const WEEK = 7 * DAY_MINUTES * MINUTE;
/** The Monday before the epoch, which was a Thursday. */
const MONDAY = 3 * DAY_MINUTES * MINUTE;
/** The last instant that has a date. */
const LAST_MS = 8.64e15;
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const ALL_DAYS = [1, 2, 3, 4, 5, 6, 7];

type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };
type Fraction = readonly [over: bigint, under: bigint];

/** A period on one day, in minutes from Monday 00:00. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly period: TariffPeriod;
  readonly index: number;
}

function hashed(policy: Policy): Extract<PolicyRead, { policy: Policy }> {
  const octets = canonicalPolicy(policy);
  const hash = new Uint8Array(DIGEST_SIZE);
  new Sha256().digest(octets, 0, octets.length, hash, 0);
  return { policy, hash, octets };
}

function plain(policy: Policy): Json {
  const { maxPowerW, offline } = policy;
  return {
    id: policy.id,
    version: policy.version,
    "valid_from": policy.validFrom,
    "valid_until": policy.validUntil,
    "utc_offset_minutes": policy.utcOffsetMinutes,
    currency: policy.currency,
    periods: policy.periods.map(({ from, to, days, energyPrice, servicePrice }) => ({
      from,
      to,
      ...days && { days },
      "energy_price": energyPrice,
      "service_price": servicePrice,
    })),
    ...maxPowerW !== undefined && { "max_power_w": maxPowerW },
    offline: {
      "keep_charging": offline.keepCharging,
      ...offline.graceS !== undefined && { "grace_s": offline.graceS },
    },
  };
}

/** For whole numbers and well-formed texts the runtime writes what RFC 8785, 3.2.2 asks for. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).sort(([one], [other]) => one < other ? -1 : 1);
  return `{${members.map(([name, of]) => `${JSON.stringify(name)}:${canonical(of)}`).join(",")}}`;
}

const priceOf = ({ energyPrice, servicePrice }: TariffPeriod) => energyPrice + servicePrice;

/** Weeks since the Monday before the epoch on the policy's clock, and milliseconds since Monday. */
function weekTime({ utcOffsetMinutes }: Policy, epochMs: number): { weeks: number; rest: number } {
  const local = epochMs + utcOffsetMinutes * MINUTE + MONDAY;
  const rest = ((local % WEEK) + WEEK) % WEEK;
  return { weeks: (local - rest) / WEEK, rest };
}

/** The weeks that have been laid out: each policy is asked for many instants. */
const WEEKS = new WeakMap<Policy, readonly Stretch[]>();

function weekOf(policy: Policy): readonly Stretch[] {
  const known = WEEKS.get(policy);
  if (known) return known;
  const week = layOut(policy.periods);
  WEEKS.set(policy, week);
  return week;
}

function layOut(periods: readonly TariffPeriod[]): Stretch[] {
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
function coverFault(periods: readonly TariffPeriod[]): string | undefined {
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

/** Milliseconds times price, from the Monday before the epoch on: what a steady watt has cost. */
function priceUntil(policy: Policy, epochMs: number): bigint {
  const { weeks, rest } = weekTime(policy, epochMs);
  let [week, begun] = [0n, 0n];
  for (const { from, to, period } of weekOf(policy)) {
    const price = BigInt(priceOf(period));
    const past = Math.min(to * MINUTE, rest) - from * MINUTE;
    week += BigInt((to - from) * MINUTE) * price;
    if (past > 0) begun += BigInt(past) * price;
  }
  return BigInt(weeks) * week + begun;
}

/** By halves, so that the numbers stay short for as long as they can. */
function sumOf(parts: readonly Fraction[]): Fraction {
  if (parts.length <= 1) return parts[0] ?? [0n, 1n];
  const middle = parts.length >> 1;
  const [[a, b], [c, d]] = [sumOf(parts.slice(0, middle)), sumOf(parts.slice(middle))];
  return [a * d + c * b, b * d];
}

function readingFault(
  { epochMs, wattHours }: MeterReading,
  before: MeterReading = { epochMs: 0, wattHours: 0 },
  name: string,
): string | undefined {
  const wrong = (field: string, value: number, least: number) =>
    `${name}.${field} is ${value}; it has to be a whole number from ${least} on`;
  if (!Number.isInteger(epochMs) || epochMs < before.epochMs || epochMs > LAST_MS) {
    return wrong("epochMs", epochMs, before.epochMs);
  }
  const counts = Number.isSafeInteger(wattHours) && wattHours >= before.wattHours;
  return counts ? undefined : wrong("wattHours", wattHours, before.wattHours);
}

/** Minutes since midnight of a time that was tried. */
function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

const ISO = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** Epoch milliseconds; undefined for what is no instant, such as 30 February. */
function instantOf(text: string): number | undefined {
  const [, date] = ISO.exec(text) ?? [];
  const at = Date.parse(text);
  if (date === undefined || Number.isNaN(at)) return undefined;
  // The runtime takes the 30th of February for the 2nd of March.
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date) ? at : undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const NAME = /^[^\p{C}]{1,64}$/u;
const INSTANT = "an instant with its zone, such as 2026-01-01T00:00:00+08:00";
const POLICY_FIELDS = [
  ...["id", "version", "valid_from", "valid_until", "utc_offset_minutes", "currency"],
  ...["periods", "max_power_w", "offline"],
];
const PERIOD_FIELDS = ["from", "to", "days", "energy_price", "service_price"];

/** Reads what a document holds. The first fault stands; what is read with one is of no use. */
class Reader {
  fault: string | undefined;

  json(text: string): unknown {
    const size = text.length > POLICY_MAX ? text.length : new TextEncoder().encode(text).length;
    if (size > POLICY_MAX) {
      this.fault = `the document has more than ${POLICY_MAX} octets; use fewer periods`;
      return undefined;
    }
    try {
      return JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.fault = "the document is no JSON; look for a comma or a quotation mark that is missing";
      return undefined;
    }
  }

  document(value: unknown): { policy: Policy; signer: PileKey["signer"]; signature: string } {
    const fields = this.#fields("the document", value, ["policy", "signer", "signature"]);
    const policy = this.policy(fields.policy);
    const signer = fields.signer === "sm2" ? "sm2" : "secp256k1";
    if (fields.signer !== signer) this.#refuse("signer", fields.signer, '"sm2" or "secp256k1"');
    const digits = /^[0-9a-f]{128}$/i;
    const signature = this.#text(fields.signature, "signature", digits, "128 hexadecimal digits");
    return { policy, signer, signature };
  }

  policy(value: unknown): Policy {
    const fields = this.#fields("policy", value, POLICY_FIELDS);
    const { id, version, currency, max_power_w: power } = fields;
    const offset = fields.utc_offset_minutes;
    return {
      id: this.#text(id, "policy.id", NAME, "a text of 1 to 64 characters"),
      version: this.#integer(version, "policy.version", 1, Number.MAX_SAFE_INTEGER),
      ...this.#validity(fields),
      utcOffsetMinutes: this.#integer(offset, "policy.utc_offset_minutes", -720, 840),
      currency: this.#text(currency, "policy.currency", /^[A-Z]{3}$/, "a code such as CNY"),
      periods: this.#periods(fields.periods),
      ...power !== undefined &&
        { maxPowerW: this.#integer(power, "policy.max_power_w", 1, POWER_MAX_W) },
      offline: this.#offline(fields.offline),
    };
  }

  #validity(fields: Fields): Pick<Policy, "validFrom" | "validUntil"> {
    const validFrom = this.#text(fields.valid_from, "policy.valid_from", ISO, INSTANT);
    const validUntil = this.#text(fields.valid_until, "policy.valid_until", ISO, INSTANT);
    const [from, until] = [instantOf(validFrom), instantOf(validUntil)];
    if (from === undefined) this.#refuse("policy.valid_from", validFrom, INSTANT);
    if (until === undefined) this.#refuse("policy.valid_until", validUntil, INSTANT);
    if (until! <= from!) this.#refuse("policy.valid_until", validUntil, "after valid_from");
    return { validFrom, validUntil };
  }

  #periods(value: unknown): TariffPeriod[] {
    if (!Array.isArray(value) || value.length > PERIODS_MAX) {
      this.#refuse("policy.periods", value, `a list of 1 to ${PERIODS_MAX} periods`);
      return [];
    }
    const periods = value.map((one, index) => this.#period(`periods[${index}]`, one));
    if (this.fault === undefined) this.fault = coverFault(periods);
    return periods;
  }

  #period(name: string, value: unknown): TariffPeriod {
    const fields = this.#fields(name, value, PERIOD_FIELDS);
    const clock = /^([01]\d|2[0-3]):[0-5]\d$/;
    const from = this.#text(fields.from, `${name}.from`, clock, "a time such as 07:00");
    const late = /^(([01]\d|2[0-3]):[0-5]\d|24:00)$/;
    const to = this.#text(fields.to, `${name}.to`, late, "a time such as 21:30, or 24:00");
    const past = "later than from; over midnight it takes two periods";
    if (minuteOf(to) <= minuteOf(from)) this.#refuse(`${name}.to`, to, past);
    const { days } = fields;
    return {
      from,
      to,
      ...days !== undefined && { days: this.#days(`${name}.days`, days) },
      energyPrice: this.#integer(fields.energy_price, `${name}.energy_price`, 0, PRICE_MAX),
      servicePrice: this.#integer(fields.service_price, `${name}.service_price`, 0, PRICE_MAX),
    };
  }

  #days(name: string, value: unknown): number[] {
    const days = Array.isArray(value) ? value : [];
    const known = days.every((day) => ALL_DAYS.includes(day));
    if (known && days.length > 0 && new Set(days).size === days.length) return days;
    this.#refuse(name, value, "a list of different days, 1 for Monday to 7 for Sunday");
    return [];
  }

  #offline(value: unknown): Policy["offline"] {
    const fields = this.#fields("offline", value, ["keep_charging", "grace_s"]);
    const { keep_charging: keep, grace_s: grace } = fields;
    if (typeof keep !== "boolean") this.#refuse("offline.keep_charging", keep, "true or false");
    return {
      keepCharging: keep === true,
      ...grace !== undefined && { graceS: this.#integer(grace, "offline.grace_s", 0, GRACE_MAX_S) },
    };
  }

  #fields(name: string, value: unknown, known: readonly string[]): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#refuse(name, value, "an object");
      return {};
    }
    const odd = Object.keys(value).filter((field) => !known.includes(field));
    const names = odd.slice(0, 8).map((field) => JSON.stringify(field.slice(0, 40)));
    if (odd.length > 0) {
      this.fault ??= `${name} has unknown fields: ${names.join(", ")}; remove them`;
    }
    return value as Fields;
  }

  #text(value: unknown, name: string, pattern: RegExp, expected: string): string {
    if (typeof value === "string" && pattern.test(value)) return value;
    this.#refuse(name, value, expected);
    return "";
  }

  #integer(value: unknown, name: string, least: number, most: number): number {
    // Zero is added for -0, which has no form of its own in canonical JSON.
    if (Number.isInteger(value) && value as number >= least && value as number <= most) {
      return value as number + 0;
    }
    this.#refuse(name, value, `a whole number from ${least} to ${most}`);
    return 0;
  }

  #refuse(name: string, value: unknown, expected: string): void {
    this.fault ??= `${name} ${shown(value)}; it has to be ${expected}`;
  }
}

/** Not the whole of it: a fault is one line, and what is nested deeply cannot be written. */
function shown(value: unknown): string {
  if (value === undefined) return "is missing";
  if (Array.isArray(value)) return `is a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "is an object";
  return `is ${typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : value}`;
}
