/**
 * Captures as files: the blocks of pcapng that one interface needs, little-endian. Pure.
 * draft-ietf-opsawg-pcapng §4
 * @module
 */

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const INTERFACE_STATISTICS = 5;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const LINKTYPE_ETHERNET = 1;
/** Options of the blocks. */
const OPTION = {
  end: 0,
  userApplication: 4,
  interfaceName: 2,
  timeResolution: 9,
  received: 4,
  dropped: 5,
} as const;
/** Times are microseconds. */
const MICROSECONDS = 6;
const HALF = 0x1_0000_0000;

/** What a capture begins with: one section, and one Ethernet interface in it. */
export function pcapngHead(application: string, interfaceName: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  // The length of the section is not known: all ones.
  const section = [...u32(BYTE_ORDER_MAGIC), 1, 0, 0, 0, ...Array<number>(8).fill(0xff)];
  const description = [LINKTYPE_ETHERNET, 0, 0, 0, ...u32(0)];
  return Uint8Array.from([
    ...block(SECTION_HEADER, [
      ...section,
      ...option(OPTION.userApplication, text.encode(application)),
      ...option(OPTION.end, []),
    ]),
    ...block(INTERFACE_DESCRIPTION, [
      ...description,
      ...option(OPTION.interfaceName, text.encode(interfaceName)),
      ...option(OPTION.timeResolution, [MICROSECONDS]),
      ...option(OPTION.end, []),
    ]),
  ]);
}

/**
 * One frame.
 *
 * @param micros Microseconds since 1970.
 */
export function pcapngPacket(frame: Uint8Array, micros: number): Uint8Array<ArrayBuffer> {
  const padded = (frame.length + 3) & ~3;
  const size = 32 + padded;
  const octets = new Uint8Array(size);
  const view = new DataView(octets.buffer);
  view.setUint32(0, ENHANCED_PACKET, true);
  view.setUint32(4, size, true);
  view.setUint32(12, Math.floor(micros / HALF), true);
  view.setUint32(16, micros % HALF, true);
  view.setUint32(20, frame.length, true);
  view.setUint32(24, frame.length, true);
  octets.set(frame, 28);
  view.setUint32(size - 4, size, true);
  return octets;
}

/** What a capture ends with: how many frames were received, and how many the kernel dropped. */
export function pcapngEnd(received: number, dropped: number, micros: number) {
  return Uint8Array.from(block(INTERFACE_STATISTICS, [
    ...u32(0),
    ...u32(Math.floor(micros / HALF)),
    ...u32(micros % HALF),
    ...option(OPTION.received, u64(received)),
    ...option(OPTION.dropped, u64(dropped)),
    ...option(OPTION.end, []),
  ]));
}

function block(type: number, body: readonly number[]): number[] {
  const size = 12 + body.length;
  return [...u32(type), ...u32(size), ...body, ...u32(size)];
}

/** An option, filled up to a multiple of four octets. */
function option(code: number, value: Iterable<number>): number[] {
  const octets = [...value];
  const padding = Array<number>(-octets.length & 3).fill(0);
  return [code, 0, octets.length & 0xff, octets.length >>> 8, ...octets, ...padding];
}

function u32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function u64(value: number): number[] {
  return [...u32(value % HALF), ...u32(Math.floor(value / HALF))];
}
