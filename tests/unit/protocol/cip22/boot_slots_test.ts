import fc from "fast-check";
import {
  BOOT_META_SIZE,
  type BootCopies,
  type BootMeta,
  type BootOutcome,
  BOOTS_MAX,
  bootSlot,
  type BootStep,
  bootWrites,
  confirmSlot,
  currentBootMeta,
  installSlot,
  NEW_PILE,
  outcomeTold,
  type Pile,
  pileStep,
  readBootMeta,
  SAFE_BOOT_META,
  type Slot,
  type SlotName,
  SLOTS,
  writeBootMeta,
} from "../../../../src/protocol/cip22/mod.ts";
import { crc32 } from "../../../../src/base/crc32.ts";
import { assert, assertEquals } from "../../../assert.ts";

const digest = (octet: number) => new Uint8Array(32).fill(octet);
const OLD: Slot = { version: "1.0.0", digest: digest(1), good: true };
const NEW = { version: "2.0.0", digest: digest(2) };
const EMPTY: Slot = { version: "", digest: digest(0), good: false };
/** A pile that came from the factory with one image. */
const FACTORY: BootMeta = { ...SAFE_BOOT_META, sequence: 7, a: OLD, b: EMPTY };
const INSTALLED = installSlot(FACTORY, "b", NEW).meta;
const whole = () => true;

/** The record after so many boots that were not confirmed. */
function booted(times: number, meta = INSTALLED): BootStep {
  let step: BootStep = { meta };
  for (let time = 0; time < times; time += 1) step = bootSlot(step.meta, whole);
  return step;
}

Deno.test("An image that was installed is started, and is active once it is confirmed", () => {
  assertEquals(INSTALLED, {
    ...FACTORY,
    sequence: 8,
    pending: "b",
    b: { ...NEW, good: false },
  });
  const first = booted(1);
  assertEquals([first.run, first.outcome, first.meta.boots], ["b", undefined, 1]);
  const { meta, outcome } = confirmSlot(first.meta, "b");
  assertEquals(outcome, "upgraded");
  assertEquals(meta, {
    ...FACTORY,
    sequence: 10,
    active: "b",
    b: { ...NEW, good: true },
    outcome: "upgraded",
  });
  assertEquals(bootSlot(meta, whole), { meta, run: "b" });
  assertEquals(confirmSlot(meta, "b"), { meta }, "once is enough");
  const told = outcomeTold(meta).meta;
  assertEquals([told.outcome, told.sequence], [undefined, 11]);
  assertEquals(outcomeTold(told), { meta: told });
  const back = installSlot(told, "a", { version: "2.1.0", digest: digest(3) }).meta;
  assertEquals(confirmSlot(booted(1, back).meta, "a").meta.active, "a");
});

Deno.test("An image that is never confirmed is started three times, and then the old one again", () => {
  const runs = [1, 2, 3, 4, 5].map((times) => booted(times).run);
  assertEquals(runs, [...Array(BOOTS_MAX).fill("b"), "a", "a"]);
  const { meta, outcome } = booted(BOOTS_MAX + 1);
  assertEquals([outcome, meta.outcome, meta.boots], ["rolled_back", "rolled_back", 0]);
  assertEquals([meta.active, meta.pending, meta.b.good], ["a", undefined, false]);
  assertEquals(booted(BOOTS_MAX + 2), { meta, run: "a" });
  assertEquals(confirmSlot(meta, "a"), { meta });
  assertEquals(confirmSlot(meta, "b"), { meta, refused: "the slot is not pending" });
  assertEquals(confirmSlot(INSTALLED, "a"), { meta: INSTALLED }, "the old one still runs");
});

Deno.test("A slot that is not whole is not started, and without any the pile is bricked", () => {
  const only = (...slots: readonly SlotName[]) => (slot: SlotName) => slots.includes(slot);
  const torn = bootSlot(INSTALLED, only("a"));
  assertEquals([torn.run, torn.outcome, torn.meta.pending], ["a", "rolled_back", undefined]);
  assertEquals(bootSlot(INSTALLED, only()), { meta: INSTALLED, outcome: "bricked" });
  const tried = booted(BOOTS_MAX).meta;
  assertEquals(bootSlot(tried, only("b")), { meta: tried, outcome: "bricked" });
  assertEquals(bootSlot(INSTALLED, only("b")).run, "b", "the new one may still be the way out");
  const upgraded = confirmSlot(booted(1).meta, "b").meta;
  const back = bootSlot(upgraded, only("a"));
  assertEquals([back.run, back.outcome, back.meta.active], ["a", "rolled_back", "a"]);
  assertEquals([back.meta.a.good, back.meta.b.good], [true, false]);
  assertEquals(bootSlot(FACTORY, only("b")), { meta: FACTORY, outcome: "bricked" }, "b is empty");
});

Deno.test("Nothing is installed where something runs, or what a record cannot hold", () => {
  const refused = (meta: BootMeta, slot: SlotName, change: Partial<Slot> = {}) => {
    const step = installSlot(meta, slot, { ...NEW, ...change });
    assertEquals(step.meta, meta);
    return step.refused;
  };
  assertEquals(refused(FACTORY, "a"), "the slot is the active one");
  assertEquals(refused(booted(1).meta, "b"), "the slot is being tried; confirm or restart");
  const odd: readonly Partial<Slot>[] = [
    { version: "" },
    { version: "two" },
    { version: `1.0.0-${"a".repeat(60)}` },
    { digest: new Uint8Array(31) },
  ];
  for (const change of odd) {
    assertEquals(
      refused(FACTORY, "b", change),
      "it has no version or digest that a record can hold",
    );
  }
  const later = installSlot(INSTALLED, "b", { ...NEW, version: "2.0.1" });
  assertEquals([later.refused, later.meta.b.version], [undefined, "2.0.1"], "not started so far");
});

Deno.test("What a boot comes to is an event of the pile, and ends its upgrade", () => {
  const upgrading: Pile = { ...NEW_PILE, state: "upgrading" };
  const after = (kind: BootOutcome) => pileStep(upgrading, { kind }).pile.state;
  assertEquals([after("upgraded"), after("rolled_back"), after("bricked")], [
    "standby",
    "standby",
    "fault",
  ]);
});

const anySlot: fc.Arbitrary<Slot> = fc.record({
  version: fc.constantFrom("", "0.0.1", "1.2.3-rc.1+build", `1.0.0-${"a".repeat(58)}`),
  digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  good: fc.boolean(),
}, { noNullPrototype: true });
const anyMeta: fc.Arbitrary<BootMeta> = fc.record({
  kind: fc.constant("boot_meta" as const),
  sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
  active: fc.constantFrom(...SLOTS),
  pending: fc.boolean(),
  boots: fc.nat(BOOTS_MAX),
  a: anySlot,
  b: anySlot,
  outcome: fc.constantFrom(undefined, "upgraded" as const, "rolled_back" as const),
}, { noNullPrototype: true }).map(({ pending, ...meta }) => ({
  ...meta,
  pending: pending ? meta.active === "a" ? "b" : "a" : undefined,
}));

Deno.test("A record is read as it was written, and no bit of it can be changed", () => {
  const octets = writeBootMeta(INSTALLED);
  assertEquals(
    octets.subarray(0, 18).toHex() + octets.subarray(-4).toHex(),
    "4242534c" + "01" + "00" + "01" + "00" + "00000008" + "00" + "0105312e30" +
      crc32(octets.subarray(0, BOOT_META_SIZE - 4)).toString(16).padStart(8, "0"),
  );
  fc.assert(fc.property(anyMeta, fc.nat(8 * BOOT_META_SIZE - 1), (meta, bit) => {
    const octets = writeBootMeta(meta);
    assertEquals([octets.length, readBootMeta(octets)], [BOOT_META_SIZE, meta]);
    assertEquals(readBootMeta(Uint8Array.of(...octets, 1, 2, 3)), meta);
    octets[bit >> 3]! ^= 1 << (bit & 7);
    assertEquals(readBootMeta(octets).kind, "malformed");
  }));
});

Deno.test("What no record says is refused, though its CRC is right; any octets are", () => {
  const wrong = (at: number, octet: number) => {
    const octets = writeBootMeta(INSTALLED);
    octets[at] = octet;
    const view = new DataView(octets.buffer);
    view.setUint32(BOOT_META_SIZE - 4, crc32(octets.subarray(0, BOOT_META_SIZE - 4)));
    const read = readBootMeta(octets);
    return read.kind === "malformed" ? `${read.code.slice(11)} ${read.offset}` : "none";
  };
  assertEquals([wrong(0, 0), wrong(4, 2), wrong(5, 2)], ["magic 0", "format 4", "active 5"]);
  assertEquals([wrong(6, 0), wrong(6, 2), wrong(12, 3)], ["pending 6", "pending 6", "outcome 12"]);
  // Slot A: good, the size of its version, the version, what is after it; slot B.
  for (const [at, octet] of [[13, 2], [14, 65], [14, 4], [15, 0xff], [20, 1]] as const) {
    assertEquals(wrong(at, octet), "slot 13", `${at}`);
  }
  assertEquals(wrong(111, 2), "slot 111");
  assertEquals(readBootMeta(new Uint8Array(212)), {
    kind: "malformed",
    code: "cip22.boot.short",
    offset: 212,
  });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2 * BOOT_META_SIZE }), (octets) => {
    assertEquals(readBootMeta(octets).kind, "malformed");
  }));
  const meta = fc.oneof(anyMeta.map(writeBootMeta), fc.uint8Array({ maxLength: 300 }));
  fc.assert(fc.property(meta, meta, fc.boolean(), fc.boolean(), (one, other, a, b) => {
    const { meta } = currentBootMeta([one, other]);
    const step = bootSlot(meta, (slot) => slot === "a" ? a : b);
    assert(step.run === undefined || (step.run === "a" ? a : b), "what is not whole never runs");
    assertEquals(step.run === undefined, step.outcome === "bricked");
  }));
});

Deno.test("Of two copies the later one counts; where both are bad slot A is started, with an alarm", () => {
  const at = (sequence: number) => ({ ...FACTORY, sequence });
  const copy = (sequence: number) => writeBootMeta(at(sequence));
  const bad = new Uint8Array(BOOT_META_SIZE).fill(0xff);
  const current = (one: Uint8Array, other: Uint8Array) => currentBootMeta([one, other]);
  for (const [older, later] of [[1, 2], [0x7fff_ffff, 0x8000_0000], [0xffff_ffff, 0]] as const) {
    assertEquals(current(copy(older), copy(later)), { meta: at(later), lost: false });
    assertEquals(current(copy(later), copy(older)), { meta: at(later), lost: false });
    const copies: BootCopies = [copy(later), copy(older)];
    const order = bootWrites(copies, at(later + 1)).map(({ copy }) => copy);
    assertEquals(order, [1, 0], "the older one is written first");
  }
  assertEquals(installSlot(at(0xffff_ffff), "b", NEW).meta.sequence, 0);
  assertEquals(current(bad, copy(3)), { meta: at(3), lost: false });
  assertEquals(current(copy(3), bad), { meta: at(3), lost: false });
  assertEquals(bootWrites([copy(3), bad], at(3)).map(({ copy }) => copy), [1], "it is mended");
  assertEquals(bootWrites([bad, copy(3)], at(4)).map(({ copy }) => copy), [0, 1]);
  assertEquals(bootWrites([copy(3), bad], at(4)).map(({ copy }) => copy), [1, 0]);
  assertEquals(bootWrites([copy(3), copy(3)], at(3)), []);
  assertEquals(current(bad, bad), { meta: SAFE_BOOT_META, lost: true });
  assertEquals(bootSlot(SAFE_BOOT_META, whole), { meta: SAFE_BOOT_META, run: "a" });
  assertEquals(bootSlot(SAFE_BOOT_META, (slot) => slot === "b").run, "b");
});

class PowerCut extends Error {}

/** How the medium writes: over what is there, after it was erased, or ruining the octet it is at. */
const MEDIA = ["over", "erased", "ruined"] as const;

/** A pile's medium: two copies of the record, two slots, and power for so many octets. */
class Device {
  readonly copies: [Uint8Array, Uint8Array];
  /** What lies in the slots: an image's digest, or nothing that is whole. */
  readonly images: Record<SlotName, Uint8Array | undefined> = { a: OLD.digest, b: undefined };
  written = 0;

  constructor(
    readonly medium: (typeof MEDIA)[number],
    readonly newRuns: boolean,
    public power: number,
  ) {
    this.copies = [writeBootMeta(FACTORY), writeBootMeta(FACTORY)];
  }

  get meta(): BootMeta {
    const { meta, lost } = currentBootMeta(this.copies);
    assert(!lost, "both copies are bad");
    return meta;
  }

  write(meta: BootMeta): void {
    for (const { copy, octets } of bootWrites(this.copies, meta)) {
      const target = this.copies[copy];
      if (this.medium === "erased") target.fill(0xff);
      for (const [at, octet] of octets.entries()) {
        if (this.medium === "ruined") target[at]! ^= 0xa5;
        this.#octet();
        target[at] = octet;
      }
    }
  }

  writeImage(slot: SlotName, digest: Uint8Array): void {
    this.images[slot] = undefined;
    for (let at = 0; at < 10; at += 1) this.#octet();
    this.images[slot] = digest;
  }

  /** The boot loader: what it starts is whole, whatever happened before. */
  boot(): SlotName {
    const { meta } = this;
    const step = bootSlot(meta, (slot) => {
      const found = this.images[slot];
      return found !== undefined && found.toHex() === meta[slot].digest.toHex();
    });
    assert(step.run !== undefined && this.images[step.run] !== undefined, "bricked");
    this.write(step.meta);
    return step.run;
  }

  /** The firmware in a slot: upgrades when it is old, and reports. Whether it goes on running. */
  run(slot: SlotName): boolean {
    const isNew = this.images[slot]!.toHex() === NEW.digest.toHex();
    if (isNew && !this.newRuns) return false;
    this.write(confirmSlot(this.meta, slot).meta);
    if (this.meta.outcome !== undefined) this.write(outcomeTold(this.meta).meta);
    else if (!isNew && this.meta.b.version !== NEW.version) {
      this.writeImage("b", NEW.digest);
      this.write(installSlot(this.meta, "b", NEW).meta);
      return false;
    }
    return true;
  }

  /** Until something runs for good, or the power is cut. */
  live(): SlotName {
    for (let turn = 0; turn < 20; turn += 1) {
      const slot = this.boot();
      if (this.run(slot)) return slot;
    }
    throw new Error("It restarts for ever");
  }

  #octet(): void {
    if (this.power === 0) throw new PowerCut();
    this.power -= 1;
    this.written += 1;
  }
}

/** Lives with the power cut after so many octets, as often as that is told; then to the end. */
function lived(medium: (typeof MEDIA)[number], newRuns: boolean, cuts: readonly number[]): Device {
  const device = new Device(medium, newRuns, 0);
  for (const power of [...cuts, Infinity]) {
    device.power = power;
    try {
      const ran = device.live();
      // Whoever is cut off in each of its boots cannot be told from one that does not run.
      if (cuts.length < BOOTS_MAX || !newRuns) assertEquals(ran, newRuns ? "b" : "a");
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
  }
  return device;
}

for (const medium of MEDIA) {
  Deno.test(`Wherever the power is cut, a pile starts, and its upgrade ends as it should (${medium})`, () => {
    for (const newRuns of [true, false]) {
      const { written } = lived(medium, newRuns, []);
      assert(written > 8 * BOOT_META_SIZE, `${written}`);
      for (let cut = 0; cut <= written; cut += 1) {
        const { meta, copies } = lived(medium, newRuns, [cut]);
        assertEquals([meta.active, meta.pending, meta.outcome], [
          newRuns ? "b" : "a",
          undefined,
          undefined,
        ]);
        assertEquals(copies[0], copies[1]);
      }
    }
  });
}

Deno.test("However often the power is cut, a pile starts", () => {
  const cuts = fc.array(fc.nat(600), { maxLength: 30 });
  fc.assert(fc.property(fc.constantFrom(...MEDIA), fc.boolean(), cuts, (medium, newRuns, cuts) => {
    lived(medium, newRuns, cuts);
  }));
});

Deno.test("A record that is half written is the one before or the one after, nothing else", () => {
  fc.assert(
    fc.property(anyMeta, anyMeta, fc.boolean(), (one, other, swapped) => {
      const before = { ...one, sequence: 41 };
      const after = { ...other, sequence: 42 };
      const older = writeBootMeta({ ...other, sequence: 40 });
      const [first, second] = [writeBootMeta(before), older];
      const copies: BootCopies = swapped ? [second, first] : [first, second];
      for (const [turn, { copy, octets }] of bootWrites(copies, after).entries()) {
        for (let at = 0; at < octets.length; at += 1) {
          copies[copy][at] = octets[at]!;
          const done = turn > 0 || at === octets.length - 1;
          const { meta, lost } = currentBootMeta(copies);
          const isAfter = meta.sequence === 42;
          assert(!lost && (isAfter || !done), `write ${turn}, octet ${at}`);
          if (at % 40 === 0 || done) assertEquals(meta, isAfter ? after : before);
        }
      }
    }),
    { numRuns: 20 },
  );
});
