/**
 * What a module may put on the control port: HTTP routes, JSON-lines message types, and fields of
 * `/status`. The port itself is `control.ts`; a module sees only these interfaces.
 * @module
 */

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
  /** Queues one line. The queue is bounded: a peer that does not read is closed, and counted. */
  send(message: JsonObject): void;
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
   * Handles lines whose `type` is `type`; what it returns is sent back.
   * @throws BugError when the type is taken.
   */
  message(type: string, access: Access, handler: MessageHandler): Disposable;
  /** Adds fields to the top level of /status, asked for at each request. */
  status(fields: () => JsonObject): Disposable;
}
