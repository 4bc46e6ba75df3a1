/**
 * Numbers of IEC 60870-5-104 and of the application layer of IEC 60870-5-101 that it carries.
 * @module
 */

/** The first octet of every APDU (104, 5.1). */
export const START = 0x68;
/** Least value of the length octet, which counts what follows it (104, 5.1). */
export const LENGTH_MIN = 4;
/** Greatest value of the length octet. */
export const LENGTH_MAX = 253;
/** Octets of the longest APDU. */
export const APDU_MAX = LENGTH_MAX + 2;
/** Octets of the longest ASDU. */
export const ASDU_MAX = LENGTH_MAX - 4;
/** Octets before the ASDU: start, length, four of control field. */
export const APCI_SIZE = 6;
/** Send and receive numbers count modulo 2^15 (104, 5.1). */
export const NUMBER_MODULO = 32_768;
/** The registered TCP port. */
export const PORT = 2404;
/** The registered TCP port with TLS. */
export const TLS_PORT = 19_998;

/** Functions of a U frame, as its third octet (104, figure 8). */
export const UNNUMBERED = {
  startAct: 0x07,
  startCon: 0x0b,
  stopAct: 0x13,
  stopCon: 0x23,
  testAct: 0x43,
  testCon: 0x83,
} as const;

/** Type identifications (101, 7.2.1) by their names. */
export const TYPE = {
  M_SP_NA_1: 1,
  M_SP_TA_1: 2,
  M_DP_NA_1: 3,
  M_DP_TA_1: 4,
  M_ST_NA_1: 5,
  M_ST_TA_1: 6,
  M_BO_NA_1: 7,
  M_BO_TA_1: 8,
  M_ME_NA_1: 9,
  M_ME_TA_1: 10,
  M_ME_NB_1: 11,
  M_ME_TB_1: 12,
  M_ME_NC_1: 13,
  M_ME_TC_1: 14,
  M_IT_NA_1: 15,
  M_IT_TA_1: 16,
  M_EP_TA_1: 17,
  M_EP_TB_1: 18,
  M_EP_TC_1: 19,
  M_PS_NA_1: 20,
  M_ME_ND_1: 21,
  M_SP_TB_1: 30,
  M_DP_TB_1: 31,
  M_ST_TB_1: 32,
  M_BO_TB_1: 33,
  M_ME_TD_1: 34,
  M_ME_TE_1: 35,
  M_ME_TF_1: 36,
  M_IT_TB_1: 37,
  M_EP_TD_1: 38,
  M_EP_TE_1: 39,
  M_EP_TF_1: 40,
  S_IT_TC_1: 41,
  C_SC_NA_1: 45,
  C_DC_NA_1: 46,
  C_RC_NA_1: 47,
  C_SE_NA_1: 48,
  C_SE_NB_1: 49,
  C_SE_NC_1: 50,
  C_BO_NA_1: 51,
  C_SC_TA_1: 58,
  C_DC_TA_1: 59,
  C_RC_TA_1: 60,
  C_SE_TA_1: 61,
  C_SE_TB_1: 62,
  C_SE_TC_1: 63,
  C_BO_TA_1: 64,
  M_EI_NA_1: 70,
  C_IC_NA_1: 100,
  C_CI_NA_1: 101,
  C_RD_NA_1: 102,
  C_CS_NA_1: 103,
  C_TS_NA_1: 104,
  C_RP_NA_1: 105,
  C_CD_NA_1: 106,
  C_TS_TA_1: 107,
  P_ME_NA_1: 110,
  P_ME_NB_1: 111,
  P_ME_NC_1: 112,
  P_AC_NA_1: 113,
  F_FR_NA_1: 120,
  F_SR_NA_1: 121,
  F_SC_NA_1: 122,
  F_LS_NA_1: 123,
  F_AF_NA_1: 124,
  F_SG_NA_1: 125,
  F_DR_TA_1: 126,
  F_SC_NB_1: 127,
} as const;

/** Causes of transmission (101, 7.2.3). Groups 1 to 16 are 21 to 36, counter groups 38 to 41. */
export const CAUSE = {
  periodic: 1,
  background: 2,
  spontaneous: 3,
  initialized: 4,
  request: 5,
  activation: 6,
  activationCon: 7,
  deactivation: 8,
  deactivationCon: 9,
  activationTermination: 10,
  returnRemote: 11,
  returnLocal: 12,
  file: 13,
  interrogated: 20,
  counterInterrogated: 37,
  unknownType: 44,
  unknownCause: 45,
  unknownCommonAddress: 46,
  unknownObjectAddress: 47,
} as const;

const CAUSE_WORDS: Readonly<Record<number, string>> = {
  1: "periodic",
  2: "background scan",
  3: "spontaneous",
  4: "initialised",
  5: "request",
  6: "activation",
  7: "activation confirmation",
  8: "deactivation",
  9: "deactivation confirmation",
  10: "activation termination",
  11: "return information, remote command",
  12: "return information, local command",
  13: "file transfer",
  14: "authentication",
  15: "maintenance of session key",
  16: "maintenance of user role and update key",
  20: "interrogated by station",
  37: "general counter interrogation",
  44: "unknown type identification",
  45: "unknown cause of transmission",
  46: "unknown common address",
  47: "unknown object address",
};

/** A cause for people: `spontaneous`, `interrogated by group 3`, `private 50`. */
export function causeText(cause: number): string {
  const word = CAUSE_WORDS[cause];
  if (word !== undefined) return word;
  if (cause >= 21 && cause <= 36) return `interrogated by group ${cause - 20}`;
  if (cause >= 38 && cause <= 41) return `counter interrogation of group ${cause - 37}`;
  return cause >= 48 ? `private ${cause}` : `reserved ${cause}`;
}

/** Bits of the quality descriptor QDS (101, 7.2.6.3); SIQ and DIQ have all but overflow. */
export const QDS = {
  overflow: 0x01,
  /** In QDP (7.2.6.4) only: the elapsed time is invalid. */
  elapsedInvalid: 0x08,
  blocked: 0x10,
  substituted: 0x20,
  notTopical: 0x40,
  invalid: 0x80,
} as const;

/** States of a double point, DPI (101, 7.2.6.2). */
export const DOUBLE_POINT = { intermediate: 0, off: 1, on: 2, faulty: 3 } as const;
/**
 * States of a double command, DCS (101, 7.2.6.16); 0 and 3 are not permitted. Some libraries have
 * on and off the other way round, which opens the switch that should be closed.
 */
export const DOUBLE_COMMAND = { off: 1, on: 2 } as const;
/** States of a regulating step command, RCS (101, 7.2.6.17); 0 and 3 are not permitted. */
export const STEP_COMMAND = { lower: 1, higher: 2 } as const;
/** Qualifier of command, QU (101, 7.2.6.26). */
export const COMMAND_QUALIFIER = { none: 0, shortPulse: 1, longPulse: 2, persistent: 3 } as const;
/** Qualifier of interrogation, QOI (101, 7.2.6.22): 20 the station, 21 to 36 groups 1 to 16. */
export const INTERROGATE_STATION = 20;
/** Requests of counter interrogation, RQT of QCC (101, 7.2.6.23). */
export const COUNTER_REQUEST = { group1: 1, group2: 2, group3: 3, group4: 4, general: 5 } as const;
/** Freezes of counter interrogation, FRZ of QCC. */
export const COUNTER_FREEZE = { read: 0, freeze: 1, freezeReset: 2, reset: 3 } as const;

/** Sizes that a system chooses once for all its stations (101, 7.1; fixed by 104 to 2, 2, 3). */
export interface Profile {
  /** Octets of the cause: 2 with an originator address, 1 without. */
  readonly causeSize: 1 | 2;
  readonly commonAddressSize: 1 | 2;
  readonly objectAddressSize: 1 | 2 | 3;
}

/** The sizes of IEC 60870-5-104. */
export const PROFILE_104: Profile = { causeSize: 2, commonAddressSize: 2, objectAddressSize: 3 };

/** The common address that means every station. */
export function broadcastOf(profile: Profile): number {
  return profile.commonAddressSize === 2 ? 0xffff : 0xff;
}
