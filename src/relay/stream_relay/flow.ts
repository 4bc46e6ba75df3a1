/**
 * One direction of a session: octets from one socket, through a pipe of the kernel, to another.
 * They never enter this process. A receiver that does not take them keeps what is in the pipe; then
 * nothing more is read, the sender's window closes, and nobody else notices.
 * @module
 */
import { OsError } from "../../base/errors.ts";
import {
  STREAM_FAULT,
  type StreamPipe,
  type Streams,
  type StreamSocket,
} from "../../platform/streams.ts";

/** Pipes that are kept for the next flow. */
const FREE_MAX = 64;

/** One end of a session, as its flows see it. What is ready is known until a call says otherwise. */
export interface End {
  readonly socket: StreamSocket;
  readable: boolean;
  writable: boolean;
}

/** Pipes, of which a flow has one only while octets are in it. */
export class PipePool implements Disposable {
  readonly #free: StreamPipe[] = [];

  /** @param pages Buffers of a pipe. */
  constructor(readonly streams: Streams, readonly pages: number) {}

  /** Undefined when there are no more descriptors. */
  take(): StreamPipe | undefined {
    const free = this.#free.pop();
    if (free) return free;
    try {
      return this.streams.pipe(this.pages);
    } catch (error) {
      if (!(error instanceof OsError)) throw error;
      return undefined;
    }
  }

  /** Takes back an empty pipe. */
  give(pipe: StreamPipe): void {
    if (this.#free.length < FREE_MAX) this.#free.push(pipe);
    else pipe[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const pipe of this.#free.splice(0)) pipe[Symbol.dispose]();
  }
}

/** What came of moving octets. */
export const MOVED = {
  /** Nothing more to do until a socket changes. */
  rest: 0,
  /** Its turn is over; there may be more. */
  more: 1,
  /** No pipe was to be had. */
  starved: 2,
  /** A socket is broken: the session is over. */
  broken: 3,
} as const;
/** One of {@linkcode MOVED}. */
export type Moved = (typeof MOVED)[keyof typeof MOVED];

/** One direction. */
export class Flow {
  /** Octets that were taken from the sender, ever. */
  octets = 0;
  /** Octets in the pipe. */
  held = 0;
  /** The sender has ended, and so have we towards the receiver. */
  finished = false;
  /** Whether it waits for its next turn. */
  queued = false;
  #pipe: StreamPipe | undefined;
  #ended = false;

  constructor(readonly from: End, readonly to: End) {}

  /**
   * Moves what can be moved.
   *
   * @param most Octets of one turn, after which others have theirs.
   * @param calls One word that counts calls of the kernel.
   */
  move(pool: PipePool, most: number): Moved {
    const { from, to } = this;
    let left = most;
    for (;;) {
      if (this.held === 0) {
        if (this.#ended) return this.#finish(pool);
        if (!from.readable) return this.#rest(pool, MOVED.rest);
        if (left <= 0) return this.#rest(pool, MOVED.more);
        this.#pipe ??= pool.take();
        if (!this.#pipe) return MOVED.starved;
        const count = this.#pipe.fill(from.socket, this.#pipe.capacity);
        if (count > 0) {
          this.held = count;
          this.octets += count;
          left -= count;
        } else if (count === 0) this.#ended = true;
        else if (count === -STREAM_FAULT.again) from.readable = false;
        else if (count !== -STREAM_FAULT.interrupted) return MOVED.broken;
        continue;
      }
      if (!to.writable) return MOVED.rest;
      const count = this.#pipe!.drain(to.socket, this.held);
      if (count >= 0) this.held -= count;
      else if (count === -STREAM_FAULT.again) to.writable = false;
      else if (count !== -STREAM_FAULT.interrupted) return MOVED.broken;
    }
  }

  /** Loses what is in the pipe. */
  drop(): void {
    this.#pipe?.[Symbol.dispose]();
    this.#pipe = undefined;
    this.held = 0;
  }

  #finish(pool: PipePool): Moved {
    if (!this.finished) this.to.socket.finish();
    this.finished = true;
    return this.#rest(pool, MOVED.rest);
  }

  #rest(pool: PipePool, moved: Moved): Moved {
    if (this.#pipe) pool.give(this.#pipe);
    this.#pipe = undefined;
    return moved;
  }
}
