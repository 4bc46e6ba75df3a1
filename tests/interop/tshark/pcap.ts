/** Captures as files: the classic format of libpcap, Ethernet, little-endian. */

const MAGIC = 0xa1b2c3d4;
const ETHERNET = 1;
const SNAP = 65_535;

/** One capture with these frames, a millisecond apart. */
export function pcapOf(frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const size = frames.reduce((sum, frame) => sum + 16 + frame.length, 24);
  const octets = new Uint8Array(size);
  const view = new DataView(octets.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, SNAP, true);
  view.setUint32(20, ETHERNET, true);
  let at = 24;
  for (const [index, frame] of frames.entries()) {
    view.setUint32(at, 1_700_000_000, true);
    view.setUint32(at + 4, index * 1000, true);
    view.setUint32(at + 8, frame.length, true);
    view.setUint32(at + 12, frame.length, true);
    octets.set(frame, at + 16);
    at += 16 + frame.length;
  }
  return octets;
}
