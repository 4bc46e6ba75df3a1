/**
 * Completion scripts for bash, zsh and fish, made from the table of commands. A script holds the
 * table as text and asks the program nothing, so that completing is instant on a small machine.
 * @module
 */
import type { Command, Option } from "./command.ts";
import { GROUP_SUMMARIES } from "./help.ts";
import { longForms, nextWords, valueIsOptional } from "./usage.ts";

/** The shells there are scripts for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** A place in the tree of commands: what may follow there. */
interface Node {
  /** `goose send`; empty at the beginning. */
  readonly name: string;
  readonly words: readonly string[];
  readonly options: readonly Option[];
  /** What arguments may be; empty when that cannot be listed. */
  readonly choices: readonly string[];
}

const HELP: Option = { name: "help", short: "h", summary: "Show the help" };
const VERSION: Option = { name: "version", short: "V", summary: "Show the version" };
/** What begins every command line: options without a command are those of this one. */
const DEFAULT_COMMAND = "run";
/** Lists the interfaces of this machine in every shell, without a program. */
const INTERFACES = "/sys/class/net";

/**
 * The script of one shell.
 *
 * @param commands The whole table.
 */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const nodes = nodesOf(commands);
  const lines = shell === "bash"
    ? bashScript(nodes)
    : shell === "zsh"
    ? zshScript(nodes, commands)
    : fishScript(nodes, commands);
  return `${lines.join("\n")}\n`;
}

function nodesOf(commands: readonly Command[]): Node[] {
  const names = new Set([""]);
  for (const { name } of commands) {
    const words = name.split(" ");
    for (let count = 1; count <= words.length; count += 1) {
      names.add(words.slice(0, count).join(" "));
    }
  }
  return [...names].map((name) => {
    const command = commands.find((candidate) =>
      candidate.name === (name === "" ? DEFAULT_COMMAND : name)
    );
    const options = [...(command?.options ?? []), HELP, ...(name === "" ? [VERSION] : [])];
    const choices = name === ""
      ? []
      : (command?.args ?? []).flatMap(({ choices }) => choices ?? []);
    return { name, words: nextWords(name, commands), options, choices };
  });
}

function formsOf(option: Option): string[] {
  const short = option.short === undefined ? [] : [`-${option.short}`];
  return [...longForms(option), ...short];
}

/** All names of an option with `_` for `-`, as the scripts compare them however they were typed. */
function plainForms(option: Option): string[] {
  const short = option.short === undefined ? [] : [`_${option.short}`];
  return [`__${option.name.replaceAll("-", "_")}`, ...short];
}

function takesNextWord(option: Option): boolean {
  return option.value !== undefined && !valueIsOptional(option);
}

/** In single quotes, as a POSIX shell reads it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Two functions that bash and zsh read alike: where we are, and what a value may be. */
function sharedFunctions(nodes: readonly Node[]): string[] {
  const steps = nodes.filter(({ name }) => name !== "").map(({ name }) => {
    const at = name.lastIndexOf(" ");
    const place = `${name.slice(0, Math.max(0, at))}:${name.slice(at + 1)}`;
    return `      ${quote(place)}) node=${quote(name)} ;;`;
  });
  const skips = nodes.flatMap(({ name, options }) => {
    const forms = options.filter(takesNextWord).flatMap(plainForms);
    if (forms.length === 0) return [];
    return [`      ${forms.map((form) => quote(`${name}:${form}`)).join("|")}) skip=1 ;;`];
  });
  const values = nodes.flatMap(({ name, options }) =>
    options.filter(({ value }) => value !== undefined).map((option) => {
      const kind = option.choices ? option.choices.join(" ") : `@${option.complete ?? "none"}`;
      const forms = plainForms(option).map((form) => quote(`${name}:${form}`));
      return `    ${forms.join("|")}) reply=${quote(kind)} ;;`;
    })
  );
  return [
    "# Follows the words before the cursor to their command: sets node.",
    "_busbar_walk() {",
    "  local word skip=0",
    "  node=",
    '  for word in "$@"; do',
    "    # bash makes three words of --option=value.",
    "    if [[ $skip == 1 && $word == '=' ]]; then continue; fi",
    "    if [[ $skip == 1 ]]; then skip=0; continue; fi",
    '    case "$node:${word//-/_}" in',
    ...steps,
    ...skips,
    "    esac",
    "  done",
    "}",
    "# What the value of an option may be: sets reply; empty when it takes none.",
    "_busbar_value() {",
    "  reply=",
    '  case "$1:${2//-/_}" in',
    ...values,
    "  esac",
    "}",
  ];
}

function bashScript(nodes: readonly Node[]): string[] {
  const cases = (list: (node: Node) => readonly string[]) =>
    nodes.map((node) => `    ${quote(node.name)}) reply=${quote(list(node).join(" "))} ;;`);
  return [
    "# bash completion for busbar, written by `busbar completion bash`.",
    ...sharedFunctions(nodes),
    "_busbar() {",
    "  local cur=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}",
    "  local node reply= option= before=$COMP_CWORD",
    "  # bash makes three words of --option=value.",
    "  if [[ $cur == '=' ]]; then option=$last cur= before=$((COMP_CWORD - 1))",
    "  elif [[ $last == '=' ]]; then",
    "    option=${COMP_WORDS[COMP_CWORD-2]} before=$((COMP_CWORD - 2))",
    "  elif [[ $last == -* ]]; then option=$last before=$((COMP_CWORD - 1)); fi",
    '  _busbar_walk "${COMP_WORDS[@]:1:before-1}"',
    '  [[ -n $option ]] && _busbar_value "$node" "$option"',
    "  COMPREPLY=()",
    "  case $reply in",
    "    @none) return ;;",
    "    @file) compopt -o filenames 2>/dev/null",
    '      mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;',
    "    @folder) compopt -o filenames 2>/dev/null",
    '      mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;',
    `    @interface) reply=$(ls ${INTERFACES} 2>/dev/null) ;;`,
    "    '') if [[ $cur == -* ]]; then case $node in",
    ...cases(({ options }) => options.flatMap(formsOf)),
    "  esac; else case $node in",
    ...cases(({ words, choices }) => [...words, ...choices]),
    "  esac; fi ;;",
    "  esac",
    '  mapfile -t COMPREPLY < <(compgen -W "$reply" -- "$cur")',
    "}",
    "complete -F _busbar busbar",
  ];
}

/** `word:summary`, as `_describe` of zsh wants it. */
function described(word: string, summary: string): string {
  return quote(`${word.replaceAll(":", "\\:")}:${summary}`);
}

function zshScript(nodes: readonly Node[], commands: readonly Command[]): string[] {
  const list = (items: readonly string[]) => `list=(${items.join(" ")}) ;;`;
  return [
    "#compdef busbar",
    "# zsh completion for busbar, written by `busbar completion zsh`.",
    ...sharedFunctions(nodes),
    "_busbar() {",
    "  local node reply= option= cur=${words[CURRENT]} last=${words[CURRENT-1]}",
    "  local -a list",
    "  integer before=$((CURRENT - 1))",
    "  if [[ $cur == --*=* ]]; then option=${cur%%=*}; compset -P '*='",
    "  elif [[ $last == -* ]]; then option=$last before=$((CURRENT - 2)); fi",
    '  _busbar_walk "${(@)words[2,before]}"',
    '  [[ -n $option ]] && _busbar_value "$node" "$option"',
    "  case $reply in",
    "    @none) return 1 ;;",
    "    @file) _files; return ;;",
    "    @folder) _files -/; return ;;",
    `    @interface) compadd -- ${INTERFACES}/*(N:t); return ;;`,
    "    ?*) compadd -- ${=reply}; return ;;",
    "  esac",
    "  if [[ $cur == -* ]]; then",
    '    case "$node" in',
    ...nodes.map(({ name, options }) => {
      const items = options.flatMap((option) =>
        formsOf(option).map((form) => described(form, option.summary))
      );
      return `      ${quote(name)}) ${list(items)}`;
    }),
    "    esac",
    "    _describe -o option list",
    "  else",
    '    case "$node" in',
    ...nodes.map(({ name, words, choices }) => {
      const items = words.map((word) => described(word, summaryOf(name, word, commands)));
      return `      ${quote(name)}) ${list([...items, ...choices.map(quote)])}`;
    }),
    "    esac",
    "    _describe command list",
    "  fi",
    "}",
    'if [[ "$funcstack[1]" == _busbar ]]; then _busbar "$@"; else compdef _busbar busbar; fi',
  ];
}

function summaryOf(node: string, word: string, commands: readonly Command[]): string {
  const name = node === "" ? word : `${node} ${word}`;
  return commands.find((command) => command.name === name)?.summary ??
    GROUP_SUMMARIES[name] ?? "";
}

/** In single quotes, as fish reads it. */
function fishQuote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function fishScript(nodes: readonly Node[], commands: readonly Command[]): string[] {
  const steps = nodes.filter(({ name }) => name !== "").flatMap(({ name }) => {
    const at = name.lastIndexOf(" ");
    const place = `${name.slice(0, Math.max(0, at))}:${name.slice(at + 1)}`;
    return [`      case ${fishQuote(place)}`, `        set node ${fishQuote(name)}`];
  });
  const skips = nodes.flatMap(({ name, options }) => {
    const forms = options.filter(takesNextWord).flatMap(plainForms);
    if (forms.length === 0) return [];
    const places = forms.map((form) => fishQuote(`${name}:${form}`)).join(" ");
    return [`      case ${places}`, "        set skip 1"];
  });
  return [
    "# fish completion for busbar, written by `busbar completion fish`.",
    "function __busbar_at",
    "  set -l node ''",
    "  set -l skip 0",
    "  for word in (commandline -opc)[2..-1]",
    "    if test $skip = 1",
    "      set skip 0",
    "      continue",
    "    end",
    '    switch "$node:"(string replace -a -- - _ $word)',
    ...steps,
    ...skips,
    "    end",
    "  end",
    '  test "$node" = "$argv[1]"',
    "end",
    "complete -c busbar -f",
    ...nodes.flatMap(({ name, words, options, choices }) => {
      const start = `complete -c busbar -n ${fishQuote(`__busbar_at ${fishQuote(name)}`)}`;
      return [
        ...words.map((word) =>
          `${start} -a ${fishQuote(word)} -d ${fishQuote(summaryOf(name, word, commands))}`
        ),
        ...choices.map((word) => `${start} -a ${fishQuote(word)}`),
        ...options.flatMap((option) => fishOption(start, option)),
      ];
    }),
  ];
}

function fishOption(start: string, option: Option): string[] {
  const short = option.short === undefined ? "" : ` -s ${option.short}`;
  return longForms(option).map((form, index) => {
    const names = `-l ${form.slice(2)}${index === 0 ? short : ""}`;
    return `${start} ${names}${fishValue(option)} -d ${fishQuote(option.summary)}`;
  });
}

function fishValue(option: Option): string {
  if (!takesNextWord(option)) return "";
  if (option.choices) return ` -x -a ${fishQuote(option.choices.join(" "))}`;
  if (option.complete === "file") return " -r -F";
  if (option.complete === "folder") return " -x -a '(__fish_complete_directories)'";
  if (option.complete === "interface") return ` -x -a ${fishQuote(`(ls ${INTERFACES})`)}`;
  return " -x";
}
