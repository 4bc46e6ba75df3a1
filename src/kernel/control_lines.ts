/**
 * JSON lines on the control port: one object a line, answered in order; a handler may keep the peer
 * and send to it later.
 * @module
 */
import { describe } from "../base/errors.ts";
import { pause } from "../platform/clock.ts";
import { JsonLineReader } from "../wire/json_lines.ts";
import type { ControlContext } from "./control.ts";
import { DENIED_WAIT } from "./control_http.ts";
import type { Session } from "./control_session.ts";
import type { ControlPeer, JsonObject } from "./registry.ts";

/** Lines that may be wrong before the connection is closed. */
export const WRONG_MAX = 10;
/** Most octets that wait for a peer that does not read. */
export const SEND_OCTETS_MAX = 1024 * 1024;

let lastId = 0;

class Peer implements ControlPeer {
  readonly id = lastId += 1;
  readonly remote: string;
  readonly #session: Session;
  /** Whoever has adopted it. */
  handler: ((message: JsonObject) => void) | undefined;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing: Promise<void> | undefined;
  #ending = false;

  constructor(session: Session) {
    this.#session = session;
    this.remote = session.remote;
  }

  get closed(): AbortSignal {
    return this.#session.closed;
  }

  get queued(): number {
    return this.#queued;
  }

  adopt(handler: (message: JsonObject) => void): void {
    this.handler = handler;
    this.#session.kept = true;
    this.#session.unlimited();
  }

  send(message: JsonObject | string): void {
    if (this.closed.aborted || this.#ending) return;
    const text = typeof message === "string" ? message : JSON.stringify(message);
    const octets = new TextEncoder().encode(`${text}\n`);
    this.#queued += octets.length;
    if (this.#queued > SEND_OCTETS_MAX) return this.#session.close();
    this.#queue.push(octets);
    this.#writing ??= this.#drain().finally(() => this.#writing = undefined);
  }

  close(_why: string): void {
    this.#ending = true;
    void this.flushed().then(() => this.#session.close());
  }

  async flushed(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  async #drain(): Promise<void> {
    try {
      for (let octets = this.#queue.shift(); octets; octets = this.#queue.shift()) {
        await this.#session.write(octets);
        this.#queued -= octets.length;
      }
    } catch {
      // The connection is gone; whoever reads from it learns that.
      this.#session.close();
    }
  }
}

/** Serves a connection whose first octets have been read. */
export async function serveLines(
  session: Session,
  first: Uint8Array,
  context: ControlContext,
): Promise<void> {
  const { counters } = context;
  const peer = new Peer(session);
  const reader = new JsonLineReader();
  const state = { trusted: !context.access.needsToken("change"), wrong: 0 };
  reader.feed(first);
  // Whoever has to show a token is given the idle time-out for it, and then as long as it likes.
  // The same goes for a first message.
  session.busy();
  session.limited(context.registry.shortest(session.idleTimeout));
  while (!session.closed.aborted) {
    const line = reader.next();
    if (line === undefined) {
      const octets = await session.read();
      if (!octets) break;
      reader.feed(octets);
      continue;
    }
    if (line.kind === "object") {
      counters.lines += 1;
      if (peer.handler) {
        peer.handler(line.value as JsonObject);
        if (session.draining) break;
        continue;
      }
      const answer = await handle(line.value as JsonObject, peer, state, context);
      if (answer) peer.send(answer);
    } else {
      counters.malformed += 1;
      state.wrong += 1;
      if (peer.handler) break;
      if (line.kind === "too_long") {
        peer.send(fault(413, "Line is too long"));
        break;
      }
      peer.send(fault(400, line.message));
    }
    if (state.wrong >= WRONG_MAX) break;
    if (state.trusted) session.unlimited();
    if (session.draining) break;
  }
  await peer.flushed();
}

interface State {
  /** Whether it has shown the token, or need not. */
  trusted: boolean;
  wrong: number;
}

async function handle(
  message: JsonObject,
  peer: Peer,
  state: State,
  context: ControlContext,
): Promise<JsonObject | undefined> {
  const { type } = message;
  const { access, registry, counters, log } = context;
  if (type === "auth") {
    if (typeof message.token === "string" && access.accepts(message.token)) {
      state.trusted = true;
      return { type: "auth_ok" };
    }
    counters.denied += 1;
    state.wrong += 1;
    await pause(context.clock, DENIED_WAIT, peer.closed);
    return fault(401, "The token is not the one of control.token");
  }
  const known = registry.findMessage(typeof type === "string" ? type : undefined);
  if (!known) {
    state.wrong += 1;
    return fault(404, "There is no message of this type");
  }
  if (!state.trusted && access.needsToken(known.access)) {
    counters.denied += 1;
    state.wrong += 1;
    return fault(401, 'A token is needed: {"type":"auth","token":"…"}');
  }
  try {
    return await known.handler(message, peer);
  } catch (error) {
    log.error("control.handler", `Handler failed: ${describe(error)}`, { type, error });
    return fault(500, "This is a bug of busbar; its log has more");
  }
}

function fault(code: number, message: string): JsonObject {
  return { type: "error", code, message };
}
