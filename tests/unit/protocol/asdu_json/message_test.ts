import {
  asduMessage,
  DATA_TYPE_OTHER,
  dataTypeOf,
  messageKey,
  type MessageOccasion,
  type MessageSource,
  wallTime,
} from "../../../../src/protocol/asdu_json/mod.ts";
import {
  decodeAsdu,
  type InformationObject,
  readTimeTag,
  tagOf,
  timeZone,
  TYPE,
  TYPE_SPECS,
  UTC,
} from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex } from "../../../hex.ts";

const SHANGHAI = timeZone("Asia/Shanghai")!;
const SOURCE: MessageSource = {
  host: "10.1.2.3",
  port: 2404,
  metaData: { stationId: "330KV" },
  deviceZone: SHANGHAI,
  zone: SHANGHAI,
};
/** 10:11:12.400123 of 3 February 2026 in Shanghai. */
const OCCASION: MessageOccasion = {
  msgId: "0198f0",
  atMicros: Date.UTC(2026, 1, 3, 2, 11, 12, 400) * 1000 + 123,
};
const TAG = tagOf(Date.UTC(2026, 1, 3, 2, 11, 12, 345), SHANGHAI);
const GOOD = {
  qds: 0,
  qdsDesc: "QDS(00000000)[QDSGood]",
  ov: false,
  bl: false,
  sb: false,
  nt: false,
  iv: false,
};

function bodyOf(type: number, object: InformationObject, source = SOURCE): unknown {
  return asduMessage(source, { type, commonAddress: 1 }, object, OCCASION)?.body;
}

Deno.test("The documented example, field by field and in its order", () => {
  const mapping = {
    deviceId: "d1",
    deviceName: "T1",
    tdTableType: "yc",
    ext1: "alarm",
    ext2: "",
    ext3: "",
    ext4: "",
    ext5: "",
  };
  const message = asduMessage(
    SOURCE,
    { type: TYPE.M_ME_TF_1, commonAddress: 1 },
    { kind: "float", address: 16_385, value: 220.5, quality: 0, time: TAG },
    { ...OCCASION, mapping, headers: { traceparent: "00-ab" }, traceId: "ab" },
  );
  assertEquals(
    JSON.stringify(message),
    JSON.stringify({
      msgId: "0198f0",
      host: "10.1.2.3",
      port: 2404,
      asdu: "M_ME_TF_1",
      typeId: 36,
      dataType: 6,
      coa: 1,
      body: { ioa: 16_385, value: 220.5, ...GOOD, time: "2026-02-03 10:11:12.345000" },
      time: "2026-02-03 10:11:12.400123",
      metaData: { stationId: "330KV" },
      pm: mapping,
      headers: { traceparent: "00-ab" },
      traceId: "ab",
    }),
  );
  assertEquals(messageKey("10.1.2.3", 1, 16_385), "10.1.2.3_1_0x004001");
});

Deno.test("What is empty is left out", () => {
  const single = { kind: "single", address: 1, on: true, quality: 0 } as const;
  const message = asduMessage(
    { ...SOURCE, metaData: {} },
    { type: 1, commonAddress: 2 },
    single,
    OCCASION,
  );
  assertEquals(Object.keys(message!), [
    "msgId",
    "host",
    "port",
    "asdu",
    "typeId",
    "dataType",
    "coa",
    "body",
    "time",
  ]);
});

Deno.test("Each type has the documented data type, and only process information is sent", () => {
  const wanted: Record<number, number[]> = {
    0: [1, 2, 30],
    1: [3, 4, 31],
    2: [11, 12, 35],
    3: [9, 10, 21, 34],
    4: [5, 6, 32],
    5: [7, 8, 33],
    6: [13, 14, 36],
    7: [15, 16, 37],
    8: [17, 38],
    9: [18, 39],
    10: [19, 40],
    11: [20],
    12: [45, 58],
    13: [46, 59],
    14: [47, 60],
    15: [48, 61],
    16: [49, 62],
    17: [50, 63],
    18: [51, 64],
    19: [70],
  };
  for (const [dataType, types] of Object.entries(wanted)) {
    for (const type of types) assertEquals(dataTypeOf(type), Number(dataType), `type ${type}`);
  }
  const known = new Set(Object.values(wanted).flat());
  for (let type = 0; type < 256; type += 1) {
    if (!known.has(type)) assertEquals(dataTypeOf(type), DATA_TYPE_OTHER, `type ${type}`);
  }
  for (const spec of TYPE_SPECS) {
    const tag = readTimeTag(new Uint8Array(7), 0, 7);
    const object = spec.codec.read(new Uint8Array(20), 0, 5, spec.timeSize === 0 ? undefined : tag);
    const message = asduMessage(SOURCE, { type: spec.type, commonAddress: 1 }, object, OCCASION);
    assertEquals(message !== undefined, dataTypeOf(spec.type) <= 11, spec.name);
    if (message) assertEquals(JSON.parse(JSON.stringify(message)), message);
  }
});

for (
  const [what, type, object, body] of [
    ["double", 3, { kind: "double", state: 2, quality: 0x10 }, {
      value: 2,
      ...GOOD,
      qds: 16,
      qdsDesc: "QDS(00010000)[QDSBlocked]",
      bl: true,
      time: "",
    }],
    ["scaled", 11, { kind: "scaled", value: -1234, quality: 0xf1 }, {
      value: -1234,
      qds: 0xf1,
      qdsDesc: "QDS(11110001)[QDSOverflow|QDSBlocked|QDSSubstituted|QDSNotTopical|QDSInvalid]",
      ov: true,
      bl: true,
      sb: true,
      nt: true,
      iv: true,
      time: "",
    }],
    ["normalized", 21, { kind: "normalized", raw: -16_384, quality: 0 }, {
      value: -16_384,
      nva: -0.5,
      ...GOOD,
      time: "",
    }],
    ["step", 5, { kind: "step", value: -5, transient: true, quality: 0 }, {
      value: { val: -5, hasTransient: true },
      ...GOOD,
      time: "",
    }],
    ["bitstring", 7, { kind: "bitstring", bits: 0xdeadbeef, quality: 0 }, {
      value: 0xdeadbeef,
      ...GOOD,
      time: "",
    }],
    ["float that is none", 13, { kind: "float", value: NaN, quality: 0 }, {
      value: null,
      ...GOOD,
      time: "",
    }],
    ["float in as many digits as it has", 13, {
      kind: "float",
      value: Math.fround(49.98),
      quality: 0,
    }, {
      value: 49.98,
      ...GOOD,
      time: "",
    }],
    ["counter", 37, {
      kind: "counter",
      reading: -2,
      sequence: 7,
      carry: true,
      adjusted: false,
      invalid: true,
      time: TAG,
    }, {
      value: {
        counterReading: -2,
        seqNumber: 7,
        hasCarry: true,
        isAdjusted: false,
        isInvalid: true,
      },
      time: "2026-02-03 10:11:12.345000",
    }],
    ["protection event", 38, {
      kind: "protection_event",
      state: 2,
      quality: 8,
      elapsed: 123,
      time: TAG,
    }, {
      event: 2,
      qdp: 8,
      qdpDesc: "QDP(00001000)[QDPElapsedTimeInvalid]",
      ei: true,
      bl: false,
      sb: false,
      nt: false,
      iv: false,
      msec: 123,
      time: "2026-02-03 10:11:12.345000",
    }],
    ["protection output", 40, {
      kind: "protection_output",
      circuits: 5,
      quality: 0,
      elapsed: 7,
      time: TAG,
    }, {
      oci: 5,
      gc: true,
      cl1: false,
      cl2: true,
      cl3: false,
      qdp: 0,
      qdpDesc: "QDP(00000000)[QDPGood]",
      ei: false,
      bl: false,
      sb: false,
      nt: false,
      iv: false,
      msec: 7,
      time: "2026-02-03 10:11:12.345000",
    }],
    ["packed", 20, { kind: "packed", states: 0x00f1, changed: 0x8001, quality: 0 }, {
      scd: 0x800100f1,
      stn: "0000000011110001",
      cdn: "1000000000000001",
      ...GOOD,
    }],
  ] as const
) {
  Deno.test(`The body of a ${what}`, () => {
    const whole = { address: 9, ...object } as InformationObject;
    assertEquals(bodyOf(type, whole), { ioa: 9, ...body });
  });
}

Deno.test("Times of the device are told in the zone of the message; no instant is no time", () => {
  const float = { kind: "float", address: 1, value: 1, quality: 0 } as const;
  const time = (fields: Partial<MessageSource>, tag = TAG, type: number = TYPE.M_ME_TF_1) => {
    const body = bodyOf(type, { ...float, time: tag }, { ...SOURCE, ...fields });
    return (body as { time: string }).time;
  };
  assertEquals(time({ deviceZone: UTC }), "2026-02-03 18:11:12.345000");
  assertEquals(time({ deviceZone: UTC, zone: UTC }), "2026-02-03 10:11:12.345000");
  assertEquals(time({}, { ...TAG, invalid: true }), "");
  // CP24 has minutes only: the hour is that of its reception.
  assertEquals(time({}, { ...TAG, hour: 0, day: 0 }, TYPE.M_ME_TC_1), "2026-02-03 10:11:12.345000");
  assertEquals(wallTime(999, UTC), "1970-01-01 00:00:00.000999");
});

Deno.test("One message for each object of an ASDU", () => {
  const asdu = decodeAsdu(fromHex("01 84 14 00 01 00 2c 01 00 01 00 01 10"));
  assert(!("kind" in asdu));
  const bodies = asdu.objects.map((object) =>
    asduMessage(SOURCE, asdu, object, OCCASION)!.body as Record<string, unknown>
  );
  assertEquals(bodies.map(({ ioa, value, bl }) => [ioa, value, bl]), [
    [300, true, false],
    [301, false, false],
    [302, true, false],
    [303, false, true],
  ]);
});
