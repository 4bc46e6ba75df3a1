/** HTTP on the control port: one request after the other, each answered before the next is read. */
import { describe } from "../base/errors.ts";
import { seconds } from "../base/time.ts";
import { pause } from "../platform/clock.ts";
import {
  CONTINUE,
  encodeAnswer,
  type HttpFault,
  HttpReader,
  type HttpRequest,
} from "../wire/http.ts";
import type { ControlContext } from "./control.ts";
import { REQUEST_MAX, type Session } from "./control_session.ts";
import type { ControlReply, ControlRequest, Json } from "./registry.ts";

/** How long a wrong token waits for its answer, so that guessing is slow. */
export const DENIED_WAIT = seconds(1);

/** Serves a connection whose first octets have been read. */
export async function serveHttp(
  session: Session,
  first: Uint8Array,
  context: ControlContext,
): Promise<void> {
  const reader = new HttpReader();
  reader.feed(first);
  session.busy();
  session.within(REQUEST_MAX);
  for (let continued = false;;) {
    const request = reader.next();
    if (request === undefined) {
      if (reader.pending?.expectsContinue && !continued) {
        continued = true;
        await session.write(CONTINUE);
        session.within(REQUEST_MAX);
      }
      const octets = await session.read();
      if (!octets) return;
      // The time of a request counts from its first octet, however slowly the others come.
      if (!reader.begun) {
        session.busy();
        session.within(REQUEST_MAX);
      }
      reader.feed(octets);
      continue;
    }
    continued = false;
    session.busy();
    if ("status" in request) {
      context.counters.malformed += 1;
      await answerFault(session, request, context);
      return;
    }
    const open = await answer(session, request, context);
    if (!open || session.draining) return;
    if (reader.begun) session.within(REQUEST_MAX);
    else session.idle();
  }
}

async function answerFault(
  session: Session,
  { status, message }: HttpFault,
  context: ControlContext,
): Promise<void> {
  await session.write(encode(status, { error: message }, false, true, {}, context));
  // What the peer still sends has to be read, or the answer may be lost on the way. RFC 9112 §9.6
  session.within(seconds(1));
  for (let rest = 64; rest > 0 && await session.read(); rest -= 1);
}

/** Answers one request. Returns whether the connection stays open. */
async function answer(
  session: Session,
  { head, body }: HttpRequest,
  context: ControlContext,
): Promise<boolean> {
  const { counters, access } = context;
  const { method, fields, keepAlive } = head;
  counters.requests += 1;
  const reply = (status: number, json: Json, more: Record<string, string> = {}) =>
    session.write(encode(status, json, method === "HEAD", !keepAlive, more, context));
  const url = parseTarget(head.target);
  if (!url) {
    await reply(400, { error: "Target is no path" });
    return keepAlive;
  }
  const methods = context.registry.findRoute(url.pathname);
  const wanted = method === "HEAD" ? "GET" : method;
  const route = wanted === "GET" || wanted === "POST" ? methods?.get(wanted) : undefined;
  const denial = access.check(route?.access ?? "read", method, fields);
  if (denial) {
    counters.denied += 1;
    if (denial.status === 401 && fields.has("authorization")) {
      await pause(context.clock, DENIED_WAIT, session.closed);
    }
    const ask: Record<string, string> = denial.status === 401
      ? { "www-authenticate": 'Bearer realm="busbar"' }
      : {};
    await reply(denial.status, { error: denial.message }, ask);
  } else if (!methods) {
    await reply(404, { error: `There is no ${url.pathname}`, paths: context.registry.paths() });
  } else if (!route) {
    const allow = [...methods.keys()].flatMap((name) => name === "GET" ? ["GET", "HEAD"] : [name]);
    await reply(405, { error: `${method} is not possible here` }, { allow: allow.join(", ") });
  } else {
    const json = parseBody(body);
    if (json === FAULT) {
      await reply(400, { error: "Body is not JSON" });
    } else {
      const request: ControlRequest = {
        method,
        path: url.pathname,
        query: url.searchParams,
        body: json,
        remote: session.remote,
      };
      const { status, body: answer, contentType } = await call(route.handler, request, context);
      const more: Record<string, string> = contentType === undefined
        ? {}
        : { "content-type": contentType };
      await reply(status, answer, more);
    }
  }
  return keepAlive;
}

async function call(
  handler: (request: ControlRequest) => ControlReply | Promise<ControlReply>,
  request: ControlRequest,
  { log }: ControlContext,
): Promise<ControlReply> {
  try {
    return await handler(request);
  } catch (error) {
    log.error("control.handler", `Handler failed: ${describe(error)}`, {
      path: request.path,
      error,
    });
    return { status: 500, body: { error: "This is a bug of busbar; its log has more" } };
  }
}

const FAULT = Symbol("not JSON");

function parseBody(body: Uint8Array): Json | undefined | typeof FAULT {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as Json;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return FAULT;
    throw error;
  }
}

function parseTarget(target: string): URL | undefined {
  const absolute = /^https?:\/\//i.test(target);
  if (!absolute && !target.startsWith("/")) return undefined;
  try {
    // Two slashes in front would be taken for the name of a host.
    return new URL(absolute ? target : `http://localhost/${target.replace(/^\/+/, "")}`);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function encode(
  status: number,
  body: Json,
  bodyless: boolean,
  close: boolean,
  more: Readonly<Record<string, string>>,
  { clock }: ControlContext,
): Uint8Array {
  const text = typeof body === "string" ? body : `${JSON.stringify(body, null, 2)}\n`;
  const fields = {
    date: new Date(clock.epoch()).toUTCString(),
    "content-type": typeof body === "string" ? "text/plain; charset=utf-8" : "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(close ? { connection: "close" } : {}),
    ...more,
  };
  return encodeAnswer(status, fields, text, bodyless);
}
