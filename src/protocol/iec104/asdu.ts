/**
 * ASDUs as octets (IEC 60870-5-101, 7.1 to 7.3). The decoder is total: whatever comes, it is an
 * ASDU or it is told what is wrong and where. Lengths must match to the octet.
 * @module
 */
import { BugError, type Malformed } from "../../base/errors.ts";
import { ASDU_MAX, type Profile, PROFILE_104 } from "./constants.ts";
import type { InformationObject } from "./objects.ts";
import { CP24_SIZE, readTimeTag, type TimeTag, writeTimeTag } from "./time_tag.ts";
import { typeName, type TypeSpec, typeSpec } from "./types.ts";

/** Objects of one type, with what is said of all of them. */
export interface Asdu {
  readonly type: number;
  /** Cause of transmission, 0 to 63. */
  readonly cause: number;
  /** P/N: the confirmation is a negative one. */
  readonly negative: boolean;
  /** T: not for operation. */
  readonly test: boolean;
  /** Originator address, 0 when there is none. */
  readonly originator: number;
  /** CA: the station, or the sector of it. */
  readonly commonAddress: number;
  /** SQ: the addresses count up from the first. */
  readonly sequence: boolean;
  /** 1 to 127 of the type's kind; one `raw` when the type is not known. */
  readonly objects: readonly InformationObject[];
}

/** Most objects in an ASDU: the number has 7 bits. */
export const OBJECTS_MAX = 127;

/** What is usually left at its default. */
export type AsduFields =
  & Pick<Asdu, "type" | "cause" | "commonAddress" | "objects">
  & Partial<Asdu>;

/** An ASDU with the rest at its defaults: positive, no test, no originator, SQ = 0. */
export function asdu(fields: AsduFields): Asdu {
  return { negative: false, test: false, originator: 0, sequence: false, ...fields };
}

/** What an ASDU of another cause and direction repeats of the one it answers: 101, 7.2.3. */
export function mirrored(request: Asdu, cause: number, negative: boolean): Asdu {
  return { ...request, cause, negative };
}

/** Octets before the first object. */
export function headerSize(profile: Profile): number {
  return 2 + profile.causeSize + profile.commonAddressSize;
}

/** How many objects of a type fit into one ASDU. Of segments, and of unknown types, one. */
export function capacityOf(
  type: number,
  sequence: boolean,
  profile: Profile = PROFILE_104,
): number {
  const spec = typeSpec(type);
  if (!spec?.many) return 1;
  const room = ASDU_MAX - headerSize(profile);
  const { objectAddressSize } = profile;
  return sequence && spec.sequence
    ? Math.min(OBJECTS_MAX, Math.floor((room - objectAddressSize) / spec.size))
    : Math.min(OBJECTS_MAX, Math.floor(room / (objectAddressSize + spec.size)));
}

function malformed(code: string, offset: number): Malformed {
  return { kind: "malformed", code: `iec104.asdu.${code}`, offset };
}

function readAddress(octets: Uint8Array, at: number, size: number): number {
  let address = octets[at]!;
  if (size > 1) address |= octets[at + 1]! << 8;
  if (size > 2) address |= octets[at + 2]! << 16;
  return address;
}

/**
 * Reads the ASDU that fills `octets` from `start` to `end`. Nothing of it refers to `octets` later.
 * Offsets of what is malformed count from `start`.
 */
export function decodeAsdu(
  octets: Uint8Array,
  profile: Profile = PROFILE_104,
  start = 0,
  end = octets.length,
): Asdu | Malformed {
  const header = headerSize(profile);
  if (end - start < header) return malformed("short", end - start);
  const type = octets[start]!;
  const structure = octets[start + 1]!;
  const causeOctet = octets[start + 2]!;
  const caAt = start + 2 + profile.causeSize;
  const count = structure & 0x7f;
  const spec = typeSpec(type);
  const body = start + header;
  const objects = spec
    ? readObjects(octets, spec, structure, profile, body, end)
    : [{ kind: "raw", address: 0, octets: octets.slice(body, end), count } as const];
  if (!Array.isArray(objects)) {
    return { ...objects as Malformed, offset: (objects as Malformed).offset - start };
  }
  return {
    type,
    cause: causeOctet & 0x3f,
    negative: (causeOctet & 0x40) !== 0,
    test: (causeOctet & 0x80) !== 0,
    originator: profile.causeSize === 2 ? octets[start + 3]! : 0,
    commonAddress: readAddress(octets, caAt, profile.commonAddressSize),
    sequence: structure >= 0x80,
    objects,
  };
}

function readObjects(
  octets: Uint8Array,
  spec: TypeSpec,
  structure: number,
  profile: Profile,
  body: number,
  end: number,
): InformationObject[] | Malformed {
  const count = structure & 0x7f;
  const sequence = structure >= 0x80;
  if (count === 0) return malformed("count", body - profile.causeSize - 1);
  if (count > 1 && !spec.many) return malformed("count", body);
  if (sequence && !spec.sequence) return malformed("sequence", body);
  const addressSize = profile.objectAddressSize;
  let needed = sequence ? addressSize + count * spec.size : count * (addressSize + spec.size);
  if (spec.variable && body + needed <= end) needed += octets[body + needed - 1]!;
  if (body + needed > end) return malformed("short", end);
  if (body + needed < end) return malformed("long", body + needed);
  const { codec, timeSize } = spec;
  const objects = new Array<InformationObject>(count);
  let at = body;
  let address = readAddress(octets, at, addressSize);
  if (sequence && address + count > 2 ** (8 * addressSize)) return malformed("address", body);
  for (let index = 0; index < count; index += 1) {
    if (index === 0) at += addressSize;
    else if (sequence) address += 1;
    else {
      address = readAddress(octets, at, addressSize);
      at += addressSize;
    }
    let time: TimeTag | undefined;
    if (timeSize !== 0) time = readTimeTag(octets, at + codec.size, timeSize);
    objects[index] = codec.read(octets, at, address, time);
    at += spec.size;
  }
  return objects;
}

function refused(what: string, value: unknown): BugError {
  return new BugError("iec104.asdu.range", what, { value });
}

function put(octets: Uint8Array, at: number, size: number, value: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
    throw refused(`${what} must fit ${size} octets`, value);
  }
  for (let index = 0; index < size; index += 1) {
    octets[at + index] = value / 2 ** (8 * index) & 0xff;
  }
}

/**
 * Writes an ASDU into `target` from `at` on.
 *
 * @returns How many octets it has, at most {@linkcode ASDU_MAX}.
 * @throws BugError when a number does not fit its field, when objects are of the wrong kind, too
 * many, or without the time their type has, or when addresses of a sequence do not count up.
 */
export function encodeAsdu(asdu: Asdu, profile: Profile, target: Uint8Array, at = 0): number {
  const { type, objects, sequence } = asdu;
  const spec = typeSpec(type);
  const [raw] = objects;
  const count = spec ? objects.length : raw?.kind === "raw" ? raw.count ?? 1 : -1;
  if (count < (spec ? 1 : 0) || count > (spec?.many ? OBJECTS_MAX : spec ? 1 : OBJECTS_MAX)) {
    throw refused(`${typeName(type)} cannot have so many objects`, objects.length);
  }
  if (sequence && spec && !spec.sequence) throw refused("SQ = 1 is not defined", typeName(type));
  if (asdu.cause < 0 || asdu.cause > 63) throw refused("A cause must be from 0 to 63", asdu.cause);
  put(target, at, 1, type, "A type");
  target[at + 1] = count | (sequence ? 0x80 : 0);
  target[at + 2] = asdu.cause | (asdu.negative ? 0x40 : 0) | (asdu.test ? 0x80 : 0);
  if (profile.causeSize === 2) put(target, at + 3, 1, asdu.originator, "An originator");
  const caSize = profile.commonAddressSize;
  put(target, at + 2 + profile.causeSize, caSize, asdu.commonAddress, "A common address");
  const body = at + headerSize(profile);
  const end = spec
    ? writeObjects(asdu, spec, profile, target, body, at + ASDU_MAX)
    : writeRaw(raw, target, body, at + ASDU_MAX);
  return end - at;
}

function writeRaw(
  raw: InformationObject | undefined,
  target: Uint8Array,
  body: number,
  limit: number,
): number {
  if (raw?.kind !== "raw") throw refused("A type that is not known has raw octets only", raw?.kind);
  if (body + raw.octets.length > limit) throw refused("An ASDU is too long", raw.octets.length);
  target.set(raw.octets, body);
  return body + raw.octets.length;
}

/** Elements and time of one object. */
function writeElements(
  object: InformationObject,
  { codec, timeSize, name }: TypeSpec,
  target: Uint8Array,
  at: number,
): void {
  codec.write(target, at, object);
  if (timeSize === 0) return;
  if (!object.time) throw refused(`${name} needs a time`, object.address);
  writeTimeTag(target, at + codec.size, timeSize, object.time);
}

function writeObjects(
  { objects, sequence }: Asdu,
  spec: TypeSpec,
  profile: Profile,
  target: Uint8Array,
  body: number,
  limit: number,
): number {
  const { kind } = spec;
  const addressSize = profile.objectAddressSize;
  const first = objects[0]!.address;
  let at = body;
  for (let index = 0; index < objects.length; index += 1) {
    const object = objects[index]!;
    if (object.kind !== kind) throw refused(`${spec.name} has other objects`, object.kind);
    const data = object.kind === "segment" ? object.octets.length : 0;
    if (index === 0 || !sequence) {
      put(target, at, addressSize, object.address, "An object address");
      at += addressSize;
    } else if (object.address !== first + index) {
      throw refused("Addresses of a sequence must count up", object.address);
    }
    if (at + spec.size + data > limit) throw refused("An ASDU is too long", objects.length);
    writeElements(object, spec, target, at);
    at += spec.size + data;
  }
  return at;
}

/** An ASDU in octets of its own. */
export function asduOctets(asdu: Asdu, profile: Profile = PROFILE_104): Uint8Array {
  const octets = new Uint8Array(ASDU_MAX);
  return octets.slice(0, encodeAsdu(asdu, profile, octets));
}

/**
 * One object's elements and time as octets, without its address: what a log keeps of it.
 * @throws BugError as {@linkcode encodeAsdu}.
 */
export function objectOctets(type: number, object: InformationObject): Uint8Array {
  const spec = typeSpec(type);
  if (!spec || spec.kind !== object.kind) throw refused("Only known objects are kept", object.kind);
  const octets = new Uint8Array(spec.size + (object.kind === "segment" ? object.octets.length : 0));
  writeElements(object, spec, octets, 0);
  return octets;
}

/** The object that {@linkcode objectOctets} was made of. Malformed when they do not fit the type. */
export function objectOf(
  type: number,
  address: number,
  octets: Uint8Array,
): InformationObject | Malformed {
  const spec = typeSpec(type);
  if (!spec || spec.variable) return malformed("type", 0);
  if (octets.length !== spec.size) return malformed("short", octets.length);
  const time = spec.timeSize === 0
    ? undefined
    : readTimeTag(octets, spec.codec.size, spec.timeSize === CP24_SIZE ? CP24_SIZE : 7);
  return spec.codec.read(octets, 0, address, time);
}
