/**
 * The statistics of two paths in the shape of the former bridge's file, with what it lacked: drops
 * by reason, ages, rates. Pure.
 * @module
 */
import type { Neighbor } from "../../kernel/module.ts";
import type { JsonObject } from "../../kernel/registry.ts";

/** Prefixes of the counters of a path that are shown as maps. */
const DROP = "drop_";
const AGE = "age_within_";
const AGE_BEYOND = "age_beyond_";
/** Counters whose rates are told. */
const RATED = ["goose_to_ip", "ip_to_goose", "dropped"] as const;

/** What is known of the transit gateway's side of a path. */
export interface GatewayView {
  /** Answers that did not have the group. */
  readonly missing: number;
  /** The last answer; undefined while there is none. */
  readonly present: boolean | undefined;
  /** When it was given, in epoch milliseconds; 0 for never. */
  readonly answeredAt: number;
}

/** One path as it is now; undefined when there is none of that name. */
export interface PathView {
  readonly neighbor: Neighbor | undefined;
  readonly gateway: GatewayView;
}

/** The two paths, and the node around them. */
export interface StatisticsInput {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly startedAt: number;
  readonly running: boolean;
  readonly primary: PathView;
  readonly backup: PathView;
  /** Per second, by {@linkcode Rates}. */
  readonly rates: { readonly primary: JsonObject; readonly backup: JsonObject };
}

/** The document. Times are seconds, as floating-point numbers. */
export function statistics(input: StatisticsInput): JsonObject {
  const { now, startedAt, running, primary, backup, rates } = input;
  return {
    timestamp: now / 1000,
    service_info: {
      primary_interface: interfaceOf(primary.neighbor),
      backup_interface: interfaceOf(backup.neighbor),
      primary_multicast: groupOf(primary.neighbor),
      backup_multicast: groupOf(backup.neighbor),
      dual_path_mode: "independent",
    },
    statistics: {
      start_time: startedAt / 1000,
      uptime: (now - startedAt) / 1000,
      primary_path: pathOf(primary.neighbor),
      backup_path: pathOf(backup.neighbor),
      igmp_stats: { primary: igmpOf(primary), backup: igmpOf(backup) },
      rates: { primary_path: rates.primary, backup_path: rates.backup },
    },
    health: {
      running,
      primary_active: running && primary.neighbor?.state === "up",
      backup_active: running && backup.neighbor?.state === "up",
    },
  };
}

/** Turns counters into rates per second, from one call to the next. */
export class Rates {
  #last: Readonly<Record<string, number>> | undefined;
  #lastAt = 0;

  /** @param now Milliseconds of any clock that only goes forward. */
  next(neighbor: Neighbor | undefined, now: number): JsonObject {
    const { frames_out = 0, frames_in = 0, dropped = 0 } = neighbor?.counters ?? {};
    const counts = { "goose_to_ip": frames_out, "ip_to_goose": frames_in, dropped };
    const last = this.#last ?? counts;
    const span = now - this.#lastAt;
    this.#last = counts;
    this.#lastAt = now;
    return Object.fromEntries(RATED.map((name) => {
      // A service that has started anew counts from 0.
      const more = Math.max(0, counts[name] - last[name]!);
      return [`${name}_per_s`, span > 0 ? Math.round(more / span * 10_000) / 10 : 0];
    }));
  }
}

/**
 * The age below which a share of the frames arrived: the upper end of its class in microseconds;
 * null when there is none, or it is beyond the last class.
 */
export function quantile(counters: Readonly<Record<string, number>>, share: number): number | null {
  const classes = agesOf(counters);
  const total = classes.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return null;
  let seen = 0;
  for (const { micros, count } of classes) {
    seen += count;
    if (seen >= total * share) return Number.isFinite(micros) ? micros : null;
  }
  return null;
}

function pathOf(neighbor: Neighbor | undefined): JsonObject {
  const counters = neighbor?.counters ?? {};
  const count = (name: string) => counters[name] ?? 0;
  const received = count("tap_received");
  const tagged = count("tap_received_tagged");
  const refused = ["runt", "ethertype", "gse_management", "sampled_values", "double_tag"]
    .concat(["destination", "app_id", "vlan"])
    .reduce((sum, reason) => sum + count(`${DROP}${reason}`), 0);
  const drops = Object.entries(counters).filter(([name]) => name.startsWith(DROP));
  return {
    goose_to_ip: count("frames_out"),
    ip_to_goose: count("frames_in"),
    goose_received: Math.max(0, received - tagged - refused),
    vlan_goose_received: tagged,
    errors: count("drop_no_network") + count("drop_network_busy") + count("drop_no_tap") +
      count("malformed"),
    last_activity: count("last_activity"),
    dropped: count("dropped"),
    drops: Object.fromEntries(
      drops.filter(([, value]) => value > 0)
        .map(([name, value]) => [name.slice(DROP.length), value]),
    ),
    latency: {
      frames: Object.fromEntries(agesOf(counters).map(({ name, count }) => [name, count])),
      p50_us: quantile(counters, 0.5),
      p99_us: quantile(counters, 0.99),
      p999_us: quantile(counters, 0.999),
    },
  };
}

function igmpOf({ neighbor, gateway }: PathView): JsonObject {
  const count = (name: string) => neighbor?.counters[name] ?? 0;
  return {
    keepalive_count: count("igmp_reports"),
    reregister_count: count("igmp_reregistered"),
    monitor_checks: count("igmp_checks"),
    tgw_missing_count: gateway.missing,
    local_missing_count: count("igmp_missing"),
    last_keepalive: count("igmp_last_report"),
    last_monitor_check: count("igmp_last_check"),
    tgw_present: gateway.present ?? null,
    tgw_answered: gateway.answeredAt / 1000,
  };
}

interface AgeClass {
  readonly name: string;
  /** Upper end; infinite for the last. */
  readonly micros: number;
  readonly count: number;
}

function agesOf(counters: Readonly<Record<string, number>>): AgeClass[] {
  return Object.entries(counters).flatMap(([name, count]): AgeClass[] => {
    if (name.startsWith(AGE_BEYOND)) return [{ name: "beyond", micros: Infinity, count }];
    if (!name.startsWith(AGE)) return [];
    const written = name.slice(AGE.length);
    const factor = written.endsWith("us") ? 1 : 1000;
    return [{ name: written, micros: parseInt(written) * factor, count }];
  }).toSorted((one, other) => one.micros - other.micros);
}

function interfaceOf(neighbor: Neighbor | undefined): string {
  const { tap, interface: station } = (neighbor?.config ?? {}) as Record<string, unknown>;
  return String(tap ?? station ?? "");
}

function groupOf(neighbor: Neighbor | undefined): string {
  const { group, port } = (neighbor?.config ?? {}) as Record<string, unknown>;
  return group === undefined ? "" : `${group}:${port}`;
}
