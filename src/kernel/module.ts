/**
 * The module contract: what a module declares, and what its services may touch.
 * @module
 */
import type { Counters } from "../base/counters.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Algorithm, Algorithms } from "../crypto/providers.ts";
import type { Clock } from "../platform/clock.ts";
import type { HotPlatform, Pollable } from "../platform/hot.ts";
import type { Files, Net, Programs, Usage } from "../platform/ports.ts";
import type { Authority } from "../points/authority.ts";
import type { PointValue } from "../points/point.ts";
import type { Points } from "../points/points.ts";
import type { ControlRegistry, Json, JsonObject } from "./registry.ts";
import type { Schema } from "./schema.ts";

/** How much of each frame is logged: 0 nothing, 1 its header, 2 its objects too, 3 its octets too. */
export type TraceDepth = 0 | 1 | 2 | 3;

/** How a service fares by its own word. */
export type Health = "up" | "degraded";

/** The algorithms of this machine: of each the implementation that was tried, and is used. */
export interface Cryptography {
  /** @throws BugError when none gives the known answers. */
  get<Name extends Algorithm>(algorithm: Name): Algorithms[Name];
  /** Fills octets with numbers that nobody can guess. */
  random(octets: Uint8Array): void;
}

/** Something only one service can hold. Two claims on the same thing are a configuration error. */
export type Claim =
  | {
    readonly kind: "listen";
    readonly transport: "tcp" | "udp";
    /** A numeric address; `0.0.0.0` and `::` collide with every address. */
    readonly address: string;
    readonly port: number;
  }
  | { readonly kind: "interface"; readonly name: string }
  | { readonly kind: "device"; readonly path: string };

/** What every service has, wherever it runs. */
export interface ServiceContext {
  /** `<module>` or `<module>.<instance>`, as in the YAML, the log and /status. */
  readonly id: string;
  readonly log: Log;
  readonly counters: Counters;
  /**
   * Says how it goes. The first `up` ends the starting phase; `why` of a `degraded` is shown to the
   * operator and names the remedy. Saying the same again costs nothing.
   */
  report(health: Health, why?: string): void;
}

/** What a service of the control plane may touch. There is nothing else: no globals, no `Deno`. */
export interface Context extends ServiceContext {
  /** Aborts when the service has to end. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
  readonly files: Files;
  readonly programs: Programs;
  readonly usage: Usage;
  readonly crypto: Cryptography;
  readonly neighbors: Neighbors;
  readonly points: Points;
  readonly authority: Authority;
  /** Routes and message types on the control port; all are withdrawn when `run` settles. */
  readonly control: ControlRegistry;
  /** How much of each frame to log: 0 none, 1 header, 2 objects, 3 octets. Set while running. */
  trace(): TraceDepth;
  /**
   * Starts a part of this service in a worker of its own, which shares its counters and its place
   * in /status. It has to have ended before `run` settles.
   */
  startWorker(options: WorkerPart): WorkerHandle;
}

/** A part of a service that runs in a worker. */
export interface WorkerPart {
  /** `run` is found under `<module>.<part>` in `app/hot_modules.ts`, inside the worker. */
  readonly part: string;
  /** Checked; it is copied. */
  readonly config: unknown;
  /** Aborts when the part has to end. */
  readonly signal: AbortSignal;
  /** Told what the part sends. */
  readonly hear: (message: Json) => void;
  /** Told how the part fares. */
  readonly report: (health: Health, why?: string) => void;
}

/** A part that runs. */
export interface WorkerHandle {
  /** Resolves after an asked stop; rejects with what the part threw. */
  readonly ended: Promise<void>;
  /** Sends a message; they arrive in order. */
  send(message: Json): void;
}

/** One value of one point of a service of the byte plane. */
export interface HotSample {
  /** Words of letters, digits, `_` and `-`, joined by dots. */
  readonly name: string;
  readonly value: PointValue;
  /** Bits of `QUALITY`; 0 is good. */
  readonly quality: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** What other services say of themselves, for one that watches over them. */
export interface Neighbors {
  /** Counters and facts of a service; undefined when there is none of that name. */
  look(id: string): Neighbor | undefined;
  /** Asks a service to look after its peers at once. Returns false when it cannot be asked. */
  nudge(id: string): boolean;
}

/** One service, as others see it. */
export interface Neighbor {
  readonly state: string;
  readonly counters: Readonly<Record<string, number>>;
  readonly detail: JsonObject;
  /** Its checked configuration. */
  readonly config: unknown;
}

/** What a service of the byte plane may touch; it runs in a worker of its own. */
export interface HotContext extends ServiceContext {
  /** True when the service has to end. A hot loop asks once per turn: it is also its heartbeat. */
  stopped(): boolean;
  /** How much of each frame to log: 0 none, 1 header, 2 objects, 3 octets. Set while running. */
  trace(): TraceDepth;
  /** How often somebody asked it to look after its peers at once; a change is the sign. */
  nudges(): number;
  /**
   * Publishes values, named within the service: `alarm.querier` of `goose_bridge.path0` is the
   * point `goose_bridge.path0.alarm.querier`. Copied to the main thread: not for each frame.
   */
  publish(samples: readonly HotSample[]): void;
  readonly platform: HotPlatform;
  /** Becomes readable when there is a message; for a part of a service. */
  readonly bell: Pollable;
  /** The next message of the main thread; undefined when there is none. */
  receive(): Json | undefined;
  /** Sends a message to the main thread. Copied: not for each frame. */
  tell(message: Json): void;
  /**
   * Publishes facts for /status under `services.<id>.detail`: rare things such as the name of an
   * interface or a list of streams. At most once a second; it is copied to the main thread.
   */
  detail(facts: Readonly<Record<string, unknown>>): void;
}

/** The whole life of a service on the main thread. */
export type Run<Config> = (ctx: Context, config: Config) => Promise<void>;
/** The whole life of a service in a worker. It blocks its thread and returns when stopped. */
export type HotRun<Config> = (ctx: HotContext, config: Config) => void | Promise<void>;

interface ModuleBase<Config> {
  /** The key under `modules:` in the YAML; also the folder's name. */
  readonly name: string;
  /** One line for `busbar --help` and for the reference page. */
  readonly summary: string;
  /** In which group it stops: south and relay first, then north, then service. */
  readonly plane: "south" | "north" | "relay" | "service";
  /** Whether the YAML holds a map of named instances, each a service of its own. */
  readonly many: boolean;
  /** The schema of one instance. */
  readonly config: Schema<Config>;
  /** Names of counters beside the standard ones. */
  readonly counters?: readonly string[];
  /** What only one service may hold. Compared over the whole file before anything starts. */
  readonly claims: (config: Config) => readonly Claim[];
}

/**
 * A module. `run` opens nothing before it is called and has closed everything when it settles. It
 * returns soon after it was told to stop; it rejects when it cannot go on, and is started anew.
 * A peer that is away is not a failure: the service reports `degraded`, waits, and dials again.
 */
export type ModuleDef<Config = unknown> =
  & ModuleBase<Config>
  & (
    | {
      readonly isolate: "main";
      readonly run: Run<Config>;
      /** Whether it has frames that `busbar trace` can show. */
      readonly frames?: true;
    }
    /** The byte plane: `run` is found by name in `app/hot_modules.ts`, inside the worker. */
    | { readonly isolate: "worker" }
  );

/** Infers the type of `Config` from the schema, so that it is written in one place only. */
export function defineModule<Config>(def: ModuleDef<Config>): ModuleDef {
  // The list of modules forgets the type; each definition has already been checked against it.
  return def as unknown as ModuleDef;
}
