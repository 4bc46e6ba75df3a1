/** A session that runs: two ends, two flows, and what is measured of them. */
import type { Instant, Millis } from "../../base/time.ts";
import type { StreamInfo } from "../../platform/streams.ts";
import type { Role } from "../../protocol/v4relay/mod.ts";
import { type End, Flow, type Moved, type PipePool } from "./flow.ts";
import type { SessionView } from "./letters.ts";

const info: StreamInfo = { rtt: 0, retransmitted: 0, segmentsOut: 0, lost: 0, unsent: 0 };

/** An end with the address it came from. */
export interface SessionEnd extends End {
  readonly remote: string;
}

/** One session. */
export class StreamSession {
  /** From the client to the server. */
  readonly up: Flow;
  readonly down: Flow;
  /** When an octet was moved last, either way. */
  movedAt: Instant;
  #measuredAt: Instant;
  #counted = { up: 0, down: 0 };
  #before = { up: 0, down: 0, retransmitted: 0, segments: 0 };

  constructor(
    readonly sessionId: string,
    readonly port: number,
    readonly id: Readonly<Record<Role, string>>,
    readonly server: SessionEnd,
    readonly client: SessionEnd,
    readonly startedAt: Instant,
  ) {
    this.up = new Flow(client, server);
    this.down = new Flow(server, client);
    this.movedAt = startedAt;
    this.#measuredAt = startedAt;
  }

  /** Whether both directions have ended. */
  get finished(): boolean {
    return this.up.finished && this.down.finished;
  }

  /** Whether octets wait for a receiver. */
  get waiting(): boolean {
    return this.up.held > 0 || this.down.held > 0;
  }

  /** Gives one direction its turn. */
  move(flow: Flow, pool: PipePool, most: number, now: Instant): Moved {
    const { octets, held } = flow;
    const moved = flow.move(pool, most);
    if (flow.octets !== octets || flow.held !== held) this.movedAt = now;
    return moved;
  }

  /** Octets since it was last asked. */
  uncounted(): { readonly up: number; readonly down: number } {
    const { up, down } = this.#counted;
    this.#counted = { up: this.up.octets, down: this.down.octets };
    return { up: this.up.octets - up, down: this.down.octets - down };
  }

  /** What is in the pipes is lost. */
  drop(): void {
    this.up.drop();
    this.down.drop();
  }

  /** Measures the time since it was last asked. */
  view(now: Instant): SessionView {
    const { up, down, server, client, id } = this;
    const span = Math.max(1, now - this.#measuredAt) as Millis;
    const rate = (octets: number) => round(octets * 8 / 1000 / span);
    const before = this.#before;
    const legs = [server, client].map(({ socket }) => socket.info(info) ? { ...info } : undefined);
    const sum = (of: (leg: StreamInfo) => number) =>
      legs.reduce((all, leg) => all + (leg ? of(leg) : 0), 0);
    const segments = sum(({ segmentsOut }) => segmentsOut);
    const retransmitted = sum((leg) => leg.retransmitted);
    const sent = Math.max(1, segments - before.segments);
    const retrans = Math.min(100, round(100 * (retransmitted - before.retransmitted) / sent));
    const loss = Math.min(100, round(100 * sum(({ lost }) => lost) / sent));
    const rtt = round(sum((leg) => leg.rtt) / 1000);
    const [mbpsUp, mbpsDown] = [rate(up.octets - before.up), rate(down.octets - before.down)];
    this.#before = { up: up.octets, down: down.octets, retransmitted, segments };
    this.#measuredAt = now;
    return {
      kind: "zmq",
      port: this.port,
      session_id: this.sessionId,
      server_id: id.server,
      client_id: id.client,
      mbps_up: mbpsUp,
      mbps_down: mbpsDown,
      rtt_ms: rtt,
      loss_pct: loss,
      retrans_pct: retrans,
      quality: quality(loss, rtt, mbpsUp + mbpsDown === 0),
      octets_up: up.octets,
      octets_down: down.octets,
      waiting_up: up.held,
      waiting_down: down.held,
      seconds: Math.floor((now - this.startedAt) / 1000),
      silent_ms: Math.round(now - this.movedAt),
      server_address: server.remote,
      client_address: client.remote,
    };
  }
}

/** 100 and less for what is lost, for a long way, and for silence. */
export function quality(lossPercent: number, rttMs: number, idle: boolean): number {
  return round(
    100 - Math.min(50, 2 * lossPercent) - Math.min(30, rttMs / 10) - (idle ? 10 : 0),
  );
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
