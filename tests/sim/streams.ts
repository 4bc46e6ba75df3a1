/**
 * TCP in memory, on a clock that only passes while the poller waits: connections with windows, ends
 * that stop reading, FIN and RST, and descriptors that run out.
 * @module
 */
import { OsError } from "../../src/base/errors.ts";
import type { Instant } from "../../src/base/time.ts";
import type { Pollable } from "../../src/platform/hot.ts";
import {
  type ListenOptions,
  READY,
  STREAM_FAULT,
  type StreamInfo,
  type StreamListener,
  type StreamPipe,
  type StreamPoller,
  type Streams,
  type StreamSocket,
} from "../../src/platform/streams.ts";

/** Octets that one direction of a connection holds. */
const WINDOW = 64 * 1024;

/** One direction: what was sent and not yet taken. */
class Wire {
  octets: number[] = [];
  /** The sender has ended. */
  ended = false;
  /** Somebody was told that there is no room. */
  wanted = false;
}

/** Both ends see the same state. */
class Link {
  readonly up = new Wire();
  readonly down = new Wire();
  reset = false;
  /** The relay has closed its end. */
  closed = false;
}

/** The far end of a connection, in the hands of a test. */
export class FarEnd {
  constructor(readonly link: Link, readonly changed: (bits: number) => void) {}

  /** Sends as much as the window takes. Returns how many octets. */
  send(octets: Uint8Array): number {
    const { up, reset } = this.link;
    if (reset || this.link.closed) return 0;
    const count = Math.min(octets.length, WINDOW - up.octets.length);
    for (let at = 0; at < count; at += 1) up.octets.push(octets[at]!);
    if (count > 0) this.changed(READY.input);
    return count;
  }

  /** Takes what has come. */
  take(most = Infinity): Uint8Array {
    const { down } = this.link;
    const taken = Uint8Array.from(down.octets.splice(0, Math.min(most, down.octets.length)));
    if (taken.length > 0 && down.wanted) {
      down.wanted = false;
      this.changed(READY.output);
    }
    return taken;
  }

  finish(): void {
    this.link.up.ended = true;
    this.changed(READY.input | READY.peerClosed);
  }

  reset(): void {
    this.link.reset = true;
    this.changed(READY.input | READY.output | READY.error | READY.hangup);
  }

  /** Whether the relay sends no more, and everything was taken. */
  get ended(): boolean {
    return this.link.down.ended && this.link.down.octets.length === 0;
  }

  /** Whether the relay has cut the connection. */
  get wasReset(): boolean {
    return this.link.reset;
  }

  get closed(): boolean {
    return this.link.closed;
  }
}

class NearEnd implements StreamSocket {
  fd: number;

  constructor(readonly sim: SimStreams, readonly link: Link, readonly remote: string) {
    this.fd = sim.open();
  }

  peek(into: Uint8Array<ArrayBuffer>): number {
    return this.#read(into, into.length, false);
  }

  take(into: Uint8Array<ArrayBuffer>, count: number): number {
    return this.#read(into, count, true);
  }

  send(octets: Uint8Array<ArrayBuffer>): number {
    const { down, reset } = this.link;
    if (reset) return -STREAM_FAULT.reset;
    const room = Math.min(octets.length, WINDOW - down.octets.length);
    if (room === 0 && octets.length > 0) {
      down.wanted = true;
      return -STREAM_FAULT.again;
    }
    for (let at = 0; at < room; at += 1) down.octets.push(octets[at]!);
    return room;
  }

  unread(): number {
    return this.link.up.octets.length;
  }

  finish(): void {
    this.link.down.ended = true;
  }

  reset(): void {
    this.link.reset = true;
    this[Symbol.dispose]();
  }

  giveUpAfter(): void {}

  info(into: StreamInfo): boolean {
    Object.assign(into, { rtt: 1000, retransmitted: 0, segmentsOut: 1, lost: 0, unsent: 0 });
    return true;
  }

  [Symbol.dispose](): void {
    if (this.fd < 0) return;
    this.sim.close(this.fd);
    this.fd = -1;
    this.link.closed = true;
    this.link.down.ended = true;
  }

  #read(into: Uint8Array, count: number, take: boolean): number {
    const { up, reset } = this.link;
    if (reset) return -STREAM_FAULT.reset;
    const found = Math.min(count, into.length, up.octets.length);
    if (found === 0) return up.ended ? 0 : -STREAM_FAULT.again;
    into.set(take ? up.octets.splice(0, found) : up.octets.slice(0, found));
    return found;
  }
}

class Pipe implements StreamPipe {
  readonly #octets: number[] = [];
  readonly #fds: readonly number[];

  constructor(readonly sim: SimStreams, readonly capacity: number) {
    this.#fds = [sim.open(), sim.open()];
  }

  fill(from: StreamSocket, most: number): number {
    const chunk = new Uint8Array(Math.min(most, this.capacity - this.#octets.length));
    const count = from.take(chunk, chunk.length);
    for (let at = 0; at < count; at += 1) this.#octets.push(chunk[at]!);
    return count;
  }

  drain(to: StreamSocket, most: number): number {
    const count = to.send(Uint8Array.from(this.#octets.slice(0, most)));
    if (count > 0) this.#octets.splice(0, count);
    return count;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) this.sim.close(fd);
  }
}

/** The system, as the data plane sees it. */
export class SimStreams implements Streams {
  now = 0 as Instant;
  /** Whether time stands still. */
  frozen = false;
  /** Whether the last wait found nothing to do. */
  idle = false;
  descriptorsMax = 10_000;
  readonly descriptors = new Set<number>();
  readonly #listening = new Map<number, { queue: NearEnd[]; fd: number }>();
  readonly #tokens = new Map<number, number>();
  #changes = new Map<number, number>();
  #nextFd = 3;

  /** A connection of a peer; it waits to be accepted. */
  connect(port: number): FarEnd {
    const listener = this.#listening.get(port);
    if (!listener) throw new Error(`Nobody listens on ${port}`);
    const link = new Link();
    const near = new NearEnd(this, link, `10.0.0.1:${40_000 + this.#nextFd}`);
    listener.queue.push(near);
    this.#change(listener.fd, READY.input);
    return new FarEnd(link, (bits) => {
      // The way back has room again when the far end has taken something.
      this.#change(near.fd, bits);
    });
  }

  ring(): void {
    this.#change(0, READY.input);
  }

  open(): number {
    if (this.descriptors.size >= this.descriptorsMax) {
      throw new OsError("os.open", "No more", { syscall: "open", errno: "EMFILE" });
    }
    const fd = this.#nextFd += 1;
    this.descriptors.add(fd);
    return fd;
  }

  close(fd: number): void {
    this.descriptors.delete(fd);
    this.#tokens.delete(fd);
    this.#changes.delete(fd);
  }

  listen({ port }: ListenOptions): StreamListener {
    const fd = this.open();
    const own: { queue: NearEnd[]; fd: number } = { queue: [], fd };
    this.#listening.set(port, own);
    return {
      fd,
      port,
      accept: () => own.queue.shift() ?? -STREAM_FAULT.again,
      [Symbol.dispose]: () => {
        this.#listening.delete(port);
        this.close(fd);
      },
    };
  }

  pipe(pages: number): StreamPipe {
    return new Pipe(this, pages * 4096);
  }

  poller(most: number): StreamPoller {
    let told: [number, number][] = [];
    return {
      watch: (what: Pollable, token: number) => {
        this.#tokens.set(what.fd, token);
        this.#change(what.fd, READY.output);
      },
      wait: (ms: number) => {
        this.idle = this.#changes.size === 0 && ms > 0;
        if (this.idle && !this.frozen) this.now = (this.now + ms) as Instant;
        told = [...this.#changes].filter(([fd]) => this.#tokens.has(fd)).slice(0, most);
        for (const [fd] of told) this.#changes.delete(fd);
        told = told.map(([fd, bits]) => [this.#tokens.get(fd)!, bits]);
        return told.length;
      },
      token: (index) => told[index]![0],
      changes: (index) => told[index]![1],
      [Symbol.dispose]: () => {},
    };
  }

  #change(fd: number, bits: number): void {
    if (fd !== 0 && !this.descriptors.has(fd)) return;
    this.#changes.set(fd, (this.#changes.get(fd) ?? 0) | bits);
  }
}
