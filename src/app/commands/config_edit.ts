/**
 * Editing the configuration safely: on a copy, which replaces the file, in one step and with its
 * mode and owner, only when it is valid.
 * @module
 */
import { AppError } from "../../base/errors.ts";
import { EXIT, type Terminal } from "../command.ts";

/** What a check of a text came to. */
export interface EditCheck {
  readonly valid: boolean;
  readonly lines: readonly string[];
}

/** Opens an editor on a copy until the text is valid or is given up. @returns The exit code. */
export async function editConfig(
  file: string,
  text: string,
  check: (text: string) => EditCheck,
  terminal: Terminal,
): Promise<number> {
  // Beside the file, so that a rename replaces it; dotted, so that no pattern of *.yaml takes it.
  const path = await Deno.realPath(file);
  const slash = path.lastIndexOf("/");
  const draft = `${path.slice(0, slash)}/.${path.slice(slash + 1)}.${Deno.pid}.yaml`;
  try {
    await Deno.writeTextFile(draft, text, { mode: 0o600, createNew: true });
    for (;;) {
      await openEditor(draft, terminal);
      const edited = await Deno.readTextFile(draft);
      if (edited === text) {
        terminal.out("Nothing was changed");
        return EXIT.ok;
      }
      const { valid, lines } = check(edited);
      for (const line of lines) terminal.err(line);
      if (valid) {
        await replace(path, draft);
        terminal.out(`${file} was saved; \`busbar reload\` puts it to work`);
        return EXIT.ok;
      }
      if (!again(terminal)) {
        terminal.err("The file stays as it was; your changes were discarded");
        return EXIT.config;
      }
    }
  } finally {
    await Deno.remove(draft).catch(ignoreMissing);
  }
}

async function openEditor(draft: string, terminal: Terminal): Promise<void> {
  const named = [terminal.env("VISUAL"), terminal.env("EDITOR")].filter((name) => name);
  for (const editor of [...named, "nano", "vi"]) {
    // $EDITOR may hold arguments, as in `code --wait`, so the shell splits it.
    const command = new Deno.Command("/bin/sh", {
      args: [
        "-c",
        `command -v ${firstWord(editor!)} >/dev/null || exit 127; ${editor} "$1"`,
        "sh",
        draft,
      ],
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    });
    const { code } = await command.spawn().status;
    if (code === 0) return;
    if (code !== 127) throw new AppError("config.edit.editor", `${editor} ended with ${code}`);
  }
  throw new AppError("config.edit.none", "There is no editor; set $EDITOR, or install nano");
}

function firstWord(editor: string): string {
  return `'${editor.trim().split(/\s+/)[0]!.replaceAll("'", "'\\''")}'`;
}

/** Asks whether to edit again; without a terminal nobody can answer. */
function again({ interactive }: Terminal): boolean {
  return interactive && confirm("Edit again? No discards the changes");
}

async function replace(path: string, draft: string): Promise<void> {
  const { mode, uid, gid } = await Deno.stat(path);
  if (mode !== null) await Deno.chmod(draft, mode & 0o7777);
  if (uid !== null && gid !== null && uid !== Deno.uid()) await Deno.chown(draft, uid, gid);
  const handle = await Deno.open(draft, { write: true });
  await handle.syncData();
  handle.close();
  await Deno.rename(draft, path);
}

function ignoreMissing(error: unknown): void {
  // It was renamed, which is how this is meant to end.
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
