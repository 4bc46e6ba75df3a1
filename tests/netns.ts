/**
 * Network namespaces of a test's own, with veth pairs between them: the place for tests that need
 * real interfaces, TAPs and multicast. Nothing here touches an interface of the machine; a veth is
 * born with both ends already inside. Whatever happens, the namespaces go: by `using`, at the end
 * of the process, on Ctrl-C, or, after a `kill -9`, when the next run sweeps what dead runs left.
 *
 * ```ts
 * using pair = createPair();
 * const peer = pair.b.spawn(["socat", "-u", "UDP-RECV:9", "-"]);
 * pair.a.exec(["ip", "link", "show", "eth0"]);
 * ```
 * @module
 */

/** First part of the name of all our namespaces; the sweep looks at no other. */
const PREFIX = "busbar";
/** How long a killed process may take until it is gone from a namespace. */
const KILL_WAIT_MS = 2000;

/** What a command in a namespace printed and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** How to run a command. */
export interface ExecOptions {
  readonly env?: Record<string, string>;
  /** Any end will do; else a code other than 0 throws. */
  readonly mayFail?: boolean;
}

/** How to start a process; streams are as in `Deno.CommandOptions`. */
export interface SpawnOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: "piped" | "null" | "inherit";
  readonly stdout?: "piped" | "null" | "inherit";
  readonly stderr?: "piped" | "null" | "inherit";
}

/** A veth pair to be laid between two namespaces. */
export interface LinkOptions {
  /** Name of the interface, the same at both ends. */
  readonly name: string;
  /** Addresses with prefix length. */
  readonly a: string;
  readonly b: string;
  /** Octets; 1500 if absent. */
  readonly mtu?: number;
}

/**
 * Namespaces that this process has to remove, by name, and what it has started in each. A child
 * that has just been started may not be inside yet, and nobody would find it there.
 */
const living = new Map<string, Set<Deno.ChildProcess>>();
let prepared = false;

/** A network namespace with `lo` up and without IPv6. Disposing kills what runs in it. */
export class Namespace implements Disposable {
  constructor(readonly name: string) {}

  /**
   * Runs a command in the namespace to its end.
   * @throws Error with what it printed when it fails, unless `mayFail`.
   */
  exec(command: readonly string[], options: ExecOptions = {}): Outcome {
    return run(this.#inside(command), options);
  }

  /**
   * Starts a process in the namespace. Its pid is that of the command itself, as `ip netns exec`
   * replaces itself by it.
   */
  spawn(command: readonly string[], options: SpawnOptions = {}): Deno.ChildProcess {
    const [file, ...args] = this.#inside(command);
    const child = new Deno.Command(file!, {
      args,
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
      ...options,
    }).spawn();
    const own = living.get(this.name);
    own?.add(child);
    void child.status.then(() => own?.delete(child));
    return child;
  }

  /** Writes a file below /proc/sys/net as the namespace sees it. */
  sysctl(key: string, value: string | number): void {
    const path = `/proc/sys/${key.replaceAll(".", "/")}`;
    this.exec(["sh", "-c", `echo ${value} > ${path}`]);
  }

  /** Names of the interfaces in it, `lo` included. */
  interfaces(): string[] {
    const { out } = this.exec(["ip", "-j", "link", "show"]);
    return (JSON.parse(out) as { ifname: string }[]).map((link) => link.ifname);
  }

  /** Kills what runs in it, and removes it with all its interfaces. A second call does nothing. */
  [Symbol.dispose](): void {
    const children = living.get(this.name);
    if (!children) return;
    living.delete(this.name);
    remove(this.name, children);
  }

  #inside(command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.name, ...command];
  }
}

/** Two namespaces joined by one veth pair or more. */
export class Pair implements Disposable {
  constructor(readonly a: Namespace, readonly b: Namespace) {}

  [Symbol.dispose](): void {
    this.a[Symbol.dispose]();
    this.b[Symbol.dispose]();
  }
}

/** Makes an empty namespace. Needs root and iproute2: see `needs("root", "netns", "ip")`. */
export function createNamespace(): Namespace {
  prepare();
  const name = `${PREFIX}-${Deno.pid}-${startOf(Deno.pid)}-${word()}`;
  living.set(name, new Set());
  run(["ip", "netns", "add", name]);
  const namespace = new Namespace(name);
  try {
    for (const scope of ["all", "default"]) {
      const off = `net.ipv6.conf.${scope}.disable_ipv6`;
      // A kernel without IPv6 has no such file, which is as good.
      namespace.exec(["sh", "-c", `echo 1 > /proc/sys/${off.replaceAll(".", "/")}`], {
        mayFail: true,
      });
    }
    run(["ip", "-n", name, "link", "set", "lo", "up"]);
  } catch (error) {
    namespace[Symbol.dispose]();
    throw error;
  }
  return namespace;
}

/** Lays a veth pair between two namespaces, addressed and up. */
export function joinNamespaces(a: Namespace, b: Namespace, link: LinkOptions): void {
  const { name, mtu = 1500 } = link;
  run(
    ["ip", "-n", a.name, "link", "add", name, "mtu", `${mtu}`, "type", "veth"].concat(
      ["peer", "name", name, "mtu", `${mtu}`, "netns", b.name],
    ),
  );
  for (const [namespace, address] of [[a, link.a], [b, link.b]] as const) {
    run(["ip", "-n", namespace.name, "addr", "add", address, "dev", name]);
    run(["ip", "-n", namespace.name, "link", "set", name, "up"]);
  }
}

/**
 * Resolves when a process that was started by `unshare -n` has its own network; before that,
 * nsenter would lead into ours. @throws Error when it has ended.
 */
export async function untilOwnNetwork(pid: number): Promise<void> {
  const own = Deno.readLinkSync("/proc/self/ns/net");
  while (Deno.readLinkSync(`/proc/${pid}/ns/net`) === own) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The usual place: two namespaces, `eth0` in both, 10.79.0.1 and 10.79.0.2; or links as given. */
export function createPair(
  links: readonly LinkOptions[] = [{ name: "eth0", a: "10.79.0.1/24", b: "10.79.0.2/24" }],
): Pair {
  const a = createNamespace();
  try {
    const b = createNamespace();
    try {
      for (const link of links) joinNamespaces(a, b, link);
      return new Pair(a, b);
    } catch (error) {
      b[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    a[Symbol.dispose]();
    throw error;
  }
}

/** Removes what runs that are dead have left. @returns The names of the namespaces removed. */
export function sweepNamespaces(): string[] {
  const { out } = run(["ip", "netns", "list"], { mayFail: true });
  const names = out.split("\n").map((line) => line.split(" ")[0]!).filter(isOrphan);
  for (const name of names) remove(name);
  return names;
}

/** Whether a name is one of ours, made by a process that no longer lives. */
function isOrphan(name: string): boolean {
  const parts = name.match(new RegExp(`^${PREFIX}-(\\d+)-(\\d+)-[0-9a-f]+$`));
  if (!parts) return false;
  // A pid alone may have been given away again; a pid and its time of start have not.
  return startOf(Number(parts[1])) !== parts[2];
}

/** Time of start of a process in ticks since boot; empty when there is no such process. */
function startOf(pid: number): string {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // Field 22; the name in field 2 may hold blanks, so count from behind its bracket.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return ""; // Gone.
  }
}

/** Once per process: clear up after the dead, and see to it that we are cleared up after. */
function prepare(): void {
  if (prepared) return;
  prepared = true;
  sweepNamespaces();
  // An uncaught error ends a program without an unload event.
  for (const end of ["unload", "error", "unhandledrejection"]) {
    globalThis.addEventListener(end, removeAll);
  }
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    const listener = () => {
      removeAll();
      Deno.exit(code);
    };
    Deno.addSignalListener(signal, listener);
    // A listener counts as an open resource, but must not keep a finished program alive.
    globalThis.addEventListener("unload", () => Deno.removeSignalListener(signal, listener));
  }
}

function removeAll(): void {
  for (const [name, children] of living) remove(name, children);
  living.clear();
}

function remove(name: string, children: Iterable<Deno.ChildProcess> = []): void {
  for (const child of children) {
    try {
      child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
  }
  // Deleting the name alone would leave the namespace alive for as long as a process is in it.
  const deadline = Date.now() + KILL_WAIT_MS;
  for (;;) {
    const { out } = run(["ip", "netns", "pids", name], { mayFail: true });
    const pids = out.split("\n").filter((line) => line !== "").map(Number);
    if (pids.length === 0 || Date.now() > deadline) break;
    for (const pid of pids) kill(pid);
    run(["sleep", "0.02"]);
  }
  run(["ip", "netns", "delete", name], { mayFail: true });
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // It ended by itself meanwhile.
  }
}

function word(): string {
  return crypto.getRandomValues(new Uint32Array(1))[0]!.toString(16).padStart(8, "0");
}

function run(command: readonly string[], options: ExecOptions = {}): Outcome {
  const [file, ...args] = command;
  const result = new Deno.Command(file!, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(options.env ? { env: options.env } : {}),
  }).outputSync();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  const outcome = { code: result.code, out: text(result.stdout), err: text(result.stderr) };
  if (outcome.code !== 0 && !options.mayFail) {
    throw new Error(`${command.join(" ")} ended with ${outcome.code}: ${outcome.err}`);
  }
  return outcome;
}
