/**
 * An SRT connection that has been made, one end of it, without I/O: datagrams and time go in,
 * datagrams and messages come out. §4
 *
 * After any call that goes in the owner takes what is to be sent ({@link SrtConnection.transmit}),
 * what has come ({@link SrtConnection.deliver}), and asks for the next deadline.
 * @module
 */
import type { Instant, Millis } from "../../base/time.ts";
import { CONTROL, DEFAULT, FLAG, HEADER, PAYLOAD_MAX, USER } from "./constants.ts";
import { readHs, writeHs } from "./handshake.ts";
import { KeyRefresh } from "./key_refresh.ts";
import type { Keys } from "./keys.ts";
import { advance, distance, unwrap } from "./numbers.ts";
import {
  controlPacket,
  controlType,
  isControl,
  lossWords,
  type Packet,
  type PacketPool,
  putWord,
  readAck,
  readLosses,
  WORD,
  word,
} from "./packet.ts";
import { ReceiveBuffer } from "./receiving.ts";
import { RoundTrip } from "./round_trip.ts";
import { type Bandwidth, SendBuffer } from "./sending.ts";

const ACK_EVERY = 10_000;
const LIGHT_ACK_EVERY = 64;
const NAK_LEAST = 20_000;
const KEEPALIVE_AFTER = 1_000_000;
/** Packets that wait to be sent, beside data. */
const CONTROLS_MAX = 1024;
const ACKS_KEPT = 1024;
const IDLE_LEAST_WINDOW = 2;

/** What both ends have agreed on. */
export interface ConnectionOptions {
  readonly socketId: number;
  readonly peerId: number;
  /** First sequence number of both directions. */
  readonly sequence: number;
  /** When our clock for this connection was 0. */
  readonly startedAt: Instant;
  /** When the peer's was, on ours. */
  readonly peerStartedAt: Instant;
  readonly receiveLatency: Millis;
  /** The peer's. */
  readonly sendLatency: Millis;
  /** `timed`: held until due; `arrival`: in order, at once; `reliable`: the same, nothing given up. */
  readonly delivery: "timed" | "arrival" | "reliable";
  /** Flags of the peer's HSREQ or HSRSP. */
  readonly peerFlags: number;
  /** Packets that the peer takes at first. */
  readonly window: number;
  readonly bandwidth: Bandwidth;
  readonly peerIdle: Millis;
  readonly keys: Keys | undefined;
  /** Packets after which a key is replaced, and how long before the new one is announced. */
  readonly keyRefresh: number;
  readonly keyAnnounce: number;
  readonly random: (size: number) => Uint8Array;
  readonly pool: PacketPool;
  readonly streamId: string;
  readonly bufferPackets?: number;
}

/** Why a connection is over. */
export type CloseReason = "shutdown" | "closed" | "idle";

/** What happened on the control side. */
export interface ControlStats {
  acks: number;
  naks: number;
  malformed: number;
  unknown: number;
}

/** One end of a connection. */
export class SrtConnection {
  readonly sender: SendBuffer;
  readonly receiver: ReceiveBuffer;
  readonly roundTrip = new RoundTrip();
  readonly stats: ControlStats = { acks: 0, naks: 0, malformed: 0, unknown: 0 };
  closed: CloseReason | undefined;
  readonly #controls: Uint8Array<ArrayBuffer>[] = [];
  readonly #refresh: KeyRefresh | undefined;
  readonly #ackSequences = new Int32Array(ACKS_KEPT);
  readonly #ackTimes = new Float64Array(ACKS_KEPT);
  #ackNumber = 0;
  #ackSent: number;
  #ackConfirmed: number;
  #ackAt = 0;
  #ackDueAt = Infinity;
  #sinceAck = 0;
  #wasFull = false;
  #nakDueAt = Infinity;
  #heardAt: number;
  #saidAt: number;
  #receivesData = false;
  #retries = 0;
  #rateFrom = 0;
  #ratePackets = 0;
  #rateOctets = 0;
  #rate = 0;
  #octetRate = 0;

  constructor(readonly options: ConnectionOptions) {
    const { sequence, pool, window, bandwidth, delivery, bufferPackets } = options;
    const capacity = bufferPackets ?? DEFAULT.bufferPackets;
    this.sender = new SendBuffer(pool, sequence, window, bandwidth, capacity);
    this.receiver = new ReceiveBuffer(pool, sequence, {
      base: options.peerStartedAt * 1000,
      latency: options.receiveLatency * 1000,
      timed: delivery === "timed",
      dropLate: delivery !== "reliable",
    }, capacity);
    this.#refresh = options.keys && new KeyRefresh(options.keys, options);
    this.#ackSent = this.#ackConfirmed = sequence;
    this.#heardAt = this.#saidAt = options.startedAt * 1000;
  }

  get socketId(): number {
    return this.options.socketId;
  }

  /** How often the key that we send with was replaced. */
  get keyRefreshes(): number {
    return this.#refresh?.count ?? 0;
  }

  get streamId(): string {
    return this.options.streamId;
  }

  /**
   * Takes a message to be sent, at most {@linkcode PAYLOAD_MAX} octets; the packet goes over.
   * @param origin When it was made, if that was not now.
   * @returns False when there is no room, or the connection is over: the packet stays the caller's.
   */
  send(packet: Packet, now: Instant, origin: Instant = now): boolean {
    if (this.closed || packet.length > PAYLOAD_MAX) return false;
    const at = origin * 1000;
    const stamp = Math.max(0, at - this.options.startedAt * 1000);
    if (!this.sender.push(packet, stamp, now * 1000)) return false;
    packet.origin = at;
    putWord(packet.octets, 12, this.options.peerId);
    return true;
  }

  /** The next message whose time has come; the packet is the caller's. */
  deliver(now: Instant): Packet | undefined {
    const packet = this.receiver.take(now * 1000);
    if (!packet) return undefined;
    packet.origin = this.receiver.originOf(packet);
    if (this.#wasFull) this.#ackDueAt = Math.min(this.#ackDueAt, now * 1000);
    return packet;
  }

  /** Takes a datagram for this socket. A data packet is copied. */
  receive(datagram: Uint8Array, now: Instant): void {
    if (this.closed || datagram.length < HEADER) return;
    const at = now * 1000;
    this.#heardAt = at;
    if (isControl(datagram)) this.#control(datagram, at);
    else this.#data(datagram, at);
  }

  /** Fires the timers that are due. */
  expire(now: Instant): void {
    if (this.closed) return;
    const at = now * 1000;
    const { options: { peerIdle, sendLatency, delivery } } = this;
    if (at - this.#heardAt > peerIdle * 1000) return this.#over("idle");
    if (at >= this.#ackDueAt) this.#fullAck(at);
    if (at >= this.#nakDueAt) this.#periodicNak(at);
    if (this.#refresh && at >= this.#refresh.dueAt) this.#sayKey(at);
    if (delivery !== "reliable" && (this.options.peerFlags & FLAG.tooLateDrop) !== 0) {
      const count = this.sender.dropLate(({ origin }) => origin, sendLatency * 1000, at);
      if (count > 0) this.#retries = 0;
    }
    if (this.sender.inFlight > 0 && at >= this.#retryAt) {
      this.#retries += 1;
      this.sender.progressAt = at;
      this.sender.lostAll();
    }
    if (at - this.#saidAt >= KEEPALIVE_AFTER && !this.sender.wants) {
      this.#say(CONTROL.keepalive, 0, at);
    }
  }

  /** When {@linkcode expire} or {@linkcode transmit} has something to do, or a message is due. */
  get deadline(): Instant {
    if (this.closed) return Infinity as Instant;
    const { sender, receiver } = this;
    let at = this.#heardAt + this.options.peerIdle * 1000 + 1;
    at = Math.min(at, this.#saidAt + KEEPALIVE_AFTER, this.#ackDueAt, this.#nakDueAt);
    at = Math.min(at, this.#refresh?.dueAt ?? Infinity, receiver.dueAt ?? Infinity);
    if (this.#controls.length > 0) at = 0;
    if (sender.wants) at = Math.min(at, sender.nextAt);
    if (sender.inFlight > 0) at = Math.min(at, this.#retryAt);
    return at / 1000 as Instant;
  }

  /** The next datagram to send; valid until the next call. Undefined when there is none now. */
  transmit(now: Instant): Uint8Array<ArrayBuffer> | undefined {
    const control = this.#controls.shift();
    const at = now * 1000;
    if (control) {
      this.#saidAt = at;
      return control;
    }
    if (this.closed || at < this.sender.nextAt) return undefined;
    // A loss report that left before the packet could have come says nothing about it.
    const { smoothed, variance } = this.roundTrip;
    const taken = this.sender.take(at, at - Math.max(smoothed - 4 * variance, 0.75 * smoothed));
    if (!taken) return undefined;
    const { packet, again } = taken;
    if (again) packet.view.setUint32(4, packet.view.getUint32(4) | WORD.resent);
    else this.#refresh?.encrypt(packet, this.sender.first, at);
    this.#saidAt = at;
    return packet.octets.subarray(0, HEADER + packet.length);
  }

  /** Ends the connection; the peer is told. */
  close(now: Instant): void {
    if (this.closed) return;
    this.#say(CONTROL.shutdown, 0, now * 1000);
    this.#over("closed");
  }

  #over(reason: CloseReason): void {
    this.closed = reason;
    this.sender.clear();
  }

  get #retryAt(): number {
    const { smoothed, variance } = this.roundTrip;
    const span = (this.#retries + 1) * (smoothed + 4 * variance + NAK_LEAST) + ACK_EVERY;
    return this.sender.progressAt + Math.min(span, KEEPALIVE_AFTER);
  }

  #data(datagram: Uint8Array, at: number): void {
    const { pool, keys, bufferPackets } = this.options;
    const sequence = word(datagram, 0);
    const head = word(datagram, 4);
    const length = datagram.length - HEADER;
    const solo = (head & WORD.solo) >>> 0 === WORD.solo;
    const capacity = bufferPackets ?? DEFAULT.bufferPackets;
    const ahead = distance(this.receiver.acknowledged, sequence);
    if (length < 1 || length > PAYLOAD_MAX || !solo || Math.abs(ahead) > 2 * capacity) {
      this.stats.malformed += 1;
      return;
    }
    const key = head & WORD.keyMask;
    const wanted = key === WORD.evenKey
      ? keys?.receiving.even
      : key === WORD.oddKey
      ? keys?.receiving.odd
      : undefined;
    // Once there are keys nothing comes in the clear, and nothing by both keys at once.
    if (keys ? !wanted : key !== 0) {
      this.receiver.stats.undecrypted += 1;
      return;
    }
    const packet = pool.take();
    packet.octets.set(datagram);
    packet.length = length;
    packet.sequence = sequence;
    packet.stamp = this.#peerTime(datagram, at);
    packet.at = at;
    const put = this.receiver.put(packet);
    if (put === false) return pool.give(packet);
    if (keys) keys.crypt(packet.payload, sequence, wanted);
    this.#receivesData = true;
    this.#measureRate(length, at);
    this.#ackDueAt = Math.min(this.#ackDueAt, Math.max(at, this.#ackAt + ACK_EVERY));
    this.#sinceAck += 1;
    if (this.#sinceAck % LIGHT_ACK_EVERY === 0) this.#lightAck(at);
    if (put === true) return;
    this.#say(CONTROL.nak, 0, at, lossWords([put]));
    this.stats.naks += 1;
    if (this.#nakDueAt === Infinity) this.#nakDueAt = at + this.#nakPeriod;
  }

  #control(datagram: Uint8Array, at: number): void {
    switch (controlType(datagram)) {
      case CONTROL.keepalive:
      case CONTROL.congestion:
      case CONTROL.handshake:
        return; // A handshake that comes again is answered by whoever made the connection.
      case CONTROL.ack:
        return this.#acked(datagram, at);
      case CONTROL.nak:
        return this.#lossReport(datagram, at);
      case CONTROL.ackack:
        return this.#ackConfirmedBy(datagram, at);
      case CONTROL.dropRequest:
        return this.#dropRequest(datagram);
      case CONTROL.shutdown:
        this.#over("shutdown");
        return;
      case CONTROL.user:
        return this.#user(datagram, at);
      default:
        this.stats.unknown += 1;
    }
  }

  #acked(datagram: Uint8Array, at: number): void {
    const ack = readAck(datagram);
    const ahead = ack ? distance(this.sender.first, ack.next) : -1;
    if (!ack || !this.sender.acknowledge(ack.next, at)) {
      this.stats.malformed += 1;
      return;
    }
    if (ahead > 0) this.#retries = 0;
    this.stats.acks += 1;
    if (ack.rtt === undefined) {
      this.sender.window = Math.max(IDLE_LEAST_WINDOW, this.sender.window - Math.max(0, ahead));
      return;
    }
    this.sender.window = Math.min(2 * this.sender.capacity, Math.max(IDLE_LEAST_WINDOW, ack.room));
    if (!this.#receivesData) this.roundTrip.adopt(ack.rtt, ack.rttVariance);
    this.#say(CONTROL.ackack, word(datagram, 4), at);
  }

  #lossReport(datagram: Uint8Array, at: number): void {
    const ranges = readLosses(datagram);
    if (!ranges) {
      this.stats.malformed += 1;
      return;
    }
    for (const [first, last] of ranges) {
      const kept = this.sender.lost(first, last);
      if (kept === undefined) this.stats.malformed += 1;
      else if (kept === "old") {
        const end = advance(this.sender.first, -1);
        const until = distance(last, end) > 0 ? last : end;
        this.#say(CONTROL.dropRequest, 0, at, [first, until]);
      }
    }
  }

  #ackConfirmedBy(datagram: Uint8Array, at: number): void {
    const number = word(datagram, 4);
    const slot = number % ACKS_KEPT;
    const sentAt = this.#ackTimes[slot]!;
    if (number === 0 || number > this.#ackNumber || this.#ackNumber - number >= ACKS_KEPT) return;
    if (sentAt === 0) return;
    this.#ackTimes[slot] = 0;
    const sequence = this.#ackSequences[slot]!;
    if (distance(this.#ackConfirmed, sequence) > 0) this.#ackConfirmed = sequence;
    this.roundTrip.sample(at - sentAt);
    const stamp = this.#peerTime(datagram, at);
    this.receiver.sampleDrift(stamp, at, this.roundTrip.smoothed);
  }

  #dropRequest(datagram: Uint8Array): void {
    if (datagram.length < HEADER + 8) {
      this.stats.malformed += 1;
      return;
    }
    const [first, last] = [word(datagram, HEADER), word(datagram, HEADER + 4)];
    const span = distance(first, last);
    const sound = first <= 0x7fff_ffff && last <= 0x7fff_ffff && span >= 0 &&
      span <= 2 * this.sender.capacity;
    if (sound && this.options.delivery !== "reliable") this.receiver.drop(first, last);
    else this.stats.malformed += 1;
  }

  #fullAck(at: number): void {
    this.#ackDueAt = Infinity;
    const next = this.receiver.acknowledged;
    if (next === this.#ackConfirmed && !this.#wasFull) return;
    const { smoothed, variance } = this.roundTrip;
    if (next === this.#ackSent && !this.#wasFull && at - this.#ackAt < smoothed + 4 * variance) {
      this.#ackDueAt = this.#ackAt + smoothed + 4 * variance;
      return;
    }
    this.#ackNumber += 1;
    const slot = this.#ackNumber % ACKS_KEPT;
    this.#ackSequences[slot] = next;
    this.#ackTimes[slot] = at;
    const { room } = this.receiver;
    this.#wasFull = room < IDLE_LEAST_WINDOW;
    this.#say(CONTROL.ack, this.#ackNumber, at, [
      next,
      Math.round(smoothed),
      Math.round(variance),
      Math.max(IDLE_LEAST_WINDOW, room),
      Math.round(this.#rate),
      Math.round(this.#rate),
      Math.round(this.#octetRate),
    ]);
    this.#ackSent = next;
    this.#ackAt = at;
    this.#sinceAck = 0;
    // Until it is confirmed it is said again.
    this.#ackDueAt = at + Math.max(ACK_EVERY, smoothed + 4 * variance);
  }

  #lightAck(at: number): void {
    this.#say(CONTROL.ack, 0, at, [this.receiver.acknowledged]);
  }

  get #nakPeriod(): number {
    const { smoothed, variance } = this.roundTrip;
    return Math.max(NAK_LEAST, (smoothed + 4 * variance) / 2);
  }

  #periodicNak(at: number): void {
    const { losses } = this.receiver;
    if (losses.size === 0) {
      this.#nakDueAt = Infinity;
      return;
    }
    this.stats.naks += 1;
    this.#say(CONTROL.nak, 0, at, lossWords(losses));
    this.#nakDueAt = at + this.#nakPeriod;
  }

  #user(datagram: Uint8Array, at: number): void {
    const subtype = word(datagram, 0) & 0xffff;
    const contents = datagram.subarray(HEADER);
    const { keys } = this.options;
    if (subtype === USER.hsRequest && readHs(contents)) {
      // Of a peer of version 4, which says after the handshake what others say in it.
      const answer = writeHs({
        ...{ version: 0x010503, flags: this.options.peerFlags },
        ...{
          receiverLatency: this.options.receiveLatency,
          senderLatency: this.options.sendLatency,
        },
      });
      this.#raw(CONTROL.user, USER.hsResponse, answer, at);
    } else if (subtype === USER.kmRequest && keys && keys.renew(contents)) {
      this.#raw(CONTROL.user, USER.kmResponse, contents, at);
    } else if (subtype === USER.kmResponse) {
      this.#refresh?.confirm(contents);
    } else this.stats.malformed += 1;
  }

  #sayKey(at: number): void {
    const material = this.#refresh?.say(at, this.roundTrip.smoothed);
    if (material) this.#raw(CONTROL.user, USER.kmRequest, material, at);
  }

  #measureRate(length: number, at: number): void {
    if (this.#rateFrom === 0) this.#rateFrom = at;
    this.#ratePackets += 1;
    this.#rateOctets += length;
    const span = at - this.#rateFrom;
    if (span < KEEPALIVE_AFTER) return;
    this.#rate = this.#ratePackets * 1_000_000 / span;
    this.#octetRate = this.#rateOctets * 1_000_000 / span;
    this.#rateFrom = at;
    this.#ratePackets = this.#rateOctets = 0;
  }

  /** What the peer's clock said when it sent this. */
  #peerTime(datagram: Uint8Array, at: number): number {
    return unwrap(word(datagram, 8), at - this.options.peerStartedAt * 1000);
  }

  #stamp(at: number): number {
    return at - this.options.startedAt * 1000;
  }

  #say(type: number, specific: number, at: number, words?: readonly number[]): void {
    if (this.#controls.length >= CONTROLS_MAX) this.#controls.shift();
    const stamp = this.#stamp(at);
    this.#controls.push(controlPacket(type, specific, stamp, this.options.peerId, words));
  }

  #raw(type: number, subtype: number, contents: Uint8Array, at: number): void {
    const words = Array.from({ length: contents.length >> 2 }, (_, at) => word(contents, 4 * at));
    const { peerId } = this.options;
    if (this.#controls.length >= CONTROLS_MAX) this.#controls.shift();
    this.#controls.push(controlPacket(type, 0, this.#stamp(at), peerId, words, subtype));
  }
}

/** No limit of its own, and no headroom for what is sent again. */
export const UNLIMITED: Bandwidth = { max: -1, input: 0, overhead: 25 };
