/**
 * The paths of the GOOSE bridge as two witnesses see them: what the running busbar says of itself,
 * and what the kernel says. A check passes only when both agree.
 * @module
 */
import type { Json, JsonObject } from "../kernel/registry.ts";
import type { InterfaceState } from "../platform/hot.ts";
import type { Membership } from "../platform/linux/igmp.ts";

/** The module whose services are the paths. */
export const MODULE = "goose_bridge";

/** One path, as the configuration or the running busbar names it. */
export interface BridgePath {
  /** `goose_bridge.path0`. */
  readonly id: string;
  readonly tap: string;
  readonly group: string;
  readonly port: number;
  /** The name of the interface of the group; undefined when only the running busbar could tell. */
  readonly via: string | undefined;
  /** What the running busbar says; undefined when it does not answer. */
  readonly told: Told | undefined;
}

/** What a service says of itself. */
export interface Told {
  readonly state: string;
  readonly why: string;
  readonly restarts: number;
  readonly tapOpen: boolean;
  /** Index of the TAP; 0 when it has none. */
  readonly tapIndex: number;
  readonly joined: boolean;
  readonly counters: Readonly<Record<string, number>>;
}

/** What the kernel can be asked. */
export interface KernelView {
  interface(name: string): InterfaceState | undefined;
  memberships(): readonly Membership[];
}

/** An answer with its reason; the reason is empty when it is good. */
export interface Verdict {
  readonly ok: boolean;
  readonly why: string;
}

/** What was found of one path. */
export interface Finding {
  readonly path: BridgePath;
  readonly tap: Verdict;
  readonly group: Verdict;
  readonly service: Verdict;
  /** What the kernel says of the TAP. */
  readonly state: InterfaceState | undefined;
  /** What the kernel says of the group. */
  readonly membership: Membership | undefined;
}

/** The paths in a status document, by name. */
export function pathsOfStatus(status: Json): BridgePath[] {
  const services = objectOf(objectOf(status).services);
  const ids = Object.keys(services).filter((id) => id === MODULE || id.startsWith(`${MODULE}.`));
  return ids.toSorted().map((id) => {
    const service = objectOf(services[id]);
    const detail = objectOf(service.detail);
    const tap = objectOf(detail.tap);
    const group = objectOf(detail.group);
    const counters = Object.entries(objectOf(service.counters)).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    );
    const via = textOf(group.via);
    return {
      id,
      tap: textOf(tap.name),
      group: textOf(group.address),
      port: numberOf(group.port),
      via: via === "" ? undefined : via,
      told: {
        state: textOf(service.state),
        why: textOf(service.why),
        restarts: numberOf(service.restarts),
        tapOpen: tap.open === true,
        tapIndex: numberOf(tap.index),
        joined: group.joined === true,
        counters: Object.fromEntries(counters),
      },
    };
  });
}

/** The paths in a configuration, by name, of a busbar that does not answer. */
export function pathsOfConfig(
  services: readonly { readonly id: string; readonly config: unknown }[],
): BridgePath[] {
  const own = services.filter(({ id }) => id === MODULE || id.startsWith(`${MODULE}.`));
  return own.map(({ id, config }) => {
    const { tap, group, port, via } = config as Record<string, unknown>;
    return {
      id,
      tap: String(tap),
      group: String(group),
      port: Number(port),
      via: typeof via === "string" && !/^[\d.]+$/.test(via) ? via : undefined,
      told: undefined,
    };
  }).toSorted((one, other) => one.id < other.id ? -1 : 1);
}

/** Compares what a path says with what the kernel says. */
export function examine(path: BridgePath, kernel: KernelView): Finding {
  const state = kernel.interface(path.tap);
  const members = kernel.memberships();
  const membership = members.find((each) =>
    each.group === path.group && (path.via === undefined || each.interface === path.via)
  );
  return {
    path,
    tap: verdict(tapFault(path, state)),
    group: verdict(groupFault(path, membership)),
    service: verdict(serviceFault(path)),
    state,
    membership,
  };
}

function verdict(why: string): Verdict {
  return { ok: why === "", why };
}

const SILENT = "no busbar answers";

function tapFault({ told, tap }: BridgePath, state: InterfaceState | undefined): string {
  if (state === undefined) return `there is no interface ${tap}`;
  if (!state.up) return "the interface is down";
  if (!state.carrier) return "the interface has no carrier: nobody has it open";
  if (told === undefined) return SILENT;
  if (!told.tapOpen) return told.why === "" ? "busbar has not opened it" : told.why;
  if (told.tapIndex === state.index) return "";
  return `busbar has interface ${told.tapIndex}, and here ${tap} is ${state.index}: ` +
    "it runs in another network namespace";
}

function groupFault(path: BridgePath, membership: Membership | undefined): string {
  const { told, group, via } = path;
  if (membership === undefined) {
    const where = via === undefined ? "any interface" : via;
    return `this host is not a member of ${group} on ${where}`;
  }
  if (told === undefined) return SILENT;
  if (told.joined) return "";
  return told.why === "" ? "busbar has not joined it" : told.why;
}

function serviceFault({ told }: BridgePath): string {
  if (told === undefined) return SILENT;
  if (told.state === "up") return "";
  return told.why === "" ? told.state : `${told.state}: ${told.why}`;
}

/** Why frames were dropped: the counters of that kind which are not 0. */
export function dropsOf(counters: Readonly<Record<string, number>>): Record<string, number> {
  const drops = Object.entries(counters).filter(([name, count]) =>
    name.startsWith("drop_") && count > 0
  );
  return Object.fromEntries(drops.map(([name, count]) => [name.slice("drop_".length), count]));
}

function objectOf(value: Json | undefined): JsonObject {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? value as JsonObject : {};
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: Json | undefined): number {
  return typeof value === "number" ? value : 0;
}
