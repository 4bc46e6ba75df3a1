/** Files of this host, as services see them. */
import { OsError } from "../base/errors.ts";
import type { Files } from "./ports.ts";

/** The file system. */
export const SYSTEM_FILES: Files = {
  async read(path) {
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      throw new OsError("os.file", `Cannot read ${path}: ${textOf(error)}`, {
        errno: errnoOf(error),
      }, { cause: error });
    }
  },

  async octets(path, most) {
    try {
      const { size } = await Deno.stat(path);
      if (size <= most) return await Deno.readFile(path);
    } catch (error) {
      throw new OsError("os.file", `Cannot read ${path}: ${textOf(error)}`, {
        errno: errnoOf(error),
      }, { cause: error });
    }
    const what = `Cannot read ${path}: it is longer than ${most} octets`;
    throw new OsError("os.file", what, { errno: "EFBIG" });
  },

  async replace(path, text) {
    // Beside the file, for only within a file system is a rename one step.
    const draft = `${path}.new`;
    try {
      await Deno.mkdir(folderOf(path), { recursive: true });
      const file = await Deno.open(draft, { write: true, create: true, truncate: true });
      try {
        const octets = new TextEncoder().encode(text);
        for (let at = 0; at < octets.length;) at += await file.write(octets.subarray(at));
        await file.sync();
      } finally {
        file.close();
      }
      await Deno.rename(draft, path);
    } catch (error) {
      await remove(draft);
      throw new OsError("os.file", `Cannot write ${path}: ${textOf(error)}`, {
        errno: errnoOf(error),
      }, { cause: error });
    }
  },
};

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    // It may never have come to be, and the reason for that is told anyway.
    if (!(error instanceof Error)) throw error;
  }
}

/** The folder that a file is in; a bare name is in the current one. */
function folderOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, end) || "/";
}

/** What the system says, without the marks of a fault of ours. */
function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function errnoOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "EIO";
}
