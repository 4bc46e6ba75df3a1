/**
 * Reads the configuration of the former dual-path GOOSE bridge (an INI file with one section) and
 * writes the same in ours. Every key is mapped, or named as without effect here. Pure.
 * @module
 */

/** What an import came to. */
export interface Imported {
  /** The configuration, ready for `modules:` and the rest. */
  readonly config: Readonly<Record<string, unknown>>;
  /** One line for each key that is not carried over, or that means something else here. */
  readonly notes: readonly string[];
  /** One line for each value that cannot be used. */
  readonly problems: readonly string[];
}

/** What becomes of a key. */
type Fate =
  | { readonly kind: "used" }
  /** Why it has no effect here. */
  | { readonly kind: "dropped"; readonly why: string };

const USED: Fate = { kind: "used" };
const dropped = (why: string): Fate => ({ kind: "dropped", why });
const BY_SERVICE = dropped("the service manager does that");
const BY_SUPERVISOR = dropped(
  "every path is supervised and restarted for ever, with growing pauses",
);
const BY_STATUS = dropped("`busbar status`, /status and /metrics show it");

/** Every key of the former file. */
const FATES: ReadonlyMap<string, Fate> = new Map<string, Fate>([
  ["debug", USED],
  ["log_level", USED],
  ["log_file", USED],
  ["pid_file", BY_SERVICE],
  ["primary_interface", USED],
  ["backup_interface", USED],
  ["primary_tun_ip", USED],
  ["backup_tun_ip", USED],
  ["primary_multicast_ip", USED],
  ["backup_multicast_ip", USED],
  ["multicast_port", USED],
  ["dual_path_mode", dropped("paths are always independent")],
  ["enable_dual_path", USED],
  ["buffer_size", dropped("frames up to `mtu` are taken whole")],
  ["batch_size", USED],
  ["worker_threads", dropped("each path has one thread of its own")],
  ["max_errors", BY_SUPERVISOR],
  ["error_reset_interval", BY_SUPERVISOR],
  ["reconnect_delay", BY_SUPERVISOR],
  ["health_check_interval", BY_SUPERVISOR],
  ["enable_igmp_keepalive", USED],
  ["igmp_keepalive_interval", USED],
  ["igmp_monitor_interval", USED],
  ["igmp_reregister_threshold", USED],
  ["enable_tgw_monitoring", USED],
  ["primary_tgw_multicast_domain_id", USED],
  ["backup_tgw_multicast_domain_id", USED],
  ["enable_stats_export", USED],
  ["stats_file", USED],
  ["stats_export_interval", USED],
  ["enable_dual_path_monitoring", BY_STATUS],
  ["health_status_file", BY_STATUS],
  ["dual_path_log_level", dropped("it was never read")],
  ["primary_path_log_prefix", dropped("every line has the path's id")],
  ["backup_path_log_prefix", dropped("every line has the path's id")],
  ["enable_path_stats_logging", BY_STATUS],
  ["path_stats_log_interval", BY_STATUS],
]);

const LEVELS: Readonly<Record<string, string>> = {
  debug: "debug",
  info: "info",
  warning: "warn",
  warn: "warn",
  error: "error",
  critical: "error",
};

/** Reads one file. Never throws: what cannot be used is a problem. */
export function importGooseConfig(text: string): Imported {
  const notes: string[] = [];
  const problems: string[] = [];
  const values = readIni(text, problems);
  for (const key of values.keys()) {
    const fate = FATES.get(key);
    if (!fate) notes.push(`${key}: is not known, and was left out`);
    else if (fate.kind === "dropped") notes.push(`${key}: has no effect here: ${fate.why}`);
  }
  const use = new Values(values, problems);
  const log = {
    level: use.flag("debug") === true ? "debug" : use.word("log_level", LEVELS) ?? "info",
    ...optional("file", use.text("log_file")),
  };
  const shared = {
    ...optional("port", use.whole("multicast_port", 1, 65_535)),
    ...optional("batch", use.whole("batch_size", 1, 512)),
    ...optional("igmp_keepalive", use.flag("enable_igmp_keepalive")),
    ...optional("igmp_keepalive_interval", use.span("igmp_keepalive_interval", 10, 119)),
    ...optional("igmp_monitor_interval", use.span("igmp_monitor_interval", 10, 3600)),
    ...optional("igmp_reregister_threshold", use.whole("igmp_reregister_threshold", 1, 10)),
  };
  const path = (name: string, tap: string, address: string, group: string) => ({
    tap: use.text(`${name}_interface`) ?? tap,
    address: use.text(`${name}_tun_ip`) ?? address,
    group: use.text(`${name}_multicast_ip`) ?? group,
    ...shared,
  });
  const paths: Record<string, unknown> = {
    path0: path("primary", "goose0", "192.168.100.1/24", "224.0.1.100"),
  };
  if (use.flag("enable_dual_path") !== false) {
    paths.path1 = path("backup", "goose1", "192.168.101.1/24", "224.0.1.101");
  }
  notes.push(
    "via: the former bridge had no such key; without it the default route's interface is " +
      "joined. Name the interface towards the other hosts",
  );
  if (values.has("primary_tun_ip") || values.has("backup_tun_ip")) {
    notes.push(
      "*_tun_ip: the former bridge overwrote these by the host's last octet; here they hold",
    );
  }
  const monitor = monitorOf(use);
  const config = {
    log,
    modules: {
      "goose_bridge": paths,
      ...(Object.keys(monitor).length === 0 ? {} : { "goose_monitor": monitor }),
    },
  };
  return { config, notes, problems };
}

/** Statistics and transit gateway: what is switched off there is left out here. */
function monitorOf(use: Values): Record<string, unknown> {
  const stats = use.flag("enable_stats_export") !== false;
  const gateway = use.flag("enable_tgw_monitoring") !== false;
  return {
    ...(stats ? optional("stats_file", use.text("stats_file")) : {}),
    ...(stats ? optional("stats_interval", use.span("stats_export_interval", 1, 86_400)) : {}),
    ...(gateway ? optional("primary_domain", use.text("primary_tgw_multicast_domain_id")) : {}),
    ...(gateway ? optional("backup_domain", use.text("backup_tgw_multicast_domain_id")) : {}),
  };
}

/** Whether a text looks like the former file rather than ours. */
export function isGooseConfig(text: string): boolean {
  return /^\s*\[DEFAULT\]\s*$/mi.test(text) && /^\s*(primary|backup)_\w+\s*[=:]/m.test(text);
}

function optional(key: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [key]: value };
}

/** Keys are lower-case; a comment behind a value is cut, which the former parser did not do. */
function readIni(text: string, problems: string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || /^[#;]/.test(line) || /^\[.*\]$/.test(line)) continue;
    const match = /^([A-Za-z_][\w.-]*)\s*[=:]\s*(.*)$/.exec(line);
    if (!match) {
      problems.push(`line ${index + 1}: is no KEY = VALUE: ${line.slice(0, 60)}`);
      continue;
    }
    values.set(match[1]!.toLowerCase(), match[2]!.replace(/\s+[#;].*$/, "").trim());
  }
  return values;
}

/** Values of the former file, read as what they have to be. */
class Values {
  constructor(readonly values: ReadonlyMap<string, string>, readonly problems: string[]) {}

  text(key: string): string | undefined {
    const value = this.values.get(key);
    return value === "" ? undefined : value;
  }

  flag(key: string): boolean | undefined {
    const value = this.text(key)?.toLowerCase();
    if (value === undefined) return undefined;
    if (["true", "yes", "on", "1"].includes(value)) return true;
    if (["false", "no", "off", "0"].includes(value)) return false;
    return this.#bad(key, "must be true or false");
  }

  word(key: string, words: Readonly<Record<string, string>>): string | undefined {
    const value = this.text(key)?.toLowerCase();
    if (value === undefined) return undefined;
    return words[value] ?? this.#bad(key, `must be one of ${Object.keys(words).join(", ")}`);
  }

  whole(key: string, least: number, most: number): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
    if (number >= least && number <= most) return number;
    return this.#bad(key, `must be a whole number from ${least} to ${most}`);
  }

  /** Seconds, as `90s`. */
  span(key: string, least: number, most: number): string | undefined {
    const seconds = this.whole(key, least, most);
    return seconds === undefined ? undefined : `${seconds}s`;
  }

  #bad(key: string, message: string): undefined {
    this.problems.push(`${key}: ${message} (is ${this.values.get(key)}); the default is taken`);
  }
}
