/** Both ends of HTTP/2 for tests, and a peer that sends what it likes. */
import { LinkDownError } from "../../src/base/errors.ts";
import { seconds } from "../../src/base/time.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import type {
  ByteConn,
  Endpoint,
  HttpAnswer,
  HttpConn,
  HttpListener,
  HttpStream,
  Net,
  TlsClient,
  TlsServer,
} from "../../src/platform/ports.ts";
import { assert, assertEquals } from "../assert.ts";

export const LOCAL: Endpoint = { host: "127.0.0.1", port: 0 };
export const NOTHING = new Uint8Array();
export const soon = () => AbortSignal.timeout(seconds(30));
export const octetsOf = (text: string) => new TextEncoder().encode(text);

/** What a body has to the end. */
export async function whole(conn: ByteConn): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (let octets = await conn.read(); octets; octets = await conn.read()) {
    text += decoder.decode(octets, { stream: true });
  }
  return text;
}

/** The family of the error that a promise ends with. */
export async function errorOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    if (!(error instanceof LinkDownError)) throw error;
    return error.name;
  }
}

/** Gives back what it gets until the peer ends. */
export async function echo(stream: HttpStream): Promise<void> {
  stream.respond(200, { "x-path": stream.path });
  for (let octets = await stream.read(); octets; octets = await stream.read()) {
    await stream.write(octets);
  }
  await stream.finish();
}

/** Answers what has come as a whole. */
export async function count(stream: HttpStream): Promise<void> {
  const text = await whole(stream);
  stream.respond(200, { "x-method": stream.method });
  await stream.write(octetsOf(`${stream.names?.[0] ?? "nobody"} sent ${text.length}`));
  await stream.finish();
}

type Handlers = Readonly<Record<string, (stream: HttpStream) => Promise<void>>>;

/** Serves by path until the listener is disposed. @returns How often a stream was lost. */
async function serve(listener: HttpListener, handlers: Handlers): Promise<number> {
  let lost = 0;
  const running: Promise<void>[] = [];
  for await (const stream of listener) {
    running.push((async () => {
      try {
        await handlers[stream.path]!(stream);
        await stream[Symbol.asyncDispose]();
      } catch (error) {
        if (!(error instanceof LinkDownError)) throw error;
        lost += 1;
      }
    })());
  }
  await Promise.all(running);
  return lost;
}

/** A server and a client of it. */
export async function between(
  handlers: Handlers,
  act: (conn: HttpConn, listener: HttpListener) => Promise<void>,
  { net = SYSTEM_NET, server, client }: {
    readonly net?: Net;
    readonly server?: TlsServer;
    readonly client?: TlsClient;
  } = {},
): Promise<number> {
  const listener = await net.listenHttp2(LOCAL, server);
  const served = serve(listener, handlers);
  try {
    await using conn = await net.dialHttp2(listener.local, soon(), client);
    await act(conn, listener);
  } finally {
    await listener[Symbol.asyncDispose]();
  }
  return await served;
}

export const post = (conn: HttpConn, path: string) => conn.open({ method: "POST", path }, soon());

/** Octets there and back. */
export async function exchange(answer: HttpAnswer, text: string): Promise<void> {
  await answer.write(octetsOf(text));
  let back = "";
  while (back.length < text.length) back += new TextDecoder().decode(await answer.read());
  assertEquals(back, text);
}

/** A frame. RFC 9113, 4.1 */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
): Uint8Array {
  const octets = new Uint8Array(9 + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint32(0, payload.length << 8 | type);
  view.setUint8(4, flags);
  view.setUint32(5, stream);
  octets.set(payload, 9);
  return octets;
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

export const PREFACE = join(octetsOf("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, NOTHING));
// POST, http, / and the authority "a": RFC 7541, A
export const HEAD = Uint8Array.of(0x83, 0x86, 0x84, 0x01, 0x01, 0x61);
export const CANCEL = Uint8Array.of(0, 0, 0, 8);

/** Writes without caring whether it is taken, and reads to the end. */
export async function until(listener: HttpListener, octets: readonly Uint8Array[]): Promise<void> {
  const signal = soon();
  await using conn = await SYSTEM_NET.dial(listener.local, signal);
  const sent = (async () => {
    for (const part of octets) await conn.write(part);
  })().catch((error) => assert(error instanceof LinkDownError));
  // The connection may be reset where it was in the middle of what was sent.
  await errorOf((async () => {
    while (await conn.read());
  })());
  await sent;
  signal.throwIfAborted();
}
