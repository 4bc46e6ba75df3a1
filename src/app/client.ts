/**
 * The other end of the control port: what commands ask the running busbar through.
 * @module
 */
import { AppError, ConfigError, LinkDownError, ProtocolError } from "../base/errors.ts";
import { readConfig } from "../kernel/config.ts";
import type { Json } from "../kernel/registry.ts";
import { SYSTEM_FILES } from "../platform/files.ts";
import type { Endpoint } from "../platform/ports.ts";
import type { Invocation, Option } from "./command.ts";
import { CONFIG_OPTION, findConfig } from "./config_file.ts";
import { MODULES } from "./modules.ts";

const ANSWER_MS = 5000;
const FALLBACK: Endpoint = { host: "127.0.0.1", port: 5555 };

/** Options of every command that asks the running busbar. */
export const TARGET_OPTIONS: readonly Option[] = [
  {
    name: "control",
    value: "HOST:PORT",
    summary: "The control port to ask, https:// before it for TLS; else that of the " +
      "configuration, or 127.0.0.1:5555",
  },
  CONFIG_OPTION,
];

/** Where to ask, and with which token. */
export interface ControlTarget {
  readonly endpoint: Endpoint;
  /** From `$BUSBAR_TOKEN`, or the configuration's. */
  readonly token: string | undefined;
  /** Certificates that are trusted, as PEM; undefined: plain text. */
  readonly tls?: readonly string[] | undefined;
}

/** An answer of the control port. */
export interface ControlAnswer {
  readonly status: number;
  readonly body: Json;
}

/**
 * Finds out where the running busbar listens.
 * @throws ConfigError when `--control` is no address and port.
 */
export async function controlTarget(call: Invocation): Promise<ControlTarget> {
  const { options, terminal } = call;
  const token = terminal.env("BUSBAR_TOKEN");
  const named = typeof options.config_path === "string" ? options.config_path : undefined;
  const asked = options.control;
  if (typeof asked === "string") {
    const tls = asked.startsWith("https://") ? [] : undefined;
    return { endpoint: parseEndpoint(asked.replace("https://", "")), token, tls };
  }
  const { file, text } = await findConfig(named, terminal.env);
  const { config } = readConfig({ file, text, modules: MODULES, env: terminal.env, flags: {} });
  // A file with problems says nothing about the busbar that runs with its former text.
  const listen = config?.control.listen ?? FALLBACK;
  const trusted = config?.control.tls?.certificate;
  return {
    endpoint: reachable(listen),
    token: token ?? config?.control.token,
    tls: trusted === undefined ? undefined : [await SYSTEM_FILES.read(trusted)],
  };
}

function parseEndpoint(text: string): Endpoint {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) {
    throw new ConfigError("client.control", `--control must be HOST:PORT (is ${text})`);
  }
  return { host: match[1] ?? match[2]!, port };
}

/** A wildcard address is for binding; who wants to reach it takes loopback. */
function reachable({ host, port }: Endpoint): Endpoint {
  return { host: host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host, port };
}

/** Asks a control port. */
export class ControlClient {
  readonly #base: string;
  readonly #token: string | undefined;
  readonly #http: Deno.HttpClient | undefined;

  constructor({ endpoint, token, tls }: ControlTarget) {
    const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
    this.#base = `${tls ? "https" : "http"}://${host}:${endpoint.port}`;
    this.#http = tls && tls.length > 0 ? Deno.createHttpClient({ caCerts: [...tls] }) : undefined;
    this.#token = token;
  }

  /**
   * Reads a path; a document that comes with 503 is one too.
   * @throws LinkDownError when nothing answers; AppError when the answer is a refusal.
   */
  async get(path: string): Promise<Json> {
    const { status, body } = await this.request("GET", path);
    if (status < 400 || status === 503) return body;
    throw refusal(status, body);
  }

  /** Posts a value. @throws as {@linkcode get}, but for 422, whose body is the answer. */
  async post(path: string, value: Json = null): Promise<Json> {
    const { status, body } = await this.request("POST", path, value);
    if (status < 400 || status === 422) return body;
    throw refusal(status, body);
  }

  /**
   * Any request, with its status.
   * @param patience Milliseconds to wait for the answer.
   * @throws LinkDownError when nothing answers.
   */
  async request(
    method: string,
    path: string,
    value?: Json,
    patience = ANSWER_MS,
  ): Promise<ControlAnswer> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.#token !== undefined) headers.authorization = `Bearer ${this.#token}`;
    const body = value === undefined ? {} : { body: JSON.stringify(value) };
    let text: string;
    let status: number;
    try {
      const signal = AbortSignal.timeout(patience);
      const client = this.#http ? { client: this.#http } : {};
      const options = { method, headers, signal, ...body, ...client };
      const response = await fetch(this.#base + path, options);
      status = response.status;
      text = await response.text();
    } catch (error) {
      throw new LinkDownError(
        "client.silent",
        `Nothing answers on ${
          this.#base.replace(/^https?:\/\//, "")
        }; is busbar running? Start it with \`busbar run\`, ` +
          "or name its control port with --control",
        {},
        { cause: error },
      );
    }
    try {
      return { status, body: JSON.parse(text) as Json };
    } catch (error) {
      throw new ProtocolError("client.answer", "What answers is not busbar", { status }, {
        cause: error,
      });
    }
  }
}

function refusal(status: number, body: Json): AppError {
  const why = (body as { error?: unknown } | null)?.error;
  const text = typeof why === "string" ? why : `The answer was ${status}`;
  if (status === 401) {
    return new AppError("client.token", `${text}. Set $BUSBAR_TOKEN to control.token`);
  }
  return new AppError("client.refused", text, { status });
}
