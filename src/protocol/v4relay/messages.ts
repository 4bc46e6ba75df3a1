/**
 * What comes in on the control port: `{"type": …, "payload": {…}}`. Unknown types are ignored.
 * @module
 */
import { CODE, type Code, type Role, TEXT_MAX } from "./constants.ts";

/** A first message: who is there. */
export interface Register {
  readonly kind: "register";
  readonly role: Role;
  readonly id: string;
  readonly token: string;
  /** Sessions that a server takes at once, 1 or more. */
  readonly maxConn: number;
  /** Whether it answers pings, so that it may be taken for gone when it does not. */
  readonly heartbeat: boolean;
}

/** A client wants a session with a server, or with any. */
export interface PairRequest {
  readonly kind: "pair_request";
  /** Empty: one is made. */
  readonly requestId: string;
  readonly serverId: string | undefined;
  readonly needZmq: boolean;
  readonly needSrt: boolean;
}

/** What a peer asks for. */
export type Request =
  | Register
  | PairRequest
  /** A client no longer wants what it asked for. */
  | { readonly kind: "cancel"; readonly requestId: string }
  | { readonly kind: "ping"; readonly seq: number | undefined }
  | { readonly kind: "pong" }
  /** Which broadcasts are wanted; absent: all, as ever. */
  | { readonly kind: "subscribe"; readonly topics: readonly string[] };

/** A request that is none; it is answered. */
export interface Refusal {
  readonly kind: "refused";
  readonly code: Code;
  /** With the code in front, as clients know it. */
  readonly error: string;
}

/** Makes a refusal. */
export function refuse(code: Code, why: string): Refusal {
  return { kind: "refused", code, error: `${code} ${why}` };
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a message. Undefined: a type that is not known, which is ignored. Total. */
export function readRequest(message: Fields): Request | Refusal | undefined {
  const given = message.payload;
  const payload = typeof given === "object" && given !== null ? given as Fields : {};
  switch (message.type) {
    case "register":
      return readRegister(payload);
    case "pair_request":
      return readPairRequest(payload);
    case "cancel":
      return { kind: "cancel", requestId: textOf(payload.request_id) };
    case "ping":
      return { kind: "ping", seq: typeof payload.seq === "number" ? payload.seq : undefined };
    case "pong":
      return { kind: "pong" };
    case "subscribe": {
      const { topics } = payload;
      if (!Array.isArray(topics)) return refuse(CODE.badRequest, "topics must be a list");
      return { kind: "subscribe", topics: topics.filter((topic) => typeof topic === "string") };
    }
    default:
      return undefined;
  }
}

function readRegister(message: Fields): Register | Refusal {
  const id = textOf(message.id);
  const token = textOf(message.token);
  if (id === "" || token === "") return refuse(CODE.badRequest, "missing id/token");
  if (id.length > TEXT_MAX || token.length > TEXT_MAX) {
    return refuse(CODE.badRequest, `id/token longer than ${TEXT_MAX}`);
  }
  const { role } = message;
  if (role !== "server" && role !== "client") return refuse(CODE.badRequest, "invalid role");
  const wanted = Number(message.max_conn ?? 0);
  const maxConn = Number.isSafeInteger(wanted) && wanted > 0 ? wanted : 1;
  return { kind: "register", role, id, token, maxConn, heartbeat: message.heartbeat === true };
}

function readPairRequest(message: Fields): PairRequest | Refusal {
  const needZmq = message.need_zmq === true;
  const needSrt = message.need_srt === true;
  if (!needZmq && !needSrt) return refuse(CODE.badRequest, "need_zmq or need_srt");
  const requestId = textOf(message.request_id);
  const serverId = textOf(message.server_id);
  if (requestId.length > TEXT_MAX || serverId.length > TEXT_MAX) {
    return refuse(CODE.badRequest, `request_id/server_id longer than ${TEXT_MAX}`);
  }
  return {
    kind: "pair_request",
    requestId,
    serverId: serverId === "" ? undefined : serverId,
    needZmq,
    needSrt,
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.trim() : "";
}
