/**
 * The first line on a data port: `V4HELLO {"role":…,"session_id":…,"id":…}` and a line feed. What
 * follows belongs to the other end.
 * @module
 */
import type { Role } from "./constants.ts";

/** Most octets that are looked at for the line. */
export const HELLO_MAX = 4096;
const PREFIX = "V4HELLO ";
const LF = 10;

/** What the line says. */
export interface Hello {
  readonly kind: "hello";
  readonly role: Role;
  readonly sessionId: string;
  readonly id: string;
  /** One-time proof from the grant; empty when there is none. */
  readonly ticket: string;
  /** Whether the peer wants an answer: `V4OK …` or `V4ERR …`. */
  readonly ack: boolean;
  /** Octets of the line, its line feed included. */
  readonly size: number;
}

/** A line, what is wrong with it, or that there is more to come. */
export type HelloResult =
  | Hello
  | { readonly kind: "more" }
  | { readonly kind: "refused"; readonly why: string };

/** Reads the line at the beginning of `octets`. Total: it never throws. */
export function readHello(octets: Uint8Array): HelloResult {
  const end = octets.subarray(0, HELLO_MAX).indexOf(LF);
  if (end < 0) {
    if (octets.length >= HELLO_MAX) return refused("line is longer than 4096 octets");
    // A line that cannot become one need not be waited for.
    const first = new TextDecoder("latin1").decode(octets.subarray(0, PREFIX.length)).trimStart();
    return PREFIX.startsWith(first.slice(0, PREFIX.length)) || first.startsWith(PREFIX)
      ? { kind: "more" }
      : refused("line does not begin with V4HELLO");
  }
  const line = new TextDecoder().decode(octets.subarray(0, end)).trim();
  if (!line.startsWith(PREFIX)) return refused("line does not begin with V4HELLO");
  let fields: unknown;
  try {
    fields = JSON.parse(line.slice(PREFIX.length));
  } catch {
    return refused("what follows V4HELLO is no JSON");
  }
  if (typeof fields !== "object" || fields === null) return refused("hello is no object");
  const { role, session_id: session, id, ticket, ack } = fields as Record<string, unknown>;
  const known = typeof role === "string" ? role.toLowerCase() : "";
  if (known !== "server" && known !== "client") return refused("role must be server or client");
  if (typeof session !== "string" || session === "") return refused("session_id is missing");
  if (typeof id !== "string" || id === "") return refused("id is missing");
  return {
    kind: "hello",
    role: known,
    sessionId: session,
    id,
    ticket: typeof ticket === "string" ? ticket : "",
    ack: ack === true,
    size: end + 1,
  };
}

/** The line that a peer sends. */
export function writeHello(
  hello: { readonly role: Role; readonly sessionId: string; readonly id: string } & {
    readonly ticket?: string;
    readonly ack?: boolean;
  },
): Uint8Array<ArrayBuffer> {
  const { role, sessionId, id, ticket, ack } = hello;
  const fields = {
    role,
    "session_id": sessionId,
    id,
    ...(ticket === undefined ? {} : { ticket }),
    ...(ack === true ? { ack } : {}),
  };
  return new TextEncoder().encode(`${PREFIX}${JSON.stringify(fields)}\n`);
}

function refused(why: string): HelloResult {
  return { kind: "refused", why };
}
