/**
 * Information elements as octets (IEC 60870-5-101, 7.2.6), one reader and one writer for each kind
 * of object. Readers take any octets; reserved bits are dropped. Writers refuse what does not fit.
 * @module
 */
import {
  f32,
  i16,
  i32,
  octet,
  put16,
  put24,
  put32,
  putF32,
  putI16,
  putI32,
  u16,
  u24,
  whole,
} from "./numbers.ts";
import type {
  InformationObject,
  Numbered,
  ObjectKind,
  Parameter,
  Plain,
  Qualified,
} from "./objects.ts";
import { CP56_SIZE, readTimeTag, type TimeTag, writeTimeTag } from "./time_tag.ts";

/** How the objects of one kind stand in an ASDU, behind their address and before their time. */
export interface ElementCodec {
  /** Octets; of a segment those before its data. */
  readonly size: number;
  read(
    octets: Uint8Array,
    at: number,
    address: number,
    time: TimeTag | undefined,
  ): InformationObject;
  /** @throws BugError when a number does not fit. */
  write(octets: Uint8Array, at: number, object: InformationObject): void;
}

type Of<Kind extends ObjectKind> = Extract<InformationObject, { kind: Kind }>;

/** Ties a reader and a writer to their kind. The table's key guards that writers get their own. */
function element<Kind extends ObjectKind>(
  size: number,
  read: (octets: Uint8Array, at: number, address: number, time: TimeTag | undefined) => Of<Kind>,
  write: (octets: Uint8Array, at: number, object: Of<Kind>) => void,
): ElementCodec {
  return { size, read, write: write as ElementCodec["write"] };
}

/** QU and S/E. */
function commandBits({ qualifier, select }: { qualifier: number; select: boolean }): number {
  return whole(qualifier, 0, 31, "QU") << 2 | (select ? 0x80 : 0);
}

/** QL and S/E. */
function setBits({ qualifier, select }: { qualifier: number; select: boolean }): number {
  return whole(qualifier, 0, 127, "QL") | (select ? 0x80 : 0);
}

const OV_TO_IV = 0xf1;
const BL_TO_IV = 0xf0;
const EI_TO_IV = 0xf8;

interface Total {
  readonly reading: number;
  readonly sequence: number;
  readonly carry: boolean;
  readonly adjusted: boolean;
  readonly invalid: boolean;
}

function putTotal(octets: Uint8Array, at: number, total: Total): void {
  putI32(octets, at, total.reading);
  octets[at + 4] = whole(total.sequence, 0, 31, "A sequence number of a counter") |
    (total.carry ? 0x20 : 0) | (total.adjusted ? 0x40 : 0) | (total.invalid ? 0x80 : 0);
}

function qualified(kind: Qualified["kind"]): ElementCodec {
  return element<Qualified["kind"]>(
    1,
    (octets, at, address, time) => ({ kind, address, qualifier: octets[at]!, time }),
    (octets, at, object) => octets[at] = octet(object.qualifier, "A qualifier"),
  );
}

function plain(kind: Plain["kind"]): ElementCodec {
  return element<Plain["kind"]>(
    0,
    (_octets, _at, address, time) => ({ kind, address, time }),
    () => {},
  );
}

function numbered(kind: Numbered["kind"]): ElementCodec {
  return element<Numbered["kind"]>(
    2,
    (octets, at, address, time) => ({ kind, address, value: u16(octets, at), time }),
    (octets, at, { value }) => put16(octets, at, value, "A number of 16 bits"),
  );
}

function parameter(
  kind: Parameter["kind"],
  size: number,
  get: (octets: Uint8Array, at: number) => number,
  put: (octets: Uint8Array, at: number, value: number) => void,
): ElementCodec {
  return element<Parameter["kind"]>(
    size + 1,
    (octets, at, address, time) => {
      const qpm = octets[at + size]!;
      return {
        kind,
        address,
        value: get(octets, at),
        parameter: qpm & 0x3f,
        changed: (qpm & 0x40) !== 0,
        idle: (qpm & 0x80) !== 0,
        time,
      };
    },
    (octets, at, object) => {
      put(octets, at, object.value);
      octets[at + size] = whole(object.parameter, 0, 63, "KPA") | (object.changed ? 0x40 : 0) |
        (object.idle ? 0x80 : 0);
    },
  );
}

function fileCall(kind: "file_call" | "file_acknowledgement"): ElementCodec {
  return element<"file_call" | "file_acknowledgement">(
    4,
    (octets, at, address, time) => ({
      kind,
      address,
      file: u16(octets, at),
      section: octets[at + 2]!,
      qualifier: octets[at + 3]!,
      time,
    }),
    (octets, at, { file, section, qualifier }) => {
      put16(octets, at, file, "A file name");
      octets[at + 2] = octet(section, "A section");
      octets[at + 3] = octet(qualifier, "A qualifier");
    },
  );
}

/** By the kind of object; `raw` has no elements. A segment's data follow its four octets. */
export const ELEMENTS: Readonly<Record<Exclude<ObjectKind, "raw">, ElementCodec>> = {
  single: element<"single">(
    1,
    (octets, at, address, time) => {
      const siq = octets[at]!;
      return { kind: "single", address, on: (siq & 1) !== 0, quality: siq & BL_TO_IV, time };
    },
    (octets, at, { on, quality }) => octets[at] = quality & BL_TO_IV | (on ? 1 : 0),
  ),
  double: element<"double">(
    1,
    (octets, at, address, time) => {
      const diq = octets[at]!;
      return { kind: "double", address, state: diq & 3, quality: diq & BL_TO_IV, time };
    },
    (octets, at, { state, quality }) =>
      octets[at] = quality & BL_TO_IV | whole(state, 0, 3, "A double point"),
  ),
  step: element<"step">(
    2,
    (octets, at, address, time) => ({
      kind: "step",
      address,
      value: octets[at]! << 25 >> 25,
      transient: (octets[at]! & 0x80) !== 0,
      quality: octets[at + 1]! & OV_TO_IV,
      time,
    }),
    (octets, at, { value, transient, quality }) => {
      octets[at] = whole(value, -64, 63, "A step position") & 0x7f | (transient ? 0x80 : 0);
      octets[at + 1] = quality & OV_TO_IV;
    },
  ),
  bitstring: element<"bitstring">(
    5,
    (octets, at, address, time) => ({
      kind: "bitstring",
      address,
      bits: i32(octets, at) >>> 0,
      quality: octets[at + 4]! & OV_TO_IV,
      time,
    }),
    (octets, at, { bits, quality }) => {
      put32(octets, at, whole(bits, 0, 2 ** 32 - 1, "A bitstring"));
      octets[at + 4] = quality & OV_TO_IV;
    },
  ),
  normalized: element<"normalized">(
    3,
    (octets, at, address, time) => ({
      kind: "normalized",
      address,
      raw: i16(octets, at),
      quality: octets[at + 2]! & OV_TO_IV,
      time,
    }),
    (octets, at, { raw, quality }) => {
      putI16(octets, at, raw);
      octets[at + 2] = quality & OV_TO_IV;
    },
  ),
  scaled: element<"scaled">(
    3,
    (octets, at, address, time) => ({
      kind: "scaled",
      address,
      value: i16(octets, at),
      quality: octets[at + 2]! & OV_TO_IV,
      time,
    }),
    (octets, at, { value, quality }) => {
      putI16(octets, at, value);
      octets[at + 2] = quality & OV_TO_IV;
    },
  ),
  float: element<"float">(
    5,
    (octets, at, address, time) => ({
      kind: "float",
      address,
      value: f32(octets, at),
      quality: octets[at + 4]! & OV_TO_IV,
      time,
    }),
    (octets, at, { value, quality }) => {
      putF32(octets, at, value);
      octets[at + 4] = quality & OV_TO_IV;
    },
  ),
  counter: element<"counter">(
    5,
    (octets, at, address, time) => {
      const bits = octets[at + 4]!;
      return {
        kind: "counter",
        address,
        reading: i32(octets, at),
        sequence: bits & 0x1f,
        carry: (bits & 0x20) !== 0,
        adjusted: (bits & 0x40) !== 0,
        invalid: (bits & 0x80) !== 0,
        time,
      };
    },
    putTotal,
  ),
  "security_counter": element<"security_counter">(
    7,
    (octets, at, address, time) => {
      const bits = octets[at + 6]!;
      return {
        kind: "security_counter",
        address,
        association: u16(octets, at),
        reading: i32(octets, at + 2),
        sequence: bits & 0x1f,
        carry: (bits & 0x20) !== 0,
        adjusted: (bits & 0x40) !== 0,
        invalid: (bits & 0x80) !== 0,
        time,
      };
    },
    (octets, at, object) => {
      put16(octets, at, object.association, "An association");
      putTotal(octets, at + 2, object);
    },
  ),
  packed: element<"packed">(
    5,
    (octets, at, address, time) => ({
      kind: "packed",
      address,
      states: u16(octets, at),
      changed: u16(octets, at + 2),
      quality: octets[at + 4]! & OV_TO_IV,
      time,
    }),
    (octets, at, { states, changed, quality }) => {
      put16(octets, at, states, "States");
      put16(octets, at + 2, changed, "Changes");
      octets[at + 4] = quality & OV_TO_IV;
    },
  ),
  "protection_event": element<"protection_event">(
    3,
    (octets, at, address, time) => ({
      kind: "protection_event",
      address,
      state: octets[at]! & 3,
      quality: octets[at]! & EI_TO_IV,
      elapsed: u16(octets, at + 1),
      time,
    }),
    (octets, at, { state, quality, elapsed }) => {
      octets[at] = whole(state, 0, 3, "An event state") | quality & EI_TO_IV;
      put16(octets, at + 1, elapsed, "An elapsed time");
    },
  ),
  "protection_start": element<"protection_start">(
    4,
    (octets, at, address, time) => ({
      kind: "protection_start",
      address,
      events: octets[at]! & 0x3f,
      quality: octets[at + 1]! & EI_TO_IV,
      elapsed: u16(octets, at + 2),
      time,
    }),
    (octets, at, { events, quality, elapsed }) => {
      octets[at] = whole(events, 0, 0x3f, "Start events");
      octets[at + 1] = quality & EI_TO_IV;
      put16(octets, at + 2, elapsed, "An elapsed time");
    },
  ),
  "protection_output": element<"protection_output">(
    4,
    (octets, at, address, time) => ({
      kind: "protection_output",
      address,
      circuits: octets[at]! & 0x0f,
      quality: octets[at + 1]! & EI_TO_IV,
      elapsed: u16(octets, at + 2),
      time,
    }),
    (octets, at, { circuits, quality, elapsed }) => {
      octets[at] = whole(circuits, 0, 0x0f, "Output circuits");
      octets[at + 1] = quality & EI_TO_IV;
      put16(octets, at + 2, elapsed, "An elapsed time");
    },
  ),
  "single_command": element<"single_command">(
    1,
    (octets, at, address, time) => {
      const sco = octets[at]!;
      return {
        kind: "single_command",
        address,
        on: (sco & 1) !== 0,
        qualifier: sco >> 2 & 31,
        select: sco >= 0x80,
        time,
      };
    },
    (octets, at, object) => octets[at] = commandBits(object) | (object.on ? 1 : 0),
  ),
  "double_command": element<"double_command">(
    1,
    (octets, at, address, time) => {
      const dco = octets[at]!;
      return {
        kind: "double_command",
        address,
        state: dco & 3,
        qualifier: dco >> 2 & 31,
        select: dco >= 0x80,
        time,
      };
    },
    (octets, at, object) =>
      octets[at] = commandBits(object) | whole(object.state, 0, 3, "A double command"),
  ),
  "step_command": element<"step_command">(
    1,
    (octets, at, address, time) => {
      const rco = octets[at]!;
      return {
        kind: "step_command",
        address,
        step: rco & 3,
        qualifier: rco >> 2 & 31,
        select: rco >= 0x80,
        time,
      };
    },
    (octets, at, object) =>
      octets[at] = commandBits(object) | whole(object.step, 0, 3, "A step command"),
  ),
  "set_normalized": element<"set_normalized">(
    3,
    (octets, at, address, time) => ({
      kind: "set_normalized",
      address,
      raw: i16(octets, at),
      qualifier: octets[at + 2]! & 0x7f,
      select: octets[at + 2]! >= 0x80,
      time,
    }),
    (octets, at, object) => {
      putI16(octets, at, object.raw);
      octets[at + 2] = setBits(object);
    },
  ),
  "set_scaled": element<"set_scaled">(
    3,
    (octets, at, address, time) => ({
      kind: "set_scaled",
      address,
      value: i16(octets, at),
      qualifier: octets[at + 2]! & 0x7f,
      select: octets[at + 2]! >= 0x80,
      time,
    }),
    (octets, at, object) => {
      putI16(octets, at, object.value);
      octets[at + 2] = setBits(object);
    },
  ),
  "set_float": element<"set_float">(
    5,
    (octets, at, address, time) => ({
      kind: "set_float",
      address,
      value: f32(octets, at),
      qualifier: octets[at + 4]! & 0x7f,
      select: octets[at + 4]! >= 0x80,
      time,
    }),
    (octets, at, object) => {
      putF32(octets, at, object.value);
      octets[at + 4] = setBits(object);
    },
  ),
  "set_bitstring": element<"set_bitstring">(
    4,
    (octets, at, address, time) => ({
      kind: "set_bitstring",
      address,
      bits: i32(octets, at) >>> 0,
      time,
    }),
    (octets, at, { bits }) => put32(octets, at, whole(bits, 0, 2 ** 32 - 1, "A bitstring")),
  ),
  "end_of_initialization": element<"end_of_initialization">(
    1,
    (octets, at, address, time) => ({
      kind: "end_of_initialization",
      address,
      initialization: octets[at]! & 0x7f,
      changed: octets[at]! >= 0x80,
      time,
    }),
    (octets, at, { initialization, changed }) =>
      octets[at] = whole(initialization, 0, 127, "COI") | (changed ? 0x80 : 0),
  ),
  interrogation: qualified("interrogation"),
  reset: qualified("reset"),
  "parameter_activation": qualified("parameter_activation"),
  "counter_interrogation": element<"counter_interrogation">(
    1,
    (octets, at, address, time) => ({
      kind: "counter_interrogation",
      address,
      request: octets[at]! & 0x3f,
      freeze: octets[at]! >> 6,
      time,
    }),
    (octets, at, { request, freeze }) =>
      octets[at] = whole(request, 0, 63, "RQT") | whole(freeze, 0, 3, "FRZ") << 6,
  ),
  read: plain("read"),
  clock: plain("clock"),
  "test_pattern": numbered("test_pattern"),
  "test_counter": numbered("test_counter"),
  delay: numbered("delay"),
  "parameter_normalized": parameter("parameter_normalized", 2, i16, putI16),
  "parameter_scaled": parameter("parameter_scaled", 2, i16, putI16),
  "parameter_float": parameter("parameter_float", 4, f32, putF32),
  "file_ready": element<"file_ready">(
    6,
    (octets, at, address, time) => ({
      kind: "file_ready",
      address,
      file: u16(octets, at),
      length: u24(octets, at + 2),
      qualifier: octets[at + 5]!,
      time,
    }),
    (octets, at, { file, length, qualifier }) => {
      put16(octets, at, file, "A file name");
      put24(octets, at + 2, length, "A length");
      octets[at + 5] = octet(qualifier, "FRQ");
    },
  ),
  "section_ready": element<"section_ready">(
    7,
    (octets, at, address, time) => ({
      kind: "section_ready",
      address,
      file: u16(octets, at),
      section: octets[at + 2]!,
      length: u24(octets, at + 3),
      qualifier: octets[at + 6]!,
      time,
    }),
    (octets, at, { file, section, length, qualifier }) => {
      put16(octets, at, file, "A file name");
      octets[at + 2] = octet(section, "A section");
      put24(octets, at + 3, length, "A length");
      octets[at + 6] = octet(qualifier, "SRQ");
    },
  ),
  "file_call": fileCall("file_call"),
  "file_acknowledgement": fileCall("file_acknowledgement"),
  "last_segment": element<"last_segment">(
    5,
    (octets, at, address, time) => ({
      kind: "last_segment",
      address,
      file: u16(octets, at),
      section: octets[at + 2]!,
      qualifier: octets[at + 3]!,
      checksum: octets[at + 4]!,
      time,
    }),
    (octets, at, { file, section, qualifier, checksum }) => {
      put16(octets, at, file, "A file name");
      octets[at + 2] = octet(section, "A section");
      octets[at + 3] = octet(qualifier, "LSQ");
      octets[at + 4] = octet(checksum, "CHS");
    },
  ),
  segment: element<"segment">(
    4,
    (octets, at, address, time) => ({
      kind: "segment",
      address,
      file: u16(octets, at),
      section: octets[at + 2]!,
      octets: octets.slice(at + 4, at + 4 + octets[at + 3]!),
      time,
    }),
    (octets, at, object) => {
      put16(octets, at, object.file, "A file name");
      octets[at + 2] = octet(object.section, "A section");
      octets[at + 3] = octet(object.octets.length, "The length of a segment");
      octets.set(object.octets, at + 4);
    },
  ),
  directory: element<"directory">(
    6,
    (octets, at, address, time) => ({
      kind: "directory",
      address,
      file: u16(octets, at),
      length: u24(octets, at + 2),
      status: octets[at + 5]!,
      time,
    }),
    (octets, at, { file, length, status }) => {
      put16(octets, at, file, "A file name");
      put24(octets, at + 2, length, "A length");
      octets[at + 5] = octet(status, "SOF");
    },
  ),
  "log_query": element<"log_query">(
    2 + CP56_SIZE,
    (octets, at, address, time) => ({
      kind: "log_query",
      address,
      file: u16(octets, at),
      from: readTimeTag(octets, at + 2, CP56_SIZE),
      time,
    }),
    (octets, at, { file, from }) => {
      put16(octets, at, file, "A file name");
      writeTimeTag(octets, at + 2, CP56_SIZE, from);
    },
  ),
};

/** The one element that is found with and without quality: M_ME_ND_1. */
export const NORMALIZED_BARE: ElementCodec = element<"normalized">(
  2,
  (octets, at, address, time) => ({
    kind: "normalized",
    address,
    raw: i16(octets, at),
    quality: 0,
    time,
  }),
  (octets, at, { raw }) => putI16(octets, at, raw),
);
