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
import { PolicyReader } from "./policy_reader.ts";
import {
  DAY_MINUTES,
  instantOf,
  layOut,
  type Policy,
  type Stretch,
  type TariffPeriod,
} from "./policy_week.ts";

export { PERIODS_MAX, POLICY_MAX } from "./policy_reader.ts";
export type { Policy, TariffPeriod } from "./policy_week.ts";

/** Stands for the hash where there is no policy. */
export const NO_POLICY_HASH: Uint8Array = new Uint8Array(DIGEST_SIZE);

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
  const reader = new PolicyReader();
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
  const reader = new PolicyReader();
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
const WATTS_PER_KILOWATT = 1000n;
const MINUTE = 60_000;
const WEEK = 7 * DAY_MINUTES * MINUTE;
/** The Monday before the epoch, which was a Thursday. */
const MONDAY = 3 * DAY_MINUTES * MINUTE;
/** The last instant that has a date. */
const LAST_MS = 8.64e15;
type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };
type Fraction = readonly [over: bigint, under: bigint];

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
