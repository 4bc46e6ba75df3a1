/** The completion scripts, in the shells themselves. */
import { COMMANDS } from "../../src/app/commands.ts";
import { completionScript, type Shell } from "../../src/app/completion.ts";
import { nextWords } from "../../src/app/usage.ts";
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";

/** Lines as they are typed up to the cursor, and words of which each has to be offered. */
const CASES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["busbar ", nextWords("", COMMANDS), []],
  ["busbar goose ", nextWords("goose", COMMANDS), ["completion"]],
  ["busbar goose s", ["send"], ["listen"]],
  ["busbar goose send --", ["--interface", "--change-every", "--help"], ["--outgoing"]],
  ["busbar goose listen --no", ["--no-promiscuous"], ["--interface"]],
  ["busbar goose send --interface ", ["lo"], ["--interface"]],
  ["busbar goose send -i ", ["lo"], ["--interface"]],
  ["busbar goose send --interface lo --change_every 5 --n", ["--nds-com"], ["--interface"]],
  ["busbar decode goose --as ", ["frame", "tunnel", "message", "pdu"], ["--as"]],
  ["busbar decode goose --as=t", ["tunnel"], ["frame"]],
  ["busbar completion ", ["bash", "zsh", "fish"], []],
];

/** What a shell offers for each line, as one text per line. */
type Driver = (script: string, lines: readonly string[]) => string[];

const DRIVERS: Readonly<Record<Shell, Driver>> = {
  bash: (script, lines) =>
    lines.map((line) => {
      // bash splits at = too.
      const words = line.split(" ").flatMap((word) => word.split(/(=)/));
      const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _busbar; ` +
        `printf '%s\\n' "\${COMPREPLY[@]}"`;
      return run(["bash", "--norc", "-c", program, "bash", script, ...words]);
    }),
  fish: (script, lines) =>
    lines.map((line) =>
      run(["fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"', script, line])
    ),
  zsh: (script, lines) => {
    // Its completion only works in its line editor, and that only on a terminal.
    // A new prompt tells that it reads keys again: the terminal would take them for itself before.
    const program = [
      "zmodload zsh/zpty",
      "zpty z zsh -f -i",
      "zpty -w z 'stty cols 300; unset zle_bracketed_paste; autoload -Uz compinit; " +
      `compinit -D -u; source '$1'; bindkey "^T" list-choices; LISTMAX=10000; PROMPT="@""0> "'`,
      "zpty -r z out '*@0> *'",
      "shift",
      "integer count=0",
      "for line; do",
      `  zpty -w -n z "$line"$'\\x14'`,
      `  zpty -w z $'\\x15PROMPT="@""'$((++count))'> "'`,
      `  zpty -r z out "*@$count> *"`,
      `  print -r -- "$out"$'\\x1e'`,
      "done",
      "zpty -d z",
    ].join("\n");
    return run(["zsh", "-f", "-c", program, "zsh", script, ...lines]).split("\x1e");
  },
};

function run(command: readonly string[]): string {
  const [file, ...args] = command;
  const home = Deno.makeTempDirSync();
  try {
    const env = { HOME: home, TERM: "xterm", LC_ALL: "C.UTF-8" };
    const { stdout, stderr } = new Deno.Command(file!, { args, env, stdin: "null" }).outputSync();
    const complaint = new TextDecoder().decode(stderr);
    assertEquals(complaint, "");
    return new TextDecoder().decode(stdout);
  } finally {
    Deno.removeSync(home, { recursive: true });
  }
}

/** Words in what a shell printed, without what moves the cursor. */
function wordsOf(text: string): Set<string> {
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, " ");
  return new Set(plain.split(/\s+/));
}

for (const shell of ["bash", "zsh", "fish"] as const) {
  Deno.test({
    name: `Completion works in ${shell}`,
    ...needs(shell),
    fn: () => {
      const script = Deno.makeTempFileSync();
      try {
        Deno.writeTextFileSync(script, completionScript(shell, COMMANDS));
        const offers = DRIVERS[shell](script, CASES.map(([line]) => line));
        for (const [index, [line, wanted, unwanted]] of CASES.entries()) {
          const words = wordsOf(offers[index]!);
          const has = (word: string) => words.has(word) || words.has(`--as=${word}`);
          const typed = new Set(line.split(" "));
          for (const word of wanted) assert(has(word), `${line}: ${word}\n${offers[index]}`);
          for (const word of unwanted) {
            assert(typed.has(word) || !has(word), `${line}: ${word}\n${offers[index]}`);
          }
        }
      } finally {
        Deno.removeSync(script);
      }
    },
  });
}
