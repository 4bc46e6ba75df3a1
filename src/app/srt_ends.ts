/**
 * Where a stream comes from and where it goes, by address: `srt://`, `udp://`, `file://`, `-`. All
 * of them are asked and never wait; a message is at most one SRT payload.
 * @module
 */
import { parseIpv4 } from "../base/address.ts";
import { AppError, describe, LinkDownError, OsError } from "../base/errors.ts";
import { type Instant, millis } from "../base/time.ts";
import type { DatagramPort, FrameBatch } from "../platform/hot.ts";
import { createHotPlatform } from "../platform/linux/hot_platform.ts";
import {
  type EndpointOptions,
  HEADER,
  PacketPool,
  PAYLOAD_MAX,
  REJECT_WORDS,
  type Secret,
  SrtCaller,
  type SrtConnection,
  SrtListener,
  UNLIMITED,
} from "../protocol/srt/mod.ts";
import { type Attached, srtBatches, SrtSocket } from "../relay/stream_relay/srt_socket.ts";
import { UsageError } from "./usage.ts";

const NAME = "srt live-transmit";
const LATENCY_DEFAULT = 120;
const BUFFER = 8 * 1024 * 1024;
const CHUNK_DEFAULT = 1316;
const TTL = 64;
const LOOPBACK = 0x7f00_0001;
const QUEUE_MAX = 4096;
/** How long a peer may take to read what is due, before the connection goes, and that with it. */
const READ_WITHIN = 300;

/** What stands before a question mark, and what stands behind it. */
interface Address {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly options: URLSearchParams;
}

/** One end of a transmission. */
export interface StreamEnd {
  /** Octets of the next message, valid until the next call; undefined when there is none now. */
  read(now: Instant): Uint8Array | undefined;
  /** Returns false when there is no room now. */
  write(message: Uint8Array, now: Instant): boolean;
  /** Receives, sends, and looks at the time. */
  work(now: Instant): void;
  /** Whether nothing will come any more. */
  readonly ended: boolean;
  /** Whether it can carry: connected, open. */
  readonly ready: boolean;
  /** Whether everything that was written has left. */
  readonly drained: boolean;
  facts(): Record<string, unknown>;
  close(now: Instant): void;
}

/** Opens an end. @throws UsageError for an address that is none; OsError, LinkDownError. */
export async function openEnd(
  text: string,
  way: "source" | "target",
  chunk = CHUNK_DEFAULT,
): Promise<StreamEnd> {
  const address = parseEnd(text);
  if (address.scheme === "srt") return new SrtEnd(address, await resolve(address.host));
  if (address.scheme === "udp") return new UdpEnd(address, await resolve(address.host), way);
  return FileEnd.open(address.path, way, chunk);
}

/** Reads an address. @throws UsageError */
export function parseEnd(text: string): Address {
  const none = new URLSearchParams();
  if (text === "-") return { scheme: "file", host: "", port: 0, path: "-", options: none };
  if (text.startsWith("file://")) {
    return { scheme: "file", host: "", port: 0, path: text.slice(7), options: none };
  }
  const match = /^(srt|udp):\/\/(?:\[([0-9a-f:.]+)\]|([^:/?]*)):(\d{1,5})\/?(?:\?(.*))?$/i.exec(
    text,
  );
  const port = Number(match?.[4]);
  if (!match || port > 65_535) {
    throw new UsageError(
      `"${text}" is no srt://HOST:PORT, udp://HOST:PORT, file://PATH or -`,
      NAME,
    );
  }
  // A plus sign is one: stream ids are no forms.
  const options = new URLSearchParams((match[5] ?? "").replaceAll("+", "%2B"));
  return { scheme: match[1]!.toLowerCase(), host: match[3] ?? "", port, path: "", options };
}

async function resolve(host: string): Promise<number> {
  if (host === "") return 0;
  if (host === "localhost") return LOOPBACK;
  const known = parseIpv4(host);
  if (known !== undefined) return known;
  try {
    const [first] = await Deno.resolveDns(host, "A");
    const address = first === undefined ? undefined : parseIpv4(first);
    if (address !== undefined) return address;
  } catch (error) {
    if (!(error instanceof Error)) throw error; // Told below.
  }
  throw new LinkDownError("srt.resolve", `No IPv4 address is known for ${host}`);
}

class SrtEnd implements StreamEnd {
  readonly #pool = new PacketPool();
  readonly #socket: SrtSocket;
  readonly #platform = createHotPlatform();
  readonly #caller: SrtCaller | undefined;
  #connection: SrtConnection | undefined;
  #current: ReturnType<SrtConnection["deliver"]>;
  #over = false;
  #now = 0 as Instant;
  /** When there was something to send last. */
  #leftAt = 0 as Instant;

  constructor(address: Address, host: number) {
    const now = this.#platform.now();
    const mode = address.options.get("mode") ?? (host === 0 ? "listener" : "caller");
    if (mode !== "caller" && mode !== "listener") {
      throw new UsageError(`mode must be caller or listener, not "${mode}"`, NAME);
    }
    const endpoint = this.#endpoint(address.options, now);
    const secret = secretOf(address.options);
    const listening = mode === "listener";
    const listener = new SrtListener({
      ...endpoint,
      connectionsMax: 1,
      decide: () => this.#connection ? { kind: "reject", code: 2409 } : { kind: "accept", secret },
    });
    const datagrams = this.#platform.openDatagrams({
      address: listening ? host : 0,
      port: listening ? address.port : 0,
      ttl: TTL,
      receiveBuffer: BUFFER,
      sendBuffer: BUFFER,
    });
    const made = ({ connection }: Attached) => this.#connection = connection;
    const batches = srtBatches(this.#platform);
    const own = listening ? listener : undefined;
    this.#socket = new SrtSocket(datagrams, batches, this.#pool, own, made);
    if (listening) return;
    const streamId = address.options.get("streamid");
    this.#caller = new SrtCaller({
      ...endpoint,
      target: host,
      ...(streamId === null ? {} : { streamId }),
      ...(secret ? { secret } : {}),
    }, now);
    this.#socket.call(this.#caller, host, address.port);
  }

  get ready(): boolean {
    return this.#connection !== undefined;
  }

  get ended(): boolean {
    return this.#over || this.#connection?.closed !== undefined;
  }

  /** The peer still holds what it has until it is due, and would lose it with the connection. */
  get drained(): boolean {
    const due = this.#leftAt + (this.#connection?.options.sendLatency ?? 0);
    return this.ended || due + READ_WITHIN < this.#now;
  }

  read(now: Instant): Uint8Array | undefined {
    if (this.#current) this.#pool.give(this.#current);
    this.#current = this.#connection?.deliver(now);
    return this.#current?.payload;
  }

  write(message: Uint8Array, now: Instant): boolean {
    const connection = this.#connection;
    if (!connection || connection.sender.room <= 0) return false;
    const packet = this.#pool.take();
    packet.octets.set(message, HEADER);
    packet.length = message.length;
    return connection.send(packet, now);
  }

  /** @throws LinkDownError when the call was refused. */
  work(now: Instant): void {
    this.#now = now;
    if (this.#connection && this.#connection.sender.size > 0) this.#leftAt = now;
    this.#socket.receive(now);
    this.#socket.work(now);
    const why = this.#caller?.rejected;
    if (why === undefined) return;
    const word = REJECT_WORDS[why] ?? "refused";
    throw new LinkDownError("srt.rejected", `The call was refused: ${why} ${word}`);
  }

  facts(): Record<string, unknown> {
    const connection = this.#connection;
    if (!connection) return { connected: false };
    return {
      connected: connection.closed === undefined,
      "rtt_ms": Math.round(connection.roundTrip.smoothed) / 1000,
      ...connection.receiver.stats,
      sent: connection.sender.stats.sent,
      retransmitted: connection.sender.stats.retransmitted,
      "send_dropped": connection.sender.stats.dropped,
      "key_refreshes": connection.keyRefreshes,
    };
  }

  close(now: Instant): void {
    this.#connection?.close(now);
    this.#socket.work(now);
    this.#socket[Symbol.dispose]();
    this.#over = true;
  }

  #endpoint(options: URLSearchParams, startedAt: Instant): EndpointOptions {
    const latency = millis(wholeOf(options, "latency", 0, 65_535) ?? LATENCY_DEFAULT);
    const maxbw = wholeOf(options, "maxbw", 0, 2 ** 31);
    const input = wholeOf(options, "inputbw", 0, 2 ** 31);
    const overhead = wholeOf(options, "oheadbw", 5, 100) ?? 25;
    // As libsrt has it: without a limit, by what comes in where that is told or asked for.
    const relative = maxbw === 0 || (maxbw === undefined && input !== undefined);
    const reliable = options.get("tlpktdrop") === "0" || options.get("transtype") === "file";
    return {
      receiveLatency: latency,
      peerLatency: latency,
      delivery: reliable ? "reliable" : "timed",
      bandwidth: relative
        ? { max: 0, input: input ?? 0, overhead }
        : maxbw === undefined
        ? UNLIMITED
        : { max: maxbw, input: 0, overhead },
      connectTimeout: millis(wholeOf(options, "conntimeo", 1, 600_000) ?? 3000),
      pool: this.#pool,
      random: (size) => crypto.getRandomValues(new Uint8Array(size)),
      startedAt,
      ...optional("keyRefresh", wholeOf(options, "kmrefreshrate", 2, 2 ** 30)),
      ...optional("keyAnnounce", wholeOf(options, "kmpreannounce", 1, 2 ** 29)),
    };
  }
}

class UdpEnd implements StreamEnd {
  readonly ready = true;
  readonly ended = false;
  readonly drained = true;
  readonly #datagrams: DatagramPort;
  readonly #incoming: FrameBatch;
  readonly #outgoing: FrameBatch;
  #slot = 0;
  #carried = 0;

  constructor(readonly address: Address, readonly host: number, way: "source" | "target") {
    const platform = createHotPlatform();
    this.#incoming = platform.batch(64, 2048, 0);
    this.#outgoing = platform.batch(1, 2048, 0);
    this.#datagrams = platform.openDatagrams({
      address: way === "source" ? host : 0,
      port: way === "source" ? address.port : 0,
      ttl: TTL,
      receiveBuffer: BUFFER,
      sendBuffer: BUFFER,
    });
  }

  read(): Uint8Array | undefined {
    const batch = this.#incoming;
    if (this.#slot >= batch.count) {
      this.#slot = 0;
      if (this.#datagrams.receive(batch) <= 0) return undefined;
    }
    const slot = this.#slot++;
    const start = batch.start[slot]!;
    this.#carried += 1;
    return batch.octets.subarray(start, start + Math.min(PAYLOAD_MAX, batch.length[slot]!));
  }

  write(message: Uint8Array): boolean {
    const batch = this.#outgoing;
    batch.octets.set(message);
    batch.start[0] = 0;
    batch.length[0] = message.length;
    batch.source[0] = this.host;
    batch.port[0] = this.address.port;
    batch.count = 1;
    this.#datagrams.send(batch, 0);
    this.#carried += 1;
    return true;
  }

  work(): void {}

  facts(): Record<string, unknown> {
    return { datagrams: this.#carried };
  }

  close(): void {
    this.#datagrams[Symbol.dispose]();
  }
}

/** What is written to. (The runtime's writable stream of a file keeps the last octets for itself.) */
type Output = Pick<Deno.FsFile, "write" | "close">;

class FileEnd implements StreamEnd {
  readonly ready = true;
  ended = false;
  readonly #queue: Uint8Array[] = [];
  #octets = 0;
  #writing: Promise<void> | undefined;
  #fault: unknown;

  private constructor(
    readonly input: ReadableStreamDefaultReader<Uint8Array> | undefined,
    readonly output: Output | undefined,
    readonly chunk: number,
  ) {
    if (input) void this.#fill(input);
  }

  static async open(path: string, way: "source" | "target", chunk: number): Promise<FileEnd> {
    try {
      if (way === "source") {
        const stream = path === "-" ? Deno.stdin.readable : (await Deno.open(path)).readable;
        return new FileEnd(stream.getReader(), undefined, chunk);
      }
      const output = path === "-"
        ? Deno.stdout
        : await Deno.open(path, { write: true, create: true, truncate: true });
      return new FileEnd(undefined, output, chunk);
    } catch (error) {
      throw fileFault("open", path, error);
    }
  }

  get drained(): boolean {
    return this.#queue.length === 0 && this.#writing === undefined;
  }

  read(): Uint8Array | undefined {
    return this.#queue.shift();
  }

  write(message: Uint8Array): boolean {
    if (this.#queue.length >= QUEUE_MAX) return false;
    this.#queue.push(message.slice());
    this.#octets += message.length;
    return true;
  }

  /** @throws OsError when reading or writing has failed. */
  work(): void {
    if (this.#fault !== undefined) {
      throw fileFault(this.input ? "read" : "write", "the stream", this.#fault);
    }
    if (!this.output || this.#queue.length === 0) return;
    this.#writing ??= this.#empty(this.output).catch((error: unknown) => {
      this.#fault = error;
    }).finally(() => this.#writing = undefined);
  }

  facts(): Record<string, unknown> {
    return { octets: this.#octets };
  }

  close(): void {
    this.ended = true;
    if (this.output) this.output.close();
    else void this.input!.cancel().catch((error: unknown) => this.#fault = error);
  }

  async #empty(output: Output): Promise<void> {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      for (let at = 0; at < next.length;) at += await output.write(next.subarray(at));
    }
  }

  async #fill(input: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await input.read();
        if (done) break;
        this.#octets += value.length;
        for (let at = 0; at < value.length; at += this.chunk) {
          this.#queue.push(value.slice(at, at + this.chunk));
        }
        // Read no further than somebody takes it.
        while (this.#queue.length > QUEUE_MAX && !this.ended) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
    } catch (error) {
      this.#fault = error;
    }
    while (this.#queue.length > 0 && !this.ended) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    this.ended = true;
  }
}

/** What the system says, as an error of one line. */
function fileFault(what: string, path: string, error: unknown): AppError {
  const { code } = error as { code?: unknown };
  const errno = typeof code === "string" ? code : "EIO";
  const why = describe(error);
  return new OsError("srt.file", `Cannot ${what} ${path}: ${why}`, { errno }, { cause: error });
}

function wholeOf(
  options: URLSearchParams,
  name: string,
  least: number,
  most: number,
): number | undefined {
  const text = options.get(name);
  if (text === null) return undefined;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} must be a whole number from ${least} to ${most}`, NAME);
}

function secretOf(options: URLSearchParams): Secret | undefined {
  const passphrase = options.get("passphrase");
  if (passphrase === null || passphrase === "") return undefined;
  if (passphrase.length < 10 || passphrase.length > 79) {
    throw new UsageError("passphrase must have 10 to 79 characters", NAME);
  }
  const length = wholeOf(options, "pbkeylen", 0, 32) ?? 16;
  if (![0, 16, 24, 32].includes(length)) {
    throw new UsageError("pbkeylen must be 16, 24 or 32", NAME);
  }
  return { passphrase, keyLength: (length || 16) as Secret["keyLength"] };
}

function optional<Name extends string>(
  name: Name,
  value: number | undefined,
): Partial<Record<Name, number>> {
  return value === undefined ? {} : { [name]: value } as Record<Name, number>;
}
