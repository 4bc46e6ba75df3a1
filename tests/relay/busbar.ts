/**
 * busbar with the stream relay on loopback, as a process: the packed executable, or the source with
 * `BUSBAR_E2E=source`. Ports are free ones of this machine.
 * @module
 */
import { executable } from "../e2e/harness.ts";

const START_MS = 60_000;
const ASK_EVERY_MS = 50;
/** Below the range from which the kernel takes ports for clients. */
const FIRST_PORT = 20_000;
const LAST_PORT = 31_000;

/** SRT ports unless told otherwise. */
const SRT_PORTS = 4;

let nextPort = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT - 4000));

/** The first of so many free ports in a row. */
export function freePorts(count: number): number {
  for (;;) {
    if (nextPort + count > LAST_PORT) nextPort = FIRST_PORT;
    const first = nextPort;
    nextPort += count;
    if (Array.from({ length: count }, (_, index) => first + index).every(isFree)) return first;
  }
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

/** How to start. */
export interface RelayOptions {
  /** Data ports; 4 unless told otherwise. */
  readonly ports?: number;
  readonly srtPorts?: number;
  /** The section `stream_relay`, beside the addresses. */
  readonly config?: Record<string, unknown>;
  readonly tcp?: Record<string, unknown>;
  readonly srt?: Record<string, unknown>;
  readonly control?: Record<string, unknown>;
  readonly env?: Record<string, string>;
  /** Return as soon as the process exists. */
  readonly eager?: boolean;
}

/** A relay that runs. Disposing kills it. */
export class RelayProcess implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "busbar-relay-" });
  readonly #child: Deno.ChildProcess;
  readonly #texts: Promise<void>[];
  #log = "";
  #ended: Deno.CommandStatus | undefined;

  private constructor(
    readonly controlPort: number,
    readonly firstPort: number,
    readonly srtPort: number,
    config: unknown,
    env: Record<string, string>,
  ) {
    const path = `${this.folder}/busbar.yaml`;
    Deno.writeTextFileSync(path, JSON.stringify(config, null, 2)); // JSON is YAML.
    const [program, ...args] = executable();
    this.#child = new Deno.Command(program!, {
      args: [...args, "run", "--config_path", path],
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...env },
    }).spawn();
    this.#texts = [this.#collect(this.#child.stdout), this.#collect(this.#child.stderr)];
    this.#child.status.then((status) => this.#ended = status);
  }

  /** Returns when its ports listen. @throws Error with its output when they do not. */
  static async start(options: RelayOptions = {}): Promise<RelayProcess> {
    const { ports = 4, srtPorts = SRT_PORTS } = options;
    const control = freePorts(1);
    const first = freePorts(ports);
    const srt = freePorts(srtPorts);
    const process = new RelayProcess(control, first, srt, {
      control: { listen: `127.0.0.1:${control}`, ...options.control },
      log: { level: "debug" },
      modules: {
        "stream_relay": {
          ...options.config,
          tcp: {
            address: "127.0.0.1",
            "port_range": `${first}-${first + ports - 1}`,
            ...options.tcp,
          },
          srt: {
            address: "127.0.0.1",
            "port_range": `${srt}-${srt + srtPorts - 1}`,
            ...options.srt,
          },
        },
      },
    }, options.env ?? {});
    if (options.eager) return process;
    try {
      await process.until("the relay is up", () => process.log.includes('"service.up"'), START_MS);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
    return process;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** What it has printed up to now. */
  get log(): string {
    return this.#log;
  }

  /** The document behind /status. */
  // deno-lint-ignore no-explicit-any -- it is looked into by tests that know what is there
  async status(): Promise<any> {
    const answer = await fetch(`http://127.0.0.1:${this.controlPort}/status`);
    return await answer.json();
  }

  /** A counter of the relay. */
  async counter(name: string): Promise<number> {
    return (await this.status()).services.stream_relay.counters[name];
  }

  /** Waits for a condition. @throws Error that names it, with the log. */
  async until(
    what: string,
    condition: () => boolean | Promise<boolean>,
    within = 20_000,
  ): Promise<void> {
    const end = performance.now() + within;
    while (!await condition()) {
      if (this.#ended) throw new Error(`busbar has ended before ${what}:\n${this.#log}`);
      if (performance.now() > end) throw new Error(`Not in time: ${what}\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  }

  /** Sends a signal and waits for the end. Returns the exit code. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    if (!this.#ended) this.#child.kill(signal);
    const { code } = await this.#child.status;
    await Promise.all(this.#texts);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    Deno.removeSync(this.folder, { recursive: true });
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const octets of stream) this.#log += decoder.decode(octets, { stream: true });
  }
}
