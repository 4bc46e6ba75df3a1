/**
 * What a module may put on the control port: HTTP routes, JSON-lines message types, and fields of
 * `/status`. The port itself is `control.ts`; a module sees only these interfaces.
 * @module
 */

import type { Millis } from "../base/time.ts";

/** What JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };
/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json | undefined };

/**
 * Who may call. `open`: anybody who reaches the port. `read`: needs the token when one is set,
 * unless the operator made reading public. `change`: needs the token when one is set.
 */
export type Access = "open" | "read" | "change";

/** One HTTP request, its body read (bounded) and parsed as JSON when there is one. */
export interface ControlRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Json | undefined;
  /** `address:port` of the caller. */
  readonly remote: string;
}

/** The answer to a request. */
export interface ControlReply {
  readonly status: number;
  /** A string is sent as it is with `contentType`; anything else as JSON. */
  readonly body: Json;
  readonly contentType?: string;
}

/** One JSON-lines connection. It outlives a message, so a module may keep it and send later. */
export interface ControlPeer {
  /** Unique while the process lives. */
  readonly id: number;
  readonly remote: string;
  /** Aborts when the connection is gone. */
  readonly closed: AbortSignal;
  /** Octets that wait for it. */
  readonly queued: number;
  /**
   * Queues one line: an object, or the text of one that many are sent. The queue is bounded: a peer
   * that does not read is closed.
   */
  send(message: JsonObject | string): void;
  /**
   * From now on all its messages go to `handler`, whatever their type; one that cannot be read
   * closes the connection. It is not closed for being silent, nor to make room for others.
   */
  adopt(handler: (message: JsonObject) => void): void;
  /** Ends the connection after what was queued. */
  close(why: string): void;
}

/** Answers one request. What it throws becomes a 500 without its text. */
export type RouteHandler = (request: ControlRequest) => ControlReply | Promise<ControlReply>;
/** Answers one line; undefined sends nothing back. */
export type MessageHandler = (
  message: JsonObject,
  peer: ControlPeer,
) => JsonObject | undefined | Promise<JsonObject | undefined>;

/** Registration is undone by disposing, and for a module's own ones when its `run` settles. */
export interface ControlRegistry {
  /** @throws BugError when the route is taken. */
  route(method: "GET" | "POST", path: string, access: Access, handler: RouteHandler): Disposable;
  /**
   * Handles lines whose `type` is `type`, or with `*` those whose type nobody else handles; what it
   * returns is sent back.
   * @throws BugError when the type is taken.
   */
  message(type: string, access: Access, handler: MessageHandler): Disposable;
  /** No connection may take longer than `span` to its first message. */
  patience(span: Millis): Disposable;
  /** Adds fields to the top level of /status, asked for at each request. */
  status(fields: () => JsonObject): Disposable;
}
