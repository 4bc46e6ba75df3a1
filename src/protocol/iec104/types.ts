/**
 * The type identifications: which information elements each has, which time, which way it goes
 * (IEC 60870-5-101, 7.3; the choice of 104, 9.4).
 * @module
 */
import { TYPE } from "./constants.ts";
import { type ElementCodec, ELEMENTS, NORMALIZED_BARE } from "./elements.ts";
import type { ObjectKind } from "./objects.ts";
import { CP24_SIZE, CP56_SIZE } from "./time_tag.ts";

/** What a type is for. Process and system information in monitor direction, and so on. */
export type TypeGroup = "monitor" | "control" | "system" | "parameter" | "file";

/** One type identification. */
export interface TypeSpec {
  readonly type: number;
  /** The name of the standard, `M_SP_NA_1`. */
  readonly name: string;
  readonly group: TypeGroup;
  readonly kind: Exclude<ObjectKind, "raw">;
  readonly codec: ElementCodec;
  /** Octets of the time tag: 0, 3 or 7. */
  readonly timeSize: 0 | 3 | 7;
  /** Octets of one object without its address. */
  readonly size: number;
  /** Whether one ASDU may hold several objects. */
  readonly many: boolean;
  /**
   * Whether SQ = 1 is taken. With time tags the standard does not define it, and deployed stations
   * send it all the same.
   */
  readonly sequence: boolean;
  /** Octets follow whose count stands in the last octet of the elements. */
  readonly variable: boolean;
}

const SPECS = new Array<TypeSpec | undefined>(256).fill(undefined);

function define(
  name: keyof typeof TYPE,
  kind: TypeSpec["kind"],
  timeSize: 0 | 3 | 7,
  group: TypeGroup,
  codec = ELEMENTS[kind],
): void {
  const type = TYPE[name];
  SPECS[type] = {
    type,
    name,
    group,
    kind,
    codec,
    timeSize,
    size: codec.size + timeSize,
    many: group === "monitor" || type === TYPE.F_DR_TA_1,
    sequence: group === "monitor" || type === TYPE.F_DR_TA_1,
    variable: type === TYPE.F_SG_NA_1,
  };
}

for (
  const [kind, plain, short, long] of [
    ["single", "M_SP_NA_1", "M_SP_TA_1", "M_SP_TB_1"],
    ["double", "M_DP_NA_1", "M_DP_TA_1", "M_DP_TB_1"],
    ["step", "M_ST_NA_1", "M_ST_TA_1", "M_ST_TB_1"],
    ["bitstring", "M_BO_NA_1", "M_BO_TA_1", "M_BO_TB_1"],
    ["normalized", "M_ME_NA_1", "M_ME_TA_1", "M_ME_TD_1"],
    ["scaled", "M_ME_NB_1", "M_ME_TB_1", "M_ME_TE_1"],
    ["float", "M_ME_NC_1", "M_ME_TC_1", "M_ME_TF_1"],
    ["counter", "M_IT_NA_1", "M_IT_TA_1", "M_IT_TB_1"],
  ] as const
) {
  define(plain, kind, 0, "monitor");
  define(short, kind, CP24_SIZE, "monitor");
  define(long, kind, CP56_SIZE, "monitor");
}
for (
  const [kind, short, long] of [
    ["protection_event", "M_EP_TA_1", "M_EP_TD_1"],
    ["protection_start", "M_EP_TB_1", "M_EP_TE_1"],
    ["protection_output", "M_EP_TC_1", "M_EP_TF_1"],
  ] as const
) {
  define(short, kind, CP24_SIZE, "monitor");
  define(long, kind, CP56_SIZE, "monitor");
}
define("M_PS_NA_1", "packed", 0, "monitor");
define("M_ME_ND_1", "normalized", 0, "monitor", NORMALIZED_BARE);
define("S_IT_TC_1", "security_counter", CP56_SIZE, "monitor");
for (
  const [kind, plain, timed] of [
    ["single_command", "C_SC_NA_1", "C_SC_TA_1"],
    ["double_command", "C_DC_NA_1", "C_DC_TA_1"],
    ["step_command", "C_RC_NA_1", "C_RC_TA_1"],
    ["set_normalized", "C_SE_NA_1", "C_SE_TA_1"],
    ["set_scaled", "C_SE_NB_1", "C_SE_TB_1"],
    ["set_float", "C_SE_NC_1", "C_SE_TC_1"],
    ["set_bitstring", "C_BO_NA_1", "C_BO_TA_1"],
  ] as const
) {
  define(plain, kind, 0, "control");
  define(timed, kind, CP56_SIZE, "control");
}
define("M_EI_NA_1", "end_of_initialization", 0, "system");
define("C_IC_NA_1", "interrogation", 0, "system");
define("C_CI_NA_1", "counter_interrogation", 0, "system");
define("C_RD_NA_1", "read", 0, "system");
define("C_CS_NA_1", "clock", CP56_SIZE, "system");
define("C_TS_NA_1", "test_pattern", 0, "system");
define("C_RP_NA_1", "reset", 0, "system");
define("C_CD_NA_1", "delay", 0, "system");
define("C_TS_TA_1", "test_counter", CP56_SIZE, "system");
define("P_ME_NA_1", "parameter_normalized", 0, "parameter");
define("P_ME_NB_1", "parameter_scaled", 0, "parameter");
define("P_ME_NC_1", "parameter_float", 0, "parameter");
define("P_AC_NA_1", "parameter_activation", 0, "parameter");
define("F_FR_NA_1", "file_ready", 0, "file");
define("F_SR_NA_1", "section_ready", 0, "file");
define("F_SC_NA_1", "file_call", 0, "file");
define("F_LS_NA_1", "last_segment", 0, "file");
define("F_AF_NA_1", "file_acknowledgement", 0, "file");
define("F_SG_NA_1", "segment", 0, "file");
define("F_DR_TA_1", "directory", CP56_SIZE, "file");
define("F_SC_NB_1", "log_query", CP56_SIZE, "file");

/** The specification of a type; undefined for those that are passed on as octets. */
export function typeSpec(type: number): TypeSpec | undefined {
  return SPECS[type];
}

/** All of them, by number. */
export const TYPE_SPECS: readonly TypeSpec[] = SPECS.filter((spec) => spec !== undefined);

/** A type for people: `M_SP_NA_1`, `private type 135`, `type 81`. */
export function typeName(type: number): string {
  return SPECS[type]?.name ?? (type >= 128 ? `private type ${type}` : `type ${type}`);
}
