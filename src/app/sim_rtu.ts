/**
 * A simulated controlled station: it makes values up as its profile says, keeps what was not
 * confirmed, and answers what it is asked.
 * @module
 */
import { AppError } from "../base/errors.ts";
import { millis } from "../base/time.ts";
import { pause, SystemClock } from "../platform/clock.ts";
import { type ByteConn, LinkDriver } from "../platform/drive.ts";
import { SYSTEM_NET } from "../platform/net.ts";
import type { Endpoint } from "../platform/ports.ts";
import {
  type Asdu,
  asdu,
  CAUSE,
  COUNTER_FREEZE,
  COUNTER_REQUEST,
  FileServing,
  Iec104Link,
  type InformationObject,
  INTERROGATE_STATION,
  mirrored,
  tagOf,
  TYPE,
  typeSpec,
  UTC,
} from "../protocol/iec104/mod.ts";
import type { Profile } from "./sim_profile.ts";

/** Period in which it is looked which points are due. */
const TICK = millis(20);
const SINE_PERIOD_MS = 60_000;
const ANSWERS_MAX = 10_000;
/** Types without a time tag, by those with one. */
const STATES: Readonly<Record<number, number>> = {
  30: 1,
  31: 3,
  32: 5,
  33: 7,
  34: 9,
  35: 11,
  36: 13,
  37: 15,
};

interface SimPoint {
  readonly address: number;
  readonly type: number;
  readonly change: Profile["points"][number]["change"];
  readonly from: number;
  readonly to: number;
  readonly every: number;
  readonly group: number;
  value: number;
  due: number;
}

/** What it has done. */
export interface SimRtuReport {
  made: number;
  confirmed: number;
  dropped: number;
  connections: number;
  commands: number;
}

/** See the module. */
export class SimRtu {
  readonly report: SimRtuReport = {
    made: 0,
    confirmed: 0,
    dropped: 0,
    connections: 0,
    commands: 0,
  };
  readonly #clock = new SystemClock();
  readonly #points: SimPoint[];
  readonly #queue: Asdu[] = [];
  /** How many of the queue are on their way. */
  #sent = 0;
  readonly #answers: Asdu[] = [];
  /** What is on its way, in its order. */
  readonly #order: ("event" | "answer")[] = [];
  readonly #files: FileServing;
  /** Counters as they were when they were frozen. */
  readonly #frozen = new Map<number, number>();
  #current: { link: Iec104Link; wake: () => void; stop: AbortController } | undefined;
  #turn = 0;

  constructor(readonly profile: Profile, readonly told: (line: string) => void) {
    const now = performance.now();
    const time = tagOf(Date.now(), UTC);
    this.#files = new FileServing(
      profile.commonAddress,
      (profile.files ?? []).map(({ ioa, file, length }) => {
        const octets = Uint8Array.from({ length }, (_, index) => index * 31 + (index >> 8) & 0xff);
        return { address: ioa, file, octets, time };
      }),
    );
    this.#points = profile.points.flatMap(({ ioa, count, ...rest }) =>
      Array.from({ length: count }, (_, index): SimPoint => ({
        ...rest,
        address: ioa + index,
        value: rest.from,
        due: now + rest.every,
      }))
    );
  }

  /**
   * Runs until `signal` aborts.
   * @param bound Told where it listens.
   * @throws OsError when the address cannot be had.
   */
  async run(
    on: Endpoint,
    signal: AbortSignal,
    bound: (at: Endpoint) => void = () => {},
  ): Promise<void> {
    await using listener = await SYSTEM_NET.listen(on);
    bound(listener.local);
    this.told(`Listens on ${listener.local.host}:${listener.local.port}`);
    const close = () => void listener[Symbol.asyncDispose]();
    signal.addEventListener("abort", close, { once: true });
    void this.#live(signal);
    for await (const { conn, remote } of listener) {
      if (signal.aborted) break;
      this.#current?.stop.abort();
      this.report.connections += 1;
      this.told(`Connected by ${remote.host}:${remote.port}`);
      void this.#serve(conn, signal);
    }
    this.#current?.stop.abort();
  }

  async #live(signal: AbortSignal): Promise<void> {
    const { bursts, dropEvery } = this.profile;
    let burst = performance.now() + (bursts?.every ?? Infinity);
    let drop = performance.now() + (dropEvery ?? Infinity);
    while (!signal.aborted) {
      const now = performance.now();
      for (const point of this.#points) {
        for (; point.change !== "still" && point.due <= now; point.due += point.every) {
          this.#change(point);
        }
      }
      if (burst <= now && bursts) {
        burst = now + bursts.every;
        for (let left = bursts.count; left > 0; left -= 1) {
          this.#change(this.#points[this.#turn++ % this.#points.length]!);
        }
      }
      if (drop <= now && dropEvery !== undefined) {
        drop = now + dropEvery;
        this.told("Breaks the connection off");
        this.#current?.stop.abort();
      }
      this.#flush();
      await pause(this.#clock, TICK, signal);
    }
  }

  #change(point: SimPoint): void {
    const { change, from, to } = point;
    const span = to - from;
    if (change === "toggle") point.value = point.value === 0 ? 1 : 0;
    else if (change === "numbers") point.value += 1;
    else if (change === "ramp") {
      point.value = point.value + span / 100 > to ? from : point.value + span / 100;
    } else if (change === "random") point.value = from + Math.random() * span;
    else if (change === "sine") {
      const phase = Math.sin(2 * Math.PI * Date.now() / SINE_PERIOD_MS + point.address);
      point.value = from + span * (1 + phase) / 2;
    }
    this.report.made += 1;
    if (this.#queue.length >= this.profile.queue) {
      this.#queue.splice(this.#sent, 1);
      this.report.dropped += 1;
    }
    this.#queue.push(this.#asdu(point, point.type, CAUSE.spontaneous));
  }

  #asdu(point: SimPoint, type: number, cause: number): Asdu {
    const { commonAddress } = this.profile;
    return asdu({ type, cause, commonAddress, objects: [objectOf(point, type)] });
  }

  async #serve(conn: ByteConn, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const over = AbortSignal.any([signal, stop.signal]);
    const link = new Iec104Link({ role: "controlled" }, this.#clock.now());
    const driver = new LinkDriver(link, conn, this.#clock, over);
    const own = this.#current = { link, wake: () => driver.wake(), stop };
    this.#sent = 0;
    this.#answers.length = 0;
    this.#order.length = 0;
    try {
      await using _conn = conn;
      for await (const event of driver) {
        if (event.kind === "asdu") this.#request(event.asdu);
        else if (event.kind === "confirmed") this.#confirm(event.count);
        else if (event.kind === "closed") {
          this.told(`Ended: ${event.why}, ${event.detail}`);
          break;
        }
        this.#flush();
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.told("The connection was lost");
    } finally {
      if (this.#current === own) this.#current = undefined;
    }
  }

  #confirm(count: number): void {
    for (const what of this.#order.splice(0, count)) {
      if (what === "answer") continue;
      this.#queue.shift();
      this.#sent -= 1;
      this.report.confirmed += 1;
    }
  }

  #flush(): void {
    const current = this.#current;
    if (!current) return;
    const now = this.#clock.now();
    while (this.#answers.length > 0 && current.link.send(this.#answers[0]!, now)) {
      this.#answers.shift();
      this.#order.push("answer");
    }
    while (this.#sent < this.#queue.length && current.link.send(this.#queue[this.#sent]!, now)) {
      this.#sent += 1;
      this.#order.push("event");
    }
    current.wake();
  }

  #request(request: Asdu): void {
    if (this.#answers.length > ANSWERS_MAX) return void this.#current?.stop.abort();
    const con = mirrored(request, CAUSE.activationCon, false);
    const end = mirrored(request, CAUSE.activationTermination, false);
    const group = typeSpec(request.type)?.group;
    const [object] = request.objects;
    const files = group === "file" ? this.#files.take(request) : undefined;
    if (files) this.#answers.push(...files);
    else if (object?.kind === "interrogation") {
      this.#answers.push(con, ...this.#state(false, object.qualifier - INTERROGATE_STATION), end);
    } else if (object?.kind === "counter_interrogation") {
      const { request: asked, freeze } = object;
      const wanted = asked === COUNTER_REQUEST.general ? 0 : asked;
      this.#answers.push(con);
      if (freeze === COUNTER_FREEZE.read) this.#answers.push(...this.#state(true, wanted));
      else this.#freeze(wanted, freeze);
      this.#answers.push(end);
    } else if (request.type === TYPE.C_RD_NA_1) {
      const point = this.#points.find(({ address }) => address === request.objects[0]!.address);
      this.#answers.push(
        point
          ? this.#asdu(point, STATES[point.type] ?? point.type, CAUSE.request)
          : mirrored(request, CAUSE.unknownObjectAddress, true),
      );
    } else if (group === "control") this.#command(request, con, end);
    else if (group === "system" || group === "parameter") this.#answers.push(con);
    else this.#answers.push(mirrored(request, CAUSE.unknownType, true));
  }

  #command(request: Asdu, con: Asdu, end: Asdu): void {
    this.report.commands += 1;
    const [object] = request.objects;
    this.told(`Command ${JSON.stringify(object)}`);
    if (request.cause === CAUSE.deactivation) {
      this.#answers.push(mirrored(request, CAUSE.deactivationCon, false));
    } else if (this.profile.refuseCommands) {
      this.#answers.push(mirrored(request, CAUSE.activationCon, true));
    } else if (object && "select" in object && object.select) this.#answers.push(con);
    else this.#answers.push(con, end);
  }

  /** @param group Of interrogation; 0 the whole station. */
  #state(counters: boolean, group: number): Asdu[] {
    const cause = (counters ? CAUSE.counterInterrogated : CAUSE.interrogated) + group;
    return this.#members(counters, group).map((point) => {
      const value = counters ? this.#frozen.get(point.address) ?? point.value : point.value;
      return this.#asdu({ ...point, value }, STATES[point.type] ?? point.type, cause);
    });
  }

  #freeze(group: number, freeze: number): void {
    for (const point of this.#members(true, group)) {
      if (freeze !== COUNTER_FREEZE.reset) this.#frozen.set(point.address, point.value);
      if (freeze !== COUNTER_FREEZE.freeze) point.value = 0;
    }
  }

  #members(counters: boolean, group: number): SimPoint[] {
    return this.#points.filter((point) =>
      (typeSpec(point.type)?.kind === "counter") === counters &&
      (group === 0 || point.group === group)
    );
  }
}

/** The object that tells a value as a type. */
function objectOf({ address, value }: SimPoint, type: number): InformationObject {
  const { kind, timeSize } = typeSpec(type)!;
  const time = timeSize === 7 ? tagOf(Date.now(), UTC) : undefined;
  const quality = 0;
  const whole = Math.trunc(value);
  switch (kind) {
    case "single":
      return { kind, address, on: value !== 0, quality, time };
    case "double":
      return { kind, address, state: value === 0 ? 1 : 2, quality, time };
    case "step":
      return {
        kind,
        address,
        value: Math.max(-64, Math.min(63, whole)),
        transient: false,
        quality,
        time,
      };
    case "bitstring":
      return { kind, address, bits: whole >>> 0, quality, time };
    case "normalized": {
      const raw = Math.max(-32_768, Math.min(32_767, Math.round(value * 32_768)));
      return { kind, address, raw, quality, time };
    }
    case "scaled":
      return { kind, address, value: Math.max(-32_768, Math.min(32_767, whole)), quality, time };
    case "counter": {
      const flags = { carry: false, adjusted: false, invalid: false };
      return { kind, address, reading: whole | 0, sequence: whole & 31, ...flags, time };
    }
    case "packed":
      return { kind, address, states: whole & 0xffff, changed: 0, quality };
    case "protection_event":
      return { kind, address, state: value === 0 ? 1 : 2, quality, elapsed: 0, time };
    case "protection_start":
      return { kind, address, events: whole & 0x3f, quality, elapsed: 0, time };
    case "protection_output":
      return { kind, address, circuits: whole & 0x0f, quality, elapsed: 0, time };
    default:
      return { kind: "float", address, value: Math.fround(value), quality, time };
  }
}
