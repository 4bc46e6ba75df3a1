/**
 * Piles by HTTP/2: `/auth/challenge` gives a challenge, `/session` is a stream of frames in both
 * directions. RFC 9113
 * @module
 */
import { AppError, describe } from "../../base/errors.ts";
import { concat } from "../../base/octets.ts";
import type { HttpListener, HttpStream } from "../../platform/ports.ts";
import { challengeJson, VERSION_HEADER } from "../../protocol/cip22/mod.ts";
import type { Gateway } from "./service.ts";
import { CIPHER_DEFAULT, cipherNamed } from "./session.ts";

/** Octets of a request for a challenge. */
const BODY_MAX = 4096;
/** Header of a stream that tells which challenge it answers. */
const SESSION_HEADER = "cip-22-session";
const VERSION = VERSION_HEADER.toLowerCase();

/** Serves streams until the listener is closed. Each by itself: none waits for another. */
export async function serveHttp(gateway: Gateway, listener: HttpListener): Promise<void> {
  const running = new Set<Promise<void>>();
  for await (const stream of listener) {
    const one = serve(gateway, stream);
    running.add(one);
    void one.finally(() => running.delete(one));
  }
  await Promise.all(running);
}

async function serve(gateway: Gateway, stream: HttpStream): Promise<void> {
  const { ctx } = gateway;
  try {
    const path = stream.path.replace(/\?.*$/, "");
    if (path === "/auth/challenge") await challenge(gateway, stream);
    else if (path === "/session") await session(gateway, stream);
    else await reply(stream, 404, "There are /auth/challenge and /session");
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    ctx.log.info("pile.http", "Stream has ended early", { why: describe(error) });
    await stream[Symbol.asyncDispose]();
  }
}

async function challenge({ ctx, authenticator, config }: Gateway, stream: HttpStream) {
  if (stream.method !== "POST" && stream.method !== "GET") return await reply(stream, 405, "POST");
  const body = await bodyOf(stream);
  if (body === undefined) return await reply(stream, 413, `At most ${BODY_MAX} octets`);
  const fields = parse(body);
  if (typeof fields === "string") return await reply(stream, 400, fields);
  const asked = authenticator.ask(cipherNamed(fields.cipher) ?? CIPHER_DEFAULT);
  if (!authenticator.keep(asked)) {
    ctx.counters.add("refused_connections");
    return await reply(stream, 503, "Too many challenges wait for their sessions");
  }
  const json = challengeJson({
    challenge: asked.challenge.octets,
    policyHash: asked.challenge.policyHash,
    expiresMs: config.challengeWithin,
    sessionId: asked.sessionId,
    publicKey: asked.own.point,
  });
  await reply(stream, 200, json, "application/json");
}

async function session(gateway: Gateway, stream: HttpStream): Promise<void> {
  if (stream.method !== "POST") return await reply(stream, 405, "POST");
  const id = stream.headers.get(SESSION_HEADER);
  const asked = id === undefined ? undefined : gateway.authenticator.take(id.toLowerCase());
  if (id !== undefined && !asked) {
    return await reply(stream, 409, "There is no such challenge, or it was used: ask for another");
  }
  stream.respond(200, { "content-type": "application/octet-stream" });
  const { host, port } = stream.remote;
  const origin = { remote: `${host}:${port}`, ...stream.names && { names: stream.names } };
  await gateway.accept(stream, origin, { version: stream.headers.get(VERSION), asked });
}

async function reply(
  stream: HttpStream,
  status: number,
  text: string,
  type = "text/plain; charset=utf-8",
): Promise<void> {
  stream.respond(status, { "content-type": type });
  await stream.write(new TextEncoder().encode(`${text}\n`));
  await stream.finish();
}

async function bodyOf(stream: HttpStream): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await stream.read(); part; part = await stream.read()) {
    size += part.length;
    if (size > BODY_MAX) return undefined;
    parts.push(part);
  }
  return new TextDecoder().decode(concat(parts));
}

function parse(body: string): Readonly<Record<string, unknown>> | string {
  if (body.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return 'The body has to be a JSON object, such as {"device_id": "pile-0001"}';
}
