import fc from "fast-check";
import { Sm4Gcm } from "../../../../src/crypto/aead.ts";
import { Sm4WasmGcm } from "../../../../src/crypto/sm4_wasm.ts";
import type { Instant } from "../../../../src/base/time.ts";
import {
  type Frame,
  FrameReader,
  FRAMES_MAX,
  nonceOf,
  Opener,
  Sealer,
  sessionKeys,
  WINDOW,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";

const from = (first: number, length: number) =>
  Uint8Array.from({ length }, (_, index) => first + index);
const KEYS = sessionKeys("sm3", from(0, 32), from(0x10, 16));
const TEXT = Uint8Array.fromHex("00010002");

function framed(octets: Uint8Array): Frame {
  const reader = new FrameReader({ crc: "auto" });
  reader.feed(octets, 0 as Instant);
  return reader.next(0 as Instant)!;
}

Deno.test("Keys and nonces of a session are the known ones, of both hashes", () => {
  const shown = ({ up, down, base, check }: typeof KEYS) =>
    [up, down, base, check].map((octets) => octets.toHex());
  assertEquals(shown(KEYS), [
    "303bc6f4e1e7e180b42c826857e95c89",
    "21a5e6465d30194f7a696e79a2d72168",
    "08c7d2dedf41244481ce5ac4",
    "4911078c",
  ]);
  assertEquals(shown(sessionKeys("sha256", from(0, 32), from(0x10, 16))), [
    "bbd353a5ecf6670c7888145bb25091a6",
    "f026fb17a4b031d2d2fdca27deeeba2b",
    "ab3b7c7ba864997f0194dbd3",
    "ef393234",
  ]);
  const nonce = (counter: number) => nonceOf(KEYS.base, counter, new Uint8Array(12)).toHex();
  assertEquals(nonce(0).slice(-8), "81ce5ac4");
  assertEquals(nonce(1).slice(-8), "81ce5ac5");
  assertEquals(nonce(2 ** 40 + 5), "08c7d2dedf41254481ce5ac1");
});

Deno.test("A sealed frame is the known one, with either check and either hash", () => {
  const sealed = new Sealer(new Sm4WasmGcm(KEYS.up), KEYS.base).seal(1, TEXT);
  const head = "c1022000001c010000000000000001";
  assertEquals(sealed.toHex(), `${head}246ee4aaa5382b948994a37465d9dd0237220ea12e`);
  const plain = new Sealer(new Sm4Gcm(KEYS.up), KEYS.base, "plain").seal(1, TEXT);
  assertEquals(plain.toHex(), `${head}246ee4aaa5382b948994a37465d9dd0237220ea17b`);
  const other = sessionKeys("sha256", from(0, 32), from(0x10, 16));
  const sha = new Sealer(new Sm4Gcm(other.up), other.base).seal(1, TEXT);
  assertEquals(sha.toHex(), `${head}3ecd62655fc8c30e169b6e9d823c2da722d949a9e2`);
});

Deno.test("A frame is opened once; forged, cut, of the other direction or session it is not", () => {
  const sealer = new Sealer(new Sm4WasmGcm(KEYS.down), KEYS.base);
  const opener = new Opener(new Sm4WasmGcm(KEYS.down), KEYS.base);
  const frame = framed(sealer.seal(0x10, TEXT));
  for (let bit = 0; bit < frame.head.length * 8; bit += 1) {
    const octets = frame.head.slice();
    octets[bit >> 3]! ^= 1 << (bit & 7);
    const got = opener.open({ head: octets, payload: octets.subarray(7) });
    assert(typeof got === "string", `bit ${bit}: ${got}`);
  }
  for (let length = 0; length < frame.payload.length; length += 1) {
    const head = frame.head.subarray(0, 7 + length);
    const got = opener.open({ head, payload: head.subarray(7) });
    assertEquals(got, length < 24 ? "short" : "forged");
  }
  // Nothing of that has used the counter up.
  assertEquals(opener.open(frame), TEXT);
  assertEquals(opener.open(frame), "replayed");
  const reflected = new Opener(new Sm4WasmGcm(KEYS.up), KEYS.base);
  assertEquals(reflected.open(frame), "forged");
  const next = sessionKeys("sm3", from(0, 32), from(0x20, 16));
  assertEquals(new Opener(new Sm4WasmGcm(next.down), next.base).open(frame), "forged");
});

// Against a model that remembers everything: each counter opens once, unless it is too old.
Deno.test("The window takes every order of frames as a list of all that came would", () => {
  const sealer = new Sealer(new Sm4WasmGcm(KEYS.up), KEYS.base);
  const sealed = Array.from({ length: 200 }, (_, index) => framed(sealer.seal(1, from(index, 1))));
  const moves = fc.array(fc.integer({ min: -80, max: 90 }), { maxLength: 60 });
  fc.assert(fc.property(moves, (steps) => {
    const opener = new Opener(new Sm4WasmGcm(KEYS.up), KEYS.base);
    const seen = new Set<number>();
    let [place, newest] = [0, 0];
    for (const step of steps) {
      place = Math.max(0, Math.min(sealed.length - 1, place + step));
      const counter = place + 1;
      const wanted = newest - counter >= WINDOW
        ? "old"
        : seen.has(counter)
        ? "replayed"
        : from(place, 1);
      assertEquals(opener.open(sealed[place]!), wanted, `${counter} after ${newest}`);
      if (wanted instanceof Uint8Array) {
        seen.add(counter);
        newest = Math.max(newest, counter);
      }
    }
  }));
});

Deno.test("No nonce comes twice, and worn keys seal nothing", () => {
  const seen = new Set<string>();
  const nonce = new Uint8Array(12);
  for (let counter = 0; counter < 100_000; counter += 1) {
    seen.add(nonceOf(KEYS.base, counter, nonce).toHex());
  }
  assertEquals(seen.size, 100_000);
  const aead = new Sm4Gcm(KEYS.up);
  const sealer = new Sealer(aead, KEYS.base, "itu", 3);
  const none = new Uint8Array(0);
  const counters = [1, 2, 3].map(() => sealer.seal(1, none).subarray(7, 15).toHex());
  assertEquals(counters, ["0000000000000001", "0000000000000002", "0000000000000003"]);
  assertThrows(() => sealer.seal(1, none), "as many frames as its keys may");
  assertEquals(new Sealer(aead, KEYS.base).most, FRAMES_MAX);
  assertThrows(() => new Sealer(aead, KEYS.base).seal(1, new Uint8Array(65_512)), "too long");
});
