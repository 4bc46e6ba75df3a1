/** HTTP/2 with real sockets: full-duplex streams, limits, and peers that are not ours. */
import { LinkDownError } from "../../src/base/errors.ts";
import { SYSTEM_NET } from "../../src/platform/net.ts";
import type { HttpConn, HttpStream, TlsClient, TlsServer } from "../../src/platform/ports.ts";
import { assert, assertEquals } from "../assert.ts";
import { needs } from "../needs.ts";
import { SimNet } from "../sim/net.ts";
import { Authority } from "./certificates.ts";
import {
  between,
  CANCEL,
  count,
  echo,
  errorOf,
  exchange,
  frame,
  HEAD,
  join,
  LOCAL,
  NOTHING,
  octetsOf,
  post,
  PREFACE,
  soon,
  until,
  whole,
} from "./http2_peers.ts";

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-http2-" });
  try {
    for (const name of ["own", "other"] as const) {
      const authority = await Authority.make(folder, name);
      await authority.issue("server", "gateway", "DNS:gateway,IP:127.0.0.1");
      await authority.issue("client", "cloud-1", "DNS:cloud-1");
    }
    await act(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function identity(folder: string, name: string) {
  const read = (path: string) => Deno.readTextFileSync(`${folder}/${path}`);
  return { certificate: read(`${name}.pem`), key: read(`${name}.key`) };
}

function sides(folder: string, refused: (why: string) => void, of = "own") {
  const authority = Deno.readTextFileSync(`${folder}/own.pem`);
  const server: TlsServer = { ...identity(folder, "own-server"), clients: { authority }, refused };
  const least = "1.3" as const;
  const client = { ...identity(folder, `${of}-client`), least, server: { authority } };
  return { server, client };
}

async function echoAll(conn: HttpConn): Promise<void> {
  await Promise.all(Array.from({ length: 200 }, async (_, at) => {
    await using answer = await post(conn, "/echo");
    const text = `${at};`.repeat(5_000);
    const [back] = await Promise.all([
      whole(answer),
      answer.write(octetsOf(text)).then(() => answer.finish()),
    ]);
    assert(back === text, `stream ${at}`);
  }));
}

Deno.test("Two hundred streams of one connection echo at once, without TLS", async () => {
  assertEquals(await between({ "/echo": echo }, echoAll), 0);
});

Deno.test({
  name: "Two hundred streams of one connection echo at once, by TLS with both certificates",
  ...needs("openssl"),
  fn: () =>
    inFolder(async (folder) => {
      const why: string[] = [];
      const both = sides(folder, (text) => why.push(text));
      assertEquals(await between({ "/echo": echo }, echoAll, both), 0);
      assertEquals(why, []);
    }),
});

for (const [place, net] of [["sockets", SYSTEM_NET], ["memory", new SimNet()]] as const) {
  Deno.test(`A small request has its reply, and streams live and die alone, in ${place}`, async () => {
    const held = Promise.withResolvers<void>();
    const hold = async (stream: HttpStream) => {
      stream.respond(200);
      await errorOf(stream.read()).then(() => held.resolve());
      assertEquals(await errorOf(stream.write(Uint8Array.of(1))), "LinkDownError");
      throw new LinkDownError("test.held", "Was cancelled");
    };
    const half = async (stream: HttpStream) => {
      stream.respond(200);
      await stream.write(octetsOf("half"));
    };
    const early = async (stream: HttpStream) => {
      stream.respond(403);
      await stream.finish();
    };
    const never = async (stream: HttpStream) => void await stream.read();
    const handlers = {
      "/echo": echo,
      "/count": count,
      "/hold": hold,
      "/half": half,
      "/early": early,
      "/never": never,
    };
    const lost = await between(handlers, async (conn) => {
      const request = { method: "PUT", path: "/count", body: octetsOf("hello") };
      const answer = await conn.open(request, soon());
      assertEquals([answer.status, answer.headers.get("x-method")], [200, "PUT"]);
      assertEquals(await whole(answer), "nobody sent 5");

      const other = await post(conn, "/echo");
      assertEquals(other.headers.get("x-path"), "/echo");
      await exchange(other, "before");
      const cancelled = await post(conn, "/hold");
      await cancelled[Symbol.asyncDispose]();
      await held.promise;
      assertEquals(await errorOf(cancelled.write(Uint8Array.of(1))), "LinkDownError");
      await exchange(other, "after");

      // What was cut off does not look like the end.
      const cut = await conn.open({ method: "GET", path: "/half", body: NOTHING }, soon());
      assertEquals(await errorOf(whole(cut)), "LinkDownError");
      const refused = await post(conn, "/early");
      assertEquals([refused.status, await whole(refused)], [403, ""]);
      const abort = new AbortController();
      const opened = errorOf(conn.open({ method: "POST", path: "/never" }, abort.signal));
      abort.abort();
      assertEquals(await opened, "LinkDownError");
      await exchange(other, "still");
      await other.finish();
      assertEquals(await other.read(), undefined);
    }, { net });
    assert(lost >= 1);
  });

  Deno.test(`When the listener is disposed all its streams are lost, in ${place}`, async () => {
    await between({ "/echo": echo }, async (conn, listener) => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => post(conn, "/echo")));
      // One has said all it has to say: the missing end of the answer is a loss all the same.
      await exchange(answers[0]!, "whole");
      const reads = answers.map((answer) => errorOf(answer.read()));
      await listener[Symbol.asyncDispose]();
      assertEquals(await Promise.all(reads), Array(5).fill("LinkDownError"));
      assertEquals(await errorOf(answers[1]!.write(Uint8Array.of(1))), "LinkDownError");
      assertEquals(await errorOf(post(conn, "/echo")), "LinkDownError");
    }, { net });
  });

  Deno.test(`Who does not read is waited for, and the others go on, in ${place}`, async () => {
    const most = 1024 * 1024;
    const piece = new Uint8Array(8 * 1024);
    const read = Promise.withResolvers<void>();
    const deaf = async (stream: HttpStream) => {
      stream.respond(200);
      await read.promise;
      await whole(stream);
      await stream.finish();
    };
    await between({ "/echo": echo, "/deaf": deaf }, async (conn) => {
      const echoed = await post(conn, "/echo");
      // Together they are more than the window of the connection.
      const writers = await Promise.all(Array.from({ length: 20 }, async () => {
        const answer = await post(conn, "/deaf");
        const state = { taken: 0, done: Promise.resolve() };
        state.done = (async () => {
          for (; state.taken < most; state.taken += piece.length) await answer.write(piece);
          await answer.finish();
          assertEquals(await whole(answer), "");
        })();
        return state;
      }));
      for (let turn = 0; turn < 200; turn += 1) await exchange(echoed, `turn ${turn}`);
      for (const { taken } of writers) assert(taken <= 128 * 1024, `${taken} octets`);
      read.resolve();
      await Promise.all(writers.map(({ done }) => done));
      await echoed[Symbol.asyncDispose]();
    }, { net });
  });
}

Deno.test("What is not HTTP/2, or too much of it, is a closed connection; others do not notice", async () => {
  const literal = (name: string, value: string) =>
    join(
      Uint8Array.of(0, name.length),
      octetsOf(name),
      Uint8Array.of(value.length),
      octetsOf(value),
    );
  const flood = Array.from(
    { length: 200 },
    (_, at) =>
      join(...Array.from({ length: 20 }, (_, turn) => {
        const id = (at * 20 + turn) * 2 + 1;
        return join(frame(1, 4, id, HEAD), frame(3, 0, id, CANCEL));
      })),
  );
  const pings = join(...Array.from({ length: 5_000 }, () => frame(6, 0, 0, new Uint8Array(8))));
  const field = literal("x-field", "v".repeat(120));
  const endless = Array.from(
    { length: 500 },
    () => frame(9, 0, 1, join(...Array.from({ length: 100 }, () => field))),
  );
  const attacks: Readonly<Record<string, readonly Uint8Array[]>> = {
    "HTTP/1.1": [octetsOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n")],
    garbage: [Uint8Array.from({ length: 4_000 }, (_, at) => at * 7)],
    "garbage after the preface": [PREFACE, new Uint8Array(4_000).fill(0x55)],
    "a field in upper case": [join(PREFACE, frame(1, 4, 1, join(HEAD, literal("Upper", "v"))))],
    "endless fields": [PREFACE, frame(1, 0, 1, HEAD), ...endless],
    "pings that nobody waits for": [PREFACE, pings, pings],
    "rapid resets": [PREFACE, ...flood],
  };
  await between({ "/echo": echo, "/": echo }, async (conn, listener) => {
    const echoed = await post(conn, "/echo");
    for (const [name, octets] of Object.entries(attacks)) {
      await until(listener, octets);
      await exchange(echoed, name);
    }
    await echoed.finish();
    assertEquals(await echoed.read(), undefined);
  });
});

Deno.test("Too many fields are refused as a stream, not as a connection", async () => {
  await between({ "/echo": echo, "/count": count }, async (conn) => {
    const echoed = await post(conn, "/echo");
    const headers = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`x-${at}`, "v"]));
    const request = { method: "GET", path: "/count", headers, body: NOTHING };
    assertEquals(await errorOf(conn.open(request, soon())), "LinkDownError");
    await exchange(echoed, "still");
    await echoed[Symbol.asyncDispose]();
  });
});

Deno.test("A peer whose windows are wide but that does not read its socket is waited for", async () => {
  const most = 256 * 1024 * 1024;
  let taken = 0;
  const pour = async (stream: HttpStream) => {
    stream.respond(200);
    const piece = new Uint8Array(256 * 1024);
    for (; taken < most; taken += piece.length) await stream.write(piece);
  };
  const lost = await between({ "/echo": echo, "/": pour }, async (conn, listener) => {
    await using raw = await SYSTEM_NET.dial(listener.local, soon());
    const wide = frame(4, 0, 0, Uint8Array.of(0, 4, 0x7f, 0xff, 0xff, 0xff));
    const update = frame(8, 0, 0, Uint8Array.of(0x7f, 0xff, 0, 0));
    await raw.write(join(PREFACE, wide, update, frame(1, 5, 1, HEAD)));
    const echoed = await post(conn, "/echo");
    for (let turn = 0; turn < 500 || taken === 0; turn += 1) await exchange(echoed, `turn ${turn}`);
    // What the system itself keeps for a connection is some megabytes.
    assert(taken < 32 * 1024 * 1024, `${taken} octets`);
    await echoed[Symbol.asyncDispose]();
  });
  assertEquals(lost >= 1, true);
});

Deno.test("A client of what is not HTTP/2 is told so, and one that is aborted stops", async () => {
  await using plain = await SYSTEM_NET.listen(LOCAL);
  const answered = (async () => {
    for await (const { conn } of plain) {
      await conn.read();
      await conn.write(octetsOf("HTTP/1.1 400 Bad Request\r\n\r\n"));
      await conn[Symbol.asyncDispose]();
      return;
    }
  })();
  assertEquals(await errorOf(SYSTEM_NET.dialHttp2(plain.local, soon())), "LinkDownError");
  await answered;
  const abort = new AbortController();
  const dialled = errorOf(SYSTEM_NET.dialHttp2(plain.local, abort.signal));
  abort.abort();
  assertEquals(await dialled, "LinkDownError");
});

Deno.test({
  name: "Only a client with a certificate that asks for h2 is taken",
  ...needs("openssl"),
  fn: () =>
    inFolder(async (folder) => {
      const why: string[] = [];
      const refused = (text: string) => why.push(text);
      const { server, client } = sides(folder, refused);
      const named = await between({ "/count": count }, async (conn) => {
        const request = { method: "GET", path: "/count", body: NOTHING };
        const answer = await conn.open(request, soon());
        assertEquals(await whole(answer), "cloud-1 sent 0");
      }, { server, client });
      assertEquals([named, why], [0, []]);

      const stranger = sides(folder, refused, "other");
      await using listener = await SYSTEM_NET.listenHttp2(LOCAL, server);
      const dial = (tls?: TlsClient) => errorOf(SYSTEM_NET.dialHttp2(listener.local, soon(), tls));
      assertEquals(await dial(stranger.client), "LinkDownError");
      assertEquals(await dial(), "LinkDownError");
      assertEquals(why.length, 2);
      // By TLS, with the right certificate, but without ALPN.
      await using bare = await SYSTEM_NET.dial(listener.local, soon(), client);
      await errorOf(bare.read());
      assertEquals(why[2], "does not ask for HTTP/2");

      const clients = { ...server.clients!, peers: ["cloud-2"] };
      await using picky = await SYSTEM_NET.listenHttp2(LOCAL, { ...server, clients });
      const unwanted = errorOf(SYSTEM_NET.dialHttp2(picky.local, soon(), client));
      assertEquals(await unwanted, "LinkDownError");
      assertEquals(why[3], "certificate of cloud-1 is none of the peers");
      // One that has not even begun its handshake does not hold up the end.
      await using silent = await SYSTEM_NET.dial(picky.local, soon());
      await picky[Symbol.asyncDispose]();
      await errorOf(silent.read());
      // The other side of it: a server of TLS that knows nothing of HTTP/2.
      await using old = await SYSTEM_NET.listen(LOCAL, server);
      assertEquals(await errorOf(SYSTEM_NET.dialHttp2(old.local, soon(), client)), "LinkDownError");
    }),
});

async function run(program: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command(program, { args, stdin: "null" });
  const { stdout, stderr } = await command.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test({
  name: "curl is answered with and without TLS, and openssl sees TLS 1.3 and h2",
  ...needs("curl", "openssl"),
  fn: () =>
    inFolder(async (folder) => {
      const curl = ["--silent", "--show-error", "--max-time", "20", "--data", "hello"];
      const show = ["--write-out", " by %{http_version}"];
      await between({ "/count": count }, async (_, listener) => {
        const address = `http://127.0.0.1:${listener.local.port}/count`;
        const text = await run("curl", ...curl, ...show, "--http2-prior-knowledge", address);
        assertEquals(text, "nobody sent 5 by 2");
        const old = await run("curl", ...curl, ...show, "--http1.1", address);
        assert(!old.includes("sent 5"), old);
      });

      const both = sides(folder, () => {});
      await between({ "/count": count }, async (_, listener) => {
        const address = `https://127.0.0.1:${listener.local.port}/count`;
        const trust = ["--cacert", `${folder}/own.pem`];
        const shown = ["--cert", `${folder}/own-client.pem`, "--key", `${folder}/own-client.key`];
        const text = await run("curl", ...curl, ...show, "--http2", ...trust, ...shown, address);
        assertEquals(text, "cloud-1 sent 5 by 2");
        const unknown = await run("curl", ...curl, ...show, "--http2", ...trust, address);
        assert(!unknown.includes("sent 5"), unknown);
        const seen = await run(
          ...["openssl", "s_client", "-alpn", "h2", "-CAfile", `${folder}/own.pem`] as const,
          ...["-connect", `127.0.0.1:${listener.local.port}`],
          ...["-cert", `${folder}/own-client.pem`, "-key", `${folder}/own-client.key`],
        );
        assert(seen.includes("ALPN protocol: h2"), seen);
        assert(/TLSv1\.3/.test(seen), seen);
        assert(seen.includes("Verify return code: 0 (ok)"), seen);
      }, both);
    }),
});
