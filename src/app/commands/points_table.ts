/** `busbar points import` and `export`: the point table as a file. */
import { ConfigError } from "../../base/errors.ts";
import { readConfig } from "../../kernel/config.ts";
import { readYaml, writeYaml } from "../../kernel/yaml_text.ts";
import { openSqlite } from "../../platform/sqlite.ts";
import { readCsv, writeCsv } from "../../points/csv.ts";
import type { PointDefinition } from "../../points/definition.ts";
import { FAULTS_MAX, PointTable } from "../../points/table.ts";
import {
  columnFaults,
  COLUMNS,
  definitionOf,
  type RowFault,
  rowOf,
  type WrittenRow,
} from "../../points/table_rows.ts";
import { Arguments } from "../arguments.ts";
import { type Command, EXIT, type Invocation, type Option } from "../command.ts";
import { CONFIG_OPTION, findConfig } from "../config_file.ts";
import { MODULES } from "../modules.ts";
import { TABLE_FILE } from "../point_plane.ts";

const FORMATS = ["csv", "yaml"] as const;
type Format = (typeof FORMATS)[number];
/** Largest file that is read. */
const FILE_MAX = 256 * 1024 * 1024;

const FOLDER_OPTION: Option = {
  name: "folder",
  value: "PATH",
  summary: "Folder of the table, instead of points.folder of the configuration",
};
const FORMAT_OPTION: Option = {
  name: "format",
  value: "FORMAT",
  choices: FORMATS,
  summary: "Instead of what the file's name says, or csv",
};

/** `busbar points import`. */
export const pointImportCommand: Command = {
  name: "points import",
  summary: "Takes points from a CSV or YAML file into the table",
  details:
    "Points that are there, by station, coa and ioa, are changed; others are added. All of " +
    "the file is taken or, with anything wrong in it, nothing. A busbar that runs takes the " +
    "changes within seconds.\n\nColumns: " + COLUMNS.join(", ") + ". Only tag_station, coa and " +
    "ioa are needed.\n\nExit code 2 when something in the file cannot be taken.",
  options: [
    { name: "replace", summary: "Removes the points that are not in the file" },
    { name: "check", summary: "Only says what is wrong" },
    FORMAT_OPTION,
    FOLDER_OPTION,
    CONFIG_OPTION,
  ],
  args: [{ name: "file", summary: "The file; - for standard input" }],
  examples: ["busbar points import points.csv", "busbar points export | busbar points import -"],
  run: importPoints,
};

/** `busbar points export`. */
export const pointExportCommand: Command = {
  name: "points export",
  summary: "Writes the point table as CSV or YAML",
  details: "To standard output, or into a file that is replaced. An import of it changes nothing.",
  options: [
    { name: "output", short: "o", value: "FILE", summary: "The file, instead of standard output" },
    FORMAT_OPTION,
    FOLDER_OPTION,
    CONFIG_OPTION,
  ],
  args: [],
  examples: ["busbar points export -o points.yaml"],
  run: exportPoints,
};

async function importPoints(call: Invocation): Promise<number> {
  const given = new Arguments("points import", call);
  const [file = "-"] = call.args;
  const format = formatOf(given, file);
  const text = await readFile(file);
  const faults: RowFault[] = [];
  const rows = format === "csv" ? csvRows(text, faults) : yamlRows(text, faults);
  const definitions = rows.flatMap(({ row, written }) => {
    const definition = definitionOf(written, row, faults);
    return definition ? [{ row, definition }] : [];
  });
  const place = format === "csv" ? "line" : "point";
  if (faults.length === 0 && !given.flag("check")) {
    using database = openSqlite(await tablePath(given));
    const result = new PointTable(database).import(definitions, given.flag("replace") ?? false);
    faults.push(...result.faults);
    if (faults.length === 0) {
      const { added, changed, removed } = result;
      const same = definitions.length - added - changed;
      call.terminal.out(
        `${added} added, ${changed} changed, ${removed} removed, ${same} as before`,
      );
    }
  }
  for (const { row, column, message } of faults.slice(0, FAULTS_MAX)) {
    call.terminal.err(`${file}: ${place} ${row}: ${column} ${message}`);
  }
  const more = faults.length - FAULTS_MAX;
  if (more > 0) call.terminal.err(`… and ${more} more`);
  if (faults.length === 0 && given.flag("check")) {
    call.terminal.out(`${definitions.length} points, nothing wrong`);
  }
  return faults.length === 0 ? EXIT.ok : EXIT.config;
}

async function exportPoints(call: Invocation): Promise<number> {
  const given = new Arguments("points export", call);
  const output = given.text("output") ?? "-";
  const format = formatOf(given, output);
  using database = openSqlite(await tablePath(given));
  const { definitions, faults } = new PointTable(database).load();
  for (const { row, column, message } of faults) {
    call.terminal.err(`Row ${row} was left out: ${column} ${message}`);
  }
  const text = format === "csv" ? csvText(definitions) : yamlText(definitions);
  if (output === "-") call.terminal.raw(new TextEncoder().encode(text));
  else await writeFile(output, text);
  return faults.length === 0 ? EXIT.ok : EXIT.failed;
}

function formatOf(given: Arguments, file: string): Format {
  const asked = given.text("format") as Format | undefined;
  return asked ?? (/\.ya?ml$/i.test(file) ? "yaml" : "csv");
}

/** Where the table is. @throws ConfigError when nothing says it. */
async function tablePath(given: Arguments): Promise<string> {
  const { options, terminal } = given.call;
  let folder = given.text("folder");
  if (folder === undefined) {
    const named = options.config_path as string | undefined;
    const { file, text } = await findConfig(named, terminal.env);
    const reading = readConfig({ file, text, modules: MODULES, env: terminal.env, flags: {} });
    folder = reading.config?.points.folder;
  }
  if (folder === undefined) {
    throw new ConfigError(
      "points.folder",
      "The configuration has no points.folder (or has problems); give --folder PATH",
    );
  }
  await Deno.mkdir(folder, { recursive: true });
  return `${folder}/${TABLE_FILE}`;
}

async function readFile(file: string): Promise<string> {
  try {
    if (file === "-") return await new Response(Deno.stdin.readable).text();
    if ((await Deno.stat(file)).size > FILE_MAX) {
      throw new ConfigError("points.file.size", `${file} is larger than ${FILE_MAX} octets`);
    }
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof ConfigError || !(error instanceof Error)) throw error;
    throw new ConfigError("points.file", `Cannot read ${file}: ${error.message}`, {}, {
      cause: error,
    });
  }
}

async function writeFile(file: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(`${file}.new`, text);
    await Deno.rename(`${file}.new`, file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ConfigError("points.file", `Cannot write ${file}: ${error.message}`, {}, {
      cause: error,
    });
  }
}

interface PlacedRow {
  /** Line of a CSV file, or the how manieth point of a YAML file. */
  readonly row: number;
  readonly written: WrittenRow;
}

function csvRows(text: string, faults: RowFault[]): PlacedRow[] {
  const { records, fault } = readCsv(text);
  if (fault) faults.push({ row: fault.line, column: "", message: fault.message });
  const [head, ...rest] = records;
  if (!head) {
    faults.push({ row: 1, column: "", message: "is empty; a first line with columns is needed" });
    return [];
  }
  const columns = head.fields.map((field) => field.trim().toLowerCase());
  faults.push(...columnFaults(columns, head.line));
  return rest.flatMap(({ line, fields }) => {
    if (fields.length === columns.length) {
      const pairs = columns.map((column, index) => [column, fields[index]]);
      return [{ row: line, written: Object.fromEntries(pairs) }];
    }
    const message = `has ${fields.length} fields, and the first line ${columns.length}`;
    faults.push({ row: line, column: "", message });
    return [];
  });
}

function yamlRows(text: string, faults: RowFault[]): PlacedRow[] {
  const { value, faults: wrong } = readYaml(text);
  for (const { line, message } of wrong) faults.push({ row: line, column: "", message });
  const { points } = (value ?? {}) as { points?: unknown };
  if (!Array.isArray(points)) {
    if (wrong.length === 0) faults.push({ row: 1, column: "points", message: "must be a list" });
    return [];
  }
  return points.flatMap((point, index) => {
    const row = index + 1;
    if (typeof point !== "object" || point === null || Array.isArray(point)) {
      faults.push({ row, column: "", message: "must be a map of columns and values" });
      return [];
    }
    faults.push(...columnFaults(Object.keys(point), row));
    return [{ row, written: point as WrittenRow }];
  });
}

function csvText(definitions: readonly PointDefinition[]): string {
  const rows = definitions.map((definition) => {
    const row = rowOf(definition);
    return COLUMNS.map((column) => String(row[column]));
  });
  return writeCsv([COLUMNS, ...rows]);
}

/** Only what is not at its default, so that a file is read by people. */
function yamlText(definitions: readonly PointDefinition[]): string {
  const needed = new Set(["tag_station", "coa", "ioa", "point", "kind"]);
  const points = definitions.map((definition) =>
    Object.fromEntries(
      Object.entries(rowOf(definition)).filter(([column, value]) =>
        needed.has(column) || value !== DEFAULTS[column]
      ),
    )
  );
  return writeYaml({ points });
}

const DEFAULTS: Readonly<Record<string, string | number | boolean>> = {
  ...Object.fromEntries(COLUMNS.map((column) => [column, ""])),
  "enable_push": 1,
  "enable_raw_insert": 1,
  scale: 1,
  "point_offset": 0,
  "dead_band": 0,
  journal: "changes",
  command: "single",
  "select_first": 0,
  qualifier: 0,
};
