import fc from "fast-check";
import sm from "sm-crypto";
import { sm2Encrypt, Sm2PrivateKey, Sm2PublicKey } from "../../../src/crypto/sm2.ts";
import { readDerSignature, writeDerSignature } from "../../../src/wire/der_signature.ts";
import { assert, assertEquals } from "../../assert.ts";
import { needs } from "../../needs.ts";

const N = 0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123n;
const P = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
const MESSAGE = new TextEncoder().encode("message digest");
const KEY = Sm2PrivateKey.read(
  Uint8Array.fromHex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"),
)!;

const hex = (value: bigint) => value.toString(16).padStart(64, "0");
const octets = (value: bigint) => Uint8Array.fromHex(hex(value));
const number = (from: Uint8Array) => BigInt(`0x${from.toHex()}`);

Deno.test("SM2 gives the known answers of GB/T 32918.5, annex A", () => {
  const { publicKey } = KEY;
  assertEquals(
    publicKey.identity().toHex(),
    "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3",
  );
  const digest = publicKey.digest(MESSAGE);
  assertEquals(
    digest.toHex(),
    "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640",
  );
  const k = 0x59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21n;
  const signature = KEY.signWith(number(digest), k)!;
  assertEquals(
    signature.toHex(),
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3" +
      "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa",
  );
  assert(publicKey.verify(MESSAGE, signature));
});

// A library once refused this one, for a carry that was lost.
Deno.test("A signature of the digest 0 with large numbers holds", () => {
  const key = Sm2PublicKey.read(Uint8Array.fromHex(
    "ef4de57af00ae424c00c4caadff7193f804a19dd73a7e2954db9d0d15ab4cbba" +
      "67728c3f4572878b7a674735da9fde1682fe2d9e0799c4a5cde57e3d473039a2",
  ))!;
  const signature = Uint8Array.fromHex(
    "be0ea64e1ec06f0d247093f3ccbbadcfb6260224272f86ddb78326e7cd6c7560" +
      "e9f6ab2fcc48a2cef94838e66b5c7e21fd8e4de25990dd98ca5243f4966f2853",
  );
  assert(key.verifyDigest(new Uint8Array(32), signature));
});

Deno.test("What sm-crypto signs we verify, and the other way round; encryption in both orders too", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (message) => {
      const pair = sm.sm2.generateKeyPairHex();
      const own = Sm2PrivateKey.read(Uint8Array.fromHex(pair.privateKey.padStart(64, "0")))!;
      assertEquals(own.publicKey.octets().toHex(), pair.publicKey);
      const theirs = sm.sm2.doSignature([...message], pair.privateKey, { hash: true });
      assert(own.publicKey.verify(message, Uint8Array.fromHex(theirs)));
      const ours = own.sign(message);
      const options = { hash: true, publicKey: pair.publicKey };
      assert(sm.sm2.doVerifySignature([...message], ours.toHex(), pair.publicKey, options));
      for (const [mode, order] of [[1, "C1C3C2"], [0, "C1C2C3"]] as const) {
        const sealed = sm.sm2.doEncrypt([...message], pair.publicKey, mode) as unknown as string;
        assertEquals(own.decrypt(Uint8Array.fromHex(`04${sealed}`), order), message);
        const other = sm2Encrypt(own.publicKey, message, order).toHex().slice(2);
        const opened = sm.sm2.doDecrypt(other, pair.privateKey, mode, { output: "array" });
        assertEquals(Uint8Array.from(opened as unknown as number[]), message);
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test({
  name: "What OpenSSL signs we verify, and the other way round, with the same user id",
  ...needs("openssl"),
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "busbar-sm2-" });
    const run = async (...args: string[]) => {
      const { code, stdout } = await new Deno.Command("openssl", { args, cwd: folder }).output();
      return { code, out: stdout };
    };
    try {
      const id = ["-pkeyopt", "distid:1234567812345678"];
      await run(
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:SM2",
        "-out",
        "k.pem",
      );
      await run("pkey", "-in", "k.pem", "-pubout", "-out", "p.pem");
      const der = (await run("pkey", "-in", "k.pem", "-pubout", "-outform", "DER")).out;
      const key = Sm2PublicKey.read(der.slice(-65))!;
      const text = new TextDecoder().decode(
        (await run("pkey", "-in", "k.pem", "-noout", "-text")).out,
      );
      const [, digits] = /priv:\s*([0-9a-f:\s]+)pub:/.exec(text)!;
      const secret = digits!.replaceAll(/[:\s]/g, "").padStart(64, "0").slice(-64);
      const own = Sm2PrivateKey.read(Uint8Array.fromHex(secret))!;
      assertEquals(own.publicKey.octets(), key.octets());
      for (let turn = 0; turn < 5; turn += 1) {
        const message = crypto.getRandomValues(new Uint8Array(1 + turn * 50));
        Deno.writeFileSync(`${folder}/m`, message);
        const common = ["-in", "m", "-rawin", "-digest", "sm3"];
        await run("pkeyutl", "-sign", "-inkey", "k.pem", ...common, "-out", "s", ...id);
        const raw = readDerSignature(Deno.readFileSync(`${folder}/s`), 32);
        assert(raw instanceof Uint8Array && key.verify(message, raw));
        Deno.writeFileSync(`${folder}/s`, writeDerSignature(own.sign(message)));
        const verify = ["-verify", "-pubin", "-inkey", "p.pem", ...common, "-sigfile", "s", ...id];
        assertEquals((await run("pkeyutl", ...verify)).code, 0);
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

// The negatives that are tried on every signature library.
Deno.test("Signatures out of range, of other messages, keys or ids are refused", () => {
  const { publicKey } = KEY;
  const signature = KEY.sign(MESSAGE);
  const r = number(signature.subarray(0, 32));
  const s = number(signature.subarray(32));
  const put = (one: bigint, other: bigint) => Uint8Array.of(...octets(one), ...octets(other));
  assert(publicKey.verify(MESSAGE, signature));
  const all = (1n << 256n) - 1n;
  for (
    const [what, wrong] of [
      ["r is 0", put(0n, s)],
      ["s is 0", put(r, 0n)],
      ["both are 0", put(0n, 0n)],
      ["r is n", put(N, s)],
      ["s is n", put(r, N)],
      ["r + s is n", put(r, N - r)],
      ["all bits of r", put(all, s)],
      ["all bits of s", put(r, all)],
      ["r and s changed places", put(s, r)],
      ["s negated", put(r, N - s)],
      ["too short", signature.subarray(1)],
      ["too long", Uint8Array.of(...signature, 0)],
      ["empty", new Uint8Array(0)],
    ] as const
  ) assertEquals(publicKey.verify(MESSAGE, wrong), false, what);
  for (let bit = 0; bit < 512; bit += 7) {
    const wrong = signature.slice();
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    assertEquals(publicKey.verify(MESSAGE, wrong), false, `bit ${bit}`);
  }
  assertEquals(publicKey.verify(MESSAGE.subarray(1), signature), false);
  assertEquals(publicKey.verify(MESSAGE, signature, new Uint8Array(0)), false);
  assertEquals(Sm2PrivateKey.make().publicKey.verify(MESSAGE, signature), false);
});

Deno.test("A point off the curve, out of range, or at infinity is no key", () => {
  const good = KEY.publicKey.octets();
  const x = number(good.subarray(1, 33));
  const y = number(good.subarray(33));
  const whole = (one: bigint, other: bigint) => Uint8Array.of(4, ...octets(one), ...octets(other));
  assertEquals(Sm2PublicKey.read(whole(x, y))!.octets(), good);
  assertEquals(Sm2PublicKey.read(good.subarray(1))!.octets(), good);
  assertEquals(Sm2PublicKey.read(KEY.publicKey.octets(true))!.octets(), good);
  for (
    const [what, wrong] of [
      ["another y", whole(x, y ^ 1n)],
      ["x beyond p", whole(x + P < 1n << 256n ? x + P : P, y)],
      ["x is p", whole(P, y)],
      ["zeros", whole(0n, 0n)],
      ["infinity", Uint8Array.of(0)],
      ["a hybrid form", Uint8Array.of(6, ...good.subarray(1))],
      ["too short", good.subarray(0, 64)],
      ["too long", Uint8Array.of(...good, 0)],
      ["a short form with a wrong first octet", Uint8Array.of(4, ...good.subarray(1, 33))],
      ["empty", new Uint8Array(0)],
    ] as const
  ) assertEquals(Sm2PublicKey.read(wrong), undefined, what);
});

Deno.test("A private key is a number from 1 to n - 2", () => {
  for (const good of [1n, 2n, N - 2n]) assert(Sm2PrivateKey.read(octets(good)), hex(good));
  for (const wrong of [0n, N - 1n, N, (1n << 256n) - 1n]) {
    assertEquals(Sm2PrivateKey.read(octets(wrong)), undefined, hex(wrong));
  }
  assertEquals(Sm2PrivateKey.read(new Uint8Array(31)), undefined);
});

Deno.test("Without any random octets no number comes twice, but for the same message", () => {
  const none = (into: Uint8Array) => void into.fill(0);
  const one = KEY.sign(MESSAGE, undefined, none).toHex();
  assertEquals(KEY.sign(MESSAGE, undefined, none).toHex(), one);
  const seen = new Set([one.slice(0, 64)]);
  for (let turn = 0; turn < 20; turn += 1) {
    seen.add(KEY.sign(Uint8Array.of(turn), undefined, none).toHex().slice(0, 64));
    seen.add(KEY.sign(MESSAGE).toHex().slice(0, 64));
  }
  assertEquals(seen.size, 41, "with random octets the same message is signed differently");
});

Deno.test("Both sides of a key exchange reach the same; another id, or another key, does not", () => {
  const [a, b, other] = [Sm2PrivateKey.make(), Sm2PrivateKey.make(), Sm2PrivateKey.make()];
  const [ra, rb] = [Sm2PrivateKey.make(), Sm2PrivateKey.make()];
  const ids = { initiator: Uint8Array.of(1), responder: Uint8Array.of(2) };
  const peer = (key: Sm2PrivateKey, once: Sm2PrivateKey) => ({
    key: key.publicKey,
    ephemeral: once.publicKey,
  });
  const first = a.exchange(ra, peer(b, rb), ids, "initiator", 40);
  assertEquals(b.exchange(rb, peer(a, ra), ids, "responder", 40), first);
  const wrong = { initiator: Uint8Array.of(3), responder: ids.responder };
  assert(b.exchange(rb, peer(a, ra), wrong, "responder", 40).toHex() !== first.toHex());
  assert(b.exchange(rb, peer(other, ra), ids, "responder", 40).toHex() !== first.toHex());
  assertEquals(a.agree(b.publicKey), b.agree(a.publicKey));
});

Deno.test("What was encrypted for another key, cut or changed does not open", () => {
  const text = MESSAGE;
  const sealed = sm2Encrypt(KEY.publicKey, text);
  assertEquals(KEY.decrypt(sealed), text);
  assertEquals(Sm2PrivateKey.make().decrypt(sealed), undefined);
  assertEquals(KEY.decrypt(sealed, "C1C2C3"), undefined);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = sealed.slice();
    changed[at]! ^= 1;
    assertEquals(KEY.decrypt(changed), undefined, `octet ${at}`);
    assertEquals(KEY.decrypt(sealed.subarray(0, at)), undefined, `${at} octets`);
  }
});

Deno.test("DER of a signature: one form for each, and no other is read", () => {
  const numbers = fc.uint8Array({ minLength: 64, maxLength: 64 });
  fc.assert(fc.property(numbers, (raw) => {
    assertEquals(readDerSignature(writeDerSignature(raw), 32), raw);
  }));
  const read = (text: string) => readDerSignature(Uint8Array.fromHex(text), 32);
  assertEquals(
    (read("3006020101020102") as Uint8Array).toHex(),
    hex(1n) + hex(2n),
  );
  for (
    const [what, text] of [
      ["octets behind", "300602010102010200"],
      ["octets behind, inside", "30070201010201020000"],
      ["a length that is too long", "30810602010102010200"],
      ["a number longer than it has to be", "300702020001020102"],
      ["a negative number", "3006020181020102"],
      ["a number without octets", "30050200020102"],
      ["one number", "3003020101"],
      ["three numbers", "3009020101020102020103"],
      ["another tag", "3106020101020102"],
      ["another tag inside", "3006040101020102"],
      ["cut off", "30060201010201"],
      ["no end", "3080020101020102"],
      ["a number of 33 octets", `3026022101${"00".repeat(32)}020101`],
      ["nothing", ""],
    ] as const
  ) assert(!(read(text) instanceof Uint8Array), what);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 90 }), (any) => {
    const raw = readDerSignature(any, 32);
    if (raw instanceof Uint8Array) assertEquals(writeDerSignature(raw), any);
  }));
});
