/**
 * What somebody typed, compared with what a command declares: words in, options and arguments out,
 * or one line that says what to type instead.
 * @module
 */
import { AppError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { Argument, Command, Option } from "./command.ts";

/** Somebody typed what no command takes. The message is the whole of what they are told. */
export class UsageError extends AppError {
  override readonly name = "UsageError";

  /** @param command The command whose help says more; empty for the first page. */
  constructor(message: string, readonly command: string = "") {
    super("usage", message);
  }
}

/** The checked words of one call. */
export interface Parsed {
  readonly options: Readonly<Record<string, string | boolean | readonly string[]>>;
  readonly args: readonly string[];
  /** `--help` was among them; nothing else was checked then. */
  readonly help: boolean;
}

/** Which command was meant, and the words that are left for it. */
export interface Choice {
  /** Absent when `words` only begin a group, such as `goose`, or nothing at all. */
  readonly command: Command | undefined;
  /** The words that were taken: `goose send`, or `goose`. */
  readonly name: string;
  readonly rest: readonly string[];
}

/** Users of the system before this one type these with `_`, so help shows them so. */
const UNDERSCORED = new Set(["config_path"]);

/** How an option is shown: `--change-every`. Typed with `_` in place of `-` it is the same. */
export function dashed({ name }: Option): string {
  return `--${UNDERSCORED.has(name) ? name : name.replaceAll("_", "-")}`;
}

/** All forms of the long name: `--tap`, and `--no-tap` where there is one. */
export function longForms(option: Option): string[] {
  const form = dashed(option);
  return option.negatable === true ? [form, `--no-${form.slice(2)}`] : [form];
}

/** Whether the value of an option may be left out. */
export function valueIsOptional(option: Option): boolean {
  return option.value?.startsWith("[") === true;
}

/**
 * Finds the command with the longest name that `words` begin with.
 * @throws UsageError when a word begins no command.
 */
export function chooseCommand(words: readonly string[], commands: readonly Command[]): Choice {
  let name = "";
  let taken = 0;
  for (const word of words) {
    const longer = name === "" ? word : `${name} ${word}`;
    if (!commands.some((command) => isBelow(command.name, longer))) break;
    name = longer;
    taken += 1;
  }
  const command = commands.find((candidate) => candidate.name === name);
  const rest = words.slice(taken);
  const next = rest[0];
  if (command === undefined && next !== undefined && !next.startsWith("-")) {
    const known = nextWords(name, commands);
    const typed = name === "" ? next : `${name} ${next}`;
    const near = nearest(next, known);
    const meant = near === undefined ? "" : name === "" ? near : `${name} ${near}`;
    throw new UsageError(`There is no command "${typed}"${didYouMean(meant)}`, name);
  }
  return { command, name, rest };
}

/** The words that may follow `name`, in the order of the table. */
export function nextWords(name: string, commands: readonly Command[]): string[] {
  const depth = name === "" ? 0 : name.split(" ").length;
  const below = commands.filter((command) => command.name !== name && isBelow(command.name, name));
  return [...new Set(below.map((command) => command.name.split(" ")[depth]!))];
}

function isBelow(name: string, prefix: string): boolean {
  return prefix === "" || name === prefix || name.startsWith(`${prefix} `);
}

/**
 * Compares words with the declaration of a command.
 * @throws UsageError for the first word that does not fit.
 */
export function parseCall(command: Command, words: readonly string[]): Parsed {
  const options: Record<string, string | boolean | string[]> = {};
  const args: string[] = [];
  let help = false;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === "--") {
      args.push(...words.slice(at + 1));
      break;
    }
    // A lone dash is an argument (stdin by custom); so is a number below zero.
    if (!word.startsWith("-") || word === "-" || /^-\d/.test(word)) {
      args.push(word);
      continue;
    }
    for (const { option, typed, value } of readOptions(command, word)) {
      if (option === HELP) {
        help = true;
        continue;
      }
      let given: string | boolean = value ?? true;
      if (option.value !== undefined && value === undefined && !valueIsOptional(option)) {
        at += 1;
        given = nextValue(command, option, typed, words[at]);
      }
      store(command, options, option, typed, given);
    }
  }
  if (!help) checkArguments(command, args);
  return { options, args, help };
}

const HELP: Option = { name: "help", short: "h", summary: "Show this help" };

interface Typed {
  readonly option: Option;
  /** As it was typed, for messages. */
  readonly typed: string;
  /** What came with it; false for `--no-x`; absent for a bare name. */
  readonly value: string | false | undefined;
}

/** One word is one long option, or several short ones of which the last may have a value. */
function readOptions(command: Command, word: string): Typed[] {
  if (word.startsWith("--")) return [readLong(command, word)];
  const found: Typed[] = [];
  for (let at = 1; at < word.length; at += 1) {
    const typed = `-${word[at]}`;
    const option = [...command.options, HELP].find(({ short }) => short === word[at]);
    if (option === undefined) {
      const long = nearestOption(command, word.slice(1));
      const meant = word.length > 3 && long !== undefined ? long : "";
      throw new UsageError(`Unknown option ${typed}${didYouMean(meant)}`, command.name);
    }
    const rest = word.slice(at + 1);
    // A value that may be left out is given by = only, or the next letter would be taken for one.
    const taken = valueIsOptional(option) ? rest.startsWith("=") : rest !== "";
    if (option.value !== undefined && taken) {
      found.push({ option, typed, value: rest.startsWith("=") ? rest.slice(1) : rest });
      break;
    }
    found.push({ option, typed, value: undefined });
  }
  return found;
}

function readLong(command: Command, word: string): Typed {
  const equals = word.indexOf("=");
  const typed = equals < 0 ? word : word.slice(0, equals);
  const value = equals < 0 ? undefined : word.slice(equals + 1);
  const name = typed.slice(2).replaceAll("-", "_");
  const known = [...command.options, HELP];
  const option = known.find((candidate) => candidate.name.replaceAll("-", "_") === name);
  if (option !== undefined) {
    if (value !== undefined && option.value === undefined) {
      throw new UsageError(`${typed} takes no value`, command.name);
    }
    return { option, typed, value };
  }
  const positive = known.find(({ negatable, name: own }) =>
    negatable === true && `no_${own.replaceAll("-", "_")}` === name
  );
  if (positive === undefined) {
    const meant = nearestOption(command, typed.slice(2)) ?? "";
    throw new UsageError(`Unknown option ${typed}${didYouMean(meant)}`, command.name);
  }
  if (value !== undefined) throw new UsageError(`${typed} takes no value`, command.name);
  return { option: positive, typed, value: false };
}

function nearestOption(command: Command, typed: string): string | undefined {
  const plain = (form: string) => form.replace(/^--/, "").replaceAll("_", "-");
  const known = [...command.options, HELP].flatMap(longForms);
  const near = nearest(plain(typed), known.map(plain));
  return known.find((form) => plain(form) === near);
}

function nextValue(
  command: Command,
  option: Option,
  typed: string,
  next: string | undefined,
): string {
  if (next === undefined) {
    throw new UsageError(`${typed} needs a value: ${typed} ${option.value}`, command.name);
  }
  // An option here is a forgotten value far more often than a value that looks like one.
  const looksLikeOption = next === "--" || /^--?[a-zA-Z]/.test(next) && isOption(command, next);
  if (looksLikeOption) {
    throw new UsageError(
      `${typed} needs a value, and ${next} is an option; write ${
        dashed(option)
      }=${next} if it is ` +
        "meant as a value",
      command.name,
    );
  }
  return next;
}

function isOption(command: Command, word: string): boolean {
  try {
    return readOptions(command, word).length > 0;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

function store(
  command: Command,
  options: Record<string, string | boolean | string[]>,
  option: Option,
  typed: string,
  given: string | boolean,
): void {
  if (typeof given === "string" && option.choices !== undefined) {
    checkChoice(command, typed, given, option.choices);
  }
  const before = options[option.name];
  if (option.many === true && typeof given === "string") {
    options[option.name] = [...(Array.isArray(before) ? before : []), given];
    return;
  }
  if (before !== undefined && option.many !== true) {
    throw new UsageError(`${typed} may be given only once`, command.name);
  }
  options[option.name] = given;
}

function checkArguments(command: Command, args: readonly string[]): void {
  const { args: declared } = command;
  const many = declared.at(-1)?.many === true;
  if (args.length > declared.length && !many) {
    const extra = args[declared.length]!;
    const near = nearestOption(command, extra);
    const takes = declared.length === 0
      ? `"${command.name}" takes no argument`
      : `"${command.name}" takes ${declared.length === 1 ? "one argument" : "no more arguments"}`;
    throw new UsageError(`${takes}, and "${extra}" is left${didYouMean(near ?? "")}`, command.name);
  }
  for (const [index, argument] of declared.entries()) {
    if (index >= args.length) {
      if (argument.optional === true) continue;
      throw new UsageError(
        `${placeholder(argument)} is missing: ${argument.summary}`,
        command.name,
      );
    }
    const given = argument.many === true ? args.slice(index) : [args[index]!];
    for (const text of given) {
      if (argument.choices) checkChoice(command, placeholder(argument), text, argument.choices);
    }
  }
}

function checkChoice(
  command: Command,
  what: string,
  given: string,
  choices: readonly string[],
): void {
  if (choices.includes(given)) return;
  const near = nearest(given, choices);
  const hint = near === undefined ? `; it is one of ${choices.join(", ")}` : didYouMean(near);
  throw new UsageError(`${what} cannot be "${given}"${hint}`, command.name);
}

/** How an argument is shown: `<id>`, `[<hex>...]`. */
export function placeholder(argument: Argument): string {
  const text = `<${argument.name}>${argument.many === true ? "..." : ""}`;
  return argument.optional === true ? `[${text}]` : text;
}

function didYouMean(word: string): string {
  return word === "" ? "" : `; did you mean ${word.startsWith("-") ? word : `"${word}"`}?`;
}
