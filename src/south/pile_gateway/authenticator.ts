/**
 * Who is believed: challenges that are good once and for a while, the answers to them, the keys of
 * the sessions that follow, and how long all that took.
 * @module
 */
import { type Instant, since } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import { type Ephemeral, makeEphemeral } from "../../crypto/ecdh.ts";
import {
  type AeadMaker,
  agreedOctets,
  AUTH_RESULT,
  type AuthFault,
  type AuthResponse,
  type Challenge,
  checkAuth,
  type Cipher,
  CIPHERS,
  type CrcKind,
  makeChallenge,
  openSession,
  type Session,
  verifySigned,
} from "../../protocol/cip22/mod.ts";
import type { Config } from "./config.ts";
import type { Enrolled } from "./register.ts";

/** Challenges given by HTTP that wait for their stream. */
export const WAITING_MAX = 4096;
/** Latencies that are kept. */
export const LATENCIES_MAX = 2048;
const SESSION_ID_SIZE = 16;

/** A challenge with what belongs to it. */
export interface Asked {
  readonly challenge: Challenge;
  readonly sessionId: Uint8Array;
  readonly cipher: Cipher;
  readonly own: Ephemeral;
  readonly at: Instant;
}

/** What came of an answer. */
export type Verdict =
  | { readonly kind: "good"; readonly session: Session | undefined }
  | {
    readonly kind: "refused";
    readonly why: AuthFault | "unknown" | "cipher";
    readonly result: number;
  };

const RESULTS: Readonly<Record<AuthFault, number>> = {
  used: AUTH_RESULT.expired,
  expired: AUTH_RESULT.expired,
  policy: AUTH_RESULT.policy,
  sequence: AUTH_RESULT.sequence,
  signature: AUTH_RESULT.refused,
};

/** See the module. */
export class Authenticator {
  /** By their session's id in hexadecimal. */
  readonly #waiting = new Map<string, Asked>();
  /** Milliseconds from the request to the verdict; a ring. */
  readonly #latencies: number[] = [];
  #next = 0;

  constructor(
    readonly ctx: Context,
    readonly config: Config,
    readonly policyHash: () => Uint8Array,
  ) {}

  /** Tries what will be needed: the first pile is not to wait for self-tests and tables. */
  warmUp(): void {
    for (const name of ["sm2", "sm4-gcm", "aes-128-gcm"] as const) this.ctx.crypto.get(name);
    for (const cipher of Object.keys(CIPHERS) as Cipher[]) {
      const { own } = this.ask(cipher);
      own.agree(own.point);
    }
  }

  /** A new challenge. */
  ask(cipher: Cipher): Asked {
    const { ctx, config } = this;
    const random = (octets: Uint8Array) => ctx.crypto.random(octets);
    const now = ctx.clock.now();
    const sessionId = new Uint8Array(SESSION_ID_SIZE);
    random(sessionId);
    return {
      challenge: makeChallenge(this.policyHash(), now, random, config.challengeWithin),
      sessionId,
      cipher,
      own: cipher === "sm4-gcm"
        ? ctx.crypto.get("sm2").ephemeral(random)
        : makeEphemeral(CIPHERS[cipher].curve, random),
      at: now,
    };
  }

  /** Keeps a challenge for a stream that is still to come. @returns Whether there was room. */
  keep(asked: Asked): boolean {
    const now = this.ctx.clock.now();
    for (const [id, { challenge }] of this.#waiting) {
      if (challenge.until > now) break; // They were put in by time.
      this.#waiting.delete(id);
    }
    if (this.#waiting.size >= WAITING_MAX) return false;
    this.#waiting.set(asked.sessionId.toHex(), asked);
    return true;
  }

  /** Takes a challenge that was kept, once. */
  take(sessionId: string): Asked | undefined {
    const asked = this.#waiting.get(sessionId);
    this.#waiting.delete(sessionId);
    return asked;
  }

  /**
   * Tries an answer.
   * @param last The greatest number that was accepted of this pile.
   * @param publicKey The pile's ephemeral key; undefined: it agrees on no keys.
   */
  judge(
    asked: Asked,
    response: AuthResponse,
    enrolled: Enrolled | undefined,
    last: bigint,
    publicKey: Uint8Array | undefined,
    crc: CrcKind,
  ): Verdict {
    const { ctx } = this;
    const now = ctx.clock.now();
    if (!enrolled) {
      asked.challenge.used = true;
      return refused("unknown", AUTH_RESULT.refused);
    }
    const agreed = publicKey && agreedOctets(asked.sessionId, asked.own.point, publicKey);
    const fault = this.#check(asked.challenge, response, enrolled, last, now, agreed);
    if (fault) return refused(fault, RESULTS[fault]);
    if (!publicKey) return this.#good(asked, now, undefined);
    if (asked.cipher !== enrolled.cipher) return refused("cipher", AUTH_RESULT.refused);
    const secret = asked.own.agree(publicKey);
    if (!secret) return refused("signature", AUTH_RESULT.refused);
    const { cipher, sessionId } = asked;
    const session = openSession({ cipher, secret, sessionId }, "gateway", this.#aead, crc);
    return this.#good(asked, now, session);
  }

  /** Middle and 99th of a hundred of the latencies that are kept, in milliseconds. */
  get latency(): { readonly count: number; readonly p50: number; readonly p99: number } {
    const sorted = this.#latencies.toSorted((one, other) => one - other);
    const at = (part: number) => sorted[Math.min(sorted.length - 1, sorted.length * part | 0)] ?? 0;
    const round = (span: number) => Math.round(span * 100) / 100;
    return { count: sorted.length, p50: round(at(0.5)), p99: round(at(0.99)) };
  }

  readonly #aead: AeadMaker = (cipher, key) =>
    this.ctx.crypto.get(cipher === "sm4-gcm" ? "sm4-gcm" : "aes-128-gcm")(key);

  #check(
    challenge: Challenge,
    response: AuthResponse,
    { key }: Enrolled,
    last: bigint,
    now: Instant,
    agreed: Uint8Array | undefined,
  ): AuthFault | undefined {
    const tools = this.ctx.crypto;
    const verify: typeof verifySigned = (one, signed, signature) =>
      one.signer === "sm2"
        ? tools.get("sm2").readPublic(one.point)?.verify(signed, signature) ?? false
        : verifySigned(one, signed, signature);
    return checkAuth(challenge, response, key, last, now, agreed, verify);
  }

  #good(asked: Asked, now: Instant, session: Session | undefined): Verdict {
    this.#latencies[this.#next] = since(asked.at, now);
    this.#next = (this.#next + 1) % LATENCIES_MAX;
    return { kind: "good", session };
  }
}

function refused(why: AuthFault | "unknown" | "cipher", result: number): Verdict {
  return { kind: "refused", why, result };
}
