/**
 * Two slots for firmware, and which of them is started: what the boot loader decides, and what it
 * writes down. Every step gives the record that is to be written before anything else is done.
 *
 * The record, {@linkcode BOOT_META_SIZE} octets:
 *
 * | Offset | Size | Field |
 * |---|---|---|
 * | 0 | 4 | magic `BBSL` |
 * | 4 | 1 | format, 1 |
 * | 5 | 1 | active slot: 0 A, 1 B |
 * | 6 | 1 | pending slot, or 255 |
 * | 7 | 1 | boots of the pending slot |
 * | 8 | 4 | sequence |
 * | 12 | 1 | outcome: 0 none, 1 upgraded, 2 rolled back |
 * | 13 | 98 | slot A: good (0 or 1), octets of its version, the version in 64 octets, its digest |
 * | 111 | 98 | slot B |
 * | 209 | 4 | CRC-32 of all before it |
 *
 * It is kept twice, and the older copy is written first: where the power is cut, the other one is
 * whole. A copy is believed when its CRC is right; of two such, the one with the higher sequence.
 * @module
 */
import type { Malformed } from "../../base/errors.ts";
import { sameOctets } from "../../base/octets.ts";
import { DIGEST_SIZE } from "../../crypto/sha256.ts";
import { malformed } from "../../wire/ber.ts";
import { crc32 } from "../../base/crc32.ts";
import { IMAGE_TEXT_MAX, isVersion } from "./image.ts";
import type { PileEventKind } from "./pile_state.ts";

/** How often a pending slot is started; when it was never confirmed then, it is given up. */
export const BOOTS_MAX = 3;
/** Octets of a record. */
export const BOOT_META_SIZE = 213;

/** The slots. */
export const SLOTS = ["a", "b"] as const;
/** One of {@linkcode SLOTS}. */
export type SlotName = (typeof SLOTS)[number];

/** What an upgrade came to; the pile's event of the same name. */
export type BootOutcome = Extract<PileEventKind, "upgraded" | "rolled_back" | "bricked">;

/** What is known of a slot. */
export interface Slot {
  /** Empty when nothing is known of it. */
  readonly version: string;
  /** SHA-256 of the image. */
  readonly digest: Uint8Array;
  /** It may be started without having been asked for: it was confirmed once, and not given up. */
  readonly good: boolean;
}

/** The record. */
export interface BootMeta {
  readonly kind: "boot_meta";
  /** u32; after the last comes 0. */
  readonly sequence: number;
  readonly active: SlotName;
  readonly pending: SlotName | undefined;
  /** How often the pending slot was started. */
  readonly boots: number;
  readonly a: Slot;
  readonly b: Slot;
  /** What nobody was told of so far. */
  readonly outcome: Exclude<BootOutcome, "bricked"> | undefined;
}

/** Both copies, as they lie on the medium. */
export type BootCopies = readonly [Uint8Array, Uint8Array];

/** One copy that is to be written; each has to be on the medium before the next is begun. */
export interface BootWrite {
  readonly copy: 0 | 1;
  readonly octets: Uint8Array;
}

/** What a step leads to. A record that is not the one that was given has to be written first. */
export interface BootStep {
  readonly meta: BootMeta;
  /** The slot that is started. */
  readonly run?: SlotName;
  readonly outcome?: BootOutcome;
  /** Why nothing was done. */
  readonly refused?: string;
}

/** Nothing is known: A is started, and B where A is not whole. */
const UNKNOWN: Slot = { version: "", digest: new Uint8Array(DIGEST_SIZE), good: true };
/** The record where no copy can be believed. */
export const SAFE_BOOT_META: BootMeta = {
  kind: "boot_meta",
  sequence: 0,
  active: "a",
  pending: undefined,
  boots: 0,
  a: UNKNOWN,
  b: UNKNOWN,
  outcome: undefined,
};

/** An image was written to the slot that is not active: it is started next. */
export function installSlot(
  meta: BootMeta,
  slot: SlotName,
  { version, digest }: Omit<Slot, "good">,
): BootStep {
  if (slot === meta.active) return { meta, refused: "the slot is the active one" };
  if (meta.boots > 0) return { meta, refused: "the slot is being tried; confirm or restart" };
  if (version.length > IMAGE_TEXT_MAX || !isVersion(version) || digest.length !== DIGEST_SIZE) {
    return { meta, refused: "it has no version or digest that a record can hold" };
  }
  const written = withSlot(meta, slot, { version, digest: digest.slice(), good: false });
  return { meta: next(meta, { ...written, pending: slot }) };
}

/**
 * The boot loader starts.
 * @param isWhole Whether what lies in a slot is the image that its record and its signature say.
 */
export function bootSlot(meta: BootMeta, isWhole: (slot: SlotName) => boolean): BootStep {
  const { pending, boots } = meta;
  if (pending === undefined) return startActive(meta, isWhole);
  if (boots < BOOTS_MAX && isWhole(pending)) {
    // Counted before it is started: it may not live long enough to count itself.
    return { meta: next(meta, { boots: boots + 1 }), run: pending };
  }
  if (!canStart(meta, meta.active, isWhole)) return { meta, outcome: "bricked" };
  const back = next(meta, { pending: undefined, boots: 0, outcome: "rolled_back" });
  return { meta: back, run: meta.active, outcome: "rolled_back" };
}

/** The image in a slot runs, and is what it should be. For one that is active nothing changes. */
export function confirmSlot(meta: BootMeta, running: SlotName): BootStep {
  if (running !== meta.pending) {
    return running === meta.active ? { meta } : { meta, refused: "the slot is not pending" };
  }
  const good = withSlot(meta, running, { ...meta[running], good: true });
  const changed = { ...good, active: running, pending: undefined, boots: 0 };
  return { meta: next(meta, { ...changed, outcome: "upgraded" }), outcome: "upgraded" };
}

/** The gateway knows the outcome: it need not be told again. */
export function outcomeTold(meta: BootMeta): BootStep {
  return { meta: meta.outcome === undefined ? meta : next(meta, { outcome: undefined }) };
}

/** Writes a record. */
export function writeBootMeta(meta: BootMeta): Uint8Array {
  const octets = new Uint8Array(BOOT_META_SIZE);
  const view = new DataView(octets.buffer);
  octets.set(MAGIC);
  octets[4] = FORMAT;
  octets[5] = SLOTS.indexOf(meta.active);
  octets[6] = meta.pending === undefined ? NO_SLOT : SLOTS.indexOf(meta.pending);
  octets[7] = meta.boots;
  view.setUint32(8, meta.sequence);
  octets[12] = OUTCOMES.indexOf(meta.outcome);
  for (const [index, name] of SLOTS.entries()) {
    const { version, digest, good } = meta[name];
    const text = new TextEncoder().encode(version);
    const at = SLOTS_AT + index * SLOT_SIZE;
    octets.set([Number(good), text.length], at);
    octets.set(text, at + VERSION_AT);
    octets.set(digest, at + DIGEST_AT);
  }
  view.setUint32(CRC_AT, crc32(octets.subarray(0, CRC_AT)));
  return octets;
}

/** Reads one copy of the record; what follows it does not matter. */
export function readBootMeta(octets: Uint8Array): BootMeta | Malformed {
  if (octets.length < BOOT_META_SIZE) return malformed("cip22.boot.short", octets.length);
  const wrong = MAGIC.findIndex((octet, at) => octets[at] !== octet);
  if (wrong >= 0) return malformed("cip22.boot.magic", wrong);
  const view = new DataView(octets.buffer, octets.byteOffset, BOOT_META_SIZE);
  if (view.getUint32(CRC_AT) !== crc32(octets.subarray(0, CRC_AT))) {
    return malformed("cip22.boot.crc", CRC_AT);
  }
  if (octets[4] !== FORMAT) return malformed("cip22.boot.format", 4);
  const active = SLOTS[octets[5]!];
  if (active === undefined) return malformed("cip22.boot.active", 5);
  const pending = octets[6] === NO_SLOT ? undefined : SLOTS[octets[6]!];
  if (pending === active || (pending === undefined && octets[6] !== NO_SLOT)) {
    return malformed("cip22.boot.pending", 6);
  }
  if (octets[12]! >= OUTCOMES.length) return malformed("cip22.boot.outcome", 12);
  const [a, b] = [readSlot(octets, SLOTS_AT), readSlot(octets, SLOTS_AT + SLOT_SIZE)];
  if (a === undefined) return malformed("cip22.boot.slot", SLOTS_AT);
  if (b === undefined) return malformed("cip22.boot.slot", SLOTS_AT + SLOT_SIZE);
  return {
    kind: "boot_meta",
    sequence: view.getUint32(8),
    active,
    pending,
    boots: octets[7]!,
    a,
    b,
    outcome: OUTCOMES[octets[12]!],
  };
}

/**
 * The record that counts of both copies. Where neither can be believed it is
 * {@linkcode SAFE_BOOT_META}, and `lost` is set: that is an alarm.
 */
export function currentBootMeta(
  [first, second]: BootCopies,
): { readonly meta: BootMeta; readonly lost: boolean } {
  const [one, other] = [readBootMeta(first), readBootMeta(second)];
  if (one.kind === "malformed" && other.kind === "malformed") {
    return { meta: SAFE_BOOT_META, lost: true };
  }
  if (one.kind === "malformed") return { meta: other as BootMeta, lost: false };
  return { meta: other.kind === "malformed" || !isOlder(one, other) ? one : other, lost: false };
}

/**
 * What is to be written so that both copies have a record, in this order: first the one that does
 * not count now. A copy that has it already is left alone.
 */
export function bootWrites(copies: BootCopies, meta: BootMeta): BootWrite[] {
  const octets = writeBootMeta(meta);
  const [one, other] = [readBootMeta(copies[0]), readBootMeta(copies[1])];
  const firstIsOld = one.kind === "malformed" ||
    (other.kind !== "malformed" && isOlder(one, other));
  const order = firstIsOld ? [0, 1] as const : [1, 0] as const;
  return order.filter((copy) => !sameOctets(copies[copy].subarray(0, BOOT_META_SIZE), octets))
    .map((copy) => ({ copy, octets }));
}

const MAGIC = new TextEncoder().encode("BBSL");
const FORMAT = 1;
const NO_SLOT = 255;
const OUTCOMES: readonly BootMeta["outcome"][] = [undefined, "upgraded", "rolled_back"];
const SLOTS_AT = 13;
const VERSION_AT = 2;
const DIGEST_AT = VERSION_AT + IMAGE_TEXT_MAX;
const SLOT_SIZE = DIGEST_AT + DIGEST_SIZE;
const CRC_AT = SLOTS_AT + 2 * SLOT_SIZE;
const UTF8 = new TextDecoder();

function startActive(meta: BootMeta, isWhole: (slot: SlotName) => boolean): BootStep {
  const { active } = meta;
  if (canStart(meta, active, isWhole)) return { meta, run: active };
  const other = active === "a" ? "b" : "a";
  if (!canStart(meta, other, isWhole)) return { meta, outcome: "bricked" };
  const back = withSlot(meta, active, { ...meta[active], good: false });
  const changed = next(meta, { ...back, active: other, outcome: "rolled_back" });
  return { meta: changed, run: other, outcome: "rolled_back" };
}

function canStart(meta: BootMeta, slot: SlotName, isWhole: (slot: SlotName) => boolean): boolean {
  return meta[slot].good && isWhole(slot);
}

function next(meta: BootMeta, change: Partial<BootMeta>): BootMeta {
  return { ...meta, ...change, sequence: (meta.sequence + 1) >>> 0 };
}

function withSlot({ a, b }: BootMeta, name: SlotName, slot: Slot): Pick<BootMeta, SlotName> {
  return name === "a" ? { a: slot, b } : { a, b: slot };
}

/** By their distance, so that 0 comes after the last number. */
function isOlder(one: BootMeta, other: BootMeta): boolean {
  return ((one.sequence - other.sequence) | 0) < 0;
}

function readSlot(octets: Uint8Array, at: number): Slot | undefined {
  const [good, size] = [octets[at]!, octets[at + 1]!];
  const field = octets.subarray(at + VERSION_AT, at + DIGEST_AT);
  if (good > 1 || size > IMAGE_TEXT_MAX || field.subarray(size).some((octet) => octet !== 0)) {
    return undefined;
  }
  const version = UTF8.decode(field.subarray(0, size));
  if (version !== "" && !isVersion(version)) return undefined;
  return { version, digest: octets.slice(at + DIGEST_AT, at + SLOT_SIZE), good: good === 1 };
}
