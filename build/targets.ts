/** What can be built, and the runtimes that go into it, pinned by version and by checksum. @module */

/** Version of Deno that is packed; the one that the README names. */
export const DENO_VERSION = "2.9.5";

/** One machine that busbar runs on. */
export interface Target {
  /** As compilers name it. */
  readonly triple: string;
  /** As `uname -m` and `Deno.build.arch` name it. */
  readonly machine: "x86_64" | "aarch64";
  /** The npm package that holds the runtime as the file `deno`. */
  readonly npm: string;
  /** Integrity of that package's archive, as the registry states it and as we have pinned it. */
  readonly integrity: string;
  /** SHA-256 of the file `deno` in it. */
  readonly sha256: string;
}

/** Every target. */
export const TARGETS: readonly Target[] = [
  {
    triple: "x86_64-unknown-linux-gnu",
    machine: "x86_64",
    npm: "@deno/linux-x64-glibc",
    integrity:
      "sha512-TDqcnoLe3jlgqYEQm7H7MK6q0JOth+o8iSZzknRODnVkJfPiNnjVn1M1Zc6vnp+ipkyb6Av1/CUlHgHtlq59Gw==",
    sha256: "dc480c462c8c3582524f3e75c160613d0a975e1f66b5465995d58bae236da7d3",
  },
  {
    triple: "aarch64-unknown-linux-gnu",
    machine: "aarch64",
    npm: "@deno/linux-arm64-glibc",
    integrity:
      "sha512-IuYjsz9PGl7CJcNXMuN27KNDB8Q40brK3SG3l+TXMDVW61ZKwcn0fQHBHnXFiiygEwI8by/fKnASEluhZB1atw==",
    sha256: "e1a70c5eb03b0ebaf761077029ef86b9ba22d50e2b54ca45ce5437457f701b63",
  },
];

/** The target of the machine that builds. */
export function hostTarget(): Target {
  return TARGETS.find(({ machine }) => machine === Deno.build.arch)!;
}

/** Name of the file that is built. */
export function fileName(target: Target): string {
  return `busbar-${target.machine}-linux`;
}
