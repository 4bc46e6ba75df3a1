import fc from "fast-check";
import {
  CP56_SIZE,
  epochNear,
  epochOf,
  readTimeTag,
  tagOf,
  tagText,
  type TimeTag,
  timeZone,
  UTC,
  writeTimeTag,
} from "../../../../src/protocol/iec104/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { fromHex } from "../../../hex.ts";

const HOUR = 3_600_000;

function read(hex: string): TimeTag {
  return readTimeTag(fromHex(hex), 0, CP56_SIZE);
}

function fields(year: number, month: number, day: number, hour: number, minute = 0): TimeTag {
  return {
    ...read("00 00 00 00 01 01 1a"),
    year: year % 100,
    month,
    day,
    hour,
    minute,
  };
}

Deno.test("CP56Time2a is read field by field", () => {
  const tag = read("5f ea bb 97 61 07 1a");
  assertEquals(tag, {
    ms: 59_999,
    minute: 59,
    hour: 23,
    day: 1,
    weekday: 3,
    month: 7,
    year: 26,
    invalid: true,
    substituted: false,
    summer: true,
    reserved: 0,
  });
  assertEquals(tagText(tag, 7), "2026-07-01 23:59:59.999 IV SU");
  assertEquals(tagText(tag, 3), "59:59.999 IV SU");
});

Deno.test("Any seven octets, and any three, come back as they were", () => {
  for (const size of [3, 7] as const) {
    fc.assert(fc.property(fc.uint8Array({ minLength: size, maxLength: size }), (octets) => {
      const back = new Uint8Array(size);
      writeTimeTag(back, 0, size, readTimeTag(octets, 0, size));
      assertEquals(back, octets);
    }));
  }
});

Deno.test("An instant comes back from its tag, in zones with and without summer time", () => {
  for (
    const name of ["UTC", "Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns"]
  ) {
    const zone = timeZone(name)!;
    fc.assert(
      fc.property(fc.integer({ min: 1.33e12, max: 3.15e12 }), (epoch) => {
        const tag = tagOf(epoch, zone);
        assertEquals(epochOf(tag, zone), epoch, `${name} ${new Date(epoch).toISOString()}`);
        assert(tag.weekday >= 1 && tag.weekday <= 7);
      }),
      { numRuns: 500 },
    );
  }
});

Deno.test("In the hour that comes twice SU tells which; the hour that is left out is no failure", () => {
  const berlin = timeZone("Europe/Berlin")!;
  const twice = fields(2026, 10, 25, 2, 30);
  const second = Date.UTC(2026, 9, 25, 1, 30);
  assertEquals(epochOf(twice, berlin), second);
  assertEquals(epochOf({ ...twice, summer: true }, berlin), second - HOUR);
  const none = fields(2026, 3, 29, 2, 30);
  assertEquals(epochOf(none, berlin), Date.UTC(2026, 2, 29, 1, 30));
});

Deno.test("SU takes an hour off where the zone has no summer time; without SU summer is wall clock", () => {
  const tag = fields(2026, 7, 1, 12);
  assertEquals(epochOf({ ...tag, summer: true }, UTC), Date.UTC(2026, 6, 1, 11));
  assertEquals(epochOf(tag, timeZone("Europe/Berlin")!), Date.UTC(2026, 6, 1, 10));
  assertEquals(
    epochOf({ ...tag, summer: true }, timeZone("Europe/Berlin")!),
    Date.UTC(2026, 6, 1, 10),
  );
  assertEquals(tagOf(Date.UTC(2026, 6, 1), timeZone("Europe/Berlin")!).summer, true);
  assertEquals(tagOf(Date.UTC(2026, 0, 1), timeZone("Europe/Berlin")!).summer, false);
  assertEquals(timeZone("Mars/Olympus"), undefined);
});

Deno.test("A tag that names no instant is none", () => {
  const good = fields(2026, 2, 28, 1);
  assert(epochOf(good, UTC) !== undefined);
  for (
    const wrong of [
      { invalid: true },
      { ms: 60_000 },
      { minute: 60 },
      { hour: 24 },
      { day: 0 },
      { day: 29 },
      { month: 0 },
      { month: 13 },
      { year: 100 },
    ]
  ) {
    assertEquals(epochOf({ ...good, ...wrong }, UTC), undefined, JSON.stringify(wrong));
  }
  assertEquals(epochOf(fields(1999, 1, 1, 0), UTC), Date.UTC(1999, 0, 1));
  assertEquals(epochOf(fields(2069, 1, 1, 0), UTC), Date.UTC(2069, 0, 1));
});

Deno.test("CP24 is the instant nearest to its reception", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 3e12 }),
      fc.integer({ min: -29 * 60_000, max: 29 * 60_000 }),
      fc.constantFrom("UTC", "Asia/Kolkata", "Asia/Shanghai"),
      (epoch, late, name) => {
        const zone = timeZone(name)!;
        const octets = new Uint8Array(3);
        writeTimeTag(octets, 0, 3, tagOf(epoch, zone));
        assertEquals(epochNear(readTimeTag(octets, 0, 3), zone, epoch + late), epoch);
      },
    ),
  );
  assertEquals(epochNear({ ...tagOf(0, UTC), invalid: true }, UTC, 0), undefined);
  assertEquals(epochNear({ ...tagOf(0, UTC), minute: 63 }, UTC, 0), undefined);
});

Deno.test("A station tells of its own clock", () => {
  const tag = tagOf(0, UTC, { invalid: true, substituted: true });
  assertEquals([tag.invalid, tag.substituted, tag.year, tag.weekday], [true, true, 70, 4]);
});
