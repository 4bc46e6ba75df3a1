/** `busbar completion bash|zsh|fish`: the script that makes a shell complete busbar's commands. */
import { type Command, EXIT } from "../command.ts";
import { completionScript, type Shell, SHELLS } from "../completion.ts";

/** @param commands Gives the whole table, of which this command is a part. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: "completion",
    summary: "Print the completion script of a shell",
    details: "For one session: source <(busbar completion bash). For good: bash reads " +
      "/etc/bash_completion.d/busbar, zsh reads _busbar in a folder of $fpath, and fish reads " +
      "~/.config/fish/completions/busbar.fish.",
    options: [],
    args: [{ name: "shell", summary: "Which shell", choices: SHELLS }],
    examples: [
      "source <(busbar completion bash)",
      "busbar completion zsh > /usr/local/share/zsh/site-functions/_busbar",
      "busbar completion fish > ~/.config/fish/completions/busbar.fish",
    ],
    run: ({ args, terminal }) => {
      const script = completionScript(args[0] as Shell, commands());
      terminal.raw(new TextEncoder().encode(script));
      return Promise.resolve(EXIT.ok);
    },
  };
}
