import fc from "fast-check";
import {
  type Envelope,
  type ExtensionMap,
  readEnvelope,
  readVersionLine,
  VERSION_LINE_MAX,
  writeEnvelope,
  writeFrame,
  writeVersionLine,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

const octets = (text: string) => new TextEncoder().encode(text);
const BASE = {
  type: "AUTH_RESP",
  seq: 7,
  "device_id": "pile-1",
  sig: "0xab",
  "policy_hash": "0xcd",
};
const EXTENSIONS: ExtensionMap = new Map([
  ["meter", (value: unknown) => typeof value === "number" ? undefined : "has to be a number"],
]);

const read = (fields: unknown, hint?: string) =>
  readEnvelope(JSON.stringify(fields), hint, EXTENSIONS);

function fault(fields: unknown, hint?: string): string {
  const result = read(fields, hint);
  assert("fault" in result, "no fault");
  return result.fault;
}

function good(fields: unknown, hint?: string) {
  const result = read(fields, hint);
  assert("envelope" in result, "fault" in result ? result.fault : "");
  return result;
}

Deno.test("A version line is read however it is split, and what follows it is left", () => {
  const line = writeVersionLine("2.0");
  assertEquals(new TextDecoder().decode(line), "CIP-22-VERSION: 2.0\n");
  const stream = new Uint8Array([...line, ...writeFrame(1, new Uint8Array())]);
  for (let size = 0; size < line.length; size += 1) {
    assertEquals(readVersionLine(stream.subarray(0, size)), { kind: "more" });
  }
  for (let size = line.length; size <= stream.length; size += 1) {
    assertEquals(readVersionLine(stream.subarray(0, size)), {
      kind: "line",
      version: "2.0",
      size: line.length,
    });
  }
});

Deno.test("A stream without a line begins with a frame; anything else is refused at once", () => {
  assertEquals(readVersionLine(writeFrame(1, new Uint8Array())), { kind: "frames" });
  assertEquals(readVersionLine(octets("cip-22-version:1.2\r\n")), {
    kind: "line",
    version: "1.2",
    size: 20,
  });
  const long = `CIP-22-VERSION: ${"1".repeat(VERSION_LINE_MAX)}`;
  for (const text of ["GET / HTTP/1.1", "CIP-23", "CIP-22-VERSION: x\n", "\n", long]) {
    assertEquals(readVersionLine(octets(text)), {
      kind: "malformed",
      code: "cip22.version.line",
      offset: 0,
    });
  }
});

Deno.test("1.2 needs its five fields, and ignores the others without a word", () => {
  const { envelope, warnings } = good({ ...BASE, tx_hash: "t", meta_tags: ["a"], new: 1 }, "1.2");
  assertEquals([envelope.id, envelope.tags, envelope.sequence], ["t", ["a"], 7n]);
  assertEquals([warnings, [...envelope.unknown]], [[], [["new", 1]]]);
  for (const field of Object.keys(BASE)) {
    assert(fault({ ...BASE, [field]: undefined }, "1.2").startsWith(`${field} is missing`), field);
  }
});

Deno.test("2.0 warns of unknown fields, and takes extensions by their schema only", () => {
  const fields = { ...BASE, envelope: { id: "t" }, extensions: { tags: ["a"], meter: 4 }, new: 1 };
  const { envelope, warnings } = good(fields, "2.0");
  assertEquals([envelope.id, envelope.tags, [...envelope.extensions]], ["t", ["a"], [[
    "meter",
    4,
  ]]]);
  assertEquals(warnings, ["the field new is unknown"]);
  const extended = (extensions: unknown) => fault({ ...fields, extensions }, "2.0");
  assertEquals(extended({ meter: "x" }), "extensions.meter: has to be a number");
  assertEquals(extended({ other: 1 }), "extensions.other: no extension of this name is known");
  assertEquals(extended([]), "extensions is []; it has to be an object");
  assertEquals(extended({ tags: [1] }), "extensions.tags is [1]; it has to be a list of texts");
  assertEquals(fault({ ...BASE }, "2.0"), "envelope.id is missing; it has to be a text");
});

Deno.test("What the peer said of its version goes before what the message looks like", () => {
  const modern = { ...BASE, envelope: { id: "t" } };
  assertEquals(good(modern).envelope.dialect, "2.0");
  assertEquals(good(BASE).envelope.dialect, "1.2");
  assertEquals(good(modern, "1.2").envelope.id, undefined);
  const { envelope, warnings } = good({ type: "X", seq: "?", envelope: { id: "t" } }, "1.3");
  assertEquals([envelope.dialect, envelope.type, envelope.id], ["lenient", "X", "t"]);
  assertEquals(warnings.length, 2);
});

Deno.test("Numbers have 64 bits without sign", () => {
  assertEquals(good({ ...BASE, seq: "18446744073709551615" }).envelope.sequence, (1n << 64n) - 1n);
  for (const seq of ["18446744073709551616", -1, 1.5, 2 ** 53, "", "1e3", null]) {
    assert(fault({ ...BASE, seq }).startsWith("seq is "), `${seq}`);
  }
});

Deno.test("A message goes to the other version and back, and what is lost is told", () => {
  const text = fc.string({ minLength: 1, maxLength: 20 });
  const tags = fc.option(fc.array(text), { nil: undefined });
  fc.assert(
    fc.property(text, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), tags, (id, seq, tags) => {
      const { envelope } = good({
        ...BASE,
        seq: `${seq}`,
        tx_hash: id,
        ...tags && { meta_tags: tags },
      }, "1.2");
      const up = through(envelope, "2.0");
      assertEquals({ ...through(up, "1.2") }, { ...envelope });
    }),
  );
  const fields = { ...BASE, envelope: { id: "t" }, extensions: { meter: 1 }, new: 1 };
  const down = writeEnvelope(good(fields, "2.0").envelope, "1.2");
  assert("text" in down, "a fault");
  assertEquals(down.lost, ["extensions.meter", "new"]);
  assertEquals(JSON.parse(down.text), { ...BASE, tx_hash: "t" });
  assertEquals(writeEnvelope(good(BASE, "1.2").envelope, "2.0"), {
    fault: "envelope.id is empty; version 2.0 requires it",
  });
});

function through(envelope: Envelope, version: "1.2" | "2.0"): Envelope {
  const written = writeEnvelope(envelope, version);
  assert("text" in written, "fault" in written ? written.fault : "");
  const read = readEnvelope(written.text, version, EXTENSIONS);
  assert("envelope" in read, "fault" in read ? read.fault : "");
  return read.envelope;
}

Deno.test("What is no message is refused, whatever it is", () => {
  for (const text of ["", "{", "[]", "null", "1", "[".repeat(60_000), "x".repeat(70_000)]) {
    assert("fault" in readEnvelope(text, undefined, EXTENSIONS), text.slice(0, 20));
  }
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, "1.2", "2.0", "9.9"), (text, hint) => {
      readEnvelope(text, hint, EXTENSIONS);
    }),
  );
});
