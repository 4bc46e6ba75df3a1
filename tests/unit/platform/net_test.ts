import { assert, assertEquals } from "../../assert.ts";
import { LinkDownError, OsError } from "../../../src/base/errors.ts";
import { SYSTEM_NET } from "../../../src/platform/net.ts";

const NEVER = new AbortController().signal;
const LOOPBACK = { host: "127.0.0.1", port: 0 };

Deno.test("SYSTEM_NET carries octets both ways and tells the end", async () => {
  await using listener = await SYSTEM_NET.listen(LOOPBACK);
  const accepted = listener[Symbol.asyncIterator]().next();
  await using near = await SYSTEM_NET.dial(listener.local, NEVER);
  const { conn: far, remote } = (await accepted).value!;
  assertEquals(remote.host, "127.0.0.1");
  await near.write(new Uint8Array(300_000).fill(7));
  let got = 0;
  while (got < 300_000) got += (await far.read())!.length;
  assertEquals(got, 300_000);
  await far.write(Uint8Array.of(1, 2, 3));
  assertEquals([...(await near.read())!], [1, 2, 3]);
  await far[Symbol.asyncDispose]();
  assertEquals(await near.read(), undefined);
});

Deno.test("SYSTEM_NET says that a peer is away", async () => {
  const listener = await SYSTEM_NET.listen(LOOPBACK);
  const { local } = listener;
  await listener[Symbol.asyncDispose]();
  const error = await SYSTEM_NET.dial(local, NEVER).catch((error) => error);
  assert(error instanceof LinkDownError);
  assertEquals(error.code, "tcp.dial");
});

Deno.test("SYSTEM_NET gives up dialing when it is told to", async () => {
  const stop = new AbortController();
  stop.abort();
  const error = await SYSTEM_NET.dial({ host: "127.0.0.1", port: 9 }, stop.signal).catch((e) => e);
  assert(error instanceof LinkDownError);
});

Deno.test("SYSTEM_NET names the error when the address is taken", async () => {
  await using listener = await SYSTEM_NET.listen(LOOPBACK);
  const error = await SYSTEM_NET.listen(listener.local).catch((error) => error);
  assert(error instanceof OsError);
  assertEquals(error.detail.errno, "EADDRINUSE");
});

Deno.test("SYSTEM_NET ends a listener's iteration when it is disposed", async () => {
  const listener = await SYSTEM_NET.listen(LOOPBACK);
  const next = listener[Symbol.asyncIterator]().next();
  await listener[Symbol.asyncDispose]();
  assertEquals((await next).done, true);
});
