import { runCli } from "../../../../src/app/cli.ts";
import { cryptoSelftestCommand } from "../../../../src/app/commands/crypto.ts";
import { SM4_SBOX } from "../../../../src/crypto/sm4.ts";
import { assert, assertEquals } from "../../../assert.ts";
import { createScreen } from "../terminals.ts";

async function selftest(): Promise<{ code: number; out: string[]; err: string[] }> {
  const screen = createScreen();
  const { signal } = new AbortController();
  const words = ["crypto", "selftest"];
  const code = await runCli(words, [cryptoSelftestCommand], screen.terminal, signal);
  return { code, out: screen.out, err: screen.err };
}

Deno.test("The self-test shows what is used, and fails loudly when a table was corrupted", async () => {
  const good = await selftest();
  assertEquals([good.code, good.err], [0, []]);
  assert(good.out.some((line) => /^sm4-gcm +WebAssembly +used/.test(line)), good.out.join("\n"));
  const before = SM4_SBOX[0xa5]!;
  try {
    SM4_SBOX[0xa5] = before ^ 0x10;
    const { code, err } = await selftest();
    assertEquals(code, 1);
    const told = err.map((line) => line.replace(/: .*/, ""));
    assert(told.includes("sm4-gcm by WebAssembly must not be used"), err.join("\n"));
    assert(told.includes("sm4-ctr by TypeScript must not be used"), err.join("\n"));
  } finally {
    SM4_SBOX[0xa5] = before;
  }
  assertEquals((await selftest()).code, 0);
});
