/** What Wireshark's dissector reads in the frames that we write. */
import {
  type Data,
  encodeEthernet,
  encodeGoose,
  type Form,
  parseMac,
  parseValues,
  type VlanTag,
} from "../../../src/protocol/goose/mod.ts";
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { pcapOf } from "./pcap.ts";

const SCALARS = "bool:true,bool:false,int:-5,int:2147483647,int:-2147483648,uint:0,uint:255," +
  'uint:4294967295,float:1.5,float:-0.25,bits:10,quality:invalid,string:"a b",octets:0aff00,' +
  'utf8:"é",utc_time:2026-01-02T03:04:05.5Z,binary_time:12345,binary_time:1/10000';
const NESTED = "{bool:true,[int:1,int:2],{quality:good}},int:7";

interface Case {
  readonly name: string;
  readonly values: string;
  readonly form: Form;
  readonly tags: readonly VlanTag[];
  readonly simulation: boolean;
  readonly stNum: number;
}

const TAG = { tpid: 0x8100, priority: 4, dropEligible: false, vlan: 5 };
const BASE = { form: "minimal", tags: [], simulation: false, stNum: 1 } as const;
const CASES: readonly Case[] = [
  { ...BASE, name: "one boolean", values: "bool:true" },
  { ...BASE, name: "every scalar type", values: SCALARS },
  { ...BASE, name: "every scalar type at full length", values: SCALARS, form: "fixed" },
  { ...BASE, name: "structures and arrays", values: NESTED },
  { ...BASE, name: "a tag", values: "int:1", tags: [TAG] },
  {
    ...BASE,
    name: "two tags",
    values: "int:1",
    tags: [{ ...TAG, tpid: 0x88a8, vlan: 10, priority: 7 }, TAG],
  },
  { ...BASE, name: "simulated", values: "int:1", simulation: true },
  { ...BASE, name: "large numbers", values: "int:1", stNum: 4_294_967_295 },
  { ...BASE, name: "large numbers at full length", values: "int:1", stNum: 0, form: "fixed" },
  { ...BASE, name: "lengths of two octets", values: Array(60).fill("bool:true").join() },
  { ...BASE, name: "lengths of three octets", values: Array(300).fill("bool:true").join() },
];

const FIELDS = [
  "eth.type",
  "vlan.id",
  "vlan.priority",
  "ieee8021ad.id",
  "ieee8021ad.priority",
  "goose.appid",
  "goose.length",
  "goose.reserve1.s_bit",
  "goose.gocbRef",
  "goose.timeAllowedtoLive",
  "goose.datSet",
  "goose.goID",
  "goose.t",
  "goose.stNum",
  "goose.sqNum",
  "goose.simulation",
  "goose.confRev",
  "goose.ndsCom",
  "goose.numDatSetEntries",
  "goose.boolean",
  "goose.integer",
  "goose.unsigned",
  "goose.float_value",
  "goose.bit_string",
  "goose.visible_string",
  "goose.octet_string",
  "_ws.malformed",
  "_ws.expert.message",
] as const;
type Row = Readonly<Record<(typeof FIELDS)[number], string>>;

function frameOf({ values, form, tags, simulation, stNum }: Case): Uint8Array {
  const allData = parseValues(values, 0) as Data[];
  const pdu = {
    gocbRef: "BUSB1/LLN0$GO$gcb1",
    timeAllowedToLive: 200,
    datSet: "BUSB1/LLN0$ds1",
    goId: "gcb1",
    t: { seconds: 1_700_000_000, fraction: 0x800000, quality: 0x0a },
    stNum,
    sqNum: stNum,
    simulation,
    confRev: 1,
    ndsCom: false,
    allData,
  };
  const destination = parseMac("01:0c:cd:01:00:01")!;
  const source = parseMac("02:00:00:00:00:01")!;
  const payload = encodeGoose({ appId: 0x3001, pdu }, form)!;
  return encodeEthernet({ destination, source, tags, etherType: 0x88b8 }, payload);
}

function dissect(frames: readonly Uint8Array[]): Row[] {
  const file = Deno.makeTempFileSync({ suffix: ".pcap" });
  try {
    Deno.writeFileSync(file, pcapOf(frames));
    const args = ["-r", file, "-n", "-T", "fields", "-E", "separator=|", "-E", "aggregator=;"];
    const command = new Deno.Command("tshark", {
      args: [...args, ...FIELDS.flatMap((field) => ["-e", field])],
      env: { TZ: "UTC", LC_ALL: "C.UTF-8" },
    });
    const { success, stdout, stderr } = command.outputSync();
    assert(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => {
      const cells = line.split("|");
      return Object.fromEntries(FIELDS.map((field, index) => [field, cells[index] ?? ""])) as Row;
    });
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test({
  name: "Goose frames are read by tshark as they were meant, without a complaint",
  ...needs("tshark"),
  fn: async (t) => {
    const rows = dissect(CASES.map(frameOf));
    assertEquals(rows.length, CASES.length);
    for (const [index, row] of rows.entries()) {
      const { name, tags, simulation, stNum, values } = CASES[index]!;
      await t.step(name, () => {
        assertEquals([row["_ws.expert.message"], row["_ws.malformed"]], ["", ""]);
        const { length } = parseValues(values, 0) as Data[];
        const told = [
          row["goose.appid"],
          row["goose.gocbRef"],
          row["goose.timeAllowedtoLive"],
          row["goose.datSet"],
          row["goose.goID"],
          row["goose.stNum"],
          row["goose.sqNum"],
          row["goose.confRev"],
          row["goose.numDatSetEntries"],
        ];
        assertEquals(told, [
          "0x3001",
          "BUSB1/LLN0$GO$gcb1",
          "200",
          "BUSB1/LLN0$ds1",
          "gcb1",
          `${stNum}`,
          `${stNum}`,
          "1",
          `${length}`,
        ]);
        assertEquals(truth(row["goose.simulation"]), `${simulation}`);
        assertEquals(truth(row["goose.reserve1.s_bit"]), `${simulation}`);
        assertEquals(truth(row["goose.ndsCom"]), "false");
        for (const [tpid, proto] of [[0x8100, "vlan"], [0x88a8, "ieee8021ad"]] as const) {
          const own = tags.filter((tag) => tag.tpid === tpid);
          assertEquals(row[`${proto}.id`], own.map(({ vlan }) => vlan).join(";"));
          assertEquals(row[`${proto}.priority`], own.map(({ priority }) => priority).join(";"));
        }
      });
    }
  },
});

Deno.test({
  name: "Goose values are read by tshark as they were meant, in both forms",
  ...needs("tshark"),
  fn: () => {
    const scalars = CASES.filter(({ values }) => values === SCALARS);
    for (const row of dissect(scalars.map(frameOf))) {
      assertEquals(truth(row["goose.boolean"]), "true;false");
      assertEquals(row["goose.integer"], "-5;2147483647;-2147483648");
      // The dissector shows unsigned numbers as signed ones of 32 bits.
      const unsigned = row["goose.unsigned"].split(";").map((text) => Number(text) >>> 0);
      assertEquals(unsigned, [0, 255, 4_294_967_295]);
      assertEquals(row["goose.float_value"].split(";").map(Number), [1.5, -0.25]);
      assertEquals(row["goose.bit_string"], "80;4000");
      assertEquals(row["goose.visible_string"], "a b");
      assertEquals(row["goose.octet_string"], "0aff00");
      assert(row["goose.t"].includes("2023 22:13:20.5"), row["goose.t"]);
    }
  },
});

/** Releases of tshark differ in how they write a boolean. */
function truth(text: string): string {
  return text.replaceAll("1", "true").replaceAll("0", "false").toLowerCase();
}
