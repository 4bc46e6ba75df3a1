/**
 * Who may do what on the control port: the token, compared in constant time, and the guard against
 * browsers, which can be made to talk to loopback by a page of anybody.
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isLoopback } from "../base/address.ts";
import type { Access } from "./registry.ts";

/** Why a caller is turned away. */
export interface Denial {
  readonly status: 401 | 403;
  readonly message: string;
}

/** The rules of one control port. */
export class ControlAccess {
  readonly #digest: Uint8Array | undefined;
  readonly #publicRead: boolean;

  constructor(token: string | undefined, publicRead: boolean) {
    this.#digest = token === undefined ? undefined : digest(token);
    this.#publicRead = publicRead;
  }

  /** Whether a token is needed for `access`. */
  needsToken(access: Access): boolean {
    if (this.#digest === undefined || access === "open") return false;
    return access === "change" || !this.#publicRead;
  }

  /** Whether a token is the right one. The time it takes does not depend on it. */
  accepts(token: string): boolean {
    return this.#digest !== undefined && timingSafeEqual(digest(token), this.#digest);
  }

  /** Checks a request by its header fields. Undefined when it may pass. */
  check(
    access: Access,
    method: string,
    fields: ReadonlyMap<string, string>,
  ): Denial | undefined {
    if (this.#digest === undefined) return guardLoopback(method, fields);
    if (!this.needsToken(access)) return undefined;
    const token = /^bearer +(.+)$/i.exec(fields.get("authorization") ?? "")?.[1];
    if (token !== undefined && this.accepts(token)) return undefined;
    return {
      status: 401,
      message: token === undefined
        ? "A token is needed: Authorization: Bearer TOKEN"
        : "The token is not the one of control.token",
    };
  }
}

/** Without a token only programs of this machine are served, and no page of a browser. */
function guardLoopback(method: string, fields: ReadonlyMap<string, string>): Denial | undefined {
  const host = fields.get("host");
  if (host !== undefined && !isLocal(host)) {
    return { status: 403, message: "Without a token only loopback names are served" };
  }
  const origin = fields.get("origin");
  if (method === "POST" && origin !== undefined) {
    return { status: 403, message: "Without a token pages of a browser may change nothing" };
  }
  return undefined;
}

function isLocal(host: string): boolean {
  const name = /^(\[[0-9a-fA-F:.]+\]|[^:]+)(?::\d+)?$/.exec(host)?.[1] ?? "";
  return name.toLowerCase() === "localhost" || isLoopback(name.replace(/^\[|\]$/g, ""));
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
