import fc from "fast-check";
import { concat, sameOctets } from "../../../src/base/octets.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test("Octets are joined in order, into a place of their own", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (parts) => {
    assertEquals([...concat(parts)], parts.flatMap((part) => [...part]));
  }));
  const only = Uint8Array.of(1);
  concat([only]).fill(0);
  assertEquals(only, Uint8Array.of(1));
});

Deno.test("Octets are the same when all of them and their number are", () => {
  const one = Uint8Array.of(1, 2, 3);
  assert(sameOctets(one, Uint8Array.of(1, 2, 3)) && sameOctets(new Uint8Array(), new Uint8Array()));
  for (const other of [[1, 2], [1, 2, 3, 4], [1, 2, 4], []]) {
    assert(!sameOctets(one, Uint8Array.from(other)) && !sameOctets(Uint8Array.from(other), one));
  }
});
