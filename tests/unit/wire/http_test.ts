import fc from "fast-check";
import {
  BODY_MAX,
  encodeAnswer,
  FIELDS_MAX,
  HEAD_MAX,
  HttpReader,
  type HttpRequest,
} from "../../../src/wire/http.ts";
import { assert, assertEquals } from "../../assert.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (octets: Uint8Array) => new TextDecoder().decode(octets);
const GET = "GET /status?id=a HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** Reads all requests of a text; a fault is the last one. */
function readAll(text: string | Uint8Array, step = Infinity): (HttpRequest | number)[] {
  const octets = typeof text === "string" ? encode(text) : text;
  const reader = new HttpReader();
  const found: (HttpRequest | number)[] = [];
  for (let at = 0; at < octets.length; at += step) {
    reader.feed(octets.subarray(at, Math.min(octets.length, at + step)));
    for (let next = reader.next(); next; next = reader.next()) {
      if ("status" in next) return [...found, next.status];
      found.push(next);
    }
  }
  return found;
}

function one(text: string): HttpRequest {
  const [request] = readAll(text);
  assert(typeof request === "object", String(request));
  return request;
}

Deno.test("HttpReader reads a request however it is cut into pieces", () => {
  const text = `POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello${GET}`;
  for (let step = 1; step <= text.length; step += 1) {
    const [first, second] = readAll(text, step) as HttpRequest[];
    assertEquals([first!.head.method, decode(first!.body)], ["POST", "hello"]);
    assertEquals(second!.head.target, "/status?id=a");
  }
});

Deno.test("HttpReader keeps a connection as its version and header say", () => {
  const kept = (text: string) => one(text).head.keepAlive;
  assertEquals(kept(GET), true);
  assertEquals(kept("GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n"), false);
  assertEquals(kept("GET / HTTP/1.0\r\n\r\n"), false);
  assertEquals(kept("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), true);
});

Deno.test("HttpReader joins header fields of one name, and takes their case away", () => {
  const { fields } = one("GET / HTTP/1.1\r\nHOST: x\r\nA: 1 \r\na:\t2\r\n\r\n").head;
  assertEquals([fields.get("host"), fields.get("a")], ["x", "1, 2"]);
});

Deno.test("HttpReader reads chunks, their extensions and what trails them", () => {
  const head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const text = `${head}3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n${GET}`;
  for (const step of [1, 2, 3, 7, 1000]) {
    const found = readAll(text, step) as HttpRequest[];
    assertEquals([decode(found[0]!.body), found.length], ["abc0123456789", 2]);
  }
});

Deno.test("HttpReader says that the sender waits to be told to go on", () => {
  const reader = new HttpReader();
  reader.feed(
    encode("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
  );
  assertEquals(reader.next(), undefined);
  assertEquals(reader.pending?.expectsContinue, true);
  reader.feed(encode("ok"));
  assertEquals(decode((reader.next() as HttpRequest).body), "ok");
});

const HOST = "Host: x\r\n";
const FAULTS: readonly (readonly [string, number])[] = [
  ["GET /\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\n\r\n", 400], // Host is missing.
  [`GET / x HTTP/1.1\r\n${HOST}\r\n`, 400],
  [`G(T / HTTP/1.1\r\n${HOST}\r\n`, 400],
  [`GET /\x01 HTTP/1.1\r\n${HOST}\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST} folded\r\n\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST}A : 1\r\n\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST}A: \x00\r\n\r\n`, 400],
  [`GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`, 400],
  [`GET / HTTP/2.0\r\n${HOST}\r\n`, 505],
  [`POST / HTTP/1.1\r\n${HOST}Content-Length: x\r\n\r\n`, 400],
  [`POST / HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n`, 400],
  [`POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
  [`POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  [`POST / HTTP/1.1\r\n${HOST}Content-Length: ${BODY_MAX + 1}\r\n\r\n`, 413],
  [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip\r\n\r\n`, 501],
  [`POST / HTTP/1.1\r\n${HOST}Expect: wonders\r\n\r\n`, 417],
  [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nx\r\n`, 400],
  [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n`, 400],
  [`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nffffff\r\n`, 413],
  [`GET / HTTP/1.1\r\n${HOST}A: ${"x".repeat(HEAD_MAX)}\r\n\r\n`, 431],
  [`GET / HTTP/1.1\r\n${HOST}${"A: b\r\n".repeat(FIELDS_MAX)}\r\n`, 431],
  [`GET /${"x".repeat(HEAD_MAX)}`, 431],
];

for (const [text, status] of FAULTS) {
  Deno.test(`HttpReader answers ${status} to ${JSON.stringify(text).slice(0, 60)}`, () => {
    for (const step of [1, 17, Infinity]) assertEquals(readAll(text, step).at(-1), status);
  });
}

Deno.test("HttpReader bounds the framing of a chunked body", () => {
  const head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  assertEquals(readAll(head + "1\r\na\r\n".repeat(20_000)).at(-1), 431);
  assertEquals(readAll(`${head}1;${"x".repeat(100_000)}`).at(-1), 431);
});

Deno.test("HttpReader survives whatever comes, and gives requests within its limits", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        GET,
        "\r\n",
        "Host: x\r\n",
        "0\r\n\r\n",
        "POST / HTTP/1.1\r\n",
        "Content-Length: 3\r\n",
      ),
      fc.string({ unit: "binary", maxLength: 40 }),
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 64 }), (texts, step) => {
      for (const found of readAll(texts.join(""), step)) {
        if (typeof found === "number") assert(found >= 400 && found < 600);
        else assert(found.body.length <= BODY_MAX);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("encodeAnswer tells the length in octets; HEAD leaves the body out", () => {
  const fields = { "content-type": "text/plain" };
  const text = decode(encodeAnswer(200, fields, "gültig", false));
  assertEquals(
    text,
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\ngültig",
  );
  const head = decode(encodeAnswer(200, fields, "gültig", true));
  assertEquals(head, text.slice(0, text.indexOf("gültig")));
});
