/**
 * IGMP: how hosts tell routers which groups they want. RFC 1112, RFC 2236, RFC 3376.
 *
 * | Supported | |
 * |---|---|
 * | reports of versions 2 and 3, one group, any source | encode |
 * | queries of all versions, reports, leave | decode; records of version 3 are not read |
 * | leave | no: to leave a group ends a membership in a transit gateway at once and for good |
 *
 * @module
 */
export * from "./codec.ts";
export * from "./constants.ts";
