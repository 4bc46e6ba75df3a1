/** Every implementation of the national algorithms that this system may have. */
import { Sm4Gcm } from "../crypto/aead.ts";
import { makeEphemeral } from "../crypto/ecdh.ts";
import { type Candidate, Providers, type Sm2Tools, type Trial } from "../crypto/providers.ts";
import { Sm2PrivateKey, Sm2PublicKey } from "../crypto/sm2.ts";
import { NOBLE, type Sm2Arithmetic } from "../crypto/sm2_curve.ts";
import { sm2Kernel } from "../crypto/sm2_wasm.ts";
import { sm3 } from "../crypto/sm3.ts";
import { Sm4 } from "../crypto/sm4.ts";
import { sm4Ctr } from "../crypto/sm4_modes.ts";
import { hasSm4Kernel, Sm4WasmGcm } from "../crypto/sm4_wasm.ts";
import type { Cryptography } from "../kernel/module.ts";
import { AesGcm } from "./aes_gcm.ts";
import { SystemCrypto } from "../platform/linux/libcrypto_evp.ts";

/** All of them; of this system those that are there. */
export function cryptoCandidates(): Candidate[] {
  const system = SystemCrypto.open();
  const kernel = hasSm4Kernel();
  return [
    { algorithm: "sm3", provider: "libcrypto", constantTime: true, tool: system?.sm3() },
    { algorithm: "sm3", provider: "TypeScript", constantTime: true, tool: (octets) => sm3(octets) },
    {
      algorithm: "sm4-ctr",
      provider: "WebAssembly",
      constantTime: true,
      tool: kernel
        ? (key) => {
          const one = new Sm4WasmGcm(key);
          return (counter, source, target) => one.ctr(counter, source, target);
        }
        : undefined,
    },
    { algorithm: "sm4-ctr", provider: "libcrypto", constantTime: false, tool: system?.sm4Ctr() },
    {
      algorithm: "sm4-ctr",
      provider: "TypeScript",
      constantTime: false,
      tool: (key) => {
        const cipher = new Sm4(key);
        return (counter, source, target) => sm4Ctr(cipher, counter.slice(), source, target);
      },
    },
    {
      algorithm: "sm4-gcm",
      provider: "WebAssembly",
      constantTime: true,
      tool: kernel ? (key) => new Sm4WasmGcm(key) : undefined,
    },
    {
      algorithm: "sm4-gcm",
      provider: "TypeScript",
      constantTime: false,
      tool: (key) => new Sm4Gcm(key),
    },
    {
      algorithm: "aes-128-gcm",
      provider: "runtime",
      constantTime: true,
      tool: (key) => new AesGcm(key),
    },
    { algorithm: "sm2", provider: "WebAssembly", constantTime: true, tool: sm2Tools(sm2Kernel()) },
    { algorithm: "sm2", provider: "TypeScript", constantTime: false, tool: sm2Tools(NOBLE) },
  ];
}

function sm2Tools(arithmetic: Sm2Arithmetic | undefined): Sm2Tools | undefined {
  return arithmetic && {
    read: (octets) => Sm2PrivateKey.read(octets, arithmetic),
    readPublic: (octets) => Sm2PublicKey.read(octets, arithmetic),
    ephemeral: (random) => makeEphemeral("sm2", random, arithmetic),
  };
}

/** The implementations of this process. */
export function systemProviders(wrong?: (trial: Trial) => void): Providers {
  return new Providers(cryptoCandidates(), () => performance.now(), wrong);
}

/** What services may use of them; each algorithm is tried when it is first asked for. */
export function systemCryptography(): Cryptography {
  const providers = systemProviders();
  return {
    get: (algorithm) => providers.get(algorithm),
    random: (octets) => void crypto.getRandomValues(octets as Uint8Array<ArrayBuffer>),
  };
}
