/**
 * SM3 and SM4-CTR of the system's OpenSSL, by FFI. A call costs about a microsecond, so it pays for
 * long texts only. evp(7)
 * @module
 */

const LIBRARIES = ["libcrypto.so.3"];
const SYMBOLS = {
  "EVP_get_digestbyname": { parameters: ["buffer"], result: "pointer" },
  "EVP_Digest": {
    parameters: ["buffer", "usize", "buffer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  "EVP_get_cipherbyname": { parameters: ["buffer"], result: "pointer" },
  "EVP_CIPHER_CTX_new": { parameters: [], result: "pointer" },
  "EVP_CIPHER_CTX_free": { parameters: ["pointer"], result: "void" },
  "EVP_CipherInit_ex": {
    parameters: ["pointer", "pointer", "pointer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  "EVP_CipherUpdate": {
    parameters: ["pointer", "buffer", "buffer", "buffer", "i32"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
type Plain = Uint8Array<ArrayBuffer>;

const DIGEST = 32;

/** What the library has. */
export class SystemCrypto {
  readonly #sm3: Deno.PointerValue;
  readonly #sm4Ctr: Deno.PointerValue;

  private constructor(readonly symbols: Symbols) {
    const name = (text: string) => new TextEncoder().encode(`${text}\0`);
    this.#sm3 = symbols.EVP_get_digestbyname(name("sm3"));
    this.#sm4Ctr = symbols.EVP_get_cipherbyname(name("sm4-ctr"));
  }

  /** The system's; undefined where there is none, or it may not be opened. */
  static open(): SystemCrypto | undefined {
    for (const library of LIBRARIES) {
      try {
        return new SystemCrypto(Deno.dlopen(library, SYMBOLS).symbols);
      } catch (error) {
        if (!(error instanceof Error)) throw error; // Not there, or not permitted: the next one.
      }
    }
    return undefined;
  }

  /** Makes digests; undefined when this library knows no SM3. */
  sm3(): ((octets: Uint8Array) => Uint8Array) | undefined {
    if (this.#sm3 === null) return undefined;
    return (octets) => {
      const digest = new Uint8Array(DIGEST);
      const size = BigInt(octets.length);
      this.symbols.EVP_Digest(octets as Plain, size, digest, null, this.#sm3, null);
      return digest;
    };
  }

  /** Adds the key stream of a key; undefined when this library knows no SM4. */
  sm4Ctr():
    | ((key: Uint8Array) => (counter: Uint8Array, source: Uint8Array, target: Uint8Array) => void)
    | undefined {
    if (this.#sm4Ctr === null) return undefined;
    const { symbols } = this;
    const length = new Uint8Array(4);
    return (key) => (counter, source, target) => {
      const context = symbols.EVP_CIPHER_CTX_new();
      symbols.EVP_CipherInit_ex(context, this.#sm4Ctr, null, key as Plain, counter as Plain, 1);
      symbols.EVP_CipherUpdate(context, target as Plain, length, source as Plain, source.length);
      symbols.EVP_CIPHER_CTX_free(context);
    };
  }
}
