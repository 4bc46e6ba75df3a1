/**
 * A controlled station of IEC 60870-5-104 for tests: it keeps what was not confirmed and sends it
 * again on the next connection, answers interrogations and commands, and can be told to misbehave.
 */
import { LinkDownError } from "../../src/base/errors.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { type ByteConn, LinkDriver } from "../../src/platform/drive.ts";
import type { Listener, Net } from "../../src/platform/ports.ts";
import {
  type Asdu,
  asdu,
  CAUSE,
  Iec104Link,
  type InformationObject,
  type LinkOptions,
  mirrored,
  TYPE,
} from "../../src/protocol/iec104/mod.ts";

/** How it behaves. */
export interface OutstationOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly port: number;
  readonly link?: Partial<LinkOptions>;
  /** What an interrogation finds. */
  readonly image?: () => readonly Asdu[];
  /** Answers to a request; undefined: the usual ones. */
  readonly answer?: (request: Asdu) => readonly Asdu[] | undefined;
}

/** See the module. */
export class Outstation implements AsyncDisposable {
  /** Every request that came, in order. */
  readonly heard: Asdu[] = [];
  /** ASDUs that the other side has not confirmed, oldest first. */
  readonly queue: Asdu[] = [];
  connections = 0;
  confirmed = 0;
  /** Ends of links, in order. */
  readonly ends: string[] = [];
  #sent = 0;
  #current: { link: Iec104Link; driver: LinkDriver<unknown>; stop: AbortController } | undefined;
  #answers: Asdu[] = [];

  private constructor(readonly options: OutstationOptions, readonly listener: Listener) {
    void this.#accept();
  }

  static async open(options: OutstationOptions): Promise<Outstation> {
    const listener = await options.net.listen({ host: "127.0.0.1", port: options.port });
    return new Outstation(options, listener);
  }

  /** Queues an event; it is sent as soon as the window lets it. */
  tell(...events: Asdu[]): void {
    this.queue.push(...events);
    this.#flush();
  }

  /** The link that is connected now. */
  get link(): Iec104Link | undefined {
    return this.#current?.link;
  }

  /** Breaks the connection off. */
  drop(): void {
    this.#current?.stop.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    await this.listener[Symbol.asyncDispose]();
  }

  async #accept(): Promise<void> {
    for await (const { conn } of this.listener) {
      this.drop();
      this.connections += 1;
      void this.#serve(conn);
    }
  }

  async #serve(conn: ByteConn): Promise<void> {
    const { clock, link: options } = this.options;
    const stop = new AbortController();
    const link = new Iec104Link({ ...options, role: "controlled" }, clock.now());
    const driver = new LinkDriver(link, conn, clock, stop.signal);
    const own = this.#current = { link, driver, stop };
    this.#sent = 0;
    this.#answers = [];
    try {
      await using _conn = conn;
      for await (const event of driver) {
        if (event.kind === "asdu") this.#request(event.asdu);
        else if (event.kind === "confirmed") this.#confirm(event.count);
        else if (event.kind === "closed") {
          this.ends.push(event.why);
          break;
        }
        this.#flush();
      }
    } catch (error) {
      if (!(error instanceof LinkDownError)) throw error;
      this.ends.push("lost");
    } finally {
      if (this.#current === own) this.#current = undefined;
    }
  }

  /** What is an answer, and not in the queue, was sent in between: it is counted apart. */
  readonly #order: ("event" | "answer")[] = [];

  #confirm(count: number): void {
    for (let left = count; left > 0; left -= 1) {
      if (this.#order.shift() !== "event") continue;
      this.queue.shift();
      this.#sent -= 1;
      this.confirmed += 1;
    }
  }

  #flush(): void {
    const current = this.#current;
    if (!current) return;
    const { link, driver } = current;
    if (this.#sent === 0 && link.unconfirmed === 0) this.#order.length = 0;
    const now = this.options.clock.now();
    while (this.#answers.length > 0 && link.send(this.#answers[0]!, now)) {
      this.#answers.shift();
      this.#order.push("answer");
    }
    while (this.#sent < this.queue.length && link.send(this.queue[this.#sent]!, now)) {
      this.#sent += 1;
      this.#order.push("event");
    }
    driver.wake();
  }

  #request(request: Asdu): void {
    this.heard.push(request);
    this.#answers.push(...this.options.answer?.(request) ?? this.#usual(request));
  }

  #usual(request: Asdu): Asdu[] {
    const con = mirrored(request, CAUSE.activationCon, false);
    const end = mirrored(request, CAUSE.activationTermination, false);
    if (request.cause === CAUSE.deactivation) {
      return [mirrored(request, CAUSE.deactivationCon, false)];
    }
    if (request.type === TYPE.C_IC_NA_1) return [con, ...this.options.image?.() ?? [], end];
    if (request.type === TYPE.C_CI_NA_1) return [con, end];
    const [object] = request.objects;
    const selects = object !== undefined && "select" in object && object.select;
    return request.type === TYPE.C_CS_NA_1 || selects ? [con] : [con, end];
  }
}

/** A spontaneous ASDU of one object. */
export function spontaneous(type: number, object: InformationObject, commonAddress = 1): Asdu {
  return asdu({ type, cause: CAUSE.spontaneous, commonAddress, objects: [object] });
}

/** A single point that has changed. */
export function single(address: number, on: boolean): Asdu {
  return spontaneous(TYPE.M_SP_NA_1, { kind: "single", address, on, quality: 0 });
}
