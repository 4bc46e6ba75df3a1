/**
 * A listener for control centres: who may connect, to which group a connection belongs, and which
 * of a group's connections carries data.
 * @module
 */
import { parseIpv4 } from "../../base/address.ts";
import { ConfigError } from "../../base/errors.ts";
import { after, type Millis, millis } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import { readMutualTls } from "../../kernel/tls_config.ts";
import type { AcceptedConn, TlsServer } from "../../platform/ports.ts";
import type { Cursor } from "../../points/journal_cursor.ts";
import type { PointId, Sample } from "../../points/points.ts";
import type { Config } from "./config.ts";
import { Connection } from "./connection.ts";
import { Tables } from "./tables.ts";

/** Groups of mode each, by the address of their client; their cursors are durable. */
const EACH_MAX = 256;

interface Network {
  readonly first: number;
  readonly mask: number;
}

/** Runs the service until it has to end. @throws OsError when the address cannot be had. */
export async function run(ctx: Context, config: Config): Promise<void> {
  if (!ctx.points.journal) {
    throw new ConfigError(
      "iec104_slave.journal",
      "Events are kept for control centres in the journal: set points.folder",
    );
  }
  const server = new Server(ctx, config);
  await server.run();
}

class Server {
  readonly #connections = new Set<Connection>();
  readonly #running = new Set<Promise<void>>();
  #tables!: Tables;
  /** Counters as they were when they were frozen; every group sees the same. */
  readonly #frozen = new Map<PointId, Sample>();

  constructor(readonly ctx: Context, readonly config: Config) {}

  async run(): Promise<void> {
    const { ctx, config } = this;
    this.#tables = await Tables.open(ctx, config);
    // What happens before a control centre connects for the first time is its business too.
    const groups = config.groups?.map(({ name }) => name) ?? [];
    for (const group of config.mode === "single" ? ["single"] : groups) this.#cursorOf(group);
    await using listener = await ctx.net.listen(config.listen, await this.#tls());
    const stop = () => void listener[Symbol.asyncDispose]();
    ctx.signal.addEventListener("abort", stop, { once: true });
    this.#tell();
    ctx.report("up");
    for await (const accepted of listener) {
      if (ctx.signal.aborted) break;
      this.#accept(accepted);
    }
    ctx.signal.removeEventListener("abort", stop);
    for (const connection of this.#connections) connection.close();
    await Promise.all(this.#running);
  }

  async #tls(): Promise<TlsServer | undefined> {
    const { ctx, config } = this;
    if (!config.tls) return undefined;
    const { trust, ...identity } = await readMutualTls(ctx.files, config.tls);
    const refused = (why: string) => {
      ctx.counters.add("refused_connections");
      ctx.log.warn("iec104.tls", "TLS handshake has failed", { why });
    };
    return { ...identity, clients: trust, refused };
  }

  #accept(accepted: AcceptedConn): void {
    const { ctx, config } = this;
    const { remote } = accepted;
    const client = `${remote.host}:${remote.port}`;
    const found = this.#groupOf(remote.host);
    const why = this.#connections.size >= config.maxConnections
      ? `there are ${config.maxConnections} connections already`
      : found.refused;
    if (why !== undefined || found.group === undefined) {
      ctx.counters.add("refused_connections");
      ctx.log.warn("iec104.refused", "Connection was closed at once", { client, why });
      void accepted.conn[Symbol.asyncDispose]();
      return;
    }
    const running = this.#serve(accepted, client, found.group);
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  /** Where a group is; it outlives connections and busbar itself. */
  #cursorOf(group: string): Cursor {
    return this.ctx.points.journal!.cursor(`${this.ctx.id}.${group}`);
  }

  /** The group of a client, or why it has none. */
  #groupOf(host: string): { group?: string; refused?: string } {
    const { mode, groups, allow } = this.config;
    if (allow && !allow.some((network) => contains(network, host))) {
      return { refused: "its address is not allowed" };
    }
    if (mode === "single") {
      const [holder] = this.#connections;
      if (!holder) return { group: "single" };
      return { refused: `${holder.around.remote} has the only connection` };
    }
    if (mode === "each") {
      const taken = new Set([...this.#connections].map(({ around }) => around.group));
      for (let number = 1; number <= EACH_MAX; number += 1) {
        const group = number === 1 ? host : `${host}#${number}`;
        if (!taken.has(group)) return { group };
      }
      return { refused: "its address has too many connections" };
    }
    const named = groups?.find(({ clients }) => clients?.some((one) => contains(one, host))) ??
      groups?.find(({ clients }) => !clients);
    return named ? { group: named.name } : { refused: "its address is in no group" };
  }

  async #serve({ conn, remote }: AcceptedConn, client: string, group: string): Promise<void> {
    const { ctx, config } = this;
    ctx.counters.add("connections");
    await using _conn = conn;
    const connection = new Connection({
      ctx,
      config,
      group,
      cursor: this.#cursorOf(group),
      remote: `${remote.host}:${remote.port}`,
      frozen: this.#frozen,
      table: () => this.#tables.of(group),
      heldFor: (one) => this.#heldFor(one),
      starting: (one) => this.#starting(one),
    }, conn);
    this.#connections.add(connection);
    ctx.log.info("iec104.accepted", "Control centre has connected", { client, group });
    this.#tell();
    await connection.run();
    this.#connections.delete(connection);
    this.#tell();
  }

  #heldFor(connection: Connection): Millis {
    const { ctx: { clock }, config: { switchHold } } = this;
    let left = 0;
    for (const other of this.#connections) {
      const { around: { group }, startedAt, started } = other;
      if (other === connection || group !== connection.around.group || !started) continue;
      if (startedAt !== undefined) {
        left = Math.max(left, after(startedAt, switchHold) - clock.now());
      }
    }
    return millis(left);
  }

  /** One connection of a group carries data. The last that asks has it; the other is closed. */
  #starting(connection: Connection): void {
    const { ctx } = this;
    const { group, remote } = connection.around;
    for (const other of this.#connections) {
      if (other === connection || other.around.group !== group || !other.started) continue;
      ctx.log.info("iec104.switched", "Another connection of the group carries data now", {
        group,
        from: other.around.remote,
        to: remote,
      });
      other.close();
      this.#connections.delete(other);
    }
    queueMicrotask(() => this.#tell());
  }

  /** How many are connected, and which groups have data, as points. */
  #tell(): void {
    const { ctx, config } = this;
    const groups = new Set([
      ...config.groups?.map(({ name }) => name) ?? [],
      ...[...this.#connections].map(({ around }) => around.group),
    ]);
    const at = ctx.clock.epoch();
    const sample = (name: string, value: number | boolean) => ({
      point: `sys.${ctx.id}.${name}` as PointId,
      value,
      quality: 0,
      at,
    });
    const samples = [sample("connections", this.#connections.size)];
    for (const group of groups) {
      if (/[.:#]/.test(group)) continue; // An address is no word of a point's name.
      const started = [...this.#connections].some((one) =>
        one.around.group === group && one.started
      );
      samples.push(sample(`group_${group}`, started));
    }
    ctx.points.publish(samples);
  }
}

function contains({ first, mask }: Network, host: string): boolean {
  const address = parseIpv4(host.replace(/^::ffff:/i, ""));
  return address !== undefined && (address & mask) >>> 0 === first;
}
