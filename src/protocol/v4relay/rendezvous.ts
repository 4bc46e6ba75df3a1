/**
 * Where the two ends of a session meet on a data port: takes hello lines and says who waits, who is
 * sent away and who is a pair. Connections are numbers that the owner gives. Pure.
 * @module
 */
import type { Role } from "./constants.ts";
import type { Hello } from "./hello.ts";

/** Why a connection is sent away; also the word in the log. */
export type Away = "alloc_mismatch" | "port_occupied" | "id_mismatch" | "ticket_mismatch";

/** What becomes of a hello. */
export type Meeting =
  | { readonly kind: "away"; readonly why: Away }
  /** It waits for the other end; an older one of the same role, if there was one, has to go. */
  | { readonly kind: "waiting"; readonly replaced: number | undefined }
  | { readonly kind: "pair"; readonly server: number; readonly client: number };

/** What a port is reserved for. */
export interface Reservation {
  readonly sessionId: string;
  /** Who is to come. */
  readonly id: Readonly<Record<Role, string>>;
  readonly ticket: Readonly<Record<Role, string>>;
  /** Whether both ends are there already. */
  readonly occupied: boolean;
}

/** The ends that wait, by port. */
export class Rendezvous {
  readonly #waiting = new Map<number, { sessionId: string; role: Role; connection: number }>();

  /** @param ticketsNeeded Whether a hello without its ticket is sent away. */
  constructor(readonly ticketsNeeded: boolean) {}

  /** Connections that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The session that somebody waits for on a port. */
  sessionAt(port: number): string | undefined {
    return this.#waiting.get(port)?.sessionId;
  }

  /** @param reservation What the port is reserved for; undefined for nothing. */
  hello(
    port: number,
    connection: number,
    hello: Hello,
    reservation: Reservation | undefined,
  ): Meeting {
    if (reservation?.sessionId !== hello.sessionId) return { kind: "away", why: "alloc_mismatch" };
    if (reservation.occupied) return { kind: "away", why: "port_occupied" };
    if (reservation.id[hello.role] !== hello.id) return { kind: "away", why: "id_mismatch" };
    // A ticket that is there has to be right, even where none is needed.
    const wrong = hello.ticket === ""
      ? this.ticketsNeeded
      : !same(hello.ticket, reservation.ticket[hello.role]);
    if (wrong) return { kind: "away", why: "ticket_mismatch" };
    const other = this.#waiting.get(port);
    const { role, sessionId } = hello;
    if (!other || other.sessionId !== sessionId || other.role === role) {
      this.#waiting.set(port, { sessionId, role, connection });
      return { kind: "waiting", replaced: other?.connection };
    }
    this.#waiting.delete(port);
    return role === "client"
      ? { kind: "pair", server: other.connection, client: connection }
      : { kind: "pair", server: connection, client: other.connection };
  }

  /** A connection that waited is gone. */
  gone(port: number, connection: number): void {
    if (this.#waiting.get(port)?.connection === connection) this.#waiting.delete(port);
  }

  /** The reservation of a port was taken back. Returns the connection that has to go. */
  withdrawn(port: number): number | undefined {
    const waiting = this.#waiting.get(port);
    this.#waiting.delete(port);
    return waiting?.connection;
  }
}

/** Compares in a time that does not depend on where two texts differ. */
function same(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let index = 0; index < one.length; index += 1) {
    difference |= one.charCodeAt(index) ^ other.charCodeAt(index % Math.max(1, other.length));
  }
  return difference === 0;
}
