/**
 * busbar as its users have it: the executable that `deno task build` wrote, started with a YAML
 * file in a network namespace, asked by its control port there, and stopped. With
 * `BUSBAR_E2E=source` the program runs from source instead, for work on it between two builds.
 * @module
 */
import type { Namespace } from "../netns.ts";
import { fileName, hostTarget } from "../../build/targets.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** How long a start may take, the unpacking of a first start included. */
const START_MS = 60_000;
/** A wait for a state ends after this; what is asserted is that it comes, not when. */
const UNTIL_MS = 30_000;
const ASK_EVERY_MS = 50;
const CONTROL_PORT = 5555;

/** One service in /status. */
export interface ServiceStatus {
  readonly state: string;
  readonly "since_s": number;
  readonly restarts: number;
  readonly why?: string;
  readonly counters: Readonly<Record<string, number>>;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** The document behind /status. */
export interface Status {
  readonly status: string;
  readonly health: string;
  readonly services: Readonly<Record<string, ServiceStatus>>;
}

/** An answer of the control port. */
export interface Answer {
  readonly code: number;
  readonly body: string;
}

/** How a process ended, and how long after it was asked to. */
export interface End {
  readonly code: number;
  readonly signal: string | null;
  readonly ms: number;
}

/** How to start. */
export interface StartOptions {
  /** Resolve as soon as the process exists; else when the control port answers. */
  readonly eager?: boolean;
  readonly env?: Record<string, string>;
  /** Put in front of the command, such as a tracer. */
  readonly prefix?: readonly string[];
}

/** The command that is tested, without arguments. @throws Error when there is nothing to test. */
export function executable(): string[] {
  if (Deno.env.get("BUSBAR_E2E") === "source") {
    return [Deno.execPath(), "run", "-A", `${ROOT}main.ts`];
  }
  const path = `${ROOT}dist/${fileName(hostTarget())}`;
  try {
    Deno.statSync(path);
  } catch (cause) {
    throw new Error(`${path} is missing: run deno task build, or set BUSBAR_E2E=source`, { cause });
  }
  return [path];
}

/** A busbar that runs in a namespace. Disposing kills it. */
export class Busbar implements AsyncDisposable {
  readonly #namespace: Namespace;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #texts: Promise<void>[];
  #log = "";
  #ended: Deno.CommandStatus | undefined;

  private constructor(namespace: Namespace, child: Deno.ChildProcess, folder: string) {
    this.#namespace = namespace;
    this.#child = child;
    this.#folder = folder;
    this.#texts = [this.#collect(child.stdout), this.#collect(child.stderr)];
    child.status.then((status) => this.#ended = status);
  }

  /**
   * Starts busbar in a namespace. The control port is added to the configuration if it has none.
   * @param modules The `modules` section, as a value.
   * @throws Error with its output when it ends or does not answer.
   */
  static async start(
    namespace: Namespace,
    modules: Record<string, unknown>,
    options: StartOptions = {},
  ): Promise<Busbar> {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-e2e-" });
    const config = { control: { listen: `127.0.0.1:${CONTROL_PORT}` }, modules };
    const path = `${folder}/busbar.yaml`;
    Deno.writeTextFileSync(path, JSON.stringify(config, null, 2)); // JSON is YAML.
    const command = [...options.prefix ?? [], ...executable(), "run", "--config_path", path];
    const child = namespace.spawn(command, {
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...options.env },
    });
    const busbar = new Busbar(namespace, child, folder);
    if (options.eager) return busbar;
    try {
      await busbar.until("the control port answers", () => true, START_MS);
    } catch (error) {
      await busbar[Symbol.asyncDispose]();
      throw error;
    }
    return busbar;
  }

  /** The process; of the packed executable too, whose head becomes the program by exec. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What it has printed up to now. */
  get log(): string {
    return this.#log;
  }

  /** Asks the control port. Undefined when nothing answers. */
  async ask(path: string): Promise<Answer | undefined> {
    // From inside the namespace, by nothing but bash: its /dev/tcp is enough for one request.
    const request = `GET ${path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n`;
    const script =
      `exec 3<>/dev/tcp/127.0.0.1/${CONTROL_PORT} && printf '${request}' >&3 && cat <&3`;
    const child = this.#namespace.spawn(["timeout", "5", "bash", "-c", script], {
      stdout: "piped",
      stderr: "null",
    });
    const { stdout } = await child.output();
    const text = new TextDecoder().decode(stdout);
    const code = text.match(/^HTTP\/1\.[01] (\d{3})/)?.[1];
    if (code === undefined) return undefined;
    return { code: Number(code), body: text.slice(text.indexOf("\r\n\r\n") + 4) };
  }

  /** The document behind /status; undefined when nothing answers. */
  async status(): Promise<Status | undefined> {
    const answer = await this.ask("/status");
    if (answer === undefined) return undefined;
    // What stands around the document is at most the framing of a chunked body.
    const { body } = answer;
    return JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1)) as Status;
  }

  /** Asks for /status until it fits. @throws Error with the last one and the output otherwise. */
  async until(
    what: string,
    fits: (status: Status) => boolean,
    timeoutMs = UNTIL_MS,
  ): Promise<Status> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const status = await this.status();
      if (status !== undefined && fits(status)) return status;
      if (this.#ended || Date.now() > deadline) {
        const seen = JSON.stringify(status, null, 1) ?? "no answer";
        const state = this.#ended ? `it ended with ${this.#ended.code}` : "it still runs";
        throw new Error(`Waiting until ${what}: ${state}; ${seen}\n${this.#log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  }

  /** Waits until services are up. */
  async untilUp(...ids: readonly string[]): Promise<Status> {
    const up = (status: Status) => ids.every((id) => status.services[id]?.state === "up");
    return await this.until(`${ids.join(", ")} up`, up);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<End> {
    const asked = performance.now();
    if (!this.#ended) this.#child.kill(signal);
    const status = await this.#child.status;
    return { code: status.code, signal: status.signal, ms: performance.now() - asked };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    await Promise.all(this.#texts);
    try {
      Deno.removeSync(this.#folder, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // Disposed twice.
    }
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#log += text;
  }
}
