/** Random ASDUs of every type, as fast-check makes them. */
import fc from "fast-check";
import {
  type Asdu,
  capacityOf,
  CP24_SIZE,
  ELEMENTS,
  type InformationObject,
  type Profile,
  readTimeTag,
  type TimeTag,
  TYPE_SPECS,
  type TypeSpec,
} from "../../../../src/protocol/iec104/mod.ts";

/** All sizes a system can choose. */
export const PROFILES: readonly Profile[] = ([1, 2] as const).flatMap((causeSize) =>
  ([1, 2] as const).flatMap((commonAddressSize) =>
    ([1, 2, 3] as const).map((objectAddressSize) => ({
      causeSize,
      commonAddressSize,
      objectAddressSize,
    }))
  )
);

/** Octets of a time tag, whatever they are. */
export function anyTag(size: 3 | 7): fc.Arbitrary<TimeTag> {
  return fc.uint8Array({ minLength: size, maxLength: size }).map((octets) =>
    readTimeTag(octets, 0, size)
  );
}

/** An object of a type: what its reader makes of random octets. */
function anyObject(spec: TypeSpec, address: number): fc.Arbitrary<InformationObject> {
  const size = spec.codec.size;
  const time = spec.timeSize === 0
    ? fc.constant(undefined)
    : anyTag(spec.timeSize === CP24_SIZE ? 3 : 7);
  if (spec.kind === "segment") {
    return fc.tuple(fc.nat(0xffff), fc.nat(255), fc.uint8Array({ maxLength: 200 })).map(
      ([file, section, octets]) => ({
        kind: "segment",
        address,
        file,
        section,
        octets,
        time: undefined,
      }),
    );
  }
  return fc.tuple(fc.uint8Array({ minLength: size, maxLength: size }), time).map((
    [octets, tag],
  ) => {
    const object = spec.codec.read(octets, 0, address, tag);
    // NaN has many forms; which of them is left after a round trip is not told by the standard.
    return "value" in object && Number.isNaN(object.value) ? { ...object, value: 1.5 } : object;
  });
}

/** An ASDU of a type in a profile. */
export function anyAsdu(spec: TypeSpec, profile: Profile): fc.Arbitrary<Asdu> {
  const last = 2 ** (8 * profile.objectAddressSize) - 1;
  return fc.boolean().map((wanted) => wanted && spec.sequence).chain((sequence) => {
    const most = Math.min(capacityOf(spec.type, sequence, profile), 12);
    return fc.tuple(
      fc.integer({ min: 1, max: most }),
      fc.integer({ min: 0, max: last - most }),
      fc.array(fc.integer({ min: 0, max: last }), { minLength: most, maxLength: most }),
    ).chain(([count, first, others]) => {
      const addresses = Array.from(
        { length: count },
        (_, index) => sequence ? first + index : others[index]!,
      );
      return fc.record({
        type: fc.constant(spec.type),
        cause: fc.nat(63),
        negative: fc.boolean(),
        test: fc.boolean(),
        originator: profile.causeSize === 2 ? fc.nat(255) : fc.constant(0),
        commonAddress: fc.nat(2 ** (8 * profile.commonAddressSize) - 1),
        sequence: fc.constant(sequence),
        objects: fc.tuple(...addresses.map((address) => anyObject(spec, address))),
      }, { noNullPrototype: true });
    });
  });
}

/** Any ASDU of any known type. */
export const ANY: fc.Arbitrary<{ asdu: Asdu; profile: Profile }> = fc.tuple(
  fc.constantFrom(...TYPE_SPECS),
  fc.constantFrom(...PROFILES),
).chain(([spec, profile]) => anyAsdu(spec, profile).map((asdu) => ({ asdu, profile })));

/** Kinds of objects there are, to see that none was left out. */
export const KINDS = Object.keys(ELEMENTS);
