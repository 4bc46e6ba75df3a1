/**
 * The relay's control plane behind a real control port, over TCP in memory and on a clock that the
 * test turns. The data plane is what the test says it is.
 * @module
 */
import { Counters } from "../../src/base/counters.ts";
import { type Millis, millis, seconds } from "../../src/base/time.ts";
import { ControlPort } from "../../src/kernel/control.ts";
import { Registry } from "../../src/kernel/control_registry.ts";
import type { Context, WorkerPart } from "../../src/kernel/module.ts";
import type { Json } from "../../src/kernel/registry.ts";
import { CONFIG, type Config } from "../../src/relay/stream_relay/config.ts";
import { COUNTERS } from "../../src/relay/stream_relay/counters.ts";
import type { FromPlane, ToPlane } from "../../src/relay/stream_relay/letters.ts";
import { run } from "../../src/relay/stream_relay/service.ts";
import { assertEquals } from "../assert.ts";
import { SimClock } from "../sim/clock.ts";
import { type SimConn, SimNet } from "../sim/net.ts";

const ON = { host: "127.0.0.1", port: 5555 };
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
export const SECRET = "0123456789abcdef";

// deno-lint-ignore no-explicit-any -- tests know what they wait for
export type Payload = any;

/** A control connection. */
export class Client {
  #text = "";
  ended = false;

  constructor(readonly conn: SimConn, readonly clock: SimClock) {
    void this.#read();
  }

  async say(type: string, payload: unknown = {}): Promise<[string, Payload][]> {
    return await this.raw(`${JSON.stringify({ type, payload })}\n`);
  }

  async raw(text: string): Promise<[string, Payload][]> {
    await this.conn.write(new TextEncoder().encode(text));
    return await this.heard();
  }

  /** What was heard since the last call. */
  async heard(): Promise<[string, Payload][]> {
    await this.clock.advance(millis(0));
    const lines = this.#text.split("\n").filter((line) => line !== "");
    this.#text = "";
    return lines.map((line) => {
      const { type, payload } = JSON.parse(line);
      return [type, payload];
    });
  }

  async #read(): Promise<void> {
    for (let octets = await this.conn.read(); octets; octets = await this.conn.read()) {
      this.#text += new TextDecoder().decode(octets);
    }
    this.ended = true;
  }
}

/** A relay behind a control port. */
export async function open(written: Record<string, unknown> = {}, token?: string) {
  const clock = new SimClock();
  const net = new SimNet();
  const registry = new Registry();
  const counters = new Counters(COUNTERS);
  const stop = new AbortController();
  const letters: ToPlane[] = [];
  const reports: string[] = [];
  /** What the control port had to log as an error. */
  const faults: string[] = [];
  const parts = new Map<string, WorkerPart>();
  const worker = Promise.withResolvers<void>();
  const tell = async (letter: FromPlane, part = "tcp") => {
    parts.get(part)!.hear(letter as unknown as Json);
    await clock.advance(millis(0));
  };
  const port = await ControlPort.open({
    ...{ listen: ON, token, publicRead: false, maxConnections: 64, idleTimeout: seconds(60) },
    ...{ registry, net, clock, random: () => 0.5 },
    log: { ...SILENT, error: (code: string) => void faults.push(code) },
  });
  const context = {
    ...{ id: "stream_relay", clock, net, counters, log: SILENT, signal: stop.signal },
    usage: { cpu: () => clock.now() / 4, memory: () => 100 * 1024 * 1024 },
    report: (health: string) => void reports.push(health),
    control: registry,
    startWorker(options: WorkerPart) {
      parts.set(options.part, options);
      options.signal.addEventListener("abort", () => worker.resolve());
      queueMicrotask(() => void tell({ kind: "listening", ports: [2300] }, options.part));
      return {
        ended: worker.promise,
        send: (message: Json) => void letters.push(message as unknown as ToPlane),
      };
    },
  } as unknown as Context;
  const ended = run(context, CONFIG.parse(written) as Config);
  await clock.advance(millis(0));
  const dial = async () => new Client(await net.dial(ON), clock);
  const join = async (role: string, id: string, more: Record<string, unknown> = {}) => {
    const client = await dial();
    const [first] = await client.say("register", { role, id, token: "t", ...more });
    assertEquals(first, ["register_ack", { status: "ok" }]);
    return client;
  };
  const pass = (span: Millis) => clock.advance(span);
  const close = async () => {
    stop.abort();
    await clock.advance(seconds(10));
    await ended;
    const closing = port[Symbol.asyncDispose]();
    await clock.advance(seconds(1));
    await closing;
  };
  const status = () => registry.statusFields() as Payload;
  return {
    faults,
    clock,
    stop,
    dial,
    join,
    pass,
    tell,
    letters,
    counters,
    close,
    status,
    worker,
    ended,
    reports,
  };
}
