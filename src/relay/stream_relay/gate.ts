/** Who may register: tokens, compared in a time that does not depend on them. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Role } from "../../protocol/v4relay/mod.ts";
import type { Config } from "./config.ts";

/** The rule of one relay. */
export class Gate {
  readonly #mode: Config["auth"]["mode"];
  readonly #shared: Uint8Array;
  readonly #own: ReadonlyMap<string, Uint8Array>;

  constructor({ mode, token, tokens }: Config["auth"]) {
    this.#mode = mode;
    this.#shared = digest(token ?? "");
    this.#own = new Map(
      Object.entries(tokens ?? {}).map(([name, secret]) => [name, digest(secret)]),
    );
  }

  /** Whether a token is that of its owner. */
  readonly verify = (role: Role, id: string, token: string): boolean => {
    if (this.#mode === "none") return true;
    const given = digest(token);
    if (this.#mode === "shared") return timingSafeEqual(given, this.#shared);
    const own = this.#own.get(`${role} ${id}`);
    // A name that is not known takes as long as one that is.
    return timingSafeEqual(given, own ?? this.#shared) && own !== undefined;
  };
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
