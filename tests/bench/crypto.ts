// deno-lint-ignore-file no-console -- its output is a table for people
/**
 * `deno task bench --crypto [--rounds 3]`: SM2, SM3 and SM4 of busbar, of sm-crypto, of the
 * runtime's AES, and of OpenSSL (`openssl speed`), in turns; medians of the ratios of each round.
 *
 * Needs openssl.
 * @module
 */
import { createCipheriv } from "node:crypto";
import sm from "sm-crypto";
import { Sm4Gcm } from "../../src/crypto/aead.ts";
import { Sm2PrivateKey } from "../../src/crypto/sm2.ts";
import { sm2Kernel } from "../../src/crypto/sm2_wasm.ts";
import { sm3 } from "../../src/crypto/sm3.ts";
import { Sm4 } from "../../src/crypto/sm4.ts";
import { sm4Cbc, sm4Ctr, sm4Ecb } from "../../src/crypto/sm4_modes.ts";
import { Sm4WasmGcm } from "../../src/crypto/sm4_wasm.ts";
import { median } from "./stats.ts";

const SIZES = [1024, 16 * 1024, 64 * 1024];
const SPAN_MS = 300;
const KEY = new Uint8Array(16).fill(7);
const KEY_HEX = KEY.toHex();

/** Calls a second. */
function rate(once: () => void): number {
  const run = (until: number): number => {
    const start = performance.now();
    let [count, past] = [0, 0];
    for (; past < until; past = performance.now() - start) {
      once();
      count += 1;
    }
    return count * 1000 / past;
  };
  run(SPAN_MS / 5);
  return run(SPAN_MS);
}

/** What OpenSSL makes of an algorithm, in octets a second. */
async function openssl(name: string, size: number): Promise<number> {
  const args = ["speed", "-seconds", "1", "-bytes", `${size}`, "-evp", name];
  const { stdout } = await new Deno.Command("openssl", { args, stderr: "null" }).output();
  const last = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
  return Number(/([\d.]+)k/.exec(last)![1]) * 1000;
}

async function opensslSm2(): Promise<{ sign: number; verify: number }> {
  const args = ["speed", "-seconds", "1", "sm2"];
  const { stdout } = await new Deno.Command("openssl", { args, stderr: "null" }).output();
  const last = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!.split(/\s+/);
  return { sign: Number(last.at(-2)), verify: Number(last.at(-1)) };
}

/** Octets a second of everything, with one size. */
async function ciphers(size: number): Promise<Record<string, number>> {
  const text = new Uint8Array(size);
  const target = new Uint8Array(size + 16);
  const [nonce, none] = [new Uint8Array(12), new Uint8Array(0)];
  const counter = new Uint8Array(16);
  const [cipher, gcm, kernel] = [new Sm4(KEY), new Sm4Gcm(KEY), new Sm4WasmGcm(KEY)];
  const plain = [...text];
  const times: Record<string, () => void> = {
    "ctr wasm": () => kernel.ctr(counter, text),
    "gcm wasm": () => void kernel.seal(nonce, none, text, 0, size, target, 0),
    "gcm ts": () => void gcm.seal(nonce, none, text, 0, size, target, 0),
    "ctr ts": () => sm4Ctr(cipher, counter.fill(0), text),
    "ecb ts": () => sm4Ecb(cipher, "encrypt", text),
    "cbc ts": () => sm4Cbc(cipher, "encrypt", counter, text),
    "ecb sm-crypto": () => void sm.sm4.encrypt(plain, KEY_HEX, { padding: "none" }),
    "aes-gcm runtime": () => {
      const aes = createCipheriv("aes-128-gcm", KEY, nonce);
      aes.update(text);
      aes.final();
      aes.getAuthTag();
    },
    "sm3 ts": () => void sm3(text),
    "sm3 sm-crypto": () => void sm.sm3(plain),
  };
  const found: Record<string, number> = {};
  for (const [name, once] of Object.entries(times)) found[name] = rate(once) * size;
  for (const name of ["sm4-cbc", "sm4-ecb", "sm3"]) {
    found[`${name} openssl`] = await openssl(name, size);
  }
  return found;
}

const RATIOS: readonly (readonly [string, string, string])[] = [
  ["ctr wasm", "sm4-cbc openssl", "bar 3 at 16 KiB"],
  ["gcm wasm", "sm4-cbc openssl", "bar 2 at 16 KiB"],
  ["gcm wasm", "aes-gcm runtime", "bar 1"],
  ["gcm wasm", "ecb sm-crypto", ""],
  ["gcm ts", "ecb sm-crypto", ""],
  ["ecb ts", "sm4-ecb openssl", "bar 0.9"],
  ["cbc ts", "sm4-cbc openssl", "bar 0.9"],
  ["ecb ts", "ecb sm-crypto", ""],
  ["sm3 ts", "sm3 openssl", "bar 0.5"],
  ["sm3 ts", "sm3 sm-crypto", ""],
];

/** Runs it. */
export async function crypto(rounds: number): Promise<void> {
  for (const size of SIZES) {
    const all: Record<string, number>[] = [];
    for (let round = 0; round < rounds; round += 1) all.push(await ciphers(size));
    console.log(`\n${size} octets, MB/s, medians of ${rounds} rounds`);
    for (const name of Object.keys(all[0]!)) {
      const speed = median(all.map((one) => one[name]!)) / 1e6;
      console.log(`  ${name.padEnd(18)} ${speed.toFixed(0).padStart(6)}`);
    }
    for (const [own, other, bar] of RATIOS) {
      const ratio = median(all.map((one) => one[own]! / one[other]!)).toFixed(2);
      console.log(`  ${`${own} / ${other}`.padEnd(34)} ${ratio.padStart(6)}  ${bar}`);
    }
  }
  await signatures(rounds);
}

async function signatures(rounds: number): Promise<void> {
  const key = Sm2PrivateKey.read(new Uint8Array(32).fill(3), sm2Kernel()!)!;
  const noble = Sm2PrivateKey.read(key.octets())!;
  const message = new Uint8Array(32);
  const digest = key.publicKey.digest(message);
  const signature = key.signDigest(digest);
  const [secret, point] = [key.octets().toHex(), key.publicKey.octets().toHex()];
  const theirs = sm.sm2.doSignature([...message], secret);
  const rows: Record<string, number[]> = {};
  const add = (name: string, value: number) => (rows[name] ??= []).push(value);
  for (let round = 0; round < rounds; round += 1) {
    add("sign wasm", rate(() => key.signDigest(digest)));
    add("verify wasm", rate(() => key.publicKey.verifyDigest(digest, signature)));
    add("verify wasm, with ZA", rate(() => key.publicKey.verify(message, signature)));
    add("sign noble", rate(() => noble.signDigest(digest)));
    add("verify noble", rate(() => noble.publicKey.verifyDigest(digest, signature)));
    add("sign sm-crypto", rate(() => sm.sm2.doSignature([...message], secret)));
    add("verify sm-crypto", rate(() => sm.sm2.doVerifySignature([...message], theirs, point)));
    const { sign, verify } = await opensslSm2();
    add("sign openssl", sign);
    add("verify openssl", verify);
  }
  console.log(`\nSM2, a second, medians of ${rounds} rounds (bars: sign 15,000, verify 6,000)`);
  for (const [name, values] of Object.entries(rows)) {
    console.log(`  ${name.padEnd(22)} ${Math.round(median(values)).toString().padStart(7)}`);
  }
  for (const what of ["sign", "verify"]) {
    for (const other of ["openssl", "noble", "sm-crypto"]) {
      const own = rows[`${what} wasm`]!;
      const ratio = median(own.map((value, at) => value / rows[`${what} ${other}`]![at]!));
      console.log(`  ${`${what} / ${other}`.padEnd(22)} ${ratio.toFixed(1).padStart(7)}`);
    }
  }
}
