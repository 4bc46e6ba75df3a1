/** AES-128-GCM of the runtime, in the form that our own authenticated encryption has. */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { type Aead, checkCall, TAG_SIZE } from "../crypto/aead.ts";

/** See the module. NIST SP 800-38D */
export class AesGcm implements Aead {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key.slice();
  }

  seal(
    ...[nonce, extra, source, from, end, target, to]: Parameters<Aead["seal"]>
  ): number {
    const size = end - from;
    checkCall(nonce, source, from, end, target, to, size + TAG_SIZE);
    const cipher = createCipheriv("aes-128-gcm", this.#key, nonce);
    cipher.setAAD(extra);
    target.set(cipher.update(source.subarray(from, end)), to);
    cipher.final();
    target.set(cipher.getAuthTag(), to + size);
    return to + size + TAG_SIZE;
  }

  open(
    ...[nonce, extra, source, from, end, target, to]: Parameters<Aead["open"]>
  ): number {
    const tagAt = end - TAG_SIZE;
    if (tagAt < from) return -1;
    checkCall(nonce, source, from, tagAt, target, to, tagAt - from);
    const cipher = createDecipheriv("aes-128-gcm", this.#key, nonce);
    cipher.setAAD(extra);
    cipher.setAuthTag(source.subarray(tagAt, end));
    const text = cipher.update(source.subarray(from, tagAt));
    try {
      cipher.final();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      text.fill(0);
      return -1; // The tag is wrong.
    }
    target.set(text, to);
    return to + text.length;
  }

  [Symbol.dispose](): void {
    this.#key.fill(0);
  }
}
