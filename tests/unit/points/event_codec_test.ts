import fc from "fast-check";
import { AppError, BugError } from "../../../src/base/errors.ts";
import { decodeEvents, EventEncoder, TEXT_MAX } from "../../../src/points/event_codec.ts";
import type { PointId, Sample } from "../../../src/points/points.ts";
import { assert, assertEquals } from "../../assert.ts";

const NAMES = ["a.yx.1", "a.yc.2", "größe.x.3"] as PointId[];

const SOURCE = fc.record({
  type: fc.nat(255),
  cause: fc.nat(255),
  octets: fc.uint8Array({ maxLength: 255 }),
}, { noNullPrototype: true });

const SAMPLE: fc.Arbitrary<Sample> = fc.tuple(
  fc.record({
    point: fc.constantFrom(...NAMES),
    value: fc.oneof(
      fc.boolean(),
      fc.double(),
      fc.string({ maxLength: 60, unit: "grapheme" }),
      fc.bigInt(),
    ),
    quality: fc.nat(255),
    at: fc.double({ noNaN: true }),
  }, { noNullPrototype: true }),
  fc.option(SOURCE, { nil: undefined }),
  fc.boolean(),
).map(([sample, source, event]) => ({
  ...sample,
  ...(event ? { event } : {}),
  ...(source ? { source } : {}),
}));

function encoded(samples: readonly Sample[]): Uint8Array {
  const encoder = new EventEncoder();
  for (const sample of samples) encoder.add(NAMES.indexOf(sample.point) + 1, sample);
  assertEquals(encoder.count, samples.length);
  return encoder.take();
}

function decoded(octets: Uint8Array): Sample[] {
  return decodeEvents(octets, (name) => NAMES[name - 1]);
}

Deno.test("Samples come back from their octets, whatever they hold", () => {
  fc.assert(fc.property(fc.array(SAMPLE, { maxLength: 40 }), (samples) => {
    assertEquals(decoded(encoded(samples)), samples);
  }));
});

Deno.test("Octets that are not a journal's are told, wherever they are cut or changed", () => {
  fc.assert(
    fc.property(fc.array(SAMPLE, { minLength: 1, maxLength: 5 }), fc.nat(), fc.nat(255), (
      samples,
      place,
      octet,
    ) => {
      const octets = encoded(samples);
      const cut = octets.slice(0, place % octets.length);
      const changed = octets.slice();
      changed[place % octets.length] = octet;
      for (const wrong of [cut, changed]) {
        try {
          assert(Array.isArray(decoded(wrong)));
        } catch (error) {
          assert(error instanceof AppError, String(error));
          assertEquals(error.code, "points.journal.corrupt");
        }
      }
    }),
  );
});

Deno.test("What is too large to be kept is a bug of its publisher", () => {
  const sample = { point: NAMES[0]!, quality: 0, at: 0 };
  const big = { type: 1, cause: 3, octets: new Uint8Array(256) };
  for (
    const wrong of [
      { ...sample, value: "x".repeat(TEXT_MAX + 1) },
      { ...sample, value: 1, source: big },
    ]
  ) {
    let code = "";
    try {
      encoded([wrong]);
    } catch (error) {
      assert(error instanceof BugError);
      code = error.code;
    }
    assertEquals(code, "points.sample.size");
  }
});
