/**
 * Known answers: what each implementation has to give before it is used. SM3: GB/T 32905, annex A;
 * SM4: GB/T 32907, annex A; SM4-GCM: RFC 8998, annex A; SM2: GB/T 32918.5, annex A; AES-128-GCM:
 * test case 4 of the mode's own specification.
 * @module
 */
import { readDerSignature, writeDerSignature } from "../wire/der_signature.ts";
import { type Aead, TAG_SIZE } from "./aead.ts";
import type { Sm2Tools, Stream } from "./providers.ts";

const hex = (text: string) => Uint8Array.fromHex(text);
const KEY = hex("0123456789abcdeffedcba9876543210");

/** Says what is wrong; undefined when nothing is. */
type Fault = string | undefined;

function differs(what: string, got: Uint8Array, wanted: string): Fault {
  return got.toHex() === wanted ? undefined : `${what} is ${got.toHex()}, not ${wanted}`;
}

/** Of SM3. */
export function checkSm3(digest: (octets: Uint8Array) => Uint8Array): Fault {
  const text = (words: string) => new TextEncoder().encode(words);
  return differs(
    "the digest of abc",
    digest(text("abc")),
    "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
  ) ?? differs(
    "the digest of 64 octets",
    digest(text("abcd".repeat(16))),
    "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
  );
}

/** Of SM4-CTR: the cipher's own answer is its first block, of a counter that is the text. */
export function checkSm4Ctr(make: (key: Uint8Array) => Stream): Fault {
  const octets = new Uint8Array(16);
  make(KEY)(KEY.slice(), octets, octets);
  const fault = differs("the block", octets, "681edf34d206965e86b3e94f536e4246");
  if (fault !== undefined) return fault;
  // Keys out of keys: that goes through every entry of every table.
  let key: Uint8Array = KEY;
  for (let turn = 0; turn < KEYS; turn += 1) {
    const next = new Uint8Array(16);
    make(key)(key.slice(), next, next);
    key = next;
  }
  return differs(`the block of ${KEYS} keys`, key, "99a8fb8150f935567f6e7e306a322544");
}

/** Keys that are made out of one another; the answers are by OpenSSL, through PyCA cryptography. */
const KEYS = 64;

function checkAead(
  aead: Aead,
  nonce: Uint8Array,
  extra: Uint8Array,
  text: Uint8Array,
  wanted: string,
): Fault {
  const sealed = new Uint8Array(text.length + TAG_SIZE);
  aead.seal(nonce, extra, text, 0, text.length, sealed, 0);
  const fault = differs("what is sealed", sealed, wanted);
  if (fault !== undefined) return fault;
  const opened = new Uint8Array(text.length);
  const end = aead.open(nonce, extra, sealed, 0, sealed.length, opened, 0);
  if (end !== text.length) return "what was sealed does not open";
  const other = differs("what is opened", opened, text.toHex());
  if (other !== undefined) return other;
  sealed[0]! ^= 1;
  const changed = aead.open(nonce, extra, sealed, 0, sealed.length, opened, 0);
  return changed === -1 ? undefined : "what was changed opens all the same";
}

/** Of SM4-GCM, and that a long text is what it is in pieces of CTR. */
export function checkSm4Gcm(make: (key: Uint8Array) => Aead): Fault {
  using aead = make(KEY);
  const text = hex(
    ["aa", "bb", "cc", "dd", "ee", "ff", "ee", "aa"].map((octet) => octet.repeat(8)).join(""),
  );
  const short = checkAead(
    aead,
    hex("00001234567800000000abcd"),
    hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    text,
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735" +
      "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d" +
      "83de3541e4c2b58177e065a9bf7b62ec",
  );
  if (short !== undefined) return short;
  // Long enough for what an implementation does with many blocks at once.
  const long = new Uint8Array(2000);
  const sealed = new Uint8Array(long.length + TAG_SIZE);
  aead.seal(new Uint8Array(12), new Uint8Array(0), long, 0, long.length, sealed, 0);
  const fault = differs("the tag of 2,000 octets", sealed.subarray(long.length), LONG_TAG);
  if (fault !== undefined) return fault;
  let key: Uint8Array = KEY;
  for (let turn = 0; turn < KEYS; turn += 1) {
    using one = make(key);
    const block = new Uint8Array(16 + TAG_SIZE);
    one.seal(key.subarray(0, 12), new Uint8Array(0), block, 0, 16, block, 0);
    key = block.slice(16);
  }
  return differs(`the tag of ${KEYS} keys`, key, "fb196755c40ec984f373645860e73992");
}

/** By OpenSSL, through PyCA cryptography 48: 2,000 zeros under {@linkcode KEY}, a nonce of zeros. */
const LONG_TAG = "8ca21330726a3789b98ae4903537e0ec";

/** Of AES-128-GCM. */
export function checkAesGcm(make: (key: Uint8Array) => Aead): Fault {
  using aead = make(hex("feffe9928665731c6d6a8f9467308308"));
  return checkAead(
    aead,
    hex("cafebabefacedbaddecaf888"),
    hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    ),
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" +
      "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" +
      "5bc94fbc3221a5db94fae95ae7121a47",
  );
}

/** Of SM2. */
export function checkSm2({ read, readPublic, ephemeral }: Sm2Tools): Fault {
  const key = read(hex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"));
  if (!key) return "the private key cannot be read";
  const digest = hex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640");
  const signature = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3" +
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa";
  const publicKey = readPublic(key.publicKey.octets());
  if (!publicKey?.verifyDigest(digest, hex(signature))) return "the signature does not hold";
  const wrong = hex(signature);
  wrong[63]! ^= 1;
  if (publicKey.verifyDigest(digest, wrong)) return "a changed signature holds";
  const own = readDerSignature(writeDerSignature(key.signDigest(digest)), 32);
  const holds = own instanceof Uint8Array && publicKey.verifyDigest(digest, own);
  if (!holds) return "its own signature does not hold";
  // GB/T 32918.5, C.2: k, C1 and x2.
  const once = ephemeral((octets) =>
    octets.set(hex("59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21"))
  );
  const point = "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73" +
    "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0";
  if (once.point.toHex() !== point) return "a point has other coordinates";
  const agreed = once.agree(key.publicKey.octets())?.toHex();
  return agreed === "335e18d751e51f040e27d468138b7ab1dc86ad7f981d7d416222fd6ab3ed230d"
    ? undefined
    : "two do not agree on a secret";
}
