/** What Wireshark's dissectors of IEC 60870-5-104 read in the frames that we write. */
import {
  type Asdu,
  asdu,
  ASDU_MAX,
  asduOctets,
  capacityOf,
  type InformationObject,
  PROFILE_104,
  tagOf,
  TYPE_SPECS,
  type TypeSpec,
  UNNUMBERED,
  UTC,
  writeI,
  writeS,
  writeU,
} from "../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { pcapOf } from "./pcap.ts";

const SECONDS_OF_TAG = Date.UTC(2026, 10, 20, 21, 6, 14, 160);

/** The stream as packets of Ethernet, IPv4 and TCP from a port, one APDU each. */
function packetsOf(apdus: readonly Uint8Array[]): Uint8Array[] {
  let sequence = 1000;
  return apdus.map((apdu) => {
    const packet = new Uint8Array(54 + apdu.length);
    const view = new DataView(packet.buffer);
    packet.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45], 0);
    view.setUint16(16, 40 + apdu.length);
    packet.set([0x40, 0, 64, 6], 20);
    packet.set([10, 79, 0, 1, 10, 79, 0, 2], 26);
    view.setUint16(34, 2404);
    view.setUint16(36, 50_000);
    view.setUint32(38, sequence);
    view.setUint32(42, 1);
    packet.set([0x50, 0x18, 0xff, 0xff], 46);
    packet.set(apdu, 54);
    sequence += apdu.length;
    return packet;
  });
}

/** Causes that make sense for a type, so that nothing can be complained of. */
function causeOf(spec: TypeSpec): number {
  if (spec.name === "M_EI_NA_1") return 4;
  if (spec.name === "C_RD_NA_1") return 5;
  if (spec.group === "monitor") return spec.kind === "counter" ? 37 : 3;
  return spec.group === "file" ? 13 : 6;
}

function objectOf(spec: TypeSpec, address: number, fill: number): InformationObject {
  const time = spec.timeSize === 0 ? undefined : tagOf(SECONDS_OF_TAG, UTC);
  if (spec.kind === "segment") {
    return {
      kind: "segment",
      address,
      file: 1,
      section: 1,
      octets: new Uint8Array(100).fill(fill),
    };
  }
  if (spec.kind === "log_query") {
    return { kind: "log_query", address, file: 1, from: tagOf(SECONDS_OF_TAG, UTC), time };
  }
  return spec.codec.read(new Uint8Array(16).fill(fill), 0, address, time);
}

/** Frames of every type: one object, as many as fit, SQ = 1, values of all bits, negative, test. */
function asdusOf(spec: TypeSpec): Asdu[] {
  const base = { type: spec.type, cause: causeOf(spec), commonAddress: 47 };
  const objects = (count: number, fill: number) =>
    Array.from({ length: count }, (_, index) => objectOf(spec, 1000 + index, fill));
  const made = [
    asdu({ ...base, objects: objects(1, 0), originator: 3 }),
    asdu({ ...base, objects: objects(1, 1), test: true }),
  ];
  if (spec.many) made.push(asdu({ ...base, objects: objects(capacityOf(spec.type, false), 1) }));
  if (spec.sequence) {
    const most = capacityOf(spec.type, true);
    made.push(asdu({ ...base, sequence: true, objects: objects(most, 0x11) }));
  }
  if (spec.group === "control") {
    made.push(asdu({ ...base, cause: 7, negative: true, objects: objects(1, 0x81) }));
    made.push(asdu({ ...base, cause: 47, negative: true, objects: objects(1, 1) }));
  }
  return made;
}

Deno.test({
  name: "Every type we write is read by tshark, without a warning",
  ...needs("tshark"),
  fn() {
    const asdus = TYPE_SPECS.flatMap(asdusOf);
    const apdus = asdus.map((one, index) => {
      const body = asduOctets(one);
      assert(body.length <= ASDU_MAX);
      const octets = new Uint8Array(6 + body.length);
      writeI(octets, 0, index, 7, body.length);
      octets.set(body, 6);
      return octets;
    });
    const six = (write: (octets: Uint8Array) => void) => {
      const octets = new Uint8Array(6);
      write(octets);
      return octets;
    };
    apdus.push(six((octets) => writeS(octets, 0, 32_767)));
    for (const func of Object.values(UNNUMBERED)) {
      apdus.push(six((octets) => writeU(octets, 0, func)));
    }
    const rows = dissected(packetsOf(apdus));
    assertEquals(rows.length, apdus.length);
    for (const [index, row] of rows.entries()) {
      const one = asdus[index];
      const what = `${index}: type ${one?.type} ${row.join(" | ")}`;
      const [type, count, cause, negative, test, originator, address, first, malformed, severity] =
        row;
      assertEquals(malformed, "", what);
      // 0x600000 is a warning, 0x800000 an error; TCP itself chats and notes.
      for (const level of severity!.split(",").filter(Boolean)) {
        assert(Number(level) < 0x600000, what);
      }
      if (!one) continue;
      assertEquals(Number(type), one.type, what);
      assertEquals(Number(count), one.objects.length, what);
      assertEquals(Number(cause), one.cause, what);
      assertEquals([negative, test], [one.negative, one.test].map(booleanText), what);
      assertEquals([Number(originator), Number(address)], [one.originator, 47], what);
      assertEquals(Number(first!.split(",")[0]), 1000, what);
    }
  },
});

function booleanText(value: boolean): string {
  return value ? "1" : "0";
}

function dissected(packets: readonly Uint8Array[]): string[][] {
  const file = Deno.makeTempFileSync({ suffix: ".pcap" });
  try {
    Deno.writeFileSync(file, pcapOf(packets));
    const fields = [
      "iec60870_asdu.typeid",
      "iec60870_asdu.numix",
      "iec60870_asdu.causetx",
      "iec60870_asdu.nega",
      "iec60870_asdu.test",
      "iec60870_asdu.oa",
      "iec60870_asdu.addr",
      "iec60870_asdu.ioa",
      "_ws.malformed",
      "_ws.expert.severity",
    ];
    const { success, stdout, stderr } = new Deno.Command("tshark", {
      args: [
        ...[
          "-n",
          "-r",
          file,
          "-d",
          "tcp.port==2404,iec60870_104",
          "-o",
          "tcp.check_checksum:FALSE",
        ],
        ...["-T", "fields", "-E", "separator=;", ...fields.flatMap((field) => ["-e", field])],
      ],
      env: { HOME: "/nonexistent" },
    }).outputSync();
    assert(success, new TextDecoder().decode(stderr));
    const lines = new TextDecoder().decode(stdout).split("\n").slice(0, -1);
    return lines.map((line) => line.split(";"));
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test({
  name: "tshark's words for values are ours",
  ...needs("tshark"),
  fn() {
    const plain = { cause: 3, commonAddress: 1 };
    const time = tagOf(SECONDS_OF_TAG, UTC);
    const given: readonly [Asdu, RegExp][] = [
      [
        asdu({
          ...plain,
          type: 46,
          cause: 6,
          objects: [{ kind: "double_command", address: 1, state: 2, qualifier: 1, select: true }],
        }),
        /ON\/OFF: ON[\s\S]*QU: Short Pulse[\s\S]*S\/E: Select/,
      ],
      [
        asdu({
          ...plain,
          type: 36,
          objects: [{ kind: "float", address: 1, value: -1.5e6, quality: 0x80, time }],
        }),
        /Value: -1\.5e\+06[\s\S]*IV: Invalid[\s\S]*Nov 20, 2026 21:06:14\.160/,
      ],
      [
        asdu({
          ...plain,
          type: 15,
          cause: 37,
          objects: [{
            kind: "counter",
            address: 1,
            reading: -123_456,
            sequence: 7,
            carry: true,
            adjusted: false,
            invalid: false,
          }],
        }),
        /Binary Counter: -123456[\s\S]*SQ: 7[\s\S]*CY: Overflow/,
      ],
      [
        asdu({
          ...plain,
          type: 5,
          objects: [{ kind: "step", address: 1, value: -5, transient: true, quality: 0x10 }],
        }),
        /Value: -5[\s\S]*T: Transient[\s\S]*BL: Blocked/,
      ],
    ];
    for (const [one, words] of given) {
      const body = asduOctets(one, PROFILE_104);
      const octets = new Uint8Array(6 + body.length);
      writeI(octets, 0, 0, 0, body.length);
      octets.set(body, 6);
      const file = Deno.makeTempFileSync({ suffix: ".pcap" });
      try {
        Deno.writeFileSync(file, pcapOf(packetsOf([octets])));
        const { stdout } = new Deno.Command("tshark", {
          args: ["-n", "-r", file, "-d", "tcp.port==2404,iec60870_104", "-V"],
          env: { HOME: "/nonexistent" },
        }).outputSync();
        const text = new TextDecoder().decode(stdout);
        assert(words.test(text), `${words}\n${text.slice(text.indexOf("IEC 60870"))}`);
      } finally {
        Deno.removeSync(file);
      }
    }
  },
});
