/** What Wireshark's dissector of IEC 61850-90-5 reads in the session PDUs that we write. */
import {
  type Data,
  encodeEthernet,
  encodeGoose,
  parseMac,
  parseValues,
} from "../../../src/protocol/goose/mod.ts";
import { DROP, encapsulateRGoose, RGOOSE_PORT } from "../../../src/protocol/goose_tunnel/mod.ts";
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { pcapOf } from "./pcap.ts";

const ROOM = 64;
const FIELDS = [
  "rgoose.spdu_id",
  "rgoose.hdr_len",
  "rgoose.spdu_len",
  "rgoose.spdu_num",
  "rgoose.version",
  "rgoose.init_v_len",
  "rgoose.payload_len",
  "rgoose.pdu_tag",
  "rgoose.simulation",
  "rgoose.appid",
  "rgoose.apdu_len",
  "goose.gocbRef",
  "goose.stNum",
  "goose.sqNum",
  "goose.boolean",
  "goose.integer",
  "_ws.malformed",
  "_ws.expert.message",
] as const;

/** A session PDU around a message of `stNum`, behind Ethernet, IPv4 and UDP. */
function packetOf(stNum: number, values: string, simulation: boolean): Uint8Array {
  const payload = encodeGoose({
    appId: 0x3001,
    pdu: {
      gocbRef: "BUSB1/LLN0$GO$gcb1",
      timeAllowedToLive: 200,
      datSet: "BUSB1/LLN0$ds1",
      goId: "gcb1",
      t: { seconds: 1_700_000_000, fraction: 0, quality: 0x0a },
      stNum,
      sqNum: 3,
      simulation,
      confRev: 1,
      ndsCom: false,
      allData: parseValues(values, 0) as Data[],
    },
  }, "minimal")!;
  const ends = {
    destination: parseMac("01:0c:cd:01:00:01")!,
    source: parseMac("02:00:00:00:00:01")!,
  };
  const frame = encodeEthernet({ ...ends, tags: [], etherType: 0x88b8 }, payload);
  const octets = new Uint8Array(ROOM + frame.length);
  octets.set(frame, ROOM);
  const frames = { octets, start: Int32Array.of(ROOM), length: Int32Array.of(frame.length) };
  assertEquals(encapsulateRGoose(frames, 0, stNum + 100), DROP.none);
  const start = frames.start[0]!;
  const datagram = octets.subarray(start, start + frames.length[0]!);
  return encodeEthernet({ ...ends, tags: [], etherType: 0x0800 }, udp(datagram));
}

/** IPv4 and UDP headers, without checksums. */
function udp(datagram: Uint8Array): Uint8Array {
  const packet = new Uint8Array(28 + datagram.length);
  const view = new DataView(packet.buffer);
  packet.set([0x45, 0xb8], 0);
  view.setUint16(2, packet.length);
  packet.set([0x40, 0, 10, 17], 6);
  packet.set([10, 79, 0, 1, 224, 0, 1, 100], 12);
  view.setUint16(20, RGOOSE_PORT);
  view.setUint16(22, RGOOSE_PORT);
  view.setUint16(24, 8 + datagram.length);
  packet.set(datagram, 28);
  return packet;
}

Deno.test({
  name: "R-GOOSE is read by tshark as it was meant, without a complaint",
  ...needs("tshark"),
  fn() {
    const file = Deno.makeTempFileSync({ suffix: ".pcap" });
    try {
      const long = Array(60).fill("int:5").join();
      Deno.writeFileSync(
        file,
        pcapOf([packetOf(1, "bool:true,int:-7", false), packetOf(4_000_000_000 - 100, long, true)]),
      );
      const args = ["-r", file, "-n", "-T", "fields", "-E", "separator=|", "-E", "aggregator=;"];
      const { success, stdout, stderr } = new Deno.Command("tshark", {
        args: [...args, ...FIELDS.flatMap((field) => ["-e", field])],
      }).outputSync();
      assert(success, new TextDecoder().decode(stderr));
      const rows = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) =>
        line.split("|")
      );
      const head = (spdu: string, number: string) => ["0xa1", "21", spdu, number, "0x0002", "0"];
      const apdu = (
        payload: string,
        simulated: string,
        size: string,
      ) => [payload, "0x81", simulated, "0x3001", size, "BUSB1/LLN0$GO$gcb1"];
      assertEquals(rows, [
        [...head("111", "101"), ...apdu("90", "0x00", "0x0054"), "1", "3", "1", "-7", "", ""],
        [
          ...head("292", "4000000000"),
          ...apdu("271", "0x01", "0x0109"),
          ...["3999999900", "3", "", Array(60).fill("5").join(";"), "", ""],
        ],
      ]);
    } finally {
      Deno.removeSync(file);
    }
  },
});
