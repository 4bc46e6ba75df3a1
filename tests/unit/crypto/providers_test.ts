import { Sm4Gcm } from "../../../src/crypto/aead.ts";
import { type Candidate, Providers, type Trial } from "../../../src/crypto/providers.ts";
import { sm3 } from "../../../src/crypto/sm3.ts";
import { SM4_SBOX } from "../../../src/crypto/sm4.ts";
import { cryptoCandidates, systemProviders } from "../../../src/app/crypto_candidates.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";

const own: Candidate = {
  algorithm: "sm3",
  provider: "TypeScript",
  constantTime: true,
  tool: (octets: Uint8Array) => sm3(octets),
};

/** A clock of which each look takes so long. */
function clock(step: number): () => number {
  let now = 0;
  return () => now += step;
}

Deno.test("Every implementation of this machine gives the known answers, and one of each is used", () => {
  const providers = systemProviders();
  for (const algorithm of ["sm3", "sm4-ctr", "sm4-gcm", "aes-128-gcm", "sm2"] as const) {
    const trials = providers.trials(algorithm);
    assertEquals(trials.filter(({ state }) => state === "wrong"), [], algorithm);
    assertEquals(trials.filter(({ state }) => state === "used").length, 1, algorithm);
    assert(providers.get(algorithm));
  }
  assertEquals(providers.trials("sm3"), providers.trials("sm3"), "they are tried once");
});

Deno.test("A table that was corrupted is told, loudly, and nothing is made with it", () => {
  const mine = cryptoCandidates().filter(({ provider }) => provider !== "libcrypto");
  for (let entry = 0; entry < 256; entry += 1) {
    const before = SM4_SBOX[entry]!;
    try {
      SM4_SBOX[entry] = before ^ 1;
      const told: Trial[] = [];
      const providers = new Providers(mine, clock(1), (trial) => told.push(trial));
      assertThrows(
        () => providers.get("sm4-gcm"),
        "No implementation of sm4-gcm gives known answers",
      );
      assertEquals(told.map(({ provider, state }) => `${provider} ${state}`), [
        "WebAssembly wrong",
        "TypeScript wrong",
      ]);
      assert(/ is [0-9a-f]+, not [0-9a-f]+$/.test(told[0]!.why), told[0]!.why);
      if (entry === 0) assert(providers.get("sm3"), "others are not concerned");
    } finally {
      SM4_SBOX[entry] = before;
    }
  }
});

Deno.test("The fastest that is right is used; absent and wrong ones are told apart", () => {
  const slow: Candidate = {
    ...own,
    provider: "slow",
    tool: (octets: Uint8Array) => {
      spent += 10;
      return sm3(octets);
    },
  };
  let spent = 0;
  const wrong = { ...own, provider: "wrong", tool: () => new Uint8Array(32) };
  const throws = {
    ...own,
    provider: "throws",
    tool: () => {
      throw new Error("no memory");
    },
  };
  const absent = { ...own, provider: "absent", tool: undefined };
  const providers = new Providers([slow, wrong, throws, absent, own], () => spent += 1);
  const states = providers.trials("sm3").map(({ provider, state }) => `${provider} ${state}`);
  assertEquals(states, [
    "slow good",
    "wrong wrong",
    "throws wrong",
    "absent absent",
    "TypeScript used",
  ]);
  assertEquals(providers.trials("sm3")[2]!.why, "no memory");
  assertEquals(new Providers([slow], clock(1)).trials("sm3")[0]!.why, "the only one here");
});

Deno.test("One that opens what was changed is wrong, though it seals rightly", () => {
  class Careless extends Sm4Gcm {
    override open(...call: Parameters<Sm4Gcm["open"]>): number {
      const [, , , from, end, , to] = call;
      const opened = super.open(...call);
      return opened === -1 ? to + end - from - 16 : opened;
    }
  }
  const careless: Candidate = {
    algorithm: "sm4-gcm",
    provider: "careless",
    constantTime: false,
    tool: (key: Uint8Array) => new Careless(key),
  };
  const [trial] = new Providers([careless], clock(1)).trials("sm4-gcm");
  assertEquals([trial!.state, trial!.why], ["wrong", "what was changed opens all the same"]);
});
