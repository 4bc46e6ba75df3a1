/** The system's OpenSSL as an independent judge of ciphers and hashes, called in this process. */

const SYMBOLS = {
  "EVP_get_cipherbyname": { parameters: ["buffer"], result: "pointer" },
  "EVP_CIPHER_CTX_new": { parameters: [], result: "pointer" },
  "EVP_CIPHER_CTX_free": { parameters: ["pointer"], result: "void" },
  "EVP_CipherInit_ex": {
    parameters: ["pointer", "pointer", "pointer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  "EVP_CIPHER_CTX_set_padding": { parameters: ["pointer", "i32"], result: "i32" },
  "EVP_CipherUpdate": {
    parameters: ["pointer", "buffer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  "EVP_get_digestbyname": { parameters: ["buffer"], result: "pointer" },
  "EVP_Digest": {
    parameters: ["buffer", "usize", "buffer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  "d2i_AutoPrivateKey": { parameters: ["pointer", "buffer", "i64"], result: "pointer" },
  "EVP_PKEY_free": { parameters: ["pointer"], result: "void" },
  "EVP_PKEY_CTX_new": { parameters: ["pointer", "pointer"], result: "pointer" },
  "EVP_PKEY_CTX_free": { parameters: ["pointer"], result: "void" },
  "EVP_PKEY_CTX_set1_id": { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  "EVP_MD_CTX_new": { parameters: [], result: "pointer" },
  "EVP_MD_CTX_free": { parameters: ["pointer"], result: "void" },
  "EVP_MD_CTX_set_pkey_ctx": { parameters: ["pointer", "pointer"], result: "void" },
  "EVP_DigestSignInit": {
    parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  "EVP_DigestSign": {
    parameters: ["pointer", "buffer", "buffer", "buffer", "usize"],
    result: "i32",
  },
  "EVP_DigestVerifyInit": {
    parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  "EVP_DigestVerify": {
    parameters: ["pointer", "buffer", "usize", "buffer", "usize"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

type Octets = Uint8Array<ArrayBuffer>;

/** OpenSSL's library. */
export class OpenSsl implements Disposable {
  readonly #library = Deno.dlopen("libcrypto.so.3", SYMBOLS);

  /** Runs one of its ciphers, such as `sm4-cbc`, without padding. */
  cipher(
    name: string,
    way: "encrypt" | "decrypt",
    key: Uint8Array,
    start: Uint8Array,
    text: Uint8Array,
  ): Octets {
    const { symbols } = this.#library;
    const cipher = symbols.EVP_get_cipherbyname(new TextEncoder().encode(`${name}\0`));
    if (cipher === null) throw new Error(`OpenSSL has no ${name}`);
    const context = symbols.EVP_CIPHER_CTX_new();
    const direction = way === "encrypt" ? 1 : 0;
    symbols.EVP_CipherInit_ex(context, cipher, null, key.slice(), start.slice(), direction);
    symbols.EVP_CIPHER_CTX_set_padding(context, 0);
    const out = new Uint8Array(text.length + 16);
    const count = new Uint8Array(4);
    const done = symbols.EVP_CipherUpdate(context, out, count, text.slice(), text.length);
    symbols.EVP_CIPHER_CTX_free(context);
    if (done !== 1) throw new Error("OpenSSL has refused");
    return out.slice(0, new DataView(count.buffer).getInt32(0, true));
  }

  /** A digest, such as that of `sm3`. */
  digest(name: string, octets: Uint8Array, size: number): Octets {
    const target = new Uint8Array(size);
    const kind = this.#digestNamed(name);
    const length = BigInt(octets.length);
    this.#library.symbols.EVP_Digest(octets.slice(), length, target, null, kind, null);
    return target;
  }

  /** A private key of SM2, as PKCS #8, with a user id. */
  sm2(pkcs8: Uint8Array, id: Uint8Array): OpenSslSm2 {
    const { symbols } = this.#library;
    const octets = pkcs8.slice();
    const place = Deno.UnsafePointer.value(Deno.UnsafePointer.of(octets));
    const pointer = new Uint8Array(new BigUint64Array([place]).buffer);
    const key = symbols.d2i_AutoPrivateKey(null, pointer, BigInt(octets.length));
    if (key === null) throw new Error("OpenSSL cannot read the key");
    const digest = this.#digestNamed("sm3");
    /** Runs one operation in a context of its own. */
    const within = <Result>(run: (context: Deno.PointerValue) => Result): Result => {
      const context = symbols.EVP_MD_CTX_new();
      const inner = symbols.EVP_PKEY_CTX_new(key, null);
      symbols.EVP_PKEY_CTX_set1_id(inner, id.slice(), id.length);
      symbols.EVP_MD_CTX_set_pkey_ctx(context, inner);
      const result = run(context);
      symbols.EVP_MD_CTX_free(context);
      symbols.EVP_PKEY_CTX_free(inner);
      return result;
    };
    return {
      sign: (message) =>
        within((context) => {
          const signature = new Uint8Array(80);
          const size = new BigUint64Array([80n]);
          symbols.EVP_DigestSignInit(context, null, digest, null, key);
          const length = BigInt(message.length);
          const room = new Uint8Array(size.buffer);
          const done = symbols.EVP_DigestSign(context, signature, room, message.slice(), length);
          if (done !== 1) throw new Error("OpenSSL has not signed");
          return signature.slice(0, Number(size[0]));
        }),
      verify: (message, signature) =>
        within((context) => {
          symbols.EVP_DigestVerifyInit(context, null, digest, null, key);
          const [size, length] = [BigInt(signature.length), BigInt(message.length)];
          const [one, other] = [signature.slice(), message.slice()];
          return symbols.EVP_DigestVerify(context, one, size, other, length) === 1;
        }),
      [Symbol.dispose]: () => symbols.EVP_PKEY_free(key),
    };
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }

  #digestNamed(name: string): Deno.PointerValue {
    const found = this.#library.symbols.EVP_get_digestbyname(new TextEncoder().encode(`${name}\0`));
    if (found === null) throw new Error(`OpenSSL has no ${name}`);
    return found;
  }
}

/** A key in OpenSSL's hands. Signatures are DER. */
export interface OpenSslSm2 extends Disposable {
  sign(message: Uint8Array): Uint8Array;
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}
