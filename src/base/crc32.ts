/** CRC-32 as IEEE 802.3, 3.2.9 has it. */

const POLYNOMIAL = 0xedb88320;
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit += 1) {
    crc = (crc & 1) !== 0 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return crc >>> 0;
});

/** The check of octets: 32 bits without sign. */
export function crc32(octets: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let index = 0; index < octets.length; index += 1) {
    crc = (crc >>> 8) ^ TABLE[(crc ^ octets[index]!) & 0xff]!;
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
