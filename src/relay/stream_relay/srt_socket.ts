/**
 * One UDP port with SRT on it: datagrams in to the connection they are for, datagrams out of all of
 * them, in batches. Who may connect is the listener's to say.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import type { DatagramPort, FrameBatch, HotPlatform } from "../../platform/hot.ts";
import {
  destination,
  HEADER,
  type Packet,
  PACKET_MAX,
  type PacketPool,
  type SrtCaller,
  type SrtConnection,
  type SrtListener,
} from "../../protocol/srt/mod.ts";

/** Datagrams of one system call. */
const SLOTS = 64;
/** Octets of a slot: a packet, and a little, so that one too long is seen as such. */
const SLOT_SIZE = (PACKET_MAX + 39) & ~7;
/** Datagrams of one connection before others have their turn. */
const TURN_MAX = 256;
/** Answers to handshakes that wait. */
const REPLIES_MAX = 1024;

/** A connection and where its peer is. */
export interface Attached {
  readonly connection: SrtConnection;
  readonly address: number;
  readonly port: number;
}

/** Batches of this thread; every socket uses them in turn. */
export interface SrtBatches {
  readonly incoming: FrameBatch;
  readonly outgoing: FrameBatch;
}

/** Allocated once. */
export function srtBatches(platform: Pick<HotPlatform, "batch">): SrtBatches {
  return {
    incoming: platform.batch(SLOTS, SLOT_SIZE, 0),
    outgoing: platform.batch(SLOTS, SLOT_SIZE, 0),
  };
}

/** What a socket counts. */
export interface SrtSocketStats {
  received: number;
  sent: number;
  /** Too short, too long, or for nobody. */
  stray: number;
  /** For a connection, from another address. */
  spoofed: number;
  /** What the system did not take. */
  unsent: number;
}

/** A UDP port with SRT. */
export class SrtSocket implements Disposable {
  readonly attached = new Map<number, Attached>();
  readonly stats: SrtSocketStats = { received: 0, sent: 0, stray: 0, spoofed: 0, unsent: 0 };
  readonly #replies: { octets: Uint8Array; address: number; port: number }[] = [];
  #caller: { caller: SrtCaller; address: number; port: number } | undefined;

  /** @param made Told of each new connection. */
  constructor(
    readonly datagrams: DatagramPort,
    readonly batches: SrtBatches,
    readonly pool: PacketPool,
    readonly listener: SrtListener | undefined,
    readonly made: (attached: Attached) => void,
  ) {}

  /** Calls somebody from this port. */
  call(caller: SrtCaller, address: number, port: number): void {
    this.#caller = { caller, address, port };
  }

  /** Takes everything that has come. */
  receive(now: Instant): void {
    const { incoming } = this.batches;
    for (;;) {
      const count = this.datagrams.receive(incoming);
      for (let slot = 0; slot < count; slot += 1) this.#take(incoming, slot, now);
      if (count < incoming.slots) return;
    }
  }

  /** Fires timers and sends what is to be sent. */
  work(now: Instant): void {
    const { outgoing } = this.batches;
    outgoing.count = 0;
    for (const { octets, address, port } of this.#replies.splice(0)) {
      this.#put(octets, address, port);
    }
    this.#callOut(now);
    for (const one of this.attached.values()) {
      const { connection, address, port } = one;
      connection.expire(now);
      for (let turn = 0; turn < TURN_MAX; turn += 1) {
        const octets = connection.transmit(now);
        if (!octets) break;
        this.#put(octets, address, port);
      }
    }
    this.#flush();
  }

  /** When {@linkcode work} has something to do, or a message is due. */
  get deadline(): Instant {
    let at = this.#caller?.caller.deadline ?? Infinity;
    for (const { connection } of this.attached.values()) at = Math.min(at, connection.deadline);
    return at as Instant;
  }

  /** Gives a packet back that nobody wants. */
  release(packet: Packet): void {
    this.pool.give(packet);
  }

  /** Forgets a connection that is over. */
  detach(connection: SrtConnection): void {
    this.attached.delete(connection.socketId);
    this.listener?.forget(connection);
    connection.receiver.clear();
  }

  [Symbol.dispose](): void {
    this.datagrams[Symbol.dispose]();
  }

  #take(batch: FrameBatch, slot: number, now: Instant): void {
    const length = batch.length[slot]!;
    const start = batch.start[slot]!;
    this.stats.received += 1;
    if (length < HEADER || length > PACKET_MAX) {
      this.stats.stray += 1;
      return;
    }
    const octets = batch.octets.subarray(start, start + length);
    const [address, port] = [batch.source[slot]!, batch.port[slot]!];
    const id = destination(octets);
    const found = this.attached.get(id);
    if (found) {
      if (found.address !== address || found.port !== port) this.stats.spoofed += 1;
      else found.connection.receive(octets, now);
      return;
    }
    const calling = this.#caller;
    if (calling?.caller.socketId === id) {
      calling.caller.receive(octets, now);
      const { connection } = calling.caller;
      if (connection) this.#attach({ connection, address: calling.address, port: calling.port });
      return;
    }
    if (id !== 0 || !this.listener) {
      this.stats.stray += 1;
      return;
    }
    const heard = this.listener.receive(octets, `${address}:${port}`, address, now);
    if (heard.reply && this.#replies.length < REPLIES_MAX) {
      this.#replies.push({ octets: heard.reply, address, port });
    }
    if (heard.connection) this.#attach({ connection: heard.connection, address, port });
  }

  #attach(attached: Attached): void {
    this.#caller = undefined;
    this.attached.set(attached.connection.socketId, attached);
    this.made(attached);
  }

  #callOut(now: Instant): void {
    const calling = this.#caller;
    const octets = calling?.caller.transmit(now);
    if (calling && octets) this.#put(octets, calling.address, calling.port);
  }

  #put(octets: Uint8Array, address: number, port: number): void {
    const { outgoing } = this.batches;
    const slot = outgoing.count;
    outgoing.start[slot] = slot * outgoing.slotSize;
    outgoing.length[slot] = octets.length;
    outgoing.source[slot] = address;
    outgoing.port[slot] = port;
    outgoing.octets.set(octets, slot * outgoing.slotSize);
    outgoing.count = slot + 1;
    if (outgoing.count === outgoing.slots) this.#flush();
  }

  #flush(): void {
    const { outgoing } = this.batches;
    for (let from = 0; from < outgoing.count;) {
      const sent = this.datagrams.send(outgoing, from);
      if (sent > 0) {
        from += sent;
        this.stats.sent += sent;
        continue;
      }
      // What the system refuses is lost like on the way, and sent again like that.
      from += 1;
      this.stats.unsent += 1;
    }
    outgoing.count = 0;
  }
}
