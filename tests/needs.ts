/**
 * What a test needs from the machine: privileges, devices, tools. Where something is missing on a
 * developer's machine the test is skipped, with one line saying what to install; with `CI=true` the
 * absence is a failing test, so that nothing is skipped unseen there.
 *
 * ```ts
 * Deno.test({ name: "Tap comes back", ...needs("root", "tun", "tshark"), fn: async () => {} });
 * ```
 * @module
 */

import { systemAuthenticator } from "../src/platform/linux/libcrypto.ts";

/** Debian package of a command, where its name is another one. */
const PACKAGES: Readonly<Record<string, string>> = {
  "capinfos": "wireshark-common",
  "ip": "iproute2",
  "tc": "iproute2",
  "nsenter": "util-linux",
  "unshare": "util-linux",
  "qemu-aarch64-static": "qemu-user-static",
  "srt-live-transmit": "srt-tools",
  "systemd-analyze": "systemd",
  "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
};

const answers = new Map<string, string | undefined>();
const told = new Set<string>();

/**
 * Whether a test can run here; spread it into the test's definition.
 * @param what `root`, `tun` (/dev/net/tun can be opened), `netns` (network namespaces can be made),
 *   `libcrypto` (OpenSSL's library), `c104` (the package for Python), a path (begins with a slash),
 *   or else the name of a command on PATH.
 */
export function needs(...what: readonly string[]): { readonly ignore: boolean } {
  const absent = what.filter((need) => missing(need) !== undefined);
  for (const need of absent) {
    if (told.has(need)) continue;
    told.add(need);
    const remedy = missing(need)!;
    if (Deno.env.get("CI") === "true") {
      Deno.test(`needs ${need}`, () => {
        throw new Error(`Nothing may be skipped when CI=true: ${remedy}`);
      });
    } else {
      // deno-lint-ignore no-console
      console.log(`Skipping what needs ${need}: ${remedy}`);
    }
  }
  return { ignore: absent.length > 0 };
}

/** The remedy when something is not there; undefined when it is. */
export function missing(need: string): string | undefined {
  if (!answers.has(need)) answers.set(need, look(need));
  return answers.get(need);
}

function look(need: string): string | undefined {
  if (need === "root") return Deno.uid() === 0 ? undefined : "run the tests as root";
  if (need === "tun") return opens("/dev/net/tun") ? undefined : "give access to /dev/net/tun";
  if (need === "netns") {
    return succeeds("unshare", ["-n", "true"]) ? undefined : "run as root, with CAP_SYS_ADMIN";
  }
  if (need === "libcrypto") {
    return systemAuthenticator(new Uint8Array(1)) ? undefined : "apt-get install libssl3";
  }
  if (need === "c104") {
    const python = Deno.env.get("BUSBAR_C104_PYTHON") ?? "python3";
    return succeeds(python, ["-c", "import c104"])
      ? undefined
      : "pip install c104, and set BUSBAR_C104_PYTHON to its interpreter";
  }
  if (need.startsWith("/")) return exists(need) ? undefined : `provide ${need}`;
  return onPath(need) ? undefined : `apt-get install ${PACKAGES[need] ?? need}`;
}

function opens(path: string): boolean {
  try {
    Deno.openSync(path, { read: true, write: true }).close();
    return true;
  } catch {
    return false; // Whatever the reason, the device is of no use to a test.
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false; // Absent or unreadable are the same to a test.
  }
}

function onPath(command: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  return folders.some((folder) => exists(`${folder}/${command}`));
}

function succeeds(command: string, args: readonly string[]): boolean {
  try {
    const options: Deno.CommandOptions = { args: [...args], stdout: "null", stderr: "null" };
    return new Deno.Command(command, options).outputSync().success;
  } catch {
    return false; // The command itself is not there.
  }
}
