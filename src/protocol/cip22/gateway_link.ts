/**
 * The gateway's end of a conversation with a pile.
 *
 * | state | what ends it | next |
 * |---|---|---|
 * | line | a version line, or a frame | hello |
 * | hello | CHALLENGE_REQUEST; its owner answers with `challenge` | challenged |
 * | challenged | AUTH_RESP; its owner answers with `accept`, or with `refuse` | open, closed |
 * | open | nothing heard for three heartbeats; keys too old; frames nobody can open | closed |
 *
 * In `open` everything is sealed, but for piles of versions that agree on no keys: these can tell
 * and are told nothing. New keys are agreed on as the first ones were, within the old ones.
 * @module
 */
import type { Link } from "../../base/link.ts";
import { after, type Instant, type Millis, seconds } from "../../base/time.ts";
import { concat } from "../../base/octets.ts";
import type { CrcKind } from "./frame.ts";
import { Channel, type ChannelOptions, type Incoming, QUEUE_MAX } from "./channel.ts";
import { AUTH_RESULT, type Message, type MessageOf } from "./messages.ts";
import type { Session } from "./session.ts";
import { readVersionLine } from "./version_line.ts";

/** See the module. */
export type GatewayLinkState = "line" | "hello" | "challenged" | "open" | "closed";

/** What may be chosen. */
export interface GatewayLinkOptions extends ChannelOptions {
  /** How long a pile may take until it is believed. */
  readonly authWithin: Millis;
  /** How long a pile may be silent. */
  readonly silence: Millis;
  /** How long keys may be used. */
  readonly keysWithin: Millis;
}

/** Those of the specification: three heartbeats of 10 s, an hour for keys and some minutes more. */
export const GATEWAY_LINK: GatewayLinkOptions = {
  crc: "auto",
  authWithin: seconds(15),
  silence: seconds(30),
  keysWithin: seconds(3900),
};

/** Why a conversation has ended. */
export type GatewayClose =
  | "version"
  | "auth_timeout"
  | "refused"
  | "silence"
  | "keys_old"
  | "forged"
  | "not_reading"
  | "unexpected";

/** What a conversation tells its owner. */
export type GatewayLinkEvent =
  | { readonly kind: "challenge_wanted"; readonly request: MessageOf<"challengeRequest"> }
  | { readonly kind: "auth"; readonly response: MessageOf<"authResp"> }
  /** An answer as JSON, of the version that the line told. */
  | { readonly kind: "auth_json"; readonly text: string; readonly version: string | undefined }
  /** `sealed`: nobody but the pile can have said it. */
  | { readonly kind: "message"; readonly message: Message; readonly sealed: boolean }
  | { readonly kind: "event_json"; readonly text: string; readonly version: string | undefined }
  | { readonly kind: "dropped"; readonly why: string; readonly code: string }
  | { readonly kind: "closed"; readonly why: GatewayClose };

const NOTHING = new Uint8Array(0);

/** See the module. */
export class GatewayLink implements Link<GatewayLinkEvent> {
  readonly #channel: Channel;
  readonly #events: GatewayLinkEvent[] = [];
  #state: GatewayLinkState = "line";
  /** What has come of a line that is not whole yet. */
  #line: Uint8Array = NOTHING;
  #version: string | undefined;
  #authUntil: Instant;
  #heardUntil: Instant = Infinity as Instant;
  #keysUntil: Instant = Infinity as Instant;
  /** Within an open conversation: new keys are being agreed on. */
  #renewing = false;
  /** The owner has something to decide before the next frame may be looked at. */
  #deciding = false;
  /** It has decided: what came in between has not been looked at yet. */
  #resuming = false;
  /** Octets that came since there is something to decide. */
  #waiting = 0;

  constructor(now: Instant, readonly options: GatewayLinkOptions = GATEWAY_LINK) {
    this.#channel = new Channel(options);
    this.#authUntil = after(now, options.authWithin);
  }

  /** See {@linkcode GatewayLinkState}. */
  get state(): GatewayLinkState {
    return this.#state;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#state === "closed";
  }

  /** Whether commands may be given: nobody else could have made them. */
  get isSealed(): boolean {
    return this.#state === "open" && this.#channel.isSealed;
  }

  /** What the peer said of its version. */
  get version(): string | undefined {
    return this.#version;
  }

  /** The check of frames that are sent. */
  get crc(): CrcKind {
    return this.#channel.crc;
  }

  /** Counts of frames. */
  get counts() {
    return this.#channel.reader.counts;
  }

  /** Sees each frame as it goes over the wire. */
  set observer(observer: (way: "in" | "out", frame: Uint8Array) => void) {
    this.#channel.observer = observer;
  }

  /** Begins where the version, or the challenge too, was told another way: by HTTP. */
  adopt(version: string | undefined, challenged: boolean): void {
    this.#version = version;
    this.#state = challenged ? "challenged" : "hello";
  }

  /** Answers a request for a challenge. */
  challenge(message: MessageOf<"challenge">): void {
    this.#resume();
    if (this.#state === "open") this.#renewing = true;
    else if (this.#state === "hello") this.#state = "challenged";
    else return;
    this.#channel.send(message);
  }

  /**
   * The pile is believed.
   * @param session Undefined for a pile that agrees on no keys.
   */
  accept(session: Session | undefined, time: number, now: Instant): void {
    if (this.#state === "closed") return;
    this.#channel.send({
      kind: "authResult",
      result: AUTH_RESULT.good,
      time,
      ...session && { check: session.check },
    });
    this.#channel.use(session);
    this.#state = "open";
    this.#renewing = false;
    this.#resume();
    this.#authUntil = Infinity as Instant;
    this.#keysUntil = session ? after(now, this.options.keysWithin) : Infinity as Instant;
    this.#heard(now);
  }

  /** The pile is not believed: it is told, and the conversation ends. */
  refuse(result: number, time: number): void {
    if (this.#state === "closed") return;
    this.#channel.send({ kind: "authResult", result, time });
    this.#close("refused");
  }

  /** Tells a pile something; false when nothing can be told now. */
  send(message: Message): boolean {
    if (this.#state !== "open" || this.#channel.isFull || this.#channel.isSpent) return false;
    this.#channel.send(message);
    return true;
  }

  receive(bytes: Uint8Array, now: Instant): void {
    if (this.isOver) return;
    const octets = this.#state === "line" ? this.#afterLine(bytes) : bytes;
    if (!octets) return;
    if (this.#deciding) this.#waiting += octets.length;
    if (this.#waiting > QUEUE_MAX) return this.#close("unexpected");
    this.#resuming = false;
    this.#channel.reader.feed(octets, now);
    // Nothing is taken between an answer and the verdict on it: it may change the keys.
    while (!this.#deciding && !this.isOver) {
      const incoming = this.#channel.next(now);
      if (!incoming) return;
      this.#take(incoming, now);
    }
  }

  expire(now: Instant): void {
    if (this.#state === "closed") return;
    if (this.#channel.isFull) this.#close("not_reading");
    else if (now >= this.#authUntil) this.#close("auth_timeout");
    else if (now >= this.#heardUntil) this.#close("silence");
    else if (now >= this.#keysUntil || this.#channel.isSpent) this.#close("keys_old");
    else if (this.#state !== "line") {
      this.receive(NOTHING, now);
      // What waits for a decision is not late.
      if (this.#deciding) return;
      this.#channel.reader.expire(now);
      this.receive(NOTHING, now);
    }
  }

  get deadline(): Instant | undefined {
    if (this.#state === "closed") return undefined;
    const frameUntil = this.#channel.reader.deadline ?? Infinity;
    const atOnce = this.#channel.isFull || this.#channel.isSpent ||
      (this.#resuming && frameUntil < Infinity);
    const next = Math.min(
      atOnce ? 0 : Infinity,
      this.#authUntil,
      this.#heardUntil,
      this.#keysUntil,
      this.#deciding ? Infinity : frameUntil,
    );
    return next === Infinity ? undefined : next as Instant;
  }

  transmit(): Uint8Array | undefined {
    return this.#channel.transmit();
  }

  event(): GatewayLinkEvent | undefined {
    return this.#events.shift();
  }

  /** Forgets the keys. */
  forget(): void {
    this.#channel.end();
  }

  #afterLine(bytes: Uint8Array): Uint8Array | undefined {
    this.#line = concat([this.#line, bytes]);
    const line = readVersionLine(this.#line);
    if (line.kind === "more") return undefined;
    if (line.kind === "malformed") {
      this.#close("version");
      return undefined;
    }
    this.#state = "hello";
    if (line.kind === "line") this.#version = line.version;
    const rest = line.kind === "line" ? this.#line.slice(line.size) : this.#line;
    this.#line = NOTHING;
    return rest;
  }

  #take(incoming: Incoming, now: Instant): void {
    if (incoming.kind === "dropped") {
      this.#events.push(incoming);
      if (this.#channel.isAttacked) this.#close("forged");
      return;
    }
    this.#heard(now);
    if (incoming.kind === "unknown") {
      this.#events.push({ kind: "dropped", why: "unknown", code: `cip22.type.${incoming.type}` });
    } else if (incoming.kind === "json") this.#json(incoming.text);
    else this.#message(incoming.message);
  }

  /** Tells the owner something that it has to decide. */
  #ask(event: GatewayLinkEvent): void {
    this.#deciding = true;
    this.#events.push(event);
  }

  /** The owner has decided. */
  #resume(): void {
    this.#deciding = false;
    this.#resuming = true;
    this.#waiting = 0;
  }

  #json(text: string): void {
    const version = this.#version;
    if (this.#state === "challenged") this.#ask({ kind: "auth_json", text, version });
    else if (this.#state === "open") this.#events.push({ kind: "event_json", text, version });
    else this.#close("unexpected");
  }

  #message(message: Message): void {
    const open = this.#state === "open";
    if (message.kind === "challengeRequest" && (open || this.#state === "hello")) {
      this.#ask({ kind: "challenge_wanted", request: message });
    } else if (
      message.kind === "authResp" && (this.#state === "challenged" || this.#renewing)
    ) {
      this.#ask({ kind: "auth", response: message });
    } else if (!open) this.#close("unexpected");
    else this.#events.push({ kind: "message", message, sealed: this.#channel.isSealed });
  }

  #heard(now: Instant): void {
    if (this.#state === "open") this.#heardUntil = after(now, this.options.silence);
  }

  #close(why: GatewayClose): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#events.push({ kind: "closed", why });
  }
}
