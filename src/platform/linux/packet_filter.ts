/**
 * Classic BPF for packet sockets, so that the kernel wakes us for station traffic only.
 * <linux/filter.h>; `struct sock_filter` is 8 octets: code u16, jump if true u8, if false u8, k
 * u32.
 * @module
 */

const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const AND = 0x54;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;
/** More than any frame has: the whole of it is taken. */
const WHOLE = 0x4_0000;

/** Octets of one instruction. */
export const INSTRUCTION_SIZE = 8;

/** GOOSE, GSE management and sampled values. */
const STATION = [0x88b8, 0x88b9, 0x88ba];
const TAGS = [0x8100, 0x88a8];

type Label = "accept" | "reject" | "tag" | "second_tag";
interface Step {
  readonly code: number;
  readonly k: number;
  /** Where to go on when a comparison is true; the next instruction when it is not. */
  readonly to?: Label;
  readonly label?: Label;
}

/**
 * Takes frames of the station's EtherTypes, plain or behind one or two tags, and whatever goes to
 * an address 01-0C-CD, so that a wrong EtherType there can be told of.
 */
export function stationFilter(): Uint8Array<ArrayBuffer> {
  const equal = (values: readonly number[], to: Label): Step[] =>
    values.map((k) => ({ code: JUMP_EQUAL, k, to }));
  return assemble([
    { code: LOAD_WORD, k: 0 },
    { code: AND, k: 0xffff_ff00 },
    ...equal([0x010c_cd00], "accept"),
    { code: LOAD_HALF, k: 12 },
    ...equal(STATION, "accept"),
    ...equal(TAGS, "tag"),
    { code: RETURN, k: 0 },
    { code: LOAD_HALF, k: 16, label: "tag" },
    ...equal(STATION, "accept"),
    ...equal([TAGS[0]!], "second_tag"),
    { code: RETURN, k: 0, label: "reject" },
    { code: LOAD_HALF, k: 20, label: "second_tag" },
    ...equal(STATION, "accept"),
    { code: RETURN, k: 0 },
    { code: RETURN, k: WHOLE, label: "accept" },
  ]);
}

/** Takes nothing: for a socket that only sends. */
export function nothingFilter(): Uint8Array<ArrayBuffer> {
  return assemble([{ code: RETURN, k: 0 }]);
}

function assemble(steps: readonly Step[]): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(new ArrayBuffer(steps.length * INSTRUCTION_SIZE));
  const view = new DataView(octets.buffer);
  for (const [index, { code, k, to }] of steps.entries()) {
    const at = index * INSTRUCTION_SIZE;
    view.setUint16(at, code, true);
    if (to !== undefined) {
      view.setUint8(at + 2, steps.findIndex(({ label }) => label === to) - index - 1);
    }
    view.setUint32(at + 4, k, true);
  }
  return octets;
}
