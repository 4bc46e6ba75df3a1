/** National cryptography and the small authority, on the packed executable. */
import { assert, assertEquals } from "../assert.ts";
import { caller } from "./call.ts";

Deno.test("The packed executable gives every known answer, and says what it uses", async () => {
  const { code, out } = await caller()("crypto", "selftest", "--json");
  const trials = out.split("\n").map((line) => JSON.parse(line));
  assertEquals(code, 0, out);
  assertEquals(trials.filter(({ state }) => state === "wrong"), []);
  const used = trials.filter(({ state }) => state === "used");
  assertEquals(
    used.map(({ algorithm }) => algorithm),
    ["sm3", "sm4-ctr", "sm4-gcm", "aes-128-gcm", "sm2"],
  );
  for (const { provider, algorithm } of used) {
    if (["sm4-ctr", "sm4-gcm", "sm2"].includes(algorithm)) assertEquals(provider, "WebAssembly");
  }
  const bench = await caller()("crypto", "bench", "--span", "5ms");
  assert(bench.out.startsWith("ALGORITHM"), bench.err);
});

Deno.test("An authority, one below it, a device: made, issued, believed, revoked", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "busbar-pki-" });
  try {
    const call = async (...words: string[]) => await caller()("pki", ...words);
    const own = ["--folder", `${folder}/root`];
    for (const [name, curve] of [["root", "sm2"], ["other", "p256"]]) {
      const at = ["--folder", `${folder}/${name}`, "--curve", curve!];
      assertEquals((await call("init", "National root", ...at)).code, 0);
    }
    const again = await call("init", "Again", ...own);
    assertEquals(
      [again.code, again.err.includes("has an authority already")],
      [2, true],
      again.err,
    );
    assertEquals((await call("issue", "province", "--authority", ...own)).code, 0);
    const below = ["--folder", `${folder}/root/province`];
    const issued = await call(
      "issue",
      "pile-0001",
      "--alternative",
      "10.0.0.7,pile.site",
      ...below,
    );
    assertEquals(issued.code, 0, issued.err);
    const mode = Deno.statSync(`${folder}/root/province/pile-0001.key`).mode! & 0o777;
    assertEquals(mode, 0o600, "a key is its owner's");
    const verify = (root: string, ...more: string[]) =>
      call(
        ...["verify", `${folder}/root/province/pile-0001.pem`],
        ...["--root", `${folder}/${root}/ca.pem`, ...more],
      );
    const list = ["--crl", `${folder}/root/province/crl.pem`];
    for (const name of ["pile-0001", "10.0.0.7", "pile.site"]) {
      assertEquals((await verify("root", ...list, "--name", name)).out, "0 trusted");
    }
    const stranger = await verify("root", "--name", "pile-0002");
    assertEquals([stranger.code, stranger.out.slice(0, 2)], [1, "-5"]);
    assertEquals((await verify("other")).out.slice(0, 2), "-4");
    assertEquals((await call("revoke", "pile-0001", ...below)).code, 0);
    assertEquals((await call("revoke", "pile-0001", ...below)).code, 1, "only once");
    const revoked = await verify("root", ...list);
    assert(/^-5 it was revoked on \d{4}-/.test(revoked.out), revoked.out);
    const [line] = (await call("list", "--json", ...below)).out.split("\n");
    const { name, revoked: at } = JSON.parse(line!);
    assertEquals([name, typeof at], ["pile-0001", "number"]);
    const none = await call("issue", "x", "--folder", `${folder}/nowhere`);
    assert(none.code !== 0 && none.err.includes("busbar pki init makes one"), none.err);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
