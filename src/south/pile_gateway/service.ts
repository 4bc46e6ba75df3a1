/**
 * The gateway of a site's charging piles: its listeners, what it knows of each pile, and what
 * follows from what piles say.
 * @module
 */
import { ConfigError } from "../../base/errors.ts";
import { after } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import { type MutualIdentity, readMutualTls } from "../../kernel/tls_config.ts";
import type { ByteConn, TlsServer } from "../../platform/ports.ts";
import { type PointId, QUALITY, type Sample } from "../../points/points.ts";
import {
  type ExtensionMap,
  extensionMap,
  type Message,
  type MessageOf,
  ownExtensions,
} from "../../protocol/cip22/mod.ts";
import { Audit } from "./audit.ts";
import { type Asked, Authenticator } from "./authenticator.ts";
import { ask, execute } from "./commands.ts";
import type { Config } from "./config.ts";
import { serveHttp } from "./http.ts";
import { faultSamples, outputOf, pointOf, statusSamples, tradeText } from "./mapping.ts";
import { takeOrders } from "./orders.ts";
import { PileRecord } from "./pile_record.ts";
import { Policies } from "./policies.ts";
import { readBikes, readPiles, type Register } from "./register.ts";
import { Connection, type Origin, type SessionSurroundings } from "./session.ts";
import { Telemetry } from "./telemetry.ts";

/** Runs the gateway until it has to end. @throws OsError, ConfigError when it cannot begin. */
export async function run(ctx: Context, config: Config): Promise<void> {
  const policies = await Policies.open(ctx, config);
  const extensions = await readExtensions(ctx, config);
  const bikes = config.bikes === undefined
    ? undefined
    : rowsOf(config.bikes, readBikes(await ctx.files.read(config.bikes)));
  using telemetry = new Telemetry(ctx, config.station, bikes);
  const gateway = new Gateway(ctx, config, policies, extensions, telemetry);
  await gateway.run();
}

/** How a connection begins where HTTP has told something of it already. */
export interface Adoption {
  readonly version: string | undefined;
  readonly asked: Asked | undefined;
}

/** See the module. */
export class Gateway implements SessionSurroundings {
  readonly authenticator: Authenticator;
  readonly audit: Audit;
  readonly records = new Map<string, PileRecord>();
  readonly #connections = new Set<Connection>();
  readonly #running = new Set<Promise<void>>();

  constructor(
    readonly ctx: Context,
    readonly config: Config,
    readonly policies: Policies,
    readonly extensions: ExtensionMap,
    readonly telemetry: Telemetry,
  ) {
    this.audit = new Audit(ctx);
    this.authenticator = new Authenticator(ctx, config, () => policies.hash);
  }

  /** Runs until it has to end. */
  async run(): Promise<void> {
    const { ctx, config } = this;
    await this.readRegister();
    takeOrders(this);
    this.authenticator.warmUp();
    const owns = (point: PointId) => {
      const place = outputOf(config.station, point);
      return place !== undefined && this.records.has(place.pile);
    };
    using _owned = ctx.points.commands.own(ctx.id, owns, (command, signal) => {
      return execute(this, command, signal);
    });
    const tls = config.tls && this.#serverOf(await readMutualTls(ctx.files, config.tls));
    await using listener = await ctx.net.listen(config.listen, tls);
    await using http = config.http && await ctx.net.listenHttp2(config.http, tls);
    const stop = () => {
      void listener[Symbol.asyncDispose]();
      void http?.[Symbol.asyncDispose]();
    };
    ctx.signal.addEventListener("abort", stop, { once: true });
    ctx.report("up");
    const served = http && serveHttp(this, http);
    for await (const { conn, remote, names } of listener) {
      if (ctx.signal.aborted) break;
      const origin = { remote: `${remote.host}:${remote.port}`, ...names && { names } };
      this.accept(conn, origin);
    }
    await served;
    for (const record of this.records.values()) record.grace?.[Symbol.dispose]();
    await Promise.all(this.#running);
  }

  /** Reads the register anew; sessions of piles that are not in it any more are closed. */
  async readRegister(): Promise<number> {
    const { ctx, config } = this;
    const read = readPiles(await ctx.files.read(config.piles));
    const piles = rowsOf(config.piles, read);
    for (const [name, record] of this.records) {
      const enrolled = piles.get(name);
      if (enrolled) record.enrolled = enrolled;
      else {
        record.session?.close("it is not in the register any more");
        this.records.delete(name);
      }
    }
    for (const [name, enrolled] of piles) {
      if (this.records.has(name)) continue;
      const record = new PileRecord(enrolled);
      const last = ctx.points.last(sequencePoint(config, name));
      if (last) record.sequence = BigInt(last.value);
      this.records.set(name, record);
      this.#tellOnline(record, false);
    }
    return piles.size;
  }

  record(pile: string): PileRecord | undefined {
    return this.records.get(pile);
  }

  /** Connections and streams that are there now. */
  get sessions(): number {
    return this.#connections.size;
  }

  /** Takes a connection, or a stream, if there is room for it. */
  accept(conn: ByteConn, origin: Origin, adoption?: Adoption): Promise<void> {
    const { ctx, config } = this;
    const strangers = () => [...this.#connections].filter(({ isOpen }) => !isOpen).length;
    const full = this.#connections.size >= config.maxSessions ||
      (this.#connections.size >= config.maxStrangers && strangers() >= config.maxStrangers);
    if (full) {
      ctx.counters.add("refused_connections");
      ctx.log.warn("pile.full", "Connection was closed at once: there are too many", {
        client: origin.remote,
      });
      return conn[Symbol.asyncDispose]() as Promise<void>;
    }
    const running = this.#serve(conn, origin, adoption);
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
    return running;
  }

  async #serve(conn: ByteConn, origin: Origin, adoption: Adoption | undefined): Promise<void> {
    this.ctx.counters.add("connections");
    await using _conn = conn;
    const connection = new Connection(this, conn, origin);
    if (adoption) connection.adopt(adoption.version, adoption.asked);
    this.#connections.add(connection);
    try {
      await connection.run();
    } finally {
      this.#connections.delete(connection);
    }
  }

  opened(record: PileRecord, session: Connection, renewed: boolean): void {
    const { ctx, config } = this;
    const at = ctx.clock.epoch();
    ctx.points.publish([{
      point: sequencePoint(config, record.name),
      value: record.sequence,
      quality: QUALITY.good,
      at,
    }]);
    if (renewed) {
      ctx.counters.add("renewals");
      return;
    }
    ctx.counters.add("authenticated");
    this.audit.auth(session.remote, record.name, record.sequence);
    // The newest wins: the other one is what a loss of power has left behind.
    const before = record.session;
    record.session = session;
    record.policyGiven = undefined;
    before?.close("another session of the pile was opened");
    record.grace?.[Symbol.dispose]();
    record.grace = undefined;
    record.step({ kind: "connected" });
    this.#tellOnline(record, true);
    ctx.log.info("pile.opened", "Pile is there", {
      pile: record.name,
      client: session.remote,
      sequence: String(record.sequence),
      sealed: session.isSealed,
      ...session.version === undefined ? {} : { version: session.version },
    });
    // Its state is wanted now, and not only when it has something to tell.
    if (session.isSealed) void ask(record, (ticket) => ({ kind: "read", ticket }), ctx.signal);
  }

  took(record: PileRecord, message: Message, session: Connection): void {
    const { ctx, config: { station } } = this;
    switch (message.kind) {
      case "register":
        record.hardware = message.hardware;
        record.version = message.version;
        break;
      case "status":
        ctx.counters.add("statuses");
        record.status(message);
        ctx.points.publish(statusSamples(station, record.name, message));
        this.#givePolicy(record);
        break;
      case "fault":
        this.#fault(record, message);
        break;
      case "battTelem":
        this.telemetry.take(message);
        break;
      case "tradeRecord":
        void this.#trade(record, message, session);
        break;
      case "answer":
        record.answered(message);
        break;
      default:
        ctx.counters.add("unknown");
    }
  }

  closed(record: PileRecord, session: Connection, why: string): void {
    const { ctx, config } = this;
    ctx.counters.add("sessions_closed");
    ctx.log.info("pile.closed", "Session of a pile has ended", { pile: record.name, why });
    if (record.session !== session) return;
    record.session = undefined;
    record.lost();
    const { actions } = record.step({ kind: "lost" });
    this.#tellOnline(record, false);
    if (!actions.includes("start_grace") || ctx.signal.aborted) return;
    record.grace = ctx.clock.alarm(after(ctx.clock.now(), config.grace), () => {
      record.step({ kind: "grace_over" });
      this.#tellOnline(record, false);
    });
  }

  /** Gives every pile that is there the policy, if it has not this one. */
  distribute(): void {
    for (const record of this.records.values()) this.#givePolicy(record);
  }

  #givePolicy(record: PileRecord): void {
    const { policies: { policy, document }, ctx } = this;
    const { session } = record;
    if (!policy || document === undefined || !session?.isSealed) return;
    // One that it refuses is not given again before there is another one, or another session.
    if (record.policyVersion === policy.version) return;
    if (record.policyGiven === policy.version) return;
    record.policyGiven = policy.version;
    ctx.counters.add("policies_sent");
    const give = (ticket: number): Message => ({ kind: "setPolicy", ticket, policy: document });
    void ask(record, give, ctx.signal).then((answer) => {
      const good = typeof answer !== "string" && answer.result === 0;
      if (typeof answer === "string") record.policyGiven = undefined;
      const why = typeof answer === "string" ? answer : answer.text;
      const fields = { pile: record.name, version: policy.version };
      if (good) ctx.log.info("pile.policy", "Pile has the policy", fields);
      else ctx.log.warn("pile.policy", "Pile has not taken the policy", { ...fields, why });
    });
  }

  #fault(record: PileRecord, message: MessageOf<"fault">): void {
    const { ctx, config: { station } } = this;
    const { reason, hazard, cleared, text } = message;
    ctx.counters.add("faults");
    record.step(cleared ? { kind: "cleared" } : { kind: "fault", hazard });
    record.fault = cleared ? 0 : reason;
    ctx.points.publish(faultSamples(station, record.name, message));
    const fields = { pile: record.name, reason, hazard, ...text === undefined ? {} : { text } };
    if (cleared) ctx.log.info("pile.cleared", "Fault of a pile is gone", fields);
    else ctx.log.error("pile.fault", "Pile has a fault", fields);
  }

  /** A trade is confirmed when it is durable, and not before. */
  async #trade(
    record: PileRecord,
    message: MessageOf<"tradeRecord">,
    session: Connection,
  ): Promise<void> {
    const { ctx, config: { station } } = this;
    const { points } = ctx;
    const point = pointOf(station, record.name, "trade");
    const value = tradeText(message);
    const known = points.last(point)?.value === value;
    // One that was not confirmed in time comes again.
    const sample = { point, value, quality: QUALITY.good, at: message.end };
    const sequence = points.publish([known ? sample : { ...sample, event: true }]);
    if (!points.journal || sequence === undefined) {
      const why = points.journal ? "the journal has no room" : "there is none: set points.folder";
      ctx.log.warn("pile.trade", "Trade cannot be confirmed, and the pile keeps it", { why });
      return;
    }
    await points.journal.whenCommitted(sequence);
    ctx.counters.add("trades");
    session.tell({ kind: "tradeAck", trade: message.trade });
  }

  /** Whether it is there; while it is not, what it told is stale. */
  #tellOnline(record: PileRecord, online: boolean): void {
    const { ctx, config: { station } } = this;
    const at = ctx.clock.epoch();
    const sample = (name: "online" | "state" | "closed", value: boolean | number): Sample => ({
      point: pointOf(station, record.name, name),
      value,
      quality: online || name !== "closed" ? QUALITY.good : QUALITY.stale,
      at,
      ...name === "online" ? { event: true } : {},
    });
    const state = record.mirror.state === "offline" ? 0 : undefined;
    ctx.points.publish([
      sample("online", online),
      ...state === undefined ? [] : [sample("state", state)],
      ...online ? [] : [sample("closed", record.mirror.closed)],
    ]);
    if (online) return;
    const names = ["power", "energy", "limit", "fault", "hazard", "policy", "version"] as const;
    ctx.points.mark(names.map((name) => pointOf(station, record.name, name)), QUALITY.stale);
  }

  #serverOf({ trust, ...identity }: MutualIdentity): TlsServer {
    const { ctx } = this;
    const refused = (why: string) => {
      ctx.counters.add("refused_connections");
      ctx.log.warn("pile.tls", "TLS handshake has failed", { why });
    };
    return { ...identity, clients: trust, refused };
  }
}

function sequencePoint({ station }: Config, pile: string): PointId {
  return `sys.pile_gateway.${station}.${pile}.sequence` as PointId;
}

function rowsOf<Row>(file: string, { rows, faults }: Register<Row>): ReadonlyMap<string, Row> {
  if (faults.length === 0) return rows;
  throw new ConfigError("pile.register", `${file}: ${faults.join("; ")}`);
}

async function readExtensions(ctx: Context, config: Config): Promise<ExtensionMap> {
  if (config.extensions === undefined) return ownExtensions();
  const text = await ctx.files.read(config.extensions);
  const schemas = parse(config.extensions, text);
  const map = extensionMap(new Map(Object.entries(schemas)));
  if ("fault" in map && typeof map.fault === "string") {
    throw new ConfigError("pile.extensions", `${config.extensions}: ${map.fault}`);
  }
  return map as ExtensionMap;
}

function parse(file: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new ConfigError("pile.extensions", `${file} has to be a JSON object of schemas by name`);
}
