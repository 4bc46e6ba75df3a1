/** A caller and a listener as stations of a simulated network. */
import type { Instant } from "../../../../src/base/time.ts";
import {
  type CallDecision,
  type CallerOptions,
  destination,
  PacketPool,
  SrtCaller,
  type SrtConnection,
  SrtListener,
} from "../../../../src/protocol/srt/mod.ts";
import type { Station } from "../../../sim/srt_network.ts";

/** One message that was delivered. */
export interface Delivered {
  readonly payload: Uint8Array;
  readonly at: Instant;
  /** When it was made, on the receiver's clock; milliseconds. */
  readonly origin: number;
}

class Base {
  connection: SrtConnection | undefined;
  readonly delivered: Delivered[] = [];
  readonly pool = new PacketPool();

  /** Sends one message. Returns false when there is no room. */
  send(payload: Uint8Array, now: Instant): boolean {
    const packet = this.pool.take();
    packet.octets.set(payload, 16);
    packet.length = payload.length;
    const taken = this.connection?.send(packet, now) ?? false;
    if (!taken) this.pool.give(packet);
    return taken;
  }

  expire(now: Instant): void {
    this.connection?.expire(now);
    for (let one = this.connection?.deliver(now); one; one = this.connection?.deliver(now)) {
      this.delivered.push({ payload: one.payload.slice(), at: now, origin: one.origin / 1000 });
      this.pool.give(one);
    }
  }
}

/** The end that calls. */
export class CallingStation extends Base implements Station {
  readonly caller: SrtCaller;

  constructor(options: Partial<CallerOptions>, random: CallerOptions["random"], now: Instant) {
    super();
    const own = { target: 0x7f000001, random, pool: this.pool, startedAt: now };
    this.caller = new SrtCaller({ ...own, ...options }, now);
  }

  receive(datagram: Uint8Array, now: Instant): void {
    if (this.connection) this.connection.receive(datagram, now);
    else this.caller.receive(datagram, now);
    this.connection ??= this.caller.connection;
  }

  transmit(now: Instant): Uint8Array | undefined {
    return this.connection ? this.connection.transmit(now) : this.caller.transmit(now);
  }

  get deadline(): Instant {
    return this.connection ? this.connection.deadline : this.caller.deadline;
  }
}

/** The end that is called; of one caller. */
export class ListeningStation extends Base implements Station {
  readonly listener: SrtListener;
  readonly #replies: Uint8Array[] = [];
  rejected: number | undefined;

  constructor(
    options: Partial<CallerOptions>,
    random: CallerOptions["random"],
    now: Instant,
    decide: () => CallDecision = () => ({ kind: "accept", secret: options.secret }),
  ) {
    super();
    const own = { random, pool: this.pool, startedAt: now, connectionsMax: 8, decide };
    this.listener = new SrtListener({ ...own, ...options });
  }

  receive(datagram: Uint8Array, now: Instant): void {
    if (destination(datagram) !== 0) return this.connection?.receive(datagram, now);
    const heard = this.listener.receive(datagram, "10.0.0.1:5000", 0x0a000001, now);
    if (heard.reply) this.#replies.push(heard.reply);
    this.connection ??= heard.connection;
    this.rejected ??= heard.rejected;
  }

  transmit(now: Instant): Uint8Array | undefined {
    return this.#replies.shift() ?? this.connection?.transmit(now);
  }

  get deadline(): Instant {
    return this.#replies.length > 0
      ? 0 as Instant
      : this.connection?.deadline ?? Infinity as Instant;
  }
}
