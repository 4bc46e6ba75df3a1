/** The tariff policy that piles are given: where it comes from, and who has it already. */
import { ConfigError } from "../../base/errors.ts";
import type { Context } from "../../kernel/module.ts";
import {
  isValidAt,
  NO_POLICY_HASH,
  type PileKey,
  type Policy,
  readPolicy,
} from "../../protocol/cip22/mod.ts";
import type { Config } from "./config.ts";
import { keyOf } from "./register.ts";

const VERSION_MAX = 0xffff_ffff;

/** A policy with the document that says it. */
interface Current {
  readonly policy: Policy;
  readonly hash: Uint8Array;
  readonly document: string;
}

/** See the module. */
export class Policies {
  #current: Current | undefined;

  private constructor(readonly ctx: Context, readonly config: Config) {}

  /**
   * Reads the file, if there is one; one that an operator is to give may not be there yet.
   * @throws ConfigError when what it says cannot be taken.
   */
  static async open(ctx: Context, config: Config): Promise<Policies> {
    const policies = new Policies(ctx, config);
    if (config.policy === undefined) return policies;
    let text: string;
    try {
      text = await ctx.files.read(config.policy);
    } catch (error) {
      const { detail } = error as { detail?: { errno?: string } };
      if (detail?.errno !== "ENOENT") throw error;
      ctx.log.warn("pile.policy.none", "There is no policy yet", { file: config.policy });
      return policies;
    }
    const fault = policies.#take(text);
    if (fault !== undefined) throw new ConfigError("pile.policy", `${config.policy}: ${fault}`);
    return policies;
  }

  /** The hash that piles have to show that they know. */
  get hash(): Uint8Array {
    return this.#current?.hash ?? NO_POLICY_HASH;
  }

  /** The policy; undefined while there is none. */
  get policy(): Policy | undefined {
    return this.#current?.policy;
  }

  /** The whole signed document. */
  get document(): string | undefined {
    return this.#current?.document;
  }

  /** Takes a document that an operator gives, and keeps it. @returns Why it is not taken. */
  async replace(document: string): Promise<string | undefined> {
    const { config, ctx } = this;
    if (config.policy === undefined) return "No file is configured for it: set pile_gateway.policy";
    const before = this.#current;
    const fault = this.#take(document);
    if (fault !== undefined) return fault;
    try {
      await ctx.files.replace(config.policy, document);
    } catch (error) {
      this.#current = before;
      return `The file cannot be written: ${error instanceof Error ? error.message : error}`;
    }
    return undefined;
  }

  #take(document: string): string | undefined {
    const key = policyKey(this.config);
    if (typeof key === "string") return key;
    const read = readPolicy(document, key);
    if ("fault" in read) return read.fault;
    const { policy, hash } = read;
    if (policy.version > VERSION_MAX) {
      return `version is ${policy.version}; messages have room for ${VERSION_MAX} at most`;
    }
    const known = this.#current;
    // Also of another id: else an old one could come back by way of it.
    if (known && policy.version <= known.policy.version) {
      return `version is ${policy.version}; it has to be above ${known.policy.version}`;
    }
    if (Date.parse(policy.validUntil) <= this.ctx.clock.epoch()) {
      return `valid_until is ${policy.validUntil}; that is over`;
    }
    if (!isValidAt(policy, this.ctx.clock.epoch())) {
      this.ctx.log.info("pile.policy.later", "Policy holds later", { from: policy.validFrom });
    }
    this.#current = { policy, hash, document };
    return undefined;
  }
}

/** The key of whoever signs policies; a text says what is wrong. */
export function policyKey({ policySigner, policyKey: hex }: Config): PileKey | string {
  if (hex === undefined) return "No key is configured for policies: set pile_gateway.policy_key";
  return keyOf(policySigner, hex) as PileKey | string;
}

/** The key of whoever signs images; a text says what is wrong. */
export function imageKey(config: Config): PileKey | string {
  const { policySigner, imageKey: hex } = config;
  return hex === undefined ? policyKey(config) : keyOf(policySigner, hex) as PileKey | string;
}
