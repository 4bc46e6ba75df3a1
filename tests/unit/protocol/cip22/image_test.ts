import { createHash } from "node:crypto";
import fc from "fast-check";
import { sm3 } from "../../../../src/crypto/sm3.ts";
import {
  type ChunkResult,
  chunksOf,
  compareVersions,
  IMAGE_HEAD_MAX,
  IMAGE_MAX,
  type ImageHead,
  type ImageOptions,
  ImageReceiver,
  isPayloadOf,
  isVersion,
  readImageHead,
  verifyImage,
  writeImage,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";
import { signing } from "../../../sim/piles.ts";

const SIGNERS = [signing("sm2"), signing("secp256k1")] as const;
const PAYLOAD = Uint8Array.from({ length: 1000 }, (_, at) => at * 7);

function made(
  { signing = SIGNERS[0], version = "2.3.1", hardware = "pile-7kW", payload = PAYLOAD } = {},
): Uint8Array {
  return writeImage({ version, hardware, payload }, signing.key.signer, signing.sign);
}

function headOf(image: Uint8Array): ImageHead {
  const head = readImageHead(image);
  assert(head.kind === "image", JSON.stringify(head));
  return head;
}

const IMAGE = made();
const SIZE = IMAGE.length - PAYLOAD.length;
const OPTIONS: ImageOptions = { key: SIGNERS[0].key, hardware: "pile-7kW", running: "2.3.0" };

/** What becomes of an image in chunks of a size. */
function received(image: Uint8Array, options: Partial<ImageOptions> = {}, size = 100): ChunkResult {
  const receiver = new ImageReceiver({ ...OPTIONS, ...options });
  let result: ChunkResult | undefined;
  for (const chunk of chunksOf(image, size)) result = receiver.take(chunk);
  assert(result);
  assertEquals(receiver.payload !== undefined, result.kind === "done");
  return result;
}

for (const signing of SIGNERS) {
  Deno.test(`An image that is signed with ${signing.key.signer} is read as it was written`, () => {
    const image = made({ signing });
    const head = headOf(image);
    assertEquals([head.version, head.hardware, head.payloadSize, head.signer, head.size], [
      "2.3.1",
      "pile-7kW",
      1000,
      signing.key.signer,
      SIZE,
    ]);
    assertEquals(head.sha256.toHex(), createHash("sha256").update(PAYLOAD).digest("hex"));
    assertEquals(head.sm3, sm3(PAYLOAD));
    assert(verifyImage(head, signing.key) && isPayloadOf(head, PAYLOAD));
    assert(!isPayloadOf(head, PAYLOAD.subarray(1)) && !isPayloadOf(head, PAYLOAD.toReversed()));
    const [stranger] = SIGNERS.filter((one) => one !== signing);
    assert(!verifyImage(head, stranger!.key));
    assert(!verifyImage(head, { ...signing.key, point: stranger!.key.point }));
    assertEquals(received(image, { key: signing.key }), { kind: "done" });
    assertEquals(received(image, { key: stranger!.key }), { kind: "failed", fault: "signature" });
  });

  Deno.test(`No octet of what ${signing.key.signer} has signed can be changed`, () => {
    const image = made({ signing });
    for (let at = 0; at < image.length; at += at < SIZE ? 1 : 97) {
      const changed = image.slice();
      changed[at]! ^= 0x10;
      const result = received(changed, { key: signing.key });
      assert(result.kind !== "done", `octet ${at}`);
      const wrong = result.kind === "failed" ? result.fault : "cut";
      if (at >= SIZE) assertEquals(wrong, "digest");
      else assert(["malformed", "signature", "too_large", "cut"].includes(wrong), `${at} ${wrong}`);
    }
  });
}

Deno.test("The fields of a head stand where the table says", () => {
  const hex = IMAGE.subarray(0, SIZE - 64).toHex();
  const start = "42424657" + "01" + "00" + "05" + "322e332e31" + "08" + "70696c652d376b57";
  const digests =
    "89f4ff56a25dd1db06a4ce6033603775d705fb96f30f8693733fef602a1ca532e530c5f66ef05f23" +
    "6bc0efa85a156f79acd748ab4e173498baa64fc6ed76cdfa";
  assertEquals(hex, `${start}000003e8${digests}02`);
  assertEquals(headOf(IMAGE).signed.toHex(), hex);
});

Deno.test("A head that was signed long ago still holds", () => {
  const head = headOf(
    Uint8Array.fromHex(
      "42424657010005322e332e310870696c652d376b57000003e889f4ff56a25dd1db06a4ce60336037" +
        "75d705fb96f30f8693733fef602a1ca532e530c5f66ef05f236bc0efa85a156f79acd748ab4e1734" +
        "98baa64fc6ed76cdfa02672d71dca0fda9e2f22302d70844715dd1f0b98db170393994e37b2bc31b" +
        "fb05c1bd23735bc170326a948f21ba4826c4e9cb0efb3ecbf5dcd23a766bcb521ced",
    ),
  );
  const point = Uint8Array.fromHex(
    "02852611f744af045689dcfbf4c0437730d2d2de332ab7f0fc02769c5fab8a8943",
  );
  assert(verifyImage(head, { signer: "sm2", point }) && isPayloadOf(head, PAYLOAD));
});

Deno.test("A head that is cut off is told apart from one that is wrong, and from where on", () => {
  for (let length = 0; length < SIZE; length += 1) {
    const code = "cip22.image.short";
    assertEquals(readImageHead(IMAGE.subarray(0, length)), {
      kind: "malformed",
      code,
      offset: length,
    });
  }
  assertEquals(headOf(IMAGE.subarray(0, SIZE)), headOf(IMAGE));
  const wrong = (at: number, octet: number) => {
    const changed = IMAGE.slice(0, SIZE);
    changed[at] = octet;
    const head = readImageHead(changed);
    return head.kind === "malformed" ? `${head.code.slice(12)} ${head.offset}` : "none";
  };
  assertEquals([wrong(3, 0), wrong(4, 2), wrong(5, 1)], ["magic 3", "format 4", "flags 5"]);
  assertEquals([wrong(6, 0), wrong(6, 65), wrong(7, 0x78)], [
    "version 7",
    "version 6",
    "version 7",
  ]);
  assertEquals([wrong(12, 0), wrong(12, 65)], ["hardware 13", "hardware 12"]);
  assertEquals([wrong(13, 0xff), wrong(13, 10)], ["hardware 13", "hardware 13"]);
  assertEquals([wrong(SIZE - 65, 0), wrong(SIZE - 65, 3)], ["signer 89", "signer 89"]);
  const empty = IMAGE.slice();
  empty.fill(0, 21, 25);
  assertEquals(readImageHead(empty), {
    kind: "malformed",
    code: "cip22.image.payload",
    offset: 21,
  });
});

Deno.test("Nothing makes the reader of heads, or a receiver, throw or keep too much", () => {
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.uint8Array({ maxLength: 400 }).map((rest) =>
      Uint8Array.of(...IMAGE.subarray(0, 6), ...rest)
    ),
    fc.uint8Array({ maxLength: 40 }).map((rest) =>
      Uint8Array.of(...IMAGE.subarray(0, 90), ...rest)
    ),
  );
  fc.assert(fc.property(octets, fc.integer({ min: -5, max: 400 }), (octets, offset) => {
    readImageHead(octets);
    const receiver = new ImageReceiver(OPTIONS);
    receiver.take({ offset, octets });
    receiver.take({ offset: 0, octets });
    assert(receiver.wanted <= IMAGE_HEAD_MAX && receiver.payload === undefined);
  }));
});

Deno.test("An image that no reader would take is not made", () => {
  const wrong = "No image can be made of that";
  for (const version of ["", "1", "1.0", "v1.0.0", `1.0.0-${"a".repeat(60)}`]) {
    assertThrows(() => made({ version }), `${wrong} [cip22.image.version]`);
  }
  for (const hardware of ["", "a\n", "\ud800", "h".repeat(65), "h".repeat(256), "h".repeat(300)]) {
    assertThrows(() => made({ hardware }), wrong);
  }
  assertThrows(() => made({ payload: new Uint8Array() }), `${wrong} [cip22.image.payload]`);
  assertThrows(() => made({ payload: new Uint8Array(IMAGE_MAX) }), `${wrong} [cip22.image.size]`);
  const short = { ...SIGNERS[0], sign: () => new Uint8Array(63) };
  assertThrows(() => made({ signing: short }), wrong);
});

Deno.test("However it is cut, and whatever comes twice, an image comes over", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 40 });
  fc.assert(fc.property(sizes, fc.infiniteStream(fc.nat(9)), (sizes, chances) => {
    const receiver = new ImageReceiver(OPTIONS);
    let result: ChunkResult = { kind: "more", wanted: 0 };
    for (let turn = 0; result.kind !== "done"; turn += 1) {
      const size = sizes[turn % sizes.length]!;
      const chance = chances.next().value!;
      // Sent again, from a little before, or where it should go on.
      const back = chance < 2 ? receiver.wanted : chance < 5 ? 30 : 0;
      const offset = Math.max(0, receiver.wanted - back);
      const before = receiver.wanted;
      result = receiver.take({ offset, octets: IMAGE.slice(offset, offset + size) });
      assert(result.kind === "more" || result.kind === "done", JSON.stringify(result));
      assertEquals(receiver.wanted, Math.max(before, Math.min(offset + size, IMAGE.length)));
      assertEquals(receiver.payload === undefined, result.kind === "more");
    }
    assertEquals(receiver.payload, PAYLOAD);
    assertEquals(receiver.take({ offset: 5, octets: IMAGE.subarray(5, 50) }), { kind: "done" });
    const beyond = receiver.take({ offset: IMAGE.length, octets: Uint8Array.of(1) });
    assertEquals(beyond, { kind: "refused", code: "beyond", wanted: IMAGE.length });
    assertEquals(receiver.payload, PAYLOAD);
  }));
  for (const size of [1, SIZE - 1, SIZE, SIZE + 1, IMAGE.length, IMAGE.length + 1]) {
    assertEquals(received(IMAGE, {}, size), { kind: "done" }, `${size}`);
  }
});

Deno.test("A gap and what goes beyond the end are refused, and the offset that is wanted is told", () => {
  const receiver = new ImageReceiver(OPTIONS);
  const take = (from: number, end: number) =>
    receiver.take({ offset: from, octets: IMAGE.subarray(from, end) });
  assertEquals(take(1, 50), { kind: "refused", code: "gap", wanted: 0 });
  assertEquals(take(0, 50), { kind: "more", wanted: 50 });
  assertEquals(take(51, 60), { kind: "refused", code: "gap", wanted: 50 });
  assertEquals([receiver.head, take(50, 300)], [undefined, { kind: "more", wanted: 300 }]);
  assertEquals(receiver.head?.version, "2.3.1");
  for (const offset of [-1, 0.5, NaN, 301, 2 ** 60]) {
    const octets = IMAGE.subarray(300, 310);
    assertEquals(receiver.take({ offset, octets }), { kind: "refused", code: "gap", wanted: 300 });
  }
  const long = Uint8Array.of(...IMAGE, 0);
  const beyond = receiver.take({ offset: 300, octets: long.subarray(300) });
  assertEquals(beyond, { kind: "refused", code: "beyond", wanted: 300 });
  assertEquals(new ImageReceiver(OPTIONS).take({ offset: 0, octets: long }), {
    kind: "refused",
    code: "beyond",
    wanted: 0,
  });
  // The connection is lost and comes back: the sender goes on from there.
  const results = [...chunksOf(IMAGE, 64, receiver.wanted)].map((chunk) => receiver.take(chunk));
  assertEquals(results.at(-1), { kind: "done" });
});

Deno.test("Before its payload comes, an image is refused for what its head says", () => {
  const early = (image: Uint8Array, options: Partial<ImageOptions> = {}) => {
    const receiver = new ImageReceiver({ ...OPTIONS, ...options });
    const result = receiver.take({ offset: 0, octets: image.subarray(0, 200) });
    assertEquals(receiver.take({ offset: 0, octets: IMAGE }), result, "it cannot be mended");
    return result.kind === "failed" ? result.fault : result.kind;
  };
  assertEquals(early(made({ hardware: "pile-60kW" })), "hardware");
  assertEquals(early(made(), { running: "2.4.0" }), "downgrade");
  assertEquals(early(made(), { running: "2.4.0-rc1" }), "downgrade");
  assertEquals(received(IMAGE, { running: "2.4.0", downgrade: true }), { kind: "done" });
  assertEquals(received(IMAGE, { running: "2.3.1" }), { kind: "done" }, "the same one again");
  const { running: _, ...unknown } = OPTIONS;
  assertEquals(new ImageReceiver(unknown).take({ offset: 0, octets: IMAGE }), { kind: "done" });
  assertEquals(early(IMAGE, { max: IMAGE.length - 1 }), "too_large");
  assertEquals(received(IMAGE, { max: IMAGE.length }), { kind: "done" });
  assertEquals(early(new Uint8Array(200)), "malformed");
});

Deno.test("An image of the largest size comes over", () => {
  const payload = new Uint8Array(IMAGE_MAX - SIZE).fill(0x5a);
  const receiver = new ImageReceiver(OPTIONS);
  let result: ChunkResult | undefined;
  for (const chunk of chunksOf(made({ payload }), 60_000)) result = receiver.take(chunk);
  assertEquals([result?.kind, receiver.wanted], ["done", IMAGE_MAX]);
});

Deno.test("Chunks have an octet at least", () => {
  assertEquals([...chunksOf(IMAGE, 400)].map(({ offset, octets }) => [offset, octets.length]), [
    [0, 400],
    [400, 400],
    [800, IMAGE.length - 800],
  ]);
  for (const size of [0, -1, 0.5, NaN]) assertThrows(() => [...chunksOf(IMAGE, size)], "1 octet");
});

Deno.test("Versions go in the order of semantic versions, clause 11", () => {
  const order = [
    "nothing",
    "0.9.9",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
    "9007199254740993.0.0",
    "9007199254740994.0.0",
  ];
  for (const [at, one] of order.entries()) {
    for (const [where, other] of order.entries()) {
      assertEquals(
        Math.sign(compareVersions(one, other)),
        Math.sign(at - where),
        `${one} ${other}`,
      );
    }
  }
  assertEquals(compareVersions("1.0.0+a", "1.0.0+b"), 0);
  for (const text of ["1.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0 ", "1.0.0\n"]) {
    assert(!isVersion(text), text);
  }
  assert(isVersion("1.0.0-0a.x-y+001.b"));
});
