/**
 * How simulated piles behave on the wire and at the relay, so that a gateway can be tried with good
 * ones and bad ones.
 *
 * | behaviour | what it does |
 * |---|---|
 * | happy | what it should |
 * | flaky | breaks its connection off at any moment, within a frame; tears frames; sends garbage |
 * | forged | signs with a key that is not its own |
 * | replay | repeats sealed frames, and every other time answers with an old proof of its own |
 * | stuck_relay | its relay often does not open, and comes loose after a while |
 * | upgrade | new firmware does not start, and the old one comes back |
 * @module
 */
import { pick, type Random } from "../base/random.ts";
import { after, type Instant, type Millis, millis, seconds } from "../base/time.ts";
import { HEADER_SIZE, MAGIC, type PileHardware, TYPE } from "../protocol/cip22/mod.ts";

/** See the module. */
export const BEHAVIOURS = [
  "happy",
  "flaky",
  "forged",
  "replay",
  "stuck_relay",
  "upgrade",
] as const;
/** One of {@linkcode BEHAVIOURS}. */
export type Behaviour = (typeof BEHAVIOURS)[number];

/** Shares of a mix, in percent; all others are happy. */
const MIX: readonly (readonly [Behaviour, number])[] = [
  ["flaky", 10],
  ["forged", 5],
  ["replay", 5],
  ["stuck_relay", 5],
  ["upgrade", 5],
];
const NEVER = Infinity as Instant;
/** How often a flaky pile sends garbage before a frame, and how often a frame is sent again. */
const GARBAGE_PART = 0.2;
const REPEAT_PART = 0.1;
const GARBAGE_MAX = 24;
const PIECES_MAX = 4;
/** How often a relay sticks, and how long. */
const STUCK_PART = 0.5;
const STUCK_FOR = seconds(20);

/** A reproducible source of numbers; by no means one that nobody can guess. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A behaviour of the mix. */
export function mixed(random: Random): Behaviour {
  let share = random() * 100;
  for (const [behaviour, part] of MIX) {
    share -= part;
    if (share < 0) return behaviour;
  }
  return "happy";
}

/** A relay that may stick closed. */
export class SimRelay implements PileHardware {
  /** How often its contact has moved. */
  changes = 0;
  #closed = false;
  #freeAt: Instant | undefined;

  /** @param sticks Whether it sticks when it is to open now. */
  constructor(readonly now: () => Instant, readonly sticks: () => boolean = () => false) {}

  get relayClosed(): boolean {
    if (this.#freeAt !== undefined && this.now() >= this.#freeAt) {
      this.#freeAt = undefined;
      this.#move(false);
    }
    return this.#closed;
  }

  openRelay(): void {
    if (!this.relayClosed || this.#freeAt !== undefined) return;
    if (this.sticks()) this.#freeAt = after(this.now(), STUCK_FOR);
    else this.#move(false);
  }

  closeRelay(): void {
    this.#freeAt = undefined;
    this.#move(true);
  }

  #move(closed: boolean): void {
    if (closed !== this.#closed) this.changes += 1;
    this.#closed = closed;
  }
}

/** What a pile does to what it sends. One for each pile, for it remembers over connections. */
export class Mischief {
  #breaksAt: Instant = NEVER;
  #proof: Uint8Array | undefined;
  /** This time an old proof is sent. */
  #replays = false;

  constructor(readonly behaviour: Behaviour, readonly random: Random) {}

  /** Whether a gateway may believe it in this connection. */
  get isHonest(): boolean {
    return this.behaviour !== "forged" && !this.#replays;
  }

  /** Whether its relay sticks, when it is to open now. */
  get sticks(): boolean {
    return this.behaviour === "stuck_relay" && this.random() < STUCK_PART;
  }

  /** When it breaks this connection off; {@linkcode Infinity} for never. */
  get breaksAt(): Instant {
    return this.#breaksAt;
  }

  /** A connection is there. */
  begin(now: Instant): void {
    const { behaviour } = this;
    this.#replays = behaviour === "replay" && this.#proof !== undefined && !this.#replays;
    const breaks = behaviour === "flaky" || (behaviour === "replay" && !this.#replays);
    this.#breaksAt = breaks ? after(now, this.#between(seconds(2), seconds(20))) : NEVER;
  }

  /**
   * What is sent instead of octets.
   * @param isOpen Whether the gateway believes the pile, and frames are sealed.
   */
  instead(octets: Uint8Array, isOpen: boolean): Uint8Array[] {
    if (!isFrame(octets)) return [octets];
    if (this.behaviour === "replay") return this.#repeated(octets, isOpen);
    if (this.behaviour !== "flaky") return [octets];
    const garbage = isOpen && this.random() < GARBAGE_PART ? [this.#garbage()] : [];
    return [...garbage, ...this.#torn(octets)];
  }

  #repeated(frame: Uint8Array, isOpen: boolean): Uint8Array[] {
    if (frame[HEADER_SIZE - 1] === TYPE.authResp && !isOpen) {
      if (this.#replays) return [this.#proof!];
      this.#proof ??= frame.slice();
    }
    return isOpen && this.random() < REPEAT_PART ? [frame, frame] : [frame];
  }

  /** Octets that begin no frame: what follows them is one. */
  #garbage(): Uint8Array {
    const length = 1 + pick(this.random, GARBAGE_MAX);
    return Uint8Array.from({ length }, () => pick(this.random, MAGIC[0]!));
  }

  #torn(frame: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (let left = pick(this.random, PIECES_MAX); left > 0 && at < frame.length - 1; left -= 1) {
      const end = at + 1 + pick(this.random, frame.length - at - 1);
      pieces.push(frame.subarray(at, end));
      at = end;
    }
    return [...pieces, frame.subarray(at)];
  }

  #between(least: Millis, most: Millis): Millis {
    return millis(least + this.random() * (most - least));
  }
}

function isFrame(octets: Uint8Array): boolean {
  return octets.length > HEADER_SIZE && MAGIC.every((octet, at) => octets[at] === octet);
}
