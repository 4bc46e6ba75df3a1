/**
 * Where the configuration is found: the file that was named, `$BUSBAR_CONFIG`, the usual places, or
 * else the default that is built in.
 * @module
 */
import { ConfigError } from "../base/errors.ts";
import type { Option } from "./command.ts";

/** Shown as the name of the built-in configuration. */
export const BUILTIN = "(built-in default)";
/** Where a file is looked for when none is named, in this order. */
export const USUAL_PLACES = ["busbar.yaml", "config/busbar.yaml", "/etc/busbar/busbar.yaml"];
/** Files beyond this are not even read. */
const FILE_MAX = 16 * 1024 * 1024;

/** The same text as `config/busbar.yaml`, which a test compares. */
export const DEFAULT_CONFIG = `\
# The configuration that busbar runs when it is given none. It touches loopback only: to bridge two
# hosts, set \`via\` to the interface between them. Every key: \`busbar config sample\`.
control:
  listen: 127.0.0.1:5555
modules:
  goose_bridge:
    path0:
      tap: goose0
      address: 192.168.100.1/24
      group: 224.0.1.100
      port: 61850
      via: lo
    path1:
      tap: goose1
      address: 192.168.101.1/24
      group: 224.0.1.101
      port: 61850
      via: lo
  goose_monitor: {}
`;

/** `--config_path FILE`, of every command that reads the configuration. */
export const CONFIG_OPTION: Option = {
  name: "config_path",
  short: "c",
  value: "FILE",
  complete: "file",
  summary: "The YAML file; else $BUSBAR_CONFIG, ./busbar.yaml, ./config/busbar.yaml, " +
    "/etc/busbar/busbar.yaml, or the built-in default",
};

/** A configuration's text and where it came from. */
export interface FoundConfig {
  readonly file: string;
  readonly text: string;
  readonly builtin: boolean;
}

/**
 * Finds and reads the configuration.
 *
 * @param named What `--config_path` says; undefined when it was not given.
 * @throws ConfigError when a file that was named, or that is there, cannot be read.
 */
export async function findConfig(
  named: string | undefined,
  env: (name: string) => string | undefined,
): Promise<FoundConfig> {
  const asked = named ?? env("BUSBAR_CONFIG");
  if (asked !== undefined && asked !== "") {
    const text = await read(asked);
    if (text !== undefined) return { file: asked, text, builtin: false };
    const by = named === undefined ? "$BUSBAR_CONFIG" : "--config_path";
    throw new ConfigError(
      "config.file.none",
      `There is no file ${asked}, which ${by} names; \`busbar config sample\` prints one`,
    );
  }
  for (const file of USUAL_PLACES) {
    const text = await read(file);
    if (text !== undefined) return { file, text, builtin: false };
  }
  return { file: BUILTIN, text: DEFAULT_CONFIG, builtin: true };
}

async function read(path: string): Promise<string | undefined> {
  try {
    const { isDirectory, size } = await Deno.stat(path);
    if (isDirectory) throw new ConfigError("config.file.folder", `${path} is a folder, not a file`);
    if (size > FILE_MAX) throw new ConfigError("config.file.size", `${path} is too large`);
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof ConfigError) throw error;
    if (error instanceof TypeError) {
      throw new ConfigError("config.file.text", `${path} is not UTF-8 text`);
    }
    const why = error instanceof Deno.errors.PermissionDenied
      ? "permission denied; check its owner and mode"
      : String(error);
    throw new ConfigError("config.file.read", `Cannot read ${path}: ${why}`);
  }
}
