/**
 * The configuration: one YAML text in, a checked and frozen value or every problem at once out.
 * @module
 */
import { createHash } from "node:crypto";
import { ConfigReader } from "./config_reader.ts";
import type { ModuleDef } from "./module.ts";
import type { ControlConfig, LogConfig, PointsConfig } from "./settings.ts";

/** One thing the operator has to change. */
export interface Problem {
  readonly severity: "error" | "warning";
  /** From 1; 0 when the problem has no place in the file. */
  readonly line: number;
  readonly column: number;
  /** `modules.goose_bridge.path0.mtu`. */
  readonly path: string;
  /** What is wrong, such as `must be a whole number from 1 to 65535`. */
  readonly message: string;
  /** The value as written, shortened; absent when there is none or when it is a secret. */
  readonly value?: string;
  /** What to do, such as `Did you mean "group"?`. */
  readonly remedy?: string;
}

/** One service to run. */
export interface ServiceConfig {
  /** `<module>` or `<module>.<instance>`. */
  readonly id: string;
  readonly module: ModuleDef;
  /** Checked and deeply frozen; plain data that survives `postMessage`. */
  readonly config: unknown;
}

/** A whole checked configuration. */
export interface BusbarConfig {
  /** `sha256:<hex>` of the text. */
  readonly digest: string;
  readonly control: ControlConfig;
  readonly log: LogConfig;
  readonly points: PointsConfig;
  readonly services: readonly ServiceConfig[];
  /** Values of secret fields; the log replaces them by `***` wherever they appear. */
  readonly secrets: readonly string[];
}

/** Where a configuration comes from. */
export interface ConfigSource {
  /** The name shown in problems; the caller has read it. */
  readonly file: string;
  readonly text: string;
  readonly modules: readonly ModuleDef[];
  env(name: string): string | undefined;
  /** `--goose-bridge` is true, `--no-goose-bridge` false; absent leaves it to the file. */
  readonly flags: Readonly<Record<string, boolean>>;
}

/** What reading gave: a configuration when no problem is an error. */
export interface ConfigReading {
  readonly config: BusbarConfig | undefined;
  readonly problems: readonly Problem[];
}

/** Reads and checks a configuration. Never throws: whatever the text is, it gives problems. */
export function readConfig(source: ConfigSource): ConfigReading {
  const digest = `sha256:${createHash("sha256").update(source.text).digest("hex")}`;
  return new ConfigReader(source, digest).read();
}
