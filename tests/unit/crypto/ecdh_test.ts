import { Buffer } from "node:buffer";
import { createECDH } from "node:crypto";
import { type EcdhCurve, makeEphemeral, POINT_SIZE } from "../../../src/crypto/ecdh.ts";
import { Sm2PrivateKey, Sm2PublicKey } from "../../../src/crypto/sm2.ts";
import { CURVE } from "../../../src/crypto/sm2_curve.ts";
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";
import { random } from "../../sim/random.ts";

const CURVES = ["sm2", "p256"] as const satisfies readonly EcdhCurve[];
/** What `openssl pkey -pubout -outform DER` puts before a point of P-256. */
const SPKI_P256 = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

const anybody = (octets: Uint8Array) =>
  void crypto.getRandomValues(octets as Uint8Array<ArrayBuffer>);
const hex = (value: bigint) => value.toString(16).padStart(64, "0");
const number = (octets: Uint8Array) => BigInt(`0x${octets.toHex()}`);
/** A source that gives these, one after the other. */
const giving = (...all: readonly Uint8Array[]) => {
  const left = [...all];
  return (octets: Uint8Array) => octets.set(left.shift()!);
};

type Affine = readonly [bigint, bigint] | undefined;

/** The curve of SM2 by the formulas of school, which share nothing with what is tested. */
function schoolSum(one: Affine, other: Affine): Affine {
  const { a, p } = CURVE;
  if (!one || !other) return one ?? other;
  const [x, y] = one;
  const [u, v] = other;
  if (x === u && (y + v) % p === 0n) return undefined;
  const slope = x === u ? (3n * x * x + a) * inverse(2n * y) : (v - y) * inverse(u - x);
  const third = mod(slope * slope - x - u);
  return [third, mod(slope * (x - third) - y)];
}

function schoolProduct(scalar: bigint, point: Affine): Affine {
  let product: Affine;
  for (const bit of scalar.toString(2)) {
    product = schoolSum(product, product);
    if (bit === "1") product = schoolSum(product, point);
  }
  return product;
}

function mod(value: bigint): bigint {
  return ((value % CURVE.p) + CURVE.p) % CURVE.p;
}

function inverse(value: bigint): bigint {
  let [result, base] = [1n, mod(value)];
  for (let left = CURVE.p - 2n; left > 0n; left >>= 1n) {
    if (left & 1n) result = result * base % CURVE.p;
    base = base * base % CURVE.p;
  }
  return result;
}

for (const curve of CURVES) {
  Deno.test(`Both sides reach the same secret on ${curve}, and a third does not`, () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const [one, other, third] = [1, 2, 3].map(() => makeEphemeral(curve, anybody));
      const secret = one!.agree(other!.point);
      assertEquals(one!.point.length, POINT_SIZE);
      assertEquals(secret?.length, 32);
      assertEquals(other!.agree(one!.point), secret);
      assert(third!.agree(one!.point)?.toHex() !== secret?.toHex());
    }
  });

  Deno.test(`What is no point of ${curve} with both coordinates agrees on nothing`, () => {
    const own = makeEphemeral(curve, anybody);
    const { point } = makeEphemeral(curve, anybody);
    const with65 = (first: number, rest: Uint8Array) => Uint8Array.of(first, ...rest);
    const y = number(point.subarray(33));
    const short = point.slice(0, 33);
    short[0] = y % 2n === 0n ? 2 : 3;
    const other = makeEphemeral(curve === "sm2" ? "p256" : "sm2", anybody).point;
    const field = curve === "sm2"
      ? CURVE.p
      : 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
    const wrong: readonly (readonly [string, Uint8Array])[] = [
      ["nothing", new Uint8Array(0)],
      ["infinity", Uint8Array.of(0)],
      ["zeros", new Uint8Array(POINT_SIZE)],
      ["both coordinates zero", with65(4, new Uint8Array(64))],
      ["compressed", short],
      ["compressed, filled up", Uint8Array.of(...short, ...new Uint8Array(32))],
      ["without its first octet", point.slice(1)],
      ["an octet too short", point.slice(0, 64)],
      ["an octet too long", Uint8Array.of(...point, 0)],
      ["hybrid", with65(6 + Number(y % 2n), point.subarray(1))],
      ["of another form", with65(5, point.subarray(1))],
      ["of the other curve", other],
      ["the first coordinate out of range", with65(4, Uint8Array.fromHex(hex(field) + hex(y)))],
      ["all ones", with65(4, new Uint8Array(64).fill(0xff))],
    ];
    for (const [what, octets] of wrong) assertEquals(own.agree(octets), undefined, what);
    for (let bit = 8; bit < POINT_SIZE * 8; bit += 31) {
      const off = point.slice();
      off[bit >> 3]! ^= 1 << (bit & 7);
      assertEquals(own.agree(off), undefined, `bit ${bit}`);
    }
    assertEquals(own.agree(point)?.length, 32);
  });

  Deno.test(`Numbers that are no secret of ${curve} are drawn again, not reduced`, () => {
    const order = curve === "sm2"
      ? CURVE.n
      : 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const last = Uint8Array.fromHex(hex(order - 1n));
    const zeros = new Uint8Array(32);
    const beyond = [order, order + 1n, (1n << 256n) - 1n].map((value) =>
      Uint8Array.fromHex(hex(value))
    );
    const drawn = makeEphemeral(curve, giving(zeros, ...beyond, last));
    assertEquals(drawn.point, makeEphemeral(curve, giving(last)).point);
  });
}

Deno.test("On P-256 the runtime's own ECDH reaches the same secret", () => {
  for (let turn = 0; turn < 20; turn += 1) {
    const theirs = createECDH("prime256v1");
    const point = new Uint8Array(theirs.generateKeys());
    const own = makeEphemeral("p256", anybody);
    assertEquals(own.agree(point), new Uint8Array(theirs.computeSecret(Buffer.from(own.point))));
  }
});

Deno.test({
  name: "On P-256 OpenSSL reaches the same secret",
  ...needs("openssl"),
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-ecdh-" });
    const run = async (...args: string[]) => {
      const { success, stdout } = await new Deno.Command("openssl", { args, cwd: folder }).output();
      assert(success, args.join(" "));
      return stdout;
    };
    try {
      const own = makeEphemeral("p256", anybody);
      Deno.writeFileSync(`${folder}/o`, Uint8Array.fromHex(SPKI_P256 + own.point.toHex()));
      await run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "k");
      const spki = await run("pkey", "-in", "k", "-pubout", "-outform", "DER");
      const peer = ["-peerkey", "o", "-peerform", "DER"];
      const secret = await run("pkeyutl", "-derive", "-inkey", "k", ...peer);
      assertEquals(own.agree(spki.slice(-POINT_SIZE)), secret);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("On the curve of SM2 the formulas of school, and SM2's own keys, reach the same", () => {
  const dice = random(22);
  for (let turn = 0; turn < 8; turn += 1) {
    const octets = Uint8Array.from({ length: 32 }, () => dice(250));
    const secret = number(octets);
    const own = makeEphemeral("sm2", giving(octets));
    const [x, y] = schoolProduct(secret, [CURVE.Gx, CURVE.Gy])!;
    assertEquals(own.point.toHex(), `04${hex(x)}${hex(y)}`);
    const other = Sm2PrivateKey.make();
    const point = other.publicKey.octets();
    const coordinates = [number(point.subarray(1, 33)), number(point.subarray(33))] as const;
    const [product] = schoolProduct(secret, coordinates)!;
    assertEquals(own.agree(point)?.toHex(), hex(product));
    assertEquals(own.agree(point), other.agree(Sm2PublicKey.read(own.point)!));
  }
});

// Of the key exchange in annex B: the number of one side, and its point.
Deno.test("A secret gives the point that GB/T 32918.5 has for it", () => {
  const secret = "d4de15474db74d06491c440d305e012400990f3e390c7e87153c12db2ea60bb3";
  assertEquals(
    makeEphemeral("sm2", giving(Uint8Array.fromHex(secret))).point.toHex(),
    "0464ced1bdbc99d590049b434d0fd73428cf608a5db8fe5ce07f150269" +
      "40bae40e376629c7ab21e7db260922499ddb118f07ce8eaae3e7720afef6a5cc062070c0",
  );
});
