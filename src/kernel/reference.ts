/**
 * What is made of the schemas for people and tools: the sample with every key, the JSON Schema, the
 * table of a module's README, and a configuration with all defaults filled in.
 * @module
 */
import type { ConfigSource } from "./config.ts";
import { retype, substitute } from "./environment.ts";
import type { ModuleDef } from "./module.ts";
import type { Schema } from "./schema.ts";
import { type Field, fieldsOf, jsonSchemaOf } from "./schema_fields.ts";
import { CONTROL, LOG, POINTS } from "./settings.ts";
import { readYaml, writeYaml } from "./yaml_text.ts";

const COMMENT_WIDTH = 98;
/** Name of the instance in the sample. */
const INSTANCE = "example";

/** `config/sample.yaml`: every key with its comment; what has a default stands behind a `#`. */
export function sampleYaml(modules: readonly ModuleDef[]): string {
  const lines = [
    "# Every key of busbar, with its default. Keys behind a # may be left out.",
    "# Values may hold ${NAME} or ${NAME:-default} from the environment.",
    "# Times are written with their unit (250ms, 15s, 2m, 1h), sizes too (64KiB, 2MiB).",
    "",
    "control:",
    ...sampleFields(fieldsOf(CONTROL), 2),
    "",
    "log:",
    ...sampleFields(fieldsOf(LOG), 2),
    "",
    "points:",
    ...sampleFields(fieldsOf(POINTS), 2),
    "",
    "# A module is on when it stands here; --goose-bridge or --no-goose-bridge overrules it.",
    "modules:",
  ];
  for (const module of modules) {
    lines.push(...comment(module.summary, 2), `  ${module.name}:`);
    if (module.many) {
      lines.push(
        ...comment("As many named instances as there are; each is a service of its own.", 4),
      );
      lines.push(`    ${INSTANCE}:`);
    }
    lines.push(...sampleFields(fieldsOf(module.config), module.many ? 6 : 4));
  }
  return `${lines.join("\n")}\n`;
}

function sampleFields(fields: readonly Field[], indent: number): string[] {
  const blanks = " ".repeat(indent);
  return fields.flatMap((field) => {
    const said = field.kind === "" || field.fields ? "" : ` (${field.kind})`;
    const head = comment(`${field.description}${said}`, indent);
    if (field.fields) {
      const inner = sampleFields(field.fields, indent + 2);
      // A section whose keys all stand behind a # would be empty without one of its own.
      const used = field.fields.some(({ required, sample }) => required || sample);
      const mark = field.optional || !used ? "# " : "";
      const keys = mark === "" ? inner : inner.map((line) => behindMark(line, indent + 2));
      return [...head, `${blanks}${mark}${field.key}:`, ...keys];
    }
    const value = field.default ?? field.example ??
      (field.secret ? `\${BUSBAR_${field.key.toUpperCase()}}` : "");
    const mark = field.required || field.sample ? "" : "# ";
    // JSON is YAML, and keeps a list or a map on its line.
    const text = typeof value === "object" ? JSON.stringify(value) : writeYaml(value).trimEnd();
    return [...head, `${blanks}${mark}${field.key}: ${text}`];
  });
}

/** Puts a key behind a #, if it does not stand there already. */
function behindMark(line: string, indent: number): string {
  const blanks = " ".repeat(indent);
  return line.startsWith(`${blanks}#`) ? line : `${blanks}# ${line.slice(indent)}`;
}

function comment(text: string, indent: number): string[] {
  const blanks = " ".repeat(indent);
  const lines: string[] = [];
  let line = `${blanks}#`;
  for (const word of text.split(" ")) {
    if (line.length + word.length >= COMMENT_WIDTH) {
      lines.push(line);
      line = `${blanks}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** `config/schema.json`: JSON Schema 2020-12 of the whole file. */
export function configSchema(modules: readonly ModuleDef[]): Record<string, unknown> {
  const part = <T>(schema: Schema<T>) => {
    const { $schema: _, ...rest } = jsonSchemaOf(schema);
    return rest;
  };
  const entries = modules.map(({ name, summary, many, config }) => {
    const one = part(config);
    const schema = many
      ? {
        type: "object",
        minProperties: 1,
        propertyNames: { pattern: "^[a-z0-9_-]{1,32}$" },
        additionalProperties: one,
      }
      : one;
    return [name, { description: summary, ...schema }];
  });
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "busbar",
    type: "object",
    additionalProperties: false,
    properties: {
      control: part(CONTROL),
      log: part(LOG),
      points: part(POINTS),
      modules: {
        type: "object",
        additionalProperties: false,
        properties: Object.fromEntries(entries),
      },
    },
  };
}

/** The rows of a README's table, as Markdown. */
export function configTable<T>(schema: Schema<T>): string {
  const rows = (fields: readonly Field[], path: string): string[][] =>
    fields.flatMap((field) => {
      const key = `${path}${field.key}`;
      if (field.fields) return rows(field.fields, `${key}.`);
      const value = field.default === undefined
        ? field.required ? "required" : ""
        : `\`${String(field.default)}\``;
      return [[`\`${key}\``, field.kind, value, field.description]];
    });
  const cells = [["Key", "Value", "Default", "Meaning"], ...rows(fieldsOf(schema), "")]
    .map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = cells[0]!.map((_, index) => Math.max(...cells.map((row) => row[index]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, index) => cell.padEnd(widths[index]!)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(cells[0]!), rule, ...cells.slice(1).map(line)].join("\n");
}

/**
 * A configuration as it works: with the environment put in and all defaults, secrets hidden.
 *
 * @param source One that has no errors.
 */
export function effectiveConfig(source: ConfigSource): Record<string, unknown> {
  const root = (readYaml(source.text).value ?? {}) as Record<string, unknown>;
  const written = (root.modules ?? {}) as Record<string, unknown>;
  const fill = <T>(schema: Schema<T>, value: unknown) =>
    filled(fieldsOf(schema), (value ?? {}) as Record<string, unknown>, source);
  const modules: Record<string, unknown> = {};
  for (const { name, many, config } of source.modules) {
    const on = source.flags[name] ?? Object.hasOwn(written, name);
    if (!on) continue;
    const value = written[name] ?? {};
    modules[name] = many
      ? Object.fromEntries(
        Object.entries(value).map(([instance, one]) => [instance, fill(config, one)]),
      )
      : fill(config, value);
  }
  return {
    control: fill(CONTROL, root.control),
    log: fill(LOG, root.log),
    points: fill(POINTS, root.points),
    modules,
  };
}

function filled(
  fields: readonly Field[],
  value: Readonly<Record<string, unknown>>,
  source: ConfigSource,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const { key, fields: inner, default: fallback, secret, scalar, optional } of fields) {
    const written = value[key];
    if (inner && optional && written === undefined) continue;
    if (inner) result[key] = filled(inner, (written ?? {}) as Record<string, unknown>, source);
    else if (written === undefined && fallback === undefined) continue;
    else if (secret) result[key] = "***";
    else if (typeof written === "string") {
      const { text, whole } = substitute(written, source.env);
      result[key] = whole ? retype(text, scalar) : text;
    } else result[key] = written ?? fallback;
  }
  return result;
}
