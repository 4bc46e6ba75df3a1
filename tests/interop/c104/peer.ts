/** Programs of the independent stack c104, and busbar's command line beside them. */
import { assertEquals } from "../../assert.ts";
import { executable } from "../../e2e/harness.ts";

/** Interpreter that has the package c104; the gate makes one where its source can be reached. */
const PYTHON = Deno.env.get("BUSBAR_C104_PYTHON") ?? "python3";
const HERE = new URL(".", import.meta.url).pathname;

/** One line that a program says. */
export type Said = Readonly<Record<string, unknown>>;

/** A program of the other stack, and what it says. */
export class Peer implements AsyncDisposable {
  readonly said: Said[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<void>;

  constructor(script: string, port: number, certificates: string | undefined) {
    this.#child = new Deno.Command(PYTHON, {
      args: [`${HERE}${script}`, `${port}`, ...certificates === undefined ? [] : [certificates]],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#read = this.#collect();
  }

  async #collect(): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      this.said.push(...lines.map((line) => JSON.parse(line)));
    }
  }

  /** Gives it a line. */
  async tell(line: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Waits until what it has said fits. @throws Error after half a minute. */
  async until(what: string, fits: (said: readonly Said[]) => boolean): Promise<void> {
    const end = performance.now() + 30_000;
    while (!fits(this.said)) {
      if (performance.now() > end) {
        throw new Error(
          `Not in time: ${what}\n${this.said.map((one) => JSON.stringify(one)).join("\n")}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#read;
  }
}

/** Calls busbar; it has to be done. @returns What it prints. */
export async function call(config: string, ...words: string[]): Promise<string> {
  const [program, ...args] = executable();
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args: [...args, ...words, "-c", config],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  assertEquals(code, 0, text(stderr));
  return text(stdout);
}

/** Where its source cannot be reached, the gate says so, and there is nothing to try against. */
export const REACHABLE = Deno.env.get("BUSBAR_NO_C104") !== "1";
