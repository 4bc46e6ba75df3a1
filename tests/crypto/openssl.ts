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

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
