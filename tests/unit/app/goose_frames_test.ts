import { judge, oddities, refusedLine, Streams, takenLine } from "../../../src/app/goose_frames.ts";
import {
  encodeEthernet,
  encodeGoose,
  type GoosePdu,
  parseMac,
  utcTimeOf,
  type VlanTag,
} from "../../../src/protocol/goose/mod.ts";
import { assert, assertEquals } from "../../assert.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 250);

function frameOf(
  fields: Partial<GoosePdu> = {},
  tags: readonly VlanTag[] = [],
  etherType = 0x88b8,
): Uint8Array {
  const pdu = {
    gocbRef: "IED1/LLN0$GO$g1",
    timeAllowedToLive: 2000,
    datSet: "d",
    t: utcTimeOf(NOW - 5),
    stNum: 1,
    sqNum: 0,
    simulation: false,
    confRev: 1,
    ndsCom: false,
    allData: [{ kind: "bool", value: true } as const],
    ...fields,
  };
  const destination = parseMac("01:0c:cd:01:00:01")!;
  const source = parseMac("02:00:00:00:00:01")!;
  const payload = encodeGoose({ appId: 0x1000, pdu })!;
  return encodeEthernet({ destination, source, tags, etherType }, payload);
}

const TAG = { tpid: 0x8100, priority: 4, dropEligible: false, vlan: 5 };

Deno.test("Frame that is wanted is taken", () => {
  const octets = frameOf({}, [TAG]);
  for (
    const wanted of [
      {},
      { appId: 0x1000 },
      { vlan: 5 },
      { destination: "01:0c:cd:01:00:01" },
      { gocbRef: "IED1/LLN0$GO$g1" },
    ]
  ) assertEquals(judge(octets, wanted).kind, "taken");
  assertEquals(judge(frameOf(), { vlan: "none" }).kind, "taken");
});

Deno.test("Frame that is not taken comes with its reason", () => {
  const cut = frameOf().slice(0, 60);
  const cases = [
    [frameOf().slice(0, 13), {}, "13 octets are no Ethernet header"],
    [frameOf({}, [], 0x88ba), {}, "EtherType is 0x88ba (sampled values), not 0x88b8"],
    [frameOf({}, [], 0x1234), {}, "EtherType is 0x1234, not 0x88b8"],
    [frameOf({}, [TAG, TAG, TAG]), {}, "EtherType is 0x8100 (a third tag), not 0x88b8"],
    [frameOf(), { appId: 1000 }, "APPID is 0x1000, not 0x03e8"],
    [frameOf(), { vlan: 5 }, "VLAN is none, not 5"],
    [frameOf({}, [TAG]), { vlan: "none" }, "VLAN is 5, not none"],
    [
      frameOf(),
      { destination: "01:0c:cd:01:00:02" },
      "Destination is 01:0c:cd:01:00:01, not 01:0c:cd:01:00:02",
    ],
    [frameOf(), { gocbRef: "x" }, "gocbRef is IED1/LLN0$GO$g1, not x"],
    [cut, {}, "Malformed: goose.header.length at octet 16"],
  ] as const;
  for (const [octets, wanted, why] of cases) {
    const judged = judge(octets, wanted);
    assert(judged.kind === "refused");
    assertEquals(judged.why, why);
  }
});

Deno.test("Line of a frame has all that a commissioning engineer looks for", () => {
  const taken = judge(frameOf({ ndsCom: true, simulation: true }, [TAG]), {});
  assert(taken.kind === "taken");
  assertEquals(
    takenLine(taken, NOW, undefined),
    "03:04:05.250000 02:00:00:00:00:01 > 01:0c:cd:01:00:01 0x1000 vlan 5/4 IED1/LLN0$GO$g1 " +
      "stNum 1 sqNum 0 ttl 2000ms age 5.0ms {bool:true} [first; needs commissioning; simulation]",
  );
  const refused = judge(frameOf(), { appId: 1 });
  assert(refused.kind === "refused");
  assertEquals(
    refusedLine(refused, NOW),
    "03:04:05.250000 02:00:00:00:00:01 > 01:0c:cd:01:00:01 vlan none not taken: " +
      "APPID is 0x1000, not 0x0001",
  );
});

Deno.test("Frame with a wrong count of entries is taken, and told", () => {
  const octets = frameOf();
  octets[octets.lastIndexOf(0x8a) + 2] = 4;
  const taken = judge(octets, {});
  assert(taken.kind === "taken");
  assertEquals(oddities(taken), ["numDatSetEntries is 4, allData has 1"]);
});

Deno.test("Streams count what is lost, twice and out of order, each apart", () => {
  const streams = new Streams();
  const see = (stNum: number, sqNum: number, gocbRef = "a") => {
    const taken = judge(frameOf({ stNum, sqNum, gocbRef }), {});
    assert(taken.kind === "taken");
    return streams.see(taken)?.kind;
  };
  const kinds = [
    see(1, 0),
    see(1, 1),
    see(1, 4),
    see(1, 3),
    see(1, 4),
    see(2, 0),
    see(4, 0),
    see(1, 1),
    see(9, 9, "b"),
  ];
  assertEquals(kinds, [
    undefined,
    "repeat",
    "repeat",
    "reordered",
    "duplicate",
    "change",
    "change",
    "restart",
    undefined,
  ]);
  const [a, b, ...more] = streams.all();
  assertEquals(more, []);
  assertEquals(b!.frames, 1);
  assertEquals(a, {
    source: "02:00:00:00:00:01",
    appId: 0x1000,
    gocbRef: "a",
    last: { stNum: 1, sqNum: 1 },
    frames: 8,
    changes: 2,
    lost: 2,
    lostChanges: 1,
    duplicates: 1,
    reordered: 1,
    restarts: 1,
  });
});

Deno.test("Streams beyond the limit are counted, not kept", () => {
  const streams = new Streams();
  for (let index = 0; index < 1030; index += 1) {
    const taken = judge(frameOf({ gocbRef: `g${index}` }), {});
    assert(taken.kind === "taken");
    streams.see(taken);
  }
  assertEquals([streams.all().length, streams.overflow], [1024, 6]);
});
