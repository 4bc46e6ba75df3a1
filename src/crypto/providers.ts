/**
 * Which implementation is used of each algorithm, and why: those that are there are tried with
 * known answers first, and of those that give them the fastest is taken. One that gives a wrong
 * answer is never used, and that is told.
 * @module
 */
import { BugError } from "../base/errors.ts";
import type { Aead } from "./aead.ts";
import type { Ephemeral } from "./ecdh.ts";
import { checkAesGcm, checkSm2, checkSm3, checkSm4Ctr, checkSm4Gcm } from "./known_answers.ts";
import type { Sm2PrivateKey, Sm2PublicKey } from "./sm2.ts";

/** Adds a key stream to octets; the counter has 16 octets. */
export type Stream = (counter: Uint8Array, source: Uint8Array, target: Uint8Array) => void;

/** SM2 as far as it may be done differently. */
export interface Sm2Tools {
  read(octets: Uint8Array): Sm2PrivateKey | undefined;
  readPublic(octets: Uint8Array): Sm2PublicKey | undefined;
  /** A key for one agreement. */
  ephemeral(random: (octets: Uint8Array) => void): Ephemeral;
}

/** What each algorithm is to its users. */
export interface Algorithms {
  readonly sm3: (octets: Uint8Array) => Uint8Array;
  readonly "sm4-ctr": (key: Uint8Array) => Stream;
  readonly "sm4-gcm": (key: Uint8Array) => Aead;
  readonly "aes-128-gcm": (key: Uint8Array) => Aead;
  readonly sm2: Sm2Tools;
}
/** Their names. */
export type Algorithm = keyof Algorithms;

/** One implementation. */
export interface Candidate<Name extends Algorithm = Algorithm> {
  readonly algorithm: Name;
  /** `WebAssembly`, `TypeScript`, `libcrypto`, `runtime`. */
  readonly provider: string;
  /** Whether its time depends on neither key nor text, by its making. */
  readonly constantTime: boolean;
  /** Undefined where this system does not have it. */
  readonly tool: Algorithms[Name] | undefined;
}

/** How a candidate fares. */
export interface Trial {
  readonly algorithm: Algorithm;
  readonly provider: string;
  readonly constantTime: boolean;
  readonly state: "used" | "good" | "wrong" | "absent";
  /** Why it is used, or is not. */
  readonly why: string;
  /** Of 16 KiB, in 10^6 octets a second; of SM2, verifications a second. 0: not measured. */
  readonly speed: number;
}

const CHECKS: { [Name in Algorithm]: (tool: Algorithms[Name]) => string | undefined } = {
  sm3: checkSm3,
  "sm4-ctr": checkSm4Ctr,
  "sm4-gcm": checkSm4Gcm,
  "aes-128-gcm": checkAesGcm,
  sm2: checkSm2,
};
const SIZE = 16 * 1024;
/** Milliseconds for a measurement, and how many are made; the best counts. */
const SPAN = 3;
const TURNS = 3;
/** Milliseconds before it, in which the runtime compiles. */
const WARM = 15;
/** One whose time tells nothing is preferred to one that is less than so many times as fast. */
const PREFERENCE = 2;
const KEY = new Uint8Array(16).fill(1);
const KEY_OF_32 = new Uint8Array(32).fill(1);

/** What is measured: so many octets, or a verification. The candidate is there. */
export function workOf(candidate: Candidate, size: number): () => void {
  const { algorithm, tool } = candidate;
  const octets = new Uint8Array(size);
  switch (algorithm) {
    case "sm3":
      return () => void (tool as Algorithms["sm3"])(octets);
    case "sm4-ctr": {
      const stream = (tool as Algorithms["sm4-ctr"])(KEY);
      const counter = new Uint8Array(16);
      return () => stream(counter.fill(0), octets, octets);
    }
    case "sm4-gcm":
    case "aes-128-gcm": {
      const aead = (tool as Algorithms["sm4-gcm"])(KEY);
      const target = new Uint8Array(size + 16);
      const nonce = new Uint8Array(12);
      const none = new Uint8Array(0);
      return () => void aead.seal(nonce, none, octets, 0, size, target, 0);
    }
    default: {
      const key = (tool as Sm2Tools).read(KEY_OF_32)!;
      const digest = new Uint8Array(32);
      const signature = key.signDigest(digest);
      return () => void key.publicKey.verifyDigest(digest, signature);
    }
  }
}

/** All implementations, tried when they are first asked for. */
export class Providers {
  readonly #trials = new Map<Algorithm, readonly Trial[]>();

  /**
   * @param now Milliseconds that only go on, for measurements.
   * @param wrong Told of each implementation that gives a wrong answer.
   */
  constructor(
    readonly candidates: readonly Candidate[],
    readonly now: () => number,
    readonly wrong: (trial: Trial) => void = () => {},
  ) {}

  /**
   * The implementation that is used.
   * @throws BugError when none gives the known answers: then nothing may be done with it.
   */
  get<Name extends Algorithm>(algorithm: Name): Algorithms[Name] {
    const used = this.trials(algorithm).find(({ state }) => state === "used");
    const found = this.candidates.find((one) =>
      one.algorithm === algorithm && one.provider === used?.provider
    );
    if (found?.tool) return found.tool as Algorithms[Name];
    throw new BugError("crypto.selftest", `No implementation of ${algorithm} gives known answers`);
  }

  /** How every implementation of an algorithm fares. */
  trials(algorithm: Algorithm): readonly Trial[] {
    const known = this.#trials.get(algorithm);
    if (known) return known;
    const tried = this.candidates.filter((one) => one.algorithm === algorithm)
      .map((candidate) => this.#try(candidate));
    const good = tried.filter(({ state }) => state === "good");
    const best = good.reduce<Trial | undefined>(
      (one, other) => one && worth(one) >= worth(other) ? one : other,
      undefined,
    );
    const trials = tried.map((trial): Trial => {
      if (trial !== best) return trial;
      const alone = good.length === 1;
      const fastest = good.every(({ speed }) => speed <= trial.speed);
      const why = alone
        ? "the only one here"
        : fastest
        ? "the fastest here"
        : "nearly the fastest, and its time tells nothing";
      return { ...trial, state: "used", why };
    });
    this.#trials.set(algorithm, trials);
    for (const trial of trials) if (trial.state === "wrong") this.wrong(trial);
    return trials;
  }

  #try(candidate: Candidate): Trial {
    const { algorithm, provider, constantTime, tool } = candidate;
    const trial = { algorithm, provider, constantTime, speed: 0 };
    if (!tool) return { ...trial, state: "absent", why: "this system does not have it" };
    const fault = faultOf(candidate);
    if (fault !== undefined) return { ...trial, state: "wrong", why: fault };
    const rate = this.#rate(workOf(candidate, SIZE));
    const speed = Math.round(algorithm === "sm2" ? rate : rate * SIZE / 1e6);
    return { ...trial, state: "good", why: "another is better", speed };
  }

  /** How often a second. */
  #rate(once: () => void): number {
    const run = (least: number): number => {
      const start = this.now();
      let [count, span] = [0, 0];
      for (; span < least; span = this.now() - start) {
        once();
        count += 1;
      }
      return count * 1000 / span;
    };
    run(WARM);
    return Math.max(...Array.from({ length: TURNS }, () => run(SPAN)));
  }
}

/** What a speed counts for. */
function worth({ speed, constantTime }: Trial): number {
  return constantTime ? PREFERENCE * speed : speed;
}

/** What is wrong with an implementation; one that throws is wrong too. */
function faultOf({ algorithm, tool }: Candidate): string | undefined {
  try {
    return (CHECKS[algorithm] as (tool: unknown) => string | undefined)(tool);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
