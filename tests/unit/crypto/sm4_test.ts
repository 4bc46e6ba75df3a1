import fc from "fast-check";
import sm from "sm-crypto";
import { type Aead, Sm4Ccm, Sm4Gcm, TAG_SIZE } from "../../../src/crypto/aead.ts";
import { padBlocks, sm4Cbc, sm4Ctr, sm4Ecb, unpadBlocks } from "../../../src/crypto/sm4_modes.ts";
import { Sm4WasmGcm } from "../../../src/crypto/sm4_wasm.ts";
import { KERNEL_FILE, kernelText } from "../../../build/wasm/build.ts";
import { Sm4, SM4_SBOX } from "../../../src/crypto/sm4.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { OpenSsl } from "../../crypto/openssl.ts";
import { needs } from "../../needs.ts";

const CASES = 10_000;
const KEY = Uint8Array.fromHex("0123456789abcdeffedcba9876543210");
const NONCE = Uint8Array.fromHex("00001234567800000000abcd");
const EXTRA = Uint8Array.fromHex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
const TEXT = Uint8Array.fromHex(
  ["aa", "bb", "cc", "dd", "ee", "ff", "ee", "aa"].map((octet) => octet.repeat(8)).join(""),
);

/** Numbers that look random, and are the same each time. */
function* octetsOf(seed: number): Generator<number, never> {
  for (let state = seed | 1;;) {
    state = Math.imul(state, 0x915f77f5) + 1 | 0;
    yield state >>> 24;
  }
}

function take(from: Generator<number, never>, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => from.next().value);
}

Deno.test("SM4 gives the known answers of GB/T 32907, annex A", () => {
  const cipher = new Sm4(KEY);
  const block = KEY.slice();
  cipher.encrypt(block, 0, block, 0);
  assertEquals(block.toHex(), "681edf34d206965e86b3e94f536e4246");
  cipher.decrypt(block, 0, block, 0);
  assertEquals(block, KEY);
  for (let turn = 0; turn < 1_000_000; turn += 1) cipher.encrypt(block, 0, block, 0);
  assertEquals(block.toHex(), "595298c7c6fd271f0402f804c33d3f66");
  assertEquals(SM4_SBOX.slice(0, 4).toHex(), "d690e9fe");
  assertEquals(new Set(SM4_SBOX).size, 256);
});

Deno.test({
  name: `ECB, CBC and CTR are what OpenSSL's are, in ${CASES} cases, in place and apart`,
  ...needs("libcrypto"),
  fn() {
    using openssl = new OpenSsl();
    const octets = octetsOf(7);
    for (let turn = 0; turn < CASES; turn += 1) {
      const key = take(octets, 16);
      const start = take(octets, 16);
      // A counter that is about to carry, now and then.
      if (turn % 5 === 0) start.fill(0xff, turn % 3 === 0 ? 4 : 12);
      const mode = (["ecb", "cbc", "ctr"] as const)[turn % 3]!;
      const length = mode === "ctr" ? turn % 97 : turn % 7 * 16;
      const text = take(octets, length);
      const wanted = openssl.cipher(`sm4-${mode}`, "encrypt", key, start, text);
      const cipher = new Sm4(key);
      const run = (way: "encrypt" | "decrypt", source: Uint8Array, target?: Uint8Array) => {
        if (mode === "ecb") sm4Ecb(cipher, way, source, target);
        else if (mode === "cbc") sm4Cbc(cipher, way, start.slice(), source, target);
        else sm4Ctr(cipher, start.slice(), source, target);
      };
      const apart = new Uint8Array(length);
      run("encrypt", text, apart);
      assertEquals(apart.toHex(), wanted.toHex(), `${mode}, case ${turn}`);
      run("decrypt", apart);
      assertEquals(apart, text);
    }
  },
});

Deno.test(`ECB and CBC are what sm-crypto's are, in ${CASES} cases, with their padding`, () => {
  const octets = octetsOf(11);
  for (let turn = 0; turn < CASES; turn += 1) {
    const key = take(octets, 16);
    const start = take(octets, 16);
    const text = take(octets, turn % 61);
    const padded = padBlocks(text);
    const cipher = new Sm4(key);
    const options = turn % 2 === 0 ? {} : { mode: "cbc" as const, iv: start.toHex() };
    const wanted = sm.sm4.encrypt([...text], key.toHex(), options) as unknown as string;
    if (turn % 2 === 0) sm4Ecb(cipher, "encrypt", padded);
    else sm4Cbc(cipher, "encrypt", start.slice(), padded);
    assertEquals(padded.toHex(), wanted);
    if (turn % 2 === 0) sm4Ecb(cipher, "decrypt", padded);
    else sm4Cbc(cipher, "decrypt", start.slice(), padded);
    assertEquals(unpadBlocks(padded), text);
  }
});

Deno.test("CTR in pieces is CTR as a whole, also where the counter carries", () => {
  const cipher = new Sm4(KEY);
  const text = take(octetsOf(3), 160);
  for (const counter of ["ff".repeat(16), `00ff${"ff".repeat(13)}fe`, "00".repeat(16)]) {
    const whole = text.slice();
    sm4Ctr(cipher, Uint8Array.fromHex(counter), whole);
    const pieces = text.slice();
    const state = Uint8Array.fromHex(counter);
    for (const [from, end] of [[0, 16], [16, 64], [64, 160]] as const) {
      sm4Ctr(cipher, state, pieces.subarray(from, end));
    }
    assertEquals(pieces, whole, counter);
  }
});

Deno.test("A filling is taken off only when it is one", () => {
  for (const text of ["", "00", "10".repeat(15), "10".repeat(16)]) {
    const octets = Uint8Array.fromHex(text);
    assertEquals(unpadBlocks(padBlocks(octets)), octets);
  }
  for (const text of ["", "00".repeat(16), `${"00".repeat(14)}0302`, "11".repeat(17)]) {
    assertEquals(unpadBlocks(Uint8Array.fromHex(text)), undefined, text);
  }
});

const AEADS: readonly (readonly [string, new (key: Uint8Array) => Aead, string, string])[] = [
  [
    "GCM",
    Sm4Gcm,
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735" +
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
    "83de3541e4c2b58177e065a9bf7b62ec",
  ],
  [
    "GCM by WebAssembly",
    Sm4WasmGcm,
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735" +
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
    "83de3541e4c2b58177e065a9bf7b62ec",
  ],
  [
    "CCM",
    Sm4Ccm,
    "48af93501fa62adbcd414cce6034d895dda1bf8f132f042098661572e7483094" +
    "fd12e518ce062c98acee28d95df4416bed31a2f04476c18bb40c84a74b97dc5b",
    "16842d4fa186f56ab33256971fa110f4",
  ],
];

for (const [name, Made, text, tag] of AEADS) {
  Deno.test(`SM4-${name} gives the known answer of RFC 8998, annex A`, () => {
    const aead = new Made(KEY);
    const target = new Uint8Array(TEXT.length + TAG_SIZE);
    assertEquals(aead.seal(NONCE, EXTRA, TEXT, 0, TEXT.length, target, 0), target.length);
    assertEquals(target.toHex(), text + tag);
    assertEquals(aead.open(NONCE, EXTRA, target, 0, target.length, target, 0), TEXT.length);
    assertEquals(target.subarray(0, TEXT.length), TEXT);
  });

  Deno.test(`SM4-${name}: what was sealed is opened, in place, at any place, of any length`, () => {
    const octets = fc.uint8Array({ maxLength: 80 });
    const small = fc.uint8Array({ maxLength: 40 });
    const place = fc.nat(20);
    fc.assert(fc.property(octets, small, place, place, (message, extra, from, to) => {
      const aead = new Made(KEY);
      const buffer = new Uint8Array(160);
      buffer.set(message, from + to);
      const end = aead.seal(
        NONCE,
        extra,
        buffer,
        from + to,
        from + to + message.length,
        buffer,
        to,
      );
      const other = new Uint8Array(message.length + TAG_SIZE);
      aead.seal(NONCE, extra, message, 0, message.length, other, 0);
      assertEquals(buffer.subarray(to, end), other, "where it is makes no difference");
      const opened = aead.open(NONCE, extra, buffer, to, end, buffer, to);
      assertEquals(buffer.subarray(to, opened), message);
    }));
  });

  Deno.test(`SM4-${name}: with any bit changed nothing is opened, and nothing is written`, () => {
    const aead = new Made(KEY);
    const sealed = new Uint8Array(40 + TAG_SIZE);
    aead.seal(NONCE, EXTRA, TEXT, 0, 40, sealed, 0);
    const target = new Uint8Array(40).fill(7);
    const refuses = (nonce: Uint8Array, extra: Uint8Array, from: Uint8Array, what: string) => {
      assertEquals(aead.open(nonce, extra, from, 0, from.length, target, 0), -1, what);
      assert(target.every((octet) => octet === 7), what);
    };
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = sealed.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      refuses(NONCE, EXTRA, changed, `bit ${bit}`);
    }
    refuses(NONCE, EXTRA.subarray(1), sealed, "another frame");
    refuses(NONCE.slice().reverse(), EXTRA, sealed, "another nonce");
    for (let length = 0; length < sealed.length; length += 1) {
      refuses(NONCE, EXTRA, sealed.subarray(0, length), `${length} octets`);
    }
    assertEquals(aead.open(NONCE, EXTRA, sealed, 0, sealed.length, target, 0), 40);
  });

  Deno.test(`SM4-${name}: a target without room, or in the way, is a bug that is told`, () => {
    const aead = new Made(KEY);
    const buffer = new Uint8Array(64);
    const seal = (from: number, end: number, to: number, nonce = NONCE) => () =>
      aead.seal(nonce, EXTRA, buffer, from, end, buffer, to);
    assertThrows(seal(0, 49, 0), "shorter than that");
    assertThrows(seal(0, 65, 0), "shorter than that");
    assertThrows(seal(0, 16, 8), "overwrites what is still to be read");
    assertThrows(seal(0, 16, 0, NONCE.subarray(1)), "A nonce has 12 octets, not 11");
    assertEquals(seal(0, 16, 16)(), 48);
    assertThrows(() => new Made(KEY.subarray(1)), "A key of SM4 has 16 octets, not 15");
  });
}

Deno.test("A key that was disposed of is gone", () => {
  const cipher = new Sm4(KEY);
  cipher[Symbol.dispose]();
  const block = KEY.slice();
  cipher.encrypt(block, 0, block, 0);
  assert(block.toHex() !== "681edf34d206965e86b3e94f536e4246");
});

Deno.test("The kernel and the tables of TypeScript make the same of every length", () => {
  const octets = octetsOf(23);
  const lengths = [
    ...Array.from({ length: 1200 }, (_, length) => length),
    ...[4096, 65_519, 65_520, 65_535, 65_536, 65_537, 70_000, 131_072, 200_003],
  ];
  for (const length of lengths) {
    const key = take(octets, 16);
    const nonce = take(octets, 12);
    const extra = take(octets, length % 53 === 0 ? 900 : length % 37);
    const text = take(octets, length);
    using one = new Sm4Gcm(key);
    using other = new Sm4WasmGcm(key);
    const wanted = new Uint8Array(length + TAG_SIZE);
    one.seal(nonce, extra, text, 0, length, wanted, 0);
    const sealed = new Uint8Array(length + TAG_SIZE);
    other.seal(nonce, extra, text, 0, length, sealed, 0);
    assert(equal(sealed, wanted), `${length} octets`);
    assertEquals(other.open(nonce, extra, sealed, 0, sealed.length, sealed, 0), length);
    assert(equal(sealed.subarray(0, length), text), `${length} octets, opened`);
    wanted[length >> 1]! ^= 1;
    assertEquals(other.open(nonce, extra, wanted, 0, wanted.length, wanted, 0), -1);
  }
});

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((octet, at) => octet === other[at]);
}

Deno.test("CTR by the kernel is CTR, and a counter that would wrap is told", () => {
  const octets = octetsOf(29);
  for (const length of [0, 1, 16, 127, 128, 129, 1000, 66_000]) {
    const key = take(octets, 16);
    const counter = take(octets, 16);
    counter.fill(0, 12, 14);
    const text = take(octets, length);
    const wanted = text.slice();
    sm4Ctr(new Sm4(key), counter.slice(), wanted);
    using kernel = new Sm4WasmGcm(key);
    kernel.ctr(counter, text);
    assert(equal(text, wanted), `${length} octets`);
    counter.fill(0xff, 12);
    if (length > 16) assertThrows(() => kernel.ctr(counter, text), "would wrap");
  }
});

Deno.test("Many keys have their places in the kernel's memory, and leave nothing in them", () => {
  const keys = Array.from(
    { length: 40 },
    (_, at) => new Sm4WasmGcm(KEY.map((octet) => octet ^ at)),
  );
  const text = new Uint8Array(1000);
  const seal = (aead: Aead) => {
    const target = new Uint8Array(text.length + TAG_SIZE);
    aead.seal(NONCE, EXTRA, text, 0, text.length, target, 0);
    return target.toHex();
  };
  const sealed = keys.map(seal);
  assertEquals(new Set(sealed).size, keys.length);
  for (const key of keys.slice(0, 20)) key[Symbol.dispose]();
  assertThrows(() => seal(keys[0]!), "The key was disposed of");
  keys[0]![Symbol.dispose]();
  using again = new Sm4WasmGcm(KEY);
  assertEquals(seal(again), sealed[0]);
  assertEquals(keys.slice(20).map(seal), sealed.slice(20));
});

Deno.test("The kernel is that of its sources: deno task wasm", async () => {
  const plain = (text: string) => text.replaceAll(/[\s,]/g, "");
  assertEquals(plain(await Deno.readTextFile(KERNEL_FILE)), plain(kernelText()));
});
