import fc from "fast-check";
import { assert, assertEquals } from "../../assert.ts";
import {
  formatIpv4,
  isAddress,
  isIpv6,
  isLoopback,
  isMulticast,
  parseIpv4,
} from "../../../src/base/address.ts";

Deno.test("parseIpv4 and formatIpv4 are inverse, and strict", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (bits) => {
    assertEquals(parseIpv4(formatIpv4(bits)), bits);
  }));
  for (const text of ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "a.b.c.d", ""]) {
    assertEquals(parseIpv4(text), undefined, text);
  }
});

Deno.test("isIpv6 follows RFC 4291 §2.2", () => {
  for (const text of ["::", "::1", "fe80::1", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1", "1::8"]) {
    assert(isIpv6(text), text);
  }
  for (const text of ["", ":", "1:2", "1:::2", "1::2::3", "12345::", "1:2:3:4:5:6:7:8:9", "::g"]) {
    assert(!isIpv6(text), text);
  }
  assert(isAddress("127.0.0.1") && isAddress("::1") && !isAddress("localhost"));
});

Deno.test("isLoopback and isMulticast know their ranges", () => {
  for (const text of ["127.0.0.1", "127.255.0.3", "::1", "0:0:0:0:0:0:0:1"]) {
    assert(isLoopback(text), text);
  }
  for (const text of ["0.0.0.0", "10.0.0.1", "::", "fe80::1", "::11", "1::1"]) {
    assert(!isLoopback(text), text);
  }
  assert(isMulticast("224.0.1.100") && isMulticast("239.255.255.255"));
  assert(!isMulticast("223.255.255.255") && !isMulticast("240.0.0.0"));
});
