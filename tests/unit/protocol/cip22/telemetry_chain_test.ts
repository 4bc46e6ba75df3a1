import { createHash } from "node:crypto";
import fc from "fast-check";
import { sha3 } from "../../../../src/crypto/sha3.ts";
import {
  type BatteryReport,
  chainDigest,
  TelemetryChain,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";

const DATA = fc.uint8Array({ maxLength: 300 });
const report = (time: bigint, data = new Uint8Array(4)): BatteryReport => ({
  bike: "bike-1",
  time,
  data,
});

Deno.test("SHA3-256 is that of the standard, and of another implementation", () => {
  const abc = new TextEncoder().encode("abc");
  assertEquals(
    sha3(abc).toHex(),
    "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
  );
  fc.assert(fc.property(DATA, DATA, (one, other) => {
    const theirs = createHash("sha3-256").update(one).update(other).digest("hex");
    assertEquals(sha3(one, other).toHex(), theirs);
  }));
});

Deno.test("A chain takes the next report only: none changed, left out, moved or sent twice", () => {
  fc.assert(fc.property(fc.array(DATA, { minLength: 2, maxLength: 8 }), fc.nat(), (all, chance) => {
    const sender = new TelemetryChain();
    const sent = all.map((data, at) => {
      const one = report(BigInt(at), data);
      const digest = chainDigest(sender.digest, one);
      assertEquals(sender.link(one, digest).kind, "linked");
      return { one, digest };
    });
    const receiver = new TelemetryChain();
    const odd = chance % sent.length;
    for (const [at, { one, digest }] of sent.entries()) {
      if (at === odd) {
        const changed = { ...one, data: Uint8Array.of(...one.data, 0) };
        assertEquals(receiver.link(changed, digest).kind, "digest");
        const next = sent[at + 1];
        if (next) assertEquals(receiver.link(next.one, next.digest).kind, "digest");
        assertEquals(receiver.link({ ...one, bike: "bike-2" }, digest).kind, "digest");
        assertEquals(receiver.link(one, digest.subarray(1)).kind, "digest");
      }
      assertEquals(receiver.link(one, digest).kind, "linked");
      assertEquals(receiver.link(one, digest).kind, "time");
    }
    assertEquals([receiver.digest, receiver.time], [sender.digest, BigInt(all.length - 1)]);
  }));
});

Deno.test("What a name ends with cannot be taken for what follows it", () => {
  const one = chainDigest(new Uint8Array(32), { bike: "ab", time: 0n, data: new Uint8Array() });
  const other = chainDigest(new Uint8Array(32), { bike: "a", time: 0n, data: new Uint8Array() });
  assert(one.toHex() !== other.toHex());
  for (const bike of ["", "b".repeat(256)]) {
    assertThrows(() => chainDigest(one, { ...report(0n), bike }), "1 to 255 octets");
    assertEquals(new TelemetryChain().link({ ...report(0n), bike }, one).kind, "bike");
  }
});
