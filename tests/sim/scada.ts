/** A control centre for tests: it starts, keeps what comes, confirms when it is told to. */
import { LinkDownError } from "../../src/base/errors.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { LinkDriver } from "../../src/platform/drive.ts";
import type { Net } from "../../src/platform/ports.ts";
import {
  type Asdu,
  asdu,
  CAUSE,
  Iec104Link,
  type InformationObject,
  type LinkEvent,
  type LinkOptions,
} from "../../src/protocol/iec104/mod.ts";

/** See the module. */
export class Scada {
  readonly heard: Asdu[] = [];
  /** Why the connection ended; undefined while it lives. */
  end: string | undefined;
  readonly #over = new AbortController();
  readonly #driver: LinkDriver<LinkEvent>;

  private constructor(
    readonly link: Iec104Link,
    driver: LinkDriver<LinkEvent>,
    readonly clock: Clock,
    close: () => Promise<void>,
    over: AbortController,
  ) {
    this.#driver = driver;
    this.#over = over;
    void this.#run(close);
  }

  static async dial(
    net: Net,
    clock: Clock,
    port: number,
    options: Partial<LinkOptions> = {},
  ): Promise<Scada> {
    const over = new AbortController();
    const conn = await net.dial({ host: "127.0.0.1", port }, over.signal);
    const link = new Iec104Link({ ...options, role: "controlling" }, clock.now());
    const driver = new LinkDriver(link, conn, clock, over.signal);
    return new Scada(link, driver, clock, () => Promise.resolve(conn[Symbol.asyncDispose]()), over);
  }

  start(): this {
    this.link.start(this.clock.now());
    this.#driver.wake();
    return this;
  }

  stop(): void {
    this.link.stop(this.clock.now());
    this.#driver.wake();
  }

  /** Confirms the oldest that were kept back; with acknowledge on_release. */
  release(count = this.link.unreleased): void {
    this.link.release(count, this.clock.now());
    this.#driver.wake();
  }

  send(request: Asdu): void {
    if (!this.link.send(request, this.clock.now())) throw new Error("There is no room");
    this.#driver.wake();
  }

  /** A request with one object. */
  ask(
    type: number,
    object: InformationObject,
    commonAddress = 1,
    cause: number = CAUSE.activation,
  ): void {
    this.send(asdu({ type, cause, commonAddress, objects: [object] }));
  }

  /** Breaks the connection off. */
  drop(): void {
    this.#over.abort();
  }

  /** Objects that came with a cause, as `type CA IOA value`. */
  values(cause: number = CAUSE.spontaneous): string[] {
    return this.heard.filter((one) => one.cause === cause).flatMap(
      ({ type, commonAddress, objects }) =>
        objects.map((object) => {
          const value = "on" in object
            ? object.on
            : "state" in object
            ? object.state
            : "raw" in object
            ? object.raw
            : "reading" in object
            ? object.reading
            : "value" in object
            ? object.value
            : "";
          return `${type} ${commonAddress} ${object.address} ${value}`;
        }),
    );
  }

  async #run(close: () => Promise<void>): Promise<void> {
    try {
      for await (const event of this.#driver) {
        if (event.kind === "asdu") this.heard.push(event.asdu);
        else if (event.kind === "closed") {
          this.end = event.why;
          break;
        }
      }
      this.end ??= "dropped";
    } catch (error) {
      if (!(error instanceof LinkDownError)) throw error;
      this.end = "lost";
    } finally {
      await close();
    }
  }
}
