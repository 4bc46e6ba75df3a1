/**
 * One connection to an RTU, from STARTDT to its end: what is asked of it and when, what becomes of
 * what it says.
 * @module
 */
import { LinkDownError, ProtocolError } from "../../base/errors.ts";
import { after, type Millis, seconds } from "../../base/time.ts";
import { FrameTrace } from "../../kernel/frame_trace.ts";
import type { Context } from "../../kernel/module.ts";
import { pause } from "../../platform/clock.ts";
import { type ByteConn, LinkDriver } from "../../platform/drive.ts";
import {
  type Asdu,
  asdu,
  broadcastOf,
  CAUSE,
  COUNTER_FREEZE,
  COUNTER_REQUEST,
  frameText,
  type InformationObject,
  INTERROGATE_STATION,
  type Profile,
  tagOf,
  type TimeZone,
  TYPE,
  typeSpec,
} from "../../protocol/iec104/mod.ts";
import type { Config } from "./config.ts";
import { zoneOf } from "./config.ts";
import type { ExchangeEnd } from "./exchanges.ts";
import { Files } from "./files.ts";
import { Keeper } from "./keeper.ts";
import { samplesOf, type StationMap } from "./mapping.ts";
import { RtuLink } from "./rtu_link.ts";
import { INTERROGATION, type States } from "./states.ts";

/** ASDUs that an RTU may have sent without waiting to be confirmed; more breaks its own k. */
export const UNRELEASED_MAX = 32_767;

/** How long an RTU may take to confirm that transfer ends, when the service ends. */
export const STOP_WITHIN = seconds(2);

/** What a session shares with the service around it. */
export interface SessionSurroundings {
  readonly ctx: Context;
  readonly config: Config;
  readonly states: States;
  /** The points as the table has them now. */
  map(): StationMap;
}

/** The sizes of an RTU's fields. */
export function profileOf(config: Config): Profile {
  return {
    causeSize: config.causeSize as 1 | 2,
    commonAddressSize: config.commonAddressSize as 1 | 2,
    objectAddressSize: config.objectAddressSize as 1 | 2 | 3,
  };
}

/** See the module. */
export class Session {
  readonly #around: SessionSurroundings;
  readonly #link: RtuLink;
  readonly #driver: LinkDriver<ReturnType<RtuLink["event"]> & object>;
  readonly #keeper: Keeper;
  readonly #over = new AbortController();
  readonly #zone: TimeZone;
  /** The RTU's files. */
  readonly files: Files;
  #started = false;
  #everStarted = false;
  #tests = 0;
  #patience: Disposable | undefined;
  #interrogating: Promise<boolean> | undefined;

  /** @param where What it is connected to, for people. */
  constructor(around: SessionSurroundings, conn: ByteConn, where: string) {
    const { ctx, config } = around;
    const { clock, points, counters } = ctx;
    this.#around = around;
    this.#zone = zoneOf(config);
    const { k, w, t1, t2, t3 } = config;
    const acknowledge = config.acknowledge === "when_durable" ? "on_release" : "on_receipt";
    const options = { profile: profileOf(config), k, w, t1, t2, t3, acknowledge } as const;
    this.#link = new RtuLink(options, clock.now());
    const trace = new FrameTrace(ctx, "iec104.frame", where, frameText(profileOf(config)));
    this.#link.link.observer = trace.take;
    this.#driver = new LinkDriver(this.#link, conn, clock, this.#over.signal);
    this.#keeper = new Keeper(points, clock, this.#over.signal, (count, now) => {
      this.#link.release(count, now);
      this.#driver.wake();
    }, () => counters.add("held_back"));
    const { originator, confirmWithin } = config;
    const send = (request: Asdu) => this.#send(request);
    this.files = new Files(clock, this.#zone, originator, confirmWithin, send);
  }

  /** Whether data transfer runs. */
  get started(): boolean {
    return this.#started;
  }

  /** Whether it ever did. */
  get everStarted(): boolean {
    return this.#everStarted;
  }

  /**
   * Runs until the service has to end.
   * @throws LinkDownError when the connection is lost; ProtocolError when the RTU broke the rules.
   */
  async run(): Promise<void> {
    const { ctx } = this.#around;
    const stop = () => this.#stop();
    const authority = ctx.authority.changed(() => this.#obeyAuthority());
    ctx.signal.addEventListener("abort", stop, { once: true });
    try {
      this.#obeyAuthority();
      for await (const event of this.#driver) {
        switch (event.kind) {
          case "asdu":
            this.#take(event.asdu);
            break;
          case "malformed":
            ctx.counters.add("malformed");
            ctx.log.warn("iec104.asdu.malformed", "ASDU cannot be read", {
              code: event.malformed.code,
              offset: event.malformed.offset,
            });
            this.#keeper.keep([]);
            break;
          case "started":
            this.#begin();
            break;
          case "stopped":
            this.#started = false;
            if (ctx.signal.aborted) this.#over.abort();
            break;
          case "closed":
            throw endOf(event.why, event.detail);
        }
        if (this.#link.link.unreleased > UNRELEASED_MAX) {
          throw endOf("window", "more I frames than any k allows");
        }
      }
    } finally {
      this.#started = false;
      this.#over.abort();
      this.#link.close();
      this.files.close();
      this.#patience?.[Symbol.dispose]();
      authority[Symbol.dispose]();
      ctx.signal.removeEventListener("abort", stop);
    }
  }

  /** Sends a request, and tells how it ended. */
  request(request: Asdu, endWithin?: Millis): Promise<ExchangeEnd> {
    const { ctx, config } = this.#around;
    ctx.counters.add("asdus_out");
    const options = { confirmWithin: config.confirmWithin, endWithin };
    const end = this.#link.request(request, options, ctx.clock.now());
    this.#driver.wake();
    return end;
  }

  /** Interrogates every common address; what failed is tried once more. Never two at a time. */
  interrogate(): Promise<boolean> {
    this.#interrogating ??= this.#interrogateAll().finally(() => this.#interrogating = undefined);
    return this.#interrogating;
  }

  /** Interrogates one group, 1 to 16, of every common address. */
  interrogateGroup(group: number): Promise<boolean> {
    const qualifier = INTERROGATE_STATION + group;
    return this.#everywhere(TYPE.C_IC_NA_1, { kind: "interrogation", address: 0, qualifier });
  }

  /**
   * Reads the counters of every common address, or freezes or resets them first, as told.
   * @param group 1 to 4; 0 all of them.
   */
  async interrogateCounters(
    group = 0,
    freeze: "read" | "freeze" | "freeze_reset" | "reset" = "read",
  ): Promise<boolean> {
    const request = group === 0 ? COUNTER_REQUEST.general : group;
    const qcc = (what: number): InformationObject => ({
      kind: "counter_interrogation",
      address: 0,
      request,
      freeze: what,
    });
    if (freeze !== "read") {
      const good = await this.#everywhere(TYPE.C_CI_NA_1, qcc(FREEZES[freeze]), true);
      // A reset leaves nothing to be read.
      if (!good || freeze === "reset") return good;
    }
    return await this.#everywhere(TYPE.C_CI_NA_1, qcc(COUNTER_FREEZE.read));
  }

  /** Sets the RTU's clock. */
  async syncClock(): Promise<ExchangeEnd> {
    const { ctx, config } = this.#around;
    const [only] = config.commonAddresses;
    const many = config.commonAddresses.length > 1;
    return await this.request(this.#system({
      type: TYPE.C_CS_NA_1,
      commonAddress: many ? broadcastOf(profileOf(config)) : only!,
      objects: [{ kind: "clock", address: 0, time: tagOf(ctx.clock.epoch(), this.#zone) }],
    }));
  }

  /** Tests the application of the RTU, with a counter and the time. */
  test(): Promise<ExchangeEnd> {
    const { ctx } = this.#around;
    const value = this.#tests = this.#tests + 1 & 0xffff;
    const time = tagOf(ctx.clock.epoch(), this.#zone);
    return this.#toFirst(TYPE.C_TS_TA_1, { kind: "test_counter", address: 0, value, time });
  }

  /** Resets the RTU's process. */
  reset(): Promise<ExchangeEnd> {
    return this.#toFirst(TYPE.C_RP_NA_1, { kind: "reset", address: 0, qualifier: 1 });
  }

  /** Asks for one object; the answer comes as a sample of its point. @returns Whether it was sent. */
  read(commonAddress: number, address: number): boolean {
    const { config: { originator } } = this.#around;
    const fields = { type: TYPE.C_RD_NA_1, cause: CAUSE.request, originator, commonAddress };
    return this.#send(asdu({ ...fields, objects: [{ kind: "read", address }] }));
  }

  #send(request: Asdu): boolean {
    const { ctx } = this.#around;
    const sent = this.#link.send(request, ctx.clock.now());
    if (sent) ctx.counters.add("asdus_out");
    this.#driver.wake();
    return sent;
  }

  /** Loads a parameter, or activates or deactivates what was loaded. */
  async parameter(
    commonAddress: number,
    { type, ...object }: InformationObject & { readonly type: number },
    activate: boolean,
  ): Promise<ExchangeEnd> {
    const { originator } = this.#around.config;
    const cause = activate ? CAUSE.activation : CAUSE.deactivation;
    return await this.request(asdu({ type, cause, originator, commonAddress, objects: [object] }));
  }

  #toFirst(type: number, object: InformationObject): Promise<ExchangeEnd> {
    const [commonAddress] = this.#around.config.commonAddresses;
    return this.request(this.#system({ type, commonAddress: commonAddress!, objects: [object] }));
  }

  #system(fields: Pick<Asdu, "type" | "commonAddress" | "objects">): Asdu {
    const { originator } = this.#around.config;
    return asdu({ ...fields, cause: CAUSE.activation, originator });
  }

  /** Only who may act takes data; who may not keeps the connection, for it is tested. */
  #obeyAuthority(): void {
    const { ctx } = this.#around;
    const now = ctx.clock.now();
    if (ctx.authority.holds(ctx.id)) this.#link.link.start(now);
    else this.#link.link.stop(now);
    this.#driver.wake();
  }

  /** The service ends: what was received is confirmed as far as it is safe, and transfer stops. */
  #stop(): void {
    const { clock } = this.#around.ctx;
    const { link } = this.#link;
    if (link.state !== "started") return this.#over.abort();
    link.stop(clock.now());
    this.#driver.wake();
    this.#patience = clock.alarm(after(clock.now(), STOP_WITHIN), () => this.#over.abort());
  }

  #begin(): void {
    this.#started = this.#everStarted = true;
    void this.#prepare();
  }

  /** What follows STARTDT. */
  async #prepare(): Promise<void> {
    const { config, ctx } = this.#around;
    if (config.clockSync === "on_start") {
      const end = await this.syncClock();
      if (end.kind === "refused") {
        ctx.log.warn("iec104.clock.refused", "RTU refuses to have its clock set", { why: end.why });
      }
    }
    if (config.interrogateOnStart && this.#started) await this.interrogate();
    if (config.countersOnStart && this.#started) await this.interrogateCounters();
  }

  #take(received: Asdu): void {
    const { ctx } = this.#around;
    ctx.counters.add("asdus_in");
    const samples = samplesOf(received, {
      map: this.#around.map(),
      zone: this.#zone,
      received: ctx.clock.epoch(),
    });
    ctx.counters.add("samples", samples.length);
    this.#keeper.keep(samples);
    if (received.type === TYPE.M_EI_NA_1) this.#initialized(received);
    else if (typeSpec(received.type)?.group === "file") this.#file(received);
    else if (samples.length === 0 && received.cause < CAUSE.activation) {
      ctx.counters.add("unexpected");
    }
  }

  #file(received: Asdu): void {
    if (this.files.take(received)) return;
    const { ctx } = this.#around;
    if (received.type === TYPE.F_DR_TA_1 && received.cause === CAUSE.spontaneous) {
      ctx.log.info("iec104.files", "RTU has new files", {
        common_address: received.commonAddress,
        count: received.objects.length,
      });
    } else ctx.counters.add("unexpected");
  }

  /** The RTU has begun anew: what is known of it may be old. */
  #initialized({ commonAddress }: Asdu): void {
    const { ctx, config } = this.#around;
    ctx.log.info("iec104.initialized", "RTU has been initialized", {
      common_address: commonAddress,
    });
    if (config.interrogateOnStart) void this.interrogate();
  }

  async #interrogateAll(): Promise<boolean> {
    const { states, ctx } = this.#around;
    states.interrogation(INTERROGATION.started);
    ctx.counters.add("interrogations");
    const object: InformationObject = {
      kind: "interrogation",
      address: 0,
      qualifier: INTERROGATE_STATION,
    };
    const good = await this.#everywhere(TYPE.C_IC_NA_1, object);
    states.interrogation(good ? INTERROGATION.done : INTERROGATION.failed);
    if (!good) ctx.counters.add("interrogations_failed");
    return good;
  }

  /**
   * Asks each common address, each at most twice.
   * @param brief Whether its confirmation is the end of it.
   */
  async #everywhere(type: number, object: InformationObject, brief = false): Promise<boolean> {
    const { config, ctx } = this.#around;
    let good = true;
    for (const commonAddress of config.commonAddresses) {
      const request = this.#system({ type, commonAddress, objects: [object] });
      const within = brief ? undefined : config.interrogationWithin;
      let end = await this.request(request, within);
      if (end.kind === "silent") end = await this.request(request, within);
      if (end.kind === "done") continue;
      good = false;
      if (end.kind === "broken") break;
      const why = end.kind === "refused"
        ? end.why
        : end.kind === "busy"
        ? "another one is under way"
        : "it was not answered in time";
      ctx.log.warn("iec104.interrogation.failed", "Interrogation has failed", {
        common_address: commonAddress,
        why,
      });
    }
    return good;
  }

  /** Calls `action` at the times of a schedule, as long as the session lives. */
  async repeat(next: (epoch: number) => number | undefined, action: () => unknown): Promise<void> {
    const { clock } = this.#around.ctx;
    const { signal } = this.#over;
    while (!signal.aborted) {
      const epoch = clock.epoch();
      const at = next(epoch);
      if (at === undefined) return;
      await pause(clock, Math.max(1, at - epoch) as Millis, signal);
      // The wall clock may have been set meanwhile: then it is not the time yet.
      if (!signal.aborted && clock.epoch() >= at && this.#started) action();
    }
  }
}

const FREEZES = {
  freeze: COUNTER_FREEZE.freeze,
  "freeze_reset": COUNTER_FREEZE.freezeReset,
  reset: COUNTER_FREEZE.reset,
} as const;

const PEER_FAULTS: ReadonlySet<string> = new Set([
  "send_number",
  "receive_number",
  "not_started",
  "role",
  "malformed",
  "fragment_timeout",
  "window",
]);

function endOf(why: string, detail: string): Error {
  const code = `iec104.link.${why}`;
  return PEER_FAULTS.has(why)
    ? new ProtocolError(code, `RTU broke the protocol: ${detail}`)
    : new LinkDownError(code, `RTU does not answer: ${detail}`);
}
