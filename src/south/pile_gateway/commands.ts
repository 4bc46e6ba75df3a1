/** Commands to piles, followed to their answers. Nothing is ever sent twice by itself. */
import { after, type Millis, seconds } from "../../base/time.ts";
import type { Context } from "../../kernel/module.ts";
import type { Command, CommandOutcome } from "../../points/commands.ts";
import {
  IMAGE_MAX,
  type Message,
  type MessageOf,
  readImageHead,
  RESULT,
  verifyImage,
} from "../../protocol/cip22/mod.ts";
import type { Audit } from "./audit.ts";
import type { Config } from "./config.ts";
import { type Order, orderOf, outputOf } from "./mapping.ts";
import type { PileRecord } from "./pile_record.ts";
import { imageKey } from "./policies.ts";

/** Octets of one piece of an image. */
export const PIECE = 16 * 1024;
/** How long a pile may take for one: it may have to write it down. */
const PIECE_WITHIN = seconds(60);

/** What commands need of the gateway. */
export interface CommandSurroundings {
  readonly ctx: Context;
  readonly config: Config;
  readonly audit: Audit;
  record(pile: string): PileRecord | undefined;
}

/** Executes the command of a point. */
export async function execute(
  around: CommandSurroundings,
  command: Command,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  const { ctx, config } = around;
  ctx.counters.add("commands");
  const outcome = await attempt(around, command, signal, config);
  if (outcome.kind !== "done") ctx.counters.add("commands_refused");
  return outcome;
}

async function attempt(
  around: CommandSurroundings,
  command: Command,
  signal: AbortSignal,
  config: Config,
): Promise<CommandOutcome> {
  const { ctx } = around;
  if (!ctx.authority.holds(ctx.id)) return refused("This node is not the one that may act");
  const place = outputOf(config.station, command.point);
  const record = place && around.record(place.pile);
  if (!place || !record) return refused("There is no such pile");
  // A pile needs not be selected: whoever asks for it is told that it is.
  if (command.mode === "select" || command.mode === "cancel") return { kind: "done" };
  const order = orderOf(place.output, command.value);
  if (typeof order === "string") return refused(order);
  // An upgrade that lost its connection goes on where it was; the pile knows whether it is that.
  const goesOn = order.kind === "upgrade" && record.mirror.state === "upgrading";
  const why = goesOn || !order.event ? undefined : record.refuses({ kind: order.event });
  if (why !== undefined) return refused(`Pile: ${why}`);
  return order.kind === "upgrade"
    ? await upgrade(around, record, signal)
    : outcomeOf(await ask(record, (ticket) => messageFor(order, ticket), signal));
}

function messageFor({ kind, limit = 0 }: Order, ticket: number): Message {
  switch (kind) {
    case "limit":
      return { kind, ticket, limit };
    case "upgrade":
      return { kind, ticket, data: new Uint8Array(0) };
    default:
      return { kind, ticket };
  }
}

/** Why nothing was answered. */
type NoAnswer = "away" | "busy" | "late" | "lost";

/** Sends a command, and waits for its answer. */
export async function ask(
  record: PileRecord,
  message: (ticket: number) => Message,
  signal: AbortSignal,
): Promise<MessageOf<"answer"> | NoAnswer> {
  const { session } = record;
  if (!session?.isSealed) return "away";
  const { promise, resolve } = Promise.withResolvers<MessageOf<"answer"> | NoAnswer>();
  const ticket = record.ticket(resolve);
  if (ticket === undefined) return "busy";
  const late = () => resolve("late");
  signal.addEventListener("abort", late, { once: true });
  try {
    if (!session.tell(message(ticket))) return "away";
    return await promise;
  } finally {
    signal.removeEventListener("abort", late);
    record.forget(ticket);
  }
}

function outcomeOf(answer: MessageOf<"answer"> | NoAnswer): CommandOutcome {
  if (answer === "away") return refused("Pile is not connected, or agrees on no keys");
  if (answer === "busy") return refused("Too many commands to it are under way");
  // Whether it was executed cannot be known: the asker must not assume either.
  if (answer === "late" || answer === "lost") return { kind: "timed_out" };
  if (answer.result === RESULT.done) return { kind: "done" };
  if (answer.result === RESULT.more) return refused("Pile: it asks for more than there is");
  return refused(`Pile: ${answer.text ?? "it does not say why"}`);
}

/**
 * Offers a pile the image that is configured. The command is done when the pile has taken the
 * offer; the pieces follow as fast as it asks for them, for as long as that takes.
 */
async function upgrade(
  { ctx, config, audit }: CommandSurroundings,
  record: PileRecord,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  if (record.upgrading) return refused("Its image is being sent already");
  record.upgrading = true;
  let sending = false;
  try {
    const image = await readImage(ctx, config);
    if (typeof image === "string") return refused(image);
    const { octets, head } = image;
    const size = octets.length;
    const offer = (ticket: number): Message => ({ kind: "upgrade", ticket, size, data: head });
    const answer = await ask(record, offer, signal);
    if (typeof answer === "string" || answer.result !== RESULT.more) return outcomeOf(answer);
    ctx.counters.add("upgrades");
    ctx.log.info("pile.upgrade", "Pile takes an image", { pile: record.name, octets: size });
    sending = true;
    void sendImage(ctx, audit, record, octets, answer).finally(() => record.upgrading = false);
    return { kind: "done" };
  } finally {
    if (!sending) record.upgrading = false;
  }
}

/** Sends pieces of an image, each when the pile asks for it. */
async function sendImage(
  ctx: Context,
  audit: Audit,
  record: PileRecord,
  image: Uint8Array,
  first: MessageOf<"answer">,
): Promise<void> {
  let answer: Awaited<ReturnType<typeof ask>> = first;
  while (typeof answer !== "string" && answer.result === RESULT.more) {
    const offset = answer.offset ?? image.length;
    if (offset >= image.length) break;
    const data = image.subarray(offset, offset + PIECE);
    using late = lateAfter(ctx, PIECE_WITHIN);
    const piece = (ticket: number): Message => ({ kind: "upgrade", ticket, offset, data });
    answer = await ask(record, piece, late.signal);
  }
  const outcome = outcomeOf(answer);
  const fields = { pile: record.name, ...outcome };
  const why = outcome.kind === "refused" ? outcome.why : outcome.kind;
  audit.image(record.name, image.length, outcome.kind === "done" ? undefined : why);
  if (outcome.kind === "done") ctx.log.info("pile.upgrade", "Pile has its image", fields);
  else ctx.log.error("pile.upgrade", "Pile has not taken its image", fields);
}

/** A signal that aborts after a while, or with the service. */
function lateAfter(ctx: Context, span: Millis): Disposable & { readonly signal: AbortSignal } {
  const late = new AbortController();
  const alarm = ctx.clock.alarm(after(ctx.clock.now(), span), () => late.abort());
  return {
    signal: AbortSignal.any([late.signal, ctx.signal]),
    [Symbol.dispose]: () => alarm[Symbol.dispose](),
  };
}

/** Reads the image, and looks whether a pile could take it at all. */
async function readImage(
  ctx: Context,
  config: Config,
): Promise<{ readonly octets: Uint8Array; readonly head: Uint8Array } | string> {
  if (config.image === undefined) return "No image is configured: set pile_gateway.image";
  const key = imageKey(config);
  if (typeof key === "string") return key;
  const octets = await ctx.files.octets(config.image, IMAGE_MAX);
  const head = readImageHead(octets);
  if (head.kind === "malformed") return `${config.image} is no image [${head.code}]`;
  if (!verifyImage(head, key)) return `${config.image} is not signed by image_key`;
  return { octets, head: octets.slice(0, octets.length - head.payloadSize) };
}

function refused(why: string): CommandOutcome {
  return { kind: "refused", why };
}
