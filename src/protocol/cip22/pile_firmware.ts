/**
 * A pile's firmware: an image that comes in pieces, the two slots, and what starts.
 *
 * | step | what it takes | what it leads to |
 * |---|---|---|
 * | offer | the head of an image, signed by the maker | pieces are wanted |
 * | piece | octets at an offset | more, whole, or no good |
 * | start | a boot | it runs; it has to start again; or an outcome |
 * @module
 */
import { sameOctets } from "../../base/octets.ts";
import type { PileKey } from "./auth.ts";
import {
  type BootMeta,
  type BootOutcome,
  bootSlot,
  confirmSlot,
  installSlot,
  outcomeTold,
  SAFE_BOOT_META,
  type SlotName,
} from "./boot_slots.ts";
import { type ChunkResult, type ImageFault, ImageReceiver } from "./image.ts";

/** What a pile's firmware is. */
export interface FirmwareOptions {
  /** The version in the slot that runs. */
  readonly version: string;
  /** The kind of device that images have to be for. */
  readonly hardware: string;
  /** Who makes images; without a key none is taken. */
  readonly imageKey?: PileKey | undefined;
  /** For tests: new images do not start; `bricks`: the old one does not either. */
  readonly bootsBadly?: boolean | "bricks" | undefined;
}

/** What a start came to: a version runs, or it has to be tried again. */
export type Started = BootOutcome | "running" | "again";

/** Why an image is not taken, for people. */
const FAULTS: Readonly<Record<ImageFault, string>> = {
  malformed: "what was offered is no image",
  "too_large": "the image is too large",
  hardware: "the image is for other hardware",
  downgrade: "the image is older than what runs",
  signature: "the image is not signed by the maker",
  digest: "the image is damaged",
};

/** See the module. */
export class Firmware {
  #meta: BootMeta;
  #running: SlotName = "a";
  #receiver: ImageReceiver | undefined;
  #offered: Uint8Array | undefined;

  constructor(readonly options: FirmwareOptions) {
    const a = { ...SAFE_BOOT_META.a, version: options.version };
    this.#meta = { ...SAFE_BOOT_META, a, b: { ...SAFE_BOOT_META.b, good: false } };
  }

  /** Of the slot that runs. */
  get version(): string {
    return this.#meta[this.#running].version;
  }

  /** Of the image that comes; empty when none does. */
  get coming(): string {
    return this.#receiver?.head?.version ?? "";
  }

  /** The octet that is wanted next; undefined when no image comes. */
  get wanted(): number | undefined {
    return this.#receiver?.wanted;
  }

  /** Whether it is the image that comes already: offered again after a connection was lost. */
  isComing(head: Uint8Array): boolean {
    return this.#offered !== undefined && sameOctets(this.#offered, head);
  }

  /**
   * Begins with an image.
   * @param size Octets of the whole image, where that was told.
   * @returns Why not; undefined when pieces are wanted.
   */
  offer(head: Uint8Array, size: number | undefined): string | undefined {
    const { imageKey: key, hardware } = this.options;
    if (!key) return "it has no key of the maker, and takes no image";
    const receiver = new ImageReceiver({ key, hardware, running: this.version });
    const result = receiver.take({ offset: 0, octets: head });
    if (result.kind === "failed") return FAULTS[result.fault];
    if (!receiver.head) return "the head of the image is not whole";
    const told = receiver.head.size + receiver.head.payloadSize;
    if (size !== undefined && size !== told) return "the image has another size than was told";
    this.#receiver = receiver;
    this.#offered = head.slice();
    return undefined;
  }

  /** Takes a piece. @returns Undefined when no image comes. */
  piece(offset: number, octets: Uint8Array): ChunkResult | undefined {
    return this.#receiver?.take({ offset, octets });
  }

  /** Why a piece was not taken, for people. */
  static why(result: Extract<ChunkResult, { kind: "refused" | "failed" }>): string {
    if (result.kind === "failed") return FAULTS[result.fault];
    return result.code === "gap" ? "octets before it are missing" : "it goes beyond the end";
  }

  /** Writes the image that has come to the other slot. @returns Why not. */
  install(): string | undefined {
    const head = this.#receiver?.head;
    if (!head || !this.#receiver?.payload) return "no whole image has come";
    const { version, sha256: digest } = head;
    const slot = this.#meta.active === "a" ? "b" : "a";
    const step = installSlot(this.#meta, slot, { version, digest });
    if (step.refused === undefined) this.#meta = step.meta;
    this.drop();
    return step.refused;
  }

  /** What has come of an image is not kept. */
  drop(): void {
    this.#receiver = this.#offered = undefined;
  }

  /** The device starts. A new image confirms itself, if it lives long enough. */
  start(): Started {
    const { bootsBadly } = this.options;
    const pending = this.#meta.pending;
    const broken = bootsBadly === "bricks" && pending !== undefined;
    const step = bootSlot(this.#meta, (slot) => !broken || slot === pending);
    this.#meta = step.meta;
    if (step.run !== undefined && step.run === pending && bootsBadly) return "again";
    if (step.run !== undefined) this.#running = step.run;
    if (step.outcome !== undefined) return step.outcome;
    if (pending === undefined) return "running";
    const confirmed = confirmSlot(this.#meta, pending);
    this.#meta = confirmed.meta;
    return confirmed.outcome ?? "running";
  }

  /** The gateway knows what came of an upgrade. */
  told(): void {
    this.#meta = outcomeTold(this.#meta).meta;
  }
}
