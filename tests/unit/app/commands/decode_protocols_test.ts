import { runCli } from "../../../../src/app/cli.ts";
import { decodeIec104Command } from "../../../../src/app/commands/decode_iec104.ts";
import { decodeSrtCommand } from "../../../../src/app/commands/decode_srt.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { createScreen } from "../terminals.ts";

async function decode(...words: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const screen = createScreen();
  const { signal } = new AbortController();
  const commands = [decodeIec104Command, decodeSrtCommand];
  const code = await runCli(["decode", ...words], commands, screen.terminal, signal);
  return { code, out: screen.out, err: screen.err };
}

const TIMED = "6815160000001e0103000100e903000150370615b40b1a";

Deno.test("Decode iec104 shows APDUs in a row, and where they end to be any", async () => {
  const { code, out } = await decode("iec104", TIMED, "68:04:07:00:00:00", "0x68", "02");
  assertEquals(code, 1);
  assertEquals(out, [
    "I frame  N(S) 11  N(R) 0",
    "  M_SP_TB_1 (30)",
    "    cause      spontaneous (3)",
    "    CA         1",
    "    IOA 1001  on  2026-11-20 21:06:14.160",
    "U frame  STARTDT act",
    "Malformed: iec104.apci.short at octet 31 (the end)",
  ]);
});

Deno.test("Decode iec104 takes an ASDU alone, and other sizes", async () => {
  const bare = await decode("iec104", TIMED.slice(12));
  assertEquals([bare.code, bare.out[0]], [0, "M_SP_TB_1 (30)"]);
  const small = await decode("iec104", "--sizes", "1,1,2", "01 01 03 07 e9 03 01");
  assertEquals(small.out, [
    "M_SP_NA_1 (1)",
    "  cause      spontaneous (3)",
    "  CA         7",
    "  IOA 1001  on",
  ]);
  const wrong = await decode("iec104", "--sizes", "3,1,2", "01");
  assertEquals(wrong.code, 2);
  assert(wrong.err.join().includes("--sizes must be three numbers"));
});

Deno.test("Decode iec104 gives JSON, and the messages that are pushed", async () => {
  const json = JSON.parse((await decode("iec104", "--json", TIMED)).out[0]!);
  assertEquals([json.apci.sendNumber, json.asdu.name, json.asdu.objects[0].address], [
    11,
    "M_SP_TB_1",
    1001,
  ]);
  const broken = await decode("iec104", "--json", "680600000000 0102");
  assertEquals([broken.code, JSON.parse(broken.out[0]!).malformed], [1, {
    code: "iec104.asdu.short",
    offset: 8,
  }]);
  const told = await decode("iec104", "--messages", "--time-zone", "UTC", TIMED);
  const message = JSON.parse(told.out[0]!);
  assertEquals(message.body.time, "2026-11-20 21:06:14.160000");
  assertEquals((await decode("iec104", "--time-zone", "Mars", TIMED)).code, 2);
  assertEquals((await decode("iec104", "68f")).code, 2);
});

Deno.test("Decode srt shows packets of each kind", async () => {
  const packet = async (hex: string) => JSON.parse((await decode("srt", "--json", hex)).out[0]!);
  const data = await packet("00000007 c4000009 0000000a 4a5b6c7d 01020304".replaceAll(" ", ""));
  assertEquals(data, {
    packet: "data",
    sequence: 7,
    position: "solo",
    "in_order": false,
    key: "none",
    retransmitted: true,
    message: 9,
    octets: 4,
    payload: "01 02 03 04",
    "stamp_us": 10,
    destination: "0x4a5b6c7d",
  });
  const nak = await packet("80030000 00000000 00000000 00000001 80000002 00000005 00000009");
  assertEquals([nak.packet, nak.lost], ["nak", "2-5 9"]);
  const ack = await packet("80020000 00000003 00000000 00000001 00000011");
  assertEquals([ack.number, ack.next, ack.light], [3, 17, true]);
  assertEquals((await decode("srt", "8003")).code, 1);
  assertEquals((await decode("srt", "80000000 00000000 00000000 00000001 00")).code, 1);
});
