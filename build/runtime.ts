/**
 * Gets the Deno runtime of a target. It comes from the npm registry that the user has configured,
 * through Deno's own client, with the archive's integrity pinned by a frozen lock file; the file
 * itself is then compared with a pinned SHA-256. Kept outside the work tree:
 * `$BUSBAR_BUILD_CACHE`, else `$XDG_CACHE_HOME/busbar-build`, else `~/.cache/busbar-build`.
 * @module
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { DENO_VERSION, hostTarget, type Target } from "./targets.ts";

/** Octets of a part, as they are and as they are packed. */
export interface Part {
  readonly name: string;
  /** Mode in the cache, such as `700`. */
  readonly mode: string;
  readonly sha256: string;
  /** Octets when unpacked. */
  readonly size: number;
  readonly gzip: Uint8Array<ArrayBuffer>;
}

/**
 * The runtime of a target, compressed. Slow the first time (download and compression), then read
 * from the build's cache; what is there is checked each time.
 * @throws {Error} when it cannot be had or is not what was pinned.
 */
export async function runtimePart(target: Target): Promise<Part> {
  const folder = `${buildCache()}/${DENO_VERSION}-${target.sha256.slice(0, 16)}`;
  const stored = `${folder}/runtime.gz`;
  const gzip = await readMaybe(stored) ?? await compress(target, folder, stored);
  const runtime = new Uint8Array(
    await new Response(new Blob([gzip]).stream().pipeThrough(new DecompressionStream("gzip")))
      .arrayBuffer(),
  );
  const found = sha256(runtime);
  if (found !== target.sha256) {
    throw new Error(`${stored} is not the pinned runtime (${found}); remove it and build again`);
  }
  return { name: "busbar", mode: "700", sha256: found, size: runtime.length, gzip };
}

/** A part made of a small file. */
export function part(name: string, mode: string, octets: Uint8Array): Part {
  return { name, mode, sha256: sha256(octets), size: octets.length, gzip: gzipOf(octets) };
}

/** SHA-256 in hexadecimal. */
export function sha256(octets: Uint8Array): string {
  return createHash("sha256").update(octets).digest("hex");
}

function gzipOf(octets: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(octets, { level: 9 }));
}

async function compress(
  target: Target,
  folder: string,
  stored: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const runtime = await running(target) ?? await download(target, folder);
  const found = sha256(runtime);
  if (found !== target.sha256) {
    throw new Error(`${target.npm}@${DENO_VERSION} is not what was pinned: SHA-256 ${found}`);
  }
  const gzip = gzipOf(runtime);
  await Deno.mkdir(folder, { recursive: true });
  const draft = `${stored}.${Deno.pid}`;
  await Deno.writeFile(draft, gzip);
  await Deno.rename(draft, stored);
  return gzip;
}

/** The Deno that builds, where it is the very one that is wanted. */
async function running(target: Target): Promise<Uint8Array | undefined> {
  if (target !== hostTarget() || Deno.version.deno !== DENO_VERSION) return undefined;
  const runtime = await readMaybe(Deno.execPath());
  return runtime !== undefined && sha256(runtime) === target.sha256 ? runtime : undefined;
}

async function download(target: Target, folder: string): Promise<Uint8Array> {
  const work = `${folder}/npm.${Deno.pid}`;
  const name = `${target.npm}@${DENO_VERSION}`;
  await Deno.mkdir(work, { recursive: true });
  try {
    const lock = {
      version: "5",
      specifiers: { [`npm:${name}`]: DENO_VERSION },
      npm: {
        [name]: { integrity: target.integrity, os: ["linux"], cpu: [cpu(target)] },
      },
    };
    await Deno.writeTextFile(`${work}/deno.json`, `{ "nodeModulesDir": "none" }`);
    await Deno.writeTextFile(`${work}/deno.lock`, JSON.stringify(lock));
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["cache", "--quiet", "--frozen", `npm:${name}`],
      cwd: work,
      env: { DENO_DIR: `${work}/deno`, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      throw new Error(`Cannot get ${name}: ${new TextDecoder().decode(stderr).trim()}`);
    }
    // The folder between is named after the registry.
    for (const registry of Deno.readDirSync(`${work}/deno/npm`)) {
      const path = `${work}/deno/npm/${registry.name}/${target.npm}/${DENO_VERSION}/deno`;
      const runtime = await readMaybe(path);
      if (runtime !== undefined) return runtime;
    }
    throw new Error(`${name} holds no file named deno`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

function cpu(target: Target): string {
  return target.machine === "aarch64" ? "arm64" : "x64";
}

function buildCache(): string {
  const given = Deno.env.get("BUSBAR_BUILD_CACHE");
  if (given) return given;
  const folder = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${folder}/busbar-build`;
}

async function readMaybe(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
