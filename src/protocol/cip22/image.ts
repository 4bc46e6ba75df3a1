/**
 * Firmware images of piles, and how they come over in pieces. The signature stands in the head and
 * is made over digests of the payload: whose an image is is known before its payload has come.
 *
 * | Size | Field |
 * |---|---|
 * | 4 | magic `BBFW` |
 * | 1 | format, 1 |
 * | 1 | flags, none of which has a meaning yet: 0 |
 * | 1 + n | version: octets, and a semantic version |
 * | 1 + n | hardware that it is for: octets, and a text |
 * | 4 | octets of the payload |
 * | 32 | SHA-256 of the payload |
 * | 32 | SM3 of the payload |
 * | 1 | signer: 1 secp256k1, 2 SM2 |
 * | 64 | signature over all before it: r and s |
 * | … | payload |
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import type { Malformed } from "../../base/errors.ts";
import { concat, sameOctets } from "../../base/octets.ts";
import { DIGEST_SIZE } from "../../crypto/sha256.ts";
import { Sm3, sm3, SM3_SIZE } from "../../crypto/sm3.ts";
import { malformed } from "../../wire/ber.ts";
import { type PileKey, verifySigned } from "./auth.ts";

/** Most octets of an image, with its head. */
export const IMAGE_MAX = 16 * 1024 * 1024;
/** Most octets of a version, and of the name of hardware. */
export const IMAGE_TEXT_MAX = 64;
/** Most octets of a head. */
export const IMAGE_HEAD_MAX = 6 + 2 * (1 + IMAGE_TEXT_MAX) + 4 + DIGEST_SIZE + SM3_SIZE + 1 + 64;

/** What stands before the payload. */
export interface ImageHead {
  readonly kind: "image";
  readonly version: string;
  readonly hardware: string;
  readonly payloadSize: number;
  readonly sha256: Uint8Array;
  readonly sm3: Uint8Array;
  readonly signer: PileKey["signer"];
  readonly signature: Uint8Array;
  /** All before the signature: what is signed. */
  readonly signed: Uint8Array;
  /** Octets of the head. */
  readonly size: number;
}

/** Why an image is not taken. */
export type ImageFault =
  | "malformed"
  | "too_large"
  | "hardware"
  | "downgrade"
  | "signature"
  | "digest";

/** What became of a chunk; `wanted` is the offset of the octet that is needed next. */
export type ChunkResult =
  | { readonly kind: "more"; readonly wanted: number }
  /** It is whole, its digests and its signature hold. */
  | { readonly kind: "done" }
  /** It leaves a gap, or goes beyond the end. Nothing of it was taken. */
  | { readonly kind: "refused"; readonly code: "gap" | "beyond"; readonly wanted: number }
  /** The image is no good, and no chunk can make it so. */
  | { readonly kind: "failed"; readonly fault: ImageFault };

/** A piece of an image. */
export interface ImageChunk {
  readonly offset: number;
  readonly octets: Uint8Array;
}

/** What a receiver takes. */
export interface ImageOptions {
  /** Whose signature has to hold. */
  readonly key: PileKey;
  readonly hardware: string;
  /** The version that runs; undefined when none is known. */
  readonly running?: string;
  /** An older version than the one that runs is taken too. */
  readonly downgrade?: boolean;
  readonly max?: number;
}

const MAGIC = new TextEncoder().encode("BBFW");
const FORMAT = 1;
const SIGNATURE_SIZE = 64;
/** As TAG.signer has them. */
const SIGNERS: readonly (PileKey["signer"] | undefined)[] = [undefined, "secp256k1", "sm2"];
const SHORT = "cip22.image.short";

/**
 * Makes an image.
 * @param sign Signs the head: r and s, 64 octets.
 * @throws RangeError For what {@linkcode readImageHead} would not read.
 */
export function writeImage(
  { version, hardware, payload }: {
    readonly version: string;
    readonly hardware: string;
    readonly payload: Uint8Array;
  },
  signer: PileKey["signer"],
  sign: (octets: Uint8Array) => Uint8Array,
): Uint8Array {
  const sized = (text: string) => {
    const octets = new TextEncoder().encode(text);
    return [Uint8Array.of(octets.length), octets];
  };
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, payload.length);
  const signed = concat([
    MAGIC,
    Uint8Array.of(FORMAT, 0),
    ...sized(version),
    ...sized(hardware),
    length,
    sha256(payload),
    sm3(payload),
    Uint8Array.of(SIGNERS.indexOf(signer)),
  ]);
  const image = concat([signed, sign(signed), payload]);
  const head = readImageHead(image);
  const kept = head.kind === "image" && head.version === version && head.hardware === hardware &&
    head.size + payload.length === image.length;
  if (!kept || image.length > IMAGE_MAX) {
    const code = head.kind === "malformed" ? head.code : "cip22.image.size";
    throw new RangeError(`No image can be made of that [${code}]`);
  }
  return image;
}

/**
 * Reads a head; the payload need not be there.
 * @returns Malformed `cip22.image.short` when octets are missing at the end.
 */
export function readImageHead(octets: Uint8Array): ImageHead | Malformed {
  const wrong = MAGIC.findIndex((octet, at) => at < octets.length && octets[at] !== octet);
  if (wrong >= 0) return malformed("cip22.image.magic", wrong);
  if (octets.length < VERSION_AT) return malformed(SHORT, octets.length);
  if (octets[4] !== FORMAT) return malformed("cip22.image.format", 4);
  if (octets[5] !== 0) return malformed("cip22.image.flags", 5);
  const version = readText(octets, VERSION_AT, isVersion, "cip22.image.version");
  if (version.kind === "malformed") return version;
  const { end, text } = version;
  const hardware = readText(octets, end, isHardware, "cip22.image.hardware");
  if (hardware.kind === "malformed") return hardware;
  return readTail(octets, hardware.end, text, hardware.text);
}

/** Whether the head is signed with a key. The digests in it are then those of the signer. */
export function verifyImage(head: ImageHead, key: PileKey): boolean {
  return head.signer === key.signer && verifySigned(key, head.signed, head.signature);
}

/** Whether a payload is the one that a head speaks of. */
export function isPayloadOf(head: ImageHead, payload: Uint8Array): boolean {
  return payload.length === head.payloadSize && sameOctets(sha256(payload), head.sha256) &&
    sameOctets(sm3(payload), head.sm3);
}

/**
 * Cuts an image into chunks.
 * @param size Octets of each, but the last.
 * @param from Where to begin: what the receiver wants.
 * @throws RangeError For chunks without octets.
 */
export function* chunksOf(image: Uint8Array, size: number, from = 0): Generator<ImageChunk> {
  if (!Number.isInteger(size) || size < 1) throw new RangeError("A chunk has 1 octet or more");
  for (let offset = from; offset < image.length; offset += size) {
    yield { offset, octets: image.subarray(offset, offset + size) };
  }
}

/** Whether a text is a semantic version. */
export function isVersion(text: string): boolean {
  return VERSION.test(text);
}

/**
 * Which of two semantic versions goes before the other, by their clause 11: negative when `one`
 * does. What follows `+` does not count. A text that is no version goes before all that are.
 */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [VERSION.exec(one), VERSION.exec(other)];
  if (!left || !right) return Number(left !== null) - Number(right !== null);
  for (let part = 1; part <= 3; part += 1) {
    const order = compareNumbers(left[part]!, right[part]!);
    if (order !== 0) return order;
  }
  return comparePrereleases(left[4], right[4]);
}

/**
 * Takes an image in chunks. It lives as long as the upgrade does, and so longer than a connection:
 * after one was lost, the sender goes on from {@linkcode ImageReceiver.wanted}.
 */
export class ImageReceiver {
  /** What has come while the head was not whole. */
  #start: Uint8Array = new Uint8Array();
  #head: ImageHead | undefined;
  /** The whole image; there is room for it once its head is signed rightly. */
  #image: Uint8Array = new Uint8Array();
  #received = 0;
  #state: "more" | "done" | ImageFault = "more";
  readonly #sha256: Hash = createHash("sha256");
  readonly #sm3 = new Sm3();

  constructor(readonly options: ImageOptions) {}

  /** The offset of the octet that is needed next. */
  get wanted(): number {
    return this.#received;
  }

  /** The head, once it has come and was found good. */
  get head(): ImageHead | undefined {
    return this.#head;
  }

  /** The payload, once all of it has come and was found good. */
  get payload(): Uint8Array | undefined {
    return this.#state === "done" ? this.#image.subarray(this.#head!.size) : undefined;
  }

  /** Takes a chunk. What it has of what came before is left out, whatever it says. */
  take({ offset, octets }: ImageChunk): ChunkResult {
    if (this.#state !== "more" && this.#state !== "done") return this.#result();
    if (!Number.isInteger(offset) || offset < 0 || offset > this.#received) {
      return { kind: "refused", code: "gap", wanted: this.#received };
    }
    const fresh = octets.subarray(Math.min(octets.length, this.#received - offset));
    if (!this.#head) return this.#begin(fresh);
    if (this.#received + fresh.length > this.#image.length) return this.#beyond();
    return this.#put(fresh);
  }

  #begin(fresh: Uint8Array): ChunkResult {
    const room = IMAGE_HEAD_MAX - this.#start.length;
    const start = concat([this.#start, fresh.subarray(0, room)]);
    const head = readImageHead(start);
    if (head.kind === "malformed") {
      if (head.code !== SHORT) return this.#fail("malformed");
      this.#start = start;
      this.#received = start.length;
      return this.#result();
    }
    const fault = this.#headFault(head);
    if (fault !== undefined) return this.#fail(fault);
    const total = head.size + head.payloadSize;
    if (this.#received + fresh.length > total) return this.#beyond();
    this.#head = head;
    this.#image = new Uint8Array(total);
    this.#image.set(start.subarray(0, head.size));
    const rest = fresh.subarray(head.size - this.#received);
    this.#received = head.size;
    return this.#put(rest);
  }

  #headFault(head: ImageHead): ImageFault | undefined {
    const { key, hardware, running, downgrade = false, max = IMAGE_MAX } = this.options;
    if (head.size + head.payloadSize > max) return "too_large";
    if (!verifyImage(head, key)) return "signature";
    if (head.hardware !== hardware) return "hardware";
    const older = running !== undefined && compareVersions(head.version, running) < 0;
    return older && !downgrade ? "downgrade" : undefined;
  }

  #put(fresh: Uint8Array): ChunkResult {
    if (fresh.length === 0) return this.#result();
    this.#image.set(fresh, this.#received);
    this.#sha256.update(fresh);
    this.#sm3.update(fresh);
    this.#received += fresh.length;
    if (this.#received < this.#image.length) return this.#result();
    const { sha256, sm3 } = this.#head!;
    const same = sameOctets(this.#sha256.digest(), sha256) &&
      sameOctets(this.#sm3.digest(), sm3);
    if (!same) return this.#fail("digest");
    this.#state = "done";
    return this.#result();
  }

  #beyond(): ChunkResult {
    return { kind: "refused", code: "beyond", wanted: this.#received };
  }

  /** Nothing of it is kept. */
  #fail(fault: ImageFault): ChunkResult {
    this.#state = fault;
    this.#image = this.#start = new Uint8Array();
    return this.#result();
  }

  #result(): ChunkResult {
    if (this.#state === "more") return { kind: "more", wanted: this.#received };
    return this.#state === "done" ? { kind: "done" } : { kind: "failed", fault: this.#state };
  }
}

const VERSION_AT = 6;
const NUMBER = "0|[1-9]\\d*";
const PRERELEASE = `(?:${NUMBER}|\\d*[a-zA-Z-][0-9a-zA-Z-]*)`;
/** As semver.org suggests it. */
const VERSION = new RegExp(
  `^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-(${PRERELEASE}(?:\\.${PRERELEASE})*))?` +
    "(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$",
);
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

type ReadText = { readonly kind: "text"; readonly text: string; readonly end: number };

/** No control characters, nor what a decoder puts where it finds no UTF-8. */
function isHardware(text: string): boolean {
  return /^[^\p{C}\ufffd]+$/u.test(text);
}

function readText(
  octets: Uint8Array,
  at: number,
  is: (text: string) => boolean,
  code: string,
): ReadText | Malformed {
  const size = octets[at];
  if (size === undefined) return malformed(SHORT, octets.length);
  if (size > IMAGE_TEXT_MAX) return malformed(code, at);
  const end = at + 1 + size;
  if (end > octets.length) return malformed(SHORT, octets.length);
  const text = UTF8.decode(octets.subarray(at + 1, end));
  return is(text) ? { kind: "text", text, end } : malformed(code, at + 1);
}

/** From the length of the payload on. */
function readTail(
  octets: Uint8Array,
  at: number,
  version: string,
  hardware: string,
): ImageHead | Malformed {
  const sm3At = at + 4 + DIGEST_SIZE;
  const signerAt = sm3At + SM3_SIZE;
  const size = signerAt + 1 + SIGNATURE_SIZE;
  if (size > octets.length) return malformed(SHORT, octets.length);
  const payloadSize = new DataView(octets.buffer, octets.byteOffset + at).getUint32(0);
  if (payloadSize === 0) return malformed("cip22.image.payload", at);
  const signer = SIGNERS[octets[signerAt]!];
  if (signer === undefined) return malformed("cip22.image.signer", signerAt);
  return {
    kind: "image",
    version,
    hardware,
    payloadSize,
    sha256: octets.slice(at + 4, sm3At),
    sm3: octets.slice(sm3At, signerAt),
    signer,
    signature: octets.slice(signerAt + 1, size),
    signed: octets.slice(0, signerAt + 1),
    size,
  };
}

function sha256(octets: Uint8Array): Uint8Array {
  return createHash("sha256").update(octets).digest();
}

/** By length first: numbers of any length have no zero before them. */
function compareNumbers(one: string, other: string): number {
  return one.length - other.length || Number(one > other) - Number(one < other);
}

/** What is a release goes after what leads to it. */
function comparePrereleases(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined) {
    return Number(one === undefined) - Number(other === undefined);
  }
  const [left, right] = [one.split("."), other.split(".")];
  for (let part = 0; part < Math.min(left.length, right.length); part += 1) {
    const order = compareIdentifiers(left[part]!, right[part]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Numbers go before words. */
function compareIdentifiers(one: string, other: string): number {
  const [left, right] = [/^\d+$/.test(one), /^\d+$/.test(other)];
  if (left && right) return compareNumbers(one, other);
  return Number(right) - Number(left) || Number(one > other) - Number(one < other);
}
