/**
 * What a control centre asks, and what is answered at once. Selections belong to the connection
 * they came over, and go with it. Pure: commands are handed out, not executed.
 * @module
 */
import { after, type Instant } from "../../base/time.ts";
import type { PointValue } from "../../points/points.ts";
import {
  type Asdu,
  broadcastOf,
  CAUSE,
  COUNTER_FREEZE,
  COUNTER_REQUEST,
  DOUBLE_COMMAND,
  epochOf,
  type InformationObject,
  INTERROGATE_STATION,
  mirrored,
  type Profile,
  STEP_COMMAND,
  type TimeZone,
  TYPE,
  typeSpec,
} from "../../protocol/iec104/mod.ts";
import type { Config } from "./config.ts";
import type { Forwarded, ForwardingTable } from "./forwarding.ts";

/** What has to be done. */
export type Step =
  | { readonly kind: "answer"; readonly asdu: Asdu }
  /** Points of a common address, or counters, all of them or those of a group, and then `end`. */
  | {
    readonly kind: "scan";
    readonly entries: readonly Forwarded[];
    readonly counters: boolean;
    readonly cause: number;
    readonly end: Asdu;
  }
  /** The counters are to be remembered as they are now. */
  | { readonly kind: "freeze"; readonly entries: readonly Forwarded[] }
  | { readonly kind: "read"; readonly entry: Forwarded }
  | {
    readonly kind: "command";
    readonly entry: Forwarded;
    readonly value: PointValue;
    readonly qualifier: number | undefined;
    readonly request: Asdu;
  };

/** Most selections of one connection. */
export const SELECTIONS_MAX = 64;

interface Selection {
  readonly what: string;
  readonly until: Instant;
}

/** The requests of one connection. */
export class Requests {
  readonly #selections = new Map<string, Selection>();

  constructor(
    readonly config: Config,
    readonly profile: Profile,
    readonly zone: TimeZone,
    readonly table: () => ForwardingTable,
  ) {}

  /** What a request wants. @param epoch Now, in milliseconds. */
  take(request: Asdu, now: Instant, epoch: number): Step[] {
    const spec = typeSpec(request.type);
    if (spec?.group === "control") return this.#command(request, now, epoch);
    switch (request.type) {
      case TYPE.C_IC_NA_1:
      case TYPE.C_CI_NA_1:
        return this.#interrogation(request);
      case TYPE.C_RD_NA_1:
        return this.#read(request);
      case TYPE.C_CS_NA_1:
        return this.#confirmed(request, this.config.clockSync === "refuse");
      case TYPE.C_TS_NA_1:
      case TYPE.C_TS_TA_1:
        return this.#confirmed(request, false);
      case TYPE.C_RP_NA_1:
        // busbar is not reset from afar.
        return this.#confirmed(request, true);
      default:
        return no(request, CAUSE.unknownType);
    }
  }

  #isKnown(commonAddress: number): boolean {
    return this.table().commonAddresses.includes(commonAddress);
  }

  #isBroadcast(commonAddress: number): boolean {
    return commonAddress === broadcastOf(this.profile);
  }

  #confirmed(request: Asdu, negative: boolean): Step[] {
    if (request.cause !== CAUSE.activation) return no(request, CAUSE.unknownCause);
    const { commonAddress } = request;
    if (!this.#isBroadcast(commonAddress) && !this.#isKnown(commonAddress)) {
      return no(request, CAUSE.unknownCommonAddress);
    }
    return [answer(mirrored(request, CAUSE.activationCon, negative))];
  }

  #interrogation(request: Asdu): Step[] {
    const { cause, commonAddress, objects: [object] } = request;
    if (cause === CAUSE.deactivation) {
      return [answer(mirrored(request, CAUSE.deactivationCon, true))];
    }
    if (cause !== CAUSE.activation) return no(request, CAUSE.unknownCause);
    const all = this.table().commonAddresses;
    const wanted = this.#isBroadcast(commonAddress) ? all : [commonAddress];
    if (!wanted.every((address) => all.includes(address)) || wanted.length === 0) {
      return no(request, CAUSE.unknownCommonAddress);
    }
    if (object!.address !== 0) return no(request, CAUSE.unknownObjectAddress);
    // Every station answers a broadcast under its own address.
    return wanted.flatMap((address) => this.#station({ ...request, commonAddress: address }));
  }

  /** What one station answers to an interrogation. */
  #station(request: Asdu): Step[] {
    const { commonAddress, objects: [object] } = request;
    const asked = askedBy(object!);
    const entries = asked &&
      this.table().entries.filter((entry) =>
        !entry.output && entry.counter === asked.counters &&
        entry.commonAddress === commonAddress && (asked.group === 0 || entry.group === asked.group)
      );
    // A group that nothing belongs to is none.
    const possible = asked && entries && (asked.group === 0 || entries.length > 0);
    const con = answer(mirrored(request, CAUSE.activationCon, !possible));
    if (!possible) return [con];
    const end = mirrored(request, CAUSE.activationTermination, false);
    if (asked.freeze) return [con, { kind: "freeze", entries }, answer(end)];
    const { counters } = asked;
    const cause = (counters ? CAUSE.counterInterrogated : CAUSE.interrogated) + asked.group;
    return [con, { kind: "scan", entries, counters, cause, end }];
  }

  #read(request: Asdu): Step[] {
    if (request.cause !== CAUSE.request) return no(request, CAUSE.unknownCause);
    if (!this.#isKnown(request.commonAddress)) return no(request, CAUSE.unknownCommonAddress);
    const entry = this.table().at(request.commonAddress, request.objects[0]!.address, false);
    return entry ? [{ kind: "read", entry }] : no(request, CAUSE.unknownObjectAddress);
  }

  #command(request: Asdu, now: Instant, epoch: number): Step[] {
    const { cause, commonAddress, objects: [object] } = request;
    if (cause !== CAUSE.activation && cause !== CAUSE.deactivation) {
      return no(request, CAUSE.unknownCause);
    }
    if (!this.#isKnown(commonAddress)) return no(request, CAUSE.unknownCommonAddress);
    const entry = this.table().at(commonAddress, object!.address, true);
    if (!entry) return no(request, CAUSE.unknownObjectAddress);
    const key = `${request.type} ${commonAddress} ${object!.address}`;
    if (cause === CAUSE.deactivation) {
      this.#selections.delete(key);
      return [answer(mirrored(request, CAUSE.deactivationCon, false))];
    }
    const negative = [answer(mirrored(request, CAUSE.activationCon, true))];
    const value = valueOf(object!);
    if (value === undefined || !this.config.commands || this.#isTooOld(object!, epoch)) {
      return negative;
    }
    const what = `${value} ${"qualifier" in object! ? object.qualifier : ""} ${request.originator}`;
    if ("select" in object! && object.select) {
      if (!this.#select(key, what, now)) return negative;
      return [answer(mirrored(request, CAUSE.activationCon, false))];
    }
    const selection = this.#selections.get(key);
    this.#selections.delete(key);
    const selected = selection !== undefined && selection.what === what && selection.until > now;
    // What was selected for something else is not operated, nor what has to be selected and was
    // not.
    if ((selection !== undefined || entry.selectFirst) && !selected) return negative;
    // A test is answered as if, and nothing moves.
    if (request.test) return [answer(mirrored(request, CAUSE.activationCon, false))];
    const qualifier = "qualifier" in object! ? object.qualifier : undefined;
    return [{ kind: "command", entry, value, qualifier, request }];
  }

  #select(key: string, what: string, now: Instant): boolean {
    for (const [other, { until }] of this.#selections) {
      if (until <= now) this.#selections.delete(other);
    }
    const other = this.#selections.get(key);
    if (other && other.what !== what) return false;
    if (this.#selections.size >= SELECTIONS_MAX) return false;
    this.#selections.set(key, { what, until: after(now, this.config.selectWithin) });
    return true;
  }

  #isTooOld({ time }: InformationObject, epoch: number): boolean {
    if (!time) return false;
    const at = epochOf(time, this.zone);
    return at === undefined || Math.abs(epoch - at) > this.config.commandAge;
  }
}

/**
 * What an interrogation asks for; undefined when it cannot be had: a reset of counters would take
 * them away from everybody else.
 */
function askedBy(
  object: InformationObject,
): { counters: boolean; group: number; freeze: boolean } | undefined {
  if (object.kind === "interrogation") {
    const group = object.qualifier - INTERROGATE_STATION;
    return group >= 0 && group <= 16 ? { counters: false, group, freeze: false } : undefined;
  }
  if (object.kind !== "counter_interrogation") return undefined;
  const { request, freeze } = object;
  const general = request === COUNTER_REQUEST.general;
  const known = general || (request >= COUNTER_REQUEST.group1 && request <= COUNTER_REQUEST.group4);
  if (!known || (freeze !== COUNTER_FREEZE.read && freeze !== COUNTER_FREEZE.freeze)) {
    return undefined;
  }
  const group = general ? 0 : request;
  return { counters: true, group, freeze: freeze === COUNTER_FREEZE.freeze };
}

function answer(asdu: Asdu): Step {
  return { kind: "answer", asdu };
}

/** The request as it came, with the reason (101, 7.2.3). */
function no(request: Asdu, cause: number): Step[] {
  return [answer(mirrored(request, cause, true))];
}

/** What a command wants, by name where its number could be misread; undefined: not permitted. */
function valueOf(object: InformationObject): PointValue | undefined {
  switch (object.kind) {
    case "single_command":
      return object.on;
    case "double_command":
      if (object.state === DOUBLE_COMMAND.on) return "on";
      return object.state === DOUBLE_COMMAND.off ? "off" : undefined;
    case "step_command":
      if (object.step === STEP_COMMAND.higher) return "higher";
      return object.step === STEP_COMMAND.lower ? "lower" : undefined;
    case "set_normalized":
      return object.raw / 32_768;
    case "set_scaled":
      return object.value;
    case "set_float":
      return Number.isFinite(object.value) ? object.value : undefined;
    case "set_bitstring":
      return object.bits;
    default:
      return undefined;
  }
}
