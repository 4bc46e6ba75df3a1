import {
  aggregateBls,
  blsPublicKey,
  type BlsSigned,
  makeBls,
  refuseBls,
  signBls,
  verifyBlsAggregate,
} from "../../../src/crypto/bls.ts";
import { bls12_381 } from "../../../src/crypto/noble_curves.ts";
import { assert, assertEquals } from "../../assert.ts";

/** Made with py_ecc 8.0.0 (G2MessageAugmentation) from keys and messages of ours. */
const VECTORS = [
  {
    secret: "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    publicKey: "96a20bb9485ff6d8950955a629e8043a43775968ac133eb7b19c5f0389a22536" +
      "76abdd6c86c7b68d38a1b7f6af8650e7",
    message: "",
    signature: "83c95b89492bd8e62c9e07db8c28aba4ae3e3866a285485c6c0a320d8499d1b7" +
      "7d4fbf4dd02d947076c16255335a7458066852a86c859d925b9ec19fead6f39f" +
      "0aa990d7fcc69c222a864c724155b01ffdd09de09ee0537992e1811bcb7d54ce",
  },
  {
    secret: "02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021",
    publicKey: "87604522efe35e7e0c8dc3ce471a5ec35c3cd8ee8ca7647642ee6108e8915380" +
      "92165c265b066c9d82f5399a8e49e327",
    message: "74656c656d65747279206f662062696b652d31",
    signature: "94a18d7149c891f6996a1c2924c03ffc8b2f1f72b6484c74726ea83671fb2a7e" +
      "1f70fb38c414ee55d397b00af1e47de711810df26604b9e7b39cbed872c3bc2d" +
      "a60067813989deb94fcc52eae2ecd18592ab7b995960f15d30628cb81bbee2a3",
  },
  {
    secret: "030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122",
    publicKey: "a76a2d952f9c598e3a16496c4940e9d452d5d07e6ddf32c74ad4f11777c2f0ca" +
      "e9b3ca09e49442523defd2f429a1ef31",
    message: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" +
      "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
    signature: "95682290cdb67412b02b0250df36f7eda19fd884b2cb287c6423f3dfe682df3d" +
      "287f795631f98fedf4798d941b4e017e07bdfed1dc99dcaf059454bee6a28dc8" +
      "cf1d25ea305bcdf11a674fc587807f354ca8adcdd05e5a655f6395635e6c45e3",
  },
];
const AGGREGATE = "8e1be58c4150533b2c35b95f72624050110173338bcec4fbf61bc2659cb93e7f" +
  "46207abc9ae35e92afb36bc0d0de5f00179efeca3fb10a86636e898d1bc1d4cc" +
  "811e7262e273cdc233d720fcab1c681e34d4304da79e25b889d15e770b7b2202";
const octets = Uint8Array.fromHex;

function signed(count: number): BlsSigned[] {
  return Array.from({ length: count }, (_, at) => {
    const { secret, publicKey } = makeBls();
    const message = Uint8Array.of(at);
    return { publicKey, message, signature: signBls(secret, message) };
  });
}

Deno.test("Keys, signatures and the aggregate are those of another implementation", () => {
  const all = VECTORS.map(({ secret, publicKey, message, signature }) => {
    assertEquals(blsPublicKey(octets(secret)).toHex(), publicKey);
    assertEquals(signBls(octets(secret), octets(message)).toHex(), signature);
    return {
      publicKey: octets(publicKey),
      message: octets(message),
      signature: octets(signature),
    };
  });
  const aggregate = aggregateBls(all.map(({ signature }) => signature));
  assertEquals(aggregate.toHex(), AGGREGATE);
  assert(verifyBlsAggregate(all, aggregate));
  assert(!verifyBlsAggregate(all.slice(1), aggregate));
  assert(!verifyBlsAggregate([...all, all[0]!], aggregate));
  assert(!verifyBlsAggregate([], aggregate));
  assertEquals(refuseBls(all), []);
});

Deno.test("Those that are wrong among many are found, whatever is wrong with them", () => {
  const all = signed(16);
  const [first, second] = all as [BlsSigned, BlsSigned];
  const infinity = new Uint8Array(96);
  infinity[0] = 0xc0;
  const wrong: [number, Partial<BlsSigned>][] = [
    [0, { message: Uint8Array.of(99) }],
    [3, { signature: second.signature }],
    [4, { publicKey: first.publicKey }],
    [7, { signature: new Uint8Array(96) }],
    [8, { signature: infinity }],
    [9, { publicKey: infinity.slice(0, 48) }],
    [10, { publicKey: first.publicKey.subarray(1) }],
    [15, { signature: second.signature.subarray(1) }],
  ];
  const hurt = [...all];
  for (const [at, fields] of wrong) hurt[at] = { ...hurt[at]!, ...fields };
  assertEquals(refuseBls(hurt), wrong.map(([at]) => at));
  assertEquals(refuseBls([]), []);
});

Deno.test("A key that was made of others' keys signs nothing in their name", () => {
  const [victim] = signed(1) as [BlsSigned];
  const own = makeBls();
  const message = Uint8Array.of(7);
  // Without the key in what is signed, the sum of both keys would be the attacker's own.
  const Point = bls12_381.G1.Point;
  const rogue = Point.fromHex(own.publicKey.toHex())
    .subtract(Point.fromHex(victim.publicKey.toHex())).toBytes();
  const both = [{ publicKey: victim.publicKey, message }, { publicKey: rogue, message }];
  assert(!verifyBlsAggregate(both, signBls(own.secret, message)));
});
