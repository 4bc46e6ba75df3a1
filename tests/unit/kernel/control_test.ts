import { millis, seconds } from "../../../src/base/time.ts";
import { ControlPort, type ControlPortOptions } from "../../../src/kernel/control.ts";
import { Registry } from "../../../src/kernel/control_registry.ts";
import type { ControlPeer } from "../../../src/kernel/registry.ts";
import { assert, assertEquals } from "../../assert.ts";
import { SimClock } from "../../sim/clock.ts";
import { type SimConn, SimNet } from "../../sim/net.ts";

const TOKEN = "0123456789abcdef";
const ON = { host: "127.0.0.1", port: 5555 };
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const GET = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

/** A control port under a clock that the test turns, and what its clients see. */
async function open(more: Partial<ControlPortOptions> = {}) {
  const clock = new SimClock();
  const net = new SimNet();
  const registry = new Registry();
  const peers: ControlPeer[] = [];
  let changes = 0;
  registry.route("GET", "/open", "open", () => ({ status: 200, body: "open" }));
  registry.route("GET", "/read", "read", () => ({ status: 200, body: { read: true } }));
  registry.route("POST", "/change", "change", ({ body }) => {
    changes += 1;
    return { status: 200, body: { got: body ?? null } };
  });
  registry.route("GET", "/bug", "open", () => {
    throw new Error("inner words");
  });
  registry.message("echo", "read", (message) => ({ type: "echo", ...message }));
  registry.message("change", "change", () => {
    changes += 1;
    return { type: "done" };
  });
  registry.message("keep", "open", (_, peer) => {
    peers.push(peer);
    return undefined;
  });
  const port = await ControlPort.open({
    listen: ON,
    token: undefined,
    publicRead: false,
    maxConnections: 4,
    idleTimeout: seconds(60),
    registry,
    net,
    log: SILENT,
    clock,
    random: () => 0.5,
    ...more,
  });
  const dial = async (text = ""): Promise<Client> => {
    const client = new Client(await net.dial(ON), clock);
    await client.send(text);
    return client;
  };
  const end: AsyncDisposable = {
    async [Symbol.asyncDispose]() {
      const closing = port[Symbol.asyncDispose]();
      await clock.advance(seconds(1)); // Connections that are in use are given that.
      await closing;
    },
  };
  return { clock, net, port, end, peers, dial, changes: () => changes };
}

class Client {
  #text = "";
  #ended = false;

  constructor(readonly conn: SimConn, readonly clock: SimClock) {
    void this.#read();
  }

  async send(text: string): Promise<void> {
    if (text !== "") await this.conn.write(new TextEncoder().encode(text));
    await this.clock.advance(millis(0));
  }

  /** What was heard since the last call. */
  async heard(): Promise<string> {
    await this.clock.advance(millis(0));
    const text = this.#text;
    this.#text = "";
    return text;
  }

  async status(): Promise<string> {
    return (await this.heard()).slice(9, 12);
  }

  async closed(): Promise<boolean> {
    await this.clock.advance(millis(0));
    return this.#ended;
  }

  async #read(): Promise<void> {
    for (let octets = await this.conn.read(); octets; octets = await this.conn.read()) {
      this.#text += new TextDecoder().decode(octets);
    }
    this.#ended = true;
  }
}

Deno.test("ControlPort answers HTTP and JSON lines on one port, by the first octet", async () => {
  const { end, dial } = await open();
  await using _ = end;
  assertEquals(await (await dial(GET("/read"))).status(), "200");
  const lines = await dial('  \r\n{"type":"echo","x":1}\n');
  assertEquals(await lines.heard(), '{"type":"echo","x":1}\n');
  const tls = await dial("\x16\x03\x01\x02\x00");
  assertEquals([await tls.closed(), await tls.heard()], [true, ""]);
});

Deno.test("ControlPort knows HEAD, 404, 405 with Allow, 400 and 500 without inner words", async () => {
  const { end, dial } = await open();
  await using _ = end;
  const client = await dial();
  const ask = async (text: string) => {
    await client.send(text);
    return await client.heard();
  };
  const get = await ask(GET("/read"));
  const head = await ask("HEAD /read HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assertEquals(head, get.slice(0, get.indexOf("\r\n\r\n") + 4));
  assert((await ask(GET("/nothing"))).startsWith("HTTP/1.1 404"));
  const wrong = await ask("DELETE /change HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert(wrong.startsWith("HTTP/1.1 405") && /\r\nallow: POST\r\n/.test(wrong), wrong);
  const both = await ask("BREW /read HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert(/\r\nallow: GET, HEAD\r\n/.test(both), both);
  const bug = await ask(GET("/bug"));
  assert(bug.startsWith("HTTP/1.1 500") && !bug.includes("inner"), bug);
  const body = "POST /change HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n{";
  assert((await ask(body)).startsWith("HTTP/1.1 400"));
  assert((await ask(GET("//read"))).startsWith("HTTP/1.1 200"));
});

Deno.test("ControlPort answers requests that come at once in their order, and tells to go on", async () => {
  const { end, dial } = await open();
  await using _ = end;
  const client = await dial(GET("/open") + GET("/nothing") + GET("/read"));
  const heard = await client.heard();
  assertEquals([...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code), [
    "200",
    "404",
    "200",
  ]);
  await client.send(
    "POST /change HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
  );
  assertEquals(await client.heard(), "HTTP/1.1 100 Continue\r\n\r\n");
  await client.send("42");
  assert((await client.heard()).includes('"got": 42'));
});

Deno.test("ControlPort closes whoever sends a head octet by octet, after 10 s", async () => {
  const { clock, port, end, dial } = await open();
  await using _ = end;
  const slow = await dial("G");
  for (let second = 0; second < 9; second += 1) {
    await clock.advance(seconds(1));
    await slow.send("E");
  }
  assert(!await slow.closed());
  await clock.advance(seconds(1));
  assert(await slow.closed());
  assertEquals(port.counters.timeouts, 1);
});

Deno.test("ControlPort closes whoever is idle: before the first octet, and between requests", async () => {
  const { clock, end, dial } = await open();
  await using _ = end;
  const silent = await dial();
  const idle = await dial(GET("/open"));
  await clock.advance(seconds(59));
  assert(!await silent.closed() && !await idle.closed());
  await clock.advance(seconds(1));
  assert(await silent.closed() && await idle.closed());
});

Deno.test("ControlPort closes whoever does not take the answer within 10 s", async () => {
  const { clock, end, dial } = await open();
  await using _ = end;
  const client = await dial();
  client.conn.stopReading();
  await client.send(GET("/open"));
  await clock.advance(seconds(9));
  assert(!await client.closed());
  await clock.advance(seconds(1));
  assert(await client.closed());
});

Deno.test("ControlPort closes a peer of JSON lines that does not read what it is sent", async () => {
  const { clock, end, peers, dial } = await open();
  await using _ = end;
  const client = await dial('{"type":"keep"}\n');
  await clock.advance(seconds(3600));
  assert(!await client.closed(), "JSON lines may be idle for long");
  client.conn.stopReading();
  for (let index = 0; index < 20; index += 1) peers[0]!.send({ text: "x".repeat(100_000) });
  assert(peers[0]!.closed.aborted && await client.closed());
});

Deno.test("ControlPort makes room by closing what has been idle for longest", async () => {
  const { clock, port, end, dial } = await open();
  await using _ = end;
  const busy = await dial('{"type":"keep"}\n');
  const old = await dial();
  await clock.advance(seconds(1));
  const young = [await dial(), await dial()];
  const last = await dial(GET("/open"));
  assertEquals(await last.status(), "200");
  assertEquals([await old.closed(), await busy.closed()], [true, false]);
  assertEquals([await young[0]!.closed(), port.counters.evicted], [false, 1]);
});

Deno.test("ControlPort turns an oversized head and body away, and closes", async () => {
  const { port, end, dial } = await open();
  await using _ = end;
  const head = await dial(GET("/open", `A: ${"x".repeat(20_000)}\r\n`));
  const body = await dial(
    "POST /change HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\n",
  );
  assertEquals([await head.status(), await body.status()], ["431", "413"]);
  assertEquals(port.counters.malformed, 2);
});

Deno.test("With a token: reading and changing need it, and what is open does not", async () => {
  const { clock, port, end, dial, changes } = await open({ token: TOKEN });
  await using _ = end;
  assertEquals(await (await dial(GET("/open"))).status(), "200");
  const denied = await (await dial(GET("/read"))).heard();
  assert(denied.startsWith("HTTP/1.1 401") && /www-authenticate: Bearer/.test(denied), denied);
  const right = await dial(GET("/read", `Authorization: Bearer ${TOKEN}\r\n`));
  assertEquals(await right.status(), "200");
  const wrong = await dial(GET("/read", "Authorization: Bearer wrong\r\n"));
  assertEquals(await wrong.heard(), "", "a wrong token waits for its answer");
  await clock.advance(seconds(1));
  assertEquals(await wrong.status(), "401");
  assertEquals([port.counters.denied, changes()], [2, 0]);
});

Deno.test("With public_read only what changes needs the token", async () => {
  const { end, dial } = await open({ token: TOKEN, publicRead: true });
  await using _ = end;
  assertEquals(await (await dial(GET("/read"))).status(), "200");
  const post = await dial("POST /change HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assertEquals(await post.status(), "401");
});

Deno.test("Without a token neither foreign names nor pages of a browser are served", async () => {
  const { end, dial, changes } = await open();
  await using _ = end;
  for (const host of ["evil.example", "10.0.0.1:5555", "localhost.evil.example"]) {
    const client = await dial(`GET /read HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assertEquals(await client.status(), "403", host);
  }
  for (const host of ["localhost", "LOCALHOST:5555", "127.0.0.1:5555", "[::1]:5555"]) {
    const client = await dial(`GET /read HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assertEquals(await client.status(), "200", host);
  }
  const page = await dial(
    "POST /change HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n",
  );
  assertEquals([await page.status(), changes()], ["403", 0]);
});

Deno.test("JSON lines: a token is shown once; who has none is closed after the idle time-out", async () => {
  const { clock, end, dial, changes } = await open({ token: TOKEN });
  await using _ = end;
  const client = await dial('{"type":"change"}\n');
  assert((await client.heard()).includes('"code":401'));
  await client.send(`{"type":"auth","token":"${TOKEN}"}\n`);
  assertEquals(await client.heard(), '{"type":"auth_ok"}\n');
  await client.send('{"type":"change"}\n');
  assertEquals(await client.heard(), '{"type":"done"}\n');
  const other = await dial('{"type":"auth","token":"wrong"}\n');
  await clock.advance(seconds(1));
  assert((await other.heard()).includes('"code":401'));
  await clock.advance(seconds(60));
  assertEquals([await client.closed(), await other.closed(), changes()], [false, true, 1]);
});

Deno.test("JSON lines: what is unknown or malformed is told; the tenth time the connection ends", async () => {
  const { end, dial } = await open();
  await using _ = end;
  const client = await dial('{"type":"nothing"}\n[]\nnot json\n{}\n');
  const codes = (await client.heard()).trim().split("\n").map((line) => JSON.parse(line).code);
  assertEquals(codes, [404, 400, 400, 404]);
  await client.send("x\n".repeat(5));
  assert(!await client.closed());
  await client.send("x\n");
  assert(await client.closed());
  const long = await dial(`{"x":"${"y".repeat(70_000)}"}\n`);
  assert((await long.heard()).includes('"code":413') && await long.closed());
});

Deno.test("ControlPort ends idle connections at once when it closes, and frees its address", async () => {
  const { clock, net, port, dial } = await open();
  const idle = await dial(GET("/open"));
  const lines = await dial('{"type":"keep"}\n');
  const closing = port[Symbol.asyncDispose]();
  await clock.advance(millis(0));
  assert(await idle.closed());
  await clock.advance(seconds(1));
  await closing;
  assert(await lines.closed());
  await (await net.listen(ON))[Symbol.asyncDispose]();
});
