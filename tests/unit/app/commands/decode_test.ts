import { decodeGooseCommand } from "../../../../src/app/commands/decode.ts";
import { runCli } from "../../../../src/app/cli.ts";
import { encodeEthernet, parseMac } from "../../../../src/protocol/goose/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex, toHex } from "../../../hex.ts";
import vectors from "../../../vectors/goose/messages.json" with { type: "json" };
import { createScreen } from "../terminals.ts";

async function decode(...words: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const screen = createScreen();
  const { signal } = new AbortController();
  const code = await runCli(
    ["decode", "goose", ...words],
    [decodeGooseCommand],
    screen.terminal,
    signal,
  );
  return { code, out: screen.out, err: screen.err };
}

const MESSAGE = fromHex(vectors.good[0]!.hex);
const HEADER = {
  destination: parseMac("01:0c:cd:01:00:01")!,
  source: parseMac("02:00:00:00:00:01")!,
  tags: [{ tpid: 0x8100, priority: 4, dropEligible: false, vlan: 5 }],
  etherType: 0x88b8,
};

Deno.test("Decode shows a frame as a tree", async () => {
  const { code, out } = await decode(toHex(encodeEthernet(HEADER, MESSAGE)));
  assertEquals(code, 0);
  assertEquals(out, [
    "Ethernet",
    "  destination  01:0c:cd:01:00:01",
    "  source       02:00:00:00:00:01",
    "  tag          0x8100 VLAN 5, priority 4",
    "  EtherType    0x88b8",
    "GOOSE",
    "  APPID        0x1000",
    "  length       89",
    "  reserved 1   0x0000",
    "  reserved 2   0x0000",
    "goosePdu",
    "  gocbRef            BUSB1/LLN0$GO$gcb1",
    "  timeAllowedtoLive  200 ms",
    "  datSet             BUSB1/LLN0$ds1",
    "  goID               gcb1",
    "  t                  2025-07-07T13:52:00.500000Z quality 0x0a",
    "  stNum              1",
    "  sqNum              0",
    "  simulation         false",
    "  confRev            1",
    "  ndsCom             false",
    "  numDatSetEntries   1",
    "  allData",
    "    bool:true",
  ]);
});

Deno.test("Decode finds out what the octets are", async () => {
  const tunnel = new Uint8Array(18 + MESSAGE.length);
  tunnel.set(fromHex("00 11 22 33 44 55 00 06 39 60 7a cc 66 40 00 01 00 05"));
  tunnel.set(MESSAGE, 18);
  for (
    const [form, octets] of [
      ["frame", encodeEthernet(HEADER, MESSAGE)],
      ["tunnel", tunnel],
      ["message", MESSAGE],
      ["pdu", MESSAGE.subarray(8)],
    ] as const
  ) {
    const { code, out } = await decode("--json", toHex(octets));
    const image = JSON.parse(out[0]!);
    assertEquals([code, image.form, image.pdu?.gocbref], [0, form, "BUSB1/LLN0$GO$gcb1"]);
    if (form !== "tunnel") continue;
    assertEquals(image.tunnel, {
      source: "00:11:22:33:44:55",
      sent: "2025-07-08T01:00:00.123Z",
      tagged: true,
      vlan: 5,
    });
  }
});

Deno.test("Decode takes octets however they are grouped", async () => {
  const digits = toHex(MESSAGE).replaceAll(" ", "");
  for (const written of [digits, `0x${digits}`, toHex(MESSAGE).replaceAll(" ", ":")]) {
    assertEquals((await decode(written)).code, 0);
  }
  assertEquals((await decode(...toHex(MESSAGE).split(" "))).code, 0);
});

Deno.test("Decode says where octets are malformed, and shows what comes before", async () => {
  const octets = encodeEthernet(HEADER, MESSAGE.subarray(0, 40));
  const { code, out } = await decode(toHex(octets));
  assertEquals(code, 1);
  assertEquals(out[0], "Ethernet");
  assertEquals(out.at(-1), "Malformed: goose.header.length at octet 20 (00 59 00 00 00 00 61 4f)");
  const json = await decode("--json", toHex(octets));
  assertEquals(JSON.parse(json.out[0]!).malformed, { code: "goose.header.length", offset: 20 });
  assertEquals(json.code, 1);
});

Deno.test("Decode refuses what are no octets", async () => {
  for (const text of ["xyz", "abc", "ab".repeat(65_536)]) {
    const { code, err } = await decode(text);
    assertEquals(code, 2);
    assert(err[0]!.includes("pairs of hexadecimal digits"), err[0]);
  }
});

Deno.test("Decode returns for every vector", async () => {
  for (const { hex } of vectors.malformed) {
    if (hex === "") continue;
    assertEquals((await decode("--as", "message", hex)).code, 1);
    assert([0, 1].includes((await decode(hex)).code));
  }
});
