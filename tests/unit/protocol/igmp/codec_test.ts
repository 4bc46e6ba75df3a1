import fc from "fast-check";
import {
  checksum,
  decodeIgmp,
  encodeReportV2,
  encodeReportV3,
} from "../../../../src/protocol/igmp/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex, toHex } from "../../../hex.ts";

const GROUP = 0xe000_0164; // 224.0.1.100

/** An IP datagram with the router alert option, as it stands on the wire. */
function datagram(message: Uint8Array, source = [10, 79, 0, 2]): Uint8Array {
  const header = fromHex("46 c0 00 20 00 00 40 00 01 02 00 00 00 00 00 00 e0 00 01 64 94 04 00 00");
  header.set(source, 12);
  return Uint8Array.from([...header, ...message]);
}

Deno.test("A report of version 2 is what a capture of a correct one shows", () => {
  assertEquals(toHex(encodeReportV2(GROUP)), "16 00 08 9b e0 00 01 64");
  assertEquals(toHex(encodeReportV2(GROUP + 1)), "16 00 08 9a e0 00 01 65");
});

Deno.test("A report of version 3 has one record: member, from any source", () => {
  const octets = encodeReportV3(GROUP);
  assertEquals(toHex(octets.subarray(8)), "02 00 00 00 e0 00 01 64");
  assertEquals([octets[0], octets[7], checksum(octets, 0, 16)], [0x22, 1, 0]);
});

const QUERIES: readonly (readonly [string, 1 | 2 | 3, number, number])[] = [
  ["11 00 ee ff 00 00 00 00", 1, 0, 100],
  ["11 64 ee 9b 00 00 00 00", 2, 0, 100],
  ["11 0a 0d 91 e0 00 01 64", 2, GROUP, 10],
  ["11 64 ec 1e 00 00 00 00 02 7d 00 00", 3, 0, 100],
];
for (const [hex, version, group, maxResponse] of QUERIES) {
  Deno.test(`A query of version ${version} is read: ${hex}`, () => {
    const read = decodeIgmp(datagram(fromHex(hex), [0, 0, 0, 0]));
    assertEquals(read, { kind: "query", version, source: 0, group, maxResponse });
  });
}

Deno.test("Reports and leaves are told from queries", () => {
  const kinds = [encodeReportV2(GROUP), encodeReportV3(GROUP), fromHex("17 00 07 9b e0 00 01 64")]
    .map((message) => {
      const read = decodeIgmp(datagram(message));
      return [read.kind, "version" in read ? read.version : 0, "source" in read ? read.source : 0];
    });
  assertEquals(kinds, [["report", 2, 0x0a4f0002], ["report", 3, 0x0a4f0002], [
    "leave",
    2,
    0x0a4f0002,
  ]]);
});

Deno.test("What is cut, damaged or something else is malformed", () => {
  const good = datagram(encodeReportV2(GROUP));
  for (let length = 0; length < good.length; length += 1) {
    assertEquals(decodeIgmp(good.subarray(0, length)).kind, "malformed");
  }
  for (let at = 24; at < good.length; at += 1) {
    const bad = good.slice();
    bad[at]! ^= 0x10;
    assertEquals(decodeIgmp(bad).kind, "malformed", String(at));
  }
  const udp = good.slice();
  udp[9] = 17;
  assertEquals(decodeIgmp(udp).kind, "malformed");
});

Deno.test("decodeIgmp never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
    assert(typeof decodeIgmp(octets).kind === "string");
  }));
});
