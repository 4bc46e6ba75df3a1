/** The gateway of charging piles with simulated piles, on a clock and a network of the test's own. */
import { AesGcm } from "../../../../src/app/aes_gcm.ts";
import { Counters } from "../../../../src/base/counters.ts";
import { LinkDownError, OsError } from "../../../../src/base/errors.ts";
import { millis } from "../../../../src/base/time.ts";
import { makeEphemeral } from "../../../../src/crypto/ecdh.ts";
import { Sm4Gcm } from "../../../../src/crypto/aead.ts";
import { Sm2PublicKey } from "../../../../src/crypto/sm2.ts";
import type { Context } from "../../../../src/kernel/module.ts";
import type {
  ControlReply,
  Json,
  JsonObject,
  RouteHandler,
} from "../../../../src/kernel/registry.ts";
import { LinkDriver } from "../../../../src/platform/drive.ts";
import { type PointId, Points } from "../../../../src/points/points.ts";
import {
  type Cipher,
  type Message,
  type MessageOf,
  type PileKey,
  PileLink,
  type PileLinkEvent,
} from "../../../../src/protocol/cip22/mod.ts";
import { CONFIG } from "../../../../src/south/pile_gateway/config.ts";
import module from "../../../../src/south/pile_gateway/mod.ts";
import { run } from "../../../../src/south/pile_gateway/service.ts";
import { SimClock } from "../../../sim/clock.ts";
import { SimNet } from "../../../sim/net.ts";
import { type Signing, signing } from "../../../sim/piles.ts";
import { Disk, type Writer } from "../../points/journals.ts";

export const PORT = 6122;
const random = (octets: Uint8Array) =>
  void crypto.getRandomValues(octets as Uint8Array<ArrayBuffer>);

/** A pile that answers every command as it is told to. */
export class TestPile {
  readonly events: PileLinkEvent[] = [];
  readonly heard: Message[] = [];
  link: PileLink | undefined;
  #driver: LinkDriver<PileLinkEvent> | undefined;
  #stop = new AbortController();
  #ended: Promise<void> | undefined;
  sequence = 100n;
  /** What is answered to a command; undefined: nothing. */
  answer: (message: Message) => Partial<MessageOf<"answer">> | undefined = () => ({ result: 0 });

  constructor(
    readonly bench: Bench,
    readonly name: string,
    readonly key: Signing,
    readonly cipher: Cipher,
  ) {}

  /** Connects, and lets the time pass that it takes. */
  async connect(version: string | undefined = "2.0"): Promise<this> {
    const { clock, net } = this.bench;
    const conn = await net.dial({ host: "127.0.0.1", port: PORT });
    const identity = {
      pile: this.name,
      cipher: this.cipher,
      sign: (octets: Uint8Array) => this.key.sign(octets),
      nextSequence: () => this.sequence += 1n,
      aead: (cipher: Cipher, key: Uint8Array) =>
        cipher === "sm4-gcm" ? new Sm4Gcm(key) : new AesGcm(key),
      random,
    };
    this.link = new PileLink(identity, clock.now(), undefined, version);
    this.#stop = new AbortController();
    this.#driver = new LinkDriver(this.link, conn, clock, this.#stop.signal);
    this.#ended = this.#run().finally(() => conn[Symbol.asyncDispose]());
    await this.bench.advance(10);
    return this;
  }

  async #run(): Promise<void> {
    try {
      for await (const event of this.#driver!) {
        this.events.push(event);
        if (event.kind === "message") this.#take(event.message);
      }
    } catch (error) {
      if (!(error instanceof LinkDownError)) throw error;
    }
  }

  #take(message: Message): void {
    this.heard.push(message);
    if (message.kind === "read") return;
    if (!("ticket" in message) || message.kind === "answer") return;
    const answer = this.answer(message);
    if (!answer) return;
    const { ticket } = message;
    this.tell({ kind: "answer", to: message.kind, ticket, result: 0, ...answer });
  }

  tell(message: Message): void {
    this.link!.send(message);
    this.#driver!.wake();
  }

  status(fields: Partial<MessageOf<"status">> = {}): void {
    const time = this.bench.clock.epoch();
    this.tell({ kind: "status", state: 1, closed: false, power: 0, energy: 0, time, ...fields });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.bench.advance(10);
  }

  /** The kinds of what it has heard, but for heartbeats and the reading of its state. */
  get kinds(): string[] {
    return this.heard.map(({ kind }) => kind).filter((kind) =>
      !["heartbeat", "read"].includes(kind)
    );
  }
}

/** See the module. */
export class Bench implements AsyncDisposable {
  readonly clock = new SimClock();
  readonly net = new SimNet();
  readonly disk = new Disk();
  readonly writer: Writer;
  readonly points: Points;
  readonly counters = new Counters(module.counters ?? []);
  readonly reports: string[] = [];
  readonly logged: [code: string, fields: Record<string, unknown>][] = [];
  readonly routes = new Map<string, RouteHandler>();
  readonly files = new Map<string, string | Uint8Array>();
  readonly piles: TestPile[] = [];
  #status: () => JsonObject = () => ({});
  #stop = new AbortController();
  ended: Promise<void> | undefined;

  constructor() {
    const started = this.disk.start(this.clock, { pendingMax: 100_000 });
    this.writer = started.writer;
    this.points = new Points(this.clock, started.journal);
  }

  /** A pile of the register; it is not connected yet. */
  pile(name: string, signer: PileKey["signer"] = "sm2"): TestPile {
    const cipher = signer === "sm2" ? "sm4-gcm" : "aes-gcm";
    const pile = new TestPile(this, name, signing(signer), cipher);
    this.piles.push(pile);
    return pile;
  }

  /** Writes the register down. */
  register(): void {
    const rows = this.piles.map(({ name, key, cipher }) =>
      `${name},${key.key.signer},${key.publicKey},${cipher}`
    );
    this.files.set("/piles.csv", ["pile,signer,public_key,cipher", ...rows].join("\n"));
  }

  async start(config: Record<string, unknown> = {}): Promise<void> {
    this.register();
    const log = (code: string, _line: string, fields: Record<string, unknown> = {}) =>
      void this.logged.push([code, fields]);
    const missing = (path: string) =>
      Promise.reject(new OsError("os.file", `Cannot read ${path}`, { errno: "ENOENT" }));
    const file = (path: string) => {
      const found = this.files.get(path);
      return found === undefined ? missing(path) : Promise.resolve(found);
    };
    const tools = {
      "sm4-gcm": (key: Uint8Array) => new Sm4Gcm(key),
      "aes-128-gcm": (key: Uint8Array) => new AesGcm(key),
      sm2: {
        readPublic: (octets: Uint8Array) => Sm2PublicKey.read(octets),
        ephemeral: (fill: (octets: Uint8Array) => void) => makeEphemeral("sm2", fill),
      },
    };
    const undo = { [Symbol.dispose]: () => {} };
    const context = {
      id: "pile_gateway",
      signal: this.#stop.signal,
      clock: this.clock,
      net: this.net,
      points: this.points,
      authority: { holds: () => true },
      crypto: { get: (name: keyof typeof tools) => tools[name], random },
      files: {
        read: file,
        octets: file,
        replace: (path: string, text: string) => {
          this.files.set(path, text);
          return Promise.resolve();
        },
      },
      control: {
        route: (method: string, path: string, _access: string, handler: RouteHandler) => {
          this.routes.set(`${method} ${path}`, handler);
          return undo;
        },
        status: (fields: () => JsonObject) => {
          this.#status = fields;
          return undo;
        },
      },
      counters: this.counters,
      trace: () => 0,
      log: { trace: log, debug: log, info: log, warn: log, error: log },
      report: (health: string, why?: string) =>
        void this.reports.push(why === undefined ? health : `${health}: ${why}`),
    } as unknown as Context;
    this.ended = run(context, CONFIG.parse({ piles: "/piles.csv", ...config }));
    this.ended.catch(() => {});
    await this.advance(10);
  }

  /** Asks as an operator does. */
  async order(path: string, body?: Json): Promise<ControlReply> {
    const method = body === undefined ? "GET" : "POST";
    const handler = this.routes.get(`${method} ${path}`)!;
    const request = { method, path, query: new URLSearchParams(), body, remote: "t:1" };
    const reply = Promise.resolve(handler(request));
    for (let turn = 0; turn < 20; turn += 1) await this.advance(1);
    return await reply;
  }

  /** Gives a command, as a control centre does. @returns What became of it, in words. */
  async command(point: string, value: number | boolean, wait = 100): Promise<string> {
    const command = { point: point as PointId, value, origin: "test" };
    const deadline = this.clock.now() + 20_000;
    const outcome = this.points.commands.request(command, deadline as never);
    for (let turn = 0; turn < 10; turn += 1) await this.advance(wait / 10);
    const { kind, ...rest } = await outcome;
    return "why" in rest ? `${kind}: ${rest.why}` : kind;
  }

  async advance(span: number): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(millis(0));
    await this.clock.advance(millis(span));
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(millis(0));
  }

  value(point: string): unknown {
    return this.points.last(point as PointId)?.value;
  }

  quality(point: string): number | undefined {
    return this.points.last(point as PointId)?.quality;
  }

  /** How often a line was logged. */
  logs(code: string): Record<string, unknown>[] {
    return this.logged.filter(([one]) => one === code).map(([, fields]) => fields);
  }

  get status(): JsonObject {
    return this.#status();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.advance(10);
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pile of this.piles) await pile.close();
    await this.stop().catch(() => {});
    this.disk[Symbol.dispose]();
  }
}
