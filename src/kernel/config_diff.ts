/** What a reload has to do: the difference of two configurations, instance by instance, by value. */
import type { ServiceConfig } from "./config.ts";

/** Services to stop, then services to start. A changed one is in both. */
export interface ServiceDiff {
  readonly stop: readonly string[];
  readonly start: readonly ServiceConfig[];
}

/** Compares by value: a key that was moved or written in another way is no change. */
export function diffServices(
  before: readonly ServiceConfig[],
  after: readonly ServiceConfig[],
): ServiceDiff {
  const unchanged = (one: ServiceConfig, others: readonly ServiceConfig[]) =>
    others.some((other) =>
      other.id === one.id && other.module === one.module && equal(other.config, one.config)
    );
  return {
    stop: before.filter((service) => !unchanged(service, after)).map(({ id }) => id),
    start: after.filter((service) => !unchanged(service, before)),
  };
}

/** Whether two values of plain data are the same. */
export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) =>
    Object.hasOwn(b, key) &&
    equal((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])
  );
}
