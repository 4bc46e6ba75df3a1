/** An SRT session that runs: messages from one leg to the other, as they come. */
import type { Instant } from "../../base/time.ts";
import type { Role } from "../../protocol/v4relay/mod.ts";
import type { SessionView } from "./letters.ts";
import { quality } from "./session.ts";
import type { SrtLeg } from "./srt_leg.ts";

/** One session. */
export class SrtSession {
  octetsUp = 0;
  octetsDown = 0;
  /** Messages that the other leg had no room for. */
  dropped = 0;
  movedAt: Instant;
  #before = { up: 0, down: 0, sent: 0, lost: 0, again: 0 };
  #counted = { up: 0, down: 0 };
  #measuredAt: Instant;

  constructor(
    readonly sessionId: string,
    readonly port: number,
    readonly id: Readonly<Record<Role, string>>,
    readonly server: SrtLeg,
    readonly client: SrtLeg,
    readonly startedAt: Instant,
    readonly reliable: boolean,
  ) {
    this.movedAt = this.#measuredAt = startedAt;
  }

  /** Carries what is due, both ways. */
  move(now: Instant): void {
    const up = this.#carry(this.client, this.server, now);
    const down = this.#carry(this.server, this.client, now);
    this.octetsUp += up;
    this.octetsDown += down;
    if (up + down > 0) this.movedAt = now;
  }

  /** Octets since it was last asked. */
  uncounted(): { readonly up: number; readonly down: number } {
    const { up, down } = this.#counted;
    this.#counted = { up: this.octetsUp, down: this.octetsDown };
    return { up: this.octetsUp - up, down: this.octetsDown - down };
  }

  /** Measures the time since it was last asked. */
  view(now: Instant): SessionView {
    const { server, client, id } = this;
    const span = Math.max(1, now - this.#measuredAt);
    const legs = [server.connection, client.connection];
    const sum = (of: (leg: typeof legs[number]) => number) =>
      legs.reduce((all, leg) => all + of(leg), 0);
    const sent = sum(({ sender }) => sender.stats.sent);
    const lost = sum(({ receiver }) => receiver.stats.lost);
    const again = sum(({ sender }) => sender.stats.retransmitted);
    const came = sum(({ receiver }) => receiver.stats.received);
    const before = this.#before;
    const percent = (count: number, of: number) =>
      Math.min(100, round(100 * count / Math.max(1, of)));
    const lossPct = percent(lost - before.lost, came - before.sent + lost - before.lost);
    const [up, down] = [this.octetsUp - before.up, this.octetsDown - before.down];
    const rtt = round(sum(({ roundTrip }) => roundTrip.smoothed) / 1000);
    const retransPct = percent(again - before.again, sent);
    this.#before = { up: this.octetsUp, down: this.octetsDown, sent: came, lost, again };
    this.#measuredAt = now;
    return {
      kind: "srt",
      port: this.port,
      "session_id": this.sessionId,
      "server_id": id.server,
      "client_id": id.client,
      "mbps_up": round(up * 8 / 1000 / span),
      "mbps_down": round(down * 8 / 1000 / span),
      "rtt_ms": rtt,
      "loss_pct": lossPct,
      "retrans_pct": retransPct,
      quality: quality(lossPct, rtt, up + down === 0),
      "octets_up": this.octetsUp,
      "octets_down": this.octetsDown,
      "waiting_up": server.connection.sender.size,
      "waiting_down": client.connection.sender.size,
      seconds: Math.floor((now - this.startedAt) / 1000),
      "silent_ms": Math.round(now - this.movedAt),
      "server_address": server.remote,
      "client_address": client.remote,
    };
  }

  #carry(from: SrtLeg, to: SrtLeg, now: Instant): number {
    let octets = 0;
    for (;;) {
      const packet = from.held ?? from.connection.deliver(now);
      if (!packet) return octets;
      from.held = undefined;
      const { length } = packet;
      // It goes on at once, with the time at which it was made: the last receiver sets the rhythm.
      const origin = Math.min(now, packet.origin / 1000) as Instant;
      if (to.connection.send(packet, now, origin)) {
        octets += length;
        continue;
      }
      if (this.reliable && !to.connection.closed) {
        from.held = packet;
        return octets;
      }
      this.dropped += 1;
      from.socket.release(packet);
    }
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
