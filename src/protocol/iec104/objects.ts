/**
 * Information objects: what an ASDU says of one address. One interface for each set of information
 * elements (IEC 60870-5-101, 7.2.6); the type identification says which of them an ASDU has.
 * @module
 */
import type { TimeTag } from "./time_tag.ts";

/** What all of them have. */
export interface ObjectBase {
  /** Information object address, IOA. */
  readonly address: number;
  /** The time tag of types that have one; undefined in all others. */
  readonly time?: TimeTag | undefined;
}

/** SIQ: one bit, with {@linkcode QDS} bits but overflow. */
export interface SinglePoint extends ObjectBase {
  readonly kind: "single";
  readonly on: boolean;
  readonly quality: number;
}

/** DIQ: two bits, see {@linkcode DOUBLE_POINT}. */
export interface DoublePoint extends ObjectBase {
  readonly kind: "double";
  readonly state: number;
  readonly quality: number;
}

/** VTI and QDS: a step position, -64 to 63. */
export interface StepPosition extends ObjectBase {
  readonly kind: "step";
  readonly value: number;
  /** The equipment is between two positions. */
  readonly transient: boolean;
  readonly quality: number;
}

/** BSI and QDS: 32 bits as an unsigned number. */
export interface Bitstring extends ObjectBase {
  readonly kind: "bitstring";
  readonly bits: number;
  readonly quality: number;
}

/** NVA and QDS. The value is `raw` / 32768; type 21 has no quality, and 0 is read. */
export interface Normalized extends ObjectBase {
  readonly kind: "normalized";
  readonly raw: number;
  readonly quality: number;
}

/** SVA and QDS: a whole number, -32768 to 32767. */
export interface Scaled extends ObjectBase {
  readonly kind: "scaled";
  readonly value: number;
  readonly quality: number;
}

/** R32-IEEE STD 754 and QDS. It may be NaN or infinite; whoever uses it has to look. */
export interface ShortFloat extends ObjectBase {
  readonly kind: "float";
  readonly value: number;
  readonly quality: number;
}

/** BCR: an integrated total. */
export interface Counter extends ObjectBase {
  readonly kind: "counter";
  /** -2^31 to 2^31 - 1. */
  readonly reading: number;
  /** Number of the integration period, 0 to 31. */
  readonly sequence: number;
  /** CY: it overflowed in this period. */
  readonly carry: boolean;
  /** CA: it was set in this period. */
  readonly adjusted: boolean;
  readonly invalid: boolean;
}

/** S_IT_TC_1: an integrated total for security statistics, of an association. */
export interface SecurityCounter extends ObjectBase {
  readonly kind: "security_counter";
  readonly association: number;
  readonly reading: number;
  readonly sequence: number;
  readonly carry: boolean;
  readonly adjusted: boolean;
  readonly invalid: boolean;
}

/** SCD and QDS: 16 states, and which of them have changed. */
export interface PackedPoints extends ObjectBase {
  readonly kind: "packed";
  /** ST, bit 0 the first point. */
  readonly states: number;
  /** CD. */
  readonly changed: number;
  readonly quality: number;
}

/** SEP and CP16: an event of protection equipment. Its quality is QDP. */
export interface ProtectionEvent extends ObjectBase {
  readonly kind: "protection_event";
  readonly state: number;
  readonly quality: number;
  /** CP16: relay duration in milliseconds, 0 to 65,535. */
  readonly elapsed: number;
}

/** SPE, QDP and CP16: start events of protection equipment. */
export interface ProtectionStart extends ObjectBase {
  readonly kind: "protection_start";
  /** Bit 0 GS, 1 to 3 SL1 to SL3, 4 SIE, 5 SRD. */
  readonly events: number;
  readonly quality: number;
  readonly elapsed: number;
}

/** OCI, QDP and CP16: output circuit information of protection equipment. */
export interface ProtectionOutput extends ObjectBase {
  readonly kind: "protection_output";
  /** Bit 0 GC, 1 to 3 CL1 to CL3. */
  readonly circuits: number;
  readonly quality: number;
  readonly elapsed: number;
}

/** SCO. */
export interface SingleCommand extends ObjectBase {
  readonly kind: "single_command";
  readonly on: boolean;
  /** QU, 0 to 31; see {@linkcode COMMAND_QUALIFIER}. */
  readonly qualifier: number;
  /** Select, or else execute. */
  readonly select: boolean;
}

/** DCO; see {@linkcode DOUBLE_COMMAND}. */
export interface DoubleCommand extends ObjectBase {
  readonly kind: "double_command";
  readonly state: number;
  readonly qualifier: number;
  readonly select: boolean;
}

/** RCO; see {@linkcode STEP_COMMAND}. */
export interface StepCommand extends ObjectBase {
  readonly kind: "step_command";
  readonly step: number;
  readonly qualifier: number;
  readonly select: boolean;
}

/** NVA and QOS. */
export interface SetNormalized extends ObjectBase {
  readonly kind: "set_normalized";
  readonly raw: number;
  /** QL, 0 to 127. */
  readonly qualifier: number;
  readonly select: boolean;
}

/** SVA and QOS. */
export interface SetScaled extends ObjectBase {
  readonly kind: "set_scaled";
  readonly value: number;
  readonly qualifier: number;
  readonly select: boolean;
}

/** R32 and QOS. */
export interface SetFloat extends ObjectBase {
  readonly kind: "set_float";
  readonly value: number;
  readonly qualifier: number;
  readonly select: boolean;
}

/** BSI alone: it cannot be selected. */
export interface SetBitstring extends ObjectBase {
  readonly kind: "set_bitstring";
  readonly bits: number;
}

/** COI. */
export interface EndOfInitialization extends ObjectBase {
  readonly kind: "end_of_initialization";
  /** 0 power on, 1 manual reset, 2 remote reset. */
  readonly initialization: number;
  /** Local parameters were changed. */
  readonly changed: boolean;
}

/** QOI, or QRP, or QPA: an object of one qualifier. */
export interface Qualified extends ObjectBase {
  readonly kind: "interrogation" | "reset" | "parameter_activation";
  readonly qualifier: number;
}

/** QCC. */
export interface CounterInterrogation extends ObjectBase {
  readonly kind: "counter_interrogation";
  /** RQT, see {@linkcode COUNTER_REQUEST}. */
  readonly request: number;
  /** FRZ, see {@linkcode COUNTER_FREEZE}. */
  readonly freeze: number;
}

/** C_RD_NA_1 has nothing but its address, C_CS_NA_1 nothing but its time. */
export interface Plain extends ObjectBase {
  readonly kind: "read" | "clock";
}

/** FBP of C_TS_NA_1, TSC of C_TS_TA_1, the delay of C_CD_NA_1: a 16 bit number. */
export interface Numbered extends ObjectBase {
  readonly kind: "test_pattern" | "test_counter" | "delay";
  readonly value: number;
}

/** NVA, SVA or R32, and QPM. */
export interface Parameter extends ObjectBase {
  readonly kind: "parameter_normalized" | "parameter_scaled" | "parameter_float";
  /** Raw for the normalized one. */
  readonly value: number;
  /** KPA: 1 threshold, 2 smoothing, 3 low limit, 4 high limit. */
  readonly parameter: number;
  /** LPC: changed locally. */
  readonly changed: boolean;
  /** POP: not in operation. */
  readonly idle: boolean;
}

/** F_FR_NA_1: file ready. */
export interface FileReady extends ObjectBase {
  readonly kind: "file_ready";
  readonly file: number;
  readonly length: number;
  /** FRQ; bit 7 set: it is not. */
  readonly qualifier: number;
}

/** F_SR_NA_1: section ready. */
export interface SectionReady extends ObjectBase {
  readonly kind: "section_ready";
  readonly file: number;
  readonly section: number;
  readonly length: number;
  /** SRQ; bit 7 set: it is not. */
  readonly qualifier: number;
}

/** F_SC_NA_1 (SCQ) and F_AF_NA_1 (AFQ). */
export interface FileCall extends ObjectBase {
  readonly kind: "file_call" | "file_acknowledgement";
  readonly file: number;
  readonly section: number;
  readonly qualifier: number;
}

/** F_LS_NA_1: last section or segment. */
export interface LastSegment extends ObjectBase {
  readonly kind: "last_segment";
  readonly file: number;
  readonly section: number;
  /** LSQ. */
  readonly qualifier: number;
  /** CHS: sum of the octets of the segments, modulo 256. */
  readonly checksum: number;
}

/** F_SG_NA_1. */
export interface Segment extends ObjectBase {
  readonly kind: "segment";
  readonly file: number;
  readonly section: number;
  readonly octets: Uint8Array;
}

/** F_DR_TA_1: one line of a directory. Its time is that of the file's creation. */
export interface DirectoryEntry extends ObjectBase {
  readonly kind: "directory";
  readonly file: number;
  readonly length: number;
  /** SOF: 0 to 4 status, 5 last file, 6 a directory, 7 being transferred. */
  readonly status: number;
}

/** F_SC_NB_1: query of a log. `time` is where the wanted span ends. */
export interface LogQuery extends ObjectBase {
  readonly kind: "log_query";
  readonly file: number;
  readonly from: TimeTag;
}

/** The body of a type that is not known, from the first object address on, as it came. */
export interface RawBody extends ObjectBase {
  readonly kind: "raw";
  readonly octets: Uint8Array;
  /** The number of objects that the header tells, 0 to 127; 1 when absent. */
  readonly count?: number;
}

/** Any of them; `kind` tells which. */
export type InformationObject =
  | SinglePoint
  | DoublePoint
  | StepPosition
  | Bitstring
  | Normalized
  | Scaled
  | ShortFloat
  | Counter
  | SecurityCounter
  | PackedPoints
  | ProtectionEvent
  | ProtectionStart
  | ProtectionOutput
  | SingleCommand
  | DoubleCommand
  | StepCommand
  | SetNormalized
  | SetScaled
  | SetFloat
  | SetBitstring
  | EndOfInitialization
  | Qualified
  | CounterInterrogation
  | Plain
  | Numbered
  | Parameter
  | FileReady
  | SectionReady
  | FileCall
  | LastSegment
  | Segment
  | DirectoryEntry
  | LogQuery
  | RawBody;

/** The word that tells them apart. */
export type ObjectKind = InformationObject["kind"];
