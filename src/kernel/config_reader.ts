/**
 * The steps from a YAML text to a checked configuration: text, environment, sections, modules,
 * claims. Every step goes on after a problem as far as it can, so that the operator sees all of
 * them at once.
 * @module
 */
import { isLoopback } from "../base/address.ts";
import { nearest } from "../base/nearest.ts";
import { claimProblems } from "./config_claims.ts";
import type {
  BusbarConfig,
  ConfigReading,
  ConfigSource,
  Problem,
  ServiceConfig,
} from "./config.ts";
import { retype, substitute } from "./environment.ts";
import type { ModuleDef } from "./module.ts";
import type { Schema } from "./schema.ts";
import {
  checkValue,
  fieldAt,
  fieldsOf,
  type Issue,
  secretPaths,
  valueAt,
} from "./schema_fields.ts";
import { CONTROL, LOG, POINTS } from "./settings.ts";
import { readYaml, TEXT_MAX, type YamlText } from "./yaml_text.ts";

const SECTIONS = ["control", "log", "points", "modules"];
const INSTANCE = /^[a-z0-9_-]{1,32}$/;
const TOKEN_LENGTH_MIN = 16;
const SHOWN_MAX = 60;
const DEPTH_MAX = 32;

/** Reads one text; used once. */
export class ConfigReader {
  readonly #source: ConfigSource;
  readonly #digest: string;
  readonly #yaml: YamlText;
  readonly #problems: Problem[] = [];
  readonly #secrets: string[] = [];

  constructor(source: ConfigSource, digest: string) {
    this.#source = source;
    this.#digest = digest;
    const tooLong = source.text.length > TEXT_MAX;
    this.#yaml = readYaml(tooLong ? "" : source.text);
    if (tooLong) {
      this.#add({ line: 0, column: 0 }, "", `file is larger than ${TEXT_MAX} octets`);
    }
  }

  read(): ConfigReading {
    for (const { line, column, message, remedy } of this.#yaml.faults) {
      this.#add({ line, column }, "", message, { remedy });
    }
    if (this.#problems.length > 0) return this.#done(undefined);
    const root = this.#yaml.value ?? {};
    if (!isMap(root)) {
      this.#add(
        { line: 1, column: 1 },
        "",
        "must be a map with the keys control, log, points and modules",
      );
      return this.#done(undefined);
    }
    for (const key of Object.keys(root)) {
      if (!SECTIONS.includes(key)) this.#unknown([key], SECTIONS);
    }
    const control = this.#section(["control"], CONTROL, root.control ?? {});
    const log = this.#section(["log"], LOG, root.log ?? {});
    const points = this.#section(["points"], POINTS, root.points ?? {});
    const services = this.#services(root.modules ?? {});
    if (!control || !log || !points) return this.#done(undefined);
    this.#checkToken(control);
    for (const { path, message, remedy } of claimProblems(control.listen, services)) {
      this.#add(this.#yaml.placeOfKey(path), path.join("."), message, { remedy });
    }
    const secrets = [...new Set(this.#secrets)];
    return this.#done({ digest: this.#digest, control, log, points, services, secrets });
  }

  get #errors(): number {
    return this.#problems.filter(({ severity }) => severity === "error").length;
  }

  #done(config: BusbarConfig | undefined): ConfigReading {
    const problems = this.#problems.sort((a, b) => a.line - b.line || a.column - b.column);
    return { config: this.#errors === 0 && config ? freeze(config) : undefined, problems };
  }

  /** Checks one section against its schema; undefined when it has problems. */
  #section<T>(path: readonly string[], schema: Schema<T>, written: unknown): T | undefined {
    const before = this.#errors;
    const value = this.#replace(path, schema, [], written, 0);
    for (const secret of secretPaths(schema)) {
      const found = valueAt(value, secret);
      for (const one of typeof found === "object" ? Object.values(found ?? {}) : [found]) {
        if (typeof one === "string") this.#secrets.push(one);
      }
    }
    const result = checkValue(schema, value);
    if (result.issues === undefined) {
      return this.#errors === before ? result.value : undefined;
    }
    for (const issue of result.issues) this.#issue(path, schema, issue, value);
    return undefined;
  }

  /** Puts the environment into texts. */
  #replace<T>(
    root: readonly string[],
    schema: Schema<T>,
    path: readonly string[],
    value: unknown,
    depth: number,
  ): unknown {
    if (depth > DEPTH_MAX) return value;
    if (typeof value === "string") return this.#replaceText(root, schema, path, value);
    if (Array.isArray(value)) {
      return value.map((item, index) =>
        this.#replace(root, schema, [...path, String(index)], item, depth + 1)
      );
    }
    if (!isMap(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        this.#replace(root, schema, [...path, key], item, depth + 1),
      ]),
    );
  }

  #replaceText<T>(
    root: readonly string[],
    schema: Schema<T>,
    path: readonly string[],
    written: string,
  ): unknown {
    const { text, changed, whole, unset, broken } = substitute(written, this.#source.env);
    const here = [...root, ...path];
    const place = this.#yaml.placeOf(here);
    for (const name of unset) {
      this.#add(place, here.join("."), `environment variable ${name} is not set`, {
        remedy: `Set it before the start, or give a default: \${${name}:-value}`,
      });
    }
    if (broken) {
      this.#add(place, here.join("."), "has a ${ that is not followed by a name and }", {
        remedy: "Write $${ for the characters themselves",
      });
    }
    const field = fieldAt(schema, path);
    if (field?.secret && !changed) {
      this.#add(place, here.join("."), "is written in the file itself", {
        severity: "warning",
        remedy: `Put it into the environment and write \${${field.key.toUpperCase()}}`,
      });
    }
    return whole ? retype(text, field?.scalar) : text;
  }

  #issue<T>(root: readonly string[], schema: Schema<T>, issue: Issue, value: unknown): void {
    const path = [...root, ...issue.path];
    // One sentence for one value is enough; the first says most.
    const name = path.join(".");
    if (this.#problems.some((known) => known.path === name && known.severity === "error")) return;
    if (issue.unknown) {
      const parent = issue.path.slice(0, -1);
      const fields = parent.length === 0 ? fieldsOf(schema) : fieldAt(schema, parent)?.fields ?? [];
      return this.#unknown(path, fields.map(({ key }) => key));
    }
    const field = fieldAt(schema, issue.path);
    const found = valueAt(value, issue.path);
    if (issue.missing && issue.path.length > 0) {
      const remedy = field?.example === undefined
        ? undefined
        : `Add \`${field.key}: ${String(field.example)}\``;
      const place = this.#yaml.placeOfKey(path.slice(0, -1));
      return this.#add(place, path.join("."), `is missing; it ${issue.message}`, { remedy });
    }
    const shown = found === undefined || field?.secret ? undefined : show(found);
    this.#add(this.#yaml.placeOf(path), path.join("."), issue.message, {
      value: shown,
      remedy: remedyFor(field?.kind, found, issue.message),
    });
  }

  #unknown(path: readonly string[], known: readonly string[]): void {
    const key = path.at(-1)!;
    const meant = nearest(key, known);
    const remedy = meant === undefined
      ? `Known are ${known.length === 0 ? "none" : known.join(", ")}`
      : `Did you mean "${meant}"?`;
    const place = this.#yaml.placeOfKey(path);
    this.#add(place, path.join("."), `is not known`, { remedy });
  }

  #services(written: unknown): ServiceConfig[] {
    const { modules, flags } = this.#source;
    if (!isMap(written)) {
      const place = this.#yaml.placeOf(["modules"]);
      this.#add(place, "modules", "must be a map of modules", { value: show(written) });
      return [];
    }
    const names = modules.map(({ name }) => name);
    for (const name of Object.keys(written)) {
      if (!names.includes(name)) this.#unknown(["modules", name], names);
    }
    return modules.flatMap((module) => {
      const { name } = module;
      const on = flags[name] ?? Object.hasOwn(written, name);
      const config = Object.hasOwn(written, name) ? written[name] : undefined;
      // One that is turned off is checked all the same: it will be turned on again.
      const services = config === undefined && !on ? [] : this.#module(module, config);
      return on ? services : [];
    });
  }

  #module(module: ModuleDef, written: unknown): ServiceConfig[] {
    const path = ["modules", module.name];
    if (!module.many) {
      const config = this.#section(path, module.config, written ?? {});
      return config === undefined ? [] : [{ id: module.name, module, config }];
    }
    if (written === undefined) {
      const option = `--${module.name.replaceAll("_", "-")}`;
      this.#add(this.#yaml.placeOfKey(["modules"]), path.join("."), `is missing`, {
        remedy: `${option} turns on what the file describes; see \`busbar config sample\``,
      });
      return [];
    }
    if (!isMap(written) || Object.keys(written).length === 0) {
      const message = "must be a map of at least one named instance";
      const shown = isMap(written) ? undefined : show(written);
      this.#add(this.#yaml.placeOf(path), path.join("."), message, {
        value: shown,
        remedy: `See \`busbar config sample\`, or use --no-${module.name.replaceAll("_", "-")}`,
      });
      return [];
    }
    return Object.entries(written).flatMap(([name, instance]): ServiceConfig[] => {
      const here = [...path, name];
      if (!INSTANCE.test(name)) {
        this.#add(this.#yaml.placeOfKey(here), here.join("."), "is no name of an instance", {
          remedy: "Use 1 to 32 of a-z, 0-9, _ and -",
        });
      }
      const config = this.#section(here, module.config, instance ?? {});
      return config === undefined ? [] : [{ id: `${module.name}.${name}`, module, config }];
    });
  }

  #checkToken(control: BusbarConfig["control"]): void {
    const { token, listen } = control;
    const remedy =
      "Set `control.token: ${BUSBAR_TOKEN}`, and the variable to at least 16 characters";
    if (token === undefined && !isLoopback(listen.host)) {
      const place = this.#yaml.placeOf(["control", "listen"]);
      this.#add(place, "control.listen", "needs a token beyond loopback", {
        value: listen.host,
        remedy: `${remedy}; or listen on 127.0.0.1`,
      });
    }
    if (token !== undefined && token.length < TOKEN_LENGTH_MIN) {
      const place = this.#yaml.placeOf(["control", "token"]);
      const message = `must have at least ${TOKEN_LENGTH_MIN} characters`;
      this.#add(place, "control.token", message, { remedy: "`openssl rand -hex 16` makes one" });
    }
  }

  #add(
    place: { readonly line: number; readonly column: number },
    path: string,
    message: string,
    more: {
      readonly severity?: "warning";
      readonly value?: string | undefined;
      readonly remedy?: string | undefined;
    } = {},
  ): void {
    const { severity = "error", value, remedy } = more;
    this.#problems.push({
      severity,
      line: place.line,
      column: place.column,
      path,
      message,
      ...(value === undefined ? {} : { value }),
      ...(remedy === undefined ? {} : { remedy }),
    });
  }
}

function remedyFor(kind: string | undefined, found: unknown, message: string): string | undefined {
  if (typeof found === "number" && kind === "duration") return `Write ${found}s, or ${found}ms`;
  if (typeof found === "number" && kind === "size") return `Write ${found}B, or ${found}KiB`;
  const words = /^must be one of (.+)$/.exec(message)?.[1]?.split(", ");
  if (words && typeof found === "string") {
    const meant = nearest(found, words);
    return meant === undefined ? undefined : `Did you mean "${meant}"?`;
  }
  if (typeof found === "string" && /^(yes|no|on|off)$/i.test(found) && kind === "true, false") {
    return `Write ${/^(yes|on)$/i.test(found) ? "true" : "false"}`;
  }
  return undefined;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
  // deno-lint-ignore no-control-regex -- a control character must not reach the terminal
  const plain = text.replace(/[\x00-\x1f\x7f]/g, "?");
  return plain.length <= SHOWN_MAX ? plain : `${plain.slice(0, SHOWN_MAX)}…`;
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const plain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  if (!plain) return value;
  for (const [key, item] of Object.entries(value)) {
    // The definition of a module is code, not configuration.
    if (key !== "module") freeze(item);
  }
  return Object.freeze(value);
}
