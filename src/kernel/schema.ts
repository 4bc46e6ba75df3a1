/**
 * The vocabulary in which modules declare their configuration: Zod schemas, wrapped, and the only
 * file that imports Zod. One field of one schema serves parse, check, sample YAML, JSON Schema, the
 * README table and redaction: `.describe()` holds the sentence, `.meta()` holds the rest.
 *
 * YAML keys are `snake_case`; {@linkcode section} turns them into `camelCase`, in one place.
 * @module
 */
import { z } from "zod";
import { isAddress, parseIpv4 } from "../base/address.ts";
import { formatSize, parseSize } from "../base/size.ts";
import { formatSpan, type Millis, parseSpan } from "../base/time.ts";
import type { Endpoint } from "../platform/ports.ts";

/** A schema whose checked value is a `T`. Its input is what YAML holds. */
export type Schema<T> = z.ZodType<T>;
/** The type of a checked configuration value. */
export type Infer<S extends z.ZodType> = z.output<S>;

/** What a field may tell beside its sentence, for the sample, the reference and the redaction. */
export interface FieldMeta {
  /** Never shown: not by `config show`, not in logs, not in /status. */
  readonly secret?: boolean;
  /** How the value is written, for messages and tables: `duration`, `IPv4 address`. */
  readonly kind?: string;
  /** Shown in the sample where there is no default. */
  readonly example?: unknown;
  /** Whether the sample has it, though it may be left out. */
  readonly sample?: boolean;
}

type Camel<S> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type CamelKeys<T> = { readonly [K in keyof T as Camel<K>]: T[K] };

/** `keep_alive_interval` to `keepAliveInterval`. */
export function camel(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** A map with exactly these keys: `snake_case` in YAML, `camelCase` in code. */
export function section<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape).transform((values) =>
    Object.fromEntries(
      Object.entries(values).map(([key, value]) => [camel(key), value]),
    ) as CamelKeys<z.output<z.ZodObject<S>>>
  );
}

/** A text of at least one character. */
export function text() {
  return z.string({ error: "must be a text" }).min(1, "must not be empty").meta({ kind: "text" });
}

/** A text that is never shown. Written in YAML as `${NAME}`, so that it stays out of the file. */
export function secret() {
  return z.string({ error: "must be a text" }).min(1, "must not be empty")
    .meta({ kind: "secret", secret: true });
}

/** Names, each with a text that is never shown. */
export function secrets(min: number) {
  const message = `must be a map of names to texts of at least ${min} characters`;
  return z.record(z.string(), z.string({ error: message }).min(min, message), { error: message })
    .meta({ kind: "map of secrets", secret: true });
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.int({ error: message }).min(min, message).max(max, message)
    .meta({ kind: `${min}…${max}` });
}

/** `true` or `false`. */
export function flag() {
  return z.boolean({ error: "must be true or false" }).meta({ kind: "true, false" });
}

/** One of some words. */
export function choice<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, { error: `must be one of ${words.join(", ")}` })
    .meta({ kind: words.join(", ") });
}

/** A span of time with its unit, such as `15s`. A bare number is refused: nobody knows its unit. */
export function duration(min: Millis, max: Millis) {
  const range = `from ${formatSpan(min)} to ${formatSpan(max)}`;
  const message = `must be a time with its unit (250ms, 15s, 2m, 1h), ${range}`;
  return z.string({ error: message }).transform((written, context): Millis => {
    const span = parseSpan(written);
    if (span !== undefined && span >= min && span <= max) return span;
    context.issues.push({ code: "custom", message, input: written });
    return z.NEVER;
  }).meta({ kind: "duration" });
}

/** A size in octets with its unit, such as `64KiB` or `2MiB`. A bare number is refused. */
export function size(min: number, max: number) {
  const message =
    `must be a size with its unit (512B, 64KiB, 2MiB, 1GiB), from ${formatSize(min)} to ` +
    formatSize(max);
  return z.string({ error: message }).transform((written, context): number => {
    const octets = parseSize(written);
    if (octets !== undefined && octets >= min && octets <= max) return octets;
    context.issues.push({ code: "custom", message, input: written });
    return z.NEVER;
  }).meta({ kind: "size" });
}

/** A numeric address and a port: `127.0.0.1:5555`, `[::1]:5555`. Port 0 lets the system choose. */
export function endpoint() {
  const message = "must be an address and a port, such as 127.0.0.1:5555 or [::1]:5555";
  return z.string({ error: message }).transform((written, context): Endpoint => {
    const match = /^(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([0-9A-Fa-f:.]+)\]):(\d{1,5})$/.exec(written);
    const host = match?.[1] ?? match?.[2];
    if (match && host !== undefined && isAddress(host) && Number(match[3]) <= 65_535) {
      return { host, port: Number(match[3]) };
    }
    context.issues.push({ code: "custom", message, input: written });
    return z.NEVER;
  }).meta({ kind: "address:port" });
}

/** An IPv4 network as first and mask: `10.0.0.0/24`, or one address. */
export interface Network {
  readonly first: number;
  readonly mask: number;
}

/** An IPv4 address, or a network with its prefix. */
export function network() {
  const message = "must be an IPv4 address or network, such as 10.0.0.2 or 10.0.0.0/24";
  return z.string({ error: message }).transform((written, context): Network => {
    const [, host, prefix = "32"] = /^([0-9.]+)(?:\/(\d{1,2}))?$/.exec(written) ?? [];
    const address = host === undefined ? undefined : parseIpv4(host);
    if (address !== undefined && Number(prefix) <= 32) {
      const mask = prefix === "0" ? 0 : (0xffff_ffff << (32 - Number(prefix))) >>> 0;
      return { first: (address & mask) >>> 0, mask };
    }
    context.issues.push({ code: "custom", message, input: written });
    return z.NEVER;
  }).meta({ kind: "IPv4 network" });
}

/** Numbers from first to last, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * One value or a range of values, written `first-last`.
 *
 * @param parse One value; undefined for what is none.
 * @param what For the message and the reference: `an APPID such as 0x0001 or 0x0001-0x3fff`.
 */
export function range(parse: (written: string) => number | undefined, what: string, kind: string) {
  const message = `must be ${what}`;
  return z.union([z.string(), z.int()], { error: message }).transform((value, context): Range => {
    const written = String(value);
    const [from = "", to = from, more] = written.split("-").map((part) => part.trim());
    const first = parse(from);
    const last = parse(to);
    if (more === undefined && first !== undefined && last !== undefined && first <= last) {
      return { first, last };
    }
    context.issues.push({ code: "custom", message, input: written });
    return z.NEVER;
  }).meta({ kind });
}

/** Up to `max` values of one kind, at least one. */
export function list<S extends z.ZodType>(of: S, max: number) {
  const kind = (of.meta() as FieldMeta | undefined)?.kind ?? "value";
  return z.array(of, { error: "must be a list" }).min(1, "must not be empty")
    .max(max, `must have at most ${max} values`).meta({ kind: `list of ${kind}` });
}

export { z };
