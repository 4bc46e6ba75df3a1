/**
 * Help, made from the declarations of the commands: a first page that fits one screen, a page for
 * each group such as `goose`, and a page for each command.
 * @module
 */
import type { Command, Option } from "./command.ts";
import { padTo, widthOf, wrap } from "./table.ts";
import { dashed, nextWords, placeholder } from "./usage.ts";
import { VERSION } from "./version.ts";

/** Titles of the first page, and the first words of the commands below them. */
export const SECTIONS: readonly { readonly title: string; readonly words: readonly string[] }[] = [
  {
    title: "Run and configure",
    words: ["run", "service", "status", "reload", "trace", "check", "config", "completion"],
  },
  {
    title: "Field",
    words: [
      "points",
      "fep",
      "pile",
      "sim",
      "demo",
      "goose",
      "relay",
      "srt",
      "pki",
      "crypto",
      "decode",
    ],
  },
];

/** One line for each first word that several commands share. */
export const GROUP_SUMMARIES: Readonly<Record<string, string>> = {
  config: "Work with the file",
  crypto: "SM2, SM3, SM4",
  pki: "Certificates",
  decode: "What octets mean",
  fep: "Front end",
  pile: "Charging piles",
  points: "Points",
  sim: "Simulated peers",
  demo: "A whole site on loopback",
  goose: "GOOSE",
  srt: "Carry a stream over SRT",
  relay: "The stream relay",
  service: "busbar as a systemd service",
};

/** With more commands below a word the first page names the first of them only. */
const BELOW_MAX = 7;
const BELOW_FIRST = 3;
/** The right column never begins further right than this. */
const LEFT_MAX = 34;
/** Lines longer than this are hard to read however wide the terminal is. */
const WIDTH_MAX = 100;

/** `busbar --help`. */
export function firstPage(commands: readonly Command[], columns: number): string[] {
  const lines = [
    `busbar ${VERSION}: telecontrol and relay gateway in one executable`,
    "Usage: busbar [command] [options]      without a command: run",
    "`busbar <command> --help` says more; `busbar --version` which this is.",
  ];
  const words = nextWords("", commands);
  const sectioned = new Set(SECTIONS.flatMap((section) => section.words));
  const rest = words.filter((word) => !sectioned.has(word));
  for (const { title, words: wanted } of [...SECTIONS, { title: "More", words: rest }]) {
    const rows = wanted.filter((word) => words.includes(word)).map((word): Row => {
      const below = nextWords(word, commands);
      const own = commands.find(({ name }) => name === word);
      if (below.length === 0) return [word, own?.summary ?? ""];
      const summary = GROUP_SUMMARIES[word] ?? own?.summary ?? "";
      const shown = below.length > BELOW_MAX ? [...below.slice(0, BELOW_FIRST), "…"] : below;
      return [`${word} ...`, `${summary}: ${shown.join(", ")}`];
    });
    // One column for all sections reads better than one for each.
    if (rows.length > 0) lines.push(`${title}:`, ...columnsOf(rows, columns, 16));
  }
  return lines;
}

/** `busbar goose --help`. */
export function groupHelp(name: string, commands: readonly Command[], columns: number): string[] {
  const below = commands.filter((command) => command.name.startsWith(`${name} `));
  return [
    `Usage: busbar ${name} <command> [options]`,
    "",
    ...columnsOf(below.map((command): Row => [command.name, command.summary]), columns),
    "",
    `\`busbar ${name} <command> --help\` says more.`,
  ];
}

/** `busbar goose send --help`. */
export function commandHelp(
  command: Command,
  commands: readonly Command[],
  columns: number,
): string[] {
  const width = Math.min(columns, WIDTH_MAX);
  const words = ["busbar", command.name, ...command.args.map(placeholder)];
  if (command.options.length > 0) words.push("[options]");
  const lines = [`Usage: ${words.join(" ")}`, "", ...wrap(`${command.summary}.`, width)];
  for (const paragraph of command.details?.split(/\n\s*\n/) ?? []) {
    lines.push("", ...wrap(paragraph, width));
  }
  if (command.args.length > 0) {
    const rows = command.args.map((argument): Row => [
      placeholder(argument),
      withChoices(argument.summary, argument.choices),
    ]);
    lines.push("", "Arguments:", ...columnsOf(rows, width));
  }
  const options = [...command.options.map(optionRow), HELP_ROW];
  lines.push("", "Options:", ...columnsOf(options, width));
  const below = commands.filter(({ name }) => name.startsWith(`${command.name} `));
  if (below.length > 0) {
    lines.push(
      "",
      "Commands:",
      ...columnsOf(below.map(({ name, summary }) => [name, summary]), width),
    );
  }
  if (command.examples !== undefined && command.examples.length > 0) {
    lines.push("", "Examples:", ...command.examples.map((example) => `  ${example}`));
  }
  return lines;
}

type Row = readonly [left: string, right: string];

const HELP_ROW: Row = ["-h, --help", "Show this help"];

function optionRow(option: Option): Row {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  const form = dashed(option);
  const long = option.negatable === true ? `--[no-]${form.slice(2)}` : form;
  const value = option.value === undefined
    ? ""
    : option.value.startsWith("[")
    ? `[=${option.value.slice(1)}`
    : ` ${option.value}`;
  const again = option.many === true ? " (may be repeated)" : "";
  return [`${short}${long}${value}`, withChoices(option.summary, option.choices) + again];
}

function withChoices(summary: string, choices: readonly string[] | undefined): string {
  return choices === undefined ? summary : `${summary}: ${choices.join(", ")}`;
}

/** Two columns, the right one wrapped; a left one that is too long has a line of its own. */
function columnsOf(rows: readonly Row[], columns: number, least = 0): string[] {
  const width = Math.min(columns, WIDTH_MAX);
  const fitting = rows.map(([left]) => widthOf(left)).filter((size) => size <= LEFT_MAX);
  const column = Math.max(least, ...fitting) + 4;
  return rows.flatMap(([left, right]) => {
    const wrapped = wrap(right, Math.max(20, width - column));
    const indent = " ".repeat(column);
    if (widthOf(left) > LEFT_MAX) return [`  ${left}`, ...wrapped.map((line) => indent + line)];
    const [first = "", ...more] = wrapped;
    return [`  ${padTo(left, column - 2)}${first}`.trimEnd(), ...more.map((line) => indent + line)];
  });
}
