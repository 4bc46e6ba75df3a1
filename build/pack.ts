/**
 * The pack route: `deno bundle` of the program and of its worker, and the runtime, behind a `sh`
 * head in one executable file. Equal input gives an equal file, octet by octet.
 * @module
 */
import { type Part, part, runtimePart, sha256 } from "./runtime.ts";
import type { Target } from "./targets.ts";

/** What goes into a pack. */
export interface Program {
  /** Shown in the head, and the beginning of the cache folder's name. */
  readonly version: string;
  /** Path of the main module. */
  readonly main: string;
  /** Path of the module that workers run. */
  readonly worker: string;
}

/** Writes the executable file of a target. @returns Its size in octets. */
export async function pack(program: Program, target: Target, out: string): Promise<number> {
  const main = await bundle(program.main);
  const worker = await bundle(program.worker);
  const octets = assemble(program.version, target, [
    await runtimePart(target),
    part("busbar.js", "600", new TextEncoder().encode(pointAtWorker(main))),
    part("worker_main.js", "600", new TextEncoder().encode(worker)),
  ]);
  // By a rename: the file may be running.
  const draft = `${out}.${Deno.pid}`;
  await Deno.writeFile(draft, octets, { mode: 0o755 });
  await Deno.chmod(draft, 0o755);
  await Deno.rename(draft, out);
  return octets.length;
}

/** Head and parts as one file. The offsets in the head are found by trying: they have digits. */
export function assemble(
  version: string,
  target: Target,
  parts: readonly Part[],
): Uint8Array<ArrayBuffer> {
  const template = Deno.readTextFileSync(new URL("head.sh", import.meta.url));
  const identity = [template, ...parts.map((each) => each.sha256)].join("\n");
  const key = `${version}-${sha256(new TextEncoder().encode(identity)).slice(0, 16)}`;
  const space = Math.ceil(parts.reduce((sum, each) => sum + each.size, 0) / 1024 / 1024) + 5;
  let head = new Uint8Array();
  // Each round can only lengthen the digits; two equal lengths in a row are the end.
  for (let length = -1; length !== head.length;) {
    length = head.length;
    let offset = length + 1;
    const table = parts.map((each) => {
      const line = `${each.name} ${offset} ${each.gzip.length} ${each.mode} ${each.sha256}`;
      offset += each.gzip.length;
      return line;
    });
    head = new TextEncoder().encode(
      template.replaceAll("@VERSION@", version).replaceAll("@MACHINE@", target.machine)
        .replaceAll("@KEY@", key).replaceAll("@SPACE@", String(space))
        .replaceAll("@PARTS@", table.join("\n")),
    );
  }
  const octets = new Uint8Array(
    head.length + parts.reduce((sum, each) => sum + each.gzip.length, 0),
  );
  octets.set(head);
  let at = head.length;
  for (const each of parts) {
    octets.set(each.gzip, at);
    at += each.gzip.length;
  }
  return octets;
}

/** The bundle looks for its worker beside itself, by the name that the worker's bundle has. */
export function pointAtWorker(code: string): string {
  return code.replace(
    /(new URL\(\s*)"[^"]*\bworker_main\.ts"(,\s*import\.meta\.url\s*\))/g,
    `$1"./worker_main.js"$2`,
  );
}

async function bundle(path: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--keep-names", path],
    cwd: new URL("..", import.meta.url).pathname,
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  }).output();
  if (!success) {
    throw new Error(`Cannot bundle ${path}: ${new TextDecoder().decode(stderr).trim()}`);
  }
  return new TextDecoder().decode(stdout);
}
