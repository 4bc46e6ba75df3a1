/**
 * Reads documents of tariff policies, field by field.
 * @module
 */
import type { PileKey } from "./auth.ts";
import {
  ALL_DAYS,
  coverFault,
  instantOf,
  ISO,
  minuteOf,
  type Policy,
  type TariffPeriod,
} from "./policy_week.ts";

/** Longest document in octets. */
export const POLICY_MAX = 32 * 1024;
/** Most periods of one policy. */
export const PERIODS_MAX = 64;

const GRACE_MAX_S = 86_400;
const PRICE_MAX = 1_000_000_000;
const POWER_MAX_W = 10_000_000;

type Fields = Readonly<Record<string, unknown>>;

const NAME = /^[^\p{C}]{1,64}$/u;
const INSTANT = "an instant with its zone, such as 2026-01-01T00:00:00+08:00";
const POLICY_FIELDS = [
  ...["id", "version", "valid_from", "valid_until", "utc_offset_minutes", "currency"],
  ...["periods", "max_power_w", "offline"],
];
const PERIOD_FIELDS = ["from", "to", "days", "energy_price", "service_price"];

/** Reads what a document holds. The first fault stands; what is read with one is of no use. */
export class PolicyReader {
  /** Where, what, remedy; undefined while nothing is wrong. */
  fault: string | undefined;

  /** The value that a text says. */
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

  /** The whole document. */
  document(value: unknown): { policy: Policy; signer: PileKey["signer"]; signature: string } {
    const fields = this.#fields("the document", value, ["policy", "signer", "signature"]);
    const policy = this.policy(fields.policy);
    const signer = fields.signer === "sm2" ? "sm2" : "secp256k1";
    if (fields.signer !== signer) this.#refuse("signer", fields.signer, '"sm2" or "secp256k1"');
    const digits = /^[0-9a-f]{128}$/i;
    const signature = this.#text(fields.signature, "signature", digits, "128 hexadecimal digits");
    return { policy, signer, signature };
  }

  /** The policy alone. */
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
