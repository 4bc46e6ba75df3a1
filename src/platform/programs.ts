/** Other programs of this host, as services see them. */
import { describe, OsError } from "../base/errors.ts";
import { OUTPUT_MAX, type Programs } from "./ports.ts";

/** Starts processes; each is killed when its caller gives up. */
export const SYSTEM_PROGRAMS: Programs = {
  async run(program, args, signal) {
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        args: [...args],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      throw new OsError("os.program", `Cannot run ${program}: ${describe(error)}`, {
        errno: error instanceof Deno.errors.NotFound ? "ENOENT" : "EACCES",
      }, { cause: error });
    }
    const given = Promise.withResolvers<never>();
    const giveUp = () => {
      kill(child);
      given.reject(new OsError("os.program", `${program} was given up`, { errno: "ETIMEDOUT" }));
    };
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    // A grandchild may keep the pipes open after the child was killed, so that end is not waited
    // for; and whoever gave up does not care how it went.
    const ended = Promise.all([head(child.stdout), head(child.stderr), child.status]);
    const settled = ended.then((result) => result, (error: unknown) => given.reject(error));
    try {
      const result = await Promise.race([settled, given.promise]);
      if (!result) return await given.promise;
      const [stdout, stderr, { code }] = result;
      return { code, stdout, stderr };
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  },
};

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It has ended in the meantime.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The beginning of what comes; the rest is read and forgotten, so that the writer can end. */
async function head(stream: ReadableStream<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let room = OUTPUT_MAX;
  for await (const chunk of stream) {
    if (room <= 0) continue;
    parts.push(chunk.subarray(0, room));
    room -= chunk.length;
  }
  return await new Blob(parts as Uint8Array<ArrayBuffer>[]).text();
}
