/** The WebAssembly kernel for SM2's curve against noble: wherever one answers, the other does so. */
import { Sm2PrivateKey, Sm2PublicKey } from "../../../src/crypto/sm2.ts";
import { CURVE, NOBLE, Point } from "../../../src/crypto/sm2_curve.ts";
import { sm2Kernel } from "../../../src/crypto/sm2_wasm.ts";
import { makeSigner, signerOf, writePrivateKey } from "../../../src/crypto/x509_issue.ts";
import { readDerSignature, writeDerSignature } from "../../../src/wire/der_signature.ts";
import { assert, assertEquals } from "../../assert.ts";
import { OpenSsl } from "../../crypto/openssl.ts";
import { needs } from "../../needs.ts";

const { n } = CURVE;
const KERNEL = sm2Kernel()!;

function anyNumber(): bigint {
  const octets = crypto.getRandomValues(new Uint8Array(32));
  return BigInt(`0x${octets.toHex()}`) % (n - 1n) + 1n;
}

const EDGES = [
  ...[1n, 2n, 3n, 15n, 16n, 17n, 255n, 256n, n - 1n, n - 2n, n - 3n, (n - 1n) / 2n, (n + 1n) / 2n],
  ...[31n, 32n, 128n, 253n, 255n].flatMap((bit) => [1n << bit, (1n << bit) - 1n, (1n << bit) + 1n]),
].filter((value) => value < n);

Deno.test("Multiples of the base point are noble's, at every edge and anywhere", () => {
  const all = [...EDGES, ...Array.from({ length: 300 }, anyNumber)];
  for (const k of all) assertEquals(KERNEL.baseX(k), NOBLE.baseX(k), k.toString(16));
});

Deno.test("Points, and products of any point, are noble's, at every edge and anywhere", () => {
  const points = [Point.BASE, Point.BASE.negate(), Point.BASE.multiply(anyNumber())];
  for (const k of [...EDGES, ...Array.from({ length: 100 }, anyNumber)]) {
    assertEquals({ ...KERNEL.base(k) }, { ...NOBLE.base(k) }, k.toString(16));
    for (const point of points) {
      assertEquals(KERNEL.productX(k, point), NOBLE.productX(k, point), k.toString(16));
    }
  }
});

Deno.test("Sums are noble's, also where the formulas of the kernel do not hold", () => {
  const key = Point.BASE.multiply(anyNumber());
  const keys = [key, Point.BASE, Point.BASE.negate(), Point.BASE.double(), key.negate()];
  const numbers = [0n, 1n, 2n, 3n, 16n, 31n, n - 1n, n - 2n, anyNumber(), anyNumber()];
  let [exact, infinite] = [0, 0];
  for (const one of keys) {
    for (const s of numbers) {
      for (const t of numbers) {
        const sum = Point.BASE.multiplyUnsafe(s).add(one.multiplyUnsafe(t));
        const what = `${s} ${t}`;
        if (sum.is0()) {
          infinite += 1;
          assertEquals(KERNEL.sumHasX(s, t, one, 1n), false, what);
          continue;
        }
        exact += 1;
        const x = sum.toAffine().x % n;
        assert(KERNEL.sumHasX(s, t, one, x), what);
        assertEquals(KERNEL.sumHasX(s, t, one, (x + 1n) % n), false, what);
      }
    }
  }
  assert(exact > 400 && infinite > 5, `${exact} ${infinite}`);
});

Deno.test("A coordinate beyond the order is the same as the one below it", () => {
  // Of a point whose x is n or more, x - n is what a signature has.
  for (let x = n; x < CURVE.p; x += 1n) {
    const compressed = Uint8Array.of(2, ...Uint8Array.fromHex(x.toString(16)));
    const found = Sm2PublicKey.read(compressed);
    if (!found) continue;
    assert(KERNEL.sumHasX(0n, 1n, found.point, x - n));
    assert(NOBLE.sumHasX(0n, 1n, found.point, x - n));
    assertEquals(KERNEL.sumHasX(0n, 1n, found.point, x - n + 1n), false);
    return;
  }
});

Deno.test("What the kernel signs noble verifies, and the other way round; a wrong one neither", () => {
  for (let turn = 0; turn < 60; turn += 1) {
    const secret = Sm2PrivateKey.make().octets();
    const [own, other] = [KERNEL, NOBLE].map((one) => Sm2PrivateKey.read(secret, one)!) as [
      Sm2PrivateKey,
      Sm2PrivateKey,
    ];
    const message = crypto.getRandomValues(new Uint8Array(turn));
    for (const signature of [own.sign(message), other.sign(message)]) {
      assert(own.publicKey.verify(message, signature));
      assert(other.publicKey.verify(message, signature));
      signature[turn]! ^= 1;
      assertEquals(own.publicKey.verify(message, signature), false);
      assertEquals(other.publicKey.verify(message, signature), false);
    }
  }
});

const CASES = 10_000;
const PER_KEY = 100;
const ID = new TextEncoder().encode("1234567812345678");

Deno.test({
  name: `${CASES} messages: what OpenSSL signs the kernel verifies, and the other way round`,
  ...needs("libcrypto"),
  fn() {
    using openssl = new OpenSsl();
    for (let turn = 0; turn < CASES / PER_KEY; turn += 1) {
      const signer = makeSigner("sm2");
      const own = Sm2PrivateKey.read(signer.secret(), KERNEL)!;
      using other = openssl.sm2(writePrivateKey(signer), ID);
      for (let index = 0; index < PER_KEY; index += 1) {
        const message = crypto.getRandomValues(new Uint8Array(index));
        const theirs = readDerSignature(other.sign(message), 32);
        assert(theirs instanceof Uint8Array && own.publicKey.verify(message, theirs));
        const ours = own.sign(message);
        assert(other.verify(message, writeDerSignature(ours)));
        if (index % 10 !== 0) continue;
        ours[index % 64]! ^= 1;
        assertEquals(own.publicKey.verify(message, ours), false);
        assertEquals(other.verify(message, writeDerSignature(ours)), false);
      }
    }
    assertEquals(signerOf("sm2", new Uint8Array(32)), undefined);
  },
});
