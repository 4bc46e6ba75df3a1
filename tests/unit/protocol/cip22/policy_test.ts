import { createHash } from "node:crypto";
import fc from "fast-check";
import { seconds } from "../../../../src/base/time.ts";
import {
  canonicalPolicy,
  costOf,
  graceOf,
  isValidAt,
  type MeterReading,
  NO_POLICY_HASH,
  PERIODS_MAX,
  type PileKey,
  type Policy,
  POLICY_MAX,
  policyHash,
  readPolicy,
  readUnsignedPolicy,
  signPolicy,
  supersedes,
  tariffAt,
  type TariffPeriod,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";
import { signing } from "../../../sim/piles.ts";

const SIGNERS = [signing("sm2"), signing("secp256k1")] as const;

// Goal: a policy as an operator writes it, with a night that is cheap and dear working days.
const FIELDS = {
  id: "north",
  version: 3,
  "valid_from": "2026-01-01T00:00:00+08:00",
  "valid_until": "2027-01-01T00:00:00+08:00",
  "utc_offset_minutes": 480,
  currency: "CNY",
  periods: [
    { from: "00:00", to: "07:00", "energy_price": 300, "service_price": 400 },
    {
      from: "07:00",
      to: "24:00",
      days: [1, 2, 3, 4, 5],
      "energy_price": 900,
      "service_price": 400,
    },
    { from: "07:00", to: "24:00", days: [6, 7], "energy_price": 600, "service_price": 350 },
  ],
  "max_power_w": 7000,
  offline: { "keep_charging": true, "grace_s": 90 },
};
type Changes = Readonly<Record<string, unknown>>;

function good(fields: unknown = FIELDS): Policy {
  const read = readUnsignedPolicy(JSON.stringify(fields));
  assert("policy" in read, "fault" in read ? read.fault : "");
  return read.policy;
}

function fault(change: Changes): string {
  const read = readUnsignedPolicy(JSON.stringify({ ...FIELDS, ...change }));
  assert("fault" in read, "no fault");
  assert(!/[\n\r]/.test(read.fault) && read.fault.length < 500, read.fault);
  return read.fault;
}

const period = (change: Changes) => fault({ periods: [{ ...FIELDS.periods[0], ...change }] });

// Mon 5 January 2026, 00:00 in China.
const MONDAY = Date.parse("2026-01-05T00:00:00+08:00");
const HOUR = 3_600_000;

Deno.test("A policy's octets are canonical JSON, as RFC 8785 has it, and its hash is their SHA-256", () => {
  const read = readUnsignedPolicy(JSON.stringify(FIELDS, undefined, 2));
  assert("policy" in read);
  const text = '{"currency":"CNY","id":"north","max_power_w":7000,' +
    '"offline":{"grace_s":90,"keep_charging":true},"periods":[' +
    '{"energy_price":300,"from":"00:00","service_price":400,"to":"07:00"},' +
    '{"days":[1,2,3,4,5],"energy_price":900,"from":"07:00","service_price":400,"to":"24:00"},' +
    '{"days":[6,7],"energy_price":600,"from":"07:00","service_price":350,"to":"24:00"}],' +
    '"utc_offset_minutes":480,"valid_from":"2026-01-01T00:00:00+08:00",' +
    '"valid_until":"2027-01-01T00:00:00+08:00","version":3}';
  assertEquals(new TextDecoder().decode(read.octets), text);
  assertEquals(read.hash.toHex(), createHash("sha256").update(text).digest("hex"));
  assertEquals(
    read.hash.toHex(),
    "50337108dbacd8c42b2de1b48e8169556b481b0956c4390f76612acd59a7ece4",
  );
  assertEquals([policyHash(read.policy), canonicalPolicy(read.policy)], [read.hash, read.octets]);
  assertEquals(NO_POLICY_HASH, new Uint8Array(32));
});

Deno.test("What is left out, and how numbers and letters are written, is kept or made one", () => {
  const { max_power_w: _, ...fields } = FIELDS;
  const policy = good({ ...fields, id: 'é\u{1f50c}"', offline: { "keep_charging": false } });
  const text = new TextDecoder().decode(canonicalPolicy(policy));
  assert(text.includes('"id":"é\u{1f50c}\\""') && text.includes('{"keep_charging":false}'), text);
  assert(!text.includes("max_power_w"));
  assertEquals([graceOf(policy), graceOf(good())], [seconds(60), seconds(90)]);
  const one = JSON.stringify(FIELDS).replace('"version":3', '"version": 3.0e0');
  const other = JSON.stringify(Object.fromEntries(Object.entries(FIELDS).reverse()));
  for (const written of [one, other.replace("north", "n\\u006frth")]) {
    const read = readUnsignedPolicy(written);
    assert("policy" in read);
    assertEquals(read.hash, policyHash(good()));
  }
  const zero = JSON.stringify(FIELDS).replace('minutes":480', 'minutes":-0');
  const read = readUnsignedPolicy(zero);
  assert("policy" in read && Object.is(read.policy.utcOffsetMinutes, 0));
});

for (const [index, { key, sign }] of SIGNERS.entries()) {
  Deno.test(`A document that is signed with ${key.signer} is read with that key, and with no other`, () => {
    const policy = good();
    const text = signPolicy(policy, key.signer, sign);
    const read = readPolicy(text, key);
    assert("policy" in read, "fault" in read ? read.fault : "");
    assertEquals(read, { policy, hash: policyHash(policy), octets: canonicalPolicy(policy) });
    assertEquals(readPolicy(text, undefined), read);
    const faultOf = (text: string, by: PileKey = key) => {
      const result = readPolicy(text, by);
      return "fault" in result ? result.fault.split("; ")[0] : "no fault";
    };
    const other = SIGNERS[1 - index]!.key;
    assertEquals(
      faultOf(text, other),
      `signer is "${key.signer}"`,
    );
    assertEquals(
      faultOf(text, { ...key, point: other.point }),
      "signature does not hold with this key",
    );
    assertEquals(
      faultOf(text.replace('"version":3', '"version":4')),
      "signature does not hold with this key",
    );
    const document = JSON.parse(text);
    for (const at of [0, 63, 64, 127]) {
      const digits = [...document.signature as string];
      digits[at] = digits[at] === "0" ? "1" : "0";
      const changed = JSON.stringify({ ...document, signature: digits.join("") });
      assertEquals(faultOf(changed), "signature does not hold with this key");
    }
    const written = JSON.stringify({ ...document, signature: document.signature.toUpperCase() });
    assertEquals(faultOf(written), "no fault");
  });
}

Deno.test("Documents that were signed long ago still hold", () => {
  const keys = [
    {
      signer: "sm2",
      point: Uint8Array.fromHex(
        "02852611f744af045689dcfbf4c0437730d2d2de332ab7f0fc02769c5fab8a8943",
      ),
    },
    {
      signer: "secp256k1",
      point: Uint8Array.fromHex(
        "02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27",
      ),
    },
  ] as const;
  const signatures = [
    "6ad3826cddd368147fd864ee4225d1c91198bfcce7585429945abeccd4d9d336" +
    "fa4e1276662fe0e8a481565081b3f816508a5ed0210cc93727cb9c49c4b45f9a",
    "074cdd5faf19991f5d64183293684d417896389042e72df8c5b4f0fd43917ed5" +
    "04acefb9913072b352bb2a81fa73b7102da393b415afec165af6807b2d44827e",
  ];
  for (const [index, key] of keys.entries()) {
    const signature = signatures[index]!;
    const read = readPolicy(JSON.stringify({ policy: FIELDS, signer: key.signer, signature }), key);
    assert("policy" in read, "fault" in read ? read.fault : "");
  }
});

Deno.test("A tool is told when what it signs with is no signature", () => {
  assertThrows(() => signPolicy(good(), "sm2", () => new Uint8Array(63)), "64 octets");
});

Deno.test("A fault names the field, what it is and what it has to be, in one line", () => {
  const cases: readonly [Changes, string][] = [
    [{ id: "" }, 'policy.id is ""; it has to be a text of 1 to 64 characters'],
    [{ id: "a\nb" }, 'policy.id is "a\\nb"; it has to be a text of 1 to 64 characters'],
    [{ id: "\ud800" }, 'policy.id is "\\ud800"; it has to be a text of 1 to 64 characters'],
    [{ version: 0 }, `policy.version is 0; it has to be a whole number from 1 to ${2 ** 53 - 1}`],
    [{ version: undefined }, "policy.version is missing; it has to be a whole number"],
    [{ version: 1.5 }, "policy.version is 1.5; it has to be"],
    [{ version: "3" }, 'policy.version is "3"; it has to be'],
    [{ valid_from: "2026-01-01T00:00:00" }, "an instant with its zone, such as 2026-01-01T"],
    [{ valid_from: "2026-02-30T00:00:00Z" }, 'policy.valid_from is "2026-02-30T00:00:00Z"; it'],
    [{ valid_from: "2026-02-28T24:00:00Z" }, "an instant with its zone"],
    [{ valid_from: "2026-02-28T00:00:00+99:99" }, "an instant with its zone"],
    [{ valid_until: FIELDS.valid_from }, "it has to be after valid_from"],
    [{ utc_offset_minutes: 841 }, "policy.utc_offset_minutes is 841; it has to be a whole number"],
    [{ currency: "yuan" }, 'policy.currency is "yuan"; it has to be a code such as CNY'],
    [{ periods: null }, "policy.periods is null; it has to be a list of 1 to 64 periods"],
    [{ periods: Array(PERIODS_MAX + 1).fill(FIELDS.periods[0]) }, "is a list of 65; it has to be"],
    [{ periods: [7] }, "periods[0] is 7; it has to be an object"],
    [{ max_power_w: 0 }, "policy.max_power_w is 0; it has to be a whole number from 1 to 10000000"],
    [{ offline: undefined }, "offline is missing; it has to be an object"],
    [{ offline: { keep_charging: 1 } }, "offline.keep_charging is 1; it has to be true or false"],
    [{ offline: { keep_charging: true, grace_s: 86_401 } }, "a whole number from 0 to 86400"],
    [{ odd: 1, "a\nb": 2 }, 'policy has unknown fields: "odd", "a\\nb"; remove them'],
    [{ offline: { keep_charging: true, x: 1 } }, 'offline has unknown fields: "x"; remove them'],
  ];
  for (const [change, words] of cases) assert(fault(change).includes(words), fault(change));
  assertEquals(
    period({ from: "7:00" }),
    'periods[0].from is "7:00"; it has to be a time such as 07:00',
  );
  assert(period({ to: "24:01" }).endsWith("a time such as 21:30, or 24:00"));
  assert(period({ from: "24:00" }).startsWith('periods[0].from is "24:00"'));
  assert(period({ from: "22:00", to: "06:00" }).endsWith("over midnight it takes two periods"));
  assert(period({ energy_price: -1 }).startsWith("periods[0].energy_price is -1; it has to be"));
  assert(period({ service_price: 1e9 + 1 }).startsWith("periods[0].service_price is 1000000001;"));
  assert(period({ price: 1 }).startsWith('periods[0] has unknown fields: "price"'));
  for (const days of [[], [0], [8], [1, 1], ["1"], 1, null]) {
    assert(period({ days }).startsWith("periods[0].days is "), JSON.stringify(days));
  }
});

Deno.test("The first minute of the week that has no period, or two, is named", () => {
  const [night, work, rest] = FIELDS.periods;
  assertEquals(
    fault({ periods: [] }),
    "periods leave out Monday 00:00 to Sunday 24:00; add a period for that",
  );
  assertEquals(
    fault({ periods: [night, work] }),
    "periods leave out Saturday 07:00 to Saturday 24:00; add a period for that",
  );
  assertEquals(
    fault({ periods: [night, { ...work, from: "07:30" }, rest] }),
    "periods leave out Monday 07:00 to Monday 07:30; add a period for that",
  );
  assertEquals(
    fault({ periods: [night, work, { ...rest, to: "23:59" }] }),
    "periods leave out Saturday 23:59 to Saturday 24:00; add a period for that",
  );
  assertEquals(
    fault({ periods: [night, { ...work, days: [1, 2, 3, 4, 5, 6] }, rest] }),
    "periods[2] and periods[1] both cover Saturday 07:00; shorten one of them",
  );
  assertEquals(
    fault({ periods: [night, { ...work, from: "06:59" }, rest] }),
    "periods[1] and periods[0] both cover Monday 06:59; shorten one of them",
  );
});

Deno.test("What is no document, or too long, is refused, whatever it is", () => {
  const document = { policy: FIELDS, signer: "sm2", signature: "00".repeat(64) };
  const long = JSON.stringify(document) + " ".repeat(POLICY_MAX);
  const wide = JSON.stringify({
    ...document,
    policy: { ...FIELDS, id: "é".repeat(POLICY_MAX / 2) },
  });
  const deep = `{"policy":${"[".repeat(16_000)}${"]".repeat(16_000)}}`;
  for (const text of ["", "{", "[]", "null", "1", "[".repeat(POLICY_MAX), long, wide, deep]) {
    const read = readPolicy(text, undefined);
    assert("fault" in read && !read.fault.includes("\n"), text.slice(0, 20));
  }
  for (const change of [{ signer: "bls" }, { signature: "00" }, { policy: 1 }, { more: 1 }]) {
    assert("fault" in readPolicy(JSON.stringify({ ...document, ...change }), undefined));
  }
  fc.assert(fc.property(fc.json(), (text) => {
    readPolicy(text, undefined);
    readUnsignedPolicy(text);
  }));
  const places = fc.constantFrom("id", "version", "valid_from", "periods", "offline", "currency");
  fc.assert(fc.property(places, fc.jsonValue(), (place, value) => {
    readUnsignedPolicy(JSON.stringify({ ...FIELDS, [place]: value }));
  }));
});

Deno.test("A policy holds from its first instant on, and not at its last", () => {
  const policy = good();
  const [from, until] = [policy.validFrom, policy.validUntil].map(Date.parse) as [number, number];
  const at = [from - 1, from, until - 1, until];
  assertEquals(at.map((ms) => isValidAt(policy, ms)), [false, true, true, false]);
  assert(!isValidAt({ ...policy, validFrom: "2026-01-01" }, from));
});

Deno.test("A policy gives way to a later version of itself, and to another one", () => {
  const policy = good();
  const versions = [2, 3, 4].map((version) => supersedes(policy, { ...policy, version }));
  assertEquals(versions, [false, false, true]);
  assert(supersedes(policy, { ...policy, id: "south", version: 1 }));
});

Deno.test("The tariff of an instant goes by the policy's own clock and its days", () => {
  const policy = good();
  const price = (ms: number) => tariffAt(policy, ms).energyPrice;
  assertEquals(
    [0, 7 * HOUR - 1, 7 * HOUR, 24 * HOUR - 1, 24 * HOUR].map((ms) => price(MONDAY + ms)),
    [
      300,
      300,
      900,
      900,
      300,
    ],
  );
  assertEquals([5, 6, 7].map((day) => price(MONDAY + day * 24 * HOUR + 8 * HOUR)), [600, 600, 900]);
  // Thursday 1 January 1970, an instant before 8 o'clock, and before 7.
  assertEquals([price(-1), price(-HOUR - 1)], [900, 300]);
});

const cost = (readings: readonly MeterReading[], policy = good()) => {
  const result = costOf(policy, readings);
  assert("cost" in result, "fault" in result ? result.fault : "");
  return result.cost;
};

Deno.test("A consumption is split over the periods it spans, and rounded once, half up", () => {
  const at = (hours: number, wattHours: number) => ({ epochMs: MONDAY + hours * HOUR, wattHours });
  assertEquals([cost([]), cost([at(0, 5)])], [0n, 0n]);
  assertEquals(cost([at(0, 0), at(1, 10_000)]), 7000n);
  // Half of it at 0.700, half at 1.300.
  assertEquals(cost([at(6, 0), at(8, 10_000)]), 10_000n);
  assertEquals(cost([at(8, 0), at(8, 1000), at(8, 1000)]), 1300n, "at one instant");
  assertEquals(
    cost([at(0, 0), at(7 * 24, 168_000)]),
    BigInt(7 * 7 * 700 + 5 * 17 * 1300 + 2 * 17 * 950),
  );
  // 0.65 and 0.65 thousandths: 1.3, where rounding each would give 2.
  const small = good({ ...FIELDS, periods: [{ ...FIELDS.periods[0], to: "24:00" }] });
  const flat = { ...small, periods: [{ ...small.periods[0]!, energyPrice: 250, servicePrice: 0 }] };
  assertEquals([1, 2, 3, 4, 6].map((wattHours) => cost([at(0, 0), at(1, wattHours)], flat)), [
    0n,
    1n,
    1n,
    1n,
    2n,
  ]);
  assertEquals(cost([at(0, 0), at(1, 1), at(2, 2), at(3, 3), at(4, 4)], flat), 1n);
});

Deno.test("Readings that go back, or are no whole numbers, are named", () => {
  const faultOf = (...readings: readonly MeterReading[]) => {
    const result = costOf(good(), readings);
    return "fault" in result ? result.fault : "none";
  };
  const first = { epochMs: 1000, wattHours: 5 };
  assertEquals(
    faultOf(first, { epochMs: 999, wattHours: 5 }),
    "readings[1].epochMs is 999; it has to be a whole number from 1000 on",
  );
  assertEquals(
    faultOf(first, { epochMs: 1000, wattHours: 4 }),
    "readings[1].wattHours is 4; it has to be a whole number from 5 on",
  );
  for (const epochMs of [-1, 0.5, NaN, Infinity, 9e15]) {
    assert(faultOf({ ...first, epochMs }).startsWith("readings[0].epochMs is "));
  }
  for (const wattHours of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assert(faultOf({ ...first, wattHours }).startsWith("readings[0].wattHours is "));
  }
});

const clock = (minute: number) =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** Days cut anywhere, each in its own way: they cover the week. */
const cover: fc.Arbitrary<TariffPeriod[]> = fc.array(
  fc.record({
    cuts: fc.uniqueArray(fc.integer({ min: 1, max: 1439 }), { maxLength: 5 }),
    prices: fc.array(fc.nat(2000), { minLength: 6, maxLength: 6 }),
  }),
  { minLength: 7, maxLength: 7 },
).chain((days) => {
  const all = days.flatMap(({ cuts, prices }, day) => {
    const edges = [0, ...cuts.sort((one, other) => one - other), 1440];
    return edges.slice(1).map((to, at): TariffPeriod => ({
      from: clock(edges[at]!),
      to: clock(to),
      days: [day + 1],
      energyPrice: prices[at]!,
      servicePrice: 100,
    }));
  });
  return fc.shuffledSubarray(all, { minLength: all.length });
});
const written = (periods: readonly TariffPeriod[]) => ({
  ...FIELDS,
  periods: periods.map(({ energyPrice, servicePrice, ...of }) => ({
    ...of,
    "energy_price": energyPrice,
    "service_price": servicePrice,
  })),
});

Deno.test("Any days that are cut anywhere are a policy, and are none when a part is missing or twice", () => {
  fc.assert(fc.property(cover, fc.nat(), (periods, chance) => {
    const policy = good(written(periods));
    const again = readPolicy(signPolicy(policy, "sm2", () => new Uint8Array(64)), undefined);
    assert("policy" in again);
    assertEquals(again.policy, policy);
    const odd = chance % periods.length;
    const less = fault(written(periods.filter((_, at) => at !== odd)));
    const { from, days } = periods[odd]!;
    assert(less.startsWith("periods leave out ") && less.includes(` ${from} to `), less);
    const more = fault(written([...periods, periods[odd]!]));
    assert(more.includes(" both cover ") && more.includes(` ${from}; `), `${more} ${days}`);
  }));
});

Deno.test("What it costs is what each minute costs, summed up", () => {
  const spans = fc.array(fc.tuple(fc.nat(600), fc.nat(9000)), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(cover, fc.integer({ min: 0, max: 30_000_000 }), spans, (periods, start, spans) => {
      const policy = good(written(periods));
      const readings = [{ epochMs: start * 60_000, wattHours: 0 }];
      let [over, under] = [0n, 1n];
      for (const [minutes, wattHours] of spans) {
        const { epochMs, wattHours: before } = readings.at(-1)!;
        const price = (ms: number) => {
          const { energyPrice, servicePrice } = tariffAt(policy, ms);
          return BigInt(energyPrice + servicePrice);
        };
        let prices = minutes === 0 ? price(epochMs) : 0n;
        for (let at = 0; at < minutes; at += 1) prices += price(epochMs + at * 60_000);
        const parts = BigInt(minutes || 1);
        [over, under] = [over * parts + BigInt(wattHours) * prices * under, under * parts];
        readings.push({ epochMs: epochMs + minutes * 60_000, wattHours: before + wattHours });
      }
      under *= 1000n;
      assertEquals(cost(readings, policy), (2n * over + under) / (2n * under));
    }),
  );
});

Deno.test("Many readings at odd times cost little to sum up, and no less exactly", () => {
  const readings: MeterReading[] = [{ epochMs: MONDAY, wattHours: 0 }];
  for (let at = 1; at <= 5000; at += 1) {
    readings.push({ epochMs: readings.at(-1)!.epochMs + at, wattHours: at });
  }
  assertEquals(cost(readings), 3500n);
});
