/** One end of an SRT session, from its call to its end. */
import { after, type Instant, seconds } from "../../base/time.ts";
import { type Hello, readHello, type Role } from "../../protocol/v4relay/mod.ts";
import type { Packet, SrtConnection } from "../../protocol/srt/mod.ts";
import type { SrtSocket } from "./srt_socket.ts";
import type { SrtSession } from "./srt_session.ts";

/** How long a hello may take. */
const HELLO_WITHIN = seconds(2);
const LF = 10;

/** An end. */
export class SrtLeg {
  hello: Hello | undefined;
  session: SrtSession | undefined;
  /** Until when the hello, or later the other end, has to come. */
  deadline: Instant;
  /** When it had something to send last, once its session is over. */
  leftAt = 0 as Instant;
  /** A message that the other end has no room for. */
  held: Packet | undefined;

  constructor(
    readonly token: number,
    readonly connection: SrtConnection,
    readonly socket: SrtSocket,
    readonly port: number,
    readonly remote: string,
    now: Instant,
  ) {
    this.deadline = after(now, HELLO_WITHIN);
  }
}

/** What a first message says: a hello, and what of it belongs to the other end. */
export type FirstMessage =
  | { readonly kind: "hello"; readonly hello: Hello }
  | { readonly kind: "refused"; readonly why: string };

/** Reads the hello in a first message; its line feed may be missing. */
export function readFirst(payload: Uint8Array): FirstMessage {
  const read = readHello(payload);
  if (read.kind !== "more") return read.kind === "hello" ? { kind: "hello", hello: read } : read;
  const whole = new Uint8Array(payload.length + 1);
  whole.set(payload);
  whole[payload.length] = LF;
  const again = readHello(whole);
  if (again.kind === "hello") {
    return { kind: "hello", hello: { ...again, size: payload.length } };
  }
  return again.kind === "refused" ? again : { kind: "refused", why: "hello is not whole" };
}

/**
 * Reads a stream id in the standard's form, `#!::s=SESSION,u=ID,m=MODE`, as a hello.
 * @param roleOf Which end of that session that name is.
 */
export function helloOfStreamId(
  streamId: string,
  roleOf: (sessionId: string, id: string) => Role | undefined,
): Hello | undefined {
  const plain = streamId.startsWith("%23") ? unescaped(streamId) : streamId;
  if (!plain.startsWith("#!::")) return undefined;
  const fields = new Map(
    plain.slice(4).split(",").map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, Math.max(0, at)), part.slice(at + 1)] as const;
    }),
  );
  const [sessionId, id] = [fields.get("s") ?? "", fields.get("u") ?? ""];
  const role = roleOf(sessionId, id);
  if (sessionId === "" || id === "" || role === undefined) return undefined;
  const ticket = fields.get("t") ?? "";
  return { kind: "hello", role, sessionId, id, ticket, ack: false, size: 0 };
}

/** Some tools hand a stream id on as it stood in a URL. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return text;
  }
}
