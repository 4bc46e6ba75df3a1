/**
 * The pile's end of a conversation with the gateway: for simulated piles, for tests, and as the
 * description of what a real one does.
 *
 * It asks for a challenge, signs it, and from the gateway's good word on takes commands: each
 * sealed, each the very next one. It asks for new keys before the old ones are worn.
 * @module
 */
import type { Link } from "../../base/link.ts";
import { after, type Instant, type Millis, seconds } from "../../base/time.ts";
import { type Ephemeral, makeEphemeral } from "../../crypto/ecdh.ts";
import { signedOctets } from "./auth.ts";
import { Channel, type ChannelOptions, type Incoming, QUEUE_MAX } from "./channel.ts";
import { OVERHEAD } from "./frame.ts";
import { AUTH_RESULT, type Message, type MessageOf, writeMessage } from "./messages.ts";
import {
  type AeadMaker,
  agreedOctets,
  type Cipher,
  CIPHERS,
  openSession,
  sameKeys,
  type Session,
} from "./session.ts";
import { SEAL_OVERHEAD } from "./session_keys.ts";
import { writeVersionLine } from "./version_line.ts";

/** Who a pile is, and what it can do. */
export interface PileIdentity {
  readonly pile: string;
  readonly cipher: Cipher;
  /** Signs octets: r and s, 64 octets. */
  sign(octets: Uint8Array): Uint8Array;
  /** A number greater than all before. */
  nextSequence(): bigint;
  readonly aead: AeadMaker;
  /** Fills octets with numbers that nobody can guess. */
  random(octets: Uint8Array): void;
}

/** What may be chosen. */
export interface PileLinkOptions extends ChannelOptions {
  /** How long the gateway may take to answer while it is asked to believe. */
  readonly authWithin: Millis;
  /** Age of keys at which new ones are asked for. */
  readonly renewAfter: Millis;
}

/** Those of the specification. */
export const PILE_LINK: PileLinkOptions = {
  crc: "itu",
  authWithin: seconds(15),
  renewAfter: seconds(3300),
};

/** What a conversation tells the pile. */
export type PileLinkEvent =
  /** The gateway believes; also with new keys. */
  | { readonly kind: "opened"; readonly renewed: boolean; readonly time: number }
  | { readonly kind: "refused"; readonly result: number }
  /** A command or an answer, which only the gateway can have made. */
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "dropped"; readonly why: string; readonly code: string }
  | { readonly kind: "closed"; readonly why: "auth_timeout" | "keys" | "forged" | "unexpected" };

/** Where it stands. */
export type PileLinkState = "asking" | "proving" | "open" | "closed";

const NOTHING = new Uint8Array(0);

/** See the module. */
export class PileLink implements Link<PileLinkEvent> {
  readonly #channel: Channel;
  readonly #events: PileLinkEvent[] = [];
  #state: PileLinkState = "asking";
  #until: Instant;
  #renewAt: Instant = Infinity as Instant;
  #next: Session | undefined;
  /** Messages that wait, because frames must not be sealed while keys change. */
  readonly #held: Message[] = [];
  #heldSize = 0;
  #wasOpen = false;

  /** @param version What the line before the first frame says; null: none is sent. */
  constructor(
    readonly identity: PileIdentity,
    now: Instant,
    readonly options: PileLinkOptions = PILE_LINK,
    version: string | null = "2.0",
  ) {
    this.#channel = new Channel(options);
    this.#until = after(now, options.authWithin);
    if (version !== null) this.#channel.raw(writeVersionLine(version));
    this.#ask();
  }

  /** See {@linkcode PileLinkState}. */
  get state(): PileLinkState {
    return this.#state;
  }

  /** Sees each frame as it goes over the wire. */
  set observer(observer: (way: "in" | "out", frame: Uint8Array) => void) {
    this.#channel.observer = observer;
  }

  /** Tells the gateway something; false while it does not believe yet, or where too much waits. */
  send(message: Message): boolean {
    if (!this.#wasOpen || this.#state === "closed" || this.#channel.isFull) return false;
    if (this.#state === "open") this.#channel.send(message);
    else return this.#hold(message);
    return true;
  }

  receive(bytes: Uint8Array, now: Instant): void {
    if (this.#state === "closed") return;
    this.#channel.reader.feed(bytes, now);
    while (this.state !== "closed") {
      const incoming = this.#channel.next(now);
      if (!incoming) return;
      this.#take(incoming, now);
    }
  }

  expire(now: Instant): void {
    if (this.#state === "closed") return;
    this.#channel.reader.expire(now);
    this.receive(NOTHING, now);
    if (this.#state !== "open" && now >= this.#until) return this.#close("auth_timeout");
    if (this.#state === "open" && (now >= this.#renewAt || this.#channel.isWorn)) {
      this.#state = "asking";
      this.#until = after(now, this.options.authWithin);
      this.#ask();
    }
  }

  get deadline(): Instant | undefined {
    if (this.#state === "closed") return undefined;
    const renewAt = this.#channel.isWorn ? 0 : this.#renewAt;
    const own = this.#state === "open" ? renewAt : this.#until;
    const next = Math.min(own, this.#channel.reader.deadline ?? Infinity);
    return next === Infinity ? undefined : next as Instant;
  }

  transmit(): Uint8Array | undefined {
    return this.#channel.transmit();
  }

  event(): PileLinkEvent | undefined {
    return this.#events.shift();
  }

  /** Forgets the keys. */
  forget(): void {
    this.#channel.end();
  }

  #ask(): void {
    const { pile, cipher } = this.identity;
    this.#channel.send({ kind: "challengeRequest", pile, cipher: CIPHERS[cipher].number });
  }

  #take(incoming: Incoming, now: Instant): void {
    if (incoming.kind === "dropped") {
      this.#events.push(incoming);
      // Where one command is missing the next ones must not be guessed at.
      if (this.#channel.isAttacked || incoming.why === "gap") this.#close("forged");
    } else if (incoming.kind !== "message") {
      this.#events.push({ kind: "dropped", why: "unknown", code: `cip22.type.${incoming.type}` });
    } else this.#message(incoming.message, now);
  }

  #message(message: Message, now: Instant): void {
    if (message.kind === "challenge" && this.#state === "asking") this.#prove(message);
    else if (message.kind === "authResult" && this.#state === "proving") {
      this.#decided(message, now);
    } else if (this.#wasOpen && this.#channel.isSealed) {
      this.#events.push({ kind: "message", message });
    } else {
      // What is not sealed may be anybody's.
      this.#events.push({ kind: "dropped", why: "clear", code: "cip22.sealed.clear" });
    }
  }

  #prove({ challenge, policyHash, sessionId, publicKey }: MessageOf<"challenge">): void {
    const { identity } = this;
    const { cipher, pile } = identity;
    const own = publicKey && makeEphemeral(CIPHERS[cipher].curve, identity.random);
    const agreed = own && publicKey ? agreedOctets(sessionId, publicKey, own.point) : undefined;
    this.#next = own && publicKey && this.#session(own, publicKey, sessionId);
    if (own && !this.#next) return this.#close("keys");
    const fields = { pile, sequence: identity.nextSequence(), policyHash };
    const signature = identity.sign(signedOctets(challenge, fields, agreed));
    const key = own && { publicKey: own.point };
    this.#channel.send({ kind: "authResp", ...fields, signature, ...key });
    this.#state = "proving";
  }

  #session(own: Ephemeral, other: Uint8Array, sessionId: Uint8Array): Session | undefined {
    const { cipher, aead } = this.identity;
    const secret = own.agree(other);
    return secret && openSession({ cipher, secret, sessionId }, "pile", aead, this.#channel.crc);
  }

  #decided({ result, check, time }: MessageOf<"authResult">, now: Instant): void {
    if (result !== AUTH_RESULT.good) {
      this.#state = "closed";
      this.#events.push({ kind: "refused", result });
      return;
    }
    if (this.#next && !sameKeys(this.#next, check)) return this.#close("keys");
    this.#channel.use(this.#next);
    this.#next = undefined;
    this.#state = "open";
    this.#renewAt = after(now, this.options.renewAfter);
    this.#events.push({ kind: "opened", renewed: this.#wasOpen, time });
    this.#wasOpen = true;
    this.#heldSize = 0;
    for (const message of this.#held.splice(0)) this.#channel.send(message);
  }

  /** Keeps a message until keys have changed. All that is kept has room in the queue then. */
  #hold(message: Message): boolean {
    const size = writeMessage(message).length + SEAL_OVERHEAD + OVERHEAD;
    if (this.#channel.queued + this.#heldSize + size > QUEUE_MAX / 2) return false;
    this.#heldSize += size;
    this.#held.push(message);
    return true;
  }

  #close(why: Extract<PileLinkEvent, { kind: "closed" }>["why"]): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#events.push({ kind: "closed", why });
  }
}
