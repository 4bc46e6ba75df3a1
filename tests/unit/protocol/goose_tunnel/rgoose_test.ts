import fc from "fast-check";
import {
  decapsulateRGoose,
  DROP,
  encapsulateRGoose,
  isRGoose,
  RGOOSE_HEADER,
} from "../../../../src/protocol/goose_tunnel/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex, toHex } from "../../../hex.ts";

const ROOM = 64;
const SENDER = 0x0a4f0001;
const PDU = "61 06 80 01 41 85 01 07";
/** APPID 3fe8, length 16, no simulation. */
const HEADER = "3f e8 00 10 00 00 00 00";
const FRAME = `01 0c cd 01 00 05 00 11 22 33 44 55 88 b8 ${HEADER} ${PDU}`;
/** IEC 61850-90-5: computed by hand from the table of mod.ts. */
const SESSION = "01 40 a1 17 80 15 00 00 00 23 00 00 00 07 00 02 00 00 00 00 00 00 00 00 00 00 " +
  `00 00 00 00 0e 81 00 3f e8 00 08 ${PDU}`;

/** One slot with room around it. */
function slotOf(octets: Uint8Array) {
  const all = new Uint8Array(ROOM + octets.length + ROOM).fill(0xee);
  all.set(octets, ROOM);
  return { octets: all, start: Int32Array.of(ROOM), length: Int32Array.of(octets.length) };
}

function pack(frame: Uint8Array, sequence = 7): { drop: number; out: Uint8Array } {
  const frames = slotOf(frame);
  const drop = encapsulateRGoose(frames, 0, sequence);
  const start = frames.start[0]!;
  return { drop, out: frames.octets.slice(start, start + frames.length[0]!) };
}

function unpack(datagram: Uint8Array): { drop: number; out: Uint8Array } {
  const frames = slotOf(datagram);
  const drop = decapsulateRGoose(frames, 0, SENDER);
  const start = frames.start[0]!;
  return { drop, out: frames.octets.slice(start, start + frames.length[0]!) };
}

Deno.test("R-GOOSE: a frame becomes a session PDU, octet by octet", () => {
  assertEquals(toHex(pack(fromHex(FRAME)).out), toHex(fromHex(SESSION)));
  const tagged = `01 0c cd 01 00 05 00 11 22 33 44 55 81 00 80 05 88 b8 ${HEADER} ${PDU} 00 00`;
  assertEquals(toHex(pack(fromHex(tagged)).out), toHex(fromHex(SESSION)), "tag and padding stay");
});

Deno.test("R-GOOSE: a session PDU becomes a frame from the sender to the APPID's group", () => {
  const { drop, out } = unpack(fromHex(SESSION));
  assertEquals(drop, DROP.none);
  const frame = `01 0c cd 01 01 e8 02 00 0a 4f 00 01 88 b8 ${HEADER} ${PDU}`;
  assertEquals(toHex(out), toHex(fromHex(frame)));
});

Deno.test("R-GOOSE: the simulation bit goes both ways", () => {
  const simulated = fromHex(FRAME);
  simulated[18]! |= 0x80;
  const { out } = pack(simulated);
  assertEquals(out[32], 1);
  assertEquals(unpack(out).out[18], 0x80);
});

Deno.test("R-GOOSE: what follows the APDU, and lengths that others write, do not matter", () => {
  const signed = fromHex(`${SESSION} 85 10 ${"aa ".repeat(16)}`);
  assertEquals(unpack(signed).drop, DROP.none);
  const odd = fromHex(SESSION);
  odd[3] = 24;
  odd[5] = 18;
  odd[36] = 10;
  assertEquals(unpack(odd).drop, DROP.none);
});

const REFUSED: readonly [string, number, number, number][] = [
  ["another session", 2, 0xa2, DROP.unknownFormat],
  ["no common header", 4, 0x81, DROP.unknownFormat],
  ["version 1", 15, 1, DROP.unknownVersion],
  ["a vector, and so encryption", 26, 12, DROP.encrypted],
  ["sampled values", 31, 0x82, DROP.unknownFormat],
  ["no goosePdu", 37, 0x60, DROP.shortDatagram],
  ["an APDU beyond the end", 38, 0x7f, DROP.shortDatagram],
];
for (const [what, at, octet, drop] of REFUSED) {
  Deno.test(`R-GOOSE: refuses ${what}`, () => {
    const octets = fromHex(SESSION);
    octets[at] = octet;
    const result = unpack(octets);
    assertEquals(result.drop, drop);
    assertEquals(toHex(result.out), toHex(octets), "left as it was");
  });
}

Deno.test("R-GOOSE: frames that are no GOOSE are refused by their reason", () => {
  const other = (type: string) => pack(fromHex(FRAME.replace("88 b8", type))).drop;
  assertEquals([other("88 b9"), other("88 ba"), other("08 00")], [
    DROP.gseManagement,
    DROP.sampledValues,
    DROP.etherType,
  ]);
  const long = fromHex(FRAME);
  long[17] = 0xff;
  assertEquals(pack(long).drop, DROP.runt, "its length says more than there is");
});

Deno.test("R-GOOSE: any octets and any truncation give a frame or a reason, inside of the slot", () => {
  const near = fc.tuple(fc.nat({ max: 44 }), fc.nat({ max: 255 }), fc.nat({ max: 45 })).map(
    ([at, octet, length]) => {
      const octets = fromHex(SESSION);
      octets[at] = octet;
      return octets.slice(0, length);
    },
  );
  fc.assert(
    fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 120 })), (octets) => {
      const frames = slotOf(octets);
      const drop = decapsulateRGoose(frames, 0, SENDER);
      const end = frames.start[0]! + frames.length[0]!;
      assert(frames.start[0]! >= ROOM && end <= ROOM + octets.length, "inside");
      assert(drop !== DROP.none || frames.length[0]! >= 22);
      if (drop === DROP.none) {
        assert(octets.length >= RGOOSE_HEADER + 2 && isRGoose(slotOf(octets), 0));
      }
      encapsulateRGoose(slotOf(octets), 0, 1);
    }),
    { numRuns: 2000 },
  );
});
