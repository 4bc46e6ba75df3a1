/** What flows between south and north: one value of one point, with its quality and its time. */

/** A point's place in the plant: `<station>.<kind>.<number>`, for example `gz_01.yx.21`. */
export type PointId = string & { readonly __point: true };

/** Why a value is not plainly good. A set of bits common to all protocols; 0 is good. */
export const QUALITY = {
  good: 0,
  /** Never read since the start, or read over a link that is down. */
  stale: 1,
  /** The device itself says that the value is wrong. */
  invalid: 2,
  /** Set by hand or by a substitute, not by the process. */
  substituted: 4,
  /** Outside the range that the device can tell. */
  overflow: 8,
  /** Taken out of service at the device: kept, but not updated. */
  blocked: 16,
} as const;

/** A value as it travels. Text and bigint are for the few points that are neither. */
export type PointValue = number | bigint | boolean | string;

/**
 * What the protocol said, in its own octets, for those who pass it on unchanged. Of IEC 60870-5:
 * the type identification, the cause, and the information elements with their time tag.
 */
export interface SampleSource {
  /** 0 to 255. */
  readonly type: number;
  /** 0 to 255. */
  readonly cause: number;
  /** At most {@linkcode SOURCE_MAX}. */
  readonly octets: Uint8Array;
}

/** Most octets of a {@linkcode SampleSource}. */
export const SOURCE_MAX = 255;

/** One value of one point. */
export interface Sample {
  readonly point: PointId;
  readonly value: PointValue;
  /** Bits of {@linkcode QUALITY}. */
  readonly quality: number;
  /** When the process had this value: epoch milliseconds, by the device's clock if it has one. */
  readonly at: number;
  /**
   * It is told because it happened, not because somebody asked for the state. Such a sample is kept
   * in the journal also when value and quality are as before.
   */
  readonly event?: boolean;
  readonly source?: SampleSource;
}

/** Longest name of a point, in UTF-16 units. */
export const POINT_ID_MAX = 200;

/** Whether a text can be a point: words of letters, digits, `_`, `-`, joined by dots. */
export function isPointId(text: string): text is PointId {
  return text.length <= POINT_ID_MAX && /^[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)+$/u.test(text);
}
