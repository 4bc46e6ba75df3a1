/**
 * A pile and the gateway joined without sockets, on a clock of their own, with what owns each: the
 * gateway's makes challenges and judges answers, the pile's moves a relay. Everything random comes
 * from a seed, so that a conversation that was recorded fits a new end of the same seed.
 */
import { AesGcm } from "../../src/app/aes_gcm.ts";
import { after, type Instant, type Millis, millis } from "../../src/base/time.ts";
import { Sm4Gcm } from "../../src/crypto/aead.ts";
import { type Ephemeral, makeEphemeral } from "../../src/crypto/ecdh.ts";
import { Sm2PrivateKey } from "../../src/crypto/sm2.ts";
import { signSecp256k1 } from "../../src/crypto/sm2_curve.ts";
import {
  type AeadMaker,
  agreedOctets,
  AUTH_RESULT,
  type AuthFault,
  type AuthResponse,
  type Challenge,
  checkAuth,
  type Cipher,
  cipherOf,
  CIPHERS,
  crc8,
  GATEWAY_LINK,
  GatewayLink,
  type GatewayLinkEvent,
  type GatewayLinkOptions,
  makeChallenge,
  type Message,
  type MessageOf,
  openSession,
  PILE_LINK,
  type PileKey,
  PileLink,
  type PileLinkEvent,
  type PileLinkOptions,
  RESULT,
} from "../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { random } from "./random.ts";

/** Epoch milliseconds that the gateway tells. */
export const TIME = 1_767_225_600_000;
/** The hash of the policy that the gateway has issued. */
export const POLICY = new Uint8Array(32).fill(0x50);
/** Name of the pile. */
export const PILE = "pile-0001";

/** What a conversation is made of. */
export interface PairOptions {
  readonly cipher: Cipher;
  /** Of everything random at the pile, and at the gateway. */
  readonly seed: number;
  readonly gatewaySeed: number;
  /** Of the line; null: there is none. */
  readonly version: string | null;
  readonly gateway: Partial<GatewayLinkOptions>;
  readonly pile: Partial<PileLinkOptions>;
  /** Whether the pile really signs; where nobody judges it need not. */
  readonly signs: boolean;
}

/** A conversation in the national algorithms. */
export const PAIR: PairOptions = {
  cipher: "sm4-gcm",
  seed: 1,
  gatewaySeed: 2,
  version: "2.0",
  gateway: {},
  pile: {},
  signs: true,
};

/** The ciphers of the code itself, as either end has them. */
export const AEADS: AeadMaker = (cipher, key) =>
  cipher === "sm4-gcm" ? new Sm4Gcm(key) : new AesGcm(key);

const SM2 = Sm2PrivateKey.read(new Uint8Array(32).fill(0x33))!;
/** The secret number 1, whose point is the base of secp256k1. */
const SECP256K1 = Uint8Array.from({ length: 32 }, (_, index) => index === 31 ? 1 : 0);
const BASE = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/** The key that the pile of a cipher has enrolled. */
export function pileKey(cipher: Cipher): PileKey {
  return cipher === "sm4-gcm"
    ? { signer: "sm2", point: SM2.publicKey.octets() }
    : { signer: "secp256k1", point: Uint8Array.fromHex(BASE) };
}

function filling(seed: number): (octets: Uint8Array) => void {
  const dice = random(seed);
  return (octets) => {
    for (let index = 0; index < octets.length; index += 1) octets[index] = dice(256);
  };
}

const MOVING: ReadonlySet<string> = new Set(["start", "stop", "limit"]);

/** A pile: its end of the conversation, and a relay that does what messages say. */
export class SimPile {
  readonly link: PileLink;
  readonly events: PileLinkEvent[] = [];
  /** What the relay was told to do, in order. */
  readonly relay: string[] = [];
  /** Number of its last proof. */
  sequence = 100n;
  /** Changes what is to be signed, as a pile would that has something else in mind. */
  tamper: (octets: Uint8Array) => Uint8Array = (octets) => octets;
  /** Whether commands are answered. */
  answers = true;

  constructor(options: Partial<PairOptions> = {}, now = 0 as Instant) {
    const { cipher, seed, version, pile, signs } = { ...PAIR, ...options };
    // Of its own, so that keys are the same whether it signs or not.
    const [fill, signing] = [filling(seed), filling(seed ^ 0x5150)];
    const sign = (octets: Uint8Array) =>
      cipher === "sm4-gcm"
        ? SM2.sign(octets, undefined, signing)
        : signSecp256k1(SECP256K1, octets);
    const identity = {
      pile: PILE,
      cipher,
      sign: (octets: Uint8Array) => signs ? sign(this.tamper(octets)) : new Uint8Array(64),
      nextSequence: () => this.sequence += 1n,
      aead: AEADS,
      random: fill,
    };
    this.link = new PileLink(identity, now, { ...PILE_LINK, ...pile }, version);
  }

  /** Messages that only the gateway can have made. */
  get messages(): Message[] {
    return this.events.flatMap((event) => event.kind === "message" ? [event.message] : []);
  }

  /** Takes octets, and does what they say. */
  receive(octets: Uint8Array, now: Instant): void {
    this.link.receive(octets, now);
    this.settle();
  }

  /** Does what was heard. */
  settle(): void {
    for (let event = this.link.event(); event; event = this.link.event()) {
      this.events.push(event);
      if (event.kind === "message") this.#obey(event.message);
    }
  }

  #obey(message: Message): void {
    const { kind } = message;
    if (kind !== "start" && kind !== "stop" && kind !== "limit") return;
    const limit = kind === "stop" ? "" : ` at ${message.limit ?? "any"}`;
    this.relay.push(`${message.ticket}: ${kind} ${message.port ?? 0}${limit}`);
    if (!this.answers) return;
    this.link.send({ kind: "answer", to: kind, ticket: message.ticket, result: RESULT.done });
  }
}

/** The gateway: its end of the conversation, and what knows the pile. */
export class SimGateway {
  readonly link: GatewayLink;
  readonly events: GatewayLinkEvent[] = [];
  /** Why answers were not believed. */
  readonly faults: AuthFault[] = [];
  /** The last number that was accepted. */
  last = 100n;
  policyHash = POLICY;
  /** Whether keys are offered. */
  offersKeys = true;
  /** A challenge is given again, as no gateway should. */
  reuses = false;
  /** Decisions wait for `decide`. */
  slow = false;
  readonly #fill: (octets: Uint8Array) => void;
  readonly #cipher: Cipher;
  #challenge: Challenge | undefined;
  #sessionId = new Uint8Array(16);
  #own: Ephemeral | undefined;
  #asked: GatewayLinkEvent[] = [];

  constructor(options: Partial<PairOptions> = {}, now = 0 as Instant) {
    const { cipher, gatewaySeed, gateway } = { ...PAIR, ...options };
    this.#fill = filling(gatewaySeed);
    this.#cipher = cipher;
    this.link = new GatewayLink(now, { ...GATEWAY_LINK, ...gateway });
  }

  /** What came, and whether it was sealed. */
  get messages(): (Message & { readonly sealed: boolean })[] {
    return this.events.flatMap((event) =>
      event.kind === "message" ? [{ ...event.message, sealed: event.sealed }] : []
    );
  }

  /** Takes octets, and decides what they ask for. */
  receive(octets: Uint8Array, now: Instant): void {
    this.link.receive(octets, now);
    this.settle(now);
  }

  /** Decides what was asked for. */
  settle(now: Instant): void {
    for (let event = this.link.event(); event; event = this.link.event()) {
      this.events.push(event);
      this.#asked.push(event);
      if (!this.slow) this.decide(now);
    }
  }

  /** Decides what has waited. */
  decide(now: Instant): void {
    for (const event of this.#asked.splice(0)) {
      if (event.kind === "challenge_wanted") this.#ask(event.request, now);
      else if (event.kind === "auth") this.#judge(event.response, now);
      else if (event.kind === "auth_json") this.link.accept(undefined, TIME, now);
    }
  }

  #ask(request: MessageOf<"challengeRequest">, now: Instant): void {
    const cipher = cipherOf(request.cipher ?? 0);
    if (!this.reuses || !this.#challenge) {
      this.#challenge = makeChallenge(this.policyHash, now, this.#fill);
    }
    this.#fill(this.#sessionId);
    this.#own = cipher && this.offersKeys
      ? makeEphemeral(CIPHERS[cipher].curve, this.#fill)
      : undefined;
    this.link.challenge({
      kind: "challenge",
      challenge: this.#challenge.octets,
      policyHash: this.#challenge.policyHash,
      expiry: this.#challenge.until - now,
      sessionId: this.#sessionId.slice(),
      ...this.#own && { publicKey: this.#own.point },
    });
  }

  #judge(response: AuthResponse & { readonly publicKey?: Uint8Array }, now: Instant): void {
    const { publicKey } = response;
    const [challenge, own, id] = [this.#challenge, this.#own, this.#sessionId];
    assert(challenge);
    const agreed = own && publicKey ? agreedOctets(id, own.point, publicKey) : undefined;
    const fault = checkAuth(challenge, response, pileKey(this.#cipher), this.last, now, agreed);
    if (fault) {
      this.faults.push(fault);
      const told = fault === "signature" ? "refused" : fault === "used" ? "expired" : fault;
      return this.link.refuse(AUTH_RESULT[told], TIME);
    }
    const secret = own && publicKey && own.agree(publicKey);
    if (publicKey && !secret) return this.link.refuse(AUTH_RESULT.refused, TIME);
    this.last = response.sequence;
    const { crc } = this.link;
    const agreement = secret && { cipher: this.#cipher, secret, sessionId: id };
    const session = agreement && openSession(agreement, "gateway", AEADS, crc);
    this.link.accept(session, TIME, now);
  }
}

/** Which way octets go. */
export type Way = "up" | "down";

/** Octets, and when they came. */
export interface Said {
  readonly at: Instant;
  readonly octets: Uint8Array;
}

/** Both, joined. */
export class Cip22Pair {
  readonly pile: SimPile;
  readonly gateway: SimGateway;
  /** What each end has said, frame by frame; `up` is the pile's. */
  readonly said = { up: [] as Said[], down: [] as Said[] };
  /** Somebody between: what goes on instead. */
  between: (way: Way, octets: Uint8Array) => readonly Uint8Array[] = (_, octets) => [octets];
  now = 0 as Instant;

  constructor(options: Partial<PairOptions> = {}) {
    this.pile = new SimPile(options);
    this.gateway = new SimGateway(options);
  }

  /** Carries what waits, until nothing does. */
  run(): this {
    for (let busy = true; busy;) {
      this.pile.settle();
      this.gateway.settle(this.now);
      const up = this.#carry("up");
      busy = this.#carry("down") || up;
    }
    return this;
  }

  /** Lets time pass, deadline by deadline. */
  advance(span: Millis): this {
    const end = after(this.now, span);
    for (this.run(); this.#next() <= end; this.run()) {
      this.now = Math.max(this.now, this.#next()) as Instant;
      this.pile.link.expire(this.now);
      this.gateway.link.expire(this.now);
      assert(this.#next() > this.now, "what was due is done");
    }
    this.now = end;
    return this;
  }

  /** Gives a command, and carries it. */
  command(message: Message): boolean {
    const done = this.gateway.link.send(message);
    this.run();
    return done;
  }

  #next(): Instant {
    const { pile, gateway } = this;
    return Math.min(pile.link.deadline ?? Infinity, gateway.link.deadline ?? Infinity) as Instant;
  }

  #carry(way: Way): boolean {
    const [from, to] = way === "up" ? [this.pile, this.gateway] : [this.gateway, this.pile];
    const octets = from.link.transmit();
    if (!octets) return false;
    this.said[way].push({ at: this.now, octets });
    for (const chunk of this.between(way, octets)) to.receive(chunk, this.now);
    return true;
  }
}

/** A conversation as it went over the wire, and what came of it. */
export interface Recorded {
  readonly options: Partial<PairOptions>;
  /** Of the gateway, frame by frame: the challenge, the verdict, and what is sealed. */
  readonly down: readonly Said[];
  /** Of the pile: the line first. */
  readonly up: readonly Said[];
  /** What the relay was told to do. */
  readonly relay: readonly string[];
  /** What the pile told. */
  readonly told: readonly Message[];
}

/** Records a conversation in which the gateway says these, one every ten seconds. */
export function record(options: Partial<PairOptions>, said: readonly Message[]): Recorded {
  const pair = new Cip22Pair(options).run();
  for (const message of said) {
    pair.command(message);
    pair.pile.link.send({ kind: "heartbeat", time: TIME + pair.now });
    pair.advance(millis(10_000));
  }
  const { relay } = pair.pile;
  assert(relay.length === said.filter(({ kind }) => MOVING.has(kind)).length, "all was obeyed");
  return { options, ...pair.said, relay, told: pair.gateway.messages };
}

/** The same frame with another octet at its end, so that its check holds again. */
export function repaired(frame: Uint8Array): Uint8Array {
  return frame.with(frame.length - 1, crc8(frame, 0, frame.length - 1, "itu"));
}

/**
 * The relay did what the gateway ordered, in its order, up to some place; and nothing else.
 * @returns How much of it.
 */
export function obeyedInOrder(
  { options, relay }: Recorded,
  said: readonly Said[],
  what: string,
): number {
  const pile = heardByPile(options, said);
  assertEquals(pile.relay, relay.slice(0, pile.relay.length), what);
  return pile.relay.length;
}

/** What a pile makes of octets that were said, and of a minute of silence behind them. */
export function heardByPile(options: Partial<PairOptions>, all: readonly Said[]): SimPile {
  const pile = new SimPile({ ...options, signs: false });
  heard(pile, all, () => pile.settle());
  return pile;
}

/** What a gateway makes of octets that were said, and of a minute of silence behind them. */
export function heardByGateway(options: Partial<PairOptions>, all: readonly Said[]): SimGateway {
  const gateway = new SimGateway({
    ...options,
    gateway: { silence: millis(1e9), ...options.gateway },
  });
  heard(gateway, all, (now) => gateway.settle(now));
  return gateway;
}

function heard(end: SimPile | SimGateway, all: readonly Said[], settle: (now: Instant) => void) {
  let [now, turns] = [0 as Instant, 0];
  const pass = (until: number) => {
    for (let due = end.link.deadline; due !== undefined && due <= until; due = end.link.deadline) {
      now = Math.max(now, due) as Instant;
      end.link.expire(now);
      settle(now);
      while (end.link.transmit()) { /* Nobody is there. */ }
      turns += 1;
      assert(turns < 10_000, "what is due is done some day");
    }
    now = Math.max(now, until) as Instant;
  };
  for (const { at, octets } of all) {
    pass(at);
    end.receive(octets, now);
  }
  pass(now + 60_000);
}
