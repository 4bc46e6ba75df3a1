/** One connection of a pile, or one stream of it, from its acceptance to its end. */
import { AppError, describe } from "../../base/errors.ts";
import { millis } from "../../base/time.ts";
import { FrameTrace } from "../../kernel/frame_trace.ts";
import type { Context } from "../../kernel/module.ts";
import { type ByteConn, LinkDriver } from "../../platform/drive.ts";
import {
  AUTH_RESULT,
  type AuthResponse,
  type Cipher,
  cipherOf,
  CIPHERS,
  type ExtensionMap,
  GatewayLink,
  type GatewayLinkEvent,
  type JsonEvent,
  type Message,
  type MessageOf,
  PILE_STATES,
  readJsonAuth,
  readJsonEvent,
  typeName,
} from "../../protocol/cip22/mod.ts";
import type { Audit } from "./audit.ts";
import type { Asked, Authenticator } from "./authenticator.ts";
import type { Config } from "./config.ts";
import type { PileRecord, PileSession } from "./pile_record.ts";

/** Of those who ask for none. */
export const CIPHER_DEFAULT: Cipher = "sm4-gcm";
/** How much longer than their age allows keys may be used, so that the pile can ask for new ones. */
const KEYS_SPARE = millis(300_000);

/** What a connection shares with its gateway. */
export interface SessionSurroundings {
  readonly ctx: Context;
  readonly config: Config;
  readonly authenticator: Authenticator;
  readonly audit: Audit;
  readonly extensions: ExtensionMap;
  /** The pile of that name; undefined when it is not in the register. */
  record(pile: string): PileRecord | undefined;
  /** A pile was believed. With `renewed` it was before, and has new keys. */
  opened(record: PileRecord, session: Connection, renewed: boolean): void;
  /** It said something. */
  took(record: PileRecord, message: Message, session: Connection): void;
  /** Its connection has ended. */
  closed(record: PileRecord, session: Connection, why: string): void;
}

/** Where a connection comes from. */
export interface Origin {
  /** `address:port`. */
  readonly remote: string;
  /** Names in the certificate that was shown. */
  readonly names?: readonly string[];
}

/** See the module. */
export class Connection implements PileSession {
  readonly #around: SessionSurroundings;
  readonly #link: GatewayLink;
  readonly #driver: LinkDriver<GatewayLinkEvent>;
  readonly #over = new AbortController();
  readonly #origin: Origin;
  #asked: Asked | undefined;
  #record: PileRecord | undefined;
  #why: string | undefined;

  constructor(around: SessionSurroundings, conn: ByteConn, origin: Origin) {
    const { ctx, config } = around;
    this.#around = around;
    this.#origin = origin;
    this.#link = new GatewayLink(ctx.clock.now(), {
      crc: config.crc8,
      authWithin: config.authWithin,
      silence: millis(config.heartbeat * config.missed),
      keysWithin: millis(config.keysWithin + KEYS_SPARE),
    });
    this.#link.observer = new FrameTrace(ctx, "cip22.frame", origin.remote, frameText).take;
    const over = AbortSignal.any([ctx.signal, this.#over.signal]);
    this.#driver = new LinkDriver(this.#link, conn, ctx.clock, over);
  }

  /** `address:port` of the pile. */
  get remote(): string {
    return this.#origin.remote;
  }

  /** Whether commands may be given. */
  get isSealed(): boolean {
    return this.#link.isSealed;
  }

  /** Whether its pile was believed. */
  get isOpen(): boolean {
    return this.#link.state === "open";
  }

  /** Version of the messages, as the pile told it. */
  get version(): string | undefined {
    return this.#link.version;
  }

  /** Begins where version, and challenge too, came by HTTP. */
  adopt(version: string | undefined, asked: Asked | undefined): void {
    this.#asked = asked;
    this.#link.adopt(version, asked !== undefined);
  }

  tell(message: Message): boolean {
    if (!this.#link.send(message)) return false;
    this.#around.ctx.counters.add("messages_out");
    this.#driver.wake();
    return true;
  }

  close(why: string): void {
    this.#why ??= why;
    this.#over.abort();
  }

  /** Runs to its end. It never rejects for what a pile does. */
  async run(): Promise<void> {
    try {
      for await (const event of this.#driver) {
        if (event.kind === "closed") {
          this.#why ??= event.why;
          if (event.why === "refused") await this.#flush();
          break;
        }
        this.#event(event);
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#why ??= describe(error);
    } finally {
      this.#over.abort();
      this.#link.forget();
      const why = this.#why ?? "the gateway ends";
      if (this.#record) this.#around.closed(this.#record, this, why);
      else {
        this.#around.ctx.log.info("pile.gone", "Connection has ended before a pile was believed", {
          client: this.remote,
          why,
        });
      }
    }
  }

  /** What is still to be told to a pile that is not believed. */
  async #flush(): Promise<void> {
    for (let next = this.#link.transmit(); next; next = this.#link.transmit()) {
      await this.#driver.conn.write(next);
    }
    await this.#driver.conn.finish?.();
  }

  #event(event: GatewayLinkEvent): void {
    const { ctx } = this.#around;
    switch (event.kind) {
      case "challenge_wanted":
        this.#challenge(event.request);
        break;
      case "auth":
        this.#judge(event.response, event.response.publicKey);
        break;
      case "auth_json":
        this.#judgeJson(event.text, event.version);
        break;
      case "message":
        this.#take(event.message);
        break;
      case "event_json":
        this.#takeJson(event.text, event.version);
        break;
      case "dropped":
        ctx.counters.add(droppedCounter(event.why));
        ctx.log.warn("pile.dropped", "Message was not taken", {
          client: this.remote,
          pile: this.#record?.name,
          why: event.why,
          code: event.code,
        });
    }
  }

  #challenge({ cipher }: MessageOf<"challengeRequest">): void {
    const { authenticator } = this.#around;
    // By the request alone, so that a stranger cannot learn who is in the register.
    const asked = authenticator.ask(cipherOf(cipher ?? 0) ?? CIPHER_DEFAULT);
    this.#asked = asked;
    this.#link.challenge({
      kind: "challenge",
      challenge: asked.challenge.octets,
      policyHash: asked.challenge.policyHash,
      expiry: this.#around.config.challengeWithin,
      sessionId: asked.sessionId,
      publicKey: asked.own.point,
    });
  }

  #judgeJson(text: string, version: string | undefined): void {
    const { ctx, extensions } = this.#around;
    const read = readJsonAuth(text, version, extensions);
    if ("fault" in read) {
      ctx.counters.add("malformed");
      this.#refuse({ pile: "?", sequence: 0n }, read.fault, AUTH_RESULT.refused);
      return;
    }
    for (const warning of read.warnings) {
      ctx.log.warn("pile.json", warning, { pile: read.response.pile });
    }
    this.#judge(read.response, read.publicKey);
  }

  #judge(response: AuthResponse, publicKey: Uint8Array | undefined): void {
    const { authenticator, config } = this.#around;
    const asked = this.#asked;
    const record = this.#around.record(response.pile);
    const own = this.#record;
    if (!asked || (own && own !== record)) {
      return this.#refuse(response, "no challenge of its own", AUTH_RESULT.refused);
    }
    const named = config.names === "any" || this.#origin.names?.includes(response.pile);
    if (!named) return this.#refuse(response, "certificate", AUTH_RESULT.refused);
    const verdict = authenticator.judge(
      ...[asked, response, record?.enrolled, record?.sequence ?? 0n, publicKey] as const,
      this.#link.crc,
    );
    if (verdict.kind === "refused" || !record) {
      const why = verdict.kind === "refused" ? verdict.why : "unknown";
      const result = verdict.kind === "refused" ? verdict.result : AUTH_RESULT.refused;
      return this.#refuse(response, why, result);
    }
    record.sequence = response.sequence;
    const { clock } = this.#around.ctx;
    this.#link.accept(verdict.session, clock.epoch(), clock.now());
    this.#record = record;
    this.#around.opened(record, this, own !== undefined);
  }

  #refuse(
    { pile, sequence }: Pick<AuthResponse, "pile" | "sequence">,
    why: string,
    result: number,
  ): void {
    const { ctx, audit } = this.#around;
    audit.auth(this.remote, pile, sequence, why);
    ctx.counters.add("auth_failures");
    ctx.log.warn("pile.refused", "Pile is not believed", { pile, client: this.remote, why });
    this.#why = `not believed: ${why}`;
    this.#link.refuse(result, ctx.clock.epoch());
  }

  #take(message: Message): void {
    const record = this.#record;
    if (!record) return;
    const { ctx } = this.#around;
    ctx.counters.add("messages_in");
    record.heardAt = ctx.clock.epoch();
    if (message.kind === "heartbeat" || message.kind === "timeSync") {
      this.tell({ kind: message.kind, time: ctx.clock.epoch() });
    } else this.#around.took(record, message, this);
  }

  #takeJson(text: string, version: string | undefined): void {
    const { ctx, extensions } = this.#around;
    const event = readJsonEvent(text, version, extensions);
    const wrong = "fault" in event
      ? event.fault
      : event.device !== this.#record?.name
      ? `device_id is ${event.device}, and it is not that pile's session`
      : undefined;
    if (wrong === undefined && !("fault" in event)) {
      return this.#take(messageOf(event, ctx.clock.epoch()));
    }
    ctx.counters.add("malformed");
    ctx.log.warn("pile.json", "Message was not taken", { pile: this.#record?.name, why: wrong });
  }
}

/** An event in JSON as the message that it is in elements. */
function messageOf(event: JsonEvent, epoch: number): Message {
  switch (event.kind) {
    case "battery": {
      const { report: { bike, time, data }, digest, signature } = event;
      const signed = signature && { signature };
      return { kind: "battTelem", bikeId: bike, time: Number(time), data, digest, ...signed };
    }
    case "status": {
      const state = PILE_STATES.indexOf(event.state);
      const { power, energy } = event;
      const closed = event.state === "charging";
      return { kind: "status", state, closed, power, energy, time: epoch };
    }
    case "fault": {
      const { code: reason, hazard, text } = event;
      return {
        kind: "fault",
        reason,
        hazard,
        cleared: false,
        time: epoch,
        ...text === undefined ? {} : { text },
      };
    }
  }
}

function droppedCounter(why: string): "forged" | "replayed" | "malformed" | "unknown" {
  if (why === "forged" || why === "short" || why === "clear") return "forged";
  if (why === "replayed" || why === "old" || why === "gap") return "replayed";
  return why === "unknown" ? "unknown" : "malformed";
}

/** A frame for people; what is sealed is not opened for it. */
export function frameText(frame: Uint8Array): string {
  const type = frame[6] ?? 0;
  return `${typeName(type)}, ${frame.length} octets`;
}

/** Numbers and names of the ciphers, for those who ask for a challenge by HTTP. */
export function cipherNamed(name: unknown): Cipher | undefined {
  return (Object.keys(CIPHERS) as Cipher[]).find((one) => one === name);
}
