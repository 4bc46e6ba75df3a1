/**
 * HTTP/1.1 requests out of octets, as they come, within limits; and answers as octets. RFC 9112.
 * What is not supported on purpose: line feeds without carriage return, folded header lines,
 * trailers that mean anything, and every coding but `chunked`.
 * @module
 */
import { concat } from "../base/octets.ts";

/** Most octets of the request line and the header lines together. */
export const HEAD_MAX = 16 * 1024;
/** Most header lines. */
export const FIELDS_MAX = 100;
/** Most octets of a body. */
export const BODY_MAX = 64 * 1024;
/** Most octets of the framing of a chunked body. */
const FRAMING_MAX = 16 * 1024;

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** As sent: `/status?id=a`. */
  readonly target: string;
  /** Header fields by lower-case name; several of one name are joined by a comma. */
  readonly fields: ReadonlyMap<string, string>;
  /** Whether the connection stays open behind the answer. */
  readonly keepAlive: boolean;
  /** Whether the sender waits to be told to go on before it sends the body. */
  readonly expectsContinue: boolean;
}

/** A whole request. */
export interface HttpRequest {
  readonly head: RequestHead;
  readonly body: Uint8Array;
}

/** Why a request cannot be read; the connection ends behind the answer. */
export interface HttpFault {
  /** The status to answer with. */
  readonly status: 400 | 413 | 417 | 431 | 501 | 505;
  readonly message: string;
}

const CR = 13;
const LF = 10;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// deno-lint-ignore no-control-regex -- these are what a value must not hold
const BAD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;

/** Reads the requests of one connection, one after the other. */
export class HttpReader {
  #buffer = new Uint8Array(0);
  #head: RequestHead | undefined;
  /** Octets of the body that are to come; -1 for a chunked one. */
  #length = 0;
  #body: Uint8Array[] = [];
  #bodySize = 0;
  #framing = 0;
  #chunkLeft = 0;
  #chunkState: "size" | "data" | "end" | "trailer" = "size";

  /** Whether a request has begun and is not whole yet. */
  get begun(): boolean {
    return this.#head !== undefined || this.#buffer.length > 0;
  }

  /** The head of the request whose body is still to come. */
  get pending(): RequestHead | undefined {
    return this.#head;
  }

  /** Takes octets. */
  feed(octets: Uint8Array): void {
    if (this.#buffer.length === 0) {
      this.#buffer = octets.slice();
      return;
    }
    const joined = new Uint8Array(this.#buffer.length + octets.length);
    joined.set(this.#buffer);
    joined.set(octets, this.#buffer.length);
    this.#buffer = joined;
  }

  /** The next whole request, why there is none, or undefined when more octets are needed. */
  next(): HttpRequest | HttpFault | undefined {
    if (!this.#head) {
      const fault = this.#readHead();
      if (fault) return fault;
      if (!this.#head) return undefined;
    }
    const fault = this.#length < 0 ? this.#readChunks() : this.#readSized();
    if (fault === "more") return undefined;
    if (fault) return fault;
    const request = {
      head: this.#head,
      body: this.#body.length === 1 ? this.#body[0]! : concat(this.#body),
    };
    this.#head = undefined;
    this.#body = [];
    this.#bodySize = 0;
    return request;
  }

  #readHead(): HttpFault | undefined {
    // An empty line in front of a request is skipped. §2.2
    while (this.#buffer[0] === CR && this.#buffer[1] === LF) this.#take(2);
    const end = findEnd(this.#buffer, HEAD_MAX);
    if (end < 0) {
      return this.#buffer.length > HEAD_MAX ? tooLarge() : undefined;
    }
    const text = String.fromCharCode(...this.#buffer.subarray(0, end));
    this.#take(end + 4);
    const lines = text.split("\r\n");
    const [method, target, version, ...rest] = lines[0]!.split(" ");
    if (!method || !TOKEN.test(method) || !target || rest.length > 0) {
      return fault(400, "Request line is not METHOD TARGET HTTP/1.1");
    }
    if (!/^HTTP\/\d\.\d$/.test(version ?? "")) return fault(400, "No HTTP version");
    if (version !== "HTTP/1.1" && version !== "HTTP/1.0") return fault(505, "Only HTTP/1.1");
    if (!/^[\x21-\x7e]+$/.test(target)) return fault(400, "Target has characters it must not have");
    const fields = readFields(lines.slice(1));
    if (!(fields instanceof Map)) return fields;
    return this.#frame(method, target, version, fields);
  }

  #frame(
    method: string,
    target: string,
    version: string,
    fields: ReadonlyMap<string, string>,
  ): HttpFault | undefined {
    const coding = fields.get("transfer-encoding");
    const length = fields.get("content-length");
    const expect = fields.get("expect");
    // A request that can be read in two ways is how requests are smuggled. §6.3
    if (coding !== undefined && length !== undefined) return fault(400, "Two lengths of the body");
    if (coding !== undefined && coding.toLowerCase() !== "chunked") {
      return fault(501, "Only the transfer coding chunked");
    }
    if (length !== undefined && !/^\d{1,15}$/.test(length)) {
      return fault(400, "Content-Length is not a number");
    }
    if (Number(length ?? 0) > BODY_MAX) return bodyTooLarge();
    if (version === "HTTP/1.1" && !fields.has("host")) return fault(400, "Host is missing");
    if (expect !== undefined && expect.toLowerCase() !== "100-continue") {
      return fault(417, "Unknown expectation");
    }
    const connection = (fields.get("connection") ?? "").toLowerCase();
    const keepAlive = version === "HTTP/1.1"
      ? !connection.includes("close")
      : connection.includes("keep-alive");
    this.#length = coding === undefined ? Number(length ?? 0) : -1;
    this.#chunkState = "size";
    this.#framing = 0;
    this.#head = { method, target, fields, keepAlive, expectsContinue: expect !== undefined };
    return undefined;
  }

  #readSized(): "more" | undefined {
    if (this.#buffer.length < this.#length) return "more";
    this.#keep(this.#length);
    return undefined;
  }

  #readChunks(): HttpFault | "more" | undefined {
    for (;;) {
      if (this.#chunkState === "data") {
        if (this.#buffer.length < this.#chunkLeft) return "more";
        this.#keep(this.#chunkLeft);
        this.#chunkState = "end";
        continue;
      }
      const end = findLine(this.#buffer);
      if (end > FRAMING_MAX || (end < 0 && this.#buffer.length > FRAMING_MAX)) return tooLarge();
      if (end < 0) return "more";
      this.#framing += end + 2;
      if (this.#framing > FRAMING_MAX) return tooLarge();
      const line = String.fromCharCode(...this.#buffer.subarray(0, end));
      this.#take(end + 2);
      if (this.#chunkState === "trailer") {
        if (line === "") return undefined;
      } else if (this.#chunkState === "end") {
        if (line !== "") return fault(400, "Chunk is longer than its size");
        this.#chunkState = "size";
      } else {
        const size = /^([0-9A-Fa-f]{1,8})(?:[ \t]*;.*)?$/.exec(line)?.[1];
        if (size === undefined) return fault(400, "Size of a chunk is not a number");
        this.#chunkLeft = parseInt(size, 16);
        if (this.#bodySize + this.#chunkLeft > BODY_MAX) return bodyTooLarge();
        this.#chunkState = this.#chunkLeft === 0 ? "trailer" : "data";
      }
    }
  }

  #keep(count: number): void {
    this.#body.push(this.#buffer.subarray(0, count));
    this.#bodySize += count;
    this.#take(count);
  }

  #take(count: number): void {
    this.#buffer = this.#buffer.subarray(count);
  }
}

function readFields(lines: readonly string[]): Map<string, string> | HttpFault {
  if (lines.length > FIELDS_MAX) return tooLarge();
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (colon < 1 || !TOKEN.test(name) || BAD_VALUE.test(value)) {
      return fault(400, "Header line is not NAME: VALUE");
    }
    const before = fields.get(name);
    if (before !== undefined && (name === "host" || name === "content-length")) {
      return fault(400, `More than one ${name}`);
    }
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}

/** Where the empty line behind the head begins; -1 when it is not there within `max`. */
function findEnd(octets: Uint8Array, max: number): number {
  const limit = Math.min(octets.length - 3, max);
  for (let at = 0; at < limit; at += 1) {
    if (
      octets[at] === CR && octets[at + 1] === LF && octets[at + 2] === CR && octets[at + 3] === LF
    ) {
      return at;
    }
  }
  return -1;
}

function findLine(octets: Uint8Array): number {
  for (let at = 0; at + 1 < octets.length; at += 1) {
    if (octets[at] === CR && octets[at + 1] === LF) return at;
  }
  return -1;
}

function fault(status: HttpFault["status"], message: string): HttpFault {
  return { status, message };
}

function tooLarge(): HttpFault {
  return fault(431, `Head is larger than ${HEAD_MAX} octets or ${FIELDS_MAX} lines`);
}

function bodyTooLarge(): HttpFault {
  return fault(413, `Body is larger than ${BODY_MAX} octets`);
}

const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  200: "OK",
  204: "No Content",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

/** The interim answer to `Expect: 100-continue`. */
export const CONTINUE: Uint8Array = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/**
 * An answer as octets.
 *
 * @param fields Header fields beside the length, which is made here.
 * @param bodyless Answers to HEAD tell the length and leave the body out.
 */
export function encodeAnswer(
  status: number,
  fields: Readonly<Record<string, string>>,
  body: string,
  bodyless: boolean,
): Uint8Array {
  const octets = new TextEncoder().encode(body);
  const lines = [`HTTP/1.1 ${status} ${REASONS[status] ?? "Status"}`];
  for (const [name, value] of Object.entries(fields)) lines.push(`${name}: ${value}`);
  if (status !== 204) lines.push(`content-length: ${octets.length}`);
  const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  if (bodyless || status === 204) return head;
  const all = new Uint8Array(head.length + octets.length);
  all.set(head);
  all.set(octets, head.length);
  return all;
}
