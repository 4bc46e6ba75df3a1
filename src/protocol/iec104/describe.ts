/** APDUs as trees for people, and as plain data. */
import type { Malformed } from "../../base/errors.ts";
import { apciFault, controlFieldAt, hasStrayBits } from "./apci.ts";
import { type Asdu, decodeAsdu } from "./asdu.ts";
import { APCI_SIZE, causeText, type Profile, QDS, UNNUMBERED } from "./constants.ts";
import type { InformationObject } from "./objects.ts";
import { tagText } from "./time_tag.ts";
import { typeName, typeSpec } from "./types.ts";

const FUNCTION_NAMES: Readonly<Record<number, string>> = {
  [UNNUMBERED.startAct]: "STARTDT act",
  [UNNUMBERED.startCon]: "STARTDT con",
  [UNNUMBERED.stopAct]: "STOPDT act",
  [UNNUMBERED.stopCon]: "STOPDT con",
  [UNNUMBERED.testAct]: "TESTFR act",
  [UNNUMBERED.testCon]: "TESTFR con",
};

/** An APDU as it was read, as far as it went. */
export interface ApduReading {
  readonly control?: ReturnType<typeof controlFieldAt>;
  readonly stray?: boolean;
  readonly asdu?: Asdu;
  /** Octets that the APDU has; 0 when not even that is known. */
  readonly size: number;
  readonly malformed?: Malformed;
}

/** Reads one APDU at an offset, whatever is there. */
export function readApdu(octets: Uint8Array, at: number, profile: Profile): ApduReading {
  const left = octets.length - at;
  if (left < APCI_SIZE) {
    return { size: 0, malformed: { kind: "malformed", code: "iec104.apci.short", offset: left } };
  }
  const fault = apciFault(octets, at);
  if (fault) return { size: 0, malformed: fault };
  const size = 2 + octets[at + 1]!;
  const control = controlFieldAt(octets, at);
  const stray = hasStrayBits(octets, at);
  if (size > left) {
    const malformed: Malformed = { kind: "malformed", code: "iec104.apci.short", offset: left };
    return { control, stray, size: 0, malformed };
  }
  if (control.kind !== "i") return { control, stray, size };
  const asdu = decodeAsdu(octets, profile, at + APCI_SIZE, at + size);
  if (!("kind" in asdu)) return { control, stray, size, asdu };
  return { control, stray, size, malformed: { ...asdu, offset: asdu.offset + APCI_SIZE } };
}

/** An APDU in one line, for traces: its frame, its header, and with `objects` what they say. */
export function apduLine({ control, asdu, malformed }: ApduReading, objects: boolean): string {
  const words: string[] = [];
  if (control?.kind === "i") {
    words.push(`I N(S) ${control.sendNumber} N(R) ${control.receiveNumber}`);
  } else if (control?.kind === "s") words.push(`S N(R) ${control.receiveNumber}`);
  else if (control) words.push(`U ${FUNCTION_NAMES[control.function]}`);
  if (asdu) {
    const { type, cause, negative, test, commonAddress } = asdu;
    const flags = `${negative ? " negative" : ""}${test ? " test" : ""}`;
    words.push(`${typeName(type)} ${causeText(cause)}${flags} CA ${commonAddress}`);
    words.push(
      objects
        ? asdu.objects.map((one) => `${one.address}: ${objectText(type, one)}`).join("; ")
        : `${asdu.objects.length} objects`,
    );
  }
  if (malformed) words.push(malformed.code);
  return words.join(" | ");
}

/** Makes {@linkcode apduLine} of whole APDUs with these sizes. */
export function frameText(profile: Profile): (apdu: Uint8Array, objects: boolean) => string {
  return (apdu, objects) => apduLine(readApdu(apdu, 0, profile), objects);
}

/** A reading as lines of a tree. */
export function apduTree({ control, stray, asdu }: ApduReading): string[] {
  const lines: string[] = [];
  if (control?.kind === "i") {
    lines.push(`I frame  N(S) ${control.sendNumber}  N(R) ${control.receiveNumber}`);
  } else if (control?.kind === "s") lines.push(`S frame  N(R) ${control.receiveNumber}`);
  else if (control) lines.push(`U frame  ${FUNCTION_NAMES[control.function]}`);
  if (stray) lines.push("  bits are set that shall be zero");
  if (asdu) lines.push(...asduTree(asdu).map((line) => `  ${line}`));
  return lines;
}

/** An ASDU as lines of a tree. */
export function asduTree(asdu: Asdu): string[] {
  const flags = [
    ...(asdu.negative ? ["negative"] : []),
    ...(asdu.test ? ["test"] : []),
    ...(asdu.sequence ? ["SQ=1"] : []),
  ];
  const cause = [`${causeText(asdu.cause)} (${asdu.cause})`, ...flags].join(", ");
  return [
    `${typeName(asdu.type)} (${asdu.type})`,
    `  cause      ${cause}`,
    ...(asdu.originator === 0 ? [] : [`  originator ${asdu.originator}`]),
    `  CA         ${asdu.commonAddress}`,
    ...asdu.objects.map((object) => `  IOA ${object.address}  ${objectText(asdu.type, object)}`),
  ];
}

/** What an object says, in one line without its address. */
export function objectText(type: number, object: InformationObject): string {
  const timeSize = typeSpec(type)?.timeSize ?? 0;
  const time = object.time && timeSize !== 0 ? [tagText(object.time, timeSize)] : [];
  const words = WORDS[object.kind] as (object: InformationObject) => string[];
  return [...words(object), ...time].join("  ");
}

/** Names of the quality bits that are set. */
export function qualityWords(quality: number, elapsed = false): string[] {
  return [
    ...(!elapsed && quality & QDS.overflow ? ["OV"] : []),
    ...(elapsed && quality & QDS.elapsedInvalid ? ["EI"] : []),
    ...(quality & QDS.blocked ? ["BL"] : []),
    ...(quality & QDS.substituted ? ["SB"] : []),
    ...(quality & QDS.notTopical ? ["NT"] : []),
    ...(quality & QDS.invalid ? ["IV"] : []),
  ];
}

/** The shortest decimal that is the same R32: 49.98, not 49.97999954223633. */
export function shortFloat(value: number): number {
  for (let digits = 1; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

type Words = {
  readonly [Kind in InformationObject["kind"]]: (
    object: InformationObject & { kind: Kind },
  ) => string[];
};

const DOUBLE_WORDS = ["intermediate", "off", "on", "faulty"];
const STEP_WORDS = ["not permitted", "lower", "higher", "not permitted"];
const KPA_WORDS: Readonly<Record<number, string>> = {
  1: "threshold",
  2: "smoothing",
  3: "low limit",
  4: "high limit",
};

function commandWords(what: string, command: { qualifier: number; select: boolean }): string[] {
  return [command.select ? "select" : "execute", what, `QU ${command.qualifier}`];
}

function setWords(what: string, command: { qualifier: number; select: boolean }): string[] {
  return [command.select ? "select" : "execute", what, `QL ${command.qualifier}`];
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

function totalWords(
  total: { reading: number; sequence: number; carry: boolean; adjusted: boolean; invalid: boolean },
): string[] {
  return [
    `${total.reading}`,
    `SQ ${total.sequence}`,
    ...(total.carry ? ["CY"] : []),
    ...(total.adjusted ? ["CA"] : []),
    ...(total.invalid ? ["IV"] : []),
  ];
}

function qualifierWords(object: { qualifier: number }): string[] {
  return [`qualifier ${object.qualifier}`];
}

function parameterWords(
  object: { value: number; parameter: number; changed: boolean; idle: boolean },
): string[] {
  return [
    KPA_WORDS[object.parameter] ?? `parameter ${object.parameter}`,
    `${object.value}`,
    ...(object.changed ? ["LPC"] : []),
    ...(object.idle ? ["POP"] : []),
  ];
}

const fileWords = (object: { file: number; section?: number }): string[] => [
  `file ${object.file}`,
  ...(object.section === undefined ? [] : [`section ${object.section}`]),
];

const WORDS: Words = {
  single: ({ on, quality }) => [on ? "on" : "off", ...qualityWords(quality)],
  double: ({ state, quality }) => [DOUBLE_WORDS[state]!, ...qualityWords(quality)],
  step: ({ value, transient, quality }) => [
    `${value}`,
    ...(transient ? ["transient"] : []),
    ...qualityWords(quality),
  ],
  bitstring: ({ bits, quality }) => [hex(bits, 8), ...qualityWords(quality)],
  normalized: ({ raw, quality }) => [`${raw / 32_768}`, `raw ${raw}`, ...qualityWords(quality)],
  scaled: ({ value, quality }) => [`${value}`, ...qualityWords(quality)],
  float: ({ value, quality }) => [`${shortFloat(value)}`, ...qualityWords(quality)],
  counter: totalWords,
  "security_counter": (object) => [`association ${object.association}`, ...totalWords(object)],
  packed: ({ states, changed, quality }) => [
    `ST ${hex(states, 4)}`,
    `CD ${hex(changed, 4)}`,
    ...qualityWords(quality),
  ],
  "protection_event": ({ state, quality, elapsed }) => [
    DOUBLE_WORDS[state]!,
    ...qualityWords(quality, true),
    `${elapsed} ms`,
  ],
  "protection_start": ({ events, quality, elapsed }) => [
    `SPE ${hex(events, 2)}`,
    ...qualityWords(quality, true),
    `${elapsed} ms`,
  ],
  "protection_output": ({ circuits, quality, elapsed }) => [
    `OCI ${hex(circuits, 2)}`,
    ...qualityWords(quality, true),
    `${elapsed} ms`,
  ],
  "single_command": (object) => commandWords(object.on ? "on" : "off", object),
  "double_command": (object) =>
    commandWords(["not permitted", "off", "on", "not permitted"][object.state]!, object),
  "step_command": (object) => commandWords(STEP_WORDS[object.step]!, object),
  "set_normalized": (object) => setWords(`${object.raw / 32_768}  raw ${object.raw}`, object),
  "set_scaled": (object) => setWords(`${object.value}`, object),
  "set_float": (object) => setWords(`${shortFloat(object.value)}`, object),
  "set_bitstring": ({ bits }) => [hex(bits, 8)],
  "end_of_initialization": ({ initialization, changed }) => [
    ["power on", "manual reset", "remote reset"][initialization] ?? `COI ${initialization}`,
    ...(changed ? ["parameters changed"] : []),
  ],
  interrogation: ({ qualifier }) => [
    qualifier === 20
      ? "station"
      : qualifier > 20 && qualifier <= 36
      ? `group ${qualifier - 20}`
      : `QOI ${qualifier}`,
  ],
  reset: qualifierWords,
  "parameter_activation": qualifierWords,
  "counter_interrogation": ({ request, freeze }) => [
    request === 5 ? "general" : `group ${request}`,
    ["read", "freeze", "freeze and reset", "reset"][freeze]!,
  ],
  read: () => [],
  clock: () => [],
  "test_pattern": ({ value }) => [hex(value, 4)],
  "test_counter": ({ value }) => [`TSC ${value}`],
  delay: ({ value }) => [`${value} ms`],
  "parameter_normalized": parameterWords,
  "parameter_scaled": parameterWords,
  "parameter_float": parameterWords,
  "file_ready": (object) => [
    ...fileWords(object),
    `${object.length} octets`,
    object.qualifier & 0x80 ? "not ready" : "ready",
  ],
  "section_ready": (object) => [
    ...fileWords(object),
    `${object.length} octets`,
    object.qualifier & 0x80 ? "not ready" : "ready",
  ],
  "file_call": (object) => [...fileWords(object), `SCQ ${hex(object.qualifier, 2)}`],
  "file_acknowledgement": (object) => [...fileWords(object), `AFQ ${hex(object.qualifier, 2)}`],
  "last_segment": (object) => [
    ...fileWords(object),
    `LSQ ${object.qualifier}`,
    `CHS ${hex(object.checksum, 2)}`,
  ],
  segment: (object) => [...fileWords(object), `${object.octets.length} octets`],
  directory: (object) => [
    ...fileWords(object),
    `${object.length} octets`,
    `SOF ${hex(object.status, 2)}`,
  ],
  "log_query": (object) => [...fileWords(object), `from ${tagText(object.from, 7)} to`],
  raw: ({ octets }) => [
    Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join(" "),
  ],
};
