import { parseEnd } from "../../../src/app/srt_ends.ts";
import { UsageError } from "../../../src/app/usage.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test("Addresses of ends are read, with their options", () => {
  const srt = parseEnd("srt://10.0.0.1:2350?streamid=#!::s=ab,u=c1&latency=200");
  assertEquals([srt.scheme, srt.host, srt.port], ["srt", "10.0.0.1", 2350]);
  assertEquals(srt.options.get("streamid"), "#!::s=ab,u=c1");
  assertEquals(srt.options.get("latency"), "200");
  const listening = parseEnd("srt://:9000");
  assertEquals([listening.host, listening.port], ["", 9000]);
  assertEquals(parseEnd("udp://127.0.0.1:5000").scheme, "udp");
  assertEquals(parseEnd("file:///tmp/a b.ts").path, "/tmp/a b.ts");
  assertEquals(parseEnd("-").path, "-");
  assertEquals(parseEnd("srt://:1?passphrase=a+b").options.get("passphrase"), "a+b");
});

for (const text of ["", "srt://", "srt://host", "srt://h:70000", "http://h:1", "h:1"]) {
  Deno.test(`"${text}" is no end, and what would be one is told`, () => {
    assert.throws(
      () => parseEnd(text),
      (error) => error instanceof UsageError && error.message.includes("srt://HOST:PORT"),
    );
  });
}
