/**
 * What all peers are told by the clock: sessions every second, servers and ports every two. A text
 * that many are sent is written once; who does not read is left out until it does.
 * @module
 */
import type { Context } from "../../kernel/module.ts";
import type { JsonObject } from "../../kernel/registry.ts";
import type { Role } from "../../protocol/v4relay/mod.ts";
import type { SessionView } from "./letters.ts";
import type { Member } from "./service.ts";

/** Octets that may wait for a peer before broadcasts leave it out. */
const BEHIND_MAX = 64 * 1024;

interface ServerLoad {
  readonly id: string;
  readonly ports: readonly number[];
  readonly remaining: number;
}

/** The broadcasts of one relay. */
export class Broadcasts {
  /** Every session, as it was measured last. */
  sessions: readonly SessionView[] = [];
  /** When the last was sent, epoch milliseconds; 0 before. */
  at = 0;
  #cpu: { readonly used: number; readonly at: number };

  /** @param own Whether peers are told of their own sessions and, servers, of themselves only. */
  constructor(readonly ctx: Context, readonly own: boolean) {
    this.#cpu = { used: ctx.usage.cpu(), at: ctx.clock.now() };
  }

  /** Rates, round trips and quality of sessions. */
  telemetry(members: Iterable<Member>): void {
    const views = this.sessions.map(publicView);
    const of = new Map<string, JsonObject[]>();
    if (this.own) {
      for (const view of views) {
        for (const name of [`server ${view.server_id}`, `client ${view.client_id}`]) {
          const mine = of.get(name);
          if (mine) mine.push(view);
          else of.set(name, [view]);
        }
      }
    }
    const none = text("telemetry", []);
    const all = this.own ? none : text("telemetry", views);
    for (const member of members) {
      const mine = this.own ? of.get(`${member.role} ${member.id}`) : undefined;
      this.#send(member, "telemetry", mine ? text("telemetry", mine) : all);
    }
  }

  /** Servers with their load, and what becomes of the ports. */
  state(members: Iterable<Member>, servers: readonly ServerLoad[], ports: JsonObject): void {
    const usage = this.#usage();
    const loads = new Map<string, JsonObject>(servers.map(({ id, ports, remaining }) => [id, {
      "server_id": id,
      "occupied_ports": ports.length === 0 ? null : ports,
      "remaining_ports": remaining,
      ...usage,
    }]));
    const status = text("status", [...loads.values()]);
    const portState = text("port_state", ports);
    for (const member of members) {
      const alone = this.own && member.role === ("server" satisfies Role);
      const mine = alone ? text("status", [loads.get(member.id)!]) : status;
      this.#send(member, "status", mine);
      this.#send(member, "port_state", portState);
    }
    this.at = this.ctx.clock.epoch();
    this.ctx.counters.add("broadcasts");
  }

  #send({ peer, topics }: Member, topic: string, line: string): void {
    if (topics && !topics.has(topic)) return;
    if (peer.queued > BEHIND_MAX) this.ctx.counters.add("broadcasts_skipped");
    else peer.send(line);
  }

  /** Of this process since the last time; the former relay told its own too. */
  #usage(): JsonObject {
    const { usage, clock } = this.ctx;
    const now = { used: usage.cpu(), at: clock.now() };
    const { used, at } = this.#cpu;
    this.#cpu = now;
    const percent = 100 * (now.used - used) / Math.max(1, now.at - at);
    return {
      "cpu_percent": Math.round(percent * 10) / 10,
      "mem_mb": Math.round(usage.memory() / 1024 / 102.4) / 10,
    };
  }
}

/** Without the addresses of the peers: those are for the operator. */
function publicView(view: SessionView) {
  const { server_address: _server, client_address: _client, ...rest } = view;
  return rest;
}

function text(type: string, payload: unknown): string {
  return JSON.stringify({ type, payload });
}
