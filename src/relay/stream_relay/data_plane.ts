/**
 * The control plane's side of the data plane: starts its worker, sends it letters, and lets it
 * drain at the end. With TLS it also stands in front of it.
 * @module
 */
import { parseIpv4 } from "../../base/address.ts";
import { ConfigError, OsError } from "../../base/errors.ts";
import type { Millis } from "../../base/time.ts";
import type { Context, WorkerHandle } from "../../kernel/module.ts";
import { pause } from "../../platform/clock.ts";
import type { Secret } from "../../protocol/srt/mod.ts";
import type { Config } from "./config.ts";
import type { FromPlane, ToPlane } from "./letters.ts";
import type { PlaneConfig } from "./plane.ts";
import type { SrtPlaneConfig } from "./srt_plane.ts";
import { TlsFront } from "./tls_front.ts";

/** A data plane as a thing to talk to. */
export class DataPlane implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #drained = new AbortController();
  readonly #listening = Promise.withResolvers<readonly number[]>();
  #worker: WorkerHandle | undefined;
  #front: TlsFront | undefined;

  constructor(
    readonly ctx: Context,
    readonly config: Config,
    readonly part: "tcp" | "srt",
    readonly hear: (letter: FromPlane) => void,
  ) {}

  /** Resolves when the worker has ended, which it does when it is told to; rejects when it fails. */
  get ended(): Promise<void> {
    return this.#worker!.ended;
  }

  /** Returns when every port listens. @throws OsError when one cannot be bound. */
  async start(): Promise<void> {
    const { ctx, config, part } = this;
    const tls = part === "tcp" ? await this.#identity() : undefined;
    this.#worker = ctx.startWorker({
      part,
      config: part === "tcp" ? planeConfig(config, tls !== undefined) : srtConfig(config),
      signal: this.#stop.signal,
      report: (health, why) => {
        if (health === "degraded") ctx.report(health, why);
      },
      hear: (message) => {
        const letter = message as unknown as FromPlane;
        if (letter.kind === "listening") this.#listening.resolve(letter.ports);
        else if (letter.kind === "drained") this.#drained.abort();
        this.hear(letter);
      },
    });
    const ports = await Promise.race([
      this.#listening.promise,
      this.#worker.ended.then((): readonly number[] => [], (error) => {
        throw withRemedy(error, part);
      }),
    ]);
    if (tls) this.#front = await TlsFront.open(ctx, config, tls, ports);
  }

  send(letter: ToPlane): void {
    this.#worker?.send({ ...letter });
  }

  /** Takes nobody any more, and returns when no session is left or the time is up. */
  async drain(most: Millis): Promise<void> {
    this.send({ kind: "drain" });
    await pause(this.ctx.clock, most, this.#drained.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#front?.[Symbol.asyncDispose]();
    // How it failed was told where it was awaited; here it only has to be over.
    await this.#worker?.ended.then(() => undefined, () => undefined);
  }

  async #identity() {
    const { tls } = this.config;
    if (!tls) return undefined;
    const read = async (field: "certificate" | "key") => {
      try {
        return await this.ctx.files.read(tls[field]);
      } catch (error) {
        if (!(error instanceof OsError)) throw error;
        throw new ConfigError("relay.tls", `tls.${field}: ${tls[field]} cannot be read`, {
          file: tls[field],
        }, { cause: error });
      }
    };
    return { certificate: await read("certificate"), key: await read("key") };
  }
}

/** What the worker is given. With TLS in front it listens on ports of loopback that nobody knows. */
function planeConfig({ tcp, auth }: Config, behindTls: boolean): PlaneConfig {
  const { portRange: { first, last }, address, ...rest } = tcp;
  const names = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return {
    ...rest,
    address: behindTls ? "127.0.0.1" : address,
    names,
    ports: behindTls ? names.map(() => 0) : names,
    ticketsNeeded: auth.tickets === "required",
  };
}

function srtConfig({ srt, tcp, auth }: Config): SrtPlaneConfig {
  const { portRange: { first, last }, address, mode, passphrase, keyLength, ...rest } = srt;
  const names = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return {
    ...rest,
    address: parseIpv4(address)!,
    names,
    ports: names,
    reliable: mode === "reliable",
    secret: passphrase === undefined
      ? undefined
      : { passphrase, keyLength: Number(keyLength) as Secret["keyLength"] },
    pendingTimeout: tcp.pendingTimeout,
    ticketsNeeded: auth.tickets === "required",
  };
}

/** A port that cannot be had, with what to do about it. */
function withRemedy(error: unknown, part: "tcp" | "srt"): unknown {
  if (!(error instanceof OsError)) return error;
  const remedies: Readonly<Record<string, string>> = {
    EADDRINUSE: `another program has it; set ${part}.port_range to ports that are free`,
    EADDRNOTAVAIL: `this host has no such address; set ${part}.address to one that it has`,
    EACCES: `set ${part}.port_range to ports above 1023, or give CAP_NET_BIND_SERVICE`,
    EMFILE: "no more descriptors; raise LimitNOFILE",
  };
  const remedy = remedies[String(error.detail.errno)];
  if (remedy === undefined) return error;
  return new OsError(error.code, `${error.message}: ${remedy}`, error.detail, { cause: error });
}
