/**
 * SHA-256 of the system's OpenSSL, by FFI. It uses the processor's instructions for SHA, and takes
 * a sixth of the time that JavaScript does. Where there is none, callers have their own.
 * @module
 */
import type { Authenticator } from "../../base/authenticator.ts";

const LIBRARIES = ["libcrypto.so.3", "libcrypto.so.1.1"];
const SYMBOLS = {
  SHA256_Init: { parameters: ["buffer"], result: "i32" },
  // The length is a size_t: one that fits in 32 bits is passed in the same register.
  SHA256_Update: { parameters: ["buffer", "buffer", "u32"], result: "i32" },
  SHA256_Final: { parameters: ["buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;
type Libcrypto = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const BLOCK = 64;
const DIGEST = 32;
/** 32-bit words of a SHA256_CTX. */
const CONTEXT = 28;
/** Views that are kept, one for each place where a datagram may begin. */
const VIEWS_MAX = 4096;
const ABC = [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea];

let library: Libcrypto | undefined;
let searched = false;

/** HMAC-SHA-256 with `key`; undefined where the system has no OpenSSL that works. RFC 2104 */
export function systemAuthenticator(key: Uint8Array): Authenticator | undefined {
  if (!searched) library = search();
  searched = true;
  return library && new SystemHmac(library, key);
}

function search(): Libcrypto | undefined {
  for (const name of LIBRARIES) {
    try {
      const { symbols } = Deno.dlopen(name, SYMBOLS);
      const digest = sha256(symbols, new TextEncoder().encode("abc"));
      if (ABC.every((octet, index) => digest[index] === octet)) return symbols;
    } catch (error) {
      // Not there, or without permission: the next one, or none.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}

function sha256(symbols: Libcrypto, octets: Uint8Array): Uint8Array {
  const context = new Uint8Array(CONTEXT * 4);
  const digest = new Uint8Array(DIGEST);
  symbols.SHA256_Init(context);
  symbols.SHA256_Update(context, octets as Uint8Array<ArrayBuffer>, octets.length);
  symbols.SHA256_Final(digest, context);
  return digest;
}

class SystemHmac implements Authenticator {
  readonly #inner: Uint32Array;
  readonly #outer: Uint32Array;
  readonly #context = new Uint32Array(CONTEXT);
  readonly #contextOctets = new Uint8Array(this.#context.buffer);
  readonly #digest = new Uint8Array(DIGEST);
  /** A view is an object, so those of one array are kept: datagrams begin in few places. */
  readonly #views = new Map<number, Uint8Array<ArrayBuffer>>();
  #viewed: Uint8Array | undefined;

  constructor(readonly symbols: Libcrypto, key: Uint8Array) {
    const block = new Uint8Array(BLOCK);
    block.set(key.length > BLOCK ? sha256(symbols, key) : key);
    this.#inner = this.#begun(block, 0x36);
    this.#outer = this.#begun(block, 0x5c);
  }

  sign(
    octets: Uint8Array,
    from: number,
    end: number,
    target: Uint8Array,
    to: number,
    size: number,
  ): void {
    this.#compute(octets, from, end);
    const digest = this.#digest;
    for (let index = 0; index < size; index += 1) target[to + index] = digest[index]!;
  }

  verify(octets: Uint8Array, from: number, end: number, tagAt: number, size: number): boolean {
    this.#compute(octets, from, end);
    const digest = this.#digest;
    let difference = 0;
    for (let index = 0; index < size; index += 1) {
      difference |= digest[index]! ^ octets[tagAt + index]!;
    }
    return difference === 0;
  }

  /** The state after the first block, from which every tag goes on. */
  #begun(block: Uint8Array, mask: number): Uint32Array {
    const context = new Uint8Array(CONTEXT * 4);
    this.symbols.SHA256_Init(context);
    this.symbols.SHA256_Update(context, block.map((octet) => octet ^ mask), BLOCK);
    return new Uint32Array(context.buffer);
  }

  #compute(octets: Uint8Array, from: number, end: number): void {
    const { symbols } = this;
    const context = this.#contextOctets;
    const digest = this.#digest;
    this.#context.set(this.#inner);
    symbols.SHA256_Update(context, this.#view(octets, from), end - from);
    symbols.SHA256_Final(digest, context);
    this.#context.set(this.#outer);
    symbols.SHA256_Update(context, digest, DIGEST);
    symbols.SHA256_Final(digest, context);
  }

  #view(octets: Uint8Array, from: number): Uint8Array<ArrayBuffer> {
    const views = this.#views;
    if (octets !== this.#viewed || views.size > VIEWS_MAX) {
      views.clear();
      this.#viewed = octets;
    }
    let view = views.get(from);
    if (!view) {
      view = octets.subarray(from) as Uint8Array<ArrayBuffer>;
      views.set(from, view);
    }
    return view;
  }
}
