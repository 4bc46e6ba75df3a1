/**
 * Reads the configuration of the former stream relay (version 4, YAML) and writes the same in ours.
 * Every key is mapped, or named as without effect here. Pure.
 * @module
 */
import { formatSpan, millis } from "../base/time.ts";
import { readYaml } from "../kernel/yaml_text.ts";
import type { Imported } from "./legacy_goose.ts";

/** Variable that the imported file takes the control port's token from. */
export const IMPORT_TOKEN = "BUSBAR_TOKEN";
const SECTIONS: readonly string[] = ["gateway", "zeromq", "gosrt", "logging"];
const SHUTDOWN_MAX_MS = 8000;
const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const LEVELS: Readonly<Record<string, string>> = {
  debug: "debug",
  info: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
};

type Fields = Readonly<Record<string, unknown>>;

/** Whether a text looks like the former relay's file. */
export function isRelayConfig(text: string): boolean {
  return /^(gateway|zeromq|gosrt|relay)\s*:/m.test(text);
}

/** Reads one file. Never throws: what cannot be used is a problem. */
export function importRelayConfig(text: string): Imported {
  const problems: string[] = [];
  const { value, faults } = readYaml(text);
  for (const { line, message } of faults) problems.push(`line ${line}: ${message}`);
  const root = fieldsOf(value);
  if ("relay" in root && !("gateway" in root)) {
    problems.push("relay: this is a file of version 1, which version 4 ignored; nothing was read");
  }
  const use = new Values(root, problems);
  const port = use.whole("gateway", "tcp_port", 1, 65_535) ?? 5555;
  const config = {
    control: { listen: `0.0.0.0:${port}`, token: `\${${IMPORT_TOKEN}}`, "public_read": true },
    log: logOf(use),
    modules: { "stream_relay": relayOf(use) },
  };
  use.rest();
  const notes = [
    `control.token: comes from the environment; set ${IMPORT_TOKEN} to at least 16 characters`,
    "auth.public: anybody may register, as before. Better: auth.mode shared or per_id",
    ...use.notes,
  ];
  return { config, notes, problems };
}

function relayOf(use: Values): Fields {
  const shutdown = use.span("gateway", "shutdown_timeout");
  if (shutdown !== undefined && shutdown > SHUTDOWN_MAX_MS) {
    use.notes.push("gateway.shutdown_timeout: had no effect before; here it does, up to 8s");
  }
  return {
    ...optional("max_connections", use.whole("gateway", "max_connections", 1, 65_535)),
    ...optional("auth_timeout", spanOf(use.span("gateway", "auth_timeout"))),
    ...optional(
      "shutdown_timeout",
      spanOf(shutdown === undefined ? undefined : Math.min(shutdown, SHUTDOWN_MAX_MS)),
    ),
    auth: { mode: "none", public: true },
    ...section("tcp", {
      ...optional("port_range", use.text("zeromq", "port_range")),
      ...optional("sndhwm", use.whole("zeromq", "sndhwm", 1, 1_000_000)),
      ...optional("rcvhwm", use.whole("zeromq", "rcvhwm", 1, 1_000_000)),
      ...optional("sndbuf", octets(use.whole("zeromq", "sndbuf", 0, 2 ** 30))),
      ...optional("rcvbuf", octets(use.whole("zeromq", "rcvbuf", 0, 2 ** 30))),
      ...optional("linger", seconds(use.whole("zeromq", "linger", 0, 600))),
    }),
    ...section("srt", {
      ...optional("port_range", use.text("gosrt", "port_range")),
      ...optional("latency", spanOf(use.whole("gosrt", "latency", 0, 30_000))),
      ...optional("maxbw", use.whole("gosrt", "maxbw", 0, 2 ** 31)),
      ...optional("ipttl", use.whole("gosrt", "ipttl", 1, 255)),
    }),
  };
}

function logOf(use: Values): Fields {
  const file = use.text("logging", "file_path");
  const output = use.text("logging", "output");
  const format = use.text("logging", "format");
  const size = use.text("logging", "max_size");
  const match = /^(\d+)\s*(B|KB|MB|GB)$/i.exec(size ?? "");
  if (size !== undefined && !match) use.problems.push(`logging.max_size: is no size (is ${size})`);
  const age = use.whole("logging", "max_age", 0, 365);
  use.drop("logging", "compress", "rotated files are always compressed");
  return {
    level: LEVELS[use.text("logging", "level")?.toLowerCase() ?? "info"] ?? "info",
    ...optional("format", format === "json" || format === "text" ? format : undefined),
    ...(output === "file" ? optional("file", file) : {}),
    // The former units count in steps of 1024.
    ...optional("rotate_size", match ? `${match[1]}${unitOf(match[2]!)}` : undefined),
    ...optional("rotate_age", age !== undefined && age > 0 ? `${age}d` : undefined),
    keep: 3,
  };
}

class Values {
  readonly notes: string[] = [];
  readonly #seen = new Set<string>();

  constructor(readonly root: Fields, readonly problems: string[]) {
    this.drop("zeromq", "reconnect_ivl", "it had no effect before either");
  }

  text(section: string, key: string): string | undefined {
    const value = this.#take(section, key);
    return value === undefined || value === "" ? undefined : String(value);
  }

  whole(section: string, key: string, least: number, most: number): number | undefined {
    const value = this.#take(section, key);
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) {
      return Number(value);
    }
    this.problems.push(
      `${section}.${key}: must be a whole number from ${least} to ${most} (is ${value})`,
    );
    return undefined;
  }

  /** Milliseconds out of `1m30s`. */
  span(section: string, key: string): number | undefined {
    const value = this.text(section, key);
    if (value === undefined) return undefined;
    const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)];
    if (parts.length > 0 && parts.map(([all]) => all).join("") === value) {
      return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0);
    }
    this.problems.push(`${section}.${key}: is no time such as 30s (is ${value})`);
    return undefined;
  }

  drop(section: string, key: string, why: string): void {
    if (this.#take(section, key) === undefined) return;
    this.notes.push(`${section}.${key}: has no effect here: ${why}`);
  }

  /** Names what nobody has asked for. */
  rest(): void {
    for (const [section, fields] of Object.entries(this.root)) {
      const keys = Object.keys(fieldsOf(fields));
      const known = SECTIONS.includes(section);
      for (const key of keys.length === 0 && !known ? [""] : keys) {
        const path = key === "" ? section : `${section}.${key}`;
        if (!this.#seen.has(path)) this.notes.push(`${path}: is not known, and was left out`);
      }
    }
  }

  #take(section: string, key: string): unknown {
    this.#seen.add(`${section}.${key}`);
    return fieldsOf(this.root[section])[key];
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Fields
    : {};
}

function section(key: string, fields: Fields): Fields {
  return Object.keys(fields).length === 0 ? {} : { [key]: fields };
}

function optional(key: string, value: unknown): Fields {
  return value === undefined ? {} : { [key]: value };
}

function spanOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatSpan(millis(ms));
}

function octets(count: number | undefined): string | undefined {
  return count === undefined ? undefined : `${count}B`;
}

function seconds(count: number | undefined): string | undefined {
  return count === undefined ? undefined : `${count}s`;
}

function unitOf(unit: string): string {
  const upper = unit.toUpperCase();
  return upper === "B" ? "B" : `${upper[0]}iB`;
}
